package accounts

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// MaxIdentityBytes is the length of the longest e-mail address, and the limit for every
// identity.
const MaxIdentityBytes = 320

// Problems of an identity. Their texts are those of the member in a 422 response.
var (
	ErrIdentityEmpty      = errors.New("is empty")
	ErrIdentitySpace      = errors.New("begins or ends with white space")
	ErrIdentityLong       = errors.New("is too long")
	ErrIdentityCharacters = errors.New("has characters that are not allowed")
)

// CanonicalIdentity is the default of [Entity].Canonical. It returns the form in which an
// e-mail address or another identity is stored and compared: in lower case, composed, and
// with compatibility variants replaced (NFKC), so that "Ann", "ＡＮＮ" and "ann" are one
// identity. It is idempotent.
//
// It refuses identities with invisible characters, because they would look like the
// identities of other accounts: controls, formatting such as a zero width space, a soft
// hyphen, a byte order mark or a direction override, fillers, variation selectors, white
// space other than U+0020 inside, private and unassigned code points. The text of the
// error is that of a field of [ErrFields]. Letters of different scripts that look alike,
// such as the Latin and the Cyrillic a, stay different: if that matters, set Canonical to
// a function of your own.
//
// Call it for identities that reach the table in other ways, such as an import.
func CanonicalIdentity(identity string) (string, error) {
	if !utf8.ValidString(identity) {
		return "", ErrIdentityCharacters
	}
	// Lower-casing may produce decomposed text, so it happens before the composition.
	name := norm.NFKC.String(sameLetters.Replace(strings.Map(unicode.ToLower, norm.NFKD.String(identity))))
	switch {
	case name == "":
		return "", ErrIdentityEmpty
	case strings.TrimSpace(identity) != identity || strings.TrimSpace(name) != name:
		return "", ErrIdentitySpace
	case len(name) > MaxIdentityBytes:
		return "", ErrIdentityLong
	case strings.ContainsFunc(name, isInvisible):
		return "", ErrIdentityCharacters
	}
	return name, nil
}

// sameLetters replaces two characters that have another form: the sigma at the end of a
// word, and the Chinese full stop, which IDNA treats as a dot in a domain (RFC 3490 §3.1).
var sameLetters = strings.NewReplacer("ς", "σ", "\u3002", ".")

// isInvisible reports whether r is not visible in a text. A space (U+0020) counts as
// visible, because other characters surround it.
func isInvisible(r rune) bool {
	switch r {
	case '\u2800', '\uFFFC', utf8.RuneError, '\U0001D159', '\U00013441', '\U00013442':
		return true // blank, although Unicode classifies them as symbols and letters
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Canonical calls Entity.Canonical and checks the result. If the function panics or
// chooses an answer by its error, the error is classified; see [IsClassified]. Any other
// error is the problem of the identity.
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
		return "", ErrIdentityCharacters // not every column accepts it
	}
	return name, nil
}

// NameOf returns the name by which accounts are found and failed sign-ins are counted: the
// canonical form of identity, or identity itself if Canonical refuses it, because a row
// that is older than the rule may contain it. Every error is classified.
func (k *Kind) NameOf(identity string) (string, error) {
	name, err := k.Canonical(identity)
	if err != nil && !IsClassified(err) {
		return identity, nil
	}
	return name, err
}

// IdentityProblem returns the problem of an identity that a client sent, "" if it has none.
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

// NewIdentity returns the identity of a new account in the form in which it is stored. It
// adds a problem of the identity to fields. A classified error of Canonical is returned
// instead.
func (k *Kind) NewIdentity(text string, fields map[string]string) (string, error) {
	if problem := IdentityProblem(text); problem != "" {
		fields[k.Identity.Name] = problem
		return "", nil
	}
	identity, err := k.Canonical(text)
	if err != nil && !IsClassified(err) {
		fields[k.Identity.Name] = err.Error()
		return "", nil
	}
	return identity, err
}

// LocalPart returns the part of an e-mail address before the @, "" if there is none. It is
// a poor password.
func LocalPart(identity string) string {
	local, _, ok := strings.Cut(identity, "@")
	if !ok {
		return ""
	}
	return local
}
