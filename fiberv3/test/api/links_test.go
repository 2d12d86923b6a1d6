// Code generated from ../../../test/api/links_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/session"
)

// confirm sets every field of Link.
var confirm = fiberjwt.Link[User]{Name: "confirm-email", TTL: time.Hour, Binds: func(u *User) string { return u.Email }}

// stored loads the account with the id 1.
func stored[T any](w *world) *T {
	w.t.Helper()
	account := new(T)
	require.NoError(w.t, w.db.NewSelect().Model(account).Where("id = 1").Scan(context.Background()))
	return account
}

func TestOneTimeTokenWorksOnce(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	require.Regexp(t, `^fjo_[A-Za-z0-9_-]{80,160}$`, token, "the token must need no escaping in a URL")

	for range 2 {
		u, err := confirm.Check(t.Context(), w.auth, token)
		require.NoError(t, err, "Check must not use up the token")
		require.Equal(t, "ann@example.com", u.Email)
	}
	u, err := confirm.Redeem(t.Context(), w.auth, token)
	require.NoError(t, err)
	require.EqualValues(t, 1, u.ID)
	for range 3 {
		u, err = confirm.Redeem(t.Context(), w.auth, token)
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
		require.Nil(t, u)
	}
	another, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	_, err = confirm.Redeem(t.Context(), w.auth, another)
	require.NoError(t, err, "a redeemed token must not use up other tokens")
}

// requireOneSuccess calls use concurrently: exactly one call must succeed, and the
// others must fail with ErrOneTimeToken.
func requireOneSuccess(t *testing.T, calls int, use func() error) {
	t.Helper()
	var successes atomic.Int32
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			if err := use(); err == nil {
				successes.Add(1)
			} else if !errors.Is(err, fiberjwt.ErrOneTimeToken) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, successes.Load())
}

func TestConcurrentRedeemsSucceedOnce(t *testing.T) {
	for name, configure := range map[string]func(*fiberjwt.Config){
		"the accounts' database": func(*fiberjwt.Config) {},
		"a separate store": func(cfg *fiberjwt.Config) {
			cfg.Store = struct{ session.Store }{session.NewSQL(newDB(t))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, configure)
			w.register("users", "ann@example.com")
			for range 5 {
				token, err := confirm.Token(w.auth, stored[User](w))
				require.NoError(t, err)
				requireOneSuccess(t, 16, func() error {
					_, err := confirm.Redeem(context.Background(), w.auth, token)
					return err
				})
			}
		})
	}
}

// Of two concurrent requests, the one that read the clock first may come last.
func TestOneTimeTokenWorksOnceAcrossSkewedClocks(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	for _, behind := range []time.Duration{time.Millisecond, 30 * time.Second, 30 * time.Minute} {
		token, err := confirm.Token(w.auth, stored[User](w))
		require.NoError(t, err)
		_, err = confirm.Redeem(t.Context(), w.auth, token)
		require.NoError(t, err)
		w.clock.Advance(-behind)
		_, err = confirm.Redeem(t.Context(), w.auth, token)
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "on a server whose clock is %v behind", behind)
	}
}

func TestOneTimeTokenEndsByTimeOrAccountChange(t *testing.T) {
	for name, change := range map[string]func(*world){
		"the address changed": func(w *world) {
			_, err := w.db.NewUpdate().Model((*User)(nil)).Set("email = ?", "other@example.com").Where("id = 1").Exec(context.Background())
			require.NoError(w.t, err)
		},
		"the account was deleted": func(w *world) {
			_, err := w.db.NewDelete().Model((*User)(nil)).Where("id = 1").Exec(context.Background())
			require.NoError(w.t, err)
		},
		"the password changed": func(w *world) {
			reset, err := fiberjwt.ResetToken(w.auth, stored[User](w), 0)
			require.NoError(w.t, err)
			_, err = fiberjwt.ResetPassword[User](context.Background(), w.auth, reset, newPassword)
			require.NoError(w.t, err)
		},
		"the TTL is over":              func(w *world) { w.clock.Advance(time.Hour) },
		"nothing changed: still valid": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.register("users", "ann@example.com")
			token, err := confirm.Token(w.auth, stored[User](w))
			require.NoError(t, err)
			if change == nil {
				w.clock.Advance(time.Hour - time.Second)
				_, err = confirm.Redeem(t.Context(), w.auth, token)
				require.NoError(t, err)
				return
			}
			change(w)
			_, err = confirm.Check(t.Context(), w.auth, token)
			require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
			_, err = confirm.Redeem(t.Context(), w.auth, token)
			require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
		})
	}
}

