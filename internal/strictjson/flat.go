package strictjson

import (
	"bytes"
	"unsafe"
)

// span is the place of a member in the text of an object.
type span struct{ start, colon, end int }

func (m span) name(b []byte) string { return unsafe.String(&b[m.start+1], m.colon-m.start-2) }

func (m span) value(b []byte) Value { return b[m.colon+1 : m.end] }

// flat returns the members of an object that has the form of most tokens, in less than
// half the time of the scanner: names and strings are printable ASCII without escapes,
// other values are whole numbers or literals, there is no white space, no empty name, and
// the members fit into room. For every other text, valid or not, it returns nil.
func flat(b []byte, room []span) []span {
	var seen uint64 // a hash of each name before; names with another hash are different
	at, before := 0, byte('{')
	for at < len(b) && b[at] == before && len(room) < cap(room) {
		m := span{start: at + 1}
		m.colon = plainString(b, m.start)
		if m.colon < m.start+len(`"a"`) || m.colon == len(b) || b[m.colon] != ':' {
			return nil
		}
		m.end = plainValue(b, m.colon+1)
		if m.end < 0 {
			return nil
		}
		hash := uint64(1) << ((2*b[m.start+1] + b[m.colon-2] + 8*byte(m.colon-m.start)) % 64)
		if seen&hash != 0 {
			for _, other := range room {
				if other.name(b) == m.name(b) {
					return nil
				}
			}
		}
		seen |= hash
		room = append(room, m)
		at, before = m.end, ','
	}
	if len(room) == 0 || at != len(b)-1 || b[at] != '}' {
		return nil
	}
	return room
}

// plainString returns the end of the string that starts at b[at], -1 if there is none or
// it is not plain.
func plainString(b []byte, at int) int {
	if at >= len(b) || b[at] != '"' {
		return -1
	}
	for i := at + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ', c == '\\', c >= 0x7f:
			return -1
		}
	}
	return -1
}

// plainValue is plainString for every value that flat knows.
func plainValue(b []byte, at int) int {
	if end := plainString(b, at); end >= 0 {
		return end
	}
	end := at
	for end < len(b) && isDigit(b[end]) {
		end++
	}
	if end > at && b[at] != '0' {
		return end
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(b[at:], []byte(word)) {
			return at + len(word)
		}
	}
	return -1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
