package password

import (
	_ "embed" // common.txt
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalized returns the form of a password that is checked and hashed, so that the password
// is the same from every keyboard: composed, and with one kind of space (OpaqueString,
// RFC 8265 §4.2.1). It changes nothing else, and does not change invalid UTF-8.
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

// TooLong reports whether a password is longer than MaxLength. Such a password cannot be
// right, so it need not be hashed.
func TooLong(password string) bool {
	return utf8.RuneCountInString(normalized(password)) > MaxLength
}

// MaxLength is the length of the longest accepted password, in code points. These are at
// most 1,024 bytes.
const MaxLength = 256

// Problem returns the problem of a new password, "" if it has none. The password must differ
// from words, such as the name of the account, in more than case. It is not trimmed.
func (h *Hasher) Problem(password string, words ...string) string {
	password = normalized(password)
	switch {
	case !utf8.ValidString(password) || strings.IndexByte(password, 0) >= 0:
		return "must be text without NUL characters"
	case utf8.RuneCountInString(password) < h.minLength:
		return fmt.Sprintf("must have at least %d characters", h.minLength)
	case TooLong(password):
		return "must have at most 256 characters"
	case isCommon(strings.ToLower(password)):
		return "is one of the most common passwords"
	}
	for _, word := range words {
		if strings.EqualFold(word, password) { // an empty word never matches: password has minLength
			return "must differ from the name of the account"
		}
	}
	return ""
}

// commonPasswords has the 10,000 most common passwords of 8 or more characters, sorted, one
// on each line. They are from the npm package @zxcvbn-ts/language-common 4.1.3, which has
// the MIT licence:
// Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc.
// Copyright (c) 2021 @zxcvbn-ts.
//
//go:embed common.txt
var commonPasswords string

// isCommon searches the text in the binary. A map would cost every program a megabyte and
// time at start, even without registration.
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
