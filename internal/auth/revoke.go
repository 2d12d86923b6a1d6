package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/session"
)

// Revoke ends the session with this ID. If there is none, or it has ended, Revoke returns nil.
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

// RevokeAll ends every session of an account, under every kind on its table.
func (a *Service) RevokeAll(ctx context.Context, kind, subject string) error {
	k, err := a.StoredKind(ctx, kind)
	if err != nil {
		return err
	}
	return a.Sessions.RevokeAll(ctx, k.Kinds(), subject, a.Now().UnixMilli())
}

// StoredKind returns the kind with this name, for a call that passes text of clients to the
// store. The error is a setup error if there is no such kind or no store, or that of
// [Service.Ready].
func (a *Service) StoredKind(ctx context.Context, name string) (*Kind, error) {
	if a.Sessions == nil {
		return nil, ErrNoStore
	}
	if k := a.Kind(name); k != nil {
		return k, a.Ready(ctx)
	}
	return nil, UnknownKind(name, a.KindNames())
}

// UnknownKind returns the setup error for a kind that does not exist.
func UnknownKind(name string, known []string) error {
	return fault.Setup(fmt.Sprintf("there is no kind %q; the kinds are %s", name, strings.Join(known, ", ")))
}

// EndAll ends every session of the account of the session sid, including sid. ended is false
// if sid was not alive; then nothing is ended.
func (a *Service) EndAll(ctx context.Context, k *Kind, sid []byte) (ended bool, err error) {
	now := a.Now().UnixMilli()
	row, alive, err := a.Sessions.Living(ctx, k.Name, sid, now)
	if err != nil || !alive {
		return false, err
	}
	own, err := a.ownSessions(ctx, k, row.Subject, []session.Row{row})
	if err != nil || len(own) == 0 {
		return false, err
	}
	err = a.Sessions.RevokeAll(ctx, k.Kinds(), row.Subject, now)
	return err == nil, err
}

// Listed is a session in the result of [Service.List].
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
	if rows, err = a.ownSessions(ctx, k, subject, rows); err != nil {
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

// lastRefresh returns the time of the last refresh in Unix milliseconds. Sliding moves only
// the idle deadline, so the time is calculated from that. It is too early if the deadline has
// reached Ends, and too late between a reduction of IdleTTL and the next request.
func (a *Service) lastRefresh(k *Kind, row session.Row, now int64) int64 {
	if !a.Sliding {
		return row.Issued
	}
	return max(row.Issued, min(row.IdleUntil-k.IdleTTL.Milliseconds(), now))
}

// Prune deletes expired rows, and returns how many.
func (a *Service) Prune(ctx context.Context) (deleted int64, err error) {
	if a.Sessions == nil {
		return 0, ErrNoStore
	}
	return a.Sessions.Prune(ctx, a.Now().UnixMilli())
}

// PruneSafely is [Service.Prune], by the clock of this process or of the store, whichever is
// behind: a process whose clock is wrong must not delete rows that are still valid.
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

// Close stops the goroutines in the background, waits for them, and closes the prepared
// statements.
func (a *Service) Close() error {
	if a.Sessions != nil {
		a.Sessions.Close()
	}
	if a.Pool != nil {
		a.Pool.Close()
	}
	return a.Tokens.Close()
}
