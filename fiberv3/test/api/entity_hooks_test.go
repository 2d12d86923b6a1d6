// Code generated from ../../../test/api/entity_hooks_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

func TestStoreFailureInAllowHookGets503(t *testing.T) {
	var failure error
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(context.Context, *User) error { return failure }}
	})
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled, sql.ErrConnDone} {
		failure = fmt.Errorf("query roles: %w", cause)
		for name, a := range map[string]answer{
			"a request":      w.get("/users/me", pair.Access),
			"a public route": w.get("/open", pair.Access),
			"refresh":        w.refresh("users", pair.Refresh),
			"login":          w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)),
		} {
			requireRefusal(t, a, 503, "temporarily_unavailable", cause, name)
			require.NotEmpty(t, a.Header.Get("Retry-After"), name)
			require.NotContains(t, a.Body, "roles", name)
		}
	}
	require.Contains(t, w.log.String(), "query roles")
	a := w.do("POST", "/auth/users/register", credentials("users", "bob@example.com", testPassword))
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.Equal(t, 1, w.count("users"), "an account that Allow cannot decide about must not be stored")
	failure = nil
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
}

func TestRefusedAccountIsRegisteredButNotSignedIn(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: func(_ fiber.Ctx, u *User) error { u.Disabled = true; return nil }, // until the user confirms the address
			Allow:    notDisabled,
		}
	})
	for i, transport := range []string{"body", "cookie"} {
		identity := transport + "@example.com"
		body := strings.TrimSuffix(credentials("users", identity, testPassword), "}") + `,"transport":"` + transport + `"}`
		a := w.do("POST", "/auth/users/register", body)
		require.Equal(t, 201, a.Status, a.Body)
		require.Equal(t, []string{"entity"}, keysOf(a.JSON(t)))
		require.Equal(t, identity, a.JSON(t)["entity"].(map[string]any)["email"])
		require.Empty(t, a.Header.Values("Set-Cookie"))
		require.Equal(t, i+1, w.count("users"))
		require.Empty(t, w.sessions("users", strconv.Itoa(i+1)))
	}
	requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "body@example.com", testPassword)), 401, "invalid_credentials")
	w.sql(`UPDATE users SET disabled = false`)
	w.login("users", "body@example.com")
}

func TestStoreFailureInRegisterHookGets503(t *testing.T) {
	for _, cause := range []error{context.DeadlineExceeded, sql.ErrConnDone} {
		w := newWorld(t, func(cfg *fiberjwt.Config) {
			cfg.Entities[0] = fiberjwt.Entity[User]{Register: func(fiber.Ctx, *User) error { return fmt.Errorf("query invitations: %w", cause) }}
		})
		requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword)), 503, "temporarily_unavailable", cause)
	}
}

func TestAllowHookFindsNewAccountInDatabase(t *testing.T) {
	for name, connections := range map[string]int{"a pool": 0, "one connection": 1} {
		t.Run(name, func(t *testing.T) {
			var w *world
			w = newWorld(t, func(cfg *fiberjwt.Config) {
				cfg.WriteTimeout = 30 * time.Second
				cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(ctx context.Context, u *User) error {
					found, err := w.db.NewSelect().Model((*User)(nil)).Where("id = ? AND NOT disabled", u.ID).Exists(ctx)
					if err == nil && !found {
						err = errors.New("disabled")
					}
					return err
				}}
			})
			w.db.SetMaxOpenConns(connections)
			require.NotEmpty(t, w.register("users", "ann@example.com").Access, "Allow did not find the new account, so it was not signed in")
		})
	}
}
