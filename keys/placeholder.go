package keys

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// A letter outside the pieces that [Secret.guessable] knows costs more than another
// byte, because placeholders have digits and punctuation between words.
const letterCost, otherCost = 3, 1

// Runs are searched in pieces of 4 to 7 bytes; a longer run consists of several.
const minRun, maxRun = 4, 7

// guessable reports whether s consists of pieces that an attacker tries first:
// words of placeholders, runs such as "3456" and neighbouring keys of a keyboard,
// with digits and punctuation between them. Upper and lower case are the same.
//
// It cuts s into such pieces, which cost nothing, and single bytes, in the
// cheapest way, and compares the cost with half the length of s. At this limit
// a text without digits and punctuation has one letter in six outside a piece.
//
// Random secrets pass. A piece is right by chance in one of 32 to 256 cases for
// each of its bytes (16 in hex), and most bytes would have to be in pieces. The
// sum over all ways to cut 32 random bytes, weighted by their chance, is a bound:
// fewer than one secret in 2^60 is refused, as base64, as hex and as raw bytes.
// TestRandomSecretsAreNotGuessable computes it from the pieces below and fails if
// added words weaken it.
func (s Secret) guessable() bool {
	return s.cost() <= len(s)/2
}

// cost returns the cost of the cheapest way to cut s.
func (s Secret) cost() int {
	text := lower(s)
	cost := make([]int, len(text)+1) // cost[i] is the least cost of text[:i]
	for i := range len(text) {
		least := cost[i] + otherCost
		if 'a' <= text[i] && text[i] <= 'z' {
			least = cost[i] + letterCost
		}
		for _, word := range words[text[i]] {
			if strings.HasSuffix(text[:i+1], word) {
				least = min(least, cost[i+1-len(word)])
			}
		}
		for n := minRun; n <= min(maxRun, i+1) && isRun(text[i+1-n:i+1]); n++ {
			least = min(least, cost[i+1-n])
		}
		cost[i+1] = least
	}
	return cost[len(text)]
}

// phrase reports whether s is a placeholder with a name in it, such as
// "acme_jwt_secret_key_2026": at least three words, separated by punctuation or
// spaces, of which one names the purpose. Each word must be in lower case, in upper
// case or capitalized, and may have digits at its end only. In random text the part
// between two punctuation marks mixes letters and digits of both cases.
//
// Do not call it for random bytes: most bytes separate words, and "key" stands
// between two of them once in thousands of secrets.
func (s Secret) phrase() bool {
	purposes := []string{"secret", "secrets", "key", "keys", "jwt", "token", "tokens", "password", "passphrase", "changeme", "hmac"}
	parts := strings.FieldsFunc(string(s), func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	says := false
	for _, part := range parts {
		if strings.Trim(part, "0123456789") != "" && part != strings.ToLower(part) && part != strings.ToUpper(part) && part[1:] != strings.ToLower(part[1:]) {
			return false
		}
		if rest := strings.TrimRight(part, "0123456789"); strings.ContainsAny(rest, "0123456789") {
			return false
		}
		says = says || slices.Contains(purposes, strings.ToLower(part))
	}
	return says && len(parts) >= 3 && s.cost() <= maxNamed*letterCost
}

// maxNamed is how many letters of a phrase may be a name. A text with more unknown
// letters may be random although it contains such a word.
const maxNamed = 24

// template reports whether s is a text that a program should have replaced, or the
// command that makes a secret.
func (s Secret) template() bool {
	for _, mark := range []string{"{{", "${", "$(", "openssl rand"} {
		if s.text() && strings.Contains(string(s), mark) {
			return true
		}
	}
	return false
}

// text reports whether s is printable ASCII.
func (s Secret) text() bool {
	return !slices.ContainsFunc(s, func(b byte) bool { return b < ' ' || b > '~' })
}

// encodesPlaceholder reports whether s is base64 or hex of a placeholder. Random
// bytes do not decode to printable text.
func (s Secret) encodesPlaceholder() bool {
	raw := strings.TrimRight(string(s), "=")
	for _, decode := range []func(string) ([]byte, error){
		base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, hex.DecodeString,
	} {
		plain, err := decode(raw)
		if inner := Secret(plain); err == nil && len(plain) >= 16 && inner.text() && (inner.guessable() || inner.phrase() || inner.repetitive()) {
			return true
		}
	}
	return false
}

// lower changes ASCII letters only. strings.ToLower would replace every byte that
// is not UTF-8 by three others.
func lower(s []byte) string {
	text := make([]byte, len(s))
	for i, b := range s {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		text[i] = b
	}
	return string(text)
}

// isRun reports whether piece counts up, counts down, repeats one byte or
// follows the keys of a keyboard. Only printable bytes count up or down: published
// test vectors have keys of the bytes 0, 1, 2 and so on.
func isRun(piece string) bool {
	step := piece[1] - piece[0] // as bytes, -1 is 255
	printable := piece[0] > ' ' && piece[0] < 0x7f && piece[len(piece)-1] > ' ' && piece[len(piece)-1] < 0x7f
	counts := step == 0 || printable && (step == 1 || step == 255)
	for i := 2; counts && i < len(piece); i++ {
		counts = piece[i]-piece[i-1] == step
	}
	return counts || strings.Contains(keyboard, piece)
}

// keyboard contains the rows of keyboards from left to right and from right to
// left, then columns and other patterns that people type instead of a secret.
const keyboard = "1234567890 0987654321 " +
	"qwertyuiopasdfghjklzxcvbnm poiuytrewq lkjhgfdsa mnbvcxz " +
	"qwertzuiopasdfghjklyxcvbnm poiuztrewq mnbvcxy " +
	"azertyuiopqsdfghjklmwxcvbn poiuytreza mlkjhgfdsq nbvcxw " +
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p qazwsxedcrfvtgbyhnujmikolp " +
	"a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6 1a2b3c4d5e6f7g8h9i0j1k2l3m4n5o6p"

// words of placeholders, in lower case, by their last byte. The list has few short
// words, because random text contains them by chance.
var words = byLastByte(`
	-a- _a_ at hs in is it me my of or to
	and any app bit but dev for has jwt key min new not now our own put set sha sql the too two use via was yes you
	auth base bits byte char code csrf demo even fake from goes hard hash here hmac http json just keep last less
	long made make mine mock more must name need next only over page pass plus prod rand real safe salt same sign
	site some sure test text than that them this todo true type used user very want will with word work your
	admin after again basic bytes chars dummy empty enter every fiber fixme given guess hello least local login
	never paste phrase please pretty proof quite really right sample secure short should simple size staging
	start store string strong such super there these thing think token total ultra under unique until update
	using valid value where which while whole world would write
	access account algorithm always application authentication authorization backend bearer before better change
	character client company config cookie create crypto database default definitely deploy deployment develop
	development different digits docker donotuse encrypt encrypted encryption enough entropy environment example
	extremely fallback fixture foobar generate generated generation generator golang google high highly insert
	integration internal length letters longer master maximum minimum number openssl output passwd placeholder
	private production project provide public purpose random randomly refresh replace required secret security
	sequence server service session settings signature signing storage symmetric system temporary testing thirty
	tutorial unguessable unknown unsafe validation variable website welcome whatever without
`)

func byLastByte(list string) (words [256][]string) {
	for _, word := range strings.Fields(list) {
		last := word[len(word)-1]
		words[last] = append(words[last], word)
	}
	return words
}
