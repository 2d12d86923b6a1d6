package redisstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberjwttest"
	"github.com/fiberjwt/fiberjwt/redisstore"
	"github.com/fiberjwt/fiberjwt/session"
)

const (
	second = int64(1000)
	day    = 24 * 3600 * second
)

// times are the times of a kind with default settings.
var times = session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: 14 * 24 * time.Hour}

// newRow returns a living session of an account.
func newRow(kind, subject string) session.Row {
	now := time.Now().UnixMilli()
	sid := make([]byte, 16)
	_, _ = rand.Read(sid)
	return session.Row{
		SID: sid, Kind: kind, Subject: subject, Prev: -1, Issued: now, IdleUntil: now + 14*day, Ends: now + 90*day,
		AuthTime: now, Created: now, Address: "192.0.2.1", Agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
	}
}

// world is a store on a separate server.
type world struct {
	*redisstore.Store
	t      *testing.T
	server *server
	client *redis.Client
	hook   *hook
}

func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	w := &world{t: t, server: newServer(t, args...), hook: &hook{}}
	w.client = w.server.client()
	w.client.AddHook(w.hook)
	w.Store = redisstore.New(w.client)
	return w
}

func (w *world) create(row session.Row) session.Row {
	w.t.Helper()
	require.NoError(w.t, w.Create(w.t.Context(), row))
	return row
}

func (w *world) find(row session.Row) session.Row {
	w.t.Helper()
	found, ok, err := w.Find(w.t.Context(), row.Kind, row.SID)
	require.NoError(w.t, err)
	require.True(w.t, ok)
	return found
}

func (w *world) refresh(row session.Row, g, now int64) (session.Row, session.Outcome) {
	w.t.Helper()
	after, o, err := w.Refresh(w.t.Context(), row.Kind, row.SID, g, now, times)
	require.NoError(w.t, err)
	return after, o
}

// keys returns all keys in Redis, sorted.
func (w *world) keys() []string {
	w.t.Helper()
	keys, err := w.client.Keys(w.t.Context(), "*").Result()
	require.NoError(w.t, err)
	slices.Sort(keys)
	return keys
}

func sessionKey(row session.Row) string { return "fiberjwt:s:" + session.ID(row.SID) }

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

