package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fiberjwt/fiberjwt/session"
)

// A session is one value: eight numbers of 16 digits, each followed by a blank, then
// four texts, each after its length and a colon:
//
//	gen prev issued idle_until revoked auth_time ends created kind subject address agent
//
// The numbers have fixed places, so that a script can overwrite them without a change
// of the expiry of the key. It is not a Redis hash, because a User-Agent is too long
// for a packed hash: that took 1,106 bytes of memory, and this takes 474.

const (
	numbers     = 8
	numberWidth = 16 // as many digits as 2^53 has
	textsAt     = numbers * (numberWidth + 1)
)

var (
	errValue  = errors.New("redisstore: Redis holds something that is not a session")
	errNumber = errors.New("redisstore: a number of the session is out of range")
)

// encode writes row, without its SID. Numbers in Lua are doubles, so numbers that a
// double does not hold exactly are refused.
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

// decode is the inverse of encode. It returns errValue for anything else.
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
