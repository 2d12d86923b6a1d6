package session

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/statement"
)

// SQL is a [Store] in the table fiberjwt_sessions of a Bun database: one row for
// each login, updated in place. It is safe for concurrent use. It also implements
// [Attempts], [Revocations], [Slider], [Clock] and [Checker]. Its methods that belong
// to none of these interfaces are for fiberjwt itself, which uses them in the
// transactions of the accounts.
type SQL struct {
	db         *bun.DB
	statements statements
	advance    func(s *SQL, ctx context.Context, p present) (Row, Outcome, error)
	clock      bun.Safe             // an SQL expression for the time of the server, "" if there is no server
	galera     atomic.Pointer[bool] // nil until the database is asked

	mu    sync.Mutex
	swept []byte // the last key that pruneAttempts has read, nil at the end of the table
}

var (
	_ Store       = (*SQL)(nil)
	_ Revocations = (*SQL)(nil)
	_ Slider      = (*SQL)(nil)
	_ Clock       = (*SQL)(nil)
)

// NewSQL returns the store on db. It does no I/O; [Migrate] creates the tables.
//
// On PostgreSQL and MariaDB a refresh is one statement. PostgreSQL needs a second one
// for the rare outcomes that write but do not rotate, and if another refresh was
// faster. On SQLite, MySQL and other databases a refresh reads the row, decides, and
// writes if there is something to write and the row has not changed.
// MariaDB is recognized by its answer to bun.NewDB: a server that was down at that
// time is treated like MySQL, which costs round trips, until the process restarts.
// The first statement for which it matters asks whether the server is a node of a
// Galera cluster.
//
// Every write is one statement outside any transaction of the application. It needs
// no isolation level above READ COMMITTED, and works at each. [Times.StoreClock]
// uses the clock of the server; SQLite and other databases use that of the process.
// A statement that the database rolled back, for a deadlock, a conflict with
// another node or because SQLite was busy, is retried with random pauses for at
// most about three seconds, or until ctx is done.
func NewSQL(db *bun.DB) *SQL { return NewSQLIn(statement.NewPool(db, nil)) }

// NewSQLIn is NewSQL with a pool of statements, for fiberjwt itself.
func NewSQLIn(pool *statement.Pool) *SQL {
	db := pool.DB()
	s := &SQL{db: db, advance: (*SQL).compareAndSet}
	var refreshes []string
	switch db.Dialect().Name() {
	case dialect.PG:
		s.advance, s.clock, refreshes = (*SQL).advanceByStatement, postgresClock, []string{postgresRotate, postgresRefresh}
	case dialect.MySQL:
		s.clock = mysqlClock
		if db.HasFeature(feature.InsertReturning) {
			s.advance, refreshes = (*SQL).advanceMaria, []string{mariaRefresh}
		}
	}
	s.statements = newStatements(pool, refreshes, s.clock)
	return s
}

// The time of the server in Unix milliseconds. It has one value within a statement.
// PostgreSQL's now() would be the start of the transaction. NOW() of MariaDB and
// MySQL is in the time zone of the connection, in which one hour of each autumn
// occurs twice.
const (
	postgresClock bun.Safe = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint"
	mysqlClock    bun.Safe = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000)"
)

const (
	table   = "fiberjwt_sessions"
	columns = "sid, kind, subject, gen, prev, issued, idle_until, ends, revoked, auth_time, created, address, agent"

	living = "revoked IS NULL AND idle_until > ? AND ends > ?"

	pruneBatch = 500

	// secondLook limits the second revocation after a password change on Galera.
	secondLook = 5 * time.Second
)

// model is a Row as Bun stores it.
type model struct {
	bun.BaseModel `bun:"table:fiberjwt_sessions,alias:s"`
	Row
}

// Create implements [Store].
func (s *SQL) Create(ctx context.Context, row Row) error {
	return dberr.RetryIdempotent(ctx, func() error {
		// Without RETURNING: see mariaRefresh.
		_, err := s.db.NewInsert().Model(&model{Row: row}).Ignore().Returning("NULL").Exec(ctx)
		return err
	})
}