func TestRedisPassesTheStoreSuite(t *testing.T) {
	address := os.Getenv("FIBERJWT_REDIS")
	if address == "" {
		t.Skip("set FIBERJWT_REDIS to the address of a Redis, such as 127.0.0.1:6379, to run this test")
	}
	prefix := "fiberjwt-test-" + rand.Text() + ":"
	open := func(t *testing.T) *redis.Client {
		client := redis.NewClient(&redis.Options{Addr: address})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	cleaner := open(t)
	t.Cleanup(func() {
		for keys := cleaner.Scan(context.Background(), 0, prefix+"*", 1000).Iterator(); keys.Next(context.Background()); {
			cleaner.Unlink(context.Background(), keys.Val())
		}
	})
	fiberjwttest.TestStore(t, func(t *testing.T) session.Store {
		return redisstore.New(open(t), redisstore.WithPrefix(prefix))
	})
}

func TestFreshRedisPassesTheStoreSuite(t *testing.T) {
	server := newServer(t)
	fiberjwttest.TestStore(t, func(*testing.T) session.Store { return redisstore.New(server.client()) })
}

func TestRedisOverRESP2PassesTheStoreSuite(t *testing.T) {
	server := newServer(t)
	fiberjwttest.TestStore(t, func(*testing.T) session.Store {
		return redisstore.New(server.client(func(o *redis.Options) { o.Protocol = 2 }))
	})
}

func TestRedisClusterPassesTheStoreSuite(t *testing.T) {
	nodes := newCluster(t)
	fiberjwttest.TestStore(t, func(t *testing.T) session.Store { return redisstore.New(clusterClient(t, nodes)) })
	for _, node := range nodes {
		size, err := node.client().DBSize(t.Context()).Result()
		require.NoError(t, err)
		require.NotZero(t, size, "every node has sessions")
	}
}

func TestHashTagPrefixKeepsSessionsOnOneNode(t *testing.T) {
	nodes := newCluster(t)
	store := redisstore.New(clusterClient(t, nodes), redisstore.WithPrefix("{fiberjwt}:"))
	for i := range 50 {
		row := newRow("users", fmt.Sprint("{", i, "}"))
		require.NoError(t, store.Create(t.Context(), row))
		rows, err := store.List(t.Context(), "users", row.Subject, row.Created)
		require.NoError(t, err)
		require.Equal(t, []session.Row{row}, rows)
	}
	var sizes []int64
	for _, node := range nodes {
		sizes = append(sizes, node.client().DBSize(t.Context()).Val())
	}
	slices.Sort(sizes)
	require.Equal(t, []int64{0, 0, 100}, sizes)
}

// The suite uses random times, which seldom hit a boundary.
func TestRefreshEqualsDecideAtEveryBoundary(t *testing.T) {
	w := newWorld(t)
	for _, until := range []struct{ idle, ends int64 }{
		{14 * day, 90 * day}, {600 * second, 90 * day}, {90 * day, 600 * second}, {600 * second, 600 * second},
	} {
		for _, age := range []int64{0, times.Grace.Milliseconds(), times.Rearm.Milliseconds(), times.Age.Milliseconds(), 600 * second} {
			for now := age - 1; now <= age+1; now++ {
				for g := range int64(6) {
					row := newRow("users", "1")
					row.Gen, row.Prev = 3, 2
					row.IdleUntil, row.Ends = row.Issued+until.idle, row.Issued+until.ends
					w.create(row)
					want, wantOutcome := session.Decide(row, g, row.Issued+now, times)
					got, outcome := w.refresh(row, g, row.Issued+now)
					require.Equal(t, wantOutcome, outcome, "%+v, g %d, age %d", until, g, now)
					require.Equal(t, want, got)
					require.Equal(t, want, w.find(row))
				}
			}
		}
	}
}

func TestRepeatedCreateKeepsSessionState(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	after, _ := w.refresh(row, 0, row.Created+600*second)
	require.Equal(t, after, w.find(w.create(row)))
	_, err := w.Revoke(t.Context(), row.SID, "", "", row.Created+601*second)
	require.NoError(t, err)
	after.Revoked = row.Created + 601*second
	require.Equal(t, after, w.find(w.create(row)))
}

func TestEachCommandIsOneRoundTrip(t *testing.T) {
	w := newWorld(t)
	row, over := w.create(newRow("users", "1")), w.create(newRow("users", "1"))
	g, now := int64(-1), row.Created
	for name, command := range map[string]func(){
		"Find":                     func() { w.find(row) },
		"Refresh that writes":      func() { g++; now += 600 * second; w.refresh(row, g, now) },
		"Refresh of a lost tab":    func() { w.refresh(row, g, now) },
		"Refresh of nothing":       func() { w.refresh(newRow("users", "1"), 0, now) },
		"Revoke":                   func() { _, _ = w.Revoke(t.Context(), over.SID, "users", "1", now) },
		"Prove":                    func() { _ = w.Prove(t.Context(), row.SID, now) },
		"RevokeAll of no sessions": func() { _ = w.RevokeAll(t.Context(), "users", "2", nil, now) },
		"List of no sessions":      func() { _, _ = w.List(t.Context(), "users", "2", now) },
	} {
		command() // the first call sends the script
		w.hook.takeTrips()
		command()
		trips := w.hook.takeTrips()
		require.Len(t, trips, 1, name)
		want := "evalsha"
		if name == "Revoke" { // which also reports the end to caches, in the same pipeline
			want = "eval"
		}
		require.Equal(t, want, trips[0][0].Name(), name)
	}
}

func TestRevokeAllRevokes500SessionsPerRoundTrip(t *testing.T) {
	w := newWorld(t)
	for range 501 {
		w.create(newRow("users", "1"))
	}
	now := time.Now().UnixMilli()
	w.create(newRow("users", "2"))
	require.NoError(t, w.RevokeAll(t.Context(), "users", "2", nil, now)) // opens a connection for pipelines
	w.hook.takeTrips()
	require.NoError(t, w.RevokeAll(t.Context(), "users", "1", nil, now))
	require.Equal(t, 3, len(w.hook.takeTrips()), "one for the index, one for 500 sessions, one for the last")
	rows, err := w.List(t.Context(), "users", "1", time.Now().UnixMilli())
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestListReturnsNewest100Sessions(t *testing.T) {
	w := newWorld(t)
	var rows []session.Row
	newest := time.Now().UnixMilli()
	for i := range int64(1100) {
		row := newRow("users", "1")
		row.Created = newest - i*second
		rows = append(rows, w.create(row))
	}
	got, err := w.List(t.Context(), "users", "1", rows[0].Created)
	require.NoError(t, err)
	require.Equal(t, rows[:100], got)
}

func TestSessionKeyExpiresAtSessionEnd(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	expires := func() int64 { return w.client.PExpireTime(t.Context(), sessionKey(row)).Val().Milliseconds() }
	require.Equal(t, row.Ends, expires())
	w.refresh(row, 0, row.Created+600*second)
	require.Equal(t, row.Ends, expires(), "a refresh changed the expiry")
	require.NoError(t, w.Prove(t.Context(), row.SID, row.Created+1))
	_, err := w.Revoke(t.Context(), row.SID, "", "", row.Created+601*second)
	require.NoError(t, err)
	require.Equal(t, row.Ends, expires(), "a logout changed the expiry")

	deleted, err := w.Prune(t.Context(), row.Ends+1)
	require.NoError(t, err)
	require.Zero(t, deleted)
}

func TestIndexDropsEndedAndExpiresWithLastSession(t *testing.T) {
	w := newWorld(t)
	ctx, key := t.Context(), "fiberjwt:a:5:users:1"
	long, short := newRow("users", "1"), newRow("users", "1")
	short.Ends = short.Created + day
	for range 2 { // in both orders
		w.create(long)
		w.create(short)
		require.Equal(t, long.Ends, w.client.PExpireTime(ctx, key).Val().Milliseconds())
		require.EqualValues(t, 2, w.client.ZCard(ctx, key).Val())
		require.NoError(t, w.client.FlushAll(ctx).Err())
		long, short = short, long
		long.Ends, short.Ends = short.Ends, long.Ends
	}

	require.NoError(t, w.client.ZAdd(ctx, key, redis.Z{Score: float64(time.Now().Add(-time.Hour).UnixMilli()), Member: "0123456789abcdef"}).Err())
	w.create(short)
	require.Equal(t, []string{string(short.SID)}, w.client.ZRange(ctx, key, 0, -1).Val())

	over := newRow("teachers", "1")
	over.Ends = over.Created - day
	w.create(over)
	require.Len(t, w.keys(), 2, "a session that is over left a key")
}

func TestIndexEntryIsStoredBeforeItsSession(t *testing.T) {
	w := newWorld(t)
	row := newRow("users", "1")
	other, looks := w.server.client(), []error{}
	w.hook.before = func(cmd redis.Cmder) {
		if slices.Contains(cmd.Args(), any(sessionKey(row))) {
			looks = append(looks, other.ZScore(t.Context(), "fiberjwt:a:5:users:1", string(row.SID)).Err())
		}
	}
	w.create(row)
	require.Equal(t, []error{nil, nil}, looks, "the index is written before the session, by EVALSHA and EVAL")
}

// A password change is stored before RevokeAll, and a login checks the password again
// after Create. See createThenLook in internal/sessions.
func TestRevokeAllEndsConcurrentLogins(t *testing.T) {
	w := newWorld(t)
	for range 300 {
		row, changed := newRow("users", rand.Text()), atomic.Bool{}
		var group sync.WaitGroup
		group.Go(func() {
			err := w.Create(t.Context(), row)
			if err == nil && changed.Load() {
				_, err = w.Revoke(t.Context(), row.SID, row.Kind, row.Subject, row.Created)
			}
			if err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			changed.Store(true)
			if err := w.RevokeAll(t.Context(), row.Kind, row.Subject, nil, row.Created); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		require.Equal(t, row.Created, w.find(row).Revoked)
	}
}

func TestAccountKeysAreDistinctForAnyBytes(t *testing.T) {
	w := newWorld(t)
	accounts := [][2]string{
		{"users", "1"}, {"users", ""}, {"users", "1:2"}, {"users:1", "2"}, {"users", "{1}"}, {"users", "*"}, {"users", "?"}, {"users", "[1]"},
		{"users", "1\x00"}, {"users", "\xff\xfe"}, {"users", "1\r\n2"}, {"users", "5:users1:1"}, {"users", "%d ' \" \\"}, {"", ":users:1"},
		{"5:users", "1"}, {"users", "日本"}, {"users", strings.Repeat("x", 5000)},
	}
	rows := make([]session.Row, len(accounts))
	for i, account := range accounts {
		rows[i] = newRow(account[0], account[1])
		rows[i].Agent, rows[i].Address = account[1], account[0]
		w.create(rows[i])
	}
	for i, row := range rows {
		require.Equal(t, row, w.find(row))
		listed, err := w.List(t.Context(), row.Kind, row.Subject, row.Created)
		require.NoError(t, err)
		require.Equal(t, []session.Row{row}, listed)
		rows[i], _ = w.refresh(row, 0, row.Created+600*second)
		require.Equal(t, rows[i], w.find(row))
	}
	for i, row := range rows {
		found, err := w.Revoke(t.Context(), row.SID, row.Kind, row.Subject+"x", row.Created)
		require.NoError(t, err)
		require.False(t, found)
		require.NoError(t, w.RevokeAll(t.Context(), row.Kind, row.Subject, nil, row.Created))
		for j, other := range rows {
			require.Equal(t, j <= i, w.find(other).Revoked != 0, "ending %q ended %q", accounts[i], accounts[j])
		}
	}
}

func TestRevokeChecksSubjectWithoutKind(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	for subject, want := range map[string]bool{"2": false, "1": true} {
		found, err := w.Revoke(t.Context(), row.SID, "", subject, row.Created)
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
}

func TestPrefixesSeparateApplications(t *testing.T) {
	w := newWorld(t)
	shop := redisstore.New(w.client, redisstore.WithPrefix("shop:"))
	row := w.create(newRow("users", "1"))
	require.NoError(t, shop.RevokeAll(t.Context(), "users", "1", nil, row.Created))
	_, found, err := shop.Find(t.Context(), "users", row.SID)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, shop.Create(t.Context(), newRow("users", "1")))
	require.Zero(t, w.find(row).Revoked)
	keys := w.keys()
	require.Len(t, keys, 4)
	for i, prefix := range []string{"fiberjwt:a:", "fiberjwt:s:", "shop:a:", "shop:s:"} {
		require.Truef(t, strings.HasPrefix(keys[i], prefix), "%q", keys[i])
	}
}

func TestNumbersAreExactUpTo53Bits(t *testing.T) {
	w := newWorld(t)
	row := newRow("users", "1")
	row.Gen, row.Prev = 1<<53-2, 1<<53-3
	w.create(row)
	row, o := w.refresh(row, row.Gen, row.Created+600*second)
	require.Equal(t, session.Rotate, o)
	require.EqualValues(t, 1<<53-1, row.Gen)
	require.Equal(t, row, w.find(row))

	before := row
	for name, g := range map[string]int64{"healed": 1<<62 + 1, "the next of the highest": 1<<53 - 1} {
		_, _, err := w.Refresh(t.Context(), "users", row.SID, g, row.Issued+600*second, times)
		require.Error(t, err, name)
	}
	_, err := w.Revoke(t.Context(), row.SID, "", "", 1<<53)
	require.Error(t, err)
	require.Error(t, w.Prove(t.Context(), row.SID, -3))
	require.Equal(t, before, w.find(row), "a call that failed has written")

	for _, gen := range []int64{1 << 53, -3} {
		unheard := newRow("users", "1")
		unheard.Gen = gen
		require.Error(t, w.Create(t.Context(), unheard))
	}
}

func TestDamagedSessionIsAnErrorNotMissing(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	good := w.client.Get(t.Context(), sessionKey(row)).Val()
	spoil := map[string]func() error{
		"another type":          func() error { return w.client.HSet(t.Context(), sessionKey(row), "a", "b").Err() },
		"too short":             func() error { return w.client.Set(t.Context(), sessionKey(row), good[:50], 0).Err() },
		"a number with letters": func() error { return w.client.Set(t.Context(), sessionKey(row), "x"+good[1:], 0).Err() },
		"a text cut off":        func() error { return w.client.Set(t.Context(), sessionKey(row), good[:len(good)-1], 0).Err() },
		"more than texts":       func() error { return w.client.Set(t.Context(), sessionKey(row), good+"x", 0).Err() },
		"a length below zero": func() error {
			return w.client.Set(t.Context(), sessionKey(row), strings.Replace(good, "5:users", "-1:users", 1), 0).Err()
		},
	}
	for name, spoil := range spoil {
		require.NoError(t, w.client.Del(t.Context(), sessionKey(row)).Err())
		require.NoError(t, spoil())
		_, _, err := w.Find(t.Context(), "users", row.SID)
		require.Error(t, err, name)
		_, _, err = w.Refresh(t.Context(), "users", row.SID, 0, row.Created+600*second, times)
		require.Error(t, err, name)
		_, err = w.List(t.Context(), "users", "1", row.Created)
		require.Error(t, err, name)
	}
	require.NoError(t, w.client.Set(t.Context(), "fiberjwt:a:5:users:1", "x", 0).Err())
	require.Error(t, w.RevokeAll(t.Context(), "users", "1", nil, row.Created))
	_, err := w.List(t.Context(), "users", "1", row.Created)
	require.Error(t, err)
	require.Error(t, w.Create(t.Context(), newRow("users", "1")))
}

func TestScriptsReloadAfterScriptFlush(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	for range 3 {
		require.NoError(t, w.client.ScriptFlush(t.Context()).Err())
		require.Equal(t, row, w.find(row))
		row, _ = w.refresh(row, row.Gen, row.Issued+600*second)
	}
	require.EqualValues(t, 3, row.Gen)
}

// A replica receives a logout later than the primary.
func TestReplicaIsNeverAsked(t *testing.T) {
	primary := newServer(t, "--cluster-enabled", "yes")
	replica := newServer(t, "--cluster-enabled", "yes")
	ctx := t.Context()
	require.NoError(t, primary.client().ClusterAddSlotsRange(ctx, 0, 16383).Err())
	host, port, _ := strings.Cut(primary.addr, ":")
	require.NoError(t, replica.client().Do(ctx, "CLUSTER", "MEET", host, port, primary.bus).Err())
	id := primary.client().Do(ctx, "CLUSTER", "MYID").Val().(string)
	require.Eventually(t, func() bool { return replica.client().ClusterReplicate(ctx, id).Err() == nil }, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		_ = primary.client().Set(ctx, "x", "a cluster lists a replica only after it has replicated something", 0).Err()
		slots := fmt.Sprint(primary.client().Do(ctx, "CLUSTER", "SLOTS").Val())
		return strings.Contains(slots, replica.addr[len("127.0.0.1:"):]) &&
			strings.Contains(replica.client().Info(ctx, "replication").Val(), "master_link_status:up")
	}, patience, 10*time.Millisecond)

	client := clusterClient(t, []*server{primary}, func(o *redis.ClusterOptions) { o.RouteRandomly = true })
	require.Eventually(t, func() bool { // the client knows both nodes
		_ = client.Get(ctx, "x").Err()
		return strings.Contains(replica.client().Info(ctx, "commandstats").Val(), "cmdstat_get:")
	}, patience, 10*time.Millisecond)
	require.NoError(t, replica.client().ConfigResetStat(ctx).Err())
	store, row := redisstore.New(client), newRow("users", "1")
	require.NoError(t, store.Create(ctx, row))
	for range 50 {
		_, found, err := store.Find(ctx, "users", row.SID)
		require.NoError(t, err)
		require.True(t, found)
		rows, err := store.List(ctx, "users", "1", row.Created)
		require.NoError(t, err)
		require.Len(t, rows, 1)
	}
	stats := replica.client().Info(ctx, "commandstats").Val()
	for _, command := range []string{"cmdstat_get:", "cmdstat_eval:", "cmdstat_evalsha:", "cmdstat_zrange:"} {
		require.NotContains(t, stats, command)
	}
}

func TestNewPanicsOnRingOrNilClient(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer func() { _ = ring.Close() }()
	require.PanicsWithValue(t, "redisstore: a redis.Ring cannot keep sessions: use a Client or a ClusterClient", func() { redisstore.New(ring) })
	require.PanicsWithValue(t, "redisstore: New needs a client", func() { redisstore.New(nil) })
}

func TestFoundRowSharesNoBytesWithCaller(t *testing.T) {
	w := newWorld(t)
	row := w.create(newRow("users", "1"))
	sid := bytes.Clone(row.SID)
	found, _, err := w.Find(t.Context(), "users", sid)
	require.NoError(t, err)
	clear(sid)
	require.Equal(t, row, found)
}

func BenchmarkStore(b *testing.B) {
	address := os.Getenv("FIBERJWT_REDIS")
	if address == "" {
		b.Skip("set FIBERJWT_REDIS to the address of a Redis, such as 127.0.0.1:6379")
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	defer func() { _ = client.Close() }()
	store := redisstore.New(client, redisstore.WithPrefix("fiberjwt-bench-"+rand.Text()+":"))
	ctx, row := context.Background(), newRow("users", "1")
	row.Ends = row.Created + 60*second // so that the rows expire soon
	require.NoError(b, store.Create(ctx, row))
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("do=ping", func(b *testing.B) {
		for b.Loop() {
			fail(client.Ping(ctx).Err())
		}
	})
	b.Run("do=find", func(b *testing.B) {
		for b.Loop() {
			_, _, err := store.Find(ctx, "users", row.SID)
			fail(err)
		}
	})
	b.Run("do=same", func(b *testing.B) {
		for b.Loop() {
			_, _, err := store.Refresh(ctx, "users", row.SID, 0, row.Issued, times)
			fail(err)
		}
	})
	b.Run("do=rotate", func(b *testing.B) {
		g := int64(0)
		for b.Loop() {
			after, o, err := store.Refresh(ctx, "users", row.SID, g, row.Issued+g, session.Times{Idle: time.Minute})
			fail(err)
			if o != session.Rotate {
				b.Fatal(o)
			}
			g = after.Gen
		}
	})
	b.Run("do=create", func(b *testing.B) {
		for b.Loop() {
			row := newRow("users", rand.Text())
			row.Ends = row.Created + 60*second
			fail(store.Create(ctx, row))
		}
	})
	for _, n := range []int{1, 10, 100, 1000} {
		subject := fmt.Sprint("many", n)
		for range n {
			row := newRow("users", subject)
			row.Ends = row.Created + 60*second
			require.NoError(b, store.Create(ctx, row))
		}
		b.Run(fmt.Sprintf("do=revokeall/sessions=%d", n), func(b *testing.B) {
			for b.Loop() {
				fail(store.RevokeAll(ctx, "users", subject, nil, row.Created))
			}
		})
	}
}
