//go:build unix

package redisstore_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/redisstore"
	"github.com/fiberjwt/fiberjwt/session"
)

// calls returns all methods that query Redis, called for row.
func calls(store session.Store, row session.Row) map[string]func(context.Context) error {
	now := row.Issued + 600*second
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { return store.Create(ctx, newRow(row.Kind, row.Subject)) },
		"Refresh": func(ctx context.Context) error {
			_, _, err := store.Refresh(ctx, row.Kind, row.SID, row.Gen, now, times)
			return err
		},
		"Find": func(ctx context.Context) error {
			_, _, err := store.Find(ctx, row.Kind, row.SID)
			return err
		},
		"Revoke": func(ctx context.Context) error {
			_, err := store.Revoke(ctx, row.SID, row.Kind, row.Subject, now)
			return err
		},
		"RevokeAll": func(ctx context.Context) error { return store.RevokeAll(ctx, row.Kind, row.Subject, nil, now) },
		"Prove":     func(ctx context.Context) error { return store.Prove(ctx, row.SID, now) },
		"List": func(ctx context.Context) error {
			_, err := store.List(ctx, row.Kind, row.Subject, now)
			return err
		},
	}
}

// requireErrors requires that all calls, or those named, fail before their deadline.
func requireErrors(t *testing.T, calls map[string]func(context.Context) error, names ...string) {
	t.Helper()
	if len(names) == 0 {
		for name := range calls {
			names = append(names, name)
		}
	}
	for _, name := range names {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		start := time.Now()
		require.Error(t, calls[name](ctx), name)
		// Without the context, the client would wait for a minute, and then retry.
		require.Less(t, time.Since(start), patience/2, "%s: it did not end with its context", name)
		cancel()
	}
}

// waitForServer waits until the client can reach its server again.
func (w *world) waitForServer() {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return w.client.Ping(context.Background()).Err() == nil }, patience, 10*time.Millisecond)
}

func TestStoppedRedisFailsCallsUntilRestart(t *testing.T) {
	w := newWorld(t, persistent...)
	row := w.create(newRow("users", "1"))
	w.server.kill()
	requireErrors(t, calls(w, row))
	w.server.start()
	w.waitForServer()
	require.Equal(t, row, w.find(row))
	_, o := w.refresh(row, 0, row.Created+600*second)
	require.Equal(t, session.Rotate, o)
}

func TestHangingRedisFailsCallsInTime(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	require.NoError(t, w.RevokeAll(t.Context(), "users", "2", nil, row.Created))
	process := w.server.cmd.Process
	require.NoError(t, process.Signal(syscall.SIGSTOP))
	requireErrors(t, calls(w, row))

	cancelled, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, _, err := w.Find(cancelled, "users", row.SID)
	require.ErrorIs(t, err, context.Canceled)

	require.NoError(t, process.Signal(syscall.SIGCONT))
	w.waitForServer()
	found, ok, err := w.Find(t.Context(), "users", row.SID)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, row.SID, found.SID)
}

func TestRedisHangingMidPipelineFailsListInTime(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	require.NoError(t, w.RevokeAll(t.Context(), "users", "1", nil, row.Created)) // opens a connection for pipelines
	w.client.AddHook(&freezing{w.server})
	requireErrors(t, calls(w, row), "List")
	require.NoError(t, w.server.cmd.Process.Signal(syscall.SIGCONT))
	w.waitForServer()
}

// freezing is a hook that stops the server before each pipeline.
type freezing struct{ server *server }

func (f *freezing) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (f *freezing) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (f *freezing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		_ = f.server.cmd.Process.Signal(syscall.SIGSTOP)
		return next(ctx, cmds)
	}
}

