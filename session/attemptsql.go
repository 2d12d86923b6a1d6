package session

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/feature"

	"github.com/fiberjwt/fiberjwt/internal/transient"
)

const attemptsTable = "fiberjwt_attempts"

var _ Attempts = (*SQL)(nil)

// Charge implements [Attempts], in one statement; in two if the attempt is
// refused on SQLite, or loses a race. MySQL and other databases need up to five.
func (s *SQL) Charge(ctx context.Context, a Attempt, now int64) (time.Duration, error) {
	c := newCharging(a, now)
	for {
		first, second, until, err := s.charge(ctx, c)
		switch {
		case err != nil:
			return 0, err
		case second:
			return 0, nil
		case first: // the second has begun to wait since the statement began
			if err := s.giveBack(ctx, c.counters[0], Counter{}, false); err != nil {
				return 0, err
			}
		}
		if wait := (Failures{Until: until}).Wait(now); wait > 0 {
			return time.Duration(wait) * time.Millisecond, nil
		}
	}
}

// Refund implements [Attempts].
func (s *SQL) Refund(ctx context.Context, a Attempt) error {
	return s.giveBack(ctx, a.Account, a.Address, false)
}

// Succeed implements [Attempts].
func (s *SQL) Succeed(ctx context.Context, a Attempt) error {
	return s.giveBack(ctx, a.Account, a.Address, true)
}

// charging is an attempt in the words of SQL. All statements lock the counters
// in the order of their keys, so that none waits for another in a ring.
type charging struct {
	counters [2]Counter
	fresh    [2]Failures // of a key that had none
	clear    [2]string   // Limit.Charge as expressions over the row
	until    [2]string
	keys     string // "?0, ?1"
	waiting  string // Failures.Wait as a condition on the row
}

func newCharging(a Attempt, now int64) charging {
	c := charging{
		counters: [2]Counter{a.Account, a.Address},
		keys:     "?0, ?1",
		waiting:  fmt.Sprintf("(%[1]s.wait_until > %[2]d AND %[1]s.wait_until <= %[3]d)", attemptsTable, now, now+LongestWait.Milliseconds()),
	}
	if bytes.Compare(a.Account.Key, a.Address.Key) > 0 {
		c.counters = [2]Counter{a.Address, a.Account}
	}
	for i, counter := range c.counters {
		c.fresh[i] = counter.Limit.Charge(Failures{}, now)
		c.clear[i], c.until[i] = counter.Limit.expressions(now)
	}
	return c
}

// expressions are Charge as a function of the row's clear_at: a step for each
// number of failures, taken from Charge itself.
func (l Limit) expressions(now int64) (clear, until string) {
	fade, column := l.Fade.Milliseconds(), attemptsTable+".clear_at"
	most := now + int64(l.Most())*fade
	clear = fmt.Sprintf("CASE WHEN %[1]s <= %[2]d THEN %[3]d WHEN %[1]s >= %[4]d THEN %[5]d ELSE %[1]s + %[6]d END",
		column, now, now+fade, most-fade, most, fade)
	var b strings.Builder
	b.WriteString("CASE")
	for i := range int64(l.Most()) {
		step := now + i*fade + ClockSkew.Milliseconds()
		if after, next := l.Charge(Failures{Clear: step}, now), l.Charge(Failures{Clear: step + 1}, now); after.Until != next.Until {
			fmt.Fprintf(&b, " WHEN %s <= %d THEN %d", column, step, after.Until)
		}
	}
	fmt.Fprintf(&b, " ELSE %d END", l.Charge(Failures{Clear: most}, now).Until)
	return clear, b.String()
}

// charge gives which of the counters were charged, the second only with the
// first, and until when one of them waited as the statement began.
func (s *SQL) charge(ctx context.Context, c charging) (first, second bool, until int64, err error) {
	switch name := s.db.Dialect().Name(); {
	case name == dialect.SQLite:
		err = transient.Retry(ctx, func() error {
			first, second, until, err = s.chargeSQLite(ctx, c)
			return err
		})
	case name == dialect.PG:
		err = transient.Retry(ctx, func() error {
			first, second, until, err = s.chargeAtOnce(ctx, c, c.postgres())
			return err
		})
	case name == dialect.MySQL && s.db.HasFeature(feature.InsertReturning):
		// Never again: the first counter may be charged. It handles deadlocks itself.
		first, second, until, err = s.chargeAtOnce(ctx, c, c.maria())
	default:
		first, second, until, err = s.chargeInTurn(ctx, c)
	}
	return first, second, until, err
}

