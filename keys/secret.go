package keys

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
)

// Secret is random bytes, 32 or more, for instance from
//
//	openssl rand -base64 48
//
// Formatting, logging and marshalling print "[secret]". A []byte is assignable to
// it.
type Secret []byte

// Format prints "[secret]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// MarshalJSON returns "[secret]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }

// MarshalText returns "[secret]", for logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Check returns an error if s must not be used. The error says why, and how to make
// a secret that may be used. Its text is made to follow the name of the secret, and
// contains nothing of it.
func (s Secret) Check() error {
	if fault := s.fault(); fault != "" {
		return errors.New(fault)
	}
	return nil
}

const generate = ": give 32 random bytes or more, for instance from: openssl rand -base64 48"

func (s Secret) fault() string {
	text := s.trimmed()
	switch {
	case len(s) == 0:
		return "is empty" + generate
	case len(s) < 32:
		// RFC 7518 §3.2: the key must be at least as long as the hash.
		return fmt.Sprintf("has %d bytes", len(s)) + generate
	case bytes.Contains(s, []byte("---- BEGIN")), bytes.Contains(s, []byte("-----BEGIN")), text.ssh(), s.der():
		// If a public key were an HMAC secret, everyone who has the key could sign
		// (RFC 8725 §2.1).
		return "looks like a PEM, DER or SSH key" + generate
	case text.repetitive():
		return "repeats itself or has fewer than eight different bytes, so it can be guessed" + generate
	case text.guessable(), text.text() && text.phrase(), text.template(), text.encodesPlaceholder():
		return "is a placeholder, made of words such as secret and key or of runs such as 1234, so it can be guessed" + generate
	case published[string(text)]:
		return "is a published example, so it can be guessed" + generate
	case len(text) < len(s):
		return "begins or ends with white space, quotes or an invisible character, often the newline at the end of a file; " +
			"an instance with it does not accept the tokens of an instance without it" +
			`: remove it, for instance with strings.TrimSpace, or make a secret without it: openssl rand -base64 48 | tr -d '\n'`
	}
	return ""
}

// trimmed returns s without the white space, the quotes and the invisible
// characters around it, if the rest is printable ASCII or white space. It returns
// raw random bytes unchanged, because they may begin or end with a byte of white
// space by chance: 32 random bytes look like such a text with a probability of
// 2^-43.
func (s Secret) trimmed() Secret {
	text := bytes.TrimSpace(bytes.Trim(s, "\ufeff\u200b\x00"))
	if n := len(text); n >= 2 && text[0] == text[n-1] && strings.ContainsRune("\"'`", rune(text[0])) {
		text = bytes.TrimSpace(text[1 : n-1])
	}
	for _, b := range text {
		if printable, space := ' ' <= b && b <= '~', '\t' <= b && b <= '\r'; !printable && !space {
			return s
		}
	}
	return text
}

// ssh reports whether s is a line of an authorized_keys file. Its second word is
// the base64 of a length below 65,536, so it begins with "AAAA". Without that
// check, one random secret in 16 million would look like a key.
func (s Secret) ssh() bool {
	for _, start := range []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"} {
		if words := bytes.Fields(s); bytes.HasPrefix(s, []byte(start)) && len(words) > 1 && bytes.HasPrefix(words[1], []byte("AAAA")) {
			return true
		}
	}
	return false
}

// der reports whether s is one ASN.1 SEQUENCE from the first byte to the last, as
// keys in DER are. One random secret in 65,536 has the first bytes of one, so the
// elements are checked too.
func (s Secret) der() bool {
	var sequence asn1.RawValue
	rest, err := asn1.Unmarshal(s, &sequence)
	if err != nil || len(rest) > 0 || sequence.Tag != asn1.TagSequence || !sequence.IsCompound {
		return false
	}
	// The first element of a key is an INTEGER or a SEQUENCE. Without this, one random
	// secret in four million would be taken for a key.
	if len(sequence.Bytes) == 0 || sequence.Bytes[0] != 0x02 && sequence.Bytes[0] != 0x30 {
		return false
	}
	for rest = sequence.Bytes; len(rest) > 0; {
		if rest, err = asn1.Unmarshal(rest, &asn1.RawValue{}); err != nil {
			return false
		}
	}
	return true
}

// mostlyEqual reports whether at least four of five bytes are equal.
func mostlyEqual(a, b []byte) bool {
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return 5*same >= 4*len(a)
}

// repetitive reports whether s has fewer than eight different bytes, or repeats a
// piece of at most half its length. The last piece may be cut, and at most one byte
// in five may differ. For 32 random bytes in hex the probability is below 2^-60,
// for 16 in hex below 2^-38, and lower for other encodings.
func (s Secret) repetitive() bool {
	var seen [256]bool
	different := 0
	for _, b := range s {
		if !seen[b] {
			seen[b] = true
			different++
		}
	}
	if different < 8 {
		return true
	}
	for period := 1; period <= len(s)/2; period++ {
		if mostlyEqual(s[period:], s[:len(s)-period]) {
			return true
		}
	}
	return false
}

// published secrets look random, but documentation and many programs contain them.
var published = map[string]bool{
	"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7": true, // tutorial of FastAPI
	"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf": true, // documentation of Flask
	"404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970": true, // tutorials of Spring Security
}
