package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
)

var (
	current = keys.Secret("0123456789abcdef0123456789abcdef")
	older   = keys.Secret("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
	shared  = keys.Secret("wq8Zr3uF6tYx1LmPb0KdVnEs5hGcJ7iA") // with another issuer
)

const noon = int64(1_790_000_000)

// clock is a clock that only the test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// newTokens returns a Tokens for the kinds users and teachers, and its clock.
func newTokens(change ...func(*token.Config)) (*token.Tokens, *clock) {
	c := &clock{time.Unix(noon, 0)}
	cfg := token.Config{
		Ring: secret.NewRing(current, nil), Kinds: []string{"users", "teachers"}, KeyWait: time.Minute,
		Issuer: "shop", Audience: []string{"web"}, Leeway: 10 * time.Second, Now: c.Now,
	}
	for _, f := range change {
		f(&cfg)
	}
	return token.New(cfg), c
}

// usual are the claims of a token that is issued at noon.
func usual() token.Claims {
	return token.Claims{Subject: "42", Kind: "users", SessionID: "sid", ID: "jti", IssuedAt: noon, ExpiresAt: noon + 600, AuthTime: noon}
}

// object is the payload of the same token.
type object map[string]any

func usualObject() object {
	return object{
		"iss": "shop", "aud": "web", "sub": "42", "kind": "users", "sid": "sid", "jti": "jti",
		"iat": noon, "exp": noon + 600, "auth_time": noon,
	}
}

// with returns a copy with other members; nil removes a member.
func (o object) with(members object) object {
	o = maps.Clone(o)
	for name, value := range members {
		if o[name] = value; value == nil {
			delete(o, name)
		}
	}
	return o
}

func (o object) String() string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// mint signs any header and payload with the key of a kind, as the documents describe it.
func mint(s keys.Secret, kind, header, payload string) string {
	return signHS256(secret.NewRoot(s).Derive("fiberjwt/v1/access/"+kind), header, payload)
}

func headerOf(s keys.Secret, kind string) string {
	return `{"alg":"HS256","kid":"` + secret.NewRoot(s).KeyID + "." + kind + `","typ":"at+jwt"}`
}

func issue(t *testing.T, tokens *token.Tokens, c token.Claims) string {
	t.Helper()
	raw, err := tokens.Issue(c, token.Shape{}, nil)
	require.NoError(t, err)
	return raw
}

// payloadOf returns the members of a token without verifying it.
func payloadOf(t *testing.T, raw string) object {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	require.NoError(t, err)
	var members object
	require.NoError(t, json.Unmarshal(text, &members))
	return members
}

func TestIssuedTokenIsVerified(t *testing.T) {
	tokens, _ := newTokens()
	raw := issue(t, tokens, usual())
	got, err := tokens.Verify(t.Context(), raw)
	require.NoError(t, err)
	require.Equal(t, "shop", got.Issuer)
	require.Equal(t, "42", got.Subject)
	require.Equal(t, "users", got.Kind)
	require.Equal(t, "sid", got.SessionID)
	require.Equal(t, "jti", got.ID)
	require.Equal(t, []int64{noon, noon + 600, noon, -1}, []int64{got.IssuedAt, got.ExpiresAt, got.AuthTime, got.NotBefore})
	require.False(t, got.Shaped)
	require.False(t, got.Foreign)
	require.JSONEq(t, usualObject().String(), string(got.Payload))
}

func TestIssuedTokenHasTheDocumentedForm(t *testing.T) {
	tokens, _ := newTokens()
	raw := issue(t, tokens, usual())
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	require.NoError(t, err)
	require.Equal(t, mint(current, "users", headerOf(current, "users"), string(payload)), raw)
}

func TestSentinelsMatchTheErrorsOfGolangJWT(t *testing.T) {
	for err, want := range map[error][]error{
		token.ErrMalformed:  {jwt.ErrTokenMalformed},
		token.ErrUnknownKey: {token.ErrMalformed, jwt.ErrTokenMalformed},
		token.ErrSignature:  {token.ErrMalformed, jwt.ErrTokenSignatureInvalid},
		token.ErrClaims:     {jwt.ErrTokenInvalidClaims},
		token.ErrMissing:    {token.ErrClaims, jwt.ErrTokenRequiredClaimMissing},
		token.ErrWrong:      {token.ErrClaims, jwt.ErrTokenInvalidClaims},
		token.ErrIssuer:     {token.ErrClaims, jwt.ErrTokenInvalidIssuer},
		token.ErrAudience:   {token.ErrClaims, jwt.ErrTokenInvalidAudience},
		token.ErrIssued:     {token.ErrClaims, jwt.ErrTokenUsedBeforeIssued},
		token.ErrNotBefore:  {token.ErrClaims, jwt.ErrTokenNotValidYet},
		token.ErrExpired:    {jwt.ErrTokenExpired},
	} {
		require.NotEmpty(t, err.Error())
		for _, target := range want {
			require.ErrorIs(t, err, target)
		}
	}
	require.NotErrorIs(t, token.ErrExpired, token.ErrClaims)
	require.NotErrorIs(t, token.ErrMissing, token.ErrWrong)
	require.NotErrorIs(t, token.ErrSignature, token.ErrUnknownKey)
}

func TestVerifyNamesTheReasonOfARefusal(t *testing.T) {
	tokens, _ := newTokens(func(cfg *token.Config) { cfg.Required = []string{"role"} })
	good := usualObject().with(object{"role": "admin"})
	for name, test := range map[string]struct {
		change object
		want   error
	}{
		"a good token":               {nil, nil},
		"an audience among several":  {object{"aud": []string{"mobile", "web"}}, nil},
		"an unknown claim":           {object{"x": []any{1, nil}}, nil},
		"no sub":                     {object{"sub": nil}, token.ErrMissing},
		"an empty sub":               {object{"sub": ""}, token.ErrMissing},
		"no kind":                    {object{"kind": nil}, token.ErrMissing},
		"no sid":                     {object{"sid": nil}, token.ErrMissing},
		"no jti":                     {object{"jti": nil}, token.ErrMissing},
		"no iat":                     {object{"iat": nil}, token.ErrMissing},
		"no exp":                     {object{"exp": nil}, token.ErrMissing},
		"no auth_time":               {object{"auth_time": nil}, token.ErrMissing},
		"a required claim missing":   {object{"role": nil}, token.ErrMissing},
		"a required claim of null":   {object{"role": json.RawMessage("null")}, token.ErrMissing},
		"sub of the wrong type":      {object{"sub": 42}, token.ErrWrong},
		"exp of the wrong type":      {object{"exp": "tomorrow"}, token.ErrWrong},
		"a negative iat":             {object{"iat": -1}, token.ErrWrong},
		"aud of the wrong type":      {object{"aud": 1}, token.ErrWrong},
		"another kind than the key":  {object{"kind": "teachers"}, token.ErrWrong},
		"an undeclared kind":         {object{"kind": "admins"}, token.ErrWrong},
		"exp before iat":             {object{"exp": noon - 1}, token.ErrWrong},
		"a longer life than 24 h":    {object{"exp": noon + 86401}, token.ErrWrong},
		"a life of 24 h":             {object{"exp": noon + 86400}, nil},
		"another issuer":             {object{"iss": "other"}, token.ErrIssuer},
		"no issuer":                  {object{"iss": nil}, token.ErrIssuer},
		"another audience":           {object{"aud": "mobile"}, token.ErrAudience},
		"no audience":                {object{"aud": nil}, token.ErrAudience},
		"an empty list of audiences": {object{"aud": []string{}}, token.ErrAudience},
		"iat in the future":          {object{"iat": noon + 61}, token.ErrIssued},
		"iat within the skew":        {object{"iat": noon + 60}, nil},
		"auth_time in the future":    {object{"auth_time": noon + 61}, token.ErrIssued},
		"nbf in the future":          {object{"nbf": noon + 11}, token.ErrNotBefore},
		"nbf within the leeway":      {object{"nbf": noon + 10}, nil},
		"expired":                    {object{"iat": noon - 600, "exp": noon - 10}, token.ErrExpired},
		"expired within the leeway":  {object{"iat": noon - 600, "exp": noon - 9}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokens.Verify(t.Context(), mint(current, "users", headerOf(current, "users"), good.with(test.change).String()))
			require.Equal(t, test.want, err)
		})
	}
}

