// Package redisstore keeps the sessions of fiberjwt in Redis, for applications
// whose accounts are in a database that should not see every request:
//
//	fiberjwt.Config{
//		DB:       db, // the accounts
//		Sessions: redisstore.New(client),
//		…
//	}
//
// A refresh, a logout and the look at the session on each request are one round
// trip on one key. A session takes some 0.6 KB of memory, with its place in the
// index of its account. Redis forgets it when its absolute lifetime is over, by
// the clock of Redis; until then an ended one stays as a tombstone.
//
// # What Redis must be
//
// Redis 6.2 or later, with
//
//	appendonly yes
//	maxmemory-policy noeviction
//
// which fiberjwt.Auth.Check looks for.
//
// Sessions are data, not a cache: where Redis may evict keys or starts empty,
// people are signed out. A Redis that does not answer, is full or read-only is
// an error, 503 to clients, and signs nobody out; a logout fails then, too.
//
// # What a crash, a failover or a backup forgets
//
// Redis confirms a write before it is on the disk or on a replica; with
// appendfsync everysec a crash takes the last one or two seconds, a backup all
// since it was made. A refresh that is lost so is mended by the client's next
// one, [session.Heal]. A login that is lost is a 401 and a new login. A logout
// that is lost is undone. Where that is too much, set appendfsync always, or
// keep sessions in the database.
//
// # Redis Cluster
//
// Every command touches one key, or counters of failed sign-ins, which are all
// in one slot; so any cluster does. A session and the index
// of its account lie on different nodes, and the index is written first. Only
// if the node of the index loses that write in a failover, while the session
// stays, does RevokeAll miss the session until it ends. The prefix
// "{fiberjwt}:" puts all sessions into one slot and rules that out.
package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/fiberjwt/fiberjwt/session"
)

// Store is a [session.Store] on Redis. It is safe for concurrent use and for
// several processes on one Redis.
type Store struct {
	client redis.UniversalClient
	prefix string
}

var (
	_ session.Store       = (*Store)(nil)
	_ session.Revocations = (*Store)(nil)
	_ session.Slider      = (*Store)(nil)
	_ session.Clock       = (*Store)(nil)
)

// Option changes what [New] makes.
type Option func(*Store)

// WithPrefix sets what the names of all keys begin with, "fiberjwt:" by
// default. Applications that share a database of a Redis need one each:
// otherwise one ends the sessions of the other's accounts.
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = prefix }
}

// New is the store on client, which stays the caller's to close. It does no
// I/O. It panics on a [redis.Ring], which looks for the sessions of a server
// that is down on another one, and finds that there are none.
//
// The client may retry what failed: every command has no more effect than once.
// It may send other commands to replicas: those of the store go to the primary.
func New(client redis.UniversalClient, options ...Option) *Store {
	switch client.(type) {
	case nil:
		panic("redisstore: New needs a client")
	case *redis.Ring:
		panic("redisstore: a redis.Ring cannot keep sessions: use a Client or a ClusterClient")
	}
	s := &Store{client: client, prefix: "fiberjwt:"}
	for _, option := range options {
		option(s)
	}
	return s
}

// sessionKey holds the value of a session, see encode.
func (s *Store) sessionKey(sid []byte) string { return s.prefix + "s:" + session.ID(sid) }

// accountKey holds the index of an account: the SIDs of its sessions, also of
// the ended ones, sorted by Ends. The length keeps kind and subject apart,
// whatever bytes they are.
func (s *Store) accountKey(kind, subject string) string {
	return s.prefix + "a:" + strconv.Itoa(len(kind)) + ":" + kind + ":" + subject
}

// endsKey holds the SIDs of the sessions that were ended in the last minutes,
// sorted by when, for caches.
func (s *Store) endsKey() string { return s.prefix + "ends" }

