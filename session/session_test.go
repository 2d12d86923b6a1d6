package session_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/fiberjwttest"
	"github.com/fiberjwt/fiberjwt/session"
)

// base is the time of the rows below, in Unix milliseconds.
const base = int64(1_790_000_000_000)

var times = session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: 14 * 24 * time.Hour}

// aRow returns a living session whose generation 7 was issued at base, with parent 6.
func aRow() session.Row {
	return session.Row{
		SID: make([]byte, 16), Kind: "users", Subject: "1", Gen: 7, Prev: 6, Issued: base,
		IdleUntil: base + 14*24*3600_000, Ends: base + 90*24*3600_000, AuthTime: base, Created: base,
	}
}

func TestDecideFollowsTheTable(t *testing.T) {
	const second = int64(1000)
	for name, test := range map[string]struct {
		change func(*session.Row)
		g, age int64
		want   session.Outcome
		gen    int64
		prev   int64
	}{
		"revoked":                                  {func(r *session.Row) { r.Revoked = base }, 7, 0, session.Gone, 7, 6},
		"idle deadline reached":                    {func(r *session.Row) { r.IdleUntil = base + 5 }, 7, 5, session.Gone, 7, 6},
		"absolute deadline reached":                {func(r *session.Row) { r.Ends = base + 5 }, 7, 5, session.Gone, 7, 6},
		"newer than the row: the store lost it":    {nil, 9, 0, session.Heal, 9, 7},
		"current and young":                        {nil, 7, 300*second - 1, session.Same, 7, 6},
		"current and half an access life old":      {nil, 7, 300 * second, session.Rotate, 8, 7},
		"parent within the grace":                  {nil, 6, 30*second - 1, session.Converge, 7, 6},
		"parent at the end of the grace":           {nil, 6, 30 * second, session.Rearm, 7, 6},
		"parent at the end of rearming":            {nil, 6, 60 * second, session.Replace, 8, 6},
		"grandparent":                              {nil, 5, 0, session.Reuse, 7, -2},
		"burnt child of a replaced generation":     {func(r *session.Row) { r.Gen, r.Prev = 8, 6 }, 7, 0, session.Reuse, 8, -2},
		"the clock went back: too young to rotate": {nil, 7, -3600 * second, session.Same, 7, 6},
	} {
		t.Run(name, func(t *testing.T) {
			row := aRow()
			if test.change != nil {
				test.change(&row)
			}
			after, got := session.Decide(row, test.g, base+test.age, times)
			require.Equal(t, test.want, got)
			require.Equal(t, []int64{test.gen, test.prev}, []int64{after.Gen, after.Prev})
			require.Equal(t, row.Ends, after.Ends, "the absolute deadline moved")
			if !got.Writes() {
				require.Equal(t, row, after, "an outcome that does not write changed the row")
			}
			if got == session.Reuse {
				require.Equal(t, base+test.age, after.Revoked)
			}
			require.Equal(t, got == session.Reuse, after.Reused(), "Reused must report a reuse only")
		})
	}
}

func TestIdleDeadlineNeverExceedsAbsoluteDeadline(t *testing.T) {
	row := aRow()
	row.Ends = base + 400_000
	after, got := session.Decide(row, 7, base+300_000, times)
	require.Equal(t, session.Rotate, got)
	require.Equal(t, row.Ends, after.IdleUntil)
}

func TestSQLitePassesTheStoreSuite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	fiberjwttest.TestStore(t, func(t *testing.T) session.Store { return session.NewSQL(openSQLite(t, path)) })
}

// otherDialect is a database for which the store has no special statements.
type otherDialect struct{ *sqlitedialect.Dialect }

func (otherDialect) Name() dialect.Name { return dialect.Oracle }

func TestOtherDialectPassesTheStoreSuite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	openSQLite(t, path)
	fiberjwttest.TestStore(t, func(t *testing.T) session.Store {
		return session.NewSQL(bun.NewDB(openSQLite(t, path).DB, otherDialect{sqlitedialect.New()}))
	})
}

func openSQLite(t *testing.T, path string) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", "file:"+path+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, session.Migrate(t.Context(), db))
	return db
}