// CreateFor is Create on the condition that account, a SELECT without columns,
// finds the account of the row: a login must not outlive the deletion of the
// account, or a password change, that ran at the same time. created is false if it
// finds none. db is the database of the store or a transaction of it.
func (s *SQL) CreateFor(ctx context.Context, db bun.IDB, row Row, account *bun.SelectQuery) (created bool, err error) {
	account = account.ColumnExpr("?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?", row.SID, row.Kind, row.Subject, row.Gen, row.Prev,
		row.Issued, row.IdleUntil, row.Ends, row.AuthTime, row.Created, row.Address, row.Agent)
	switch s.db.Dialect().Name() {
	case dialect.PG:
		account = account.For("SHARE") // waits for a password change that has not committed yet
	case dialect.MySQL:
		account = account.For("UPDATE") // MariaDB and MySQL have different words for SHARE
	}
	insert := func() (err error) {
		created, err = affected(db.NewRaw("INSERT INTO "+table+" ("+columns+") ?", account).Exec(ctx))
		return err
	}
	if _, alone := db.(*bun.DB); !alone { // in a transaction, which fails as a whole: no retry
		err = insert()
		return created, err
	}
	galera, err := s.onGalera(ctx)
	if err == nil {
		err = dberr.Retry(ctx, insert)
	}
	if err != nil || !created || !galera {
		return created, err
	}
	return s.recheckAccount(ctx, account, row)
}

// Quoting returns the settings of the database that make it unsafe to write text of
// clients into statements, each with the fix. The error is that of the database.
func (s *SQL) Quoting(ctx context.Context) ([]string, error) {
	problems, err := dbcheck.Quoting(ctx, s.db)
	return fault.Texts(problems), err
}

// On reports whether the store is on db, so that one SELECT can read an account and
// check its session.
func (s *SQL) On(db *bun.DB) bool { return s.db.DB == db.DB }

// present is what a client presents.
type present struct {
	sid   []byte
	kind  string
	g     int64
	now   int64 // of the process
	times Times
	clock bool // use the clock of the server
}

// Refresh implements [Store].
func (s *SQL) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t Times) (row Row, o Outcome, err error) {
	p := present{sid: sid, kind: kind, g: g, now: now, times: t, clock: t.StoreClock && s.clock != ""}
	err = dberr.RetryIdempotent(ctx, func() error {
		row, o, err = s.advance(s, ctx, p)
		return err
	})
	return row, o, err
}

// Clock implements [Clock].
func (s *SQL) Clock(ctx context.Context, now int64) (clock int64, err error) {
	if s.clock == "" {
		return now, nil
	}
	err = dberr.RetryIdempotent(ctx, func() error { return s.db.NewRaw("SELECT ?", s.clock).Scan(ctx, &clock) })
	return clock, err
}

func (s *SQL) advanceMaria(ctx context.Context, p present) (Row, Outcome, error) {
	galera, err := s.onGalera(ctx)
	if err != nil {
		return Row{}, Gone, err
	}
	if galera {
		return s.compareAndSet(ctx, p)
	}
	return s.advanceByStatement(ctx, p)
}

// advanceByStatement tries the statements of the database in turn, and the last one until it
// has written what it decided: another refresh, or a logout, may be faster. It then decides by
// the row that this left.
func (s *SQL) advanceByStatement(ctx context.Context, p present) (Row, Outcome, error) {
	for try := 0; ; try++ {
		var found struct {
			Row
			Outcome Outcome `bun:"outcome"`
			Written bool    `bun:"written"`
		}
		refreshes := s.statements.refreshes
		err := refreshes[min(try, len(refreshes)-1)].run(ctx, s.db, &found, p)
		if errors.Is(err, sql.ErrNoRows) {
			return Row{}, Gone, nil
		}
		if err != nil || found.Written || !found.Outcome.Writes() {
			return found.Row, found.Outcome, err
		}
	}
}

// compareAndSet reads the row, decides in Go, and writes only if there is something to
// write and the row has not changed. It serves SQLite, where a second statement costs no
// round trip and most refreshes write nothing, and databases without a statement for a
// refresh.
func (s *SQL) compareAndSet(ctx context.Context, p present) (Row, Outcome, error) {
	for {
		before, now, err := s.rowAndTime(ctx, p)
		if errors.Is(err, sql.ErrNoRows) {
			return Row{}, Gone, nil
		}
		if err != nil {
			return Row{}, Gone, err
		}
		after, o := Decide(before, p.g, now, p.times)
		if !o.Writes() {
			return after, o, nil
		}
		swapped, err := s.swap(ctx, before, after)
		if err != nil || swapped {
			return after, o, err
		}
	}
}

