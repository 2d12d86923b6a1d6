// Package password makes and verifies the hashes of passwords, and checks new passwords. It
// limits how many are hashed at once.
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

// Settings are the cost of hashing and the rule for new passwords. A zero field has its
// default; see [Settings.WithDefaults].
type Settings struct {
	Memory     uint32 // KiB
	Iterations uint32 // passes over the memory
	Threads    uint8
	MinLength  int // code points
}

// Limits of the hashes that are verified: a row of the table must not be able to use all
// memory, or a processor for minutes.
const (
	maxMemory  = 1 << 20 // KiB, RFC 9106 §3.1 allows 4 TiB
	maxTime    = 16
	maxThreads = 16
	maxPHC     = len("$argon2id$v=19$m=1048576,t=16,p=16$") + 2*86 + len("$")
)

// bcryptHash matches the hashes of bcrypt 2a, 2b and 2y up to a cost of 16, about 5 s. 2x
// marks the hashes of a faulty implementation.
var bcryptHash = regexp.MustCompile(`^\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$`)

const (
	saltBytes = 16 // RFC 9106 §3.1
	tagBytes  = 32
)

// WithDefaults returns p with the defaults in place of zeros: 19,456 KiB, 2 passes, 1
// thread, 8 code points.
func (p Settings) WithDefaults() Settings {
	return Settings{
		Memory:     cmp.Or(p.Memory, 19456),
		Iterations: cmp.Or(p.Iterations, 2),
		Threads:    cmp.Or(p.Threads, 1),
		MinLength:  cmp.Or(p.MinLength, 8),
	}
}

// Problems returns the problems of the settings, each with the fix.
func (p Settings) Problems() (problems []fault.Problem) {
	p = p.WithDefaults()
	if p.Iterations > maxTime {
		problems = append(problems, fault.NewProblem("Config.Password.Iterations", fmt.Sprintf("%d passes are more than %d", p.Iterations, maxTime), "raise Memory instead"))
	}
	if least := leastMemory(p.Iterations); p.Memory < least {
		problems = append(problems, fault.NewProblem("Config.Password.Memory", fmt.Sprintf("%d KiB is too little for Iterations of %d", p.Memory, p.Iterations), fmt.Sprintf("give %d or more", least)))
	}
	if p.Memory > maxMemory {
		problems = append(problems, fault.NewProblem("Config.Password.Memory", fmt.Sprintf("%d KiB is too much", p.Memory), fmt.Sprintf("give at most %d; the unit is KiB", maxMemory)))
	}
	if p.Threads > maxThreads {
		problems = append(problems, fault.NewProblem("Config.Password.Threads", fmt.Sprintf("%d is too much", p.Threads), fmt.Sprintf("give at most %d", maxThreads)))
	}
	if p.MinLength < 8 || p.MinLength > 64 {
		// Both ends are NIST's, SP 800-63B §3.1.1.2.
		problems = append(problems, fault.NewProblem("Config.Password.MinLength", fmt.Sprintf("%d is not between 8 and 64", p.MinLength), "give a number in this range, or leave it out for the default of 8"))
	}
	return problems
}

// leastMemory returns the least memory for a number of passes, by OWASP's table of equally
// strong settings.
func leastMemory(time uint32) uint32 {
	table := [...]uint32{47104, 19456, 12288, 9216, 7168}
	return table[min(time, uint32(len(table)))-1]
}

// Hasher makes and verifies the hashes of passwords. It is safe for concurrent use.
type Hasher struct {
	minLength int
	dummy     phc             // a hash that no password matches, with the parameters for new hashes
	slots     chan struct{}   // one for each hash that is being computed
	gate      *admission.Gate // for requests that sign in, register or change a password
	hashTime  atomic.Int64    // nanoseconds for a hash, a moving average

	mu   sync.Mutex
	seen []oldCost // the costs of old hashes that were verified recently, at most maxSeen
}

const (
	firstGuess = 50 * time.Millisecond // the initial value of hashTime
	overlap    = 2                     // how many admitted requests may wait for the store
	maxSeen    = 3
	seenFor    = time.Hour // how long other accounts pay an old cost
	// Other accounts do not pay costs above these. Otherwise an attacker could make every
	// wrong password cost as much as the most expensive hash in the table.
	maxOldCost   = 8
	maxOldBcrypt = "12"
)

// Load limits the resources that hashing uses.
type Load struct {
	Processors int           // available to the process; one of them is left to other requests
	Pool       int           // connections of the database, 0 for no limit
	Patience   time.Duration // how long a request may wait for its turn
}