func TestClaimsComeWithErrorsOfTheLastChecksOnly(t *testing.T) {
	tokens, c := newTokens()
	raw := issue(t, tokens, usual())
	c.now = c.now.Add(time.Hour)
	got, err := tokens.Verify(t.Context(), raw)
	require.ErrorIs(t, err, token.ErrExpired)
	require.Equal(t, "users", got.Kind, "the signature is verified")
	got, err = tokens.Verify(t.Context(), raw[:len(raw)-1])
	require.ErrorIs(t, err, token.ErrSignature)
	require.Zero(t, got)
}

func TestTokenExpiresToTheSecond(t *testing.T) {
	tokens, c := newTokens()
	raw := issue(t, tokens, usual())
	c.now = time.Unix(noon+600+10, 0).Add(-time.Nanosecond)
	_, err := tokens.Verify(t.Context(), raw)
	require.NoError(t, err)
	c.now = time.Unix(noon+600+10, 0)
	_, err = tokens.Verify(t.Context(), raw)
	require.Equal(t, token.ErrExpired, err)
}

func TestVerifyRefusesHostileForms(t *testing.T) {
	tokens, _ := newTokens()
	payload := usualObject().String()
	good := mint(current, "users", headerOf(current, "users"), payload)
	parts := strings.Split(good, ".")
	kid := secret.NewRoot(current).KeyID + ".users"
	for name, test := range map[string]struct {
		raw  string
		want error
	}{
		"the good token":               {good, nil},
		"nothing":                      {"", token.ErrMalformed},
		"two segments":                 {parts[0] + "." + parts[1], token.ErrMalformed},
		"a line feed":                  {good + "\n", token.ErrMalformed},
		"padding":                      {good + "=", token.ErrSignature},
		"more than the maximum":        {good + strings.Repeat("A", token.MaxBytes), token.ErrMalformed},
		"no signature":                 {parts[0] + "." + parts[1] + ".", token.ErrSignature},
		"a short signature":            {good[:len(good)-1], token.ErrSignature},
		"spare bits in the signature":  {good[:len(good)-1] + string(good[len(good)-1]+1), token.ErrSignature},
		"another payload":              {parts[0] + "." + segment(usualObject().with(object{"sub": "1"}).String()) + "." + parts[2], token.ErrSignature},
		"alg none":                     {segment(`{"alg":"none","kid":"`+kid+`","typ":"at+jwt"}`) + "." + parts[1] + ".", token.ErrUnknownKey},
		"typ JWT":                      {mint(current, "users", `{"alg":"HS256","kid":"`+kid+`","typ":"JWT"}`, payload), token.ErrMalformed},
		"no typ":                       {mint(current, "users", `{"alg":"HS256","kid":"`+kid+`"}`, payload), token.ErrMalformed},
		"another order":                {mint(current, "users", `{"typ":"at+jwt","alg":"HS256","kid":"`+kid+`"}`, payload), token.ErrMalformed},
		"a space in the header":        {mint(current, "users", `{"alg":"HS256", "kid":"`+kid+`","typ":"at+jwt"}`, payload), token.ErrMalformed},
		"a further parameter":          {mint(current, "users", `{"alg":"HS256","kid":"`+kid+`","typ":"at+jwt","x":1}`, payload), token.ErrMalformed},
		"another kid":                  {mint(current, "users", headerOf(older, "users"), payload), token.ErrUnknownKey},
		"an undeclared kind":           {mint(current, "admins", headerOf(current, "admins"), payload), token.ErrUnknownKey},
		"an empty kid":                 {mint(current, "users", `{"alg":"HS256","kid":"","typ":"at+jwt"}`, payload), token.ErrMalformed},
		"a long header":                {mint(current, "users", `{"alg":"HS256","kid":"`+strings.Repeat("k", 300)+`","typ":"at+jwt"}`, payload), token.ErrMalformed},
		"a header that is no base64":   {"A." + parts[1] + "." + parts[2], token.ErrMalformed},
		"the key of another kind":      {mint(current, "teachers", headerOf(current, "users"), payload), token.ErrSignature},
		"the secret instead of a key":  {signHS256(current, headerOf(current, "users"), payload), token.ErrSignature},
		"the key of another secret":    {mint(older, "users", headerOf(current, "users"), payload), token.ErrSignature},
		"a payload that is no JSON":    {mint(current, "users", headerOf(current, "users"), "x"), token.ErrMalformed},
		"a duplicate claim":            {mint(current, "users", headerOf(current, "users"), payload[:len(payload)-1]+`,"sub":"1"}`), token.ErrMalformed},
		"a header of the other secret": {mint(older, "users", headerOf(older, "users"), payload), token.ErrUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokens.Verify(t.Context(), test.raw)
			require.Equal(t, test.want, err)
		})
	}
}

