package session

import (
	"context"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/statement"
)

// statements are what [SQL] sends most often, with arguments apart from the text.
type statements struct {
	find        *statement.Statement
	findAndTime *statement.Statement // with the clock of the server; nil if there is no server
	swap        *statement.Statement
	slide       *statement.Statement
	refreshes   []refreshStatement // in the order in which they are tried; none on some databases

	loadAttempts *perNumber
	swapAttempts *perNumber
}

// newStatements returns the statements in a pool. refreshes are the statements of its database
// for a refresh, and clock is an SQL expression for the time of the server, "" if it has none.
func newStatements(pool *statement.Pool, refreshes []string, clock bun.Safe) statements {
	one := func(text string) *statement.Statement { return pool.New(arguments.Replace(text)) }
	s := statements{
		find: one("SELECT " + columns + " FROM " + table + " WHERE sid = $1 AND kind = $2"),
		swap: one("UPDATE " + table + " SET gen = $1, prev = $2, issued = $3, idle_until = $4, revoked = $5" +
			" WHERE sid = $6 AND gen = $7 AND prev = $8 AND issued = $9 AND revoked IS NULL"),
		slide: one("UPDATE " + table + " SET idle_until = CASE WHEN $4 < ends THEN $4 ELSE ends END" +
			" WHERE sid = $1 AND kind = $2 AND " + strings.ReplaceAll(living, "?", "$3")),
	}
	conflict := onConflict
	if pool.DB().Dialect().Name() == dialect.MySQL {
		conflict = onDuplicateKey
	}
	s.loadAttempts = &perNumber{build: func(n int) *statement.Statement { return pool.New(selectAttempts(n)) }}
	s.swapAttempts = &perNumber{build: func(n int) *statement.Statement { return pool.New(upsertAttempts(n) + conflict) }}
	if clock != "" {
		s.findAndTime = one("SELECT " + columns + ", " + string(clock) + " AS now FROM " + table + " WHERE sid = $1 AND kind = $2")
	}
	for _, text := range refreshes {
		s.refreshes = append(s.refreshes, refreshStatement{ofProcess: newRefresh(pool, text, ""), ofServer: newRefresh(pool, text, string(clock))})
	}
	return s
}

var arguments = strings.NewReplacer("$1", arg(1), "$2", arg(2), "$3", arg(3), "$4", arg(4), "$5", arg(5), "$6", arg(6), "$7", arg(7), "$8", arg(8), "$9", arg(9))

func arg(n int) string { return string(statement.Arg(n)) }

// refreshStatement is a statement for a refresh, by one clock or the other.
type refreshStatement struct{ ofProcess, ofServer *statement.Statement }

// newRefresh returns a statement for a refresh. If clock is "", its last argument is the time.
func newRefresh(pool *statement.Pool, text, clock string) *statement.Statement {
	number := func(n int) string {
		if pool.DB().Dialect().Name() == dialect.PG {
			return arg(n) + "::bigint" // PostgreSQL cannot derive the type of a sum of two arguments
		}
		return arg(n)
	}
	if clock == "" {
		clock = number(8)
	}
	return pool.New(strings.NewReplacer("?sid", arg(1), "?kind", arg(2), "?grace", number(4), "?g", number(3),
		"?rearm", number(5), "?age", number(6), "?idle", number(7), "?now", clock).Replace(text))
}

// run runs the statement, and stores what it returns in found.
func (s refreshStatement) run(ctx context.Context, db *bun.DB, found any, p present) error {
	t := p.times
	args := []any{p.sid, p.kind, p.g, t.Grace.Milliseconds(), t.Rearm.Milliseconds(), t.Age.Milliseconds(), t.Idle.Milliseconds(), p.now}
	if p.clock {
		return s.ofServer.Scan(ctx, db, found, args[:7]...)
	}
	return s.ofProcess.Scan(ctx, db, found, args...)
}

// judged is [Decide] as an SQL expression over the row.
const judged = `CASE
    WHEN revoked IS NOT NULL OR idle_until <= ?now OR ends <= ?now THEN 0
    WHEN ?g > gen THEN 1
    WHEN ?g = gen AND ?now - issued < ?age THEN 2
    WHEN ?g = gen THEN 3
    WHEN ?g = prev AND ?now - issued < ?grace THEN 4
    WHEN ?g = prev AND ?now - issued < ?rearm THEN 5
    WHEN ?g = prev THEN 6
    ELSE 7 END`

