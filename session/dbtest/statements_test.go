package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/fiberjwt/fiberjwt"
)

// pair is what a sign-in or a refresh returns.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func pairOf(t require.TestingT, status int, answer string) (p pair) {
	require.Contains(t, []int{200, 201}, status, answer)
	require.NoError(t, json.Unmarshal([]byte(answer), &p))
	return p
}

const registration = `{"email":"%s","password":"correct horse battery"}`

// uses signs an account in and makes some requests and refreshes with it.
func (s *service) uses(t *testing.T, email string) {
	t.Helper()
	status, answer := s.post(t, "/auth/people/login", fmt.Sprintf(registration, email))
	require.Equal(t, 200, status, "%s %s", answer, &s.log)
	p := pairOf(t, status, answer)
	for range 3 {
		require.Equal(t, 200, s.get(t, "/auth/people/me", p.Access), &s.log)
		status, answer = s.post(t, "/auth/people/refresh", `{"refresh_token":"`+p.Refresh+`"}`)
		require.Equal(t, 200, status, "%s %s", answer, &s.log)
		if next := pairOf(t, status, answer); next.Refresh != "" {
			p = next
		}
	}
}

func joining(t *testing.T, db *bun.DB, configure ...func(*fiberjwt.Config)) *service {
	t.Helper()
	migrate(t, db, (*person)(nil))
	s := newService(t, db, &fiberjwt.Entity[person]{Register: func(*fiber.Ctx, *person) error { return nil }}, configure...)
	for i := range 4 {
		status, answer := s.post(t, "/auth/people/register", fmt.Sprintf(registration, name(i)))
		pairOf(t, status, answer)
	}
	return s
}

func name(i int) string { return "person" + strconv.Itoa(i) + "@example.com" }

func TestTablesMayBeAlteredWhileTheServerRuns(t *testing.T) {
	for database, open := range map[string]func(*testing.T, ...string) server{"PostgreSQL": postgres, "MariaDB": maria, "MySQL": mySQL} {
		t.Run(database, func(t *testing.T) {
			db := open(t)(t)
			db.SetMaxOpenConns(3)
			s := joining(t, db)
			s.uses(t, name(0))
			changes := []string{
				"ALTER TABLE people ADD COLUMN nickname VARCHAR(20)",
				"ALTER TABLE fiberjwt_sessions ADD COLUMN note VARCHAR(20)",
				"ALTER TABLE people DROP COLUMN nickname",
			}
			if database == "PostgreSQL" { // the type of a result changes
				changes = append(changes, "ALTER TABLE people ALTER COLUMN email TYPE varchar(200)", "ALTER TABLE fiberjwt_sessions ALTER COLUMN agent TYPE varchar(2000)")
			} else {
				changes = append(changes, "ALTER TABLE people MODIFY email VARCHAR(200) NOT NULL")
			}
			for i, change := range changes {
				run(t, db, change)
				var all sync.WaitGroup // on each connection of the pool
				for n := range 4 {
					all.Go(func() { s.uses(t, name((i+n)%4)) })
				}
				all.Wait()
			}
		})
	}
}

// hook counts the statements that Bun's query hooks see.
type hook struct {
	mu     sync.Mutex
	text   []string
	errors []string // their SQLSTATEs
}

func (h *hook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }
func (h *hook) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, event.Query)
	if state, ok := event.Err.(interface{ SQLState() string }); ok {
		h.errors = append(h.errors, state.SQLState())
	}
}

func TestQueryHookSeesEachStatementOnce(t *testing.T) {
	for database, open := range map[string]func(*testing.T, ...string) server{"PostgreSQL": postgres, "MariaDB": maria, "MySQL": mySQL} {
		t.Run(database, func(t *testing.T) {
			h := &hook{}
			s := joining(t, open(t)(t).WithQueryHook(h))
			status, answer := s.post(t, "/auth/people/login", fmt.Sprintf(registration, name(0)))
			access := pairOf(t, status, answer).Access
			require.Equal(t, 200, s.get(t, "/auth/people/me", access))
			h.text = nil
			require.Equal(t, 200, s.get(t, "/auth/people/me", access))
			require.Len(t, h.text, 1)
			require.Contains(t, h.text[0], "fiberjwt_sessions")
			require.NotContains(t, h.text[0], "'people'::", "values stay out of traces")
		})
	}
}

