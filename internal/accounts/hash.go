package accounts

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// hashProblems marshals a model that has a hash, without and with other values, which
// sees through tags, embedding and MarshalJSON alike. A model that cannot be
// marshalled could show the hash.
func (k *Kind) hashProblems() []string {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$bWFya29mZmliZXJqd3Rz$Zm9ydGhlaGFzaHRoYXRtdXN0bmV2ZXJiZXNob3du0"
	account := reflect.New(k.Model)
	k.Password.Value(account.Elem()).SetString(hash)
	for _, full := range []bool{false, true} {
		if full { // MarshalJSON may show more then
			k.fillIn(account.Elem())
		}
		for _, shape := range []any{account.Interface(), account.Elem().Interface()} {
			var text []byte
			err := fault.Recover(func() (err error) {
				text, err = json.Marshal(shape)
				return err
			})
			if err != nil && !full {
				return []string{fmt.Sprintf("Password: an empty model has no JSON, so it cannot be seen whether that would show %s: let MarshalJSON and MarshalText take empty values (%s)", k.Password.GoName, fault.Brief(fault.Cause(err).Error()))}
			}
			if ShowsHash(text, hash) {
				return []string{fmt.Sprintf("Password: the JSON of the model shows %s: tag the field `json:\"-\"`", k.Password.GoName)}
			}
		}
	}
	return nil
}

// fillIn sets the columns of plain types but the hash.
func (k *Kind) fillIn(account reflect.Value) {
	for _, field := range k.Table.Fields {
		switch value := field.Value(account); {
		case field == k.Password:
		case value.Kind() == reflect.String:
			value.SetString(probeIdentity)
		case value.CanInt():
			value.SetInt(7)
		case value.CanUint():
			value.SetUint(7)
		case value.Kind() == reflect.Bool:
			value.SetBool(true)
		}
	}
}

// ShowsHash reports whether text has the hash, as it is or in base64 or hex. What is shorter than
// 16 bytes is no hash, but a word such as "!" for an account without a password.
func ShowsHash(text []byte, hash string) bool {
	if len(hash) < 16 {
		return false
	}
	start := []byte(hash[:len(hash)/3*3]) // in base64, the same whatever follows
	for _, shown := range []string{
		longest(strings.Split(hash, "/")), // which an encoder may escape
		base64.StdEncoding.EncodeToString(start), base64.URLEncoding.EncodeToString(start),
		hex.EncodeToString(start), strings.ToUpper(hex.EncodeToString(start)),
	} {
		if len(shown) >= 12 && bytes.Contains(text, []byte(shown)) {
			return true
		}
	}
	return bytes.Contains(text, []byte(hash))
}

func longest(parts []string) string {
	return slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
}
