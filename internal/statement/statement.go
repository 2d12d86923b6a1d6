// Package statement sends the statements that the library repeats with arguments apart from
// their text, so that the database plans each once and not for every request. Bun writes
// values into the text instead; that stays for statements that are rare or whose text an
// application changes.
package statement

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// Statement is an SQL statement with arguments. It is safe for concurrent use. Bun's query
// hooks see it with the placeholders of its driver in place of the values.
type Statement struct {
	pool   *Pool
	pieces []string // the text between the arguments
	order  []int    // which argument follows each piece but the last, from 0
	text   string   // with the placeholders of the driver

	stmt atomic.Pointer[sql.Stmt] // nil before its first use
}

// argument marks the place of an argument in the text of a statement, before its number. No
// statement contains it.
const argument = '\x00'

// Arg stands for argument n of a statement, from 1 to 255, in the text for [New]. It may occur
// several times.
func Arg(n int) bun.Safe { return bun.Safe([]byte{argument, byte(n)}) }

// New returns a statement, without I/O. Its text has [Arg] in the place of arguments.
func (p *Pool) New(text string) *Statement {
	s := &Statement{pool: p}
	for {
		piece, rest, found := strings.Cut(text, string(argument))
		s.pieces = append(s.pieces, piece)
		if !found {
			break
		}
		s.order = append(s.order, int(rest[0])-1)
		text = rest[1:]
	}
	var b strings.Builder
	for i, n := range s.order {
		b.WriteString(s.pieces[i])
		switch p.dialect {
		case dialect.PG:
			b.WriteString("$" + strconv.Itoa(n+1))
		case dialect.SQLite:
			b.WriteString("?" + strconv.Itoa(n+1))
		default:
			b.WriteByte('?')
		}
	}
	b.WriteString(s.pieces[len(s.pieces)-1])
	s.text = b.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, s)
	return s
}

// Scan runs the statement on db and stores the rows in dest, as Bun's Scan does. db is the
// database of the pool, or a transaction of it, for which the statement is not prepared: there
// may be no other connection to prepare it on.
func (s *Statement) Scan(ctx context.Context, db bun.IDB, dest any, args ...any) error {
	return s.run(ctx, db, args, func(q *bun.RawQuery) error { return q.Scan(ctx, dest) })
}

// Exec runs the statement on db; see [Statement.Scan].
func (s *Statement) Exec(ctx context.Context, db bun.IDB, args ...any) (result sql.Result, err error) {
	err = s.run(ctx, db, args, func(q *bun.RawQuery) (err error) {
		result, err = q.Exec(ctx)
		return err
	})
	return result, err
}

// run calls query with the prepared statement, or with the arguments in the text if it is not
// prepared, or was not run because it is.
func (s *Statement) run(ctx context.Context, db bun.IDB, args []any, query func(*bun.RawQuery) error) error {
	_, pooled := db.(*bun.DB)
	if pooled && !s.pool.asText.Load() {
		stmt, err := s.prepare(ctx)
		if stmt != nil {
			err = query(db.NewRaw(s.text).Conn(&conn{s.pool.db.DB, stmt, s.inOrder(args)}))
		}
		why := dberr.RefusalOf(err)
		if stmt != nil && why == dberr.NotRefused {
			return err
		}
		if why == dberr.Stale || why == dberr.Lost {
			s.discard(stmt)
		}
		s.pool.refused(why, err)
	}
	text := s.withValues(args)
	err := query(db.NewRaw("?", text))
	if why := dberr.RefusalOf(err); pooled && (why == dberr.Stale || why == dberr.Lost) { // a driver may have prepared the same text before
		err = query(db.NewRaw("?", text))
	}
	return err
}

// inOrder returns an argument for each placeholder.
func (s *Statement) inOrder(args []any) []any {
	if s.pool.dialect != dialect.MySQL { // the placeholders have numbers
		return args
	}
	each := make([]any, len(s.order))
	for i, n := range s.order {
		each[i] = args[n]
	}
	return each
}

// withValues returns the statement with its arguments as Bun writes them.
func (s *Statement) withValues(args []any) bun.Safe {
	var b []byte
	gen := s.pool.db.QueryGen()
	for i, n := range s.order {
		b = gen.Append(append(b, s.pieces[i]...), args[n])
	}
	return bun.Safe(append(b, s.pieces[len(s.pieces)-1]...))
}