// rowAndTime returns the row of a session, and the time by which a refresh is judged.
func (s *SQL) rowAndTime(ctx context.Context, p present) (Row, int64, error) {
	if !p.clock {
		var row model
		err := s.statements.find.Scan(ctx, s.db, &row, p.sid, p.kind)
		return row.Row, p.now, err
	}
	var found struct {
		Row
		Now int64 `bun:"now"`
	}
	err := s.statements.findAndTime.Scan(ctx, s.db, &found, p.sid, p.kind)
	return found.Row, found.Now, err
}

// swap writes after over before, if the table still contains before.
func (s *SQL) swap(ctx context.Context, before, after Row) (bool, error) {
	var revoked any
	if after.Revoked != 0 {
		revoked = after.Revoked
	}
	return affected(s.statements.swap.Exec(ctx, s.db, after.Gen, after.Prev, after.Issued, after.IdleUntil, revoked,
		before.SID, before.Gen, before.Prev, before.Issued))
}

// Find implements [Store].
func (s *SQL) Find(ctx context.Context, kind string, sid []byte) (Row, bool, error) {
	var row model
	err := dberr.RetryIdempotent(ctx, func() error { return s.statements.find.Scan(ctx, s.db, &row, sid, kind) })
	if errors.Is(err, sql.ErrNoRows) {
		return Row{}, false, nil
	}
	return row.Row, err == nil, err
}

// Slide implements [Slider].
func (s *SQL) Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (row Row, alive bool, err error) {
	err = dberr.RetryIdempotent(ctx, func() error {
		_, err := s.statements.slide.Exec(ctx, s.db, sid, kind, now, now+idle)
		return err
	})
	if err != nil {
		return Row{}, false, err
	}
	row, found, err := s.Find(ctx, kind, sid)
	return row, found && row.Alive(now), err
}

// Revoke implements [Store].
func (s *SQL) Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error) {
	err = dberr.RetryIdempotent(ctx, func() error {
		found, err = s.RevokeIn(ctx, s.db, sid, kind, subject, now)
		return err
	})
	return found, err
}

// RevokeIn is Revoke in a transaction of the store's database.
func (s *SQL) RevokeIn(ctx context.Context, db bun.IDB, sid []byte, kind, subject string, now int64) (bool, error) {
	owned := func(q bun.QueryBuilder) bun.QueryBuilder {
		q = q.Where("sid = ?", sid)
		if kind != "" {
			q = q.Where("kind = ?", kind)
		}
		if subject != "" {
			q = q.Where("subject = ?", subject)
		}
		return q
	}
	found, err := affected(db.NewUpdate().Model((*model)(nil)).Set("revoked = ?", now).ApplyQueryBuilder(owned).Where("revoked IS NULL").Exec(ctx))
	if err != nil || found {
		return found, err
	}
	// The session ended before, or does not exist.
	return db.NewSelect().Model((*model)(nil)).ApplyQueryBuilder(owned).Exists(ctx)
}

// RevokeAll implements [Store].
func (s *SQL) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	return dberr.RetryIdempotent(ctx, func() error { return revokeAll(ctx, s.db, kind, subject, except, now) })
}

// RevokeFormer ends the sessions of an earlier account whose primary key a new
// account got, in the transaction that stores the new account. It first reads
// without a lock: on MariaDB an UPDATE that finds no row locks the gap, and two
// registrations would wait for each other.
func (s *SQL) RevokeFormer(ctx context.Context, tx bun.Tx, kind, subject string, now int64) error {
	found, err := tx.NewSelect().Model((*model)(nil)).Where("kind = ? AND subject = ? AND "+living, kind, subject, now, now).Exists(ctx)
	if err != nil || !found {
		return err
	}
	return revokeAll(ctx, tx, kind, subject, nil, now)
}

