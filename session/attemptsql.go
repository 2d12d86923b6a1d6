package session

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/statement"
)

const (
	attemptsTable  = "fiberjwt_throttle"
	attemptColumns = "id, revision, was, expires, data"
)

var _ Attempts = (*SQL)(nil)

// attempt is a record as Bun stores it. Was is the revision that it replaced: the
// statements compare it with the revision in the table.
type attempt struct {
	bun.BaseModel `bun:"table:fiberjwt_throttle"`

	ID       []byte `bun:"id,pk"`
	Revision int64  `bun:"revision"`
	Was      int64  `bun:"was"`
	Expires  int64  `bun:"expires"`
	Data     []byte `bun:"data"`
}

// LoadAttempts implements [Attempts], in one statement for up to 40 keys.
func (s *SQL) LoadAttempts(ctx context.Context, keys [][]byte) ([]AttemptRecord, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if len(keys) > maxRecords {
		records, err := s.LoadAttempts(ctx, keys[:maxRecords])
		if err != nil {
			return nil, err
		}
		rest, err := s.LoadAttempts(ctx, keys[maxRecords:])
		return append(records, rest...), err
	}
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	var rows []attempt
	err := dberr.RetryIdempotent(ctx, func() error {
		rows = nil
		return s.statements.loadAttempts.of(len(keys)).Scan(ctx, s.db, &rows, args...)
	})
	if err != nil {
		return nil, err
	}
	records := make([]AttemptRecord, len(keys))
	for i, key := range keys {
		for _, row := range rows {
			if bytes.Equal(row.ID, key) {
				records[i] = AttemptRecord{Revision: row.Revision, Expires: row.Expires, Value: row.Data}
			}
		}
	}
	return records, nil
}

// SwapAttempts implements [Attempts], in one statement for up to 40 records; in two on
// MariaDB and MySQL, and in up to two for each record and one more on other databases.
func (s *SQL) SwapAttempts(ctx context.Context, swaps []AttemptSwap) (stored []bool, err error) {
	if len(swaps) == 0 {
		return nil, nil
	}
	if len(swaps) > maxRecords {
		stored, err = s.SwapAttempts(ctx, swaps[:maxRecords])
		if err != nil {
			return nil, err
		}
		rest, err := s.SwapAttempts(ctx, swaps[maxRecords:])
		return append(stored, rest...), err
	}
	// All statements lock the rows in the order of their keys, so that no two
	// wait for each other.
	ordered := slices.Clone(swaps)
	slices.SortFunc(ordered, func(a, b AttemptSwap) int { return bytes.Compare(a.Key, b.Key) })

	var now [][]byte
	switch s.db.Dialect().Name() {
	case dialect.SQLite, dialect.PG:
		now, err = s.upsertReturning(ctx, ordered)
	case dialect.MySQL:
		now, err = s.upsertAndRead(ctx, ordered)
	default:
		now, err = s.swapInTurn(ctx, ordered)
	}
	if err != nil {
		return nil, err
	}
	stored = make([]bool, len(swaps))
	for i, swap := range swaps {
		stored[i] = slices.ContainsFunc(now, func(id []byte) bool { return bytes.Equal(id, swap.Key) })
	}
	return stored, nil
}

// perNumber has the statements for each number of records. A sign-in has few records.
type perNumber struct {
	build func(n int) *statement.Statement
	made  sync.Map // int → *statement.Statement
}

func (p *perNumber) of(n int) *statement.Statement {
	if made, ok := p.made.Load(n); ok {
		return made.(*statement.Statement)
	}
	made, _ := p.made.LoadOrStore(n, p.build(n))
	return made.(*statement.Statement)
}

// maxRecords is the maximum number of records in one statement.
const maxRecords = 40

// places returns a list of arguments, from the first.
func places(first, n int) string {
	args := make([]string, n)
	for i := range args {
		args[i] = arg(first + i)
	}
	return strings.Join(args, ", ")
}

func selectAttempts(n int) string {
	return "SELECT id, revision, expires, data FROM " + attemptsTable + " WHERE id IN (" + places(1, n) + ")"
}

// upsertAttempts returns the statement up to the clause for a row that exists.
func upsertAttempts(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = "(" + places(5*i+1, 5) + ")"
	}
	return "INSERT INTO " + attemptsTable + " (" + attemptColumns + ") VALUES " + strings.Join(rows, ", ")
}

// upsertArguments returns the arguments of upsertAttempts.
func upsertArguments(swaps []AttemptSwap) (args []any) {
	for _, swap := range swaps {
		args = append(args, swap.Key, swap.Record.Revision, swap.Old, swap.Record.Expires, notNull(swap.Record.Value))
	}
	return args
}

// notNull returns a copy of value that is never nil, because Bun writes nil as
// NULL.
func notNull(value []byte) []byte { return append([]byte{}, value...) }

