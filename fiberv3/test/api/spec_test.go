// Code generated from ../../../test/api/spec_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// This file is a short specification of the library. The other files test the details
// of each subject.

func TestRegisterSignsIn(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/auth/users/register", `{"email":"ann@example.com","password":"correct horse battery","full_name":"Ann"}`)
	require.Equal(t, 201, a.Status, a.Body)
	body := a.JSON(t)
	require.Equal(t, "Bearer", body["token_type"])
	require.EqualValues(t, 600, body["expires_in"])
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	entity := body["entity"].(map[string]any)
	require.Equal(t, "ann@example.com", entity["email"])
	require.Equal(t, "Ann", entity["full_name"])
	require.NotContains(t, a.Body, "argon2id")

	me := w.get("/users/me", w.tokensOf(a).Access)
	require.Equal(t, 200, me.Status, me.Body)
	require.Equal(t, "Ann", me.JSON(t)["full_name"])
}

func TestMiddlewareRequiresTokenUnlessPublic(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/users/me", "/any", "/no/such/route"} {
		a := w.do("GET", path, "")
		require.Equal(t, 401, a.Status, path)
		require.Equal(t, "no_token", a.Code(t))
		require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
	}
	require.Equal(t, 200, w.do("GET", "/open", "").Status)
}

func TestTokenOfOneKindIsRefusedForAnother(t *testing.T) {
	w := newWorld(t)
	user, teacher := w.register("users", "ann@example.com"), w.register("teachers", "ann")

	require.Equal(t, 200, w.get("/users/me", user.Access).Status)
	require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status)
	for path, token := range map[string]string{
		"/users/me": teacher.Access, "/teachers/me": user.Access,
		"/locals/users": teacher.Access, "/locals/teachers": user.Access,
		"/auth/users/me": teacher.Access, "/auth/teachers/sessions": user.Access,
	} {
		a := w.get(path, token)
		require.Equal(t, 403, a.Status, path)
		require.Equal(t, "wrong_kind", a.Code(t), path)
	}
	require.Equal(t, "users:1", w.get("/any", user.Access).Body)
	require.Equal(t, "teachers:1", w.get("/any", teacher.Access).Body, "the id 1 belongs to a user and to a teacher")
	require.Equal(t, "session_ended", w.refresh("teachers", user.Refresh).Code(t))
}

func TestLocalsCurrentAndAsReturnSamePointer(t *testing.T) {
	w := newWorld(t)
	w.app.Get("/same", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		current, ok := fiberjwt.Current[User](c)
		s, _ := fiberjwt.SessionOf(c, "users")
		return c.JSON(ok && current == u && c.Locals("users").(*User) == u && s.Account == any(u))
	}))
	require.Equal(t, "true", w.get("/same", w.register("users", "ann@example.com").Access).Body)
}

func TestBrowserCanBeSignedInAsTwoKinds(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.register("users", "ann@example.com")
	b.register("teachers", "ann")
	require.Equal(t, "users:1 teachers:1", b.do("GET", "/any", "").Body)
	require.Equal(t, 200, b.do("GET", "/locals/users", "").Status)
	require.Equal(t, 200, b.do("GET", "/locals/teachers", "").Status)

	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "").Status)
	require.Equal(t, "teachers:1", b.do("GET", "/any", "").Body)
}

func TestCookieSessionRefreshesWithoutBodyTokens(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.register("users", "ann@example.com")
	require.Contains(t, b.jar, "__Host-Http-users")
	require.Contains(t, b.jar, "__Secure-users-refresh")

	w.clock.Advance(11 * time.Minute)
	require.Equal(t, "invalid_token", b.do("GET", "/users/me", "").Code(t), "a request with an expired cookie must not pass as anonymous")
	a := b.do("POST", "/auth/users/refresh", "")
	require.Equal(t, 200, a.Status, a.Body)
	require.NotContains(t, a.Body, "_token\"")
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
}

func TestCrossSiteRequestCannotUseCookies(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.register("users", "ann@example.com")
	b.site = "cross-site"
	for _, path := range []string{"/any", "/auth/users/refresh", "/auth/users/logout"} {
		a := b.do("POST", path, "")
		require.Equal(t, 403, a.Status, path)
		require.Equal(t, "csrf", a.Code(t))
		require.Empty(t, a.Header.Get("Set-Cookie"))
	}
	b.site = "same-origin"
	require.Equal(t, 200, b.do("POST", "/any", "").Status)
}

