package session

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
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

// LoadAttempts implements [Attempts], in one statement.
func (s *SQL) LoadAttempts(ctx context.Context, keys [][]byte) ([]AttemptRecord, error) {
	var rows []attempt
	err := dberr.RetryIdempotent(ctx, func() error {
		rows = nil
		return s.db.NewRaw("SELECT id, revision, expires, data FROM "+attemptsTable+" WHERE id IN (?)", bun.List(keys)).Scan(ctx, &rows)
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

// SwapAttempts implements [Attempts], in one statement; in two on MariaDB and
// MySQL, and in up to two for each record and one more on other databases.
func (s *SQL) SwapAttempts(ctx context.Context, swaps []AttemptSwap) (stored []bool, err error) {
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

// insertion returns the statement up to the clause for a row that exists, and its
// arguments.
func insertion(swaps []AttemptSwap) (statement string, args []any) {
	places := make([]string, len(swaps))
	for i, swap := range swaps {
		places[i] = "(?, ?, ?, ?, ?)"
		args = append(args, swap.Key, swap.Record.Revision, swap.Old, swap.Record.Expires, notNull(swap.Record.Value))
	}
	return "INSERT INTO " + attemptsTable + " (" + attemptColumns + ") VALUES " + strings.Join(places, ", "), args
}

// notNull returns a copy of value that is never nil, because Bun writes nil as
// NULL.
func notNull(value []byte) []byte { return append([]byte{}, value...) }

// upsertReturning returns the keys that were stored. An existing row has a revision
// that is not 0, so a swap that expects no record does not change it.
func (s *SQL) upsertReturning(ctx context.Context, swaps []AttemptSwap) (ids [][]byte, err error) {
	statement, args := insertion(swaps)
	statement += ` ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, was = excluded.was, expires = excluded.expires, data = excluded.data
WHERE ` + attemptsTable + `.revision = excluded.was RETURNING id`
	err = dberr.RetryIdempotent(ctx, func() error {
		ids = nil
		return s.db.NewRaw(statement, args...).Scan(ctx, &ids)
	})
	return ids, err
}

// upsertAndRead is for MariaDB and MySQL, whose count of affected rows depends on
// the settings of the driver. They assign from left to right, so revision, which
// all conditions compare, comes last.
func (s *SQL) upsertAndRead(ctx context.Context, swaps []AttemptSwap) ([][]byte, error) {
	statement, args := insertion(swaps)
	statement += " ON DUPLICATE KEY UPDATE "
	for i, column := range []string{"expires", "data", "was", "revision"} {
		if i > 0 {
			statement += ", "
		}
		statement += column + " = IF(revision = VALUES(was), VALUES(" + column + "), " + column + ")"
	}
	err := dberr.RetryIdempotent(ctx, func() error {
		_, err := s.db.NewRaw(statement, args...).Exec(ctx)
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
