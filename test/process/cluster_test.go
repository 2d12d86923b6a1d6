package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// cluster is a PostgreSQL that the tests start and may stop.
type cluster struct {
	bin, dir string
	ip       string
	port     int
	as       *syscall.SysProcAttr
}

var shared = sync.OnceValues(newCluster)

// ownCluster returns the cluster, running. It skips the test without PostgreSQL.
func ownCluster(t *testing.T) *cluster {
	t.Helper()
	if len(postgresPrograms()) == 0 {
		t.Skip("install PostgreSQL's server to run this test: there is no /usr/lib/postgresql/*/bin/initdb")
	}
	c, err := shared()
	require.NoError(t, err)
	return c
}

func stopShared() {
	if len(postgresPrograms()) == 0 {
		return
	}
	if c, err := shared(); err == nil {
		_ = c.stop()
		_ = os.RemoveAll(c.dir)
	}
}

func postgresPrograms() []string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	return found
}

func newCluster() (*cluster, error) {
	programs := postgresPrograms()
	c := &cluster{bin: filepath.Dir(programs[len(programs)-1]), ip: ownIP()}
	var err error
	if c.dir, err = os.MkdirTemp("", "fiberjwt-postgres"); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		if err := c.leaveRoot(); err != nil {
			return nil, err
		}
	}
	if err := c.run("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	if c.port, err = freePort(c.ip); err != nil {
		return nil, err
	}
	return c, c.start()
}

func (c *cluster) leaveRoot() error {
	postgres, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(postgres.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(postgres.Gid)
	if err != nil {
		return err
	}
	c.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(c.dir, uid, gid)
}

var ips atomic.Uint32

// ownIP is an address on which no other program listens, so a port that was closed there
// is still free later.
func ownIP() string {
	n := ips.Add(1)
	return net.IPv4(127, 77, byte(n>>8), byte(n)).String()
}

func freePort(ip string) (int, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) host() string { return net.JoinHostPort(c.ip, strconv.Itoa(c.port)) }

func (c *cluster) address() string { return "postgres://postgres@" + c.host() + "/postgres" }

func (c *cluster) start() error {
	return c.run("pg_ctl", "start", "-w", "-D", c.data(), "-l", filepath.Join(c.dir, "log"),
		"-o", fmt.Sprintf("-p %d -k %s -c listen_addresses=%s -c fsync=off -c max_connections=200 -c checkpoint_timeout=1h -c max_wal_size=4GB",
			c.port, c.dir, c.ip))
}

// stop ends the server as suddenly as a power cut.
func (c *cluster) stop() error {
	return c.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", c.data())
}

func (c *cluster) run(program string, args ...string) error {
	said, err := os.CreateTemp("", "fiberjwt-postgres-said") // a pipe would stay open as long as the server
	if err != nil {
		return err
	}
	defer func() {
		_ = said.Close()
		_ = os.Remove(said.Name())
	}()
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = c.dir, c.as, said, said
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(said.Name())
		return fmt.Errorf("%s: %w: %s", program, err, text)
	}
	return nil
}