// fullServer is a connector to a server that allows no more prepared statements.
type fullServer struct{ driver.Connector }

func (c fullServer) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return fullConn{conn}, err
}

type fullConn struct{ driver.Conn }

func (c fullConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c fullConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c fullConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, options)
}

func (fullConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, &mysql.MySQLError{Number: 1461, Message: "Can't create more than max_prepared_stmt_count statements (current value: 0)"}
}

func TestServerWithoutRoomForPreparedStatements(t *testing.T) {
	for _, database := range []string{"FIBERJWT_MARIADB", "FIBERJWT_MYSQL"} {
		t.Run(database, func(t *testing.T) {
			cfg, err := mysql.ParseDSN(address(t, database))
			require.NoError(t, err)
			cfg.DBName = createAndDrop(t, openMySQL(t, cfg.FormatDSN()), "DATABASE ", "")
			connector, err := mysql.NewConnector(cfg)
			require.NoError(t, err)
			s := joining(t, closeLater(t, bun.NewDB(sql.OpenDB(fullServer{connector}), mysqldialect.New())))
			s.uses(t, name(0))
			require.Contains(t, s.log.String(), "refuses or loses prepared statements")
		})
	}
}

func openMySQL(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	conn, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	return conn
}

// In transaction mode, the statements of one client run on the connections of others. This
// version of PgBouncer does not keep prepared statements, as versions before 1.21 do not.
func TestPgBouncerInTransactionMode(t *testing.T) {
	if os.Getenv("FIBERJWT_PGBOUNCER") == "" {
		t.Skip("set FIBERJWT_PGBOUNCER=1, with pgbouncer installed, to run this test")
	}
	cfg, err := pgx.ParseConfig(address(t, "FIBERJWT_POSTGRES"))
	require.NoError(t, err)
	cfg.TLSConfig, cfg.Fallbacks = nil, nil // which would go past PgBouncer
	port := startPgBouncer(t, cfg)
	for mode, exec := range map[string]pgx.QueryExecMode{"simple_protocol": pgx.QueryExecModeSimpleProtocol, "exec": pgx.QueryExecModeExec} {
		t.Run(mode, func(t *testing.T) {
			bounced := cfg.Copy()
			bounced.Database = createAndDrop(t, stdlib.OpenDB(*cfg), "DATABASE ", " WITH (FORCE)") // PgBouncer keeps connections to it
			bounced.Port, bounced.DefaultQueryExecMode = port, exec
			h := &hook{}
			s := joining(t, closeLater(t, bun.NewDB(stdlib.OpenDB(*bounced), pgdialect.New())).WithQueryHook(h))
			s.uses(t, name(0))
			console := cfg.Copy()
			console.Port, console.Database, console.DefaultQueryExecMode = port, "pgbouncer", pgx.QueryExecModeSimpleProtocol
			run(t, closeLater(t, bun.NewDB(stdlib.OpenDB(*console), pgdialect.New())), "RECONNECT")
			s.uses(t, name(0))
			s.uses(t, name(1))
			require.Contains(t, h.errors, "26000", "the statements that were prepared on another connection")
			require.Contains(t, s.log.String(), "refuses or loses prepared statements")
		})
	}
}

func startPgBouncer(t *testing.T, to *pgx.ConnConfig) (port uint16) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port = uint16(free.Addr().(*net.TCPAddr).Port)
	require.NoError(t, free.Close())
	folder, err := os.MkdirTemp("", "pgbouncer")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	require.NoError(t, os.Chmod(folder, 0o755))
	settings := filepath.Join(folder, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, `[databases]
* = host=%[1]s port=%[2]d user=%[3]s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[4]d
auth_type = any
pool_mode = transaction
admin_users = %[3]s
unix_socket_dir =
`, to.Host, to.Port, to.User, port), 0o644))
	args := []string{settings}
	if os.Geteuid() == 0 { // it refuses to run as root
		args = append([]string{"-u", "nobody"}, args...)
	}
	command := exec.Command("pgbouncer", args...)
	command.Stdout, command.Stderr = t.Output(), t.Output()
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, command.Process.Kill())
		_ = command.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, time.Minute, 10*time.Millisecond)
	return port
}
