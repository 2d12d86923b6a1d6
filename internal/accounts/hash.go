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

// hashProblems encodes a model with a hash as JSON, once without and once with other
// values, and looks for the hash in the result. So it also detects a hash that is shown
// by embedding or by MarshalJSON. An empty model that cannot be encoded is a problem too,
// because then this check is not possible.
func (k *Kind) hashProblems() []fault.Problem {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$bWFya29mZmliZXJqd3Rz$Zm9ydGhlaGFzaHRoYXRtdXN0bmV2ZXJiZXNob3du0"
	account := reflect.New(k.Model)
	k.Password.Value(account.Elem()).SetString(hash)
	for _, full := range []bool{false, true} {
		if full { // MarshalJSON may show more if other fields are set
			k.fillIn(account.Elem())
		}
		for _, shape := range []any{account.Interface(), account.Elem().Interface()} {
			var text []byte
			err := fault.Recover(func() (err error) {
				text, err = json.Marshal(shape)
				return err
			})
			if err != nil && !full {
				return []fault.Problem{fault.NewProblem("Password", fmt.Sprintf("an empty model cannot be encoded as JSON (%s), so fiberjwt cannot check whether the JSON shows %s", fault.Brief(fault.Cause(err).Error()), k.Password.GoName),
					"let MarshalJSON and MarshalText take empty values")}
			}
			if ShowsHash(text, hash) {
				return []fault.Problem{fault.NewProblem("Password", "the JSON of the model shows "+k.Password.GoName, "tag the field `json:\"-\"`")}
			}
		}
	}
	return nil
}

// fillIn sets all columns of basic types except the hash.
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

// ShowsHash reports whether text contains the hash, unchanged or in base64 or hex. A hash
// of less than 16 bytes is a word that locks an account, such as "!"; for such a word it
// returns false.
func ShowsHash(text []byte, hash string) bool {
	if len(hash) < 16 {
		return false
	}
	start := []byte(hash[:len(hash)/3*3]) // whole groups: their base64 does not depend on what follows
	for _, shown := range []string{
		longest(strings.Split(hash, "/")), // an encoder may escape the slash
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