// New returns a Hasher. Zero settings have their defaults.
func New(settings Settings, load Load) *Hasher {
	slots := max(1, load.Processors-1)
	inside := signInsAtOnce(slots, load.Pool)
	p := settings.WithDefaults()
	h := &Hasher{
		minLength: p.MinLength,
		dummy:     phc{p.Memory, p.Iterations, p.Threads, make([]byte, saltBytes), make([]byte, tagBytes)},
		slots:     make(chan struct{}, slots),
	}
	h.hashTime.Store(int64(firstGuess))
	h.gate = admission.New(inside, load.Patience, func() int {
		// As many as can be hashed within load.Patience.
		return max(inside, slots*int(load.Patience/time.Duration(h.hashTime.Load())))
	})
	_, _ = rand.Read(h.dummy.tag) // never fails: the process ends instead
	return h
}

// MinLength returns the least length of a new password, in code points.
func (h *Hasher) MinLength() int { return h.minLength }

// HashLength returns the length of new hashes.
func (h *Hasher) HashLength() int { return len(h.dummy.encode()) }

// Enter waits until the request may hash passwords. The caller must call leave afterwards.
// proof admits the request to the first queue; see [admission.Gate]. The error matches
// fault.ErrUnavailable, and also [admission.ErrBusy] if too many requests wait.
func (h *Hasher) Enter(ctx context.Context, proof string) (leave func(), err error) {
	leave, err = h.gate.Enter(ctx, proof)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	return leave, nil
}

// signInsAtOnce returns how many requests are admitted at once. Each may use a connection of
// the database, and together they may use half of the pool. A pool of 0 has no limit.
func signInsAtOnce(slots, pool int) int {
	if pool > 0 {
		return max(1, min(slots+overlap, pool/2))
	}
	return slots + overlap
}

// compute calls hash in one of the slots, which limit the memory, and measures its time.
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
	h.hashTime.Store((7*h.hashTime.Load() + took) / 8)
	return nil
}

// Hash returns a new hash of a password. It fails only if ctx is done; the error then
// matches fault.ErrUnavailable.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p, password := h.dummy, normalized(password)
	p.salt = make([]byte, saltBytes)
	_, _ = rand.Read(p.salt)
	err := h.compute(ctx, func() { p.tag = p.derive(password) })
	return p.encode(), fault.Unavailable(err)
}

// Verify reports whether a password matches the stored hash encoded. stale means that it
// matches, but should be hashed again with the current parameters. No password matches ""
// (no such account) or a hash in an unknown format.
//
// A wrong password takes the same time for every account. For this, after an old hash with
// other costs was verified, every wrong password also pays these costs for an hour. The
// first such comparison can still be distinguished, and so can hashes that are very
// expensive or have a fourth kind of cost.
//
// A password that is not normalized is also compared without normalization, because an
// older hash may have been made so. Whether this doubles the cost depends on the password
// only, not on the account.
//
// Verify returns an error only for the reasons of [Hasher.Hash].
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

// matcher returns the function that compares a password with a hash, and a name for its
// cost, "" for the cost of new hashes.
func (h *Hasher) matcher(encoded, password string) (match func(string) bool, cost string, stale bool) {
	if p, known := parsePHC(encoded); known {
		if p.memory != h.dummy.memory || p.time != h.dummy.time || p.threads != h.dummy.threads {
			cost = fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.time, p.threads)
		}
		if uint64(p.memory)*uint64(p.time) <= maxOldCost*uint64(h.dummy.memory)*uint64(h.dummy.time) {
			alike := phc{p.memory, p.time, p.threads, h.dummy.salt, h.dummy.tag}
			h.noteCost(cost, func(password string) { alike.matches(password) })
		}
		return p.matches, cost, p.weakerThan(h.dummy)
	}
	// bcrypt reads 72 bytes, and in most programs nothing after a NUL: the rest of a longer
	// password would not be compared.
	if bcryptHash.MatchString(encoded) && len(password) <= 72 && strings.IndexByte(password, 0) < 0 {
		cost = "bcrypt " + encoded[4:6]
		if encoded[4:6] <= maxOldBcrypt {
			alike := encoded[:len("$2a$10$")] + strings.Repeat(".", 53)
			h.noteCost(cost, func(password string) { matchesBcrypt(alike, password[:min(len(password), 72)]) })
		}
		return func(password string) bool { return matchesBcrypt(encoded, password) }, cost, true
	}
	return func(password string) bool { h.dummy.matches(password); return false }, "", false
}

func matchesBcrypt(encoded, password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(encoded), []byte(password)) == nil
}

// oldCost is the cost of old hashes.
type oldCost struct {
	name string
	pay  func(password string)
	last time.Time // when such a hash was last verified
}

// noteCost remembers the cost of an old hash, and how to pay it.
func (h *Hasher) noteCost(name string, pay func(string)) {
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

// costs returns the costs that a wrong password pays, including own: the cost of new hashes
// first, then the remembered ones, in the same order for every account.
func (h *Hasher) costs(own string) []oldCost {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := append([]oldCost{{pay: func(password string) { h.dummy.matches(password) }}}, h.seen...)
	if !slices.ContainsFunc(all, func(c oldCost) bool { return c.name == own }) {
		all = append(all, oldCost{name: own})
	}
	return all
}
