package accounts

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// MaxIdentityBytes is the length of an e-mail address at its longest.
const MaxIdentityBytes = 320

// What is wrong with an identity, as 422 says it of the member.
var (
	ErrIdentityEmpty      = errors.New("is empty")
	ErrIdentitySpace      = errors.New("begins or ends with white space")
	ErrIdentityLong       = errors.New("is too long")
	ErrIdentityCharacters = errors.New("has characters that are not allowed")
)

// CanonicalIdentity is the default of [Entity].Canonical: the one form in which an
// e-mail address or another name to sign in with is stored and compared. It is in
// lower case, and composed where it was typed in pieces; characters that Unicode
// holds to be variants of others are replaced by those (NFKC), so that "Ann",
// "ＡＮＮ" and "ann" are one name. It is idempotent.
//
// Identities with invisible characters are refused, since they would look
// like those of other people: controls, formatting such as a zero width space, a
// soft hyphen, a byte order mark or a direction override, fillers, variation
// selectors, white space other than U+0020 inside, private and unassigned code
// points. The error says what is wrong in the words of a field of [ErrFields].
// Letters of different scripts that look alike, such as the Latin and the Cyrillic
// a, stay different: bring a Canonical of your own if that matters.
//
// Use it for identities that reach the table by other ways, such as an import.
func CanonicalIdentity(identity string) (string, error) {
	if !utf8.ValidString(identity) {
		return "", ErrIdentityCharacters
	}
	// Lower case between the two forms, so that what it makes is composed, too.
	name := norm.NFKC.String(sameLetters.Replace(strings.Map(unicode.ToLower, norm.NFKD.String(identity))))
	switch {
	case name == "":
		return "", ErrIdentityEmpty
	case strings.TrimSpace(identity) != identity || strings.TrimSpace(name) != name:
		return "", ErrIdentitySpace
	case len(name) > MaxIdentityBytes:
		return "", ErrIdentityLong
	case strings.ContainsFunc(name, unseen):
		return "", ErrIdentityCharacters
	}
	return name, nil
}

// sameLetters are two forms of one: a sigma at the end of a word, and the full stop
// of Chinese, which IDNA takes for the dot of a domain (RFC 3490 §3.1).
var sameLetters = strings.NewReplacer("ς", "σ", "\u3002", ".")

// unseen reports whether r shows nothing of its own. Space is seen between others.
func unseen(r rune) bool {
	switch r {
	case '\u2800', '\uFFFC', utf8.RuneError, '\U0001D159', '\U00013441', '\U00013442':
		return true // blanks that Unicode counts among symbols and letters
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Canonical is Entity.Canonical. Its error is an *Error if the function panics or
// returns one, or else says what is wrong with the identity.
func (k *Kind) Canonical(identity string) (name string, err error) {
	err = fault.Recover(func() (err error) {
		name, err = k.canonicalize(identity)
		return err
	})
	switch {
	case err != nil:
		return "", k.hookError(err)
	case name == "":
		return "", ErrIdentityEmpty
	case len(name) > MaxIdentityBytes:
		return "", ErrIdentityLong
	case !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0:
		return "", ErrIdentityCharacters // which no column takes
	}
	return name, nil
}

// NameOf is what accounts are found by and counted under: the canonical form of an
// identity, or one that is refused as it is, since a row that is older than the
// rule may have it. The error is an *Error.
func (k *Kind) NameOf(identity string) (string, error) {
	name, err := k.Canonical(identity)
	if err != nil && !isOurs(err) {
		return identity, nil
	}
	return name, err
}

// IdentityProblem says what is wrong with an identity as it was typed, "" if nothing is.
func IdentityProblem(text string) string {
	switch {
	case text == "":
		return ErrIdentityEmpty.Error()
	case strings.TrimSpace(text) != text:
		return ErrIdentitySpace.Error()
	case len(text) > MaxIdentityBytes:
		return ErrIdentityLong.Error()
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }):
		return ErrIdentityCharacters.Error()
	}
	return ""
}

// NewIdentity is the identity of an account that is to be made, as it is stored. What is
// wrong with it goes to fields; the error is one of a Canonical that does not say so.
func (k *Kind) NewIdentity(text string, fields map[string]string) (string, error) {
	if problem := IdentityProblem(text); problem != "" {
		fields[k.Identity.Name] = problem
		return "", nil
	}
	identity, err := k.Canonical(text)
	if err != nil && !isOurs(err) {
		fields[k.Identity.Name] = err.Error()
		return "", nil
	}
	return identity, err
}

// LocalPart of an e-mail address, which makes a poor password.
func LocalPart(identity string) string {
	local, _, ok := strings.Cut(identity, "@")
	if !ok {
		return ""
	}
	return local
}
