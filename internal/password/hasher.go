// Package password makes and verifies the hashes of passwords, and judges new
// passwords. It bounds how many are hashed at once.
package password

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fiberjwt/fiberjwt/internal/admission"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Settings are what hashing costs and which passwords are accepted.
type Settings struct {
	Memory     uint32 // KiB
	Iterations uint32 // passes over the memory
	Threads    uint8
	MinLength  int // code points
}

// Bounds of a hash that is computed at all: a row of the table must not be able
// to take all memory, or a processor for minutes.
const (
	maxMemory  = 1 << 20 // KiB, RFC 9106 §3.1 allows 4 TiB
	maxTime    = 16
	maxThreads = 16
	maxPHC     = len("$argon2id$v=19$m=1048576,t=16,p=16$") + 2*86 + len("$")
)

// bcryptHash is what bcrypt 2a, 2b and 2y write, up to a cost of 16, some 5 s.
// 2x marks the hashes of a faulty implementation.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$`)

const (
	saltBytes = 16 // RFC 9106 §3.1
	tagBytes  = 32
)

// WithDefaults fills in what is not set.
func (p Settings) WithDefaults() Settings {
	return Settings{
		Memory:     cmp.Or(p.Memory, 19456),
		Iterations: cmp.Or(p.Iterations, 2),
		Threads:    cmp.Or(p.Threads, 1),
		MinLength:  cmp.Or(p.MinLength, 8),
	}
}

// Problems says what is wrong with the settings.
func (p Settings) Problems() (problems []string) {
	p = p.WithDefaults()
	if p.Iterations > maxTime {
		problems = append(problems, fmt.Sprintf("Config.Password.Iterations: %d passes are more than %d; raise Memory instead", p.Iterations, maxTime))
	}
	if least := leastMemory(p.Iterations); p.Memory < least {
		problems = append(problems, fmt.Sprintf("Config.Password.Memory: %d KiB is too little for a Time of %d; give %d or more", p.Memory, p.Iterations, least))
	}
	if p.Memory > maxMemory {
		problems = append(problems, fmt.Sprintf("Config.Password.Memory: %d KiB is too much; give at most %d, and mind that the unit is KiB", p.Memory, maxMemory))
	}
	if p.Threads > maxThreads {
		problems = append(problems, fmt.Sprintf("Config.Password.Threads: %d is too much; give at most %d", p.Threads, maxThreads))
	}
	if p.MinLength < 8 || p.MinLength > 64 {
		// Both ends are NIST's, SP 800-63B §3.1.1.2.
		problems = append(problems, fmt.Sprintf("Config.Password.MinLength: %d is not between 8 and 64", p.MinLength))
	}
	return problems
}

// leastMemory is OWASP's table of equally strong settings.
func leastMemory(time uint32) uint32 {
	table := [...]uint32{47104, 19456, 12288, 9216, 7168}
	return table[min(time, uint32(len(table)))-1]
}

// Hasher makes and verifies the hashes of passwords. It is safe for concurrent use.
type Hasher struct {
	minLength int
	dummy     phc             // of an unknown password, with the parameters for new hashes
	slots     chan struct{}   // one for each that computes
	gate      *admission.Gate // those who sign in, register or change a password
	took      atomic.Int64    // nanoseconds of a hash, a moving average

	mu   sync.Mutex
	seen []oldCost // of the old hashes that were met lately, at most maxSeen
}

const (
	firstGuess = 50 * time.Millisecond // of what a hash takes
	overlap    = 2                     // of those who are let in, so many may wait for the store
	maxSeen    = 3
	seenFor    = time.Hour // an old cost is paid by others for so long
	// Costs above these are not paid by others: an attacker would have every wrong
	// password cost as much as the dearest hash in the table.
	maxOldCost   = 8
	maxOldBcrypt = "12"
)

// Load says how much hashing may take of the machine.
type Load struct {
	Processors int           // of the process, of which one is left to all other requests
	Pool       int           // connections of the database, 0 for no bound
	Patience   time.Duration // how long a request may wait for its turn
}

// New returns a Hasher. Settings that are zero have their defaults.
func New(settings Settings, load Load) *Hasher {
	slots := max(1, load.Processors-1)
	inside := signInsAtOnce(slots, load.Pool)
	p := settings.WithDefaults()
	h := &Hasher{
		minLength: p.MinLength,
		dummy:     phc{p.Memory, p.Iterations, p.Threads, make([]byte, saltBytes), make([]byte, tagBytes)},
		slots:     make(chan struct{}, slots),
	}
	h.took.Store(int64(firstGuess))
	h.gate = admission.New(inside, load.Patience, func() int {
		// As many as have their turn in time.
		return max(inside, slots*int(load.Patience/time.Duration(h.took.Load())))
	})
	_, _ = rand.Read(h.dummy.tag) // never fails: the process ends instead
	return h
}

// MinLength is the least length of a new password, in code points.
func (h *Hasher) MinLength() int { return h.minLength }

// HashLength is the length of new hashes.
func (h *Hasher) HashLength() int { return len(h.dummy.encode()) }