// chargeAtOnce runs a statement that gives what charge gives.
func (s *SQL) chargeAtOnce(ctx context.Context, c charging, statement string) (first, second bool, until int64, err error) {
	var found struct {
		First  int64 `bun:"first"`
		Second int64 `bun:"second"`
		Until  int64 `bun:"wait_until"`
	}
	err = s.db.NewRaw(statement, c.counters[0].Key, c.counters[1].Key).Scan(ctx, &found)
	return found.First > 0, found.Second > 0, found.Until, err
}

// postgres sees both counters as they were when the statement began, but each
// of them as it is when it charges it.
func (c charging) postgres() string {
	insert := func(i int, where string) string {
		return fmt.Sprintf(`INSERT INTO fiberjwt_attempts (id, clear_at, wait_until) SELECT ?%d, %d, %d WHERE %s
  ON CONFLICT (id) DO UPDATE SET wait_until = %s, clear_at = %s WHERE NOT %s RETURNING 1`,
			i, c.fresh[i].Clear, c.fresh[i].Until, where, c.until[i], c.clear[i], c.waiting)
	}
	return `
WITH a AS (` + insert(0, "NOT EXISTS (SELECT 1 FROM fiberjwt_attempts WHERE id IN ("+c.keys+") AND "+c.waiting+")") + `),
b AS (` + insert(1, "EXISTS (SELECT 1 FROM a)") + `)
SELECT (SELECT count(*) FROM a) AS first, (SELECT count(*) FROM b) AS second, (` + c.waits() + `) AS wait_until`
}

// maria is a block of statements that is sent as one: MariaDB cannot say of an
// insert that met a row whether it changed it. Each is a transaction of its own
// and locks one row. An insert of a row that was deleted a moment ago locks it
// twice, though, so it can be in a deadlock: whatever is rolled back then has
// charged nobody, its ROW_COUNT() is -1.
func (c charging) maria() string {
	charge := func(i int, charged string) string {
		return c.update(i) + `; SET ` + charged + ` = ROW_COUNT();
    IF ` + charged + ` = 0 THEN ` + c.insert(i) + `; SET ` + charged + ` = ROW_COUNT(); END IF;`
	}
	return `
BEGIN NOT ATOMIC
  DECLARE charged_first, charged_second INT DEFAULT 0;
  DECLARE waits_until BIGINT DEFAULT (` + c.waits() + `);
  DECLARE CONTINUE HANDLER FOR 1213, 1020 BEGIN END;
  IF waits_until = 0 THEN
    ` + charge(0, "charged_first") + `
    IF charged_first > 0 THEN ` + charge(1, "charged_second") + ` END IF;
  END IF;
  SELECT charged_first AS first, charged_second AS second, waits_until AS wait_until;
END`
}

// waits is until when one of the counters waits, 0 if neither does.
func (c charging) waits() string {
	return "SELECT COALESCE(MAX(wait_until), 0) FROM fiberjwt_attempts WHERE id IN (" + c.keys + ") AND " + c.waiting
}

// update charges a counter that has a row and need not wait. MariaDB and MySQL
// set from left to right, so clear_at comes last.
func (c charging) update(i int) string {
	return fmt.Sprintf("UPDATE fiberjwt_attempts SET wait_until = %s, clear_at = %s WHERE id = ?%d AND NOT %s", c.until[i], c.clear[i], i, c.waiting)
}

func (c charging) insert(i int) string {
	return fmt.Sprintf("INSERT IGNORE INTO fiberjwt_attempts (id, clear_at, wait_until) VALUES (?%d, %d, %d)", i, c.fresh[i].Clear, c.fresh[i].Until)
}

// chargeSQLite is alone while it writes, so it charges both or neither.
func (s *SQL) chargeSQLite(ctx context.Context, c charging) (first, second bool, until int64, err error) {
	each := func(of [2]string) string {
		return "CASE WHEN excluded.id = ?0 THEN " + of[0] + " ELSE " + of[1] + " END"
	}
	statement := fmt.Sprintf(`
INSERT INTO fiberjwt_attempts (id, clear_at, wait_until)
SELECT * FROM (SELECT ?0, %d, %d UNION ALL SELECT ?1, %d, %d)
WHERE NOT EXISTS (SELECT 1 FROM fiberjwt_attempts WHERE id IN (%s) AND %s)
ON CONFLICT (id) DO UPDATE SET wait_until = %s, clear_at = %s`,
		c.fresh[0].Clear, c.fresh[0].Until, c.fresh[1].Clear, c.fresh[1].Until, c.keys, c.waiting, each(c.until), each(c.clear))
	charged, err := affected(s.db.NewRaw(statement, c.counters[0].Key, c.counters[1].Key).Exec(ctx))
	if err != nil || charged {
		return charged, charged, 0, err
	}
	until, err = s.waitsUntil(ctx, c)
	return false, false, until, err
}

