package redisstore

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fiberjwt/fiberjwt/session"
)

var _ session.Attempts = (*Store)(nil)

// attemptKeys hold the counters of an attempt, session.Failures: "clear until".
// The tag puts all counters into one slot of a cluster, as a script for two
// needs it; a sign-in costs more than Redis has to do for it by far.
func (s *Store) attemptKeys(a session.Attempt) []string {
	name := func(c session.Counter) string {
		return s.prefix + "{attempts}:" + base64.RawURLEncoding.EncodeToString(c.Key)
	}
	return []string{name(a.Account), name(a.Address)}
}

// Charge implements [session.Attempts], in one round trip.
func (s *Store) Charge(ctx context.Context, a session.Attempt, now int64) (time.Duration, error) {
	account, address := a.Account.Limit, a.Address.Limit
	reply, err := s.runOnce(ctx, charge, s.attemptKeys(a), now, session.LongestWait.Milliseconds(), session.ClockSkew.Milliseconds(),
		account.Free, account.Fade.Milliseconds(), account.Most(), address.Free, address.Fade.Milliseconds(), address.Most())
	if err != nil {
		return 0, err
	}
	wait, err := reply.Int64()
	return time.Duration(wait) * time.Millisecond, err
}

// Refund implements [session.Attempts].
func (s *Store) Refund(ctx context.Context, a session.Attempt) error {
	_, err := s.runOnce(ctx, refund, s.attemptKeys(a), a.Account.Limit.Fade.Milliseconds(), a.Address.Limit.Fade.Milliseconds())
	return err
}

// Succeed implements [session.Attempts].
func (s *Store) Succeed(ctx context.Context, a session.Attempt) error {
	_, err := s.runOnce(ctx, refund, s.attemptKeys(a), 0, a.Address.Limit.Fade.Milliseconds())
	return err
}

// once is a command that the client does not send again when it has lost the
// answer: it would count twice.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// runOnce runs a script on keys.
func (s *Store) runOnce(ctx context.Context, script string, keys []string, args ...any) (*redis.Cmd, error) {
	words := []any{"EVAL", script, len(keys)}
	for _, key := range keys {
		words = append(words, key)
	}
	return within(ctx, func() (*redis.Cmd, error) {
		cmd := redis.NewCmd(ctx, append(words, args...)...)
		return cmd, s.client.Process(ctx, once{cmd})
	})
}

// charge is session.Limit.Charge for both keys, unless one has to wait: ARGV is
// now, the longest wait, the clock skew, then free, fade and most of each. It gives the wait. A
// counter is forgotten when the last failure has faded, which is after its wait.
const charge = `
local now, longest, skew = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local wait, clear = 0, {}
for i, key in ipairs(KEYS) do
  local at, ends = string.match(redis.call('GET', key) or '0 0', '^(%d+) (%d+)$')
  clear[i] = tonumber(at)
  local rest = tonumber(ends) - now
  if rest <= longest then wait = math.max(wait, rest) end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  local free, fade, most = tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2]), tonumber(ARGV[3 * i + 3])
  local left = math.min(math.max(clear[i] - now, 0) + fade, most * fade)
  local failures, ends = math.ceil((left - skew) / fade), 0
  if failures >= free then ends = now + math.min(1000 * 2 ^ (failures - free), longest) end
  redis.call('SET', key, string.format('%.0f %.0f', now + left, ends), 'PX', string.format('%.0f', math.max(left, longest)))
end
return 0`

// refund is session.Limit.Refund: ARGV is the fade of each, 0 to forget all.
const refund = `
for i, key in ipairs(KEYS) do
  local value, fade = redis.call('GET', key), tonumber(ARGV[i])
  if value and fade > 0 then
    local clear = math.max(tonumber(string.match(value, '^%d+')) - fade, 0)
    redis.call('SET', key, string.format('%.0f 0', clear), 'KEEPTTL')
  else
    redis.call('DEL', key)
  end
end
return 1`
