// Code generated from ../../../test/api/register_rollback_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// Upserted is a model whose hook turns an insert into an upsert.
type Upserted struct {
	bun.BaseModel `bun:"table:upserted"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

func (*Upserted) BeforeInsert(_ context.Context, query *bun.InsertQuery) error {
	query.On("CONFLICT (email) DO UPDATE").Set("email = EXCLUDED.email")
	return nil
}

func TestRegisterNeverChangesAnotherAccount(t *testing.T) {
	for _, store := range []string{"the accounts' database", "a separate store"} {
		t.Run(store, func(t *testing.T) {
			w := newWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Upserted]{Register: fiberjwt.Anyone[Upserted]})
				if store == "a separate store" {
					cfg.Store = newMemory()
				}
			})
			_, err := w.db.NewCreateTable().Model((*Upserted)(nil)).Exec(t.Context())
			require.NoError(t, err)
			ann := credentials("users", "ann@example.com", testPassword)
			require.Equal(t, 201, w.do("POST", "/auth/upserted/register", ann).Status)
			before := w.text("SELECT password_hash FROM upserted")

			a := w.do("POST", "/auth/upserted/register", credentials("users", "ann@example.com", newPassword))
			requireRefusal(t, a, 500, "server_error")
			require.Equal(t, before, w.text("SELECT password_hash FROM upserted"))
			require.Contains(t, w.log.String(), "an upsert of a hook writes to the row of another account")
			require.ErrorIs(t, fiberjwt.Create(t.Context(), w.auth, &Upserted{Email: "ann@example.com"}, newPassword), fiberjwt.ErrSetup)
			require.Equal(t, before, w.text("SELECT password_hash FROM upserted"))
			require.Equal(t, 200, w.do("POST", "/auth/upserted/login", ann).Status)
		})
	}
}

// If Allow cannot decide, the row is deleted, unless its password was changed meanwhile.
func TestUndoOfRegisterKeepsLaterPassword(t *testing.T) {
	var db *bun.DB
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		db = cfg.DB
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(ctx context.Context, u *User) error {
			if _, err := db.NewUpdate().Model(u).Set("password_hash = ?", hashOfTestPassword).WherePK().Exec(ctx); err != nil {
				return err
			}
			if err := db.NewSelect().Model(u).WherePK().Scan(ctx); err != nil {
				return err
			}
			return fmt.Errorf("marker: %w", fiberjwt.ErrUnavailable)
		}}
	})
	requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", newPassword)), 503, "temporarily_unavailable")
	require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users"))
}