// signHS256 signs with key itself, not with a derived one.
func signHS256(key []byte, header, payload string) string {
	return signText(key, segment(header)+"."+segment(payload))
}

func signText(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + segment(string(mac.Sum(nil)))
}

func TestSignedPayloadThatIsNotBase64IsMalformed(t *testing.T) {
	tokens, _ := newTokens()
	raw := signText(secret.NewRoot(current).Derive("fiberjwt/v1/access/users"), segment(headerOf(current, "users"))+".A")
	_, err := tokens.Verify(t.Context(), raw)
	require.Equal(t, token.ErrMalformed, err)
}

func TestTokenHasOneSpelling(t *testing.T) {
	own, _ := newTokens()
	open, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	federated := newFederation(t)
	key := newKey(t, keys.EdDSA)
	asymmetric, _ := newTokens(withKeys(newSet(t, key)))
	accepts := func(tokens *token.Tokens) func(string) bool {
		return func(raw string) bool { _, err := tokens.Verify(t.Context(), raw); return err == nil }
	}
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	some := []byte("\r\n\t =+/.%A-_\x00\xff")
	for name, test := range map[string]struct {
		raw     string
		accepts func(string) bool
		bytes   []byte
	}{
		"of the secret":      {issue(t, own, usual()), accepts(own), all},
		"of an unnamed kind": {issue(t, own, usual()), accepts(open), all},
		"of a key":           {issue(t, asymmetric, usual()), accepts(asymmetric), some},
		"of another issuer":  {federated.sign(t, es256, foreignObject()), accepts(federated.Tokens), some},
		"of an older system": {signHS256(older, pyJWT, `{"sub":"1"}`), func(raw string) bool { _, ok := token.OldPayload(older, raw); return ok }, all},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, test.accepts(test.raw))
			for at := range len(test.raw) + 1 {
				before, after := test.raw[:at], test.raw[at:]
				for _, b := range test.bytes {
					if inserted := before + string([]byte{b}) + after; test.accepts(inserted) {
						t.Fatalf("%q", inserted)
					}
					if replaced := before + string([]byte{b}) + after[min(1, len(after)):]; replaced != test.raw && test.accepts(replaced) {
						t.Fatalf("%q", replaced)
					}
				}
			}
		})
	}
}

