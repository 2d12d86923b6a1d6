// Package redisstore keeps the sessions of fiberjwt in Redis, for applications
// whose database should not be asked on every request:
//
//	fiberjwt.Config{
//		DB:       db, // the accounts
//		Store: redisstore.New(client),
//		…
//	}
//
// A refresh, a logout and the check of the session on each request are one round
// trip on one key. A session takes about 0.6 KB of memory, including its entry in
// the index of its account. Redis deletes it when its absolute lifetime is over, by
// the clock of Redis; until then an ended session stays as a marker.
//
// # Requirements
//
// Redis 6.2 or later, with
//
//	appendonly yes
//	maxmemory-policy noeviction
//
// fiberjwt.Auth.Check verifies these settings.
//
// Sessions are data, not a cache: if Redis evicts keys or starts empty, users are
// signed out. If Redis does not answer, is full or is read-only, every method
// returns an error. Clients then get 503 and stay signed in; a logout fails, too.
//
// # Lost writes
//
// Redis confirms a write before it is on the disk or on a replica. With appendfsync
// everysec a crash loses the last one or two seconds; a restored backup loses
// everything after it was made. The client's next refresh repairs a lost refresh,
// see [session.Heal]. After a lost login, the client gets 401 and signs in again. A
// lost logout is undone. If that is not acceptable, set appendfsync always, or keep
// sessions in the database.
//
// # Redis Cluster
//
// Every command uses one key, or counters of failed sign-ins, which are all in one
// slot, so every cluster works. A session and the index of its account can be on
// different nodes, and the index is written first. If the node of the index loses
// that write in a failover while the session stays, RevokeAll misses the session
// until it ends. The prefix "{fiberjwt}:" puts all sessions into one slot and
// prevents this.
package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/fiberjwt/fiberjwt/session"
)

// Store is a [session.Store] on Redis. It is safe for concurrent use, also by
// several processes on one Redis. It also implements [session.Attempts],
// [session.Revocations], [session.Slider], [session.Clock] and [session.Checker].
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

// Option changes the store that [New] returns.
type Option func(*Store)

// WithPrefix sets the prefix of all keys, "fiberjwt:" by default. Applications that
// share a database of Redis need different prefixes: otherwise one application ends
// sessions of the other's accounts.
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = prefix }
}

// New returns the store on client. The caller closes client. New does no I/O. It
// panics if client is nil, and if it is a [redis.Ring]: while a server is down, a
// Ring looks for its sessions on another server, and finds none.
//
// The client may retry commands: a repeated command has no further effect. It may
// be configured to send reads to replicas: the commands of the store always go to
// the primary.
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

// accountKey holds the index of an account: the SIDs of its sessions, also of ended
// ones, sorted by Ends. The length separates kind and subject, whatever bytes they
// contain.
func (s *Store) accountKey(kind, subject string) string {
	return s.prefix + "a:" + strconv.Itoa(len(kind)) + ":" + kind + ":" + subject
}

// endsKey holds the SIDs of the sessions that ended in the last minutes, sorted by
// time, for caches.
func (s *Store) endsKey() string { return s.prefix + "ends" }

// Create implements [session.Store], in two round trips. The index is written
// first, so that a RevokeAll that starts after Create has returned finds the
// session.
func (s *Store) Create(ctx context.Context, row session.Row) error {
	value, err := encode(row)
	if err != nil {
		return err
	}
	if _, err := s.run(ctx, addToIndex, s.accountKey(row.Kind, row.Subject), row.Ends, string(row.SID)); err != nil {
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
		// The second condition repeats the report of an end, in case it was lost.
		_, err = s.run(ctx, reportEnds, s.endsKey(), now, keptFor, string(sid))
	}
	return row, outcome, err
}

// Clock implements [session.Clock]: it returns the clock of Redis.
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

// rowOf reads the answer of the script find.
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

// end ends sessions and reports that to caches, in one round trip to each node. It
// may report sessions that do not end.
func (s *Store) end(ctx context.Context, sids []string, kind, subject string, now int64) ([]*redis.Cmd, error) {
	news := []any{now, keptFor}
	for _, sid := range sids {
		news = append(news, sid)
	}
	return s.runAll(ctx, revoke, sids, []any{kind, subject, now}, func(pipe redis.Pipeliner) {
		reportEnds.Eval(ctx, pipe, []string{s.endsKey()}, news...)
	})
}

const (
	lately  = 120_000 // ms, for clocks that differ by at most half of it
	keptFor = 600_000 // ms, how long ends are reported, as session.Revocations requires
)

// RevokedSince implements [session.Revocations].
func (s *Store) RevokedSince(ctx context.Context, since int64) ([][]byte, error) {
	reply, err := s.run(ctx, endedSince, s.endsKey(), since)
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

// RevokeAll implements [session.Store]. It is not atomic: sessions end one after
// the other, and after an error some of them have ended.
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

// listLimit is how many sessions List returns at most.
const listLimit = 100

// List implements [session.Store]. It reads every session of the account that Redis
// still has, because the index does not show which sessions are alive.
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

// Prune implements [session.Store]. It does nothing, because Redis deletes sessions
// by itself.
func (s *Store) Prune(ctx context.Context, _ int64) (int64, error) { return 0, ctx.Err() }

// sessionsOf returns the SIDs in the index of an account.
func (s *Store) sessionsOf(ctx context.Context, kind, subject string) ([]string, error) {
	reply, err := s.run(ctx, readIndex, s.accountKey(kind, subject))
	if err != nil {
		return nil, err
	}
	return reply.StringSlice()
}

// run runs a script on a key. No script returns nil for a missing value, so every
// error is a real one.
func (s *Store) run(ctx context.Context, script *redis.Script, key string, args ...any) (*redis.Cmd, error) {
	return s.runOn(ctx, script, []string{key}, args...)
}

// batchSize is how many sessions one pipeline has, so that a large account fills
// neither the memory nor the connection.
const batchSize = 500

// runAll runs a script on many sessions, after the commands that first sends, in
// one round trip to each node. It sends the text of the script each time, because a
// pipeline cannot fall back from EVALSHA.
func (s *Store) runAll(ctx context.Context, script *redis.Script, sids []string, args []any, first func(redis.Pipeliner)) ([]*redis.Cmd, error) {
	return within(ctx, func() ([]*redis.Cmd, error) {
		pipe, replies := s.client.Pipeline(), make([]*redis.Cmd, len(sids))
		if first != nil {
			first(pipe)
		}
		for i, sid := range sids {
			replies[i] = script.Eval(ctx, pipe, []string{s.sessionKey([]byte(sid))}, args...)
		}
		_, err := pipe.Exec(ctx) // the first error of all commands
		return replies, err
	})
}

// within returns the result of do, or the error of ctx as soon as ctx is done. The
// client itself checks ctx before it sends. But then it waits for the answer for
// its ReadTimeout, unless it was made with ContextTimeoutEnabled, and does not
// notice that ctx is cancelled.
func within[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1) // buffered, so that a late answer does not block the goroutine
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
