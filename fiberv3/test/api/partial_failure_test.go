// Code generated from ../../../test/api/partial_failure_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// In these tests, hashing or one statement of several fails. No change may be half
// done, and the client must be able to try again.

// timeoutFromHeader makes the application cancel a request after the time in the
// header X-Timeout. The length of that time does not change the result of a test.
func timeoutFromHeader(cfg *fiberjwt.Config) {
	cfg.Routes = cfg.Routes.(*fiber.Group).Group("", func(c fiber.Ctx) error {
		limit, err := time.ParseDuration(c.Get("X-Timeout"))
		if err != nil {
			return c.Next()
		}
		ctx, cancel := context.WithTimeout(c.Context(), limit)
		defer cancel()
		c.SetContext(ctx)
		return c.Next()
	})
}

func TestRegisterWithoutHashingSlotStoresNothing(t *testing.T) {
	w := quickWorld(t, timeoutFromHeader)
	free := takeSlots(w.auth)
	a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword), "X-Timeout", "1s")
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.Zero(t, w.count("users"))
	require.Zero(t, w.count("fiberjwt_sessions"))

	free()
	w.register("users", "ann@example.com")
}

func TestRehashWithoutHashingSlotKeepsTheHash(t *testing.T) {
	var w *world
	var free func()
	w = quickWorld(t, timeoutFromHeader, func(cfg *fiberjwt.Config) {
		cfg.Password.Iterations = 3 // makes the stored hash weaker than new ones
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(context.Context, *User) error {
			if free == nil {
				free = takeSlots(w.auth) // Allow runs between the comparison and the new hash
			}
			return nil
		}}
	})
	w.addUser("ann@example.com")
	requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword), "X-Timeout", "10s"), 503, "temporarily_unavailable")
	require.Equal(t, hashOfTestPassword, stored[User](w).PasswordHash)
	require.Zero(t, w.count("fiberjwt_sessions"))

	free()
	w.login("users", "ann@example.com")
	require.NotEqual(t, hashOfTestPassword, stored[User](w).PasswordHash, "the next login must replace the weak hash")
}

func TestPasswordChangeWithoutHashingSlotChangesNothing(t *testing.T) {
	w := quickWorld(t, timeoutFromHeader)
	w.addUser("ann@example.com")
	pair, other := w.enter("users", 1), w.enter("users", 1)
	change := func(headers ...string) answer {
		headers = append(headers, "Authorization", "Bearer "+pair.Access)
		return w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, headers...)
	}
	free := takeSlots(w.auth)
	requireRefusal(t, change("X-Timeout", "1s"), 503, "temporarily_unavailable")
	require.Equal(t, hashOfTestPassword, stored[User](w).PasswordHash)
	require.Equal(t, 200, w.get("/users/me", other.Access).Status)

	free()
	require.Equal(t, 204, change().Status)
	requireRefusal(t, w.get("/users/me", other.Access), 401, "invalid_token")
}

func TestResetWithoutHashingSlotKeepsLinkValid(t *testing.T) {
	w := quickWorld(t)
	token, err := fiberjwt.ResetToken(w.auth, w.addUser("ann@example.com"), 0)
	require.NoError(t, err)
	free := takeSlots(w.auth)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = fiberjwt.ResetPassword[User](ctx, w.auth, token, newPassword)
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	require.Equal(t, hashOfTestPassword, stored[User](w).PasswordHash)

	free()
	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, newPassword)
	require.NoError(t, err)
}

func TestResetFailingInStoreKeepsLinkValid(t *testing.T) {
	for _, statement := range []string{"SELECT", "BEGIN", "UPDATE", "COMMIT"} {
		t.Run(statement, func(t *testing.T) {
			w, f := troubledWorld(t)
			token, err := fiberjwt.ResetToken(w.auth, w.addUser("ann@example.com"), 0)
			require.NoError(t, err)
			pair := w.enter("users", 1)
			f.set(errors.New("the disk is full"), false, statement)
			_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, newPassword)
			require.ErrorIs(t, err, fiberjwt.ErrUnavailable)

			f.over()
			require.Equal(t, hashOfTestPassword, stored[User](w).PasswordHash)
			require.Equal(t, 200, w.get("/users/me", pair.Access).Status, "a failed reset must not end sessions")
			_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, newPassword)
			require.NoError(t, err)
			requireRefusal(t, w.get("/users/me", pair.Access), 401, "invalid_token")
		})
	}
}

func TestRedeemFailingInStoreReturnsNoAccount(t *testing.T) {
	confirm := fiberjwt.Link[User]{Name: "confirm"}
	for _, statement := range []string{"SELECT", "INSERT", "UPDATE"} {
		t.Run(statement, func(t *testing.T) {
			w, f := troubledWorld(t)
			token, err := confirm.Token(w.auth, w.addUser("ann@example.com"))
			require.NoError(t, err)
			f.set(errors.New("the disk is full"), false, statement)
			account, err := confirm.Redeem(t.Context(), w.auth, token)
			require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
			require.Nil(t, account)

			f.over()
			_, err = confirm.Redeem(t.Context(), w.auth, token)
			require.NoError(t, err, "a failed Redeem must not use up the token")
			_, err = confirm.Redeem(t.Context(), w.auth, token)
			require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
		})
	}
}

func TestSessionListFailingInStoreIsUnavailable(t *testing.T) {
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	f.set(errors.New("the disk is full"), false, "ORDER BY") // only the list fails: the session of the request is found
	requireRefusal(t, w.get("/auth/users/sessions", pair.Access), 503, "temporarily_unavailable")
	infos, err := fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 1})
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	require.Empty(t, infos, "there must be no list beside the error")

	f.over()
	require.Equal(t, 1, strings.Count(w.get("/auth/users/sessions", pair.Access).Body, `"id"`))
}
