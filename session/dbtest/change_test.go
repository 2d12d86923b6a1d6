package dbtest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// A change of the password waits for a login with the old password that has not
// committed. Then it must see the session of the login, at any isolation level.
func TestPasswordChangeEndsPendingLoginOnPostgres(t *testing.T) {
	for _, level := range []string{"read committed", "repeatable read"} {
		t.Run(level, func(t *testing.T) {
			ctx := t.Context()
			db := postgres(t, "default_transaction_isolation", level)(t)
			migrate(t, db, (*person)(nil))
			s := newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]})
			status, answer := s.post(t, "/auth/people/register", `{"email":"ann@example.com","password":"correct horse battery"}`)
			require.Equal(t, 201, status)
			var ann struct {
				Token string `json:"access_token"`
			}
			require.NoError(t, json.Unmarshal([]byte(answer), &ann))

			login, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			defer func() { _ = login.Rollback() }()
			now := time.Now().UnixMilli()
			row := session.Row{SID: make([]byte, 16), Kind: "people", Subject: "1", Prev: -1, Issued: now, IdleUntil: now + 60_000, Ends: now + 60_000, Created: now}
			created, err := session.NewSQL(db).CreateFor(ctx, login, row, db.NewSelect().Model((*person)(nil)).Where("id = 1"))
			require.NoError(t, err)
			require.True(t, created)

			change := make(chan int, 1)
			go func() {
				status, _ := s.post(t, "/auth/people/password", `{"current_password":"correct horse battery","password":"another horse battery"}`, "Authorization", "Bearer "+ann.Token)
				change <- status
			}()
			require.Eventually(t, func() bool {
				var waiting bool
				require.NoError(t, db.NewRaw("SELECT EXISTS (SELECT 1 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted AND a.query LIKE 'UPDATE \"people\"%')").Scan(ctx, &waiting))
				return waiting || len(change) > 0
			}, time.Minute, 10*time.Millisecond)
			require.Empty(t, change, "the change did not wait")
			require.NoError(t, login.Commit())
			require.Equal(t, 204, <-change)
			kept, found, err := session.NewSQL(db).Find(ctx, "people", row.SID)
			require.NoError(t, err)
			require.True(t, found)
			require.NotZero(t, kept.Revoked, "a session with the old password survived")
		})
	}
}
