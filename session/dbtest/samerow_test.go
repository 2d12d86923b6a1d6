package dbtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// member signs in without a password. The database returns its values padded, with
// another precision, or NULL.
type member struct {
	bun.BaseModel `bun:"table:members"`
	ID            int64     `bun:",pk,autoincrement"`
	Code          string    `bun:",unique,type:char(20)"`
	Joined        time.Time `bun:",unique:joined"`
	Email         *string   `bun:",unique:joined,type:varchar(100)"`
}

// A new row has the key of a deleted row.
func TestReusedKeyEndsOldTokensOnEveryServer(t *testing.T) {
	for name, open := range map[string]func(*testing.T, ...string) server{"postgres": postgres, "maria": maria} {
		t.Run(name, func(t *testing.T) {
			ctx, db := t.Context(), open(t)(t)
			migrate(t, db, (*member)(nil))
			auth, err := fiberjwt.Open(fiberjwt.Config{
				DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[member]{Password: "-"}},
				ReadTimeout: time.Minute, WriteTimeout: time.Minute,
			})
			require.NoError(t, err)
			joined := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			enter := func(code string) string {
				m := &member{ID: 7, Code: code, Joined: joined}
				_, err := db.NewInsert().Model(m).Exec(ctx)
				require.NoError(t, err)
				tokens, err := auth.Issue(ctx, m)
				require.NoError(t, err)
				_, err = auth.Verify(ctx, tokens.AccessToken)
				require.NoError(t, err)
				return tokens.AccessToken
			}
			ann := enter("ann")
			_, err = db.NewDelete().Model((*member)(nil)).Where("id = 7").Exec(ctx)
			require.NoError(t, err)
			bob := enter("bob")
			_, err = auth.Verify(ctx, ann)
			require.ErrorIs(t, err, fiberjwt.ErrTokenRevoked)
			_, err = auth.Verify(ctx, bob)
			require.NoError(t, err)
		})
	}
}

type chief person

// A new password ends the sessions of the row for every kind, in the transaction that
// stores it.
func TestNewPasswordEndsEveryKindOnServers(t *testing.T) {
	for name, open := range map[string]func(*testing.T, ...string) server{"postgres": postgres, "maria": maria} {
		t.Run(name, func(t *testing.T) {
			ctx, db := t.Context(), open(t)(t)
			migrate(t, db, (*person)(nil))
			app := fiber.New()
			auth, err := fiberjwt.Open(fiberjwt.Config{
				DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: app.Group("/auth"), ReadTimeout: time.Minute, WriteTimeout: time.Minute,
				Entities: []fiberjwt.AnyEntity{
					fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]},
					fiberjwt.Entity[chief]{Name: "chiefs", Allow: func(_ context.Context, c *chief) error {
						if c.ID != 1 {
							return errors.New("not account 1")
						}
						return nil
					}},
				},
			})
			require.NoError(t, err)
			s := &service{app: app}
			status, _ := s.post(t, "/auth/people/register", `{"email":"ann@example.com","password":"correct horse battery"}`)
			require.Equal(t, 201, status)
			row := &chief{}
			require.NoError(t, db.NewSelect().Model(row).Where("id = 1").Scan(ctx))
			held, err := auth.Issue(ctx, row)
			require.NoError(t, err)
			account := person(*row)
			link, err := fiberjwt.ResetToken(auth, &account, 0)
			require.NoError(t, err)
			_, err = fiberjwt.ResetPassword[person](ctx, auth, link, "another horse battery")
			require.NoError(t, err)
			_, err = auth.Verify(ctx, held.AccessToken)
			require.ErrorIs(t, err, fiberjwt.ErrTokenRevoked)
		})
	}
}