// changes are the assignments of each outcome. j is the row before the refresh.
const changes = `
  gen = CASE j.outcome WHEN 1 THEN ?g WHEN 3 THEN j.gen + 1 WHEN 6 THEN j.gen + 1 ELSE j.gen END,
  prev = CASE j.outcome WHEN 1 THEN j.gen WHEN 3 THEN j.gen WHEN 7 THEN -2 ELSE j.prev END,
  issued = CASE WHEN j.outcome IN (1, 3, 5, 6) THEN ?now ELSE j.issued END,
  idle_until = CASE WHEN j.outcome NOT IN (1, 3, 5, 6) THEN j.idle_until WHEN ?now + ?idle < j.ends THEN ?now + ?idle ELSE j.ends END,
  revoked = CASE j.outcome WHEN 7 THEN ?now ELSE j.revoked END`

// postgresRotate does what most refreshes need: it rotates, or reads and decides if that is not
// the outcome. If the row has changed since the statement began, the outcome is Rotate and
// written is false. It takes half the time of postgresRefresh, which can write every outcome.
const postgresRotate = `
WITH w AS (UPDATE fiberjwt_sessions SET gen = gen + 1, prev = gen, issued = ?now,
    idle_until = CASE WHEN ?now + ?idle < ends THEN ?now + ?idle ELSE ends END
  WHERE sid = ?sid AND kind = ?kind AND ` + judged + ` = 3 RETURNING ` + columns + `)
SELECT 3 AS outcome, true AS written, w.* FROM w
UNION ALL SELECT ` + judged + `, false, ` + columns + ` FROM fiberjwt_sessions
  WHERE sid = ?sid AND kind = ?kind AND NOT EXISTS (SELECT FROM w)`

// postgresRefresh reads the row, decides, and writes if there is something to write and the
// row has not changed: an UPDATE waits for a concurrent one, and then compares again. If it
// has changed, written is false. The statement does not lock the row first, which would write
// to it even if a refresh is too early.
const postgresRefresh = `
WITH j AS (SELECT *, ` + judged + ` AS outcome FROM fiberjwt_sessions WHERE sid = ?sid AND kind = ?kind),
w AS (UPDATE fiberjwt_sessions AS s SET` + changes + `
  FROM j WHERE s.sid = j.sid AND j.outcome IN (1, 3, 5, 6, 7)
    AND s.gen = j.gen AND s.prev = j.prev AND s.issued = j.issued AND s.revoked IS NULL
  RETURNING s.sid, s.gen, s.prev, s.issued, s.idle_until, s.revoked)
SELECT j.outcome, w.sid IS NOT NULL AS written, j.sid, j.kind, j.subject, j.ends, j.auth_time, j.created, j.address, j.agent,
  COALESCE(w.gen, j.gen) AS gen, COALESCE(w.prev, j.prev) AS prev, COALESCE(w.issued, j.issued) AS issued,
  COALESCE(w.idle_until, j.idle_until) AS idle_until, COALESCE(w.revoked, j.revoked) AS revoked
FROM j LEFT JOIN w ON w.sid = j.sid`

// mariaRefresh, for MariaDB 10.5 and later, inserts the row that it read, and
// updates it on the conflict, because MariaDB has RETURNING for INSERT only.
// LAST_INSERT_ID returns the outcome. A row that stays the same is not written. It
// is not used on Galera: a node that has to repeat a statement has sent the first
// rows already, and go-sql-driver then panics at the second rows, or returns the
// first ones as the result.
const mariaRefresh = `
INSERT INTO fiberjwt_sessions (` + columns + `)
SELECT ` + columns + ` FROM (
  SELECT fiberjwt_sessions.*, ` + judged + ` AS outcome FROM fiberjwt_sessions WHERE sid = ?sid AND kind = ?kind FOR UPDATE) AS j
ON DUPLICATE KEY UPDATE` + changes + `,
  created = j.created + 0 * LAST_INSERT_ID(j.outcome)
RETURNING LAST_INSERT_ID() AS outcome, TRUE AS written, ` + columns
