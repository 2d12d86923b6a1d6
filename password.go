package fiberjwt

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Password sets what hashing a password costs and which passwords are taken.
// The zero value is right for most applications.
//
// Hashes are argon2id. Raise the cost as far as a login may take: weaker hashes
// and those of bcrypt still verify, and are replaced at the next login. Only
// GOMAXPROCS passwords are hashed at once, so that many logins cannot take more
// than that many times Memory, and as much again until the garbage is collected.
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
		Memory:    orDefault(p.Memory, 19456),
		Time:      orDefault(p.Time, 2),
		Threads:   orDefault(p.Threads, 1),
		MinLength: orDefault(p.MinLength, 8),
	}
}

func (p Password) faults() (faults []string) {
	p = p.withDefaults()
	if p.Time > maxTime {
		faults = append(faults, fmt.Sprintf("Config.Password.Time: %d passes are more than %d; raise Memory instead", p.Time, maxTime))
	}
	if least := leastMemory(p.Time); p.Memory < least {
		faults = append(faults, fmt.Sprintf("Config.Password.Memory: %d KiB is too little for a Time of %d; give %d or more", p.Memory, p.Time, least))
	}
	if p.Memory > maxMemory {
		faults = append(faults, fmt.Sprintf("Config.Password.Memory: %d KiB is too much; give at most %d, and mind that the unit is KiB", p.Memory, maxMemory))
	}
	if p.Threads > maxThreads {
		faults = append(faults, fmt.Sprintf("Config.Password.Threads: %d is too much; give at most %d", p.Threads, maxThreads))
	}
	if p.MinLength < 8 || p.MinLength > 64 {
		// Both ends are NIST's, SP 800-63B §3.1.1.2.
		faults = append(faults, fmt.Sprintf("Config.Password.MinLength: %d is not between 8 and 64", p.MinLength))
	}
	return faults
}

// leastMemory is OWASP's table of equally strong settings.
func leastMemory(time uint32) uint32 {
	table := [...]uint32{47104, 19456, 12288, 9216, 7168}
	return table[min(time, uint32(len(table)))-1]
}

var errHashBusy = errors.New("fiberjwt: too many passwords are being hashed")

// hasher makes and verifies the hashes of passwords. Safe for concurrent use.
type hasher struct {
	minLength int
	dummy     phc           // of nobody's password, with the parameters for new hashes
	slots     chan struct{} // one for each that computes
	places    chan struct{} // one for each that computes or waits; cap(places) == 5*cap(slots)
}

func newHasher(p Password) *hasher {
	p = p.withDefaults()
	slots := runtime.GOMAXPROCS(0)
	h := &hasher{
		minLength: p.MinLength,
		dummy:     phc{p.Memory, p.Time, p.Threads, make([]byte, saltBytes), make([]byte, tagBytes)},
		slots:     make(chan struct{}, slots),
		places:    make(chan struct{}, 5*slots),
	}
	_, _ = rand.Read(h.dummy.tag) // never fails: the process ends instead
	return h
}

// enter waits for a slot; leave it after. Memory is bounded by the slots, and
// the time that one waits by the places: beyond them it is errHashBusy at once.
func (h *hasher) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.places <- struct{}{}:
	default:
		return errHashBusy
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.places
		return ctx.Err()
	}
}

func (h *hasher) leave() {
	<-h.slots
	<-h.places
}

// hash gives what to store for a password. It fails only when ctx ends or too
// many are waiting.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	p := h.dummy
	p.salt = make([]byte, saltBytes)
	_, _ = rand.Read(p.salt)
	p.tag = p.derive(password)
	return p.encode(), nil
}

// verify compares a password with what is stored; stale says that it matches
// but should be hashed anew. No hash ("", no such account) and one that is not
// understood match nothing, after the time that a hash of today takes.
//
// A wrong password for a weaker hash or one of bcrypt is answered after another
// time. So whoever measures learns of such an account that it exists, until its
// owner has signed in once: the cost of that hash is not ours to choose.
//
// err is for the reasons of [hasher.hash] only.
func (h *hasher) verify(ctx context.Context, encoded, password string) (ok, stale bool, err error) {
	if err := h.enter(ctx); err != nil {
		return false, false, err
	}
	defer h.leave()
	if p, known := parsePHC(encoded); known {
		ok = p.matches(password)
		return ok, ok && p.weakerThan(h.dummy), nil
	}
	// bcrypt reads 72 bytes and, in most programs, nothing after a NUL: what lies
	// beyond would match whatever it is.
	if bcryptHash.MatchString(encoded) && len(password) <= 72 && strings.IndexByte(password, 0) < 0 {
		ok = bcrypt.CompareHashAndPassword([]byte(encoded), []byte(password)) == nil
		return ok, ok, nil
	}
	h.dummy.matches(password)
	return false, false, nil
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
func tooLong(password string) bool { return utf8.RuneCountInString(password) > maxPasswordLength }

const maxPasswordLength = 256

// problem says what is wrong with a new password, "" if nothing is; words are
// what it must not be, such as the name of the account. A password is taken as
// it comes: nothing is trimmed, folded or normalised.
func (h *hasher) problem(password string, words ...string) string {
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
