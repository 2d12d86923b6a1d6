package redisstore_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/redisstore"
)

func TestCheckFindsRedisThatMayLoseSessions(t *testing.T) {
	const (
		evicts  = "maxmemory-policy is allkeys-lru, so Redis ends sessions when its memory is full: set it to noeviction"
		crash   = "appendonly is off, so a crash of Redis undoes the sign-ins and logouts since its last snapshot: set it to yes"
		restart = "appendonly and save are off, so a restart of Redis ends all sessions: set appendonly to yes"
	)
	evicting := []string{"--maxmemory-policy", "allkeys-lru"}
	for name, c := range map[string]struct {
		args   []string
		denied string // denied by the ACL, as on a managed server
		want   []string
	}{
		"correct":                {persistent, "", nil},
		"written each second":    {[]string{"--appendonly", "yes"}, "", nil},
		"evicts":                 {append(evicting, persistent...), "", []string{evicts}},
		"evicts keys with a TTL": {append([]string{"--maxmemory-policy", "volatile-ttl"}, persistent...), "", []string{strings.Replace(evicts, "allkeys-lru", "volatile-ttl", 1)}},
		"snapshots":              {[]string{"--save", "900 1"}, "", []string{crash}},
		"memory only":            {nil, "", []string{restart}},
		"both":                   {evicting, "", []string{evicts, restart}},
		"without CONFIG":         {evicting, "-config", []string{evicts}},
		"without INFO and TIME":  {evicting, "-info -time -config", nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, c.args...)
			for _, command := range strings.Fields(c.denied) {
				require.NoError(t, server.client().Do(t.Context(), "ACL", "SETUSER", "default", command).Err())
			}
			found, err := redisstore.New(server.client()).Check(t.Context(), true)
			require.NoError(t, err)
			require.Equal(t, c.want, found)
		})
	}
}

func TestCheckFailsWithoutRedisPassword(t *testing.T) {
	server := newServer(t)
	require.NoError(t, server.client().Do(t.Context(), "ACL", "SETUSER", "default", "resetpass", ">secret").Err())
	_, err := redisstore.New(server.client()).Check(t.Context(), true)
	require.ErrorContains(t, err, "NOAUTH")
}

func TestCheckAsksEachClusterNode(t *testing.T) {
	nodes := newCluster(t)
	require.NoError(t, nodes[2].client().ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	for _, node := range nodes {
		require.NoError(t, node.client().ConfigSet(t.Context(), "appendonly", "yes").Err())
	}
	found, err := redisstore.New(clusterClient(t, nodes)).Check(t.Context(), true)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "allkeys-lru")
}

// wrongClock is a client whose server is two minutes behind.
type wrongClock struct{ *redis.Client }

func (c wrongClock) Time(ctx context.Context) *redis.TimeCmd {
	reply := c.Client.Time(ctx)
	reply.SetVal(reply.Val().Add(-2 * time.Minute))
	return reply
}

func TestCheckFindsRedisClockSkew(t *testing.T) {
	store := redisstore.New(wrongClock{newServer(t, persistent...).client()})
	found, err := store.Check(t.Context(), true)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Regexp(t, "^the clock of Redis is (1m[0-9]+s|2m0s) off: keep the clocks of all servers together by NTP$", found[0])
	found, err = store.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAuthCheckReachesRedis(t *testing.T) {
	server := newServer(t)
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "check.db"))
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.NewCreateTable().Model((*User)(nil)).Exec(t.Context())
	require.NoError(t, err)
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: fiber.New(),
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}, Store: redisstore.New(server.client()),
	})
	require.NoError(t, err)
	err = auth.Check(t.Context())
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.EqualError(t, err, "fiberjwt: Config.Store: appendonly and save are off, so a restart of Redis ends all sessions: set appendonly to yes")

	server.kill()
	err = auth.Check(t.Context())
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	require.ErrorContains(t, err, "Config.Store could not be checked: ")
}
