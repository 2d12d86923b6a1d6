package dbtest

import (
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/session"
)

// A row that is deleted stays for as long as an older transaction might look at
// it: two that insert it anew lock it both, and one of them is rolled back.
func TestCountersThatWereJustForgottenAreChargedOnMariaDB(t *testing.T) {
	db := maria(t)(t)
	ctx := t.Context()
	require.NoError(t, session.Migrate(ctx, db))
	old, err := db.Conn(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, old.Close()) }()
	_, err = old.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
	require.NoError(t, err)
	var rows int
	require.NoError(t, old.QueryRowContext(ctx, "SELECT count(*) FROM fiberjwt_attempts").Scan(&rows))

	store := session.NewSQL(db)
	counter := func() session.Counter {
		key := make([]byte, 32)
		_, _ = rand.Read(key)
		return session.Counter{Key: key, Limit: session.Limit{Free: 1000, Fade: time.Minute}}
	}
	address := counter()
	now := time.Now().UnixMilli()
	for range 500 {
		_, err = db.ExecContext(ctx, "DELETE FROM fiberjwt_attempts")
		require.NoError(t, err)
		var attempts sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			attempts.Go(func() {
				_, errs[i] = store.Charge(ctx, session.Attempt{Account: counter(), Address: address}, now)
			})
		}
		attempts.Wait()
		require.NoError(t, errors.Join(errs...))
		var failures int64
		require.NoError(t, db.NewRaw("SELECT (clear_at - ?) DIV 60000 FROM fiberjwt_attempts WHERE id = ?", now, address.Key).Scan(ctx, &failures))
		require.EqualValues(t, len(errs), failures)
	}
}
