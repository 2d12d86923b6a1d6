package fiberjwt

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/fiberjwt/fiberjwt/internal/admission"
)

// Password sets what hashing a password costs and which passwords are taken.
// The zero value is right for most applications.
//
// Hashes are argon2id. Raise the cost as far as a login may take: weaker hashes
// and those of bcrypt still verify, and are replaced at the next login. At most
// GOMAXPROCS - 1 passwords are hashed at once, and at least one. Logins take that
// many times Memory, and as much again until the garbage is collected. A request
// waits for ReadTimeout and WriteTimeout together at most; one that would have to
// wait longer is answered 503 at once.
//
// Settings below those that OWASP holds to be equally strong are refused: 47104
// KiB with 1 pass, 19456 with 2, 12288 with 3, 9216 with 4, 7168 with 5 or more.
type Password struct {
	Memory    uint32 // KiB; default 19456, at most 1048576
	Time      uint32 // passes over the memory; default 2, at most 16
	Threads   uint8  // default 1, at most 16; more shortens a login and leaves fewer processors for others
	MinLength int    // code points, 8 to 64; default 8. Take 15 where nothing but the password protects much (NIST SP 800-63B)
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

func (p Password) withDefaults() Password {
	return Password{
		Memory:    cmp.Or(p.Memory, 19456),
		Time:      cmp.Or(p.Time, 2),
		Threads:   cmp.Or(p.Threads, 1),
		MinLength: cmp.Or(p.MinLength, 8),
	}
}

func (p Password) problems() (problems []string) {
	p = p.withDefaults()
	if p.Time > maxTime {
		problems = append(problems, fmt.Sprintf("Config.Password.Time: %d passes are more than %d; raise Memory instead", p.Time, maxTime))
	}
	if least := leastMemory(p.Time); p.Memory < least {
		problems = append(problems, fmt.Sprintf("Config.Password.Memory: %d KiB is too little for a Time of %d; give %d or more", p.Memory, p.Time, least))
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

// hasher makes and verifies the hashes of passwords. Safe for concurrent use.
type hasher struct {
	minLength int
	dummy     phc             // of nobody's password, with the parameters for new hashes
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

// newHasher leaves one processor to all other requests. A child of Fiber's Prefork
// has one processor, whatever GOMAXPROCS says before it listens.
func newHasher(cfg Config) *hasher {
	processors := runtime.GOMAXPROCS(0)
	if fiber.IsChild() {
		processors = 1
	}
	slots := max(1, processors-1)
	pool := 0
	if cfg.DB != nil {
		pool = cfg.DB.Stats().MaxOpenConnections
	}
	inside := signInsAtOnce(slots, pool)
	p := cfg.Password.withDefaults()
	h := &hasher{
		minLength: p.MinLength,
		dummy:     phc{p.Memory, p.Time, p.Threads, make([]byte, saltBytes), make([]byte, tagBytes)},
		slots:     make(chan struct{}, slots),
	}
	h.took.Store(int64(firstGuess))
	patience := cfg.ReadTimeout + cfg.WriteTimeout // as long as a request may wait for the store
	h.gate = admission.New(inside, patience, func() int {
		// As many as have their turn in time.
		return max(inside, slots*int(patience/time.Duration(h.took.Load())))
	})
	_, _ = rand.Read(h.dummy.tag) // never fails: the process ends instead
	return h
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
func (h *hasher) compute(ctx context.Context, hash func()) error {
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

// hash gives what to store for a password. It fails only when ctx ends.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	p, password := h.dummy, normalized(password)
	p.salt = make([]byte, saltBytes)
	_, _ = rand.Read(p.salt)
	err := h.compute(ctx, func() { p.tag = p.derive(password) })
	return p.encode(), err
}

// verify compares a password with what is stored; stale says that it matches
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
// err is for the reasons of [hasher.hash] only.
func (h *hasher) verify(ctx context.Context, encoded, password string) (ok, stale bool, err error) {
	form := normalized(password)
	err = h.compute(ctx, func() {
		if ok, stale = h.compare(encoded, form); !ok && form != password {
			ok, _ = h.compare(encoded, password)
			stale = ok
		}
	})
	return ok, stale, err
}

func (h *hasher) compare(encoded, password string) (ok, stale bool) {
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

// normalized is the form of a password that is judged and hashed, so that it is the
// same from every keyboard: composed, and with one kind of space (OpaqueString,
// RFC 8265 §4.2.1). Nothing else is changed, and nothing in what is no text.
func normalized(password string) string {
	if !utf8.ValidString(password) {
		return password
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, password))
}

// matcher is how a password is compared with a hash, and a name for what that
// costs, "" for the cost of a hash of today.
func (h *hasher) matcher(encoded, password string) (match func(string) bool, cost string, stale bool) {
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
func (h *hasher) meet(name string, pay func(string)) {
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
func (h *hasher) costs(own string) []oldCost {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := append([]oldCost{{pay: func(password string) { h.dummy.matches(password) }}}, h.seen...)
	if !slices.ContainsFunc(all, func(c oldCost) bool { return c.name == own }) {
		all = append(all, oldCost{name: own})
	}
	return all
}

// phc is an argon2id hash, as text in the PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>
type phc struct {
	memory, time uint32
	threads      uint8
	salt, tag    []byte
}

// parsePHC reads what encode writes and nothing else. What it gives can be
// computed within the bounds.
func parsePHC(encoded string) (phc, bool) {
	if len(encoded) > maxPHC {
		return phc{}, false
	}
	var p phc
	var text string
	if _, err := fmt.Sscanf(encoded, "$argon2id$v=19$m=%d,t=%d,p=%d$%s", &p.memory, &p.time, &p.threads, &text); err != nil {
		return phc{}, false
	}
	salt, tag, _ := strings.Cut(text, "$")
	var errSalt, errTag error
	p.salt, errSalt = base64.RawStdEncoding.DecodeString(salt)
	p.tag, errTag = base64.RawStdEncoding.DecodeString(tag)
	// The last comparison refuses whatever a lenient reader lets pass: signs,
	// leading zeros, blanks, line breaks in base64, spare bits at its end.
	if errSalt != nil || errTag != nil || !p.bounded() || p.encode() != encoded {
		return phc{}, false
	}
	return p, true
}

// bounded: RFC 9106 §3.1 from below, our patience from above.
func (p phc) bounded() bool {
	return p.time >= 1 && p.time <= maxTime &&
		p.threads >= 1 && p.threads <= maxThreads &&
		p.memory >= 8*uint32(p.threads) && p.memory <= maxMemory &&
		len(p.salt) >= 8 && len(p.salt) <= 64 &&
		len(p.tag) >= 16 && len(p.tag) <= 64
}

func (p phc) encode() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.tag))
}

// derive computes the tag that belongs to a password.
func (p phc) derive(password string) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.tag)))
}

