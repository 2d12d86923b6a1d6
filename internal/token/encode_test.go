package token_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/strictjson"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// referencePayload returns the payload by encoding/json. It returns false if the claims
// cannot be in a token.
func referencePayload(cfg token.Config, c token.Claims, shape token.Shape, custom map[string]any) (string, bool) {
	all := map[string]any{}
	maps.Copy(all, custom)
	maps.Copy(all, shape.Claims)
	own := map[string]any{
		"iss": cfg.Issuer, "aud": cfg.Audience, "sub": c.Subject, "kind": c.Kind, "sid": c.SessionID, "jti": c.ID,
		"iat": c.IssuedAt, "exp": c.ExpiresAt, "auth_time": c.AuthTime,
	}
	audience := cfg.Audience
	if len(shape.Audience) > 0 {
		own["aud"], audience = shape.Audience, shape.Audience
	}
	if len(audience) == 1 {
		own["aud"] = audience[0]
	}
	if cfg.ClientID != "" {
		own["client_id"] = cfg.ClientID
	}
	if !shape.NotBefore.IsZero() {
		own["nbf"] = shape.NotBefore.Unix()
	}
	if shape.Shaped {
		own["granted"] = true
	}
	for name := range all {
		if _, taken := own[name]; taken || slices.Contains([]string{"nbf", "granted", "cnf", "act", "typ"}, name) {
			return "", false
		}
	}
	maps.Copy(all, own)
	payload, err := json.Marshal(all)
	return string(payload), err == nil && strictjson.Object(payload, nil) == nil
}

// requireReferencePayload requires that a token has the payload that encoding/json writes,
// or is refused if there is none.
func requireReferencePayload(t *testing.T, cfg token.Config, c token.Claims, shape token.Shape, custom map[string]any) {
	t.Helper()
	tokens, _ := newTokens(func(own *token.Config) {
		own.Issuer, own.ClientID, own.Audience = cfg.Issuer, cfg.ClientID, cfg.Audience
	})
	raw, err := tokens.Issue(c, shape, custom)
	want, ok := referencePayload(cfg, c, shape, custom)
	if !ok || len(mint(current, c.Kind, headerOf(current, c.Kind), want)) > token.MaxBytes {
		require.Error(t, err, want)
		return
	}
	require.NoError(t, err)
	got, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	require.Equal(t, mint(current, c.Kind, headerOf(current, c.Kind), want), raw)
}

var specialTexts = []string{"", "42", `"\/`, "<script>&amp;", "é€😀", "\x00\n\x1f\x7f", "\xff\xed\xa0\x80", "\u2028\u2029\ufffd", `\u0041`, "{}", "[1,2]"}

func TestPayloadIsWhatEncodingJSONWrites(t *testing.T) {
	for _, text := range specialTexts {
		for _, audience := range [][]string{nil, {}, {text}, {text, "web"}} {
			for _, custom := range []map[string]any{
				nil,
				{},
				{"role": text},
				{"": text, "a": text, "aud2": 1, "auth": nil, "authz": true, "expires": 1.5e300, "jt": []any{text}, "zoneinfo": map[string]any{text: text}},
				{text: 1, "kind" + text + "x": json.RawMessage(` { "b" : "<" , "a" : [ ] } `), "at": time.Unix(noon, 1)},
			} {
				c := token.Claims{Subject: text, Kind: "users", SessionID: text, ID: text, IssuedAt: noon, ExpiresAt: -1, AuthTime: 0}
				cfg := token.Config{Issuer: text, ClientID: text, Audience: audience}
				for _, shape := range []token.Shape{
					{},
					{Shaped: true, NotBefore: time.Unix(noon, 999), Audience: []string{text}, Claims: map[string]any{"role": "guest", "x": text}},
					{NotBefore: time.Unix(-1, 0), Audience: []string{"a", text}},
				} {
					requireReferencePayload(t, cfg, c, shape, custom)
				}
			}
		}
	}
}

func FuzzPayloadIsWhatEncodingJSONWrites(f *testing.F) {
	for i, text := range specialTexts {
		f.Add(text, "shop", "web", text, "role", "zone", text, int64(i), int64(1)<<i, byte(i))
	}
	f.Fuzz(func(t *testing.T, text, issuer, audience, client, name, other, value string, number, second int64, flags byte) {
		cfg := token.Config{Issuer: issuer, ClientID: client, Audience: strings.Fields(audience)}
		c := token.Claims{Subject: text, Kind: "users", SessionID: text, ID: value, IssuedAt: number, ExpiresAt: second, AuthTime: number}
		shape := token.Shape{Shaped: flags&1 > 0}
		if flags&2 > 0 {
			shape.NotBefore = time.Unix(second, number)
		}
		if flags&4 > 0 {
			shape.Audience = strings.Fields(value)
		}
		if flags&8 > 0 {
			shape.Claims = map[string]any{other: number, value: text}
		}
		custom := map[string]any{name: value, other: []any{map[string]any{value: text}, second, nil, false}}
		if flags&16 > 0 {
			custom[text] = json.RawMessage(value)
		}
		if flags&32 > 0 {
			custom = nil
		}
		requireReferencePayload(t, cfg, c, shape, custom)
	})
}
