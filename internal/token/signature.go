package token

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"unsafe"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/keys"
)

// sign returns the token for a payload.
func (t *Tokens) sign(kind string, payload []byte) (string, error) {
	body := base64.RawURLEncoding.EncodeToString(payload)
	if t.Keys == nil {
		key := t.keyring.signers[kind]
		return appendSignature(key.header+"."+body, key.sign)
	}
	set, _ := t.Keys.(*keys.Set)
	if set == nil {
		return "", errNoSigner
	}
	key, ok := set.Signer()
	if !ok {
		return "", errNoSigner
	}
	header := headerStart + string(key.Algorithm()) + headerMiddle + key.ID() + headerEnd
	return appendSignature(base64.RawURLEncoding.EncodeToString([]byte(header))+"."+body, key.Sign)
}

var errNoSigner = fault.Setup("Config.Keys has no private key to sign with")

func appendSignature(text string, sign func(text string) ([]byte, error)) (string, error) {
	signature, err := sign(text)
	if err != nil {
		return "", fault.Broken(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// verifySignature finds the key by the header segment and verifies the signature. It
// returns the kind that the key is for, "" if the key is for all kinds.
func (t *Tokens) verifySignature(ctx context.Context, p jws.Parts) (kind string, err error) {
	if t.Keys != nil {
		return "", t.verifyByConfiguredKeys(ctx, p)
	}
	key, ok := t.keyring.find(p.Header)
	if !ok {
		if hasOwnForm(p.Header) {
			return "", ErrUnknownKey
		}
		return "", ErrMalformed
	}
	if !key.verify(p.Text, p.Signature) {
		return "", ErrSignature
	}
	t.keyring.remember(key)
	return key.kind, nil
}

func (t *Tokens) verifyByConfiguredKeys(ctx context.Context, p jws.Parts) error {
	algorithm, kid, ok := readOwnHeader(p.Header)
	if !ok {
		return ErrMalformed
	}
	key, err := t.find(ctx, t.Keys, kid, keys.Algorithm(algorithm))
	if err == ErrMalformed { //nolint:errorlint // find returns this value itself if there is no such key
		return ErrUnknownKey
	}
	if err != nil {
		return err
	}
	if key.Symmetric() {
		return ErrMalformed // a shared secret is only for Issuer.Keys
	}
	return verifyBy(key, p)
}

// find returns the key of a token from a source. A source that is not a *keys.Set may
// wait, and may be code of the application that receives text of an attacker, so find
// limits its time and recovers its panics.
func (t *Tokens) find(ctx context.Context, source keys.Source, kid string, algorithm keys.Algorithm) (key keys.Key, err error) {
	if set, ok := source.(*keys.Set); ok {
		key, err = set.Find(ctx, kid, algorithm)
	} else {
		ctx, cancel := context.WithTimeout(ctx, t.KeyWait)
		defer cancel()
		err = fault.Recover(func() (err error) {
			key, err = source.Find(ctx, kid, algorithm)
			return err
		})
	}
	if err != nil {
		return keys.Key{}, findError(err)
	}
	if key.Algorithm() != algorithm { // a source may ignore the algorithm
		return keys.Key{}, ErrMalformed
	}
	return key, nil
}

// findError classifies the error of a source. If the key does not exist, the token is
// refused; if the source does not answer or panics, the request fails.
func findError(err error) error {
	switch {
	case err == keys.ErrNoKey: //nolint:errorlint // the next case handles a wrapped error, and keeps its text
		return ErrMalformed
	case errors.Is(err, keys.ErrNoKey):
		return errors.Join(ErrMalformed, err)
	case errors.Is(err, fault.ErrSetup):
		return err
	}
	return fault.Unavailable(err)
}

func verifyBy(key keys.Key, p jws.Parts) error {
	raw, err := base64url.DecodeString(p.Signature)
	if err != nil || !key.Verify(p.Text, raw) {
		return ErrSignature
	}
	return nil
}

// The header of every own access token has exactly this form: these parameters in this
// order, without spaces. The ID of a key never needs escapes.
const (
	headerStart  = `{"alg":"`
	headerMiddle = `","kid":"`
	headerEnd    = `","typ":"at+jwt"}`
)

// hasOwnForm reports whether a header has the form of an own token. It allocates nothing,
// because every client can send one.
func hasOwnForm(header string) bool {
	var buffer [192]byte
	if base64url.DecodedLen(len(header)) > len(buffer) {
		return false
	}
	n, err := base64url.Decode(buffer[:], unsafe.Slice(unsafe.StringData(header), len(header)))
	text := buffer[:n]
	if err != nil || !bytes.HasPrefix(text, []byte(headerStart)) || !bytes.HasSuffix(text, []byte(headerEnd)) {
		return false
	}
	_, kid, ok := bytes.Cut(text, []byte(headerMiddle))
	return ok && len(kid) > len(headerEnd)
}

// readOwnHeader returns the algorithm and the kid of a header that sign wrote. It refuses
// every other spelling, so it needs no JSON parser.
func readOwnHeader(header string) (algorithm, kid string, ok bool) {
	if len(header) > 256 {
		return "", "", false
	}
	text, err := base64url.DecodeString(header)
	if err != nil {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(string(text), headerStart)
	if !ok {
		return "", "", false
	}
	algorithm, rest, ok = strings.Cut(rest, headerMiddle)
	if !ok {
		return "", "", false
	}
	kid, ok = strings.CutSuffix(rest, headerEnd)
	return algorithm, kid, ok && kid != "" && !strings.ContainsAny(kid, "\"\\")
}
