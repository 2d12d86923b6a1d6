package token

import (
	"bytes"
	"context"
	"errors"
	"unsafe"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/keys"
)

// sign returns the token for a payload.
func (t *Tokens) sign(kind string, payload []byte) (string, error) {
	if t.Keys == nil {
		key := t.keyring.signers[kind]
		text := signingInput(key.header, payload)
		mac := key.mac.Sum(text)
		return withSignature(text, mac[:]), nil
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
	text := signingInput(base64url.EncodeToString([]byte(header)), payload)
	signature, err := key.Sign(string(text))
	if err != nil {
		return "", fault.Broken(err)
	}
	return withSignature(text, signature), nil
}

var errNoSigner = fault.Setup("Config.Keys has no private key to sign with")

// signingInput returns the text that a signature signs (RFC 7515 §5.1), with room for a
// short signature.
func signingInput(header string, payload []byte) []byte {
	text := make([]byte, 0, len(header)+base64url.EncodedLen(len(payload))+90)
	return base64url.AppendEncode(append(append(text, header...), '.'), payload)
}

// withSignature returns a token. It uses the memory of text, which must not change after.
func withSignature(text, signature []byte) string {
	text = base64url.AppendEncode(append(text, '.'), signature)
	return unsafe.String(unsafe.SliceData(text), len(text))
}

// verifySignature finds the key by the header segment and verifies the signature. It
// returns the kind that the key is for, or a key that is for all kinds.
func (t *Tokens) verifySignature(ctx context.Context, p jws.Parts) (kind string, by *keys.Key, err error) {
	if t.Keys != nil {
		by, err = t.verifyByConfiguredKeys(ctx, p)
		return "", by, err
	}
	key := t.keyring.find(p.Header)
	if key == nil {
		if _, _, ok := readOwnHeader(p.Header, new(headerBuffer)); ok {
			return "", nil, ErrUnknownKey
		}
		return "", nil, ErrMalformed
	}
	if !key.verify(p.Text, p.Signature) {
		return "", nil, ErrSignature
	}
	if !key.stored {
		t.keyring.store(key, true)
	}
	return key.kind, nil, nil
}

func (t *Tokens) verifyByConfiguredKeys(ctx context.Context, p jws.Parts) (*keys.Key, error) {
	algorithm, kid, ok := readOwnHeader(p.Header, new(headerBuffer))
	if !ok {
		return nil, ErrMalformed
	}
	key, err := t.find(ctx, t.Keys, string(kid), keys.Algorithm(algorithm))
	if err == ErrMalformed { //nolint:errorlint // find returns this value itself if there is no such key
		return nil, ErrUnknownKey
	}
	if err != nil {
		return nil, err
	}
	if key.Symmetric() {
		return nil, ErrMalformed // a shared secret is only for Issuer.Keys
	}
	return &key, verifyBy(key, p)
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

// headerBuffer has room for every header that sign writes.
type headerBuffer [192]byte

// readOwnHeader returns the algorithm and the kid of a header that sign wrote, which share
// the memory of buffer. It refuses every other spelling, so it needs no JSON parser. It
// allocates nothing, because every client can send a header.
func readOwnHeader(header string, buffer *headerBuffer) (algorithm, kid []byte, ok bool) {
	if base64url.DecodedLen(len(header)) > len(buffer) {
		return nil, nil, false
	}
	n, err := base64url.Decode(buffer[:], bytesOf(header))
	if err != nil {
		return nil, nil, false
	}
	rest, ok := bytes.CutPrefix(buffer[:n], []byte(headerStart))
	if !ok {
		return nil, nil, false
	}
	algorithm, rest, ok = bytes.Cut(rest, []byte(headerMiddle))
	if !ok {
		return nil, nil, false
	}
	kid, ok = bytes.CutSuffix(rest, []byte(headerEnd))
	return algorithm, kid, ok && len(kid) > 0 && !bytes.ContainsAny(kid, `"\`)
}
