package token

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// reserved contains the claim names that the library sets, or whose registered meaning a
// value of the application would contradict.
var reserved = map[string]bool{
	"iss": true, "aud": true, "sub": true, "kind": true, "sid": true, "jti": true, "iat": true,
	"exp": true, "nbf": true, "auth_time": true, "cnf": true, "act": true, "typ": true, "granted": true,
}

// encode returns the payload of a token: the text that json.Marshal returns for a map of
// all claims, which has them in the order of their names.
func (t *Tokens) encode(c *Claims, shape *Shape, custom map[string]any) ([]byte, error) {
	others, err := t.encodeCustom(c.Kind, shape, custom)
	if err != nil {
		return nil, err
	}
	e := encoder{make([]byte, 0, 512), others}
	audience := t.audienceOf(c.Kind)
	if len(shape.Audience) > 0 {
		audience = shape.Audience
	}
	if len(audience) == 1 { // RFC 7519 §4.1.3: a string, or an array of several
		e.addString("aud", audience[0])
	} else {
		list, _ := json.Marshal(audience) // strings cause no error
		e.add("aud", list)
	}
	e.addInt("auth_time", c.AuthTime)
	if t.ClientID != "" {
		e.addString("client_id", t.ClientID)
	}
	e.addInt("exp", c.ExpiresAt)
	if shape.Shaped {
		e.add("granted", []byte("true"))
	}
	e.addInt("iat", c.IssuedAt)
	e.addString("iss", t.Issuer)
	e.addString("jti", c.ID)
	e.addString("kind", c.Kind)
	if !shape.NotBefore.IsZero() {
		e.addInt("nbf", shape.NotBefore.Unix())
	}
	e.addString("sid", c.SessionID)
	e.addString("sub", c.Subject)
	for len(e.others) > 0 {
		e.addOther()
	}
	e.text = append(e.text, '}')
	e.text[0] = '{' // instead of the first comma
	if others != nil && strictjson.Object(e.text, nil) != nil {
		return nil, fault.Setupf("%s returns more claims, or more deeply nested values, than a token may have", sourceOf(c.Kind, shape))
	}
	return e.text, nil
}

// claim is a claim of the application, with its value in JSON.
type claim struct {
	name  string
	value []byte
}

// encodeCustom returns the claims of the application in the order of their names.
func (t *Tokens) encodeCustom(kind string, shape *Shape, custom map[string]any) ([]claim, error) {
	if len(custom)+len(shape.Claims) == 0 {
		return nil, nil
	}
	all := make(map[string]any, len(custom)+len(shape.Claims))
	maps.Copy(all, custom)
	maps.Copy(all, shape.Claims)
	claims := make([]claim, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if reserved[name] || name == "client_id" && t.ClientID != "" {
			return nil, fault.Setupf("%s returns the reserved claim %q: choose another name", sourceOf(kind, shape), name)
		}
		value, err := json.Marshal(all[name])
		if err != nil {
			return nil, fault.Setupf("%s: %v", sourceOf(kind, shape), err)
		}
		claims = append(claims, claim{name, value})
	}
	return claims, nil
}

// sourceOf returns which setting of the application returned the claims, for errors.
func sourceOf(kind string, shape *Shape) string {
	if len(shape.Claims) > 0 {
		return "LoginOptions.Claims or Entity.Claims of kind " + kind
	}
	return "Entity.Claims of kind " + kind
}

// encoder writes members of a JSON object, each after a comma. The caller adds the claims of
// the library in the order of their names, and the encoder adds the others between them.
type encoder struct {
	text   []byte
	others []claim // those that are not in text yet
}

func (e *encoder) addInt(name string, value int64) {
	e.addName(name)
	e.text = strconv.AppendInt(e.text, value, 10)
}

func (e *encoder) addString(name, value string) {
	e.addName(name)
	e.text = appendString(e.text, value)
}

func (e *encoder) add(name string, value []byte) {
	e.addName(name)
	e.text = append(e.text, value...)
}

// addName adds a name, and before it the others whose names are less.
func (e *encoder) addName(name string) {
	for len(e.others) > 0 && e.others[0].name < name {
		e.addOther()
	}
	e.text = append(append(append(e.text, `,"`...), name...), `":`...)
}

// addOther adds the next of the others.
func (e *encoder) addOther() {
	e.text = append(appendString(append(e.text, ','), e.others[0].name), ':')
	e.text = append(e.text, e.others[0].value...)
	e.others = e.others[1:]
}

// appendString appends s as a JSON string, with the escapes of json.Marshal.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, _ := json.Marshal(s) // a string causes no error
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