// An existing row has a revision that is not 0, so a swap that expects no record does not
// change it.
const onConflict = ` ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, was = excluded.was, expires = excluded.expires, data = excluded.data
WHERE ` + attemptsTable + `.revision = excluded.was RETURNING id`

// MariaDB and MySQL assign from left to right, so revision, which all conditions compare,
// comes last.
const onDuplicateKey = " ON DUPLICATE KEY UPDATE expires = IF(revision = VALUES(was), VALUES(expires), expires)," +
	" data = IF(revision = VALUES(was), VALUES(data), data), was = IF(revision = VALUES(was), VALUES(was), was)," +
	" revision = IF(revision = VALUES(was), VALUES(revision), revision)"

// upsertReturning returns the keys that were stored.
func (s *SQL) upsertReturning(ctx context.Context, swaps []AttemptSwap) (ids [][]byte, err error) {
	args := upsertArguments(swaps)
	err = dberr.RetryIdempotent(ctx, func() error {
		ids = nil
		return s.statements.swapAttempts.of(len(swaps)).Scan(ctx, s.db, &ids, args...)
	})
	return ids, err
}

// upsertAndRead is for MariaDB and MySQL, whose count of affected rows depends on
// the settings of the driver.
func (s *SQL) upsertAndRead(ctx context.Context, swaps []AttemptSwap) ([][]byte, error) {
	args := upsertArguments(swaps)
	err := dberr.RetryIdempotent(ctx, func() error {
		_, err := s.statements.swapAttempts.of(len(swaps)).Exec(ctx, s.db, args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.nowStored(ctx, swaps)
}

// swapInTurn is for databases for which this package has no statement that swaps
// several records.
func (s *SQL) swapInTurn(ctx context.Context, swaps []AttemptSwap) ([][]byte, error) {
	for _, swap := range swaps {
		row := attempt{ID: swap.Key, Revision: swap.Record.Revision, Was: swap.Old, Expires: swap.Record.Expires, Data: notNull(swap.Record.Value)}
		err := dberr.RetryIdempotent(ctx, func() (err error) {
			if swap.Old != 0 {
				_, err = s.db.NewUpdate().Model(&row).WherePK().Where("revision = ?", swap.Old).Exec(ctx)
				return err
			}
			if _, err = s.db.NewInsert().Model(&row).Ignore().Exec(ctx); err != nil {
				// Not every database can ignore a row that another was first to insert.
				if there, look := s.LoadAttempts(ctx, [][]byte{swap.Key}); look == nil && there[0].Revision != 0 {
					return nil
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return s.nowStored(ctx, swaps)
}

// nowStored returns the keys whose record is now the new one. A record that another
// swap has replaced since then counts as not stored: the caller reads it again and
// finds its own change in it.
func (s *SQL) nowStored(ctx context.Context, swaps []AttemptSwap) (ids [][]byte, err error) {
	keys := make([][]byte, len(swaps))
	for i, swap := range swaps {
		keys[i] = swap.Key
	}
	records, err := s.LoadAttempts(ctx, keys)
	for i, record := range records {
		if record.Revision == swaps[i].Record.Revision {
			ids = append(ids, keys[i])
		}
	}
	return ids, err
}

// pruneAttempts removes some records that have expired, and returns 0 at the end of
// the table. It reads page by page along the primary key, and continues where the
// last call stopped, so that a table for which one deadline is too short is read
// completely in several calls. There is no index on expires, because every sign-in
// would have to update it.
func (s *SQL) pruneAttempts(ctx context.Context, now int64) (deleted int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for deleted == 0 {
		var page []attempt
		err := s.db.NewSelect().Model(&page).Column("id", "expires").Where("id > ?", append([]byte{}, s.swept...)).Order("id").Limit(pruneBatch).Scan(ctx)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			s.swept = nil
			return 0, nil
		}
		if deleted, err = s.deleteAttempts(ctx, expired(page, now), now); err != nil {
			return 0, err
		}
		s.swept = page[len(page)-1].ID
	}
	return deleted, nil
}

func expired(page []attempt, now int64) (ids [][]byte) {
	for _, row := range page {
		if row.Expires <= now {
			ids = append(ids, row.ID)
		}
	}
	return ids
}

func (s *SQL) deleteAttempts(ctx context.Context, ids [][]byte, now int64) (deleted int64, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	q := s.db.NewDelete().Model((*attempt)(nil))
	still := "id IN (?) AND expires <= ?" // a sign-in may have extended it meanwhile
	if s.db.Dialect().Name() == dialect.PG {
		still = "id IN (SELECT id FROM " + attemptsTable + " WHERE " + still + " FOR UPDATE SKIP LOCKED)"
	}
	q = q.Where(still, bun.List(ids), now)
	err = dberr.RetryIdempotent(ctx, func() error {
		deleted, err = rows(q.Exec(ctx))
		return err
	})
	return deleted, err
}
