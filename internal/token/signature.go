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

// sign returns the token of a payload.
func (t *Tokens) sign(kind string, payload []byte) (string, error) {
	body := base64.RawURLEncoding.EncodeToString(payload)
	if t.Keys == nil {
		key := t.keyring.signers[kind]
		return join(key.header+"."+body, key.sign)
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
	return join(base64.RawURLEncoding.EncodeToString([]byte(header))+"."+body, key.Sign)
}

var errNoSigner = fault.Setup("Config.Keys has no private key to sign with")

func join(text string, sign func(text string) ([]byte, error)) (string, error) {
	signature, err := sign(text)
	if err != nil {
		return "", fault.Broken(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// prove finds the key by the header segment and verifies the signature. It returns the
// kind that the key is for, "" if it is for all.
func (t *Tokens) prove(ctx context.Context, p jws.Parts) (kind string, err error) {
	if t.Keys != nil {
		return "", t.proveByKeys(ctx, p)
	}
	key, ok := t.keyring.find(p.Header)
	if !ok {
		if hasOurForm(p.Header) {
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

func (t *Tokens) proveByKeys(ctx context.Context, p jws.Parts) error {
	algorithm, kid, ok := readOwnHeader(p.Header)
	if !ok {
		return ErrMalformed
	}
	key, err := t.find(ctx, t.Keys, kid, keys.Algorithm(algorithm))
	if err == ErrMalformed { //nolint:errorlint // it is this very value if there is no such key
		return ErrUnknownKey
	}
	if err != nil {
		return err
	}
	if key.Symmetric() {
		return ErrMalformed // Config.Keys is for keys that others may know
	}
	return verifyBy(key, p)
}

// find asks a source for the key of a token. Other than a Set, it may wait, and run
// code of the application on what an attacker wrote.
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
	if key.Algorithm() != algorithm { // a source may have looked at kid alone
		return keys.Key{}, ErrMalformed
	}
	return key, nil
}

// findError tells a key that does not exist, which the token is refused for, from a
// source that does not answer or panics.
func findError(err error) error {
	switch {
	case err == keys.ErrNoKey: //nolint:errorlint // a wrapped one goes on below, with its cause
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

// The header of every own access token: in this order, without spaces, and with nothing
// else. The name of a key needs no escapes.
const (
	headerStart  = `{"alg":"`
	headerMiddle = `","kid":"`
	headerEnd    = `","typ":"at+jwt"}`
)

// hasOurForm reports whether a header is written as fiberjwt writes it. It allocates
// nothing, since anyone can send one.
func hasOurForm(header string) bool {
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

// readOwnHeader takes a header apart that sign wrote. What is not written so, byte for
// byte, is refused, so there is nothing to interpret.
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