func TestOneTimeTokenIsBoundToPurposeAndKind(t *testing.T) {
	w := newWorld(t)
	ann := w.register("users", "ann@example.com")
	w.register("teachers", "ann")
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)

	_, err = fiberjwt.Link[User]{Name: "magic", Binds: confirm.Binds}.Redeem(t.Context(), w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "redeemed for another purpose")
	_, err = fiberjwt.Link[Teacher]{Name: "confirm-email"}.Redeem(t.Context(), w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "redeemed for another kind")
	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, newPassword)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "used to reset a password")
	require.Equal(t, "invalid_token", w.get("/any", token).Code(t), "used as an access token")
	require.Equal(t, "session_ended", w.refresh("users", token).Code(t), "used as a refresh token")
	_, err = w.auth.Verify(t.Context(), token)
	require.ErrorIs(t, err, fiberjwt.ErrTokenMalformed)
	for _, other := range []string{ann.Access, ann.Refresh, "", "fjo_", "fjo_!"} {
		_, err = confirm.Redeem(t.Context(), w.auth, other)
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	}
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.NoError(t, err, "a refused use must not use up the token")
	require.Len(t, w.sessions("users", "1"), 1, "the row of a used token must not be listed as a session")
}

func TestForgedOneTimeTokenIsRefusedWithoutQuery(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "fjo_"))
	require.NoError(t, err)
	queries := &contextChecker{}
	w.db.AddQueryHook(queries)
	for bit := range 8 * len(raw) {
		raw[bit/8] ^= 1 << (bit % 8)
		_, err := confirm.Check(t.Context(), w.auth, "fjo_"+base64.RawURLEncoding.EncodeToString(raw))
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "bit %d", bit)
		raw[bit/8] ^= 1 << (bit % 8)
	}
	for _, form := range []string{token + "\n", token[:20] + "\r\n" + token[20:], token + "=", token + "A", " " + token, strings.ToUpper(token)} {
		_, err := confirm.Check(t.Context(), w.auth, form)
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	}
	require.Empty(t, queries.without)
	require.Zero(t, queries.found)
	_, err = confirm.Check(t.Context(), w.auth, token)
	require.NoError(t, err)
	require.NotEmpty(t, queries.without, "the query hook must see the query of a valid token")
}

// Mail programs exclude a "-" or "_" at the end from a link: they read it as punctuation.
func TestLinkTokensEndInLetterOrDigit(t *testing.T) {
	w := newTicketWorld(t)
	w.register("users", "ann@example.com")
	ann := stored[User](w)
	for _, id := range []int64{1, 10, 21, 99, 100, 1234, 12345} {
		ann.ID = id
		_, err := w.db.NewUpdate().Model(ann).Set("id = ?", id).Where("email = ?", ann.Email).Exec(t.Context())
		require.NoError(t, err)
		for range 200 {
			reset, err := fiberjwt.ResetToken(w.auth, ann, 0)
			require.NoError(t, err)
			unlock, err := fiberjwt.UnlockToken(w.auth, ann, 0)
			require.NoError(t, err)
			link, err := confirm.Token(w.auth, ann)
			require.NoError(t, err)
			for _, token := range []string{reset, unlock, link} {
				require.Regexp(t, `^[a-z]{3}_[A-Za-z0-9_-]*[A-Za-z0-9]$`, token)
			}
		}
		for range 5 {
			pair := w.login("users", ann.Email)
			ticket := w.ticket(pair.Access, "/films/7.mp4", "")
			require.Regexp(t, `[A-Za-z0-9]$`, ticket)
			require.Regexp(t, `[A-Za-z0-9]$`, pair.Refresh)
			require.Equal(t, 200, w.do("GET", "/films/7.mp4?ticket="+ticket, "").Status)
		}
		link, err := confirm.Token(w.auth, ann)
		require.NoError(t, err)
		found, err := confirm.Redeem(t.Context(), w.auth, link)
		require.NoError(t, err, "account %d", id)
		require.Equal(t, id, found.ID)
	}
}

