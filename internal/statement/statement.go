// Package statement sends the statements that the library repeats with arguments apart from
// their text, so that the database plans each once and not for every request. Bun writes
// values into the text instead; that stays for statements that are rare or whose text an
// application changes.
package statement

import (
	"context"
	"database/sql"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// Statement is an SQL statement with arguments. It is safe for concurrent use. Bun's query
// hooks see it with the placeholders of its driver in place of the values.
type Statement struct {
	gen    schema.QueryGen
	pieces []string // the text between the arguments
	order  []int    // which argument follows each piece but the last, from 0

	text       string      // with the placeholders of the driver
	positional bool        // the driver wants an argument for each placeholder
	named      bool        // prepared statements have names, on PostgreSQL
	checked    atomic.Bool // that the driver names them by their text
	literal    atomic.Bool
	stmt       atomic.Pointer[sql.Stmt] // nil before its first use
}

// canPrepare reports whether the statements of db may be prepared. A resolver of connections
// chooses one for each of Bun's queries, and may return anything.
func canPrepare(db *bun.DB) bool {
	if hasResolver(db) {
		return false
	}
	switch db.Dialect().Name() {
	case dialect.SQLite, dialect.MySQL, dialect.PG:
		return true
	}
	return false
}

// hasResolver reports whether db has a bun.ConnResolver. Bun has no method for that. If a
// later version of Bun keeps it elsewhere, the result is true, which is slower and correct.
func hasResolver(db *bun.DB) bool {
	state := reflect.Indirect(reflect.ValueOf(db).Elem().FieldByName("noCopyState"))
	if !state.IsValid() {
		return true
	}
	resolver := state.FieldByName("resolver")
	return !resolver.IsValid() || resolver.Kind() != reflect.Interface || !resolver.IsNil()
}

// argument marks the place of an argument in the text of a statement, before its number. No
// statement contains it.
const argument = '\x00'

// Arg stands for argument n of a statement, from 1 to 255, in the text for [New]. It may occur
// several times.
func Arg(n int) bun.Safe { return bun.Safe([]byte{argument, byte(n)}) }

// New returns a statement for db, without I/O. Its text has [Arg] in the place of arguments.
func New(db *bun.DB, text string) *Statement {
	s := &Statement{gen: db.QueryGen()}
	s.literal.Store(!canPrepare(db))
	for {
		piece, rest, found := strings.Cut(text, string(argument))
		s.pieces = append(s.pieces, piece)
		if !found {
			break
		}
		s.order = append(s.order, int(rest[0])-1)
		text = rest[1:]
	}
	name := db.Dialect().Name()
	s.positional, s.named = name == dialect.MySQL, name == dialect.PG
	var b strings.Builder
	for i, n := range s.order {
		b.WriteString(s.pieces[i])
		switch name {
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
	return s
}

// Scan runs the statement on db and stores the rows in dest, as Bun's Scan does. db is the
// database of [New], or a transaction of it, for which the statement is not prepared: there
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

// run calls query with the prepared statement. If the database did not run it because it is
// prepared, run calls query again with the arguments in the text.
func (s *Statement) run(ctx context.Context, db bun.IDB, args []any, query func(*bun.RawQuery) error) error {
	if pool, ok := db.(*bun.DB); ok && !s.literal.Load() {
		to, err := s.connect(ctx, pool, args)
		if to != nil {
			err = query(db.NewRaw(s.text).Conn(to))
		}
		if ran := to != nil || err != nil; ran && !dberr.NotPrepared(err) {
			return err
		}
		if dberr.IsStale(err) {
			s.discard(to)
		}
		if dberr.LosesPrepared(err) {
			s.literal.Store(true)
		}
	}
	text := s.withValues(args)
	err := query(db.NewRaw("?", text))
	if dberr.IsStale(err) { // a driver may have prepared the same text before
		err = query(db.NewRaw("?", text))
	}
	return err
}

// withValues returns the statement with its arguments as Bun writes them.
func (s *Statement) withValues(args []any) bun.Safe {
	var b []byte
	for i, n := range s.order {
		b = s.gen.Append(append(b, s.pieces[i]...), args[n])
	}
	return bun.Safe(append(b, s.pieces[len(s.pieces)-1]...))
}
