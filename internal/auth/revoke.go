package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/session"
)

// Revoke ends a session by its ID. Ending an unknown or an ended one is no error.
func (a *Service) Revoke(ctx context.Context, id string) error {
	if a.Sessions == nil {
		return ErrNoStore
	}
	sid, ok := session.ParseID(id)
	if !ok {
		return nil
	}
	if err := a.Ready(ctx); err != nil {
		return err
	}
	_, err := a.Sessions.Revoke(ctx, sid, "", "", a.Now().UnixMilli())
	return err
}

// RevokeAll ends every session of an account, under every kind of its table.
func (a *Service) RevokeAll(ctx context.Context, kind, subject string) error {
	k, err := a.StoredKind(ctx, kind)
	if err != nil {
		return err
	}
	return a.Sessions.RevokeAll(ctx, k.Kinds(), subject, a.Now().UnixMilli())
}

// StoredKind is for calls whose other arguments may be text of clients.
func (a *Service) StoredKind(ctx context.Context, name string) (*Kind, error) {
	if a.Sessions == nil {
		return nil, ErrNoStore
	}
	if k := a.Kind(name); k != nil {
		return k, a.Ready(ctx)
	}
	return nil, UnknownKind(name, a.KindNames())
}

// UnknownKind says that there is no kind of a name.
func UnknownKind(name string, known []string) error {
	return fault.Setup(fmt.Sprintf("there is no kind %q; the kinds are %s", name, strings.Join(known, ", ")))
}

// EndAll ends every session of the account that a living session belongs to, that one
// included. ended is false if it was not alive.
func (a *Service) EndAll(ctx context.Context, k *Kind, sid []byte) (ended bool, err error) {
	now := a.Now().UnixMilli()
	row, alive, err := a.Sessions.Living(ctx, k.Name, sid, now)
	if err != nil || !alive {
		return false, err
	}
	own, err := a.withoutFormer(ctx, k, row.Subject, []session.Row{row})
	if err != nil || len(own) == 0 {
		return false, err
	}
	err = a.Sessions.RevokeAll(ctx, k.Kinds(), row.Subject, now)
	return err == nil, err
}

// Listed is a living session in a list.
type Listed struct {
	SID                           []byte
	Created, LastRefresh, Expires time.Time
	Address, Agent                string
}

// List returns the living sessions of an account, the newest first, at most 100.
func (a *Service) List(ctx context.Context, kind, subject string) ([]Listed, error) {
	k, err := a.StoredKind(ctx, kind)
	if err != nil {
		return nil, err
	}
	now := a.Now().UnixMilli()
	rows, err := a.Sessions.List(ctx, k.Name, subject, now)
	if err != nil {
		return nil, err
	}
	if rows, err = a.withoutFormer(ctx, k, subject, rows); err != nil {
		return nil, err
	}
	list := make([]Listed, len(rows))
	for i, row := range rows {
		list[i] = Listed{
			SID: row.SID, Created: time.UnixMilli(row.Created).UTC(), LastRefresh: time.UnixMilli(a.lastRefresh(k, row, now)).UTC(),
			Expires: time.UnixMilli(min(row.IdleUntil, row.Ends)).UTC(), Address: row.Address, Agent: row.Agent,
		}
	}
	return list, nil
}

// lastRefresh of a session. Sliding moves the idle deadline alone, so that says when: too
// early a time if that deadline has met Ends, and too late a one after IdleTTL was made
// shorter, until the next request.
func (a *Service) lastRefresh(k *Kind, row session.Row, now int64) int64 {
	if !a.Sliding {
		return row.Issued
	}
	return max(row.Issued, min(row.IdleUntil-k.IdleTTL.Milliseconds(), now))
}

// Prune deletes what is over, and says how many rows.
func (a *Service) Prune(ctx context.Context) (deleted int64, err error) {
	if a.Sessions == nil {
		return 0, ErrNoStore
	}
	return a.Sessions.Prune(ctx, a.Now().UnixMilli())
}

// PruneSafely goes by the clock that is behind, if the store has one: a process with a wrong
// clock must not delete what others still need.
func (a *Service) PruneSafely(ctx context.Context) error {
	now := a.Now().UnixMilli()
	if a.MachineClock {
		clock, err := a.Sessions.Clock(ctx, now)
		if err != nil {
			return err
		}
		now = min(now, clock)
	}
	_, err := a.Sessions.Prune(ctx, now)
	return err
}

// Close ends what runs in the background, and waits for it.
func (a *Service) Close() error {
	if a.Sessions != nil {
		a.Sessions.Close()
	}
	return a.Tokens.Close()
}
