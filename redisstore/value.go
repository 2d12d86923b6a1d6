package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fiberjwt/fiberjwt/session"
)

// A session is one value: eight numbers of 16 digits, a blank after each, then
// four texts, each with its length and a colon in front:
//
//	gen prev issued idle_until revoked auth_time ends created kind subject address agent
//
// The numbers have fixed places so that a script overwrites them where they
// are, which leaves the expiry of the key alone. It is no hash, because a
// User-Agent is too long for Redis to pack one: that took 1,106 bytes of memory
// where this takes 474.

const (
	numbers     = 8
	numberWidth = 16 // as many digits as 2^53 has
	textsAt     = numbers * (numberWidth + 1)
)

var (
	errValue  = errors.New("redisstore: Redis holds something that is not a session")
	errNumber = errors.New("redisstore: a number of the session is out of range")
)

// encode writes row, without its SID. Lua has no integers but doubles: what
// these do not hold exactly is refused.
func encode(row session.Row) (string, error) {
	var b strings.Builder
	for _, n := range []int64{row.Gen, row.Prev, row.Issued, row.IdleUntil, row.Revoked, row.AuthTime, row.Ends, row.Created} {
		if n < -2 || n >= 1<<53 {
			return "", errNumber
		}
		fmt.Fprintf(&b, "%0*d ", numberWidth, n)
	}
	for _, text := range []string{row.Kind, row.Subject, row.Address, row.Agent} {
		b.WriteString(strconv.Itoa(len(text)) + ":" + text)
	}
	return b.String(), nil
}

// decode is the inverse of encode; errValue for what is no session.
func decode(sid []byte, value string) (session.Row, error) {
	row := session.Row{SID: bytes.Clone(sid)}
	if len(value) < textsAt {
		return session.Row{}, errValue
	}
	for i, n := range []*int64{&row.Gen, &row.Prev, &row.Issued, &row.IdleUntil, &row.Revoked, &row.AuthTime, &row.Ends, &row.Created} {
		at := i * (numberWidth + 1)
		var err error
		if *n, err = strconv.ParseInt(value[at:at+numberWidth], 10, 64); err != nil {
			return session.Row{}, errValue
		}
	}
	rest := value[textsAt:]
	for _, text := range []*string{&row.Kind, &row.Subject, &row.Address, &row.Agent} {
		digits, after, _ := strings.Cut(rest, ":")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 || n > len(after) {
			return session.Row{}, errValue
		}
		*text, rest = after[:n], after[n:]
	}
	if rest != "" {
		return session.Row{}, errValue
	}
	return row, nil
}