func TestVerifiedClaimsShareNoMemoryWithTheToken(t *testing.T) {
	tokens, _ := newTokens()
	raw := []byte(issue(t, tokens, usual()))
	got, err := tokens.Verify(t.Context(), unsafeString(raw))
	require.NoError(t, err)
	clear(raw)
	require.Equal(t, "42", got.Subject)
	require.Equal(t, "users", got.Kind)
}

func TestRotatedSecretStillVerifies(t *testing.T) {
	before, _ := newTokens(func(cfg *token.Config) { cfg.Ring = secret.NewRing(older, nil) })
	after, _ := newTokens(func(cfg *token.Config) { cfg.Ring = secret.NewRing(current, []keys.Secret{older}) })
	_, err := after.Verify(t.Context(), issue(t, before, usual()))
	require.NoError(t, err)
	require.Equal(t, issue(t, after, usual()), mint(current, "users", headerOf(current, "users"), usualObject().String()), "the current secret signs")
	_, err = before.Verify(t.Context(), issue(t, after, usual()))
	require.Equal(t, token.ErrUnknownKey, err)
}

func TestUndeclaredKindsAreAcceptedIfNoneIsDeclared(t *testing.T) {
	tokens, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	for range 2 {
		for _, kind := range []string{"users", "admins"} {
			got, err := tokens.Verify(t.Context(), mint(current, kind, headerOf(current, kind), usualObject().with(object{"kind": kind}).String()))
			require.NoError(t, err)
			require.Equal(t, kind, got.Kind)
		}
	}
	require.Equal(t, 2, tokens.StoredKeys())
}

