package redisstore

import "github.com/redis/go-redis/v9"

// The scripts for sessions. Each uses KEYS[1] only, and Redis runs it atomically.
// Reads are scripts too, not GET: a client may send GET to a replica or cache the
// answer, and neither knows at once that a session has ended.

// find returns the value of a session, "" for none.
var find = redis.NewScript(`return redis.call('GET', KEYS[1]) or ''`)

// create stores ARGV[1] until ARGV[2], unless the session exists already.
var create = redis.NewScript(`
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PXAT', ARGV[2])
return 1`)

// addToIndex adds the session ARGV[2], which ends at ARGV[1], to the index of its
// account, removes entries whose time is over, and lets the index live as long as
// its last entry. Ended sessions stay in the index: if a failover restores one,
// RevokeAll still finds it.
var addToIndex = redis.NewScript(`
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
local clock = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', clock[1] * 1000)
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2])) end
return 1`)

// readIndex returns the SIDs of an index.
var readIndex = redis.NewScript(`return redis.call('ZRANGE', KEYS[1], 0, -1)`)

// reading is the first part of the scripts that change a session: value is what
// encode wrote, or false.
const reading = `
local value = redis.call('GET', KEYS[1])
local GEN, PREV, ISSUED, IDLE_UNTIL, REVOKED, AUTH_TIME, ENDS = 0, 1, 2, 3, 4, 5, 6

local function number(i) return tonumber(string.sub(value, 17 * i + 1, 17 * i + 16)) end

-- the text at a place, and the place after it
local function text(at)
  local length, from = string.match(value, '^(%d+):()', at)
  return string.sub(value, from, from + length - 1), from + length
end

-- overwrites numbers from place i on
local function write(i, ...)
  local digits = {...}
  for k, n in ipairs(digits) do
    if n < -2 or n >= 2 ^ 53 then error('a number is out of range') end
    digits[k] = string.format('%016.0f', n)
  end
  redis.call('SETRANGE', KEYS[1], 17 * i, table.concat(digits, ' '))
end
`

// timing returns the time of Redis in milliseconds.
const timing = `
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
`

var clock = redis.NewScript(timing + `return clock()`)

// refresh is session.Decide. ARGV is kind, generation, now, least age, grace,
// re-arm, idle, and 1 if the clock of Redis replaces now. It returns the outcome, a
// digit, and the value afterwards, or "" if there is no such session.
var refresh = redis.NewScript(timing + reading + `
if not value or text(137) ~= ARGV[1] then return '' end

local g, now, leastAge = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local grace, rearm, idle = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if ARGV[8] == '1' then now = clock() end
local gen, prev, ends = number(GEN), number(PREV), number(ENDS)
local age = now - number(ISSUED)

local function advance(gen, prev)
  write(GEN, gen, prev, now, math.min(now + idle, ends))
end

local function decide()
  if number(REVOKED) ~= 0 or now >= number(IDLE_UNTIL) or now >= ends then return 0 end
  if g > gen then advance(g, gen) return 1 end
  if g == gen and age < leastAge then return 2 end
  if g == gen then advance(g + 1, g) return 3 end
  if g == prev and age < grace then return 4 end
  if g == prev and age < rearm then advance(gen, prev) return 5 end
  if g == prev then advance(gen + 1, prev) return 6 end
  write(PREV, -2)
  write(REVOKED, now)
  return 7
end

local outcome = decide()
return outcome .. redis.call('GET', KEYS[1])`)

// revoke ends a session at ARGV[3], unless it has ended already. ARGV[1] and
// ARGV[2] are the kind and subject that it must have, "" for any. It returns 1 if
// the session exists.
var revoke = redis.NewScript(reading + `
if not value then return 0 end
local kind, at = text(137)
if ARGV[1] ~= '' and ARGV[1] ~= kind then return 0 end
if ARGV[2] ~= '' and ARGV[2] ~= text(at) then return 0 end
if number(REVOKED) == 0 then write(REVOKED, tonumber(ARGV[3])) end
return 1`)

// prove sets ARGV[1] as the time of the last verification, if the session exists.
var prove = redis.NewScript(reading + `
if value then write(AUTH_TIME, tonumber(ARGV[1])) end
return 1`)

// slide moves the idle deadline to ARGV[2] + ARGV[3], but not past the end, if the
// session is alive at ARGV[2] and of kind ARGV[1]. It returns the value afterwards,
// "" if there is no such session.
var slide = redis.NewScript(reading + `
if not value or text(137) ~= ARGV[1] then return '' end
local now, idle, ends = tonumber(ARGV[2]), tonumber(ARGV[3]), number(ENDS)
if number(REVOKED) == 0 and now < number(IDLE_UNTIL) and now < ends then write(IDLE_UNTIL, math.min(now + idle, ends)) end
return redis.call('GET', KEYS[1])`)

// reportEnds records that the sessions from ARGV[3] on ended at ARGV[1], and forgets ends
// that are more than ARGV[2] older.
var reportEnds = redis.NewScript(`
local now, kept = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], 'GT', now, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - kept))
redis.call('PEXPIRE', KEYS[1], kept)
return 1`)

// endedSince returns the sessions that ended after ARGV[1].
var endedSince = redis.NewScript(`return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')`)
