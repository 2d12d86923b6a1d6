package session

import (
	"context"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
)

// On Galera each node has its own locks. Two concurrent transactions conflict only
// if they write the same row: the later one is rolled back, at the latest when it
// commits. All nodes commit transactions in the same order, and with
// wsrep_sync_wait a statement sees everything that committed before it.

// onGalera reports whether the database is a node of a cluster. It asks once.
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

// recheckAccount checks the account of a new session again. A password change on another
// node does not wait for the lock of the login. If the change commits first,
// recheckAccount sees it. If it commits later, [SQL.Change], which looks for sessions
// once more after its commit, sees the session.
func (s *SQL) recheckAccount(ctx context.Context, account *bun.SelectQuery, row Row) (found bool, err error) {
	err = dberr.RetryIdempotent(ctx, func() (err error) {
		found, err = account.Exists(ctx)
		return err
	})
	if err == nil && !found {
		_, err = s.Revoke(ctx, row.SID, row.Kind, row.Subject, row.Created)
	}
	return found && err == nil, err
}
