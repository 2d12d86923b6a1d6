package accounts_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/session"
)

// BenchmarkLoadAlive compares the SELECT of a request with the same statement prepared by
// hand.
func BenchmarkLoadAlive(b *testing.B) {
	db := newDB(b, (*User)(nil))
	require.NoError(b, session.Migrate(b.Context(), db))
	kind := open[User](b, db, accounts.Declaration{})
	account := User{Email: "mia@example.com", PasswordHash: hash}
	_, err := db.NewInsert().Model(&account).Exec(b.Context())
	require.NoError(b, err)
	now := time.Now().UnixMilli()
	sid := []byte("0123456789abcdef")
	row := session.Row{SID: sid, Kind: kind.Name, Subject: "1", IdleUntil: now + 1e6, Ends: now + 1e6, Issued: now, AuthTime: now, Created: now, Prev: -1}
	require.NoError(b, session.NewSQL(db).Create(b.Context(), row))

	b.Run("LoadAlive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			found, err := kind.LoadAlive(ctx, "1", sid, now)
			cancel()
			if err != nil || found.(*User).Email != account.Email {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("by hand", func(b *testing.B) {
		stmt, err := db.DB.Prepare("SELECT u.id, u.email, u.name, u.admin, u.password_hash FROM users AS u WHERE u.id = ? AND EXISTS" +
			" (SELECT 1 FROM fiberjwt_sessions AS s WHERE s.sid = ? AND s.kind = ? AND s.subject = ? AND s.revoked IS NULL AND s.idle_until > ? AND s.ends > ?)")
		require.NoError(b, err)
		defer func() { require.NoError(b, stmt.Close()) }()
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			var user User
			var name *string
			err := stmt.QueryRowContext(ctx, 1, sid, kind.Name, "1", now, now).Scan(&user.ID, &user.Email, &name, &user.Admin, &user.PasswordHash)
			cancel()
			if err != nil || user.Email != account.Email {
				b.Fatal(user, err)
			}
		}
	})
}
