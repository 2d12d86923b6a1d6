package redisstore_test

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for a server.
const patience = time.Minute

// silent discards the client's messages about servers that are down.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func TestMain(m *testing.M) {
	redis.SetLogger(silent{})
	m.Run()
}

// server is a redis-server that a test starts. Its data stay in dir when it is killed.
type server struct {
	t    *testing.T
	addr string
	bus  string // the port for other nodes of a cluster
	dir  string
	args []string
	cmd  *exec.Cmd // nil if not running
}

// persistent are arguments for a server that confirms a write after it is on disk.
var persistent = []string{"--appendonly", "yes", "--appendfsync", "always"}

// newServer starts a redis-server, or skips the test if it is not installed. It persists
// nothing unless args enable that.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("put redis-server on the PATH to run this test")
	}
	port, bus := freePorts(t)
	dir := t.TempDir()
	s := &server{t: t, addr: net.JoinHostPort("127.0.0.1", port), bus: bus, dir: dir, args: append([]string{
		"--port", port, "--cluster-port", bus, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
	}, args...)}
	t.Cleanup(s.kill)
	s.start()
	return s
}

// freePorts returns two ports. It holds both until it has both, so they differ.
func freePorts(t *testing.T) (port, bus string) {
	t.Helper()
	for _, free := range []*string{&port, &bus} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = listener.Close() }()
		*free = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	}
	return port, bus
}

// launch starts the process and does not wait until it answers.
func (s *server) launch() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	require.NoError(s.t, s.cmd.Start())
}

func (s *server) start() {
	s.t.Helper()
	s.launch()
	client := s.client()
	require.Eventually(s.t, func() bool { return client.Ping(context.Background()).Err() == nil }, patience, 10*time.Millisecond,
		"redis-server %v does not answer", s.args)
}

// kill sends SIGKILL and waits until the process has ended.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// client returns a new client; each configure may change its options. It retries as often
// as by default but faster, and waits as long as the context allows.
func (s *server) client(configure ...func(*redis.Options)) *redis.Client {
	s.t.Helper()
	options := &redis.Options{Addr: s.addr, ReadTimeout: patience, MaxRetryBackoff: 20 * time.Millisecond, DialerRetryTimeout: 10 * time.Millisecond}
	for _, change := range configure {
		change(options)
	}
	client := redis.NewClient(options)
	s.t.Cleanup(func() { _ = client.Close() })
	return client
}

// newCluster starts three primaries that share the slots.
func newCluster(t *testing.T) []*server {
	t.Helper()
	nodes := make([]*server, 3)
	bounds := []int{0, 5461, 10923, 16384}
	ctx := t.Context()
	for i := range nodes {
		nodes[i] = newServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "30000")
		require.NoError(t, nodes[i].client().ClusterAddSlotsRange(ctx, bounds[i], bounds[i+1]-1).Err())
		host, port, _ := net.SplitHostPort(nodes[i].addr)
		require.NoError(t, nodes[0].client().Do(ctx, "CLUSTER", "MEET", host, port, nodes[i].bus).Err())
	}
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			info, err := node.client().ClusterInfo(ctx).Result()
			return err == nil && containsAll(info, "cluster_state:ok", "cluster_known_nodes:3")
		}, patience, 20*time.Millisecond, "the cluster did not become ready")
	}
	return nodes
}

func clusterClient(t *testing.T, nodes []*server, configure ...func(*redis.ClusterOptions)) *redis.ClusterClient {
	t.Helper()
	options := &redis.ClusterOptions{}
	for _, node := range nodes {
		options.Addrs = append(options.Addrs, node.addr)
	}
	for _, change := range configure {
		change(options)
	}
	client := redis.NewClusterClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// hook records every command before it is sent. A pipeline is one round trip.
type hook struct {
	mu     sync.Mutex
	trips  [][]redis.Cmder
	before func(cmd redis.Cmder) // may be nil
}

func (h *hook) record(cmds ...redis.Cmder) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trips = append(h.trips, cmds)
}

// takeTrips returns the round trips since the last call.
func (h *hook) takeTrips() [][]redis.Cmder {
	h.mu.Lock()
	defer h.mu.Unlock()
	trips := h.trips
	h.trips = nil
	return trips
}

func (h *hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.record(cmd)
		if h.before != nil {
			h.before(cmd)
		}
		return next(ctx, cmd)
	}
}

func (h *hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.record(cmds...)
		return next(ctx, cmds)
	}
}
