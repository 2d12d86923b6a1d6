package statement

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
)

// conn runs one statement for Bun, which calls the query hooks and reads the rows. It ignores
// the text that Bun passes, which is that of the statement.
type conn struct {
	bun.IConn // of the database or transaction
	text      string
	stmt      *sql.Stmt // nil to pass text and arguments to the driver
	args      []any
}

func (c *conn) QueryContext(ctx context.Context, _ string, _ ...any) (*sql.Rows, error) {
	if c.stmt != nil {
		return c.stmt.QueryContext(ctx, c.args...)
	}
	return c.IConn.QueryContext(ctx, c.text, c.args...)
}

func (c *conn) ExecContext(ctx context.Context, _ string, _ ...any) (sql.Result, error) {
	if c.stmt != nil {
		return c.stmt.ExecContext(ctx, c.args...)
	}
	return c.IConn.ExecContext(ctx, c.text, c.args...)
}

// connect returns the connection on which db runs the statement with its arguments apart, or
// nil if they must be written into the text.
func (s *Statement) connect(ctx context.Context, db bun.IDB, args []any) (*conn, error) {
	to := &conn{text: s.text, args: args}
	var tx *sql.Tx
	switch db := db.(type) {
	case *bun.DB:
		to.IConn = db.DB
	case bun.Tx:
		to.IConn, tx = db.Tx, db.Tx
	default:
		return nil, nil
	}
	if s.how != prepared {
		return to, nil
	}
	to.stmt = s.stmt.Load()
	switch {
	case to.stmt == nil && tx != nil:
		return nil, nil // the transaction may have the only connection of the pool
	case to.stmt == nil:
		stmt, err := s.prepare(ctx, db.(*bun.DB).DB)
		if err != nil {
			return nil, err
		}
		to.stmt = stmt
	case tx != nil:
		to.stmt = tx.StmtContext(ctx, to.stmt)
	}
	if s.positional {
		to.args = make([]any, len(s.order))
		for i, n := range s.order {
			to.args[i] = args[n]
		}
	}
	return to, nil
}

// prepare prepares the statement, once for the pool.
func (s *Statement) prepare(ctx context.Context, db *sql.DB) (*sql.Stmt, error) {
	stmt, err := db.PrepareContext(ctx, s.text)
	if err != nil {
		return nil, err
	}
	if !s.stmt.CompareAndSwap(nil, stmt) {
		_ = stmt.Close() // a concurrent request was first
	}
	return s.stmt.Load(), nil
}