// Enter waits for a place among those whose passwords are hashed, and returns how
// to leave it. proof is for the first queue, see [admission.Gate]. The error is
// fault.ErrUnavailable, and [admission.ErrBusy] if too many wait.
func (h *Hasher) Enter(ctx context.Context, proof string) (leave func(), err error) {
	leave, err = h.gate.Enter(ctx, proof)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	return leave, nil
}

// signInsAtOnce is how many are let in. Each may hold a connection of the database,
// and together they may hold half of the pool, which has no bound if it is 0.
func signInsAtOnce(slots, pool int) int {
	if pool > 0 {
		return max(1, min(slots+overlap, pool/2))
	}
	return slots + overlap
}

// compute runs a hash in one of the slots, which bound the memory, and measures it.
func (h *Hasher) compute(ctx context.Context, hash func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	start := time.Now()
	hash()
	took := max(int64(time.Since(start)), int64(time.Millisecond))
	h.took.Store((7*h.took.Load() + took) / 8)
	return nil
}

// Hash gives what to store for a password. It fails only when ctx ends; the error is
// fault.ErrUnavailable.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p, password := h.dummy, normalized(password)
	p.salt = make([]byte, saltBytes)
	_, _ = rand.Read(p.salt)
	err := h.compute(ctx, func() { p.tag = p.derive(password) })
	return p.encode(), fault.Unavailable(err)
}

// Verify compares a password with what is stored; stale says that it matches
// but should be hashed anew. No hash ("", no such account) and one that is not
// understood match nothing.
//
// A password that does not match takes the same time for every account: for an
// hour after an old hash was met that costs something else than today's, each such
// comparison also pays the cost of the others. What can be told apart is the very
// first one, and hashes that are very dear or of a fourth kind.
//
// A password that is not normalized is also compared as it was typed: a hash that
// is older than the rule may be of that. Whether it costs twice depends on what was
// typed alone.
//
// err is for the reasons of [Hasher.Hash] only.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (ok, stale bool, err error) {
	form := normalized(password)
	err = h.compute(ctx, func() {
		if ok, stale = h.compare(encoded, form); !ok && form != password {
			ok, _ = h.compare(encoded, password)
			stale = ok
		}
	})
	return ok, stale, fault.Unavailable(err)
}

func (h *Hasher) compare(encoded, password string) (ok, stale bool) {
	match, cost, stale := h.matcher(encoded, password)
	for _, due := range h.costs(cost) {
		if due.name != cost {
			due.pay(password)
		} else if match(password) {
			return true, stale
		}
	}
	return false, false
}

// matcher is how a password is compared with a hash, and a name for what that
// costs, "" for the cost of a hash of today.
func (h *Hasher) matcher(encoded, password string) (match func(string) bool, cost string, stale bool) {
	if p, known := parsePHC(encoded); known {
		if p.memory != h.dummy.memory || p.time != h.dummy.time || p.threads != h.dummy.threads {
			cost = fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.threads)
		}
		if uint64(p.memory)*uint64(p.time) <= maxOldCost*uint64(h.dummy.memory)*uint64(h.dummy.time) {
			alike := phc{p.memory, p.time, p.threads, h.dummy.salt, h.dummy.tag}
			h.meet(cost, func(password string) { alike.matches(password) })
		}
		return p.matches, cost, p.weakerThan(h.dummy)
	}
	// bcrypt reads 72 bytes and, in most programs, nothing after a NUL: what lies
	// beyond would match whatever it is.
	if bcryptHash.MatchString(encoded) && len(password) <= 72 && strings.IndexByte(password, 0) < 0 {
		cost = "bcrypt " + encoded[4:6]
		if encoded[4:6] <= maxOldBcrypt {
			alike := encoded[:len("$2a$10$")] + strings.Repeat(".", 53)
			h.meet(cost, func(password string) { matchesBcrypt(alike, password[:min(len(password), 72)]) })
		}
		return func(password string) bool { return matchesBcrypt(encoded, password) }, cost, true
	}
	return func(password string) bool { h.dummy.matches(password); return false }, "", false
}

func matchesBcrypt(encoded, password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(encoded), []byte(password)) == nil
}

// oldCost is the cost of a kind of hash that is not made any more.
type oldCost struct {
	name string
	pay  func(password string)
	last time.Time // when such a hash was met
}

// meet remembers how to pay the cost of an old hash.
func (h *Hasher) meet(name string, pay func(string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.seen = slices.DeleteFunc(h.seen, func(c oldCost) bool { return now.Sub(c.last) > seenFor })
	i := slices.IndexFunc(h.seen, func(c oldCost) bool { return c.name == name })
	switch {
	case i >= 0:
		h.seen[i].last = now
	case name != "" && len(h.seen) < maxSeen:
		h.seen = append(h.seen, oldCost{name, pay, now})
	}
}

// costs are what a wrong password pays, own among them: the cost of today first,
// then those that were met, in the same order for every account.
func (h *Hasher) costs(own string) []oldCost {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := append([]oldCost{{pay: func(password string) { h.dummy.matches(password) }}}, h.seen...)
	if !slices.ContainsFunc(all, func(c oldCost) bool { return c.name == own }) {
		all = append(all, oldCost{name: own})
	}
	return all
}
