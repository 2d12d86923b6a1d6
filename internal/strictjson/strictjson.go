// Package strictjson reads JSON objects from untrusted sources. It refuses every text
// that two parsers could understand differently.
package strictjson

import (
	"bytes"
	"errors"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

const (
	maxDepth       = 16           // the outermost object is depth 1
	maxMembers     = 128          // of one object: limits the search for duplicates
	maxNumericDate = 253402300799 // 9999-12-31T23:59:59Z
)

// ErrMalformed means that a text is not a valid JSON object by the rules of [Object]. It
// does not say where or why, because the text may contain a password.
var ErrMalformed = errors.New("fiberjwt: malformed JSON")

// Object calls visit for each member of b, which must be one JSON object. With a
// nil visit it only checks b.
//
// It is stricter than encoding/json, which ignores the case of names, keeps the
// last of duplicates and replaces invalid UTF-8 by U+FFFD. Here names are compared
// byte by byte after unescaping (RFC 7519 §7.3). These are refused at every depth:
// duplicate names (RFC 7519 §4), invalid UTF-8, lone surrogates, nesting deeper
// than 16, more than 128 members in one object. White space may surround the
// object; a byte order mark and trailing data may not.
//
// Object calls visit while it scans. If it returns ErrMalformed, the object is not valid,
// and the caller must discard the members that it has received. An error of visit ends
// the scan and is returned unchanged.
//
// Both arguments of visit are borrowed: they share memory with b and change when b is
// reused, except that a name with escapes is a copy. Clone what outlives b. Object
// allocates nothing unless names have escapes or an object has more than 16 members.
func Object(b []byte, visit func(name string, raw Value) error) error {
	var room [16]span // on the stack, enough for the usual claims
	members := flat(b, room[:0])
	if members == nil {
		return object(b, visit)
	}
	if visit == nil {
		return nil
	}
	for _, m := range members {
		if err := visit(m.name(b), m.value(b)); err != nil {
			return err
		}
	}
	return nil
}

// object is Object without the shortcut of flat.
func object(b []byte, visit func(name string, raw Value) error) error {
	if !utf8.Valid(b) { // also refuses overlong forms and encoded surrogates, RFC 3629 §3
		return ErrMalformed
	}
	s := scanner{text: b}
	s.skipSpace()
	if err := s.object(1, visit); err != nil {
		return err
	}
	s.skipSpace()
	if s.at < len(s.text) {
		return ErrMalformed
	}
	return nil
}

// Value is the text of one JSON value, without white space around it. A value that
// Object passes to visit is valid; the methods require that.
type Value []byte

// Text returns a copy of a JSON string, unescaped. It returns false for any other type.
func (r Value) Text() (string, bool) {
	text, ok := r.BorrowedText()
	return strings.Clone(text), ok
}

// BorrowedText is like [Value.Text] but does not copy: the string shares memory with r
// unless it has escapes. Use it to compare, or if the bytes of r are never reused.
func (r Value) BorrowedText() (string, bool) {
	if len(r) < 2 || r[0] != '"' {
		return "", false
	}
	inside := r[1 : len(r)-1]
	if bytes.IndexByte(inside, '\\') >= 0 {
		return unescape(inside), true
	}
	// The garbage collector keeps the memory as long as the string is in use. But if the
	// bytes are overwritten, the string changes too.
	return unsafe.String(unsafe.SliceData(inside), len(inside)), true
}

// Each calls visit for each member of an array until visit returns false. It returns
// false if the value has another type or visit returned false. The members are borrowed.
func (r Value) Each(visit func(Value) bool) bool {
	s := scanner{text: r}
	return s.array(1, visit)
}

// EachText calls visit for a JSON string or for each member of an array of
// strings, the two forms of aud (RFC 7519 §4.1.3). It returns false for any other type;
// visit may then have received the first members of a mixed array. The strings are
// borrowed, like those of [Value.BorrowedText].
func (r Value) EachText(visit func(text string)) bool {
	if text, ok := r.BorrowedText(); ok {
		visit(text)
		return true
	}
	s := scanner{text: r}
	return s.array(1, func(member Value) bool {
		text, ok := member.BorrowedText()
		if ok {
			visit(text)
		}
		return ok
	})
}

// Seconds returns a NumericDate (RFC 7519 §2) from 1970 to the end of 9999 in seconds. It
// ignores a fraction. It does not convert to a float, because the overflow of a float
// differs between machines. It refuses minus signs, even that of -0, and exponents,
// although JSON allows both: 1.79e9 would be a date, but 1e999999999 has the same form.
func (r Value) Seconds() (seconds int64, ok bool) {
	i := 0
	for ; i < len(r) && isDigit(r[i]); i++ {
		if seconds = 10*seconds + int64(r[i]-'0'); seconds > maxNumericDate {
			return 0, false
		}
	}
	if rest := r[i:]; i == 0 || len(rest) > 0 && (rest[0] != '.' || bytes.ContainsAny(rest, "eE")) {
		return 0, false
	}
	return seconds, true
}

// scanner reads text by the grammar of RFC 8259. Each method moves past the element in
// its name and reports whether the element was there. No method moves back: if a required
// element is missing, the whole text is malformed.
type scanner struct {
	text []byte // valid UTF-8
	at   int    // <= len(text)
}

// object moves past an object. visit may be nil. It finds duplicate names by their hashes.
// A map would be faster in the largest objects, but would allocate for the smallest.
// Because maxMembers limits the search, the scan stays linear in the text.
func (s *scanner) object(depth int, visit func(string, Value) error) error {
	if depth > maxDepth || !s.accept('{') {
		return ErrMalformed
	}
	if s.punctuation('}') {
		return nil
	}
	var nameBuffer [16]string // on the stack, enough for the usual claims
	var hashBuffer [16]uint64
	names, hashes := nameBuffer[:0], hashBuffer[:0]
	for {
		name, raw, ok := s.member(depth)
		hash := maphash.String(seed, name)
		if !ok || len(names) == maxMembers || slices.Contains(hashes, hash) && slices.Contains(names, name) {
			return ErrMalformed
		}
		names, hashes = append(names, name), append(hashes, hash)
		if visit != nil {
			if err := visit(name, raw); err != nil {
				return err
			}
		}
		if s.punctuation('}') {
			return nil
		}
		if !s.punctuation(',') {
			return ErrMalformed
		}
	}
}

// seed is random, so that an attacker cannot choose names with the same hash.
var seed = maphash.MakeSeed()

// member moves past a member of an object.
func (s *scanner) member(depth int) (name string, raw Value, ok bool) {
	s.skipSpace()
	start := s.at
	if !s.quoted() {
		return "", nil, false
	}
	name, _ = Value(s.text[start:s.at]).BorrowedText()
	if !s.punctuation(':') {
		return "", nil, false
	}
	raw, ok = s.value(depth)
	return name, raw, ok
}

// array moves past an array. visit may be nil; if it returns false, the scan ends.
func (s *scanner) array(depth int, visit func(Value) bool) bool {
	if depth > maxDepth || !s.accept('[') {
		return false
	}
	if s.punctuation(']') {
		return true
	}
	for {
		raw, ok := s.value(depth)
		if !ok || visit != nil && !visit(raw) {
			return false
		}
		if s.punctuation(']') {
			return true
		}
		if !s.punctuation(',') {
			return false
		}
	}
}

// value moves past any value and returns it. depth is the depth of its container.
func (s *scanner) value(depth int) (raw Value, ok bool) {
	s.skipSpace()
	start := s.at
	switch s.peek() {
	case '{':
		ok = s.object(depth+1, nil) == nil
	case '[':
		ok = s.array(depth+1, nil)
	case '"':
		ok = s.quoted()
	case 't', 'f', 'n':
		ok = s.literal("true") || s.literal("false") || s.literal("null")
	default:
		ok = s.number()
	}
	return s.text[start:s.at], ok
}

// quoted moves past a string with its quotes.
func (s *scanner) quoted() bool {
	if !s.accept('"') {
		return false
	}
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			return true
		case c < ' ': // control characters must be escaped, RFC 8259 §7
			return false
		case c == '\\':
			_, size := decodeEscape(s.text[s.at:])
			if size == 0 {
				return false
			}
			s.at += size
		}
	}
	return false
}

