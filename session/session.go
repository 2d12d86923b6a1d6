// Package session keeps the sessions of fiberjwt. It has the rule by which refresh
// tokens rotate ([Decide]), the contract of a store ([Store]), and the store on SQL
// databases ([SQL]).
//
// Most applications do not need it: without Config.Store, fiberjwt keeps
// sessions in the database of the accounts, by [NewSQL]. Use it to keep sessions
// elsewhere. Test a store of your own with fiberjwttest.TestStore.
package session

import (
	"context"
	"encoding/base64"
	"time"
)

// Row is a session: one login of one account. Times are Unix milliseconds.
//
// No column contains a token. SID is a hash of a secret that only the client has,
// so a leaked table gives access to no session.
type Row struct {
	SID       []byte `bun:"sid,pk" json:"sid"`               // 16 bytes
	Kind      string `bun:"kind" json:"kind"`                // of the account; with Subject it identifies the account
	Subject   string `bun:"subject" json:"subject"`          // primary key of the account, as text
	Gen       int64  `bun:"gen" json:"gen"`                  // the current generation of the refresh token
	Prev      int64  `bun:"prev" json:"prev"`                // its parent, -1 for none, -2 after a Reuse
	Issued    int64  `bun:"issued" json:"issued"`            // when Gen was first issued, or its grace period restarted
	IdleUntil int64  `bun:"idle_until" json:"idle"`          // the session ends then, unless it is refreshed before
	Ends      int64  `bun:"ends" json:"ends"`                // the session ends then in any case; fixed at login
	Revoked   int64  `bun:"revoked,nullzero" json:"revoked"` // 0: not revoked
	AuthTime  int64  `bun:"auth_time" json:"auth_time"`      // when the password was last verified
	Created   int64  `bun:"created" json:"created"`
	Address   string `bun:"address" json:"address"`
	Agent     string `bun:"agent" json:"agent"`
}

// Alive reports whether the session can still be used at now.
func (r Row) Alive(now int64) bool { return r.Revoked == 0 && now < r.IdleUntil && now < r.Ends }

// Store keeps sessions. All methods must be safe for concurrent use, also by
// several processes on one store, and must return when ctx is done.
//
// An error means that the store failed. A missing session is reported by found or
// [Gone], never by an error. After an error the caller does not know whether a
// write happened. The caller may repeat every method with the same arguments; the
// second call must have no further effect.
//
// The caller supplies the clock: now is in Unix milliseconds. A store uses its own
// clock only to delete rows after their Ends, and in Refresh if [Times.StoreClock]
// is set.
type Store interface {
	// Create stores a new session. Its SID is random, so no other session has it. If the
	// SID exists, the call is a repetition: Create returns nil and leaves the row as it
	// is, even if it has changed since.
	Create(ctx context.Context, row Row) error

	// Refresh presents generation g of the session sid of kind: it applies [Decide] to
	// the row and stores the result. It must be atomic: of several concurrent calls,
	// each must see what the ones before it stored. It returns the row afterwards,
	// also of a session that is Gone. If there is no such row, the outcome is Gone.
	//
	// With [Times.StoreClock], the store uses its own clock instead of now, see
	// [Clock]. A store without a clock uses now.
	//
	// Rotate, Rearm and Replace give the client the same answer; a store that cannot
	// distinguish them may return Rotate for all three. Outcomes that do not write
	// must not change the row.
	Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t Times) (Row, Outcome, error)

	// Find returns a session, alive or not. found is false if the kind has no such
	// session.
	Find(ctx context.Context, kind string, sid []byte) (row Row, found bool, err error)

	// Revoke ends a session. It must also win against a concurrent Refresh. A session
	// that is revoked already keeps the time of its first revocation. kind and
	// subject, unless empty, must be those of the session; found is false if there is
	// no such session.
	Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error)

	// RevokeAll ends every session of an account, except the session except if it is
	// not nil.
	RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error

	// Prove records that the password of a session was verified at now. A session that
	// does not exist is not an error.
	Prove(ctx context.Context, sid []byte, now int64) error

	// List returns the sessions of an account that are alive at now, the newest first,
	// at most 100.
	List(ctx context.Context, kind, subject string, now int64) ([]Row, error)

	// Prune deletes some hundreds of the sessions whose Ends is before now and returns
	// how many; the caller repeats it until that is 0. It must not hold a lock for
	// long, and may run beside everything else. A store that deletes sessions by
	// itself returns 0.
	Prune(ctx context.Context, now int64) (deleted int64, err error)
}

// Revocations is an optional ability of a [Store], which Config.CacheTTL requires:
// it reports to the caches in other processes which sessions have ended.
type Revocations interface {
	// RevokedSince returns at least the sessions that were revoked after since, by
	// Revoke, by RevokeAll or by a Refresh that was a Reuse. fiberjwt calls it every
	// second, with a time at most five minutes ago. The store may forget revocations
	// after ten minutes, and the result may contain sessions that were not revoked.
	RevokedSince(ctx context.Context, since int64) ([][]byte, error)
}

// Slider is an optional ability of a [Store], which Config.Cookie.Sliding requires:
// sessions that continue without a refresh.
type Slider interface {
	// Slide moves the idle deadline of a living session to now + idle, in
	// milliseconds, but not past Ends, and returns the row afterwards. If the session
	// has ended, alive is false and nothing is written.
	Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (row Row, alive bool, err error)
}

// Clock is an optional ability of a [Store], for stores whose processes share a
// clock, such as that of a database server. The ages of refresh tokens are then
// measured by that clock, so that the clocks of the processes may differ.
type Clock interface {
	// Clock returns the time that Refresh uses with [Times.StoreClock], in Unix
	// milliseconds: the time of the store, or now if the store has no clock.
	Clock(ctx context.Context, now int64) (int64, error)
}

// listLimit is how many sessions List returns at most.
const listLimit = 100

// ID returns a SID in the form that tokens and answers contain: base64url without
// padding (RFC 4648 §5).
func ID(sid []byte) string { return base64.RawURLEncoding.EncodeToString(sid) }

// ParseID is the inverse of [ID]. It returns false for any text that ID does not
// return.
func ParseID(text string) ([]byte, bool) {
	if len(text) != 22 {
		return nil, false
	}
	sid, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return sid, err == nil && len(sid) == 16 && ID(sid) == text
}

// Times are the durations of the sessions of one kind.
type Times struct {
	Grace time.Duration // how long a parent token returns the same child again
	Rearm time.Duration // how long it still does so, with a new grace period
	Age   time.Duration // the minimum age of a generation before the next
	Idle  time.Duration // the longest time from one refresh to the next

	// StoreClock makes Refresh use the clock of the store instead of now. It is set
	// unless the application has a clock of its own (Config.Now). [Decide] ignores it.
	StoreClock bool
}
