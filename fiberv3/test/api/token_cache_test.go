// Code generated from ../../../test/api/token_cache_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
)

// With CacheTTL, a token is remembered from the second time on.
const untilRemembered = 3

// Fiber's strings are views of buffers that the next request overwrites, also with a token of
// the same length.
func TestReusedBufferNeverAnswersAsAnotherAccount(t *testing.T) {
	w, _, _ := cachedWorld(t)
	trustCache(w.auth)
	w.app.Get("/who", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString(u.Email) }))
	type client struct {
		email, token string
	}
	var clients []client
	for i := range 8 {
		email := "person" + strconv.Itoa(i) + "@example.com"
		clients = append(clients, client{email, w.register("users", email).Access})
	}
	handler := w.app.Handler()
	var c fasthttp.RequestCtx
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		who, forged := clients[random.IntN(len(clients))], random.IntN(4) == 0
		token := who.token
		if forged { // one's own token with the signature of another
			token = forge(token)
		}
		c.Request.Reset()
		c.Response.Reset()
		c.ResetUserValues()
		c.Request.SetRequestURI("/who")
		c.Request.Header.Set("Authorization", "Bearer "+token)
		handler(&c)
		if forged {
			require.Equal(t, 401, c.Response.StatusCode())
			continue
		}
		require.Equal(t, 200, c.Response.StatusCode())
		require.Equal(t, who.email, string(c.Response.Body()))
	}
}

func TestRememberedTokenEndsWithItsSession(t *testing.T) {
	for name, end := range map[string]func(w *world, p tokens){
		"logout": func(w *world, p tokens) { w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+p.Access) },
		"RevokeAll": func(w *world, _ tokens) {
			require.NoError(w.t, fiberjwt.RevokeAll(w.t.Context(), w.auth, &User{ID: 1}))
		},
		"new password": func(w *world, p tokens) {
			w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+w.login("users", "ann@example.com").Access)
		},
		"its expiry": func(w *world, _ tokens) { w.clock.Advance(16 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			w, _, pair := cachedWorld(t, func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Hour })
			trustCache(w.auth)
			for range untilRemembered {
				require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
			}
			end(w, pair)
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
		})
	}
}

func TestRememberedTokenEndsWithItsKey(t *testing.T) {
	for _, algorithm := range []keys.Algorithm{keys.ES256, keys.EdDSA} {
		old, next := newKey(t, algorithm), newKey(t, algorithm)
		for name, replacement := range map[string]keys.Key{"another key": next, "another key of the same ID": next.Named(old.ID())} {
			set := newSet(t, old)
			w, _, pair := cachedWorld(t, withKeys(set))
			trustCache(w.auth)
			for range untilRemembered {
				require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
			}
			spare := newKey(t, algorithm)
			require.NoError(t, set.Add(spare))
			require.NoError(t, set.Promote(spare.ID()))
			require.NoError(t, set.Remove(old.ID()))
			require.NoError(t, set.Add(replacement))
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status, name)
		}
	}
}

func TestAllowJudgesEveryUseOfRememberedToken(t *testing.T) {
	calls := 0
	w, _, pair := cachedWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(context.Context, *User) error {
			calls++
			return nil
		}}
	})
	trustCache(w.auth)
	calls = 0
	for range 10 {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	require.Equal(t, 10, calls)
}

func TestChangeByHandlerStaysInItsRequest(t *testing.T) {
	w, _, pair := cachedWorld(t)
	trustCache(w.auth)
	w.app.Get("/rename", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		before := u.Email
		u.Email = "changed@example.com"
		return c.SendString(before)
	}))
	for range 10 {
		require.Equal(t, "ann@example.com", w.get("/rename", pair.Access).Body)
	}
}
