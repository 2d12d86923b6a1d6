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
	how    way
	text   string // with the placeholders of the driver
	stmt   atomic.Pointer[sql.Stmt]

	positional bool // the driver wants an argument for each placeholder
}

// way is how a statement is sent.
type way int

const (
	// literally writes the arguments into the text, as Bun does.
	literally way = iota
	// bound sends text and arguments to a driver that prepares statements itself.
	bound
	// prepared uses a prepared statement of database/sql.
	prepared
)

// wayOf returns how the statements of db are sent.
//
// A prepared statement of PostgreSQL has a name. pgx derives it from the text, and its DSN
// has a setting for a PgBouncer that does not keep prepared statements. lib/pq and Bun's
// pgdriver count instead, so behind such a PgBouncer the name of one client may be another
// statement of another client. A driver that is wrapped is treated as unknown.
//
// A resolver of connections chooses one for each of Bun's queries, and may return anything.
func wayOf(db *bun.DB) way {
	if hasResolver(db) {
		return literally
	}
	switch db.Dialect().Name() {
	case dialect.SQLite, dialect.MySQL:
		return prepared
	case dialect.PG:
		driver := reflect.TypeOf(db.Driver())
		if driver.Kind() == reflect.Pointer && strings.HasPrefix(driver.Elem().PkgPath(), "github.com/jackc/pgx/") {
			return bound
		}
	}
	return literally
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

// Arg stands for argument n of a statement, from 1 to 9, in the text for [New]. It may occur
// several times.
func Arg(n int) bun.Safe { return bun.Safe([]byte{argument, '0' + byte(n)}) }

// New returns a statement for db, without I/O. Its text has [Arg] in the place of arguments.
func New(db *bun.DB, text string) *Statement {
	s := &Statement{gen: db.QueryGen(), how: wayOf(db)}
	for {
		piece, rest, found := strings.Cut(text, string(argument))
		s.pieces = append(s.pieces, piece)
		if !found {
			break
		}
		s.order = append(s.order, int(rest[0]-'1'))
		text = rest[1:]
	}
	name := db.Dialect().Name()
	s.positional = name == dialect.MySQL
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

// Scan runs the statement on db, which is the database of [New] or a transaction of it, and
// stores the rows in dest, as Bun's Scan does.
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

// run calls query with the statement, and again with its arguments in the text if the
// database did not run it otherwise.
func (s *Statement) run(ctx context.Context, db bun.IDB, args []any, query func(*bun.RawQuery) error) error {
	if s.how != literally {
		to, err := s.connect(ctx, db, args)
		if to != nil {
			err = query(db.NewRaw(s.text).Conn(to))
		}
		if (to != nil || err != nil) && !dberr.NotPrepared(err) {
			return err
		}
	}
	return query(db.NewRaw("?", s.literal(args)))
}

// literal returns the statement with its arguments as Bun writes them.
func (s *Statement) literal(args []any) bun.Safe {
	var b []byte
	for i, n := range s.order {
		b = s.gen.Append(append(b, s.pieces[i]...), args[n])
	}
	return bun.Safe(append(b, s.pieces[len(s.pieces)-1]...))
}
