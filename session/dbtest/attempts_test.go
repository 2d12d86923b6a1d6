package dbtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/session"
)

// A deleted row stays as long as an older transaction can read it. If two transactions
// insert it again, both lock it, and one of them is rolled back.
func TestJustDeletedCountersCanBeChargedOnMariaDB(t *testing.T) {
	testDeletedCounters(t, maria(t)(t))
}

func TestJustDeletedCountersCanBeChargedOnMySQL(t *testing.T) {
	testDeletedCounters(t, mySQL(t)(t))
}

// testDeletedCounters needs a database without tables.
func testDeletedCounters(t *testing.T, db *bun.DB) {
	ctx := t.Context()
	require.NoError(t, session.Migrate(ctx, db))
	old, err := db.Conn(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, old.Close()) }()
	_, err = old.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
	require.NoError(t, err)
	var rows int
	require.NoError(t, old.QueryRowContext(ctx, "SELECT count(*) FROM fiberjwt_throttle").Scan(&rows))

	store := session.NewSQL(db)
	shared := make([]byte, 32)
	_, _ = rand.Read(shared)
	for range 500 {
		_, err = db.ExecContext(ctx, "DELETE FROM fiberjwt_throttle")
		require.NoError(t, err)
		var attempts sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			attempts.Go(func() { errs[i] = countIn(ctx, store, shared, byte(i)) })
		}
		attempts.Wait()
		require.NoError(t, errors.Join(errs...))
		records, err := store.LoadAttempts(ctx, [][]byte{shared})
		require.NoError(t, err)
		require.Len(t, records[0].Value, len(errs))
	}
}

// countIn adds a byte to a shared record and, in the same swap, creates a new record.
func countIn(ctx context.Context, store *session.SQL, shared []byte, b byte) error {
	own := make([]byte, 32)
	_, _ = rand.Read(own)
	for {
		records, err := store.LoadAttempts(ctx, [][]byte{shared, own})
		if err != nil {
			return err
		}
		var swaps []session.AttemptSwap
		for i, key := range [][]byte{shared, own} {
			if !bytes.Contains(records[i].Value, []byte{b}) {
				swaps = append(swaps, session.AttemptSwap{Key: key, Old: records[i].Revision, Record: session.AttemptRecord{
					Revision: 1 + mathrand.Int64N(math.MaxInt64), Expires: time.Now().Add(time.Hour).UnixMilli(), Value: append(slices.Clone(records[i].Value), b),
				}})
			}
		}
		if len(swaps) == 0 {
			return nil
		}
		if _, err := store.SwapAttempts(ctx, swaps); err != nil {
			return err
		}
	}
}
