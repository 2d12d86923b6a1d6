package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/session"
)

func TestRefreshOvertakenByLogoutIsGoneOnMySQL(t *testing.T) {
	testOvertakenRefresh(t, mySQL(t))
}

func TestRefreshOvertakenByLogoutIsGoneOnOtherDB(t *testing.T) {
	testOvertakenRefresh(t, other(t))
}

// otherDialect makes the store use its statements for databases that it does not know.
type otherDialect struct{ *sqlitedialect.Dialect }

func (otherDialect) Name() dialect.Name { return dialect.Oracle }

func other(t *testing.T) server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sessions.db")
	return func(t *testing.T) *bun.DB {
		db, err := sql.Open("sqlite3", "file:"+path+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_txlock=immediate")
		require.NoError(t, err)
		return closeLater(t, bun.NewDB(db, otherDialect{sqlitedialect.New()}))
	}
}

// before is a Bun hook that runs once, before the first UPDATE.
type before func()

func (do *before) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if *do != nil && strings.HasPrefix(event.Query, "UPDATE") {
		now := *do
		*do = nil
		now()
	}
	return ctx
}

func (*before) AfterQuery(context.Context, *bun.QueryEvent) {}

// testOvertakenRefresh commits a logout between the read and the write of a refresh.
func testOvertakenRefresh(t *testing.T, open server) {
	ctx, plain := t.Context(), open(t)
	require.NoError(t, session.Migrate(ctx, plain))
	elsewhere := session.NewSQL(plain)
	const minute = int64(60_000)
	times := session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: time.Hour}
	for would, g := range map[session.Outcome]int64{session.Rotate: 7, session.Heal: 9, session.Replace: 6, session.Reuse: 5} {
		t.Run(would.String(), func(t *testing.T) {
			now := time.Now().UnixMilli()
			row := session.Row{
				SID: []byte(rand.Text())[:16], Kind: "users", Subject: "1", Gen: 7, Prev: 6,
				Issued: now - 6*minute, IdleUntil: now + 30*minute, Ends: now + 60*minute,
			}
			_, o := session.Decide(row, g, now, times)
			require.Equal(t, would, o)
			require.NoError(t, elsewhere.Create(ctx, row))
			row.Revoked = now - 1
			logout := before(func() {
				found, err := elsewhere.Revoke(ctx, row.SID, row.Kind, row.Subject, row.Revoked)
				require.NoError(t, err)
				require.True(t, found)
			})
			after, o, err := session.NewSQL(open(t).WithQueryHook(&logout)).Refresh(ctx, row.Kind, row.SID, g, now, times)
			require.NoError(t, err)
			require.Nil(t, logout, "the logout did not run during the refresh")
			require.Equal(t, session.Gone, o)
			require.Equal(t, row, after)
			kept, _, err := elsewhere.Find(ctx, row.Kind, row.SID)
			require.NoError(t, err)
			require.Equal(t, row, kept)
		})
	}
}
