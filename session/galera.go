package session

import (
	"context"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// On Galera each node has locks for itself, and of two transactions at once only
// those conflict that write to one row: the later one is rolled back, when it
// commits at the latest. Those that commit have one order, the same on all nodes,
// and with wsrep_sync_wait a statement sees all that had committed before it.

// onGalera says that the database is a node of a cluster. It is asked once.
func (s *SQL) onGalera(ctx context.Context) (bool, error) {
	if s.db.Dialect().Name() != dialect.MySQL {
		return false, nil
	}
	if known := s.galera.Load(); known != nil {
		return *known, nil
	}
	var found []struct {
		Name  string `bun:"Variable_name"`
		Value string `bun:"Value"`
	}
	err := dberr.RetryIdempotent(ctx, func() error {
		found = nil
		return s.db.NewRaw("SHOW GLOBAL VARIABLES WHERE Variable_name = 'wsrep_on' AND Value = 'ON'").Scan(ctx, &found)
	})
	if err != nil {
		return false, err
	}
	on := len(found) > 0
	s.galera.Store(&on)
	return on, nil
}

// stillFor looks at the account of a new session again: a change of the password
// on another node has not waited for the login's lock. Either the change comes
// first, and is seen here; or it comes later, and [SQL.Change], which looks for
// sessions once more when it has committed, sees this one.
func (s *SQL) stillFor(ctx context.Context, account *bun.SelectQuery, row Row) (found bool, err error) {
	err = dberr.RetryIdempotent(ctx, func() (err error) {
		found, err = account.Exists(ctx)
		return err
	})
	if err == nil && !found {
		_, err = s.Revoke(ctx, row.SID, row.Kind, row.Subject, row.Created)
	}
	return found && err == nil, err
}
