// Code generated from ../../../test/api/sessions_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

func TestRevokeEndsOneSessionAndRevokeAllEndsAll(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("bob@example.com")
	w.addTeacher("ann")
	one, two, bob, teacher := w.enter("users", 1), w.enter("users", 1), w.enter("users", 2), w.enter("teachers", 1)
	s, err := w.auth.Verify(t.Context(), one.Access)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, w.auth.Revoke(t.Context(), s.ID))
	}
	require.Equal(t, 401, w.get("/users/me", one.Access).Status)
	require.Equal(t, 200, w.get("/users/me", two.Access).Status)
	for _, id := range []string{"", "x", strings.Repeat("A", 22), s.ID + "A", "' OR 1=1", strings.Repeat("A", 10_000)} {
		require.NoError(t, w.auth.Revoke(t.Context(), id), "%q", id)
	}
	require.Equal(t, 200, w.get("/users/me", two.Access).Status)

	require.NoError(t, fiberjwt.RevokeAll(t.Context(), w.auth, &User{ID: 7}), "RevokeAll must accept an account without sessions")
	for _, account := range []*User{nil, {}} {
		require.ErrorIs(t, fiberjwt.RevokeAll(t.Context(), w.auth, account), fiberjwt.ErrSetup, "%v", account)
		_, err := fiberjwt.Sessions(t.Context(), w.auth, account)
		require.ErrorIs(t, err, fiberjwt.ErrSetup, "%v", account)
	}
	require.Equal(t, 200, w.get("/users/me", two.Access).Status)
	for range 2 {
		require.NoError(t, fiberjwt.RevokeAll(t.Context(), w.auth, &User{ID: 1}))
	}
	require.Equal(t, 401, w.get("/users/me", two.Access).Status)
	require.Equal(t, 200, w.get("/users/me", bob.Access).Status)
	require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status)
}

func TestUnknownKindGetsErrSetup(t *testing.T) {
	w := quickWorld(t)
	_, err := fiberjwt.Sessions(t.Context(), w.auth, &world{})
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.ErrorContains(t, err, "api_test.world is not a model in Config.Entities")
	require.ErrorIs(t, fiberjwt.RevokeAll(t.Context(), w.auth, &world{}), fiberjwt.ErrSetup)
}

func TestSessionCallsWithoutStoreGetErrSetup(t *testing.T) {
	auth, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret)})
	require.NoError(t, err)
	_, err = fiberjwt.Sessions(t.Context(), auth, &User{ID: 1})
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	_, err = auth.Prune(t.Context())
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.ErrorIs(t, auth.Revoke(t.Context(), strings.Repeat("A", 22)), fiberjwt.ErrSetup)
	require.ErrorIs(t, fiberjwt.RevokeAll(t.Context(), auth, &User{ID: 1}), fiberjwt.ErrSetup)
	require.NoError(t, auth.Close())
	require.NoError(t, auth.Close())
}

func TestSessionsReturnsAtMost100NewestFirst(t *testing.T) {
	w := quickWorld(t)
	now := w.clock.Now().UnixMilli()
	w.sql(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 130)
		INSERT INTO fiberjwt_sessions SELECT randomblob(16), 'users', '1', 0, -1, %[1]d + i, %[1]d + 60000, %[1]d + 50000, NULL, 0, %[1]d - i * 1000, '10.0.0.1', 'x' FROM n`, now))
	infos, err := fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 1})
	require.NoError(t, err)
	require.Len(t, infos, 100)
	for i, info := range infos {
		require.Equal(t, w.clock.Now().Add(-time.Duration(i+1)*time.Second), info.Created)
		require.Equal(t, w.clock.Now().Add(50*time.Second), info.Expires, "Expires must be the earlier of the two deadlines")
		require.Equal(t, time.UTC, info.Created.Location())
	}
	none, err := fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 2})
	require.NoError(t, err)
	require.Empty(t, none)
	require.NotNil(t, none, "the list must not be nil: its JSON is [], not null")
	w.clock.Advance(50 * time.Second)
	none, err = fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 1})
	require.NoError(t, err)
	require.Empty(t, none)
}