func TestLogoutTakesEffectOnNextRequest(t *testing.T) {
	w := newWorld(t)
	here := w.register("users", "ann@example.com")
	there := w.login("users", "ann@example.com")
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+here.Access).Status)

	a := w.get("/users/me", here.Access)
	require.Equal(t, 401, a.Status)
	require.Equal(t, `Bearer error="invalid_token"`, a.Header.Get("WWW-Authenticate"))
	require.Equal(t, "session_ended", w.refresh("users", here.Refresh).Code(t))
	require.Equal(t, 200, w.get("/users/me", there.Access).Status, "the other session must stay valid")
}

func TestEarlyRefreshDoesNotRotateRefreshToken(t *testing.T) {
	w := newWorld(t)
	tokens := w.register("users", "ann@example.com")
	a := w.refresh("users", tokens.Refresh)
	require.Equal(t, 200, a.Status, a.Body)
	require.NotContains(t, a.JSON(t), "refresh_token")
	require.Equal(t, 200, w.get("/users/me", w.tokensOf(a).Access).Status)
}

func TestConcurrentRefreshesGetOneSuccessor(t *testing.T) {
	w := newWorld(t)
	tokens := w.register("users", "ann@example.com")
	w.clock.Advance(6 * time.Minute)

	const tabs = 32
	answers := make([]answer, tabs)
	var group sync.WaitGroup
	for i := range tabs {
		group.Go(func() { answers[i] = w.refresh("users", tokens.Refresh) })
	}
	group.Wait()
	next := w.tokensOf(answers[0]).Refresh
	require.NotEmpty(t, next)
	for _, a := range answers {
		require.Equal(t, 200, a.Status, a.Body)
		require.Equal(t, next, w.tokensOf(a).Refresh)
	}
	var generation int64
	require.NoError(t, w.db.NewSelect().Table("fiberjwt_sessions").Column("gen").Scan(t.Context(), &generation))
	require.EqualValues(t, 1, generation, "the refreshes must rotate the token once")
}

func TestRefreshTokenReuseEndsSession(t *testing.T) {
	w := newWorld(t)
	first := w.register("users", "ann@example.com")
	w.clock.Advance(6 * time.Minute)
	second := w.tokensOf(w.refresh("users", first.Refresh))
	w.clock.Advance(6 * time.Minute)
	third := w.tokensOf(w.refresh("users", second.Refresh))

	a := w.refresh("users", first.Refresh)
	require.Equal(t, 401, a.Status)
	require.Equal(t, "session_revoked", a.Code(t))
	require.Equal(t, 401, w.get("/users/me", third.Access).Status)
	require.Equal(t, "session_revoked", w.refresh("users", third.Refresh).Code(t), "reuse must end the session for the owner, too")
}

func TestSessionEndsWhenIdleOrAtMaximumAge(t *testing.T) {
	w := newWorld(t)
	tokens := w.register("users", "ann@example.com")
	for range 8 {
		w.clock.Advance(13 * 24 * time.Hour)
		if a := w.refresh("users", tokens.Refresh); a.Status == 200 {
			tokens = w.tokensOf(a)
			continue
		}
		break
	}
	require.Equal(t, "session_ended", w.refresh("users", tokens.Refresh).Code(t), "the session must end after 90 days")

	idle := w.login("users", "ann@example.com")
	w.clock.Advance(14 * 24 * time.Hour)
	require.Equal(t, "session_ended", w.refresh("users", idle.Refresh).Code(t))
}

func TestPasswordChangeEndsOtherSessions(t *testing.T) {
	w := newWorld(t)
	here := w.register("users", "ann@example.com")
	there := w.login("users", "ann@example.com")
	body := fmt.Sprintf(`{"current_password":%q,"password":%q}`, testPassword, newPassword)
	require.Equal(t, 204, w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+here.Access).Status)

	require.Equal(t, 200, w.get("/users/me", here.Access).Status)
	require.Equal(t, 401, w.get("/users/me", there.Access).Status)
	require.Equal(t, "invalid_credentials", w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)).Code(t))
	require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword)).Status)
}

