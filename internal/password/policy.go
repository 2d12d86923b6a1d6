package password

import (
	_ "embed" // common.txt
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

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

// TooLong reports whether a password is longer than any that is accepted. Such a password was never accepted, so it needs no hashing. 256 code
// points are never more than 1,024 bytes.
func TooLong(password string) bool {
	return utf8.RuneCountInString(normalized(password)) > MaxLength
}

// MaxLength is the length of the longest password that is accepted, in code points.
const MaxLength = 256

// Problem says what is wrong with a new password, "" if nothing is; words are
// what it must not be, such as the name of the account. Nothing is trimmed or folded.
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
//go:embed common.txt
var commonPasswords string

// isCommon searches the text as it lies in the binary: a map would cost every
// program a megabyte and a start, also those without registration.
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