func TestReadOnlyReplicaFailsOnlyWrites(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	primary := newServer(t)
	require.NoError(t, redisstore.New(primary.client()).Create(t.Context(), row))
	host, port := "127.0.0.1", primary.addr[len("127.0.0.1:"):]
	require.NoError(t, w.client.ReplicaOf(t.Context(), host, port).Err())
	require.Eventually(t, func() bool {
		return containsAll(w.client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, patience, 10*time.Millisecond)
	requireErrors(t, calls(w, row), "Create", "Refresh", "Revoke", "RevokeAll", "Prove")
	require.Equal(t, row, w.find(row))
}

func TestFullRedisFailsOnlyWrites(t *testing.T) {
	w := newWorld(t, "--maxmemory-policy", "noeviction")
	row := w.create(newRow("users", "1"))
	require.NoError(t, w.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	requireErrors(t, calls(w, row), "Create", "Refresh", "Revoke", "RevokeAll", "Prove")
	require.Equal(t, row, w.find(row), "the session is not found any more")
	_, o := w.refresh(row, 0, row.Created)
	require.Equal(t, session.Same, o)
	require.NoError(t, w.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	_, o = w.refresh(row, 0, row.Created+600*second)
	require.Equal(t, session.Rotate, o)
}

func TestLoadingRedisFailsCalls(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	for range 1000 { // which take 30 s to load
		w.create(newRow("users", "2"))
	}
	require.NoError(t, w.client.Save(t.Context()).Err())
	w.server.kill()
	plain := w.server.args
	w.server.args = append(plain, "--key-load-delay", "30000", "--loading-process-events-interval-bytes", "1024")
	w.server.launch()
	impatient := w.server.client(func(o *redis.Options) { o.MaxRetries = -1 })
	require.Eventually(t, func() bool { return redis.IsLoadingError(impatient.Ping(context.Background()).Err()) }, patience, time.Millisecond)
	require.True(t, redis.IsLoadingError(calls(redisstore.New(impatient), row)["Find"](t.Context())))
	requireErrors(t, calls(w, row))
	w.server.kill()
	w.server.args = plain
	w.server.start()
	w.waitForServer()
	require.Equal(t, row, w.find(row))
}

func TestWrongRedisPasswordFailsCalls(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	require.NoError(t, w.client.ConfigSet(t.Context(), "requirepass", "x").Err())
	requireErrors(t, calls(redisstore.New(w.server.client()), row))
}

func TestSessionOnAnotherNodeIsAnErrorNotMissing(t *testing.T) {
	nodes := newCluster(t)
	store := redisstore.New(clusterClient(t, nodes))
	alone := redisstore.New(nodes[0].client())
	var rows []session.Row
	moved := 0
	for i := range 60 {
		row := newRow("users", strconv.Itoa(i))
		require.NoError(t, store.Create(t.Context(), row))
		rows = append(rows, row)
		_, found, err := alone.Find(t.Context(), "users", row.SID)
		require.NotEqual(t, err == nil, !found, "%v", err)
		if err != nil {
			require.ErrorContains(t, err, "MOVED")
			moved++
		}
		listed, err := alone.List(t.Context(), "users", row.Subject, row.Created)
		require.NotEqual(t, err == nil, len(listed) == 0, "%v", err)
	}
	require.NotZero(t, moved)

	nodes[1].kill()
	failed := 0
	for _, row := range rows {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, found, err := store.Find(ctx, "users", row.SID)
		require.NotEqual(t, err == nil, !found)
		listed, listErr := store.List(ctx, "users", row.Subject, row.Created)
		require.True(t, listErr != nil || len(listed) == 1)
		revokeErr := store.RevokeAll(ctx, "users", row.Subject, nil, row.Created)
		cancel()
		if err != nil {
			require.Error(t, revokeErr, "a Revoke that ended nothing reported success")
			failed++
		}
	}
	require.NotZero(t, failed)
}

func TestKill9LosesNothingWithSyncedWrites(t *testing.T) {
	w := newWorld(t, persistent...)
	row, over := w.create(newRow("users", "1")), w.create(newRow("users", "1"))
	for range 4 {
		for range 5 {
			row, _ = w.refresh(row, row.Gen, row.Issued+600*second)
		}
		_, err := w.Revoke(t.Context(), over.SID, "", "", row.Issued)
		require.NoError(t, err)
		over = w.find(over)
		w.server.kill()
		w.server.start()
		w.waitForServer()
		require.Equal(t, row, w.find(row))
		require.Equal(t, over, w.find(over))
		require.NotZero(t, over.Revoked)
	}
	require.Equal(t, row.Ends, w.client.PExpireTime(t.Context(), sessionKey(row)).Val().Milliseconds())
}

// With appendfsync everysec, Redis confirms writes that a kill -9 may lose.
func TestRefreshHealsWhatKill9Lost(t *testing.T) {
	w := newWorld(t, persistent...)
	row := w.create(newRow("users", "1"))
	for range 8 {
		require.NoError(t, w.client.ConfigSet(t.Context(), "appendfsync", "everysec").Err())
		for range 50 {
			row, _ = w.refresh(row, row.Gen, row.Issued+600*second)
		}
		w.server.kill()
		w.server.start()
		w.waitForServer()
		require.LessOrEqual(t, w.find(row).Gen, row.Gen)
		after, o := w.refresh(row, row.Gen, row.Issued+second)
		require.Contains(t, []session.Outcome{session.Same, session.Heal}, o)
		require.Equal(t, row.Gen, after.Gen)
		row = after
	}
}

func TestRefreshHealsRestoredBackup(t *testing.T) {
	w := newWorld(t, persistent...)
	row := w.create(newRow("users", "1"))
	w.server.kill()
	backup := filepath.Join(t.TempDir(), "backup")
	aof := filepath.Join(w.server.dir, "appendonlydir")
	require.NoError(t, os.CopyFS(backup, os.DirFS(aof)))
	w.server.start()
	w.waitForServer()

	now := row.Created
	for range 3 {
		now += 600 * second
		row, _ = w.refresh(row, row.Gen, now)
	}
	w.server.kill()
	require.NoError(t, os.RemoveAll(aof))
	require.NoError(t, os.CopyFS(aof, os.DirFS(backup)))
	w.server.start()
	w.waitForServer()
	require.Zero(t, w.find(row).Gen, "the backup does not have the old generation")

	healed, o := w.refresh(row, 3, now+600*second)
	require.Equal(t, session.Heal, o)
	require.EqualValues(t, 3, healed.Gen)
	_, o = w.refresh(row, 3, now+1200*second)
	require.Equal(t, session.Rotate, o, "the session does not continue normally")
	_, o = w.refresh(row, 1, now+1201*second)
	require.Equal(t, session.Reuse, o)
}

func TestRefreshHealsOldValueWrittenBack(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	old := w.client.Dump(t.Context(), sessionKey(row)).Val()
	row, _ = w.refresh(row, 0, row.Created+600*second)
	require.NoError(t, w.client.RestoreReplace(t.Context(), sessionKey(row), 90*24*time.Hour, old).Err())
	row, o := w.refresh(row, 1, row.Created+1200*second)
	require.Equal(t, session.Heal, o)
	require.EqualValues(t, 1, row.Gen)
	require.EqualValues(t, 0, row.Prev)
}

func TestRedisFlushEndsEverySession(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	require.NoError(t, w.client.FlushAll(t.Context()).Err())
	_, o := w.refresh(row, 0, row.Created)
	require.Equal(t, session.Gone, o)
	_, found, err := w.Find(t.Context(), "users", row.SID)
	require.NoError(t, err)
	require.False(t, found)
	found, err = w.Revoke(t.Context(), row.SID, "", "", row.Created)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, w.RevokeAll(t.Context(), "users", "1", nil, row.Created))
	require.NoError(t, w.Prove(t.Context(), row.SID, row.Created))
	require.Equal(t, []string{"fiberjwt:ends"}, w.keys(), "a call created a session")
}
