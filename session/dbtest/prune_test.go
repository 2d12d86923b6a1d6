package dbtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

func TestSignInPrunesInBackgroundOnPostgres(t *testing.T) { testPruning(t, postgres(t)(t)) }

func TestSignInPrunesInBackgroundOnMariaDB(t *testing.T) { testPruning(t, maria(t)(t)) }

func testPruning(t *testing.T, db *bun.DB) {
	ctx := t.Context()
	migrate(t, db, (*person)(nil))
	s := newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}, func(cfg *fiberjwt.Config) { cfg.ManualPrune = false })
	status, answer := s.post(t, "/auth/people/register", `{"email":"ann@example.com","password":"correct horse battery"}`)
	require.Equal(t, 201, status, answer)
	run(t, db, "UPDATE fiberjwt_sessions SET ends = 1")

	s.later = 40 * 24 * time.Hour // by then the records of the registration have expired, too
	status, _ = s.post(t, "/auth/people/login", `{"email":"unknown@example.com","password":"correct horse battery"}`)
	require.Equal(t, 401, status)
	count := func(table string) (n int) {
		require.NoError(t, db.NewSelect().ColumnExpr("count(*)").Table(table).Scan(ctx, &n))
		return n
	}
	require.Eventually(t, func() bool { return count("fiberjwt_sessions") == 0 }, time.Minute, 10*time.Millisecond)
}