func (s *SQL) waitsUntil(ctx context.Context, c charging) (until int64, err error) {
	err = s.db.NewRaw(c.waits(), c.counters[0].Key, c.counters[1].Key).Scan(ctx, &until)
	return until, err
}

// chargeInTurn is for databases without a statement of their own.
func (s *SQL) chargeInTurn(ctx context.Context, c charging) (first, second bool, until int64, err error) {
	if until, err = s.waitsUntil(ctx, c); err != nil || until > 0 {
		return false, false, until, err
	}
	if first, err = s.chargeOne(ctx, c, 0); err != nil || !first {
		return false, false, 0, err
	}
	second, err = s.chargeOne(ctx, c, 1)
	return first, second, 0, err
}

func (s *SQL) chargeOne(ctx context.Context, c charging, i int) (charged bool, err error) {
	err = transient.Retry(ctx, func() error {
		charged, err = affected(s.db.NewRaw(c.update(i), c.counters[0].Key, c.counters[1].Key).Exec(ctx))
		return err
	})
	if err != nil || charged {
		return charged, err
	}
	row := attempts{ID: c.counters[i].Key, Clear: c.fresh[i].Clear, Until: c.fresh[i].Until}
	err = transient.Retry(ctx, func() error {
		charged, err = affected(s.db.NewInsert().Model(&row).Ignore().Exec(ctx))
		return err
	})
	return charged, err
}

// attempts is a counter as Bun stores it.
type attempts struct {
	bun.BaseModel `bun:"table:fiberjwt_attempts"`

	ID    []byte `bun:"id,pk"`
	Clear int64  `bun:"clear_at"`
	Until int64  `bun:"wait_until"`
}

// giveBack refunds both, or forgets the first. It leaves the rows where they
// are: the next sign-in updates them in place.
func (s *SQL) giveBack(ctx context.Context, one, other Counter, forget bool) error {
	statement := "UPDATE fiberjwt_attempts SET wait_until = 0, clear_at = CASE WHEN fiberjwt_attempts.id <> ?0 THEN clear_at - ?3 WHEN ?4 = 1 THEN 0 ELSE clear_at - ?2 END"
	where := " WHERE id IN (?0, ?1)"
	if s.db.Dialect().Name() == dialect.PG { // whose UPDATE locks in no certain order
		where = " FROM (SELECT id AS locked FROM fiberjwt_attempts WHERE id IN (?0, ?1) ORDER BY id FOR UPDATE) AS l WHERE id = locked"
	}
	all := 0
	if forget {
		all = 1
	}
	return transient.Retry(ctx, func() error {
		_, err := s.db.NewRaw(statement+where, one.Key, other.Key, one.Limit.Fade.Milliseconds(), other.Limit.Fade.Milliseconds(), all).Exec(ctx)
		return err
	})
}

// pruneAttempts forgets some counters whose failures have all faded, and says 0
// at the end of the table. It walks along the primary key, page by page, and
// goes on where the last call stopped: an index on what changes with every
// sign-in would cost more than it gives, and a table that takes more than one
// deadline is walked nevertheless.
func (s *SQL) pruneAttempts(ctx context.Context, now int64) (deleted int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for deleted == 0 {
		var page []attempts
		err := s.db.NewSelect().Model(&page).Where("id > ?", append([]byte{}, s.swept...)).Order("id").Limit(pruneBatch).Scan(ctx)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			s.swept = nil
			return 0, nil
		}
		if deleted, err = s.deleteAttempts(ctx, faded(page, now), now); err != nil {
			return 0, err
		}
		s.swept = page[len(page)-1].ID
	}
	return deleted, nil
}

func faded(page []attempts, now int64) (ids [][]byte) {
	for _, row := range page {
		if row.Clear <= now && row.Until <= now {
			ids = append(ids, row.ID)
		}
	}
	return ids
}

func (s *SQL) deleteAttempts(ctx context.Context, faded [][]byte, now int64) (deleted int64, err error) {
	if len(faded) == 0 {
		return 0, nil
	}
	q := s.db.NewDelete().Model((*attempts)(nil))
	still := "id IN (?) AND clear_at <= ? AND wait_until <= ?" // a sign-in may have come between
	if s.db.Dialect().Name() == dialect.PG {
		still = "id IN (SELECT id FROM fiberjwt_attempts WHERE " + still + " FOR UPDATE SKIP LOCKED)"
	}
	q = q.Where(still, bun.List(faded), now, now)
	err = transient.Retry(ctx, func() error {
		deleted, err = rows(q.Exec(ctx))
		return err
	})
	return deleted, err
}