// number moves past a number (RFC 8259 §6). It stops after a leading zero, so that
// 01 is refused where a comma or bracket is expected next.
func (s *scanner) number() bool {
	s.accept('-')
	if !s.accept('0') && !s.digits() {
		return false
	}
	if s.accept('.') && !s.digits() {
		return false
	}
	if !s.accept('e') && !s.accept('E') {
		return true
	}
	if !s.accept('+') {
		s.accept('-')
	}
	return s.digits()
}

func (s *scanner) digits() bool {
	start := s.at
	for isDigit(s.peek()) {
		s.at++
	}
	return s.at > start
}

func (s *scanner) literal(word string) bool {
	ok := bytes.HasPrefix(s.text[s.at:], []byte(word))
	if ok {
		s.at += len(word)
	}
	return ok
}

// punctuation moves past c and any white space before it.
func (s *scanner) punctuation(c byte) bool {
	s.skipSpace()
	return s.accept(c)
}

func (s *scanner) skipSpace() {
	for {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) accept(c byte) bool {
	ok := s.peek() == c
	if ok {
		s.at++
	}
	return ok
}

// peek returns the next byte, or NUL at the end of the text. No token starts with NUL.
func (s *scanner) peek() byte {
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// Member returns the value of one member of an object. ok is false if there is no such
// member, or if b is not a valid object. The value is borrowed.
func Member(b []byte, name string) (value Value, ok bool) {
	err := Object(b, func(member string, v Value) error {
		if member == name {
			value, ok = v, true
		}
		return nil
	})
	return value, ok && err == nil
}

// unescape returns the text of a valid JSON string without its quotes.
func unescape(inside []byte) string {
	var text strings.Builder
	text.Grow(len(inside)) // an escape sequence is never shorter than its character
	for {
		plain, rest, found := bytes.Cut(inside, []byte(`\`))
		text.Write(plain)
		if !found {
			return text.String()
		}
		r, size := decodeEscape(rest)
		text.WriteRune(r)
		inside = rest[size:]
	}
}

// decodeEscape returns the character and the length of the escape sequence at the start of
// b, which begins after the backslash. The length is 0 if there is no valid escape
// sequence. A surrogate is only valid as half of a pair (RFC 8259 §8.2).
func decodeEscape(b []byte) (r rune, size int) {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(b) == 0 {
		return 0, 0
	}
	if i := strings.IndexByte(letters, b[0]); i >= 0 {
		return rune(meanings[i]), 1
	}
	r = codeUnit(b, `u`)
	if r < 0 {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, len(`uXXXX`)
	}
	r = utf16.DecodeRune(r, codeUnit(b[len(`uXXXX`):], `\u`))
	if r == utf8.RuneError {
		return 0, 0
	}
	return r, len(`uXXXX\uXXXX`)
}

// codeUnit returns the UTF-16 code unit at the start of b, written as prefix and four hex
// digits. It returns -1 if there is none.
func codeUnit(b []byte, prefix string) rune {
	digits, ok := bytes.CutPrefix(b, []byte(prefix))
	if !ok || len(digits) < 4 {
		return -1
	}
	unit, err := strconv.ParseUint(string(digits[:4]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}
