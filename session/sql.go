package session

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// SQL keeps sessions in the table fiberjwt_sessions of a database that Bun
// speaks to: one row for each login, updated in place.
type SQL struct {
	db      *bun.DB
	advance func(s *SQL, ctx context.Context, a present) (Row, Outcome, error)
	clock   bun.Safe             // an expression for the time of the server, "" if there is no server
	galera  atomic.Pointer[bool] // nil until the database was asked

	mu    sync.Mutex
	swept []byte // the last key that pruneAttempts has looked at, nil at the end of the table
}

var (
	_ Store       = (*SQL)(nil)
	_ Revocations = (*SQL)(nil)
	_ Slider      = (*SQL)(nil)
	_ Clock       = (*SQL)(nil)
)

// NewSQL is the store on db. SQLite, PostgreSQL and MariaDB have a statement of
// their own for a refresh; MySQL and any other database is read, judged and
// compared on writing. It does no I/O; [Migrate] creates the table. MariaDB is
// known by what it answered to bun.NewDB: one that was down then is taken for
// MySQL, which costs round trips, until the process starts again. Galera is asked
// for once, by the first statement that depends on it.
//
// Every write is one statement outside any transaction of the application's, needs
// no isolation level above READ COMMITTED, and works at each. [Times.StoreClock] is
// the clock of the server; SQLite and other databases go by that of the process. A
// statement that the database rolled back, for a deadlock, a conflict with another
// node or because SQLite was busy, is tried again, with random pauses, at most for
// some three seconds while ctx goes on.
func NewSQL(db *bun.DB) *SQL {
	s := &SQL{db: db, advance: (*SQL).compareAndSet}
	switch db.Dialect().Name() {
	case dialect.SQLite:
		s.advance = (*SQL).advanceSQLite
	case dialect.PG:
		s.advance, s.clock = (*SQL).advancePostgres, postgresClock
	case dialect.MySQL:
		s.clock = mysqlClock
	}
	if db.HasFeature(feature.InsertReturning) && db.Dialect().Name() == dialect.MySQL {
		s.advance = (*SQL).advanceMaria
	}
	return s
}

// The time of the server in Unix milliseconds, the same wherever it stands in one
// statement. PostgreSQL's now() would be the start of a transaction. What MariaDB
// and MySQL call NOW() is in the time zone of the connection, where an hour of
// each autumn comes twice.
const (
	postgresClock bun.Safe = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint"
	mysqlClock    bun.Safe = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000)"
)

const (
	table   = "fiberjwt_sessions"
	columns = "sid, kind, subject, gen, prev, issued, idle_until, ends, revoked, auth_time, created, address, agent"

	living = "revoked IS NULL AND idle_until > ? AND ends > ?"

	pruneBatch = 500

	// secondLook bounds what is done after a change of a password on Galera.
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
		// Nothing is returned: see advanceMaria.
		_, err := s.db.NewInsert().Model(&model{Row: row}).Ignore().Returning("NULL").Exec(ctx)
		return err
	})
}

