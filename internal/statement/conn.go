package statement

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// conn runs one prepared statement for Bun, which calls the query hooks and reads the rows. It
// ignores the text that Bun passes, which is that of the statement.
type conn struct {
	bun.IConn
	stmt *sql.Stmt
	args []any
}

func (c *conn) QueryContext(ctx context.Context, _ string, _ ...any) (*sql.Rows, error) {
	return c.stmt.QueryContext(ctx, c.args...)
}

func (c *conn) ExecContext(ctx context.Context, _ string, _ ...any) (sql.Result, error) {
	return c.stmt.ExecContext(ctx, c.args...)
}

// connect returns a connection that runs the prepared statement with args, or nil if it must
// not be prepared.
func (s *Statement) connect(ctx context.Context, db *bun.DB, args []any) (*conn, error) {
	stmt, err := s.prepare(ctx, db.DB)
	if err != nil || stmt == nil {
		return nil, err
	}
	if s.positional {
		each := make([]any, len(s.order))
		for i, n := range s.order {
			each[i] = args[n]
		}
		args = each
	}
	return &conn{db.DB, stmt, args}, nil
}

// prepare prepares the statement, once for the pool. It returns nil if the statement must not
// be prepared.
func (s *Statement) prepare(ctx context.Context, db *sql.DB) (*sql.Stmt, error) {
	if stmt := s.stmt.Load(); stmt != nil {
		return stmt, nil
	}
	if s.named && !s.checked.Load() {
		safe, err := s.isNamedByText(ctx, db)
		if err != nil || !safe {
			s.literal.Store(err == nil)
			return nil, err
		}
		s.checked.Store(true)
	}
	stmt, err := db.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err
	}
	if !s.stmt.CompareAndSwap(nil, stmt) { // a concurrent request was first
		closeLater(stmt)
		return s.prepare(ctx, db)
	}
	return stmt, nil
}

// isNamedByText reports whether the driver names prepared statements by their text, as pgx
// does since v5.5. Older versions, lib/pq and Bun's pgdriver count. Behind a PgBouncer that does
// not keep prepared statements, the name of one client may then be another statement of
// another client.
func (s *Statement) isNamedByText(ctx context.Context, db *sql.DB) (bool, error) {
	one, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = one.Close() }()
	stmt, err := one.PrepareContext(ctx, s.text)
	if err != nil {
		return false, err
	}
	defer func() { _ = stmt.Close() }()
	query := "SELECT name FROM pg_prepared_statements WHERE statement = " + string(s.gen.Append(nil, s.text))
	var name string
	err = one.QueryRowContext(ctx, query).Scan(&name)
	if _, refused := dberr.SQLState(err); refused || errors.Is(err, sql.ErrNoRows) {
		return false, nil // the server has no such view, or another connection took the statement
	}
	return len(name) >= minHashedName, err
}

// minHashedName is shorter than a name with a hash of the text, and longer than one with a
// number.
const minHashedName = 32

// discard makes the next call prepare the statement again.
func (s *Statement) discard(to *conn) {
	if to != nil && s.stmt.CompareAndSwap(to.stmt, nil) {
		closeLater(to.stmt)
	}
}

// closeLater closes a statement. It does not wait for the calls that use it, as Close does.
func closeLater(stmt *sql.Stmt) { go func() { _ = stmt.Close() }() }