func TestOneTimeTokenSurvivesSecretRotation(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	later := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.DB, cfg.Now = w.db, w.clock.Now
		cfg.Secret, cfg.OldSecrets = []byte("m2X8pQ5vB1zN7cK4jH9sD6gF3wR0tY2e"), []keys.Secret{[]byte(testSecret)}
	})
	_, err = confirm.Redeem(t.Context(), later.auth, token)
	require.NoError(t, err)
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "the token was redeemed by another process")
}

func TestLinksOfAnotherIssuerAreRefused(t *testing.T) {
	w := newTicketWorld(t)
	access := w.register("users", "ann@example.com").Access
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	reset, err := fiberjwt.ResetToken(w.auth, stored[User](w), 0)
	require.NoError(t, err)
	ticket := w.ticket(access, "/films/7.mp4", "")
	other := newTicketWorld(t, func(cfg *fiberjwt.Config) { cfg.DB, cfg.Now, cfg.Issuer = w.db, w.clock.Now, "another" })
	_, err = confirm.Check(t.Context(), other.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "secret and database are the same, but the issuer is not")
	_, err = fiberjwt.ResetPassword[User](t.Context(), other.auth, reset, newPassword)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	require.Equal(t, 401, other.do("GET", "/films/7.mp4?ticket="+ticket, "").Status)
	require.Equal(t, 200, w.do("GET", "/films/7.mp4?ticket="+ticket, "").Status)
}

func TestFailedRedeemDoesNotUseUpToken(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = confirm.Redeem(ended, w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.NoError(t, err)
}

func TestUsedTokenIsRememberedUntilItExpires(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	token, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.NoError(t, err)
	require.Equal(t, 2, w.count("fiberjwt_sessions"))
	_, err = w.auth.Prune(t.Context())
	require.NoError(t, err)
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	w.clock.Advance(time.Hour + 2*time.Minute)
	_, err = w.auth.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, w.count("fiberjwt_sessions"), "only the row of the session must remain")
}

func TestInvalidPurposeGetsErrSetup(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	u := stored[User](w)
	for why, make := range map[string]func() (string, error){
		"Link.Name": func() (string, error) { return fiberjwt.Link[User]{Name: "Confirm it"}.Token(w.auth, u) },
		"Link.TTL": func() (string, error) {
			return fiberjwt.Link[User]{Name: "a", TTL: 8 * 24 * time.Hour}.Token(w.auth, u)
		},
		"the account is nil":     func() (string, error) { return confirm.Token(w.auth, nil) },
		"not a model":            func() (string, error) { return fiberjwt.Link[world]{Name: "a"}.Token(w.auth, &world{}) },
		"account is nil":         func() (string, error) { return fiberjwt.ResetToken[User](w.auth, nil, 0) },
		"not between 0 and 24 h": func() (string, error) { return fiberjwt.ResetToken(w.auth, u, 25*time.Hour) },
		"there are no sessions":  func() (string, error) { return confirm.Token(newVerifier(t).auth, u) },
		"Binds panicked on this user": func() (string, error) {
			return fiberjwt.Link[User]{Name: "a", Binds: func(*User) string { panic("Binds panicked on this user") }}.Token(w.auth, u)
		},
	} {
		_, err := make()
		require.ErrorIs(t, err, fiberjwt.ErrSetup, why)
		var e *fiberjwt.Error
		if errors.As(err, &e) && e.LogValue().String() != "" && !strings.Contains(err.Error(), why) {
			require.Contains(t, e.LogValue().String(), why)
			continue
		}
		require.ErrorContains(t, err, why)
	}
}