// CreateFor is Create for as long as account, a SELECT without columns, finds
// the account of the row: a login must not outlive the deletion of the account
// or a change of the password that ran in between. created is false when it
// finds none. db is the database of the store or a transaction of it.
func (s *SQL) CreateFor(ctx context.Context, db bun.IDB, row Row, account *bun.SelectQuery) (created bool, err error) {
	account = account.ColumnExpr("?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?", row.SID, row.Kind, row.Subject, row.Gen, row.Prev,
		row.Issued, row.IdleUntil, row.Ends, row.AuthTime, row.Created, row.Address, row.Agent)
	switch s.db.Dialect().Name() {
	case dialect.PG:
		account = account.For("SHARE") // waits for a change of the password that has not committed yet
	case dialect.MySQL:
		account = account.For("UPDATE") // MariaDB and MySQL spell SHARE differently
	}
	insert := func() (err error) {
		created, err = affected(db.NewRaw("INSERT INTO "+table+" ("+columns+") ?", account).Exec(ctx))
		return err
	}
	if _, alone := db.(*bun.DB); !alone { // in a transaction, which is over then as a whole
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
	return s.stillFor(ctx, account, row)
}

// Quoting says which settings of the database make it unsafe to write text of
// clients into statements, and what to do about each. The error is of the database.
func (s *SQL) Quoting(ctx context.Context) ([]string, error) { return dbcheck.Quoting(ctx, s.db) }

// On says that the store is on db, so that a SELECT from db may use [WhereAlive].
func (s *SQL) On(db *bun.DB) bool { return s.db.DB == db.DB }

// WhereAlive is a condition for the SELECT that loads an account: the session
// of the access token is alive. One round trip, and logout is immediate.
func WhereAlive(q *bun.SelectQuery, kind, subject string, sid []byte, now int64) *bun.SelectQuery {
	return q.Where("EXISTS (SELECT 1 FROM fiberjwt_sessions AS fiberjwt_s WHERE fiberjwt_s.sid = ? AND fiberjwt_s.kind = ?"+
		" AND fiberjwt_s.subject = ? AND fiberjwt_s.revoked IS NULL AND fiberjwt_s.idle_until > ? AND fiberjwt_s.ends > ?)",
		sid, kind, subject, now, now)
}

// present is what a client presents; the names are those of the statements.
type present struct {
	SID                        []byte
	Kind                       string
	G, Age, Grace, Rearm, Idle int64
	Now                        bun.Safe // a number, or the clock of the server
	now                        int64    // of the process
	times                      Times
}

// Refresh implements [Store].
func (s *SQL) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t Times) (row Row, o Outcome, err error) {
	p := present{
		SID: sid, Kind: kind, G: g, Now: bun.Safe(strconv.FormatInt(now, 10)), now: now, times: t,
		Age: t.Age.Milliseconds(), Grace: t.Grace.Milliseconds(), Rearm: t.Rearm.Milliseconds(), Idle: t.Idle.Milliseconds(),
	}
	if t.StoreClock && s.clock != "" {
		p.Now = s.clock
	}
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

// judged is Decide as an expression over the row.
const judged = `CASE
    WHEN revoked IS NOT NULL OR idle_until <= ?now OR ends <= ?now THEN 0
    WHEN ?g > gen THEN 1
    WHEN ?g = gen AND ?now - issued < ?age THEN 2
    WHEN ?g = gen THEN 3
    WHEN ?g = prev AND ?now - issued < ?grace THEN 4
    WHEN ?g = prev AND ?now - issued < ?rearm THEN 5
    WHEN ?g = prev THEN 6
    ELSE 7 END`

// changes is what the outcomes set, from the row j as it was.
const changes = `
  gen = CASE j.outcome WHEN 1 THEN ?g WHEN 3 THEN j.gen + 1 WHEN 6 THEN j.gen + 1 ELSE j.gen END,
  prev = CASE j.outcome WHEN 1 THEN j.gen WHEN 3 THEN j.gen WHEN 7 THEN -2 ELSE j.prev END,
  issued = CASE WHEN j.outcome IN (1, 3, 5, 6) THEN ?now ELSE j.issued END,
  idle_until = CASE WHEN j.outcome NOT IN (1, 3, 5, 6) THEN j.idle_until WHEN ?now + ?idle < j.ends THEN ?now + ?idle ELSE j.ends END,
  revoked = CASE j.outcome WHEN 7 THEN ?now ELSE j.revoked END`

// sqliteRefresh (3.35 and later) gives the row that it wrote, or none.
const sqliteRefresh = `
WITH j AS (SELECT *, ` + judged + ` AS outcome FROM fiberjwt_sessions WHERE sid = ?sid AND kind = ?kind)
UPDATE fiberjwt_sessions AS s SET` + changes + `
FROM j
WHERE s.sid = j.sid AND j.outcome IN (1, 3, 5, 6, 7)
RETURNING ` + columns

// advanceSQLite tries the statement that writes. Without a row the outcome is
// one that does not write and is found by reading; if a racing refresh changed
// the row between the two, the turn is taken again.
func (s *SQL) advanceSQLite(ctx context.Context, p present) (Row, Outcome, error) {
	for {
		var row model
		err := s.db.NewRaw(sqliteRefresh, p).Scan(ctx, &row)
		if err == nil {
			return row.Row, written(row.Row, p.G), nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return Row{}, Gone, err
		}
		row.Row, _, err = s.Find(ctx, p.Kind, p.SID)
		if err != nil {
			return Row{}, Gone, err
		}
		if after, o := Decide(row.Row, p.G, p.now, p.times); !o.Writes() {
			return after, o, nil
		}
	}
}

// written is the outcome of a row that was just written; Rotate stands for
// Rearm and Replace too.
func written(row Row, g int64) Outcome {
	switch {
	case row.Revoked != 0:
		return Reuse
	case row.Gen == g:
		return Heal
	}
	return Rotate
}

// postgresRefresh locks the row, so that racing tabs queue, judges what the
// one before left, and writes if there is something to write.
const postgresRefresh = `
WITH locked AS (SELECT * FROM fiberjwt_sessions WHERE sid = ?sid AND kind = ?kind FOR NO KEY UPDATE),
j AS (SELECT *, ` + judged + ` AS outcome FROM locked),
w AS (UPDATE fiberjwt_sessions AS s SET` + changes + `
  FROM j WHERE s.sid = j.sid AND j.outcome IN (1, 3, 5, 6, 7)
  RETURNING s.sid, s.gen, s.prev, s.issued, s.idle_until, s.revoked)
SELECT j.outcome, j.sid, j.kind, j.subject, j.ends, j.auth_time, j.created, j.address, j.agent,
  COALESCE(w.gen, j.gen) AS gen, COALESCE(w.prev, j.prev) AS prev, COALESCE(w.issued, j.issued) AS issued,
  COALESCE(w.idle_until, j.idle_until) AS idle_until, COALESCE(w.revoked, j.revoked) AS revoked
FROM j LEFT JOIN w ON w.sid = j.sid`

func (s *SQL) advancePostgres(ctx context.Context, p present) (Row, Outcome, error) {
	return s.advanceOnce(ctx, postgresRefresh, p)
}

// mariaRefresh (10.5 and later) updates by an insert that meets the row it read,
// since MariaDB has RETURNING for INSERT only. The outcome goes out through
// LAST_INSERT_ID; a row that stays as it is is not written. Not on Galera: a node
// that has to run a statement of its own again has sent the first rows already,
// and go-sql-driver panics at the second, or takes the first ones for true.
const mariaRefresh = `
INSERT INTO fiberjwt_sessions (` + columns + `)
SELECT ` + columns + ` FROM (
  SELECT fiberjwt_sessions.*, ` + judged + ` AS outcome FROM fiberjwt_sessions WHERE sid = ?sid AND kind = ?kind FOR UPDATE) AS j
ON DUPLICATE KEY UPDATE` + changes + `,
  created = j.created + 0 * LAST_INSERT_ID(j.outcome)
RETURNING LAST_INSERT_ID() AS outcome, ` + columns

func (s *SQL) advanceMaria(ctx context.Context, p present) (Row, Outcome, error) {
	galera, err := s.onGalera(ctx)
	if err != nil {
		return Row{}, Gone, err
	}
	if galera {
		return s.compareAndSet(ctx, p)
	}
	return s.advanceOnce(ctx, mariaRefresh, p)
}

// advanceOnce runs a statement that gives the row afterwards and the outcome.
func (s *SQL) advanceOnce(ctx context.Context, statement string, p present) (Row, Outcome, error) {
	var found struct {
		Row
		Outcome Outcome `bun:"outcome"`
	}
	err := s.db.NewRaw(statement, p).Scan(ctx, &found)
	if errors.Is(err, sql.ErrNoRows) {
		return Row{}, Gone, nil
	}
	return found.Row, found.Outcome, err
}

// compareAndSet is for databases without a statement of their own: read, judge
// in Go, and write only over the row that was judged.
func (s *SQL) compareAndSet(ctx context.Context, p present) (Row, Outcome, error) {
	for {
		var found struct {
			Row
			Now int64 `bun:"now"`
		}
		err := s.db.NewRaw("SELECT "+columns+", ?now AS now FROM "+table+" WHERE sid = ?sid AND kind = ?kind", p).Scan(ctx, &found)
		if errors.Is(err, sql.ErrNoRows) {
			return Row{}, Gone, nil
		}
		if err != nil {
			return Row{}, Gone, err
		}
		after, o := Decide(found.Row, p.G, found.Now, p.times)
		if !o.Writes() {
			return after, o, nil
		}
		swapped, err := s.swap(ctx, found.Row, after)
		if err != nil || swapped {
			return after, o, err
		}
	}
}

// swap writes after over before, if that is still what the table has.
func (s *SQL) swap(ctx context.Context, before, after Row) (bool, error) {
	q := s.db.NewUpdate().Model((*model)(nil)).
		Set("gen = ?", after.Gen).Set("prev = ?", after.Prev).Set("issued = ?", after.Issued).Set("idle_until = ?", after.IdleUntil).
		Where("sid = ? AND gen = ? AND prev = ? AND issued = ? AND revoked IS NULL", before.SID, before.Gen, before.Prev, before.Issued)
	if after.Revoked != 0 {
		q = q.Set("revoked = ?", after.Revoked)
	}
	return affected(q.Exec(ctx))
}

// Find implements [Store].
func (s *SQL) Find(ctx context.Context, kind string, sid []byte) (Row, bool, error) {
	var row model
	err := dberr.RetryIdempotent(ctx, func() error {
		return s.db.NewSelect().Model(&row).Where("sid = ? AND kind = ?", sid, kind).Scan(ctx)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Row{}, false, nil
	}
	return row.Row, err == nil, err
}

// Slide implements [Slider].
func (s *SQL) Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (row Row, alive bool, err error) {
	err = dberr.RetryIdempotent(ctx, func() error {
		_, err := s.db.NewUpdate().Model((*model)(nil)).
			Set("idle_until = CASE WHEN ? < ends THEN ? ELSE ends END", now+idle, now+idle).
			Where("sid = ? AND kind = ? AND "+living, sid, kind, now, now).Exec(ctx)
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
	// Ended before, or not there.
	return db.NewSelect().Model((*model)(nil)).ApplyQueryBuilder(owned).Exists(ctx)
}

// RevokeAll implements [Store].
func (s *SQL) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	return dberr.RetryIdempotent(ctx, func() error { return revokeAll(ctx, s.db, kind, subject, except, now) })
}

// RevokeFormer ends what sessions an earlier account has left whose key a new
// one got, in the transaction that stores that. It looks first, without a lock:
// on MariaDB an UPDATE that finds nothing locks the gap where it looked, and two
// registrations would wait for each other.
func (s *SQL) RevokeFormer(ctx context.Context, tx bun.Tx, kind, subject string, now int64) error {
	found, err := tx.NewSelect().Model((*model)(nil)).Where("kind = ? AND subject = ? AND "+living, kind, subject, now, now).Exists(ctx)
	if err != nil || !found {
		return err
	}
	return revokeAll(ctx, tx, kind, subject, nil, now)
}

// Change runs change, which replaces the password of an account, in a transaction
// that also ends every session of the account, under each of kinds, but sid, whose
// password it proves.
func (s *SQL) Change(ctx context.Context, kinds []string, subject string, sid []byte, now int64, change func(context.Context, bun.Tx) error) error {
	galera, err := s.onGalera(ctx)
	if err != nil {
		return err
	}
	var options *sql.TxOptions
	if s.db.Dialect().Name() == dialect.PG {
		// Above it, PostgreSQL shows the sessions as they were before the change
		// waited for a login.
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
	// See stillFor. The change has committed, whatever is left of the caller's time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secondLook)
	defer cancel()
	for _, kind := range kinds {
		if err := s.RevokeAll(ctx, kind, subject, sid, now); err != nil {
			return err
		}
	}
	return nil
}

// KeepOnly is Prove for the session sid and RevokeAll for every other of the
// account, in a transaction of the store's database.
func (s *SQL) KeepOnly(ctx context.Context, tx bun.Tx, kind, subject string, sid []byte, now int64) error {
	if err := prove(ctx, tx, sid, now); err != nil {
		return err
	}
	return revokeAll(ctx, tx, kind, subject, sid, now)
}

func revokeAll(ctx context.Context, db bun.IDB, kind, subject string, except []byte, now int64) error {
	q := db.NewUpdate().Model((*model)(nil)).Set("revoked = ?", now).
		// Not "revoked IS NULL": MariaDB would take the index on revoked too, and
		// lock the rows of strangers.
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

// Prune implements [Store]. When no session is left to forget, it forgets
// failed sign-ins that have faded.
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
		// Two processes that prune at once take different rows.
		return "DELETE FROM " + table + " WHERE sid IN (SELECT sid FROM " + table + " WHERE ends < ? LIMIT ? FOR UPDATE SKIP LOCKED)"
	case dialect.MySQL:
		return "DELETE FROM " + table + " WHERE ends < ? LIMIT ?"
	}
	return "DELETE FROM " + table + " WHERE sid IN (SELECT sid FROM " + table + " WHERE ends < ? LIMIT ?)"
}

// affected says whether a write found a row.
func affected(result sql.Result, err error) (bool, error) {
	n, err := rows(result, err)
	return n > 0, err
}

// rows says how many rows a write found.
func rows(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
