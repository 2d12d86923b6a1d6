// Package session keeps the sessions of fiberjwt: the rule by which refresh
// tokens rotate, the contract of a store, and the store on SQL databases.
//
// Applications do not need it: without Config.Sessions, fiberjwt keeps sessions
// beside the accounts, by [NewSQL]. It is for those who keep them elsewhere.
// Test a store of your own with fiberjwttest.TestStore.
package session

import (
	"context"
	"encoding/base64"
	"time"
)

// Row is a session: one login of one account. Times are Unix milliseconds.
//
// No column holds a token. SID is a hash of a secret that only the client has,
// so a leaked table yields no session.
type Row struct {
	SID       []byte `bun:"sid,pk" json:"sid"`               // 16 bytes
	Kind      string `bun:"kind" json:"kind"`                // with Subject: whose session it is
	Subject   string `bun:"subject" json:"subject"`          // primary key of the account, as text
	Gen       int64  `bun:"gen" json:"gen"`                  // the current generation of the refresh token
	Prev      int64  `bun:"prev" json:"prev"`                // its parent, -1 for none, -2 after a Reuse
	Issued    int64  `bun:"issued" json:"issued"`            // when Gen was first handed out or re-armed
	IdleUntil int64  `bun:"idle_until" json:"idle"`          // it ends unless refreshed before
	Ends      int64  `bun:"ends" json:"ends"`                // it ends then, however lively; fixed at login
	Revoked   int64  `bun:"revoked,nullzero" json:"revoked"` // 0: not revoked
	AuthTime  int64  `bun:"auth_time" json:"auth_time"`      // when the password was last proved
	Created   int64  `bun:"created" json:"created"`
	Address   string `bun:"address" json:"address"`
	Agent     string `bun:"agent" json:"agent"`
}

// Alive says that the session can still be used at now.
func (r Row) Alive(now int64) bool { return r.Revoked == 0 && now < r.IdleUntil && now < r.Ends }

// Store keeps sessions. All methods are safe for concurrent use, also by
// several processes on one store, and end when ctx does.
//
// An error means that the store could not answer, and nothing else: a session
// that is not there is no error. After an error the caller does not know
// whether a write happened; every method may be called again with the same
// arguments, with no more effect than once.
//
// The clock is the caller's: now is given, in Unix milliseconds. A store uses its
// own clock only to forget rows that are past Ends, and in Refresh if
// [Times.StoreClock] says so.
type Store interface {
	// Create stores a new session. The caller made its SID at random, so there
	// is no other with it.
	Create(ctx context.Context, row Row) error

	// Refresh presents generation g of the session sid of kind: it applies
	// [Decide] to the row and stores what that gives, atomically, so that of
	// several calls at once each sees what the ones before it stored. It
	// returns the row afterwards, also of a session that is Gone. If there is no
	// such row, the outcome is Gone.
	//
	// With [Times.StoreClock], the store puts its own clock in the place of now, see
	// [Clock]. A store without one goes by now.
	//
	// Rotate, Rearm and Replace are answered alike; a store that cannot tell
	// them apart may report Rotate for all three. Outcomes that do not write
	// must not.
	Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t Times) (Row, Outcome, error)

	// Find gives a session, alive or not; found is false if there is none of
	// that kind.
	Find(ctx context.Context, kind string, sid []byte) (row Row, found bool, err error)

	// Revoke ends a session, whatever is going on with it at the time; it must
	// hold against a Refresh that runs beside it. A session that has been
	// revoked keeps the time of that. kind and subject, unless empty, must be
	// those of the session; found is false if there is no such session.
	Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error)

	// RevokeAll ends every session of an account, except one if it is not nil.
	RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error

	// Prove notes that the password of a session was proved at now.
	Prove(ctx context.Context, sid []byte, now int64) error

	// List gives the sessions of an account that are alive at now, the newest
	// first, at most 100.
	List(ctx context.Context, kind, subject string, now int64) ([]Row, error)

	// Prune forgets some hundreds of the sessions whose Ends is before now and
	// says how many; the caller repeats it until that is 0. It holds no lock for
	// long and may run beside everything else. A store that forgets by itself
	// returns 0.
	Prune(ctx context.Context, now int64) (deleted int64, err error)
}

// Revocations is what a [Store] may offer besides, and must for
// Config.CacheTTL: it tells caches in other processes what has ended.
type Revocations interface {
	// RevokedSince gives at least the sessions that were revoked after since, by
	// Revoke, by RevokeAll or by a Refresh that was a Reuse. It is asked every
	// second, since some minutes ago, at most five; what was revoked ten minutes
	// ago may be forgotten, and what was not revoked may be among them.
	RevokedSince(ctx context.Context, since int64) ([][]byte, error)
}

// Slider is what a [Store] may offer besides, and must for
// Config.Cookie.Sliding: sessions that go on without a refresh.
type Slider interface {
	// Slide moves the idle deadline of a living session to now + idle, in
	// milliseconds, but not past Ends, and gives the row afterwards; alive is
	// false, and nothing is written, if the session has ended.
	Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (row Row, alive bool, err error)
}

// Clock is what a [Store] may offer besides, if all processes on it share a
// clock, such as that of a database server. The ages of refresh tokens are then
// counted by that clock, so that the clocks of the processes may differ.
type Clock interface {
	// Clock gives the time by which Refresh judges with [Times.StoreClock], in Unix
	// milliseconds: that of the store, or now if the store has no clock of its own.
	Clock(ctx context.Context, now int64) (int64, error)
}

// listLimit is how many sessions List gives at most.
const listLimit = 100

// ID writes a SID as tokens and answers carry it.
func ID(sid []byte) string { return base64.RawURLEncoding.EncodeToString(sid) }

// ParseID is the inverse of [ID]; false for anything that ID does not write.
func ParseID(text string) ([]byte, bool) {
	if len(text) != 22 {
		return nil, false
	}
	sid, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return sid, err == nil && len(sid) == 16 && ID(sid) == text
}

// Times of the sessions of one kind.
type Times struct {
	Grace time.Duration // how long a parent gives its child again
	Rearm time.Duration // how long it still does, but restarts Grace
	Age   time.Duration // the least age of a generation before the next
	Idle  time.Duration // from one refresh to the next

	// StoreClock asks Refresh to go by the clock of the store instead of now. It is
	// set unless the application has a clock of its own (Config.Now). [Decide] does
	// not look at it.
	StoreClock bool
}
