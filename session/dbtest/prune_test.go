package dbtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// D4: nobody has to call Prune.

func TestSignInPrunesInBackgroundOnPostgres(t *testing.T) { testPruning(t, postgres(t)(t)) }

func TestSignInPrunesInBackgroundOnMariaDB(t *testing.T) { testPruning(t, maria(t)(t)) }

func testPruning(t *testing.T, db *bun.DB) {
	ctx := t.Context()
	require.NoError(t, fiberjwt.Migrate(ctx, db))
	_, err := db.NewCreateTable().Model((*person)(nil)).Exec(ctx)
	require.NoError(t, err)
	s := newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}, func(cfg *fiberjwt.Config) { cfg.ManualPrune = false })
	status, answer := s.post(t, "/auth/people/register", `{"email":"ann@example.com","password":"correct horse battery"}`)
	require.Equal(t, 201, status, answer)
	_, err = db.ExecContext(ctx, "UPDATE fiberjwt_sessions SET ends = 1")
	require.NoError(t, err)

	s.later = 40 * 24 * time.Hour // the records of the registration fade, too
	status, _ = s.post(t, "/auth/people/login", `{"email":"nobody@example.com","password":"correct horse battery"}`)
	require.Equal(t, 401, status)
	count := func(table string) (n int) {
		require.NoError(t, db.NewSelect().ColumnExpr("count(*)").Table(table).Scan(ctx, &n))
		return n
	}
	require.Eventually(t, func() bool { return count("fiberjwt_sessions") == 0 }, time.Minute, 10*time.Millisecond)
}
