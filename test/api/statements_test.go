package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

func TestUnpreparedStatementsContainTheirValues(t *testing.T) {
	for unprepared, key := range map[bool]string{false: `."id" = ?1`, true: `."id" = 1`} {
		q := &queries{}
		w := newWorld(t, q.watch, func(cfg *fiberjwt.Config) { cfg.Unprepared = unprepared })
		access := w.register("users", "ann@example.com").Access
		q.reset()
		require.Equal(t, 200, w.get("/auth/users/me", access).Status)
		require.Len(t, q.seen, 1)
		require.Contains(t, q.seen[0], key)
	}
}

func TestRequestsAfterCloseStillWork(t *testing.T) {
	w := newWorld(t)
	access := w.register("users", "ann@example.com").Access
	require.Equal(t, 200, w.get("/auth/users/me", access).Status)
	require.NoError(t, w.auth.Close())
	require.Equal(t, 200, w.get("/auth/users/me", access).Status)
	w.login("users", "ann@example.com")
}
