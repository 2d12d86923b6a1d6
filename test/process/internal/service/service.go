// Package service is the application that the tests of test/process run: one kind of
// account on any of the databases, and one protected route.
package service

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "github.com/ncruces/go-sqlite3/driver" // "sqlite3"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

// User is an account.
type User struct {
	bun.BaseModel `bun:"table:users"`

	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique,notnull"   json:"email"`
	Bio          string `bun:",notnull,type:text" json:"bio"`
	PasswordHash string `bun:",notnull"          json:"-"`
}

// Open opens postgres://…, mysql://… or the path of a SQLite file. Parameters after a
// "?" in the path are set before the other parameters.
func Open(address string) (*bun.DB, error) {
	switch scheme, _, _ := strings.Cut(address, "://"); scheme {
	case "postgres":
		config, err := pgx.ParseConfig(address)
		if err != nil {
			return nil, err
		}
		if !strings.Contains(address, "default_query_exec_mode") {
			config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		}
		return bun.NewDB(pooled(stdlib.OpenDB(*config)), pgdialect.New()), nil
	case "mysql":
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		config := mysql.NewConfig()
		config.Net, config.Addr, config.DBName, config.ParseTime = "tcp", u.Host, strings.TrimPrefix(u.Path, "/"), true
		config.User = u.User.Username()
		config.Passwd, _ = u.User.Password()
		config.Logger = log{} // the driver would print the errors that these tests cause
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, err
		}
		return bun.NewDB(pooled(sql.OpenDB(connector)), mysqldialect.New()), nil
	}
	path, first, _ := strings.Cut(address, "?")
	if first != "" {
		first += "&"
	}
	pool, err := sql.Open("sqlite3", "file:"+path+"?"+first+
		"_pragma=busy_timeout(120000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	return bun.NewDB(pool, sqlitedialect.New()), nil
}

type log struct{}

func (log) Print(...any) {}

func pooled(pool *sql.DB) *sql.DB {
	pool.SetMaxOpenConns(20)
	pool.SetMaxIdleConns(20)
	return pool
}

// CreateTables may run in several processes at once.
func CreateTables(ctx context.Context, db *bun.DB) error {
	err := db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if db.Dialect().Name() == dialect.PG {
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(1)"); err != nil {
				return err
			}
		}
		_, err := tx.NewCreateTable().Model((*User)(nil)).IfNotExists().Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("create the table of users: %w", err)
	}
	return fiberjwt.Migrate(ctx, db)
}

// Options are settings of the application. The zero value of each is fiberjwt's default.
type Options struct {
	Secret       []byte
	OldSecrets   [][]byte
	AccessTTL    time.Duration
	Refresh      fiberjwt.Refresh
	CacheTTL     time.Duration
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	Now          func() time.Time
	Logger       *slog.Logger
	Handled      *atomic.Int64 // counts the requests that reach the protected route
}

// New returns the application on db, in which the tables exist.
func New(db *bun.DB, o Options) (*fiber.App, error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	var old []keys.Secret
	for _, secret := range o.OldSecrets {
		old = append(old, secret)
	}
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: db, Secret: o.Secret, OldSecrets: old,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{
			Fillable: []string{"bio"}, Register: fiberjwt.Anyone[User], AccessTTL: o.AccessTTL,
		}},
		Routes: app.Group("/auth"), Cookie: fiberjwt.Cookie{Insecure: true},
		CacheTTL: o.CacheTTL, Refresh: o.Refresh, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, Now: o.Now, Logger: o.Logger,
		ManualPrune: true, // pruning would change the counted statements
	})
	if err != nil {
		return nil, err
	}
	app.Use(auth.Handler())
	app.Get("/api/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error {
		if o.Handled != nil {
			o.Handled.Add(1)
		}
		return c.JSON(u)
	}))
	return app, nil
}