func TestInventedKindsAreRefused(t *testing.T) {
	tokens, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	kid := secret.NewRoot(current).KeyID
	for name, test := range map[string]struct {
		header string
		want   error
		stored int
	}{
		"a key of another secret": {headerOf(current, "admins"), token.ErrSignature, 1},
		"an invalid kind":         {headerOf(current, "Admins"), token.ErrUnknownKey, 0},
		"an unknown secret":       {headerOf(older, "admins"), token.ErrUnknownKey, 0},
		"another algorithm":       {`{"alg":"HS512","kid":"` + kid + `.admins","typ":"at+jwt"}`, token.ErrUnknownKey, 0},
		"another header":          {`{"alg":"HS256","kid":"` + kid + `.admins"}`, token.ErrMalformed, 0},
		"an escape in the kid":    {`{"alg":"HS256","kid":"` + kid + `.\u0061","typ":"at+jwt"}`, token.ErrMalformed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := tokens.StoredKeys()
			_, err := tokens.Verify(t.Context(), mint(older, "admins", test.header, usualObject().with(object{"kind": "admins"}).String()))
			require.Equal(t, test.want, err)
			require.Equal(t, before+test.stored, tokens.StoredKeys())
		})
	}
}

func TestInventedKindsFillLimitedMemory(t *testing.T) {
	tokens, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	verify := func(s keys.Secret, kind string) error {
		_, err := tokens.Verify(t.Context(), mint(s, kind, headerOf(current, kind), usualObject().with(object{"kind": kind}).String()))
		return err
	}
	for i := range 1000 {
		require.Equal(t, token.ErrSignature, verify(older, "k"+strconv.Itoa(i)))
	}
	require.Equal(t, 256, tokens.StoredKeys())
	for range 2 {
		require.NoError(t, verify(current, "users"))
		require.NoError(t, verify(current, "k999"))
		require.Equal(t, 258, tokens.StoredKeys(), "a verified signature proves that the kind exists")
	}
}

func TestTokensAreSafeForConcurrentUse(t *testing.T) {
	tokens, _ := newTokens()
	open, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	verify := func(verifier *token.Tokens, raw, subject string) error {
		got, err := verifier.Verify(t.Context(), raw)
		_, forged := verifier.Verify(t.Context(), raw[:len(raw)-5]+"AAAAA")
		if err != nil || got.Subject != subject || !errors.Is(forged, token.ErrSignature) {
			return fmt.Errorf("subject %q, %w, and %w for the forged token", got.Subject, err, forged)
		}
		return nil
	}
	errs := make([]error, 8)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			for j := range 100 {
				c, kind := usual(), "k"+strconv.Itoa(j)
				c.Subject = fmt.Sprint(i, "/", j)
				issued, err := tokens.Issue(c, token.Shape{}, nil)
				other := mint(current, kind, headerOf(current, kind), usualObject().with(object{"sub": c.Subject, "kind": kind}).String())
				errs[i] = errors.Join(errs[i], err, verify(tokens, issued, c.Subject), verify(open, other, c.Subject))
			}
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 100, open.StoredKeys())
}

func TestEveryKindMayHaveItsOwnAudience(t *testing.T) {
	tokens, _ := newTokens(func(cfg *token.Config) {
		cfg.Audience = []string{"web", "mobile"}
		cfg.Audiences = map[string][]string{"teachers": {"school"}}
	})
	teacher := usual()
	teacher.Kind = "teachers"
	require.Equal(t, []any{"web", "mobile"}, payloadOf(t, issue(t, tokens, usual()))["aud"])
	require.Equal(t, "school", payloadOf(t, issue(t, tokens, teacher))["aud"])
	_, err := tokens.Verify(t.Context(), issue(t, tokens, teacher))
	require.NoError(t, err)
	raw := mint(current, "teachers", headerOf(current, "teachers"), usualObject().with(object{"kind": "teachers"}).String())
	_, err = tokens.Verify(t.Context(), raw)
	require.Equal(t, token.ErrAudience, err)
}

