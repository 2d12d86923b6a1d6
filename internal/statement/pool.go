package statement

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// Pool has the statements of a database. It is safe for concurrent use.
type Pool struct {
	db      *bun.DB
	dialect dialect.Name
	asText  atomic.Bool // statements contain their values; none is prepared
	named   atomic.Bool // on PostgreSQL: the driver names statements by their text
	losses  atomic.Int32
	onText  func(cause error)

	mu  sync.Mutex
	all []*Statement
}

// maxLosses is how many statements the server may lose before none is prepared any more. A
// single loss may come from a DISCARD ALL of the application.
const maxLosses = 3

// NewPool returns a Pool without statements. It does no I/O. Statements are prepared by
// database/sql, unless db has a resolver of connections, which chooses one for each of Bun's
// queries, and may return anything. If the server turns out to refuse prepared statements, or
// to lose them, all statements are sent as text from then on, and onText, which may be nil, is
// called with the error.
func NewPool(db *bun.DB, onText func(cause error)) *Pool {
	p := &Pool{db: db, dialect: db.Dialect().Name(), onText: onText}
	switch p.dialect {
	case dialect.SQLite, dialect.MySQL, dialect.PG:
		p.asText.Store(hasResolver(db))
	default:
		p.asText.Store(true)
	}
	return p
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

// DB returns the database.
func (p *Pool) DB() *bun.DB { return p.db }

// Close closes what is prepared. From then on statements are sent as text.
func (p *Pool) Close() {
	p.asText.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.all {
		if stmt := s.stmt.Swap(nil); stmt != nil {
			closeLater(stmt)
		}
	}
}

// refused decides what follows from the error of a statement that was not run.
func (p *Pool) refused(why dberr.Refusal, cause error) {
	if why == dberr.RefusedByServer || why == dberr.Lost && p.losses.Add(1) >= maxLosses {
		if !p.asText.Swap(true) && p.onText != nil {
			p.onText(cause)
		}
	}
}

// mayPrepare reports whether statements may be prepared; text is one of them.
func (p *Pool) mayPrepare(ctx context.Context, text string) (bool, error) {
	if p.dialect != dialect.PG || p.named.Load() {
		return true, nil
	}
	named, err := p.isNamedByText(ctx, text)
	if err == nil && !named {
		p.asText.Store(true)
	}
	p.named.Store(named)
	return named, err
}

// isNamedByText reports whether the driver names prepared statements by their text, as pgx
// does since v5.5. Older versions, lib/pq and Bun's pgdriver count. Behind a PgBouncer that does
// not keep prepared statements, the name of one client may then be another statement of
// another client.
func (p *Pool) isNamedByText(ctx context.Context, text string) (bool, error) {
	one, err := p.db.DB.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = one.Close() }()
	stmt, err := one.PrepareContext(ctx, text)
	if err != nil {
		return false, err
	}
	defer func() { _ = stmt.Close() }()
	query := "SELECT name FROM pg_prepared_statements WHERE statement = " + string(p.db.QueryGen().Append(nil, text))
	var name string
	err = one.QueryRowContext(ctx, query).Scan(&name)
	if _, refused := dberr.SQLState(err); refused || errors.Is(err, sql.ErrNoRows) {
		return false, nil // the server has no such view, or another connection took the statement
	}
	return len(name) >= minHashedName || strings.HasPrefix(name, bouncerName), err
}

const (
	// minHashedName is shorter than a name with a hash of the text, and longer than one with a
	// number.
	minHashedName = 32
	// bouncerName begins the names that a PgBouncer gives that keeps prepared statements.
	bouncerName = "PGBOUNCER_"
)

// closeLater closes a statement. It does not wait for the calls that use it, as Close does.
func closeLater(stmt *sql.Stmt) { go func() { _ = stmt.Close() }() }
