package dbtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/session"
)

// A login with the old password runs during a change that has ended the sessions but has
// not committed. It must wait, and then find no account with that password.
func TestLoginWaitsForPasswordChangeOnPostgres(t *testing.T) {
	for _, level := range []string{"read committed", "repeatable read"} {
		t.Run(level, func(t *testing.T) {
			db := postgres(t, "default_transaction_isolation", level)(t)
			testLoginWaits(t, db, "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%fiberjwt_login_people%')")
		})
	}
}

func TestLoginWaitsForPasswordChangeOnMariaDB(t *testing.T) {
	for _, level := range []string{"READ-COMMITTED", "REPEATABLE-READ"} {
		t.Run(level, func(t *testing.T) {
			db := maria(t, "tx_isolation", level)(t)
			testLoginWaits(t, db, "SELECT EXISTS (SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%fiberjwt_login_people%')")
		})
	}
}

func TestLoginWaitsForPasswordChangeOnMySQL(t *testing.T) {
	for _, level := range []string{"READ-COMMITTED", "REPEATABLE-READ"} {
		t.Run(level, func(t *testing.T) {
			db := mySQL(t, "transaction_isolation", level)(t)
			testLoginWaits(t, db, "SELECT EXISTS (SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%fiberjwt_login_people%')")
		})
	}
}

// testLoginWaits needs a query that reports whether a statement on fiberjwt_login_people
// waits for a lock.
func testLoginWaits(t *testing.T, db *bun.DB, waits string) {
	ctx := t.Context()
	require.NoError(t, session.Migrate(ctx, db))
	for _, statement := range []string{
		"CREATE TABLE fiberjwt_login_people (id INT PRIMARY KEY, hash VARCHAR(20))", "INSERT INTO fiberjwt_login_people VALUES (1, 'old')",
	} {
		_, err := db.ExecContext(ctx, statement)
		require.NoError(t, err)
	}
	store, now := session.NewSQL(db), time.Now().UnixMilli()
	row := session.Row{SID: make([]byte, 16), Kind: "users", Subject: "1", Prev: -1, Issued: now, IdleUntil: now + 60_000, Ends: now + 60_000, Created: now}

	change, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = change.Rollback() }()
	_, err = change.ExecContext(ctx, "UPDATE fiberjwt_login_people SET hash = 'new' WHERE id = 1")
	require.NoError(t, err)
	require.NoError(t, store.KeepOnly(ctx, change, "users", "1", nil, now))

	type outcome struct {
		created bool
		err     error
	}
	login := make(chan outcome, 1)
	go func() {
		account := db.NewSelect().TableExpr("fiberjwt_login_people AS p").Where("p.id = 1 AND p.hash = 'old'")
		created, err := store.CreateFor(ctx, db, row, account)
		login <- outcome{created, err}
	}()
	require.Eventually(t, func() bool {
		var waiting bool
		require.NoError(t, db.NewRaw(waits).Scan(ctx, &waiting))
		return waiting || len(login) > 0
	}, time.Minute, 150*time.Millisecond) // innodb_trx is not updated while it is queried more often
	require.NoError(t, change.Commit())
	require.Equal(t, outcome{false, nil}, <-login, "a session was created with the old password")
	_, found, err := store.Find(ctx, "users", row.SID)
	require.NoError(t, err)
	require.False(t, found)
}
