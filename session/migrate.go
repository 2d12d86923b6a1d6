package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/migrate"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

const migrationsTable = "fiberjwt_migrations"

// Migrate brings the tables fiberjwt_sessions and fiberjwt_throttle to the version
// of this library: it creates them, or runs the steps that older tables lack. It
// records the steps in fiberjwt_migrations, separate from the migrations of the
// application.
//
// It refuses a database with settings under which text of clients cannot be written
// safely; docs/operate/databases.md has these settings.
//
// It may be called again, and by several processes at once: each step can run
// twice, and a step that loses a race is retried.
func Migrate(ctx context.Context, db *bun.DB) error {
	if problems, err := dbcheck.Quoting(ctx, db); err != nil {
		return fmt.Errorf("fiberjwt: asking the database for its settings: %w", err)
	} else if len(problems) > 0 {
		return fmt.Errorf("fiberjwt: the database is not safe to use: %s", strings.Join(fault.Texts(problems), "; "))
	}
	const tries = 10 // another process may be first at each of the objects
	err := migrateOnce(ctx, db)
	for try := 1; err != nil && ctx.Err() == nil && try < tries; try++ {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try-1) * 50 * time.Millisecond):
			err = migrateOnce(ctx, db)
		}
	}
	if err != nil {
		return fmt.Errorf("fiberjwt: preparing the tables fiberjwt_sessions and fiberjwt_throttle: %w", err)
	}
	return nil
}

func migrateOnce(ctx context.Context, db *bun.DB) error {
	migrator := migrate.NewMigrator(db, steps(db),
		migrate.WithTableName(migrationsTable), migrate.WithLocksTableName("fiberjwt_migration_locks"),
		migrate.WithMarkAppliedOnSuccess(true))
	if err := migrator.Init(ctx); err != nil {
		return err
	}
	// Without the migrator's lock, which the steps do not need: a process that dies
	// while it holds the lock would never release it.
	_, err := migrator.Migrate(ctx)
	return err
}

// steps returns the versions of the tables, the oldest first. A released step is
// never changed, and can run twice.
func steps(db *bun.DB) *migrate.Migrations {
	name := db.Dialect().Name()
	all := migrate.NewMigrations()
	for _, step := range []struct {
		version, comment string
		statements       []string
	}{
		{"20261122000000", "sessions", create(name)},
		// An earlier step, 20261122000001, made fiberjwt_attempts, which is not used any more.
		{"20261130000000", "throttle", []string{createThrottle(name)}},
	} {
		all.Add(migrate.Migration{Name: step.version, Comment: step.comment, Up: func(ctx context.Context, _ *migrate.Migrator, _ *migrate.Migration) error {
			for _, statement := range step.statements {
				if _, err := db.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return all
}

// create returns the table of sessions with its indexes. Only columns that never
// change are indexed, and revoked, which changes once: every refresh would have to
// update an index on any other column.
func create(name dialect.Name) []string {
	indexes := []string{
		"CREATE INDEX IF NOT EXISTS " + table + "_subject ON " + table + " (kind, subject)",
		"CREATE INDEX IF NOT EXISTS " + table + "_ends ON " + table + " (ends)",
		"CREATE INDEX IF NOT EXISTS " + table + "_revoked ON " + table + " (revoked) WHERE revoked IS NOT NULL",
	}
	switch name {
	case dialect.PG:
		// Leave room for updates in place, which then change no index.
		return append([]string{createTable("BYTEA", "TEXT", "TEXT") + ") WITH (fillfactor = 80)"}, indexes...)
	case dialect.MySQL:
		// VARBINARY compares bytes: "A" and "a" are different accounts.
		return []string{createTable("BINARY(16)", "VARBINARY(255)", "VARCHAR(255) CHARACTER SET utf8mb4") +
			",\n  INDEX " + table + "_subject (kind, subject),\n  INDEX " + table + "_ends (ends),\n  INDEX " + table + "_revoked (revoked))"}
	case dialect.SQLite:
		return append([]string{createTable("BLOB", "TEXT", "TEXT") + ") WITHOUT ROWID"}, indexes...)
	}
	return append([]string{createTable("VARBINARY(16)", "VARCHAR(255)", "VARCHAR(255)") + ")"}, indexes[:2]...)
}

// createTable returns the statement without its closing parenthesis.
func createTable(sid, name, text string) string {
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
  sid %s NOT NULL PRIMARY KEY,
  kind %s NOT NULL,
  subject %[3]s NOT NULL,
  gen BIGINT NOT NULL,
  prev BIGINT NOT NULL,
  issued BIGINT NOT NULL,
  idle_until BIGINT NOT NULL,
  ends BIGINT NOT NULL,
  revoked BIGINT,
  auth_time BIGINT NOT NULL,
  created BIGINT NOT NULL,
  address %[4]s NOT NULL,
  agent %[4]s NOT NULL`, table, sid, name, text)
}

// createThrottle returns the table of failed sign-ins. It has no index except the
// primary key: every sign-in changes all other columns.
func createThrottle(name dialect.Name) string {
	id, data, options := "VARBINARY(32)", "VARBINARY(4000)", ")"
	switch name {
	case dialect.PG:
		id, data, options = "BYTEA", "BYTEA", ") WITH (fillfactor = 80)"
	case dialect.MySQL:
		id = "BINARY(32)"
	case dialect.SQLite:
		id, data, options = "BLOB", "BLOB", ") WITHOUT ROWID"
	}
	return `CREATE TABLE IF NOT EXISTS ` + attemptsTable + ` (
  id ` + id + ` NOT NULL PRIMARY KEY,
  revision BIGINT NOT NULL,
  was BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  data ` + data + ` NOT NULL` + options
}