func (p phc) matches(password string) bool {
	return subtle.ConstantTimeCompare(p.derive(password), p.tag) == 1
}

// weakerThan: in anything. Threads do not count, an attacker has as many as he likes.
func (p phc) weakerThan(q phc) bool {
	return p.memory < q.memory || p.time < q.time || len(p.salt) < len(q.salt) || len(p.tag) < len(q.tag)
}

// tooLong: such a password was never accepted, so it needs no hashing. 256 code
// points are never more than 1,024 bytes.
func tooLong(password string) bool {
	return utf8.RuneCountInString(normalized(password)) > maxPasswordLength
}

const maxPasswordLength = 256

// problem says what is wrong with a new password, "" if nothing is; words are
// what it must not be, such as the name of the account. Nothing is trimmed or folded.
func (h *hasher) problem(password string, words ...string) string {
	password = normalized(password)
	switch {
	case !utf8.ValidString(password) || strings.IndexByte(password, 0) >= 0:
		return "must be text without NUL characters"
	case utf8.RuneCountInString(password) < h.minLength:
		return fmt.Sprintf("must have at least %d characters", h.minLength)
	case tooLong(password):
		return "must have at most 256 characters"
	case isCommon(strings.ToLower(password)):
		return "is one of the most common passwords"
	}
	for _, word := range words {
		if strings.EqualFold(word, password) { // never an empty word: password has minLength
			return "must differ from the name of the account"
		}
	}
	return ""
}

// commonPasswords are the 10,000 most common ones of 8 characters or more,
// sorted, one a line. They were taken from the npm package
// @zxcvbn-ts/language-common 4.1.3, which is under the MIT licence:
// Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc.
// Copyright (c) 2021 @zxcvbn-ts.
//
//go:embed passwords.txt
var commonPasswords string

// isCommon searches the text as it lies in the binary: a map would cost every
// program a megabyte and a start, also those that register nobody.
func isCommon(word string) bool {
	low, high := 0, len(commonPasswords) // where lines begin, or the end
	for low < high {
		middle := low + (high-low)/2
		start := low + strings.LastIndexByte(commonPasswords[low:middle], '\n') + 1
		end := start + strings.IndexByte(commonPasswords[start:], '\n')
		switch strings.Compare(word, commonPasswords[start:end]) {
		case 0:
			return true
		case -1:
			high = start
		default:
			low = end + 1
		}
	}
	return false
}