// Create implements [session.Store], in two round trips. The index is written
// first: a RevokeAll that starts when Create has returned finds the session.
func (s *Store) Create(ctx context.Context, row session.Row) error {
	value, err := encode(row)
	if err != nil {
		return err
	}
	if _, err := s.run(ctx, enlist, s.accountKey(row.Kind, row.Subject), row.Ends, string(row.SID)); err != nil {
		return err
	}
	_, err = s.run(ctx, create, s.sessionKey(row.SID), value, row.Ends)
	return err
}

// Refresh implements [session.Store].
func (s *Store) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	reply, err := s.run(ctx, refresh, s.sessionKey(sid), kind, g, now,
		t.Age.Milliseconds(), t.Grace.Milliseconds(), t.Rearm.Milliseconds(), t.Idle.Milliseconds(), t.StoreClock)
	if err != nil {
		return session.Row{}, session.Gone, err
	}
	judged, err := reply.Text()
	if err != nil || judged == "" { // no such session
		return session.Row{}, session.Gone, err
	}
	row, err := decode(sid, judged[1:])
	if err != nil {
		return session.Row{}, session.Gone, err
	}
	outcome := session.Outcome(judged[0] - '0')
	if outcome == session.Reuse || row.Revoked != 0 && now-row.Revoked < lately {
		// The second is for an end whose news were lost: the client has asked again.
		_, err = s.run(ctx, tell, s.endsKey(), now, keptFor, string(sid))
	}
	return row, outcome, err
}

// Clock implements [session.Clock]: the clock of Redis.
func (s *Store) Clock(ctx context.Context, _ int64) (int64, error) {
	reply, err := s.run(ctx, clock, s.endsKey())
	if err != nil {
		return 0, err
	}
	return reply.Int64()
}

// Find implements [session.Store].
func (s *Store) Find(ctx context.Context, kind string, sid []byte) (session.Row, bool, error) {
	reply, err := s.run(ctx, find, s.sessionKey(sid))
	if err != nil {
		return session.Row{}, false, err
	}
	row, found, err := rowOf(reply, sid)
	if err != nil || !found || row.Kind != kind {
		return session.Row{}, false, err
	}
	return row, true, nil
}

// rowOf reads what the script find answered.
func rowOf(reply *redis.Cmd, sid []byte) (row session.Row, found bool, err error) {
	value, err := reply.Text()
	if err != nil || value == "" {
		return session.Row{}, false, err
	}
	row, err = decode(sid, value)
	return row, err == nil, err
}

// Slide implements [session.Slider].
func (s *Store) Slide(ctx context.Context, kind string, sid []byte, now, idle int64) (row session.Row, alive bool, err error) {
	reply, err := s.run(ctx, slide, s.sessionKey(sid), kind, now, idle)
	if err != nil {
		return session.Row{}, false, err
	}
	row, found, err := rowOf(reply, sid)
	return row, found && row.Alive(now), err
}

// Revoke implements [session.Store].
func (s *Store) Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (bool, error) {
	replies, err := s.end(ctx, []string{string(sid)}, kind, subject, now)
	if err != nil {
		return false, err
	}
	return replies[0].Bool()
}

// end ends sessions and tells caches so, in one round trip to each node. It may
// tell of some that do not end.
func (s *Store) end(ctx context.Context, sids []string, kind, subject string, now int64) ([]*redis.Cmd, error) {
	news := []any{now, keptFor}
	for _, sid := range sids {
		news = append(news, sid)
	}
	return s.runAll(ctx, revoke, sids, []any{kind, subject, now}, func(pipe redis.Pipeliner) {
		tell.Eval(ctx, pipe, []string{s.endsKey()}, news...)
	})
}

const (
	lately  = 120_000 // ms, by clocks that differ by no more than half of it
	keptFor = 600_000 // ms that ends are told, as session.Revocations says
)

// RevokedSince implements [session.Revocations].
func (s *Store) RevokedSince(ctx context.Context, since int64) ([][]byte, error) {
	reply, err := s.run(ctx, told, s.endsKey(), since)
	if err != nil {
		return nil, err
	}
	ended, err := reply.StringSlice()
	sids := make([][]byte, len(ended))
	for i, sid := range ended {
		sids[i] = []byte(sid)
	}
	return sids, err
}

