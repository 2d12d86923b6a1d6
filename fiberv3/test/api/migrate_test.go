// Code generated from ../../../test/api/migrate_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

func TestMigrateIsIdempotent(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	schema := `SELECT group_concat(sql, ';') FROM sqlite_master WHERE name LIKE 'fiberjwt%' ORDER BY name`
	before := w.text(schema)
	require.NoError(t, fiberjwt.Migrate(t.Context(), w.db))
	require.NoError(t, fiberjwt.Migrate(t.Context(), w.db))
	require.Equal(t, before, w.text(schema))
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

func TestMigrateReportsCause(t *testing.T) {
	db := newDB(t)
	require.NoError(t, db.Close())
	require.ErrorContains(t, fiberjwt.Migrate(t.Context(), db), "fiberjwt_sessions")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, fiberjwt.Migrate(ctx, newDB(t)), context.Canceled)
}
