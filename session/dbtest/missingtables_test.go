package dbtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

func TestMissingMigrateIsLoggedOnPostgres(t *testing.T) {
	testMissingMigrate(t, postgres(t)(t))
}

func TestMissingMigrateIsLoggedOnMariaDB(t *testing.T) {
	testMissingMigrate(t, maria(t)(t))
}

func TestMissingMigrateIsLoggedOnMySQL(t *testing.T) {
	testMissingMigrate(t, mySQL(t)(t))
}

// testMissingMigrate needs a database without tables.
func testMissingMigrate(t *testing.T, db *bun.DB) {
	s := newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]})
	register := func() string {
		s.log.Reset()
		status, _ := s.post(t, "/auth/people/register", `{"email":"ann@example.com","password":"correct horse battery"}`)
		require.Equal(t, 503, status)
		require.Equal(t, 1, strings.Count(s.log.String(), "\n"), s.log.String())
		return s.log.String()
	}
	require.Contains(t, register(), "call fiberjwt.Migrate(ctx, db) at every start")
	require.NoError(t, fiberjwt.Migrate(t.Context(), db))
	require.Contains(t, register(), "a table of Config.Entities is missing")
}
