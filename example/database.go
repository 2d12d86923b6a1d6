package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "github.com/ncruces/go-sqlite3/driver" // database/sql driver "sqlite3", no C compiler needed
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt"
)

// connections is the maximum number of connections to a database server. With PostgreSQL's default limit, three such programs
// can run at once.
const connections = 20

// patience is how long the program waits for the database at start. Afterwards each query of fiberjwt has its own deadline.
const patience = 30 * time.Second

// openDB opens the database at address and creates missing tables. Errors never repeat the address, because it may contain
// a password.
func openDB(ctx context.Context, address string) (*bun.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pool, d, err := openPool(address)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db := bun.NewDB(pool, d)
	if err := createTables(ctx, db); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("prepare the database: %w", err)
	}
	return db, nil
}

// openPool opens the connections for address and chooses the dialect of Bun. The differences between the databases are in the
// functions that it calls.
func openPool(address string) (*sql.DB, schema.Dialect, error) {
	scheme, _, isURL := strings.Cut(address, "://")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		pool, err := openPostgres(address)
		return pool, pgdialect.New(), err
	case scheme == "mysql" || scheme == "mariadb":
		pool, err := openMySQL(address)
		return pool, mysqldialect.New(), err
	case isURL && scheme != "file" && scheme != "sqlite":
		return nil, nil, fmt.Errorf("%q is not supported: use postgres://, mysql:// or the path of a SQLite file", scheme)
	}
	pool, err := openSQLite(address)
	return pool, sqlitedialect.New(), err
}

// openPostgres takes an address as psql does, "postgres://user:password@host:port/database?sslmode=verify-full".
func openPostgres(address string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("not an address of PostgreSQL: write postgres://user:password@host:port/database")
	}
	// Bun writes the arguments into the statement, so a prepared statement has no use. By default the driver would prepare and
	// cache each statement, which takes a second round trip.
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return limited(stdlib.OpenDB(*config)), nil
}

// openMySQL takes "mysql://user:password@host:port/database", optionally followed by "?" and parameters of the driver, such as
// tls=true. The connection uses utf8mb4, the default.
func openMySQL(address string) (*sql.DB, error) {
	wrong := errors.New("not an address of MySQL or MariaDB: write mysql://user:password@host:port/database")
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || len(parsed.Path) < 2 {
		return nil, wrong
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", parsed.Host, parsed.Path[1:]
	config.User = parsed.User.Username()
	config.Passwd, _ = parsed.User.Password()
	config.ParseTime = true
	if config, err = mysql.ParseDSN(config.FormatDSN() + "&" + parsed.RawQuery); err != nil {
		return nil, wrong
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, wrong
	}
	return limited(sql.OpenDB(connector)), nil
}

// limited keeps connections open between requests and limits their number.
func limited(pool *sql.DB) *sql.DB {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool
}

// pragmas prepare SQLite for a server: writers wait for each other instead of failing, readers never wait, and a transaction
// takes its lock when it begins, because one that reads first and writes later could fail with SQLITE_BUSY.
const pragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(ON)&_txlock=immediate"

// openSQLite takes a path or a "file:" address. It adds pragmas, unless the address contains some already.
func openSQLite(address string) (*sql.DB, error) {
	address = strings.TrimPrefix(address, "sqlite://")
	if strings.Contains(address, ":memory:") {
		return nil, errors.New("an in-memory SQLite database is different on every connection: name a file instead")
	}
	if !strings.HasPrefix(address, "file:") {
		// A path may contain '?', '#' or '%', which have a special meaning in an address.
		address = "file:" + (&url.URL{Path: address}).EscapedPath()
	}
	switch {
	case strings.Contains(address, "_pragma="):
	case strings.Contains(address, "?"):
		address += "&" + pragmas
	default:
		address += "?" + pragmas
	}
	return sql.Open("sqlite3", address)
}

// createTables creates missing tables. It may run in several processes at once. PostgreSQL needs a lock for that, because its
// CREATE … IF NOT EXISTS is not atomic.
func createTables(ctx context.Context, db *bun.DB) error {
	err := db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if db.Dialect().Name() == dialect.PG {
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(1701208421)"); err != nil {
				return err
			}
		}
		for _, model := range []any{(*User)(nil), (*Teacher)(nil), (*Note)(nil)} {
			if _, err := tx.NewCreateTable().Model(model).IfNotExists().Exec(ctx); err != nil {
				return err
			}
		}
		return createIndex(ctx, tx)
	})
	if err != nil {
		return err
	}
	return fiberjwt.Migrate(ctx, db) // the tables of sessions and failed sign-ins
}

// createIndex creates an index unless it exists. MySQL, unlike MariaDB, has no IF NOT EXISTS for indexes and returns an error,
// which is ignored here.
func createIndex(ctx context.Context, tx bun.Tx) error {
	owners := tx.NewCreateIndex().Model((*Note)(nil)).Index("notes_owner").Column("kind", "subject", "id")
	if tx.Dialect().Name() != dialect.MySQL {
		owners = owners.IfNotExists()
	}
	_, err := owners.Exec(ctx)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && refused.Number == 1061 { // ER_DUP_KEYNAME
		return nil
	}
	return err
}