func TestResetTokenWorksOnceAndEndsSessions(t *testing.T) {
	var seen eventRecorder
	w := newWorld(t, seen.listen)
	ann := w.register("users", "ann@example.com")
	bob := w.register("users", "bob@example.com")
	seen.take()
	token, err := fiberjwt.ResetToken(w.auth, stored[User](w), 0)
	require.NoError(t, err)
	older, err := fiberjwt.ResetToken(w.auth, stored[User](w), time.Hour)
	require.NoError(t, err)

	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, "password1")
	require.ErrorIs(t, err, fiberjwt.ErrFields, "a refused password must not use up the token")
	u, err := fiberjwt.ResetPassword[User](t.Context(), w.auth, token, newPassword)
	require.NoError(t, err)
	require.EqualValues(t, 1, u.ID)
	require.Equal(t, []event.Event{{Type: event.Password, Kind: "users", Subject: "1"}}, seen.take())

	require.Equal(t, 401, w.get("/any", ann.Access).Status, "a reset must end every session of the account")
	require.Equal(t, "session_ended", w.refresh("users", ann.Refresh).Code(t))
	require.Equal(t, 200, w.get("/any", bob.Access).Status, "a reset must not end sessions of another account")
	require.Equal(t, 401, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)).Status)
	require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword)).Status)
	for _, used := range []string{token, older} {
		_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, used, testPassword)
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	}
}

func TestConcurrentResetsSucceedOnce(t *testing.T) {
	for name, configure := range map[string]func(*fiberjwt.Config){
		"the accounts' database": func(*fiberjwt.Config) {},
		"a separate store": func(cfg *fiberjwt.Config) {
			cfg.Store = struct{ session.Store }{session.NewSQL(newDB(t))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, configure)
			ann := w.register("users", "ann@example.com")
			token, err := fiberjwt.ResetToken(w.auth, stored[User](w), 0)
			require.NoError(t, err)
			requireOneSuccess(t, 4, func() error {
				_, err := fiberjwt.ResetPassword[User](context.Background(), w.auth, token, newPassword)
				return err
			})
			require.Equal(t, 401, w.get("/any", ann.Access).Status)
		})
	}
}

func TestResetTokenEndsByTimeOrPasswordChange(t *testing.T) {
	w := newWorld(t)
	access := w.register("users", "ann@example.com").Access
	token, err := fiberjwt.ResetToken(w.auth, stored[User](w), 0)
	require.NoError(t, err)
	body := `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`
	require.Equal(t, 204, w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+access).Status)
	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, testPassword)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)

	token, err = fiberjwt.ResetToken(w.auth, stored[User](w), 0)
	require.NoError(t, err)
	w.clock.Advance(30 * time.Minute)
	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, testPassword)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
}

func TestResetSetsFirstPasswordOfAccount(t *testing.T) {
	w := newWorld(t)
	u := &User{Email: "ann@example.com"}
	_, err := w.db.NewInsert().Model(u).Exec(t.Context())
	require.NoError(t, err)
	token, err := fiberjwt.ResetToken(w.auth, u, 0)
	require.NoError(t, err)
	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, testPassword)
	require.NoError(t, err)
	w.login("users", "ann@example.com")
}

// A database may reuse a primary key, and locked accounts may all have the same
// placeholder as their hash.
func TestLinkIsVoidAfterPrimaryKeyIsReused(t *testing.T) {
	w := quickWorld(t)
	confirm := fiberjwt.Link[User]{Name: "confirm"}
	ann := &User{Email: "ann@example.com", PasswordHash: "!"}
	w.add(ann)
	link, err := confirm.Token(w.auth, ann)
	require.NoError(t, err)
	reset, err := fiberjwt.ResetToken(w.auth, ann, 0)
	require.NoError(t, err)
	w.sql("DELETE FROM users")
	w.add(&User{ID: ann.ID, Email: "bob@example.com", PasswordHash: "!"})
	_, err = confirm.Redeem(t.Context(), w.auth, link)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, reset, newPassword)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	require.Equal(t, "!", stored[User](w).PasswordHash)
}
