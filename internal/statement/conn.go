package statement

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
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

// connect returns a connection that runs the prepared statement with args.
func (s *Statement) connect(ctx context.Context, db *bun.DB, args []any) (*conn, error) {
	stmt, err := s.prepare(ctx, db.DB)
	if err != nil {
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

// prepare prepares the statement, once for the pool.
func (s *Statement) prepare(ctx context.Context, db *sql.DB) (*sql.Stmt, error) {
	if stmt := s.stmt.Load(); stmt != nil {
		return stmt, nil
	}
	stmt, err := db.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err
	}
	if !s.stmt.CompareAndSwap(nil, stmt) { // a concurrent request was first
		_ = stmt.Close()
		return s.prepare(ctx, db)
	}
	return stmt, nil
}

// discard makes the next call prepare the statement again.
func (s *Statement) discard(to *conn) {
	if to != nil && s.stmt.CompareAndSwap(to.stmt, nil) {
		_ = to.stmt.Close() // it waits for calls that use it
	}
}
