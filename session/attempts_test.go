package session_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/session"
)

func TestPruneRemovesOnlyExpiredRecords(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "sessions.db"))
	store := session.NewSQL(db)
	const many, hour = 2500, int64(3600_000) // more than two pages
	_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO fiberjwt_throttle SELECT randomblob(32), 1, 0, ? + CASE i % 100 WHEN 0 THEN 2 ELSE 1 END * ?, x'' FROM n`, many-1, base, hour)
	require.NoError(t, err)
	require.EqualValues(t, many, countAttempts(t, db))
	deleted, err := store.Prune(t.Context(), base+hour-1)
	require.NoError(t, err)
	require.Zero(t, deleted)
	deleted = 0
	for n := int64(1); n > 0; deleted += n {
		n, err = store.Prune(t.Context(), base+hour)
		require.NoError(t, err)
	}
	require.EqualValues(t, many-many/100, deleted, "records that expire later were deleted")
	require.EqualValues(t, many/100, countAttempts(t, db))
}

func countAttempts(t *testing.T, db *bun.DB) int64 {
	t.Helper()
	n, err := db.NewSelect().Table("fiberjwt_throttle").Count(t.Context())
	require.NoError(t, err)
	return n
}

// pages counts the SELECTs of attempts, and calls each with their number.
type pages struct {
	n    int
	each func(n int)
}

func (p *pages) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if strings.HasPrefix(event.Query, "SELECT") && strings.Contains(event.Query, "fiberjwt_throttle") {
		p.n++
		p.each(p.n)
	}
	return ctx
}

func (*pages) AfterQuery(context.Context, *bun.QueryEvent) {}

func TestPruneResumesWhereItWasStopped(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "sessions.db"))
	require.NoError(t, session.Migrate(t.Context(), db))
	// 1,500 valid records, then 700 expired ones, in pages of 500.
	_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2200)
		INSERT INTO fiberjwt_throttle SELECT CAST(printf('%032d', i) AS BLOB), 1, 0, CASE WHEN i <= 1500 THEN ? ELSE ? END, x'' FROM n`, base+1, base)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	seen := &pages{each: func(n int) {
		if n == 3 {
			cancel() // the deadline, in the middle of the walk
		}
	}}
	store := session.NewSQL(db.WithQueryHook(seen))
	_, err = store.Prune(ctx, base)
	require.ErrorIs(t, err, context.Canceled)
	for _, want := range []int64{500, 200, 0} {
		deleted, err := store.Prune(t.Context(), base)
		require.NoError(t, err)
		require.Equal(t, want, deleted)
	}
	require.Equal(t, 3+4, seen.n, "two pages and the one that failed, then that one again, the last two, and the end")
	require.EqualValues(t, 1500, countAttempts(t, db))
}