func TestUnknownAccountLooksLikeWrongPassword(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	wrong := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", "not the password"))
	unknown := w.do("POST", "/auth/users/login", credentials("users", "bob@example.com", "not the password"))
	require.Equal(t, 401, wrong.Status)
	require.Equal(t, wrong.Body, unknown.Body)
	require.Equal(t, wrong.Status, unknown.Status)
	wrong.Header.Del("Date")
	unknown.Header.Del("Date")
	require.Equal(t, wrong.Header, unknown.Header)
}

func TestFreshRouteRequiresRecentPassword(t *testing.T) {
	w := newWorld(t)
	tokens := w.register("users", "ann@example.com")
	require.Equal(t, 200, w.get("/fresh", tokens.Access).Status)
	w.clock.Advance(6 * time.Minute)
	renewed := w.tokensOf(w.refresh("users", tokens.Refresh))
	a := w.get("/fresh", renewed.Access)
	require.Equal(t, 401, a.Status)
	require.Equal(t, `Bearer error="insufficient_user_authentication", max_age=300`, a.Header.Get("WWW-Authenticate"))
}

func TestBrokenStoreGets503(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.register("users", "ann@example.com")
	_, err := w.db.Exec("ALTER TABLE fiberjwt_sessions RENAME TO away")
	require.NoError(t, err)
	for method, path := range map[string]string{"GET": "/users/me", "POST": "/auth/users/refresh"} {
		a := b.do(method, path, "")
		require.Equal(t, 503, a.Status, path)
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		require.Empty(t, a.Header.Get("Set-Cookie"))
	}
	_, err = w.db.Exec("ALTER TABLE away RENAME TO fiberjwt_sessions")
	require.NoError(t, err)
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
}

func TestAccessTokenHasExactClaimSet(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			Claims:   func(u *User) map[string]any { return map[string]any{"admin": u.Admin} },
		}}
	})
	access := w.register("users", "ann@example.com").Access
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	now := float64(w.clock.Now().Unix())
	require.NotEmpty(t, claims["sid"])
	require.NotEmpty(t, claims["jti"])
	delete(claims, "sid")
	delete(claims, "jti")
	require.Equal(t, map[string]any{
		"iss": "fiberjwt", "aud": "fiberjwt", "sub": "1", "kind": "users",
		"iat": now, "auth_time": now, "exp": now + 600, "admin": false,
	}, claims)
}

func TestVerifyWorksOutsideHTTPRequest(t *testing.T) {
	w := newWorld(t)
	tokens := w.register("users", "ann@example.com")
	s, err := w.auth.Verify(t.Context(), tokens.Access)
	require.NoError(t, err)
	require.Equal(t, "ann@example.com", s.Account.(*User).Email)

	require.NoError(t, fiberjwt.RevokeAll(t.Context(), w.auth, s.Account.(*User)))
	_, err = w.auth.Verify(t.Context(), tokens.Access)
	require.ErrorIs(t, err, fiberjwt.ErrTokenRevoked)
}

func TestVerifierWorksWithoutDatabase(t *testing.T) {
	w := newWorld(t)
	access := w.register("users", "ann@example.com").Access
	app := fiber.New()
	app.Use(fiberjwt.New(fiberjwt.Config{Secret: []byte(testSecret), Now: w.clock.Now}))
	app.Get("/", func(c fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(s.Kind + ":" + s.Subject)
	})
	verifier := &world{t: t, app: app}
	require.Equal(t, "users:1", verifier.get("/", access).Body)
	require.Equal(t, 401, verifier.get("/", access+"x").Status)
}

// Flask-JWT-Router answered 2.4 % of such requests as another account.
func TestConcurrentRequestsNeverMixUpAccounts(t *testing.T) {
	const workers, requests, accounts = 16, 100_000, 4
	w := newWorld(t)
	type identity struct{ token, want string }
	var identities []identity
	for i := range accounts {
		name := fmt.Sprintf("n%d", i)
		user, teacher := w.register("users", name+"@example.com"), w.register("teachers", name)
		// The same ids for both kinds.
		identities = append(identities,
			identity{user.Access, fmt.Sprintf("users:%d", i+1)},
			identity{teacher.Access, fmt.Sprintf("teachers:%d", i+1)})
	}
	handler := w.app.Handler()
	var wrong, done atomic.Int64
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for n := range requests / workers {
				as := identities[(n+worker)%len(identities)]
				if got := serve(handler, "/any", as.token); got != as.want {
					wrong.Add(1)
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, requests, done.Load())
	require.Zero(t, wrong.Load(), "a request was answered as another kind or account")
}
