package redisstore

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fiberjwt/fiberjwt/session"
)

var _ session.Attempts = (*Store)(nil)

// attemptKey holds a record of failed sign-ins: "revision expires|" and its bytes.
// The hash tag puts all records into one slot of a cluster, because one script
// changes several of them. Redis can handle this load in one slot: the rest of a
// sign-in costs far more.
func (s *Store) attemptKey(key []byte) string {
	return s.prefix + "{attempts}:" + base64.RawURLEncoding.EncodeToString(key)
}

// LoadAttempts implements [session.Attempts], in one round trip.
func (s *Store) LoadAttempts(ctx context.Context, keys [][]byte) ([]session.AttemptRecord, error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.attemptKey(key)
	}
	reply, err := s.runOn(ctx, loadAttempts, names)
	if err != nil {
		return nil, err
	}
	values, err := reply.StringSlice()
	if err != nil {
		return nil, err
	}
	if len(values) != len(keys) {
		return nil, fmt.Errorf("redisstore: Redis returned %d records of failed sign-ins instead of %d", len(values), len(keys))
	}
	records := make([]session.AttemptRecord, len(keys))
	for i, value := range values {
		if records[i], err = decodeAttempt(value); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func decodeAttempt(value string) (r session.AttemptRecord, err error) {
	if value == "" {
		return session.AttemptRecord{}, nil
	}
	head, bytes, _ := strings.Cut(value, "|")
	if _, err := fmt.Sscanf(head, "%d %d", &r.Revision, &r.Expires); err != nil {
		return session.AttemptRecord{}, fmt.Errorf("redisstore: a record of failed sign-ins is damaged: %w", err)
	}
	r.Value = []byte(bytes)
	return r, nil
}

// SwapAttempts implements [session.Attempts], in one round trip.
func (s *Store) SwapAttempts(ctx context.Context, swaps []session.AttemptSwap) ([]bool, error) {
	// The clock of the caller may be behind the clock of Redis.
	least := time.Now().Add(time.Hour).UnixMilli()
	names, args := make([]string, len(swaps)), []any{}
	for i, swap := range swaps {
		names[i] = s.attemptKey(swap.Key)
		args = append(args, swap.Old, fmt.Sprintf("%d %d|%s", swap.Record.Revision, swap.Record.Expires, swap.Record.Value), max(swap.Record.Expires, least))
	}
	reply, err := s.runOn(ctx, swapAttempts, names, args...)
	if err != nil {
		return nil, err
	}
	return reply.BoolSlice()
}

// runOn runs a script on keys, which must be in one slot.
func (s *Store) runOn(ctx context.Context, script *redis.Script, keys []string, args ...any) (*redis.Cmd, error) {
	return within(ctx, func() (*redis.Cmd, error) {
		cmd := script.Run(ctx, s.client, keys, args...)
		return cmd, cmd.Err()
	})
}

// loadAttempts returns the values, "" for none. It is a script, and not MGET, for
// the same reason as find.
var loadAttempts = redis.NewScript(`
local values = {}
for i, key in ipairs(KEYS) do values[i] = redis.call('GET', key) or '' end
return values`)

// swapAttempts stores each value whose key has the old revision, 0 for no record.
// ARGV has the old revision, the value and the expiry for each key. It returns 1 or
// 0 for each. It compares revisions as texts, because a number in Lua has 53 bits.
var swapAttempts = redis.NewScript(`
local stored = {}
for i, key in ipairs(KEYS) do
  local old, value, ends = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local found = string.match(redis.call('GET', key) or '0 ', '^(%d+) ')
  stored[i] = 0
  if found == old then
    redis.call('SET', key, value, 'PXAT', ends)
    stored[i] = 1
  end
end
return stored`)
