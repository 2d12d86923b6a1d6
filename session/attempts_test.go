package session_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/session"
)

// anAttempt is on an account and from an address of its own.
func anAttempt(number uint32) session.Attempt {
	account, address := make([]byte, 32), make([]byte, 32)
	binary.BigEndian.PutUint32(account, 2*number)
	binary.BigEndian.PutUint32(address, 2*number+1)
	return session.Attempt{
		Account: session.Counter{Key: account, Limit: session.Limit{Free: 5, Fade: time.Hour}},
		Address: session.Counter{Key: address, Limit: session.Limit{Free: 50, Fade: time.Minute}},
	}
}

func TestFailuresAddUpFadeAndNeverWaitTooLong(t *testing.T) {
	const second, hour = int64(1000), int64(3600_000)
	limit := session.Limit{Free: 5, Fade: time.Hour}
	after := func(n int, at int64) (f session.Failures) {
		for range n {
			f = limit.Charge(f, at)
		}
		return f
	}
	for name, test := range map[string]struct {
		failures session.Failures
		now      int64
		wait     int64
	}{
		"none":                        {session.Failures{}, base, 0},
		"four are free":               {after(4, base), base, 0},
		"after the fifth":             {after(5, base), base, second},
		"the last moment":             {after(5, base), base + 999, 1},
		"the end of the wait":         {after(5, base), base + 1000, 0},
		"after the eighth":            {after(8, base), base, 8 * second},
		"after very many":             {after(500, base), base, 900 * second},
		"one has faded":               {limit.Charge(after(4, base), base+hour), base + hour, 0},
		"nearly one has":              {limit.Charge(after(4, base), base+hour-5*second-1), base + hour - 5*second - 1, second},
		"four, by another clock":      {limit.Charge(after(3, base), base-5*second), base, 0},
		"taken back":                  {limit.Refund(after(5, base)), base, 0},
		"taken back, but not as many": {limit.Charge(limit.Refund(after(5, base)), base), base, second},
		"the clock was put back":      {after(500, base), base - 1, 0},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.wait, test.failures.Wait(test.now)) })
	}
	require.Equal(t, base+15*hour, after(500, base).Clear, "no more are counted than there are waits for")
}

func TestPruneForgetsFailuresThatHaveFadedAndNoOthers(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "sessions.db"))
	store := session.NewSQL(db)
	const many, hour = 2500, int64(3600_000) // more than two pages
	_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO fiberjwt_attempts SELECT randomblob(32), ? + CASE i % 100 WHEN 0 THEN 2 ELSE 1 END * ?, 0 FROM n`, many-1, base, hour)
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
	require.EqualValues(t, many-many/100, deleted, "those with two failures have one left")
	require.EqualValues(t, many/100, countAttempts(t, db))
}

func countAttempts(t *testing.T, db *bun.DB) int64 {
	t.Helper()
	n, err := db.NewSelect().Table("fiberjwt_attempts").Count(t.Context())
	require.NoError(t, err)
	return n
}

// pages counts the SELECTs of attempts, and calls each with their number.
type pages struct {
	n    int
	each func(n int)
}

func (p *pages) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if strings.HasPrefix(event.Query, "SELECT") && strings.Contains(event.Query, "fiberjwt_attempts") {
		p.n++
		p.each(p.n)
	}
	return ctx
}

func (*pages) AfterQuery(context.Context, *bun.QueryEvent) {}

func TestPruneTakesBitesAndGoesOnWhereItWasStopped(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "sessions.db"))
	require.NoError(t, session.Migrate(t.Context(), db))
	// 1,500 that wait, then 700 that have faded: pages of 500.
	_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2200)
		INSERT INTO fiberjwt_attempts SELECT CAST(printf('%032d', i) AS BLOB), CASE WHEN i <= 1500 THEN ? ELSE ? END, 0 FROM n`, base+1, base)
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
	require.Equal(t, 3+4, seen.n, "two pages, the one that failed, that and the two last again, and the end")
	require.EqualValues(t, 1500, countAttempts(t, db))
}
