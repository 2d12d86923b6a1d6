// Package dbtest tests the library on database servers. It is a separate module so that
// applications do not depend on the drivers.
package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberjwttest"
	"github.com/fiberjwt/fiberjwt/session"
)

func TestPostgresPassesTheStoreSuite(t *testing.T) { testStore(t, postgres(t)) }

func TestMariaDBPassesTheStoreSuite(t *testing.T) { testStore(t, maria(t)) }

func TestMySQLPassesTheStoreSuite(t *testing.T) { testStore(t, mySQL(t)) }

func testStore(t *testing.T, open server) {
	require.NoError(t, session.Migrate(t.Context(), open(t)))
	fiberjwttest.TestStore(t, func(t *testing.T) session.Store {
		db := open(t)
		db.SetMaxOpenConns(20)
		return session.NewSQL(db)
	})
}