func TestClaimsOfTheApplicationAreInThePayload(t *testing.T) {
	tokens, _ := newTokens(func(cfg *token.Config) { cfg.ClientID = "spa" })
	raw, err := tokens.Issue(usual(), token.Shape{}, map[string]any{"role": "admin", "limits": []int{1, 2}})
	require.NoError(t, err)
	members := payloadOf(t, raw)
	require.Equal(t, "admin", members["role"])
	require.Equal(t, "spa", members["client_id"])
	got, err := tokens.Verify(t.Context(), raw)
	require.NoError(t, err)
	require.True(t, token.HasAll(got.Payload, []string{"limits", "role"}))
}

func TestShapeChangesTheToken(t *testing.T) {
	tokens, c := newTokens()
	shape := token.Shape{
		NotBefore: c.now.Add(time.Minute), Audience: []string{"web", "report"}, Shaped: true,
		Claims: map[string]any{"role": "guest", "file": "7"},
	}
	raw, err := tokens.Issue(usual(), shape, map[string]any{"role": "admin", "name": "Ada"})
	require.NoError(t, err)
	members := payloadOf(t, raw)
	require.Equal(t, []any{"web", "report"}, members["aud"])
	require.Equal(t, "guest", members["role"], "claims of the shape replace those of the kind")
	require.Equal(t, "7", members["file"])
	require.Equal(t, "Ada", members["name"])
	_, err = tokens.Verify(t.Context(), raw)
	require.Equal(t, token.ErrNotBefore, err)
	c.now = c.now.Add(time.Minute)
	got, err := tokens.Verify(t.Context(), raw)
	require.NoError(t, err)
	require.True(t, got.Shaped)
	require.Equal(t, noon+60, got.NotBefore)
}

func TestIssueRefusesClaimsThatCannotBeUsed(t *testing.T) {
	many := map[string]any{}
	for i := range 200 {
		many[strings.Repeat("x", i+1)] = 1
	}
	deep := any(1)
	for range 20 {
		deep = []any{deep}
	}
	tests := map[string]struct {
		shape  token.Shape
		custom map[string]any
		want   string
	}{
		"too many claims":      {token.Shape{}, many, "more claims"},
		"a deep value":         {token.Shape{}, map[string]any{"x": deep}, "more deeply nested values"},
		"a value that fails":   {token.Shape{}, map[string]any{"x": func() {}}, "Entity.Claims of kind users: json: unsupported type"},
		"a shape that fails":   {token.Shape{Claims: map[string]any{"x": func() {}}}, nil, "LoginOptions.Claims or Entity.Claims of kind users"},
		"a token too long":     {token.Shape{}, map[string]any{"x": strings.Repeat("x", token.MaxBytes)}, "the maximum is 3900"},
		"client_id, if in use": {token.Shape{}, map[string]any{"client_id": "other"}, `reserved claim "client_id"`},
	}
	for _, name := range []string{"iss", "aud", "sub", "kind", "sid", "jti", "iat", "exp", "nbf", "auth_time", "cnf", "act", "typ", "granted"} {
		tests["reserved "+name] = struct {
			shape  token.Shape
			custom map[string]any
			want   string
		}{token.Shape{Claims: map[string]any{name: "x"}}, nil, `reserved claim "` + name + `"`}
	}
	tokens, _ := newTokens(func(cfg *token.Config) { cfg.ClientID = "spa" })
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			raw, err := tokens.Issue(usual(), test.shape, test.custom)
			require.ErrorIs(t, err, fault.ErrSetup)
			require.ErrorContains(t, err, test.want)
			require.Empty(t, raw)
		})
	}
	free, _ := newTokens()
	_, err := free.Issue(usual(), token.Shape{}, map[string]any{"client_id": "other"})
	require.NoError(t, err, "the name is free if there is no Config.ClientID")
}