// Change runs change, which replaces the password of an account, in a transaction
// that also ends every session of the account, under each of kinds, except sid. It
// records in sid that the password was verified.
func (s *SQL) Change(ctx context.Context, kinds []string, subject string, sid []byte, now int64, change func(context.Context, bun.Tx) error) error {
	galera, err := s.onGalera(ctx)
	if err != nil {
		return err
	}
	var options *sql.TxOptions
	if s.db.Dialect().Name() == dialect.PG {
		// At a higher level, PostgreSQL shows the sessions as they were before the
		// change waited for a login.
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	err = dberr.Retry(ctx, func() error {
		return s.db.RunInTx(ctx, options, func(ctx context.Context, tx bun.Tx) error {
			if err := change(ctx, tx); err != nil {
				return err
			}
			for _, kind := range kinds {
				if err := s.KeepOnly(ctx, tx, kind, subject, sid, now); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil || !galera {
		return err
	}
	// See recheckAccount. The change has committed, so this runs even if ctx is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secondLook)
	defer cancel()
	for _, kind := range kinds {
		if err := s.RevokeAll(ctx, kind, subject, sid, now); err != nil {
			return err
		}
	}
	return nil
}

// KeepOnly is Prove for the session sid, and RevokeAll for every other session of
// the account, in a transaction of the store's database.
func (s *SQL) KeepOnly(ctx context.Context, tx bun.Tx, kind, subject string, sid []byte, now int64) error {
	if err := prove(ctx, tx, sid, now); err != nil {
		return err
	}
	return revokeAll(ctx, tx, kind, subject, sid, now)
}

func revokeAll(ctx context.Context, db bun.IDB, kind, subject string, except []byte, now int64) error {
	q := db.NewUpdate().Model((*model)(nil)).Set("revoked = ?", now).
		// Not "revoked IS NULL": MariaDB would use the index on revoked too, and lock
		// the rows of other accounts.
		Where("kind = ? AND subject = ? AND COALESCE(revoked, 0) = 0", kind, subject)
	if except != nil {
		q = q.Where("sid <> ?", except)
	}
	_, err := q.Exec(ctx)
	return err
}

// RevokedSince implements [Revocations].
func (s *SQL) RevokedSince(ctx context.Context, since int64) ([][]byte, error) {
	var sids [][]byte
	err := dberr.RetryIdempotent(ctx, func() error {
		sids = nil
		return s.db.NewSelect().Model((*model)(nil)).Column("sid").Where("revoked > ?", since).Scan(ctx, &sids)
	})
	return sids, err
}

// Prove implements [Store].
func (s *SQL) Prove(ctx context.Context, sid []byte, now int64) error {
	return dberr.RetryIdempotent(ctx, func() error { return prove(ctx, s.db, sid, now) })
}

func prove(ctx context.Context, db bun.IDB, sid []byte, now int64) error {
	_, err := db.NewUpdate().Model((*model)(nil)).Set("auth_time = ?", now).Where("sid = ?", sid).Exec(ctx)
	return err
}

// List implements [Store].
func (s *SQL) List(ctx context.Context, kind, subject string, now int64) ([]Row, error) {
	var found []model
	err := dberr.RetryIdempotent(ctx, func() error {
		found = nil
		return s.db.NewSelect().Model(&found).
			Where("kind = ? AND subject = ? AND "+living, kind, subject, now, now).
			Order("created DESC", "sid").Limit(listLimit).Scan(ctx)
	})
	list := make([]Row, len(found))
	for i := range found {
		list[i] = found[i].Row
	}
	return list, err
}

// Prune implements [Store]. When no ended session is left, it deletes expired
// records of failed sign-ins.
func (s *SQL) Prune(ctx context.Context, now int64) (deleted int64, err error) {
	err = dberr.RetryIdempotent(ctx, func() error {
		deleted, err = rows(s.db.NewRaw(s.pruneStatement(), now, pruneBatch).Exec(ctx))
		return err
	})
	if err != nil || deleted > 0 {
		return deleted, err
	}
	return s.pruneAttempts(ctx, now)
}

func (s *SQL) pruneStatement() string {
	switch s.db.Dialect().Name() {
	case dialect.PG:
		// Two processes that prune at the same time delete different rows.
		return "DELETE FROM " + table + " WHERE sid IN (SELECT sid FROM " + table + " WHERE ends < ? LIMIT ? FOR UPDATE SKIP LOCKED)"
	case dialect.MySQL:
		return "DELETE FROM " + table + " WHERE ends < ? LIMIT ?"
	}
	return "DELETE FROM " + table + " WHERE sid IN (SELECT sid FROM " + table + " WHERE ends < ? LIMIT ?)"
}

// affected reports whether a write found a row.
func affected(result sql.Result, err error) (bool, error) {
	n, err := rows(result, err)
	return n > 0, err
}

// rows returns how many rows a write found.
func rows(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
