// Package vectors runs Wycheproof's vectors for JOSE against fiberjwt's parsers of tokens
// and keys. It is a separate module because the vectors are large.
package vectors

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/keys"
)

// group is a key or a set of keys, with test cases.
type group struct {
	Comment string
	Private json.RawMessage
	Public  json.RawMessage
	Tests   []struct {
		TCID    int `json:"tcId"`
		Comment string
		JWS     json.RawMessage
		Result  string
	}
}

func load(t *testing.T, file string) (groups []group) {
	t.Helper()
	text, err := fs.ReadFile(wycheproof.TestVectors, file)
	require.NoError(t, err)
	var document struct{ TestGroups []group }
	require.NoError(t, json.Unmarshal(text, &document))
	return document.TestGroups
}

// accepts reports whether the JWS verifies with the key, as a token of another issuer.
func accepts(jwk, raw json.RawMessage) bool {
	source, err := source(jwk)
	if guessable(err) {
		return acceptsGuessable(jwk, raw)
	}
	if err != nil {
		return false
	}
	var compact string
	if json.Unmarshal(raw, &compact) != nil {
		return false // JSON serialization
	}
	parts, ok := jws.Split(compact, 8<<10)
	if !ok {
		return false
	}
	header, ok := jws.ReadHeader(parts.Header)
	if !ok {
		return false
	}
	key, err := source.Find(context.Background(), header.KeyID, keys.Algorithm(header.Algorithm))
	if err != nil {
		return false
	}
	if _, err := jws.Base64url.DecodeString(parts.Payload); err != nil {
		return false
	}
	signature, err := jws.Base64url.DecodeString(parts.Signature)
	return err == nil && key.Verify(parts.Text, signature)
}

func source(jwk json.RawMessage) (*keys.Set, error) {
	if bytes.Contains(jwk, []byte(`"keys"`)) {
		return keys.ParseSet(jwk)
	}
	key, err := keys.ParseJWK(jwk)
	if err != nil {
		return nil, err
	}
	return keys.NewSet(key)
}

// overrides are vectors whose result does not fit their content.
var overrides = map[int]struct {
	accept bool
	why    string
}{
	346: {false, "the key is for PS256, the header says PS384"},
	347: {false, "the key is for ES521, which does not exist"},
	350: {false, "the key is for PS256, the header says PS384"},
	351: {false, "the key is for ES521, which does not exist"},
	367: {true, "the padding was lost: the bytes are those of the valid 357"},
	370: {true, "the padding was lost: the bytes are those of the valid 357"},
	372: {false, "the header has a question mark (RFC 7515 §2)"},
	373: {false, "the payload has a question mark (RFC 7515 §2)"},
}

func TestWycheproofSignatures(t *testing.T) {
	for _, tc := range vectors(t, "json_web_signature_test.json", 401) {
		override, ok := overrides[tc.id]
		if ok {
			require.NotEqual(t, tc.valid, override.accept, "%d needs no override: %s", tc.id, override.why)
			tc.valid = override.accept
		}
		tc.run(t)
	}
}

func TestWycheproofKeys(t *testing.T) {
	for _, tc := range vectors(t, "json_web_key_test.json", 26) {
		tc.run(t)
	}
}

// The file also has JWE, which this test skips.
func TestWycheproofCrypto(t *testing.T) {
	for _, tc := range vectors(t, "json_web_crypto_test.json", 49) {
		tc.run(t)
	}
}

// vector is a JWS with its key: the public one, if the group has one.
type vector struct {
	id    int
	name  string
	key   json.RawMessage
	jws   json.RawMessage
	valid bool
}

func (v vector) run(t *testing.T) {
	t.Run(v.name, func(t *testing.T) {
		require.Equal(t, v.valid, accepts(v.key, v.jws), "%s with %s", v.jws, v.key)
	})
}

func vectors(t *testing.T, file string, count int) (all []vector) {
	t.Helper()
	for _, g := range load(t, file) {
		for _, tc := range g.Tests {
			v := vector{id: tc.TCID, name: fmt.Sprint(tc.TCID, " ", g.Comment, " ", tc.Comment), key: g.Public, jws: tc.JWS, valid: tc.Result == "valid"}
			if v.key == nil {
				v.key = g.Private
			}
			if tc.JWS != nil {
				all = append(all, v)
			}
		}
	}
	require.Len(t, all, count)
	return all
}

// guessable reports whether the key was refused as guessable. The group about base64 has a
// secret of zeros.
func guessable(err error) bool { return err != nil && strings.Contains(err.Error(), "can be guessed") }

// acceptsGuessable is accepts with the HMAC computed here.
func acceptsGuessable(jwk, raw json.RawMessage) bool {
	var compact string
	if json.Unmarshal(raw, &compact) != nil {
		return false
	}
	var key struct{ K, Alg, Kid string }
	if json.Unmarshal(jwk, &key) != nil {
		return false
	}
	parts, ok := jws.Split(compact, 8<<10)
	if !ok {
		return false
	}
	header, ok := jws.ReadHeader(parts.Header)
	if !ok || header.Algorithm != key.Alg || header.KeyID != key.Kid {
		return false
	}
	secret, err := jws.Base64url.DecodeString(key.K)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(parts.Text))
	signature, err := jws.Base64url.DecodeString(parts.Signature)
	_, payloadErr := jws.Base64url.DecodeString(parts.Payload)
	return err == nil && payloadErr == nil && hmac.Equal(mac.Sum(nil), signature)
}