func TestLongestTokenIsIssuedAndVerified(t *testing.T) {
	tokens, _ := newTokens()
	length := 0
	for raw := ""; len(raw) < token.MaxBytes-2; length++ {
		raw, _ = tokens.Issue(usual(), token.Shape{}, map[string]any{"x": strings.Repeat("x", 2000+length)})
		require.NotEmpty(t, raw)
		_, err := tokens.Verify(t.Context(), raw)
		require.NoError(t, err)
	}
}

func TestReadDoesNotVerify(t *testing.T) {
	got, err := token.Read(segment("{}") + "." + segment(`{"sub":"42","kind":"users"}`) + ".")
	require.NoError(t, err)
	require.Equal(t, "42", got.Subject)
	for name, test := range map[string]struct {
		raw  string
		want error
	}{
		"no token":           {"x", token.ErrMalformed},
		"no base64":          {"a.A.c", token.ErrMalformed},
		"no JSON":            {"a." + segment("x") + ".c", token.ErrMalformed},
		"a claim of no type": {"a." + segment(`{"sub":1}`) + ".c", token.ErrWrong},
	} {
		_, err := token.Read(test.raw)
		require.Equal(t, test.want, err, name)
	}
}

func TestIDsAreDifferent(t *testing.T) {
	first, second := token.NewID(), token.NewID()
	require.NotEqual(t, first, second)
	b, err := base64.RawURLEncoding.DecodeString(first)
	require.NoError(t, err)
	require.Len(t, b, 16)
}

func TestSubjectOfAPayload(t *testing.T) {
	for payload, want := range map[string]string{
		`{"sub":"42"}`: "42", `{"sub":"\u0034"}`: "4", `{"sub":42}`: "", `{}`: "", `x`: "", `{"sub":"1","sub":"2"}`: "",
	} {
		require.Equal(t, want, token.Subject([]byte(payload)), payload)
	}
}

func TestHasAllNeedsEveryClaim(t *testing.T) {
	payload := []byte(`{"a":1,"b":null,"c":{"d":1}}`)
	for _, test := range []struct {
		names []string
		want  bool
	}{
		{nil, true},
		{[]string{"a"}, true},
		{[]string{"a", "c"}, true},
		{[]string{"a", "b"}, false},
		{[]string{"d"}, false},
		{[]string{"A"}, false},
	} {
		require.Equal(t, test.want, token.HasAll(payload, test.names), "%v", test.names)
	}
}

func TestValidKindIsALowerCaseName(t *testing.T) {
	for name, want := range map[string]bool{
		"users": true, "a": true, "a-b_2": true, strings.Repeat("a", 32): true,
		"": false, strings.Repeat("a", 33): false, "Users": false, "2a": false, "-a": false, "_a": false,
		"a.b": false, "a b": false, "a/b": false, "é": false, "a~b": false, "a\x00": false,
	} {
		require.Equal(t, want, token.ValidKind(name), name)
	}
}

// closing is a source of keys that can be closed.
type closing struct {
	keys.Source
	err    error
	closed *int
}

func (c closing) Close() error {
	*c.closed++
	return c.err
}

var _ io.Closer = closing{}

func TestCloseClosesEverySourceThatCanBeClosed(t *testing.T) {
	closed, errClose := 0, errors.New("cannot close")
	set, err := keys.NewSet(newKey(t, keys.ES256))
	require.NoError(t, err)
	tokens, _ := newTokens(func(cfg *token.Config) {
		cfg.Keys = closing{set, nil, &closed}
		cfg.Issuers = []token.Issuer{{Keys: set}, {Keys: closing{set, errClose, &closed}}, {Keys: closing{set, nil, &closed}}}
	})
	require.ErrorIs(t, tokens.Close(), errClose)
	require.Equal(t, 3, closed)
	without, _ := newTokens()
	require.NoError(t, without.Close())
}

func FuzzVerify(f *testing.F) {
	tokens, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	good := mint(current, "users", headerOf(current, "users"), usualObject().String())
	for _, seed := range []string{good, good[:len(good)-1], "", "..", mint(older, "users", headerOf(older, "users"), "{}")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := tokens.Verify(t.Context(), raw); err == nil {
			require.Equal(t, good, raw, "only a holder of the secret can make a token")
		}
		_, _ = token.Read(raw)
	})
}
