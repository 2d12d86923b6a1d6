package fiberjwt

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/jws"
	"github.com/fiberjwt/fiberjwt/keys"
)

// signatures make and prove the third segment of own access tokens: by the keys
// that come from the secrets, one to a kind, or by Config.Keys, for all kinds.
type signatures struct {
	secrets *keyring
	keys    keys.Source   // nil: the secrets
	kinds   []string      // declared ones; none: any
	wait    time.Duration // the most that a source of keys may take
}

// sign gives the token of a payload.
func (s *signatures) sign(kind string, payload []byte) (string, error) {
	body := base64.RawURLEncoding.EncodeToString(payload)
	if s.keys == nil {
		key := s.secrets.signing(kind)
		return complete(key.header+"."+body, key.sign)
	}
	set, _ := s.keys.(*keys.Set)
	if set == nil {
		return "", errNoSigner
	}
	key, ok := set.Signer()
	if !ok {
		return "", errNoSigner
	}
	header := headerStart + string(key.Algorithm()) + headerMiddle + key.ID() + headerEnd
	return complete(base64.RawURLEncoding.EncodeToString([]byte(header))+"."+body, key.Sign)
}

var errNoSigner = fault.Setup("Config.Keys has no private key to sign with")

func complete(text string, sign func(text string) ([]byte, error)) (string, error) {
	signature, err := sign(text)
	if err != nil {
		return "", fault.Broken(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// prove finds the key by the header segment and verifies the signature. It
// gives the kind that the key is for, "" if for all.
func (s *signatures) prove(ctx context.Context, p jws.Parts) (kind string, err error) {
	if s.keys != nil {
		return "", s.proveByKeys(ctx, p)
	}
	key, ok := s.secrets.find(p.Header)
	if !ok {
		if ofOurMake(p.Header) {
			return "", errForeignKey
		}
		return "", errMalformed
	}
	if !key.verify(p.Text, p.Signature) {
		return "", errSignature
	}
	s.secrets.prove(key)
	return key.kind, nil
}

func (s *signatures) proveByKeys(ctx context.Context, p jws.Parts) error {
	algorithm, kid, ok := ownHeader(p.Header)
	if !ok {
		return errMalformed
	}
	key, err := s.find(ctx, s.keys, kid, keys.Algorithm(algorithm))
	if err == errMalformed { //nolint:errorlint // it is this very one where there is no such key
		return errForeignKey
	}
	if err != nil {
		return err
	}
	if key.Symmetric() {
		return errMalformed // Config.Keys is for keys that others may know
	}
	return proveByKey(key, p)
}

// wrote says whether the header is one that only the secrets write. With
// Config.Keys another fiberjwt may write the same.
func (s *signatures) wrote(header string) bool {
	_, ok := s.secrets.find(header)
	return ok && s.keys == nil
}

// find asks a source for the key of a token. Other than a Set it may wait, and
// run code of the application's on what an attacker wrote.
func (s *signatures) find(ctx context.Context, source keys.Source, kid string, algorithm keys.Algorithm) (key keys.Key, err error) {
	if set, ok := source.(*keys.Set); ok {
		key, err = set.Find(ctx, kid, algorithm)
	} else {
		ctx, cancel := context.WithTimeout(ctx, s.wait)
		defer cancel()
		err = fault.Recover(func() (err error) {
			key, err = source.Find(ctx, kid, algorithm)
			return err
		})
	}
	if err != nil {
		return keys.Key{}, keyProblem(err)
	}
	if key.Algorithm() != algorithm { // one algorithm to a key: a source may have looked at kid alone
		return keys.Key{}, errMalformed
	}
	return key, nil
}

func proveByKey(key keys.Key, p jws.Parts) error {
	raw, err := base64url.DecodeString(p.Signature)
	if err != nil || !key.Verify(p.Text, raw) {
		return errSignature
	}
	return nil
}

// keyProblem: a key that is not there is the token's problem, a source that does
// not answer or panics is not.
func keyProblem(err error) error {
	switch {
	case err == keys.ErrNoKey: //nolint:errorlint // a wrapped one goes on below, with its cause
		return errMalformed
	case errors.Is(err, keys.ErrNoKey):
		return because(ErrTokenMalformed, errors.Join(jwt.ErrTokenMalformed, err))
	case errors.Is(err, fault.ErrSetup):
		return err
	}
	return fault.Unavailable(err)
}

// knows says whether tokens of kind are taken.
func (s *signatures) knows(kind string) bool {
	if len(s.kinds) == 0 {
		return validKind(kind)
	}
	return slices.Contains(s.kinds, kind)
}

// The header of every own access token: in this order, without spaces, and
// with nothing else. The name of a key needs no escapes.
const (
	headerStart  = `{"alg":"`
	headerMiddle = `","kid":"`
	headerEnd    = `","typ":"at+jwt"}`
)

// ofOurMake: a fiberjwt wrote the header, or somebody as it does. It allocates
// nothing, since anybody can send one.
func ofOurMake(header string) bool {
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

// ownHeader takes the header apart that signatures.sign writes. What is not
// written so, byte for byte, is refused, so there is nothing to interpret.
func ownHeader(header string) (algorithm, kid string, ok bool) {
	if len(header) > 256 {
		return "", "", false
	}
	text, err := base64url.DecodeString(header)
	if err != nil {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(borrow(text), headerStart)
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