// RevokeAll implements [session.Store]. It is not atomic: sessions end one
// after the other, and after an error some have.
func (s *Store) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	sids, err := s.sessionsOf(ctx, kind, subject)
	if err != nil {
		return err
	}
	sids = slices.DeleteFunc(sids, func(sid string) bool { return sid == string(except) })
	for batch := range slices.Chunk(sids, batchSize) {
		if _, err := s.end(ctx, batch, kind, subject, now); err != nil {
			return err
		}
	}
	return nil
}

// Prove implements [session.Store].
func (s *Store) Prove(ctx context.Context, sid []byte, now int64) error {
	_, err := s.run(ctx, prove, s.sessionKey(sid), now)
	return err
}

// listLimit is how many sessions List gives at most.
const listLimit = 100

// List implements [session.Store]. It reads every session of the account that
// Redis still has, since the index does not know which are alive.
func (s *Store) List(ctx context.Context, kind, subject string, now int64) ([]session.Row, error) {
	sids, err := s.sessionsOf(ctx, kind, subject)
	if err != nil {
		return nil, err
	}
	var newest []session.Row
	for batch := range slices.Chunk(sids, batchSize) {
		replies, err := s.runAll(ctx, find, batch, nil, nil)
		if err != nil {
			return nil, err
		}
		for i, reply := range replies {
			row, found, err := rowOf(reply, []byte(batch[i]))
			if err != nil {
				return nil, err
			}
			if found && row.Alive(now) {
				newest = append(newest, row)
			}
		}
		slices.SortFunc(newest, func(a, b session.Row) int {
			return cmp.Or(cmp.Compare(b.Created, a.Created), slices.Compare(a.SID, b.SID))
		})
		newest = newest[:min(len(newest), listLimit)]
	}
	return newest, nil
}

// Prune implements [session.Store]: Redis forgets by itself, so it does nothing.
func (s *Store) Prune(ctx context.Context, _ int64) (int64, error) { return 0, ctx.Err() }

// sessionsOf gives the SIDs in the index of an account.
func (s *Store) sessionsOf(ctx context.Context, kind, subject string) ([]string, error) {
	reply, err := s.run(ctx, enlisted, s.accountKey(kind, subject))
	if err != nil {
		return nil, err
	}
	return reply.StringSlice()
}

// run runs a script on a key. No script answers nil: what is missing it says,
// so that an error is always one.
func (s *Store) run(ctx context.Context, script *redis.Script, key string, args ...any) (*redis.Cmd, error) {
	return s.runOn(ctx, script, []string{key}, args...)
}

// batchSize is how many sessions a pipeline is for, so that a large account
// fills neither memory nor the connection.
const batchSize = 500

// runAll runs a script on many sessions, after what first sends, in one round trip to each node. It
// sends the script each time, as a pipeline cannot fall back from EVALSHA.
func (s *Store) runAll(ctx context.Context, script *redis.Script, sids []string, args []any, first func(redis.Pipeliner)) ([]*redis.Cmd, error) {
	return within(ctx, func() ([]*redis.Cmd, error) {
		pipe, replies := s.client.Pipeline(), make([]*redis.Cmd, len(sids))
		if first != nil {
			first(pipe)
		}
		for i, sid := range sids {
			replies[i] = script.Eval(ctx, pipe, []string{s.sessionKey([]byte(sid))}, args...)
		}
		_, err := pipe.Exec(ctx) // the first error of them all
		return replies, err
	})
}

// within gives what do gives, or the error of ctx as soon as that is over. The
// client itself looks at ctx before it sends, but then waits for the answer as
// long as its ReadTimeout says, unless it was made with ContextTimeoutEnabled,
// and never learns that ctx was cancelled.
func within[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1) // so that a late answer finds a place
	go func() {
		value, err := do()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
