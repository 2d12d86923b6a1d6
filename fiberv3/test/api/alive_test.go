// Code generated from ../../../test/api/alive_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// sessionOf returns the session of a signed-in request and keeps it after the request, as a WebSocket handler does.
func (w *world) sessionOf(access string) *fiberjwt.Session {
	w.t.Helper()
	var kept *fiberjwt.Session
	w.app.Get("/keep", func(c fiber.Ctx) error {
		kept, _ = fiberjwt.SessionOf(c)
		return nil
	})
	require.Equal(w.t, 200, w.get("/keep", access).Status)
	require.NotNil(w.t, kept)
	return kept
}

// A WebSocket lives longer than the token that opened it, and must end with the session.
func TestAliveHoldsUntilSessionEnds(t *testing.T) {
	for name, end := range map[string]func(w *world, pair tokens, s *fiberjwt.Session){
		"a logout": func(w *world, pair tokens, _ *fiberjwt.Session) {
			require.Equal(t, 204, w.do("POST", "/auth/users/logout", `{"refresh_token":"`+pair.Refresh+`"}`).Status)
		},
		"Revoke": func(w *world, _ tokens, s *fiberjwt.Session) { require.NoError(t, w.auth.Revoke(t.Context(), s.ID)) },
		"a password change": func(w *world, _ tokens, _ *fiberjwt.Session) {
			other := w.login("users", "ann@example.com").Access
			a := w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+other)
			require.Equal(t, 204, a.Status, a.Body)
		},
		"a deleted account":  func(w *world, _ tokens, _ *fiberjwt.Session) { w.sql("DELETE FROM users") },
		"a refusal by Allow": func(w *world, _ tokens, _ *fiberjwt.Session) { w.sql("UPDATE users SET disabled = true") },
		"IdleTTL":            func(w *world, _ tokens, _ *fiberjwt.Session) { w.clock.Advance(15 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(_ context.Context, u *User) error {
					if u.Disabled {
						return errors.New("disabled")
					}
					return nil
				}}}
			})
			pair := w.register("users", "ann@example.com")
			s := w.sessionOf(pair.Access)
			require.NoError(t, w.auth.Alive(t.Context(), s))
			for range 20 { // the page refreshes, the WebSocket does not
				w.clock.Advance(24 * time.Hour)
				if refreshed := w.tokensOf(w.refresh("users", pair.Refresh)); refreshed.Refresh != "" {
					pair = refreshed
				}
			}
			require.True(t, s.ExpiresAt.Before(w.clock.Now()))
			require.NoError(t, w.auth.Alive(t.Context(), s))
			end(w, pair, s)
			require.ErrorIs(t, w.auth.Alive(t.Context(), s), fiberjwt.ErrTokenRevoked)
		})
	}
}

// An outage must not end WebSockets: the error is not ErrTokenRevoked.
func TestAliveReturnsErrUnavailableIfStoreFails(t *testing.T) {
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	s := w.sessionOf(w.enter("users", 1).Access)
	f.set(refusedDial, false, "")
	require.ErrorIs(t, w.auth.Alive(t.Context(), s), fiberjwt.ErrUnavailable)
	f.over()
	require.NoError(t, w.auth.Alive(t.Context(), s))

	require.ErrorIs(t, w.auth.Alive(t.Context(), nil), fiberjwt.ErrSetup)
	require.ErrorIs(t, w.auth.Alive(t.Context(), &fiberjwt.Session{Kind: "pupils"}), fiberjwt.ErrSetup)
	require.ErrorIs(t, newVerifier(t).auth.Alive(t.Context(), s), fiberjwt.ErrSetup)
}

// Tokens of other issuers and of the previous system have no session, so Alive holds until they expire.
func TestAliveOfSessionlessTokenEndsWithToken(t *testing.T) {
	var asked string
	f := newFederation(t, func(cfg *fiberjwt.Config) {
		entity := cfg.Entities[0].(fiberjwt.Entity[User])
		find := entity.FromIssuer
		entity.FromIssuer = func(ctx context.Context, s *fiberjwt.Session) (*User, error) {
			asked = s.Subject
			return find(ctx, s)
		}
		cfg.Entities[0] = entity
	})
	old := newMovedWorld(t, legacy.Tokens{Kind: "users"}, func(cfg *fiberjwt.Config) {
		entity := cfg.Entities[0].(fiberjwt.Entity[User])
		entity.Allow = func(_ context.Context, u *User) error {
			if u.Disabled {
				return errors.New("disabled")
			}
			return nil
		}
		cfg.Entities[0] = entity
	})
	for name, test := range map[string]struct {
		w     *world
		token string
	}{
		"another issuer":      {f.world, f.token()},
		"the previous system": {old, oldToken(fmt.Sprintf(`{"sub":"1","exp":%d}`, old.unixIn(time.Hour)))},
	} {
		t.Run(name, func(t *testing.T) {
			w := test.w
			s := w.sessionOf(test.token)
			require.NoError(t, w.auth.Alive(t.Context(), s))
			require.NoError(t, w.auth.Alive(t.Context(), s), "a second call must give the same result: Alive must not change s")
			w.sql("UPDATE users SET disabled = true")
			require.ErrorIs(t, w.auth.Alive(t.Context(), s), fiberjwt.ErrTokenRevoked)
			w.sql("UPDATE users SET disabled = false")
			w.clock.Advance(25 * time.Hour)
			require.ErrorIs(t, w.auth.Alive(t.Context(), s), fiberjwt.ErrTokenExpired)
		})
	}
	require.Equal(t, "auth0|1", asked, "the hook must get the subject of the token, not the primary key")
}
