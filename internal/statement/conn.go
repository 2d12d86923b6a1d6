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

// prepare returns the prepared statement, which it prepares once for all connections, or nil
// if it must not be prepared.
func (s *Statement) prepare(ctx context.Context) (*sql.Stmt, error) {
	if stmt := s.stmt.Load(); stmt != nil {
		return stmt, nil
	}
	if may, err := s.pool.mayPrepare(ctx, s.text); !may {
		return nil, err
	}
	stmt, err := s.pool.db.DB.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err
	}
	if !s.stmt.CompareAndSwap(nil, stmt) { // a concurrent request was first
		closeLater(stmt)
		return s.prepare(ctx)
	}
	return stmt, nil
}

// discard makes the next call prepare the statement again.
func (s *Statement) discard(stmt *sql.Stmt) {
	if stmt != nil && s.stmt.CompareAndSwap(stmt, nil) {
		closeLater(stmt)
	}
}
