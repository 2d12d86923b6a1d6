// Code generated from ../../../test/api/token_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// noon is when the clock of a world starts, 2026-11-22 12:00:00 UTC.
const noon = 1795348800

// outsider issues access tokens as another program does that knows the secret and
// the documented format, but does not use the library.
type outsider struct{ secret string }

// derive is HKDF-SHA256 (RFC 5869) without salt, for one block.
func (o outsider) derive(label string, length int) []byte {
	root := digest(sha256.New, make([]byte, sha256.Size), o.secret)
	return digest(sha256.New, root, label+"\x01")[:length]
}

func digest(algorithm func() hash.Hash, key []byte, text string) []byte {
	mac := hmac.New(algorithm, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func (o outsider) kid(kind string) string {
	return base64.RawURLEncoding.EncodeToString(o.derive("fiberjwt/v1/id", 6)) + "." + kind
}

func (o outsider) header(kind string) string {
	return `{"alg":"HS256","kid":"` + o.kid(kind) + `","typ":"at+jwt"}`
}

// key returns the key for the access tokens of a kind.
func (o outsider) key(kind string) []byte { return o.derive("fiberjwt/v1/access/"+kind, 32) }

// token signs a payload for a kind.
func (o outsider) token(kind, payload string) string {
	return o.sign(o.key(kind), o.header(kind), payload)
}

// sign returns a token with any header and payload, by any key.
func (o outsider) sign(key []byte, header, payload string) string {
	return o.signSegments(key, segment(header), segment(payload))
}

func (o outsider) signSegments(key []byte, header, payload string) string {
	text := header + "." + payload
	return text + "." + segment(string(digest(sha256.New, key, text)))
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// claimSet lists the members of a payload. The values are JSON.
type claimSet []struct{ name, value string }

// claimsOf reads the payload of a token.
func claimsOf(t testing.TB, token string) (claims claimSet) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		claims = claims.add(name, string(members[name]))
	}
	return claims
}

// add appends a member, even if the name exists already.
func (s claimSet) add(name, value string) claimSet {
	return append(slices.Clone(s), struct{ name, value string }{name, value})
}

func (s claimSet) drop(name string) claimSet {
	return slices.DeleteFunc(slices.Clone(s), func(c struct{ name, value string }) bool { return c.name == name })
}

func (s claimSet) set(name, value string) claimSet { return s.drop(name).add(name, value) }

func (s claimSet) String() string {
	members := make([]string, len(s))
	for i, c := range s {
		members[i] = `"` + c.name + `":` + c.value
	}
	return "{" + strings.Join(members, ",") + "}"
}

// newSignedInWorld is a world with a route that signs in without a password, which
// saves the time of a hash. ann is signed in as the first user.
func newSignedInWorld(t *testing.T, configure ...func(*fiberjwt.Config)) (*world, tokens) {
	t.Helper()
	w := newWorld(t, append([]func(*fiberjwt.Config){openSignIn}, configure...)...)
	w.routeSignIn()
	return w, w.signIn("users", "ann@example.com")
}

func openSignIn(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "POST /sign-in/*") }

func (w *world) routeSignIn() {
	w.app.Post("/sign-in/users/:name", func(c fiber.Ctx) error {
		u := &User{Email: c.Params("name"), PasswordHash: "none"}
		if err := w.account(c, "email = ?", u); err != nil {
			return err
		}
		return answerLogin(c, u)
	})
	w.app.Post("/sign-in/teachers/:name", func(c fiber.Ctx) error {
		u := &Teacher{Login: c.Params("name"), PasswordHash: "none"}
		if err := w.account(c, "login = ?", u); err != nil {
			return err
		}
		return answerLogin(c, u)
	})
}

// account stores a row unless it exists, and loads it.
func (w *world) account(c fiber.Ctx, where string, account any) error {
	_, err := w.db.NewInsert().Model(account).Ignore().Exec(context.Background())
	if err != nil {
		return err
	}
	return w.db.NewSelect().Model(account).Where(where, c.Params("name")).Scan(context.Background())
}

func answerLogin[T any](c fiber.Ctx, account *T) error {
	signedIn, err := fiberjwt.Login(c, account, fiberjwt.LoginOptions{Transport: fiberjwt.Transport(c.Query("via", "body"))})
	if err != nil {
		return err
	}
	return c.JSON(signedIn)
}

func (w *world) signIn(kind, name string) tokens {
	w.t.Helper()
	a := w.do("POST", "/sign-in/"+kind+"/"+name, "")
	require.Equal(w.t, 200, a.Status, a.Body)
	return w.tokensOf(a)
}

// raw sends requests byte for byte on one connection and returns the responses. There
// are fewer responses if the server closed the connection.
func raw(t testing.TB, app *fiber.App, requests ...string) []answer {
	t.Helper()
	app.Handler() // prepares the server
	c := &wire{in: strings.NewReader(strings.Join(requests, ""))}
	_ = app.Server().ServeConn(c) // if a request cannot be parsed, there is an error as well as a response
	var answers []answer
	out := bufio.NewReader(&c.out)
	for _, request := range requests {
		method, _, _ := strings.Cut(request, " ")
		response, err := http.ReadResponse(out, &http.Request{Method: method})
		if err != nil {
			break
		}
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		answers = append(answers, answer{response.StatusCode, response.Header, string(body)})
	}
	return answers
}

// wire is a connection whose input is complete and whose output is recorded.
type wire struct {
	in  *strings.Reader
	out bytes.Buffer
}

func (c *wire) Read(b []byte) (int, error) { return c.in.Read(b) }

func (c *wire) Write(b []byte) (int, error) { return c.out.Write(b) }

func (*wire) Close() error { return nil }

func (*wire) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (*wire) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (*wire) SetDeadline(time.Time) error { return nil }

func (*wire) SetReadDeadline(time.Time) error { return nil }

func (*wire) SetWriteDeadline(time.Time) error { return nil }

// request returns the text of a request without a body. headers are whole lines.
func request(method, path string, headers ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: example.com\r\n" + strings.Join(append(headers, "\r\n"), "\r\n")
}

func getWith(path, token string) string { return request("GET", path, "Authorization: Bearer "+token) }

// requireRefused requires the response that every invalid token gets.
func requireRefused(t testing.TB, a answer, token string) {
	t.Helper()
	require.Equal(t, 401, a.Status, "%q was answered %s", token, a.Body)
	require.Equal(t, []string{`Bearer error="invalid_token"`}, a.Header["Www-Authenticate"])
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	require.Empty(t, a.Header.Get("Set-Cookie"))
	require.Contains(t, a.Body, `"error":"invalid_token"`)
	requireNoEcho(t, a, token)
}

// requireNoEcho requires that no part of the token is in the response.
func requireNoEcho(t testing.TB, a answer, token string) {
	t.Helper()
	text := fmt.Sprint(a.Header, a.Body)
	for _, part := range strings.Split(token, ".") {
		if len(part) >= 16 {
			require.NotContains(t, text, part)
			require.NotContains(t, text, part[:16])
		}
	}
}

func TestAccessTokenWithFlippedBitIsRefused(t *testing.T) {
	w, good := newSignedInWorld(t)
	for bit := range 8 * len(good.Access) {
		token := []byte(good.Access)
		token[bit/8] ^= 1 << (bit % 8)
		if _, err := w.auth.Verify(t.Context(), string(token)); err == nil {
			require.Fail(t, "a token with a flipped bit was accepted", "bit %d: %q", bit, token)
		}
		if token[bit/8] == '\n' {
			continue // would end the header
		}
		answers := raw(t, w.app, getWith("/users/me", string(token)))
		require.Len(t, answers, 1)
		requireBadByteRefused(t, answers[0], string(token))
	}
	require.Equal(t, 200, w.get("/users/me", good.Access).Status)
}

// requireBadByteRefused is requireRefused, but also accepts a 400 if the token has a
// control character: versions of fasthttp after 1.51 refuse these in a header.
func requireBadByteRefused(t testing.TB, a answer, token string) {
	t.Helper()
	control := strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r == 0x7f })
	if control && a.Status == 400 {
		return
	}
	requireRefused(t, a, token)
}

func TestTokenIssuedByDocumentedRulesIsAccepted(t *testing.T) {
	w, good := newSignedInWorld(t)
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(good.Access, ".")[0])
	require.NoError(t, err)
	mint := outsider{testSecret}
	require.Equal(t, mint.header("users"), string(header))

	token := mint.token("users", claimsOf(t, good.Access).set("jti", `"outside"`).String())
	require.Equal(t, 200, w.get("/users/me", token).Status)
	s, err := w.auth.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, "outside", s.TokenID)
}

// hostilePayload is an invalid payload that is signed by the correct key for users.
type hostilePayload struct {
	attack  string
	payload func(good claimSet) string
	want    error // of fiberjwt
	jwtErr  error // of golang-jwt, nil if it has none
}

func withClaim(name, value string) func(claimSet) string {
	return func(good claimSet) string { return good.set(name, value).String() }
}

func withoutClaim(name string) func(claimSet) string {
	return func(good claimSet) string { return good.drop(name).String() }
}

func withSecondClaim(name, value string) func(claimSet) string {
	return func(good claimSet) string { return good.add(name, value).String() }
}

func withText(rewrite func(good string) string) func(claimSet) string {
	return func(good claimSet) string { return rewrite(good.String()) }
}

var hostilePayloads = slices.Concat(hostileTimes, hostileNames, hostileSubjects, hostileText)

var hostileTimes = []hostilePayload{
	{"no exp", withoutClaim("exp"), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"exp 0 beside an iat of today", withClaim("exp", "0"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp 0 is expired, not absent", func(c claimSet) string { return c.set("iat", "0").set("exp", "0").String() }, fiberjwt.ErrTokenExpired, jwt.ErrTokenExpired},
	{"exp in quotes", withClaim("exp", `"1795349400"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp beyond every float", withClaim("exp", "1e400"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp with an exponent", withClaim("exp", "1.7953494e9"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp one second after the year 9999", withClaim("exp", "253402300800"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp at the end of the year 9999", withClaim("exp", "253402300799"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp that overflows an int64", withClaim("exp", "9223372036854775808"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp that wraps around 64 bits to a valid one", withClaim("exp", "18446744075504901016"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp negative", withClaim("exp", "-1"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp minus zero", withClaim("exp", "-0"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp true", withClaim("exp", "true"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp null", withClaim("exp", "null"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp an array", withClaim("exp", "[1795349400]"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp an object", withClaim("exp", `{"exp":1795349400}`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"exp in capitals only", func(c claimSet) string { return c.drop("exp").add("EXP", "1795349400").String() }, fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"expired, and revived by an Exp of the future", func(c claimSet) string {
		return c.set("iat", "1795348000").set("exp", "1795348100").add("Exp", "1795349400").String()
	}, fiberjwt.ErrTokenExpired, jwt.ErrTokenExpired},
	{"expired, and revived by a second exp", func(c claimSet) string { return c.set("exp", "1795348100").add("exp", "1795349400").String() }, fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a life of one day and one second", withClaim("exp", "1795435201"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"no iat, to hide a life of years", func(c claimSet) string { return c.drop("iat").set("exp", "1995349400").String() }, fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"iat beyond the allowed clock skew", withClaim("iat", "1795348861"), fiberjwt.ErrTokenClaims, jwt.ErrTokenUsedBeforeIssued},
	{"iat in quotes", withClaim("iat", `"1795348800"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"iat null", withClaim("iat", "null"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"iat negative", withClaim("iat", "-5"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"nbf beyond the leeway", withClaim("nbf", "1795348806"), fiberjwt.ErrTokenClaims, jwt.ErrTokenNotValidYet},
	{"nbf in quotes", withClaim("nbf", `"0"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"nbf null", withClaim("nbf", "null"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"no auth_time", withoutClaim("auth_time"), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"auth_time in quotes", withClaim("auth_time", `"1795348800"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
}

var hostileNames = []hostilePayload{
	{"no iss", withoutClaim("iss"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidIssuer},
	{"iss of another service", withClaim("iss", `"https://evil.example"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidIssuer},
	{"iss in other case", withClaim("iss", `"Fiberjwt"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidIssuer},
	{"iss with the correct one as a prefix", withClaim("iss", `"fiberjwt.evil.example"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidIssuer},
	{"iss an array with the correct one (CVE-2025-30144)", withClaim("iss", `["https://evil.example","fiberjwt"]`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"iss null", withClaim("iss", "null"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"no aud", withoutClaim("aud"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidAudience},
	{"aud of another service", withClaim("aud", `"billing"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidAudience},
	{"aud an array of others", withClaim("aud", `["billing","mail"]`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidAudience},
	{"aud an empty array", withClaim("aud", `[]`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidAudience},
	{"aud a number", withClaim("aud", `5`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"aud null", withClaim("aud", `null`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"aud an object", withClaim("aud", `{"fiberjwt":"fiberjwt"}`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"aud the correct one beside a number", withClaim("aud", `["fiberjwt",5]`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"aud the correct one in a nested array", withClaim("aud", `[["fiberjwt"]]`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"no kind", withoutClaim("kind"), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"another kind", withClaim("kind", `"teachers"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"a kind that is not declared", withClaim("kind", `"admins"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"kind in capitals", withClaim("kind", `"USERS"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"two kinds in an array", withClaim("kind", `["users","teachers"]`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"no sid", withoutClaim("sid"), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"sid null", withClaim("sid", "null"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"sid of no session", withClaim("sid", `"AAAAAAAAAAAAAAAAAAAAAA"`), fiberjwt.ErrTokenRevoked, nil},
	{"sid that is not base64url", withClaim("sid", `"' OR 1=1 --"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"sid too short", withClaim("sid", `"AAAA"`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"sid with a line break inside", func(c claimSet) string {
		sid := c.value("sid")
		return c.set("sid", sid[:5]+`\n`+sid[5:]).String()
	}, fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"sid with padding", func(c claimSet) string {
		return c.set("sid", strings.TrimSuffix(c.value("sid"), `"`)+`=="`).String()
	}, fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"no jti", withoutClaim("jti"), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"jti a number", withClaim("jti", "7"), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
}

func (s claimSet) value(name string) string {
	for _, c := range s {
		if c.name == name {
			return c.value
		}
	}
	return ""
}

var hostileSubjects = []hostilePayload{
	{"no sub", withoutClaim("sub"), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"sub empty", withClaim("sub", `""`), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"sub a number", withClaim("sub", `1`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"sub null", withClaim("sub", `null`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"sub an array", withClaim("sub", `["1"]`), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidClaims},
	{"sub in capitals only", func(c claimSet) string { return c.drop("sub").add("SUB", `"1"`).String() }, fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"sub with a long s only", func(c claimSet) string { return c.drop("sub").add("ſub", `"1"`).String() }, fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"two subs", withSecondClaim("sub", `"2"`), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"two subs, the same", withSecondClaim("sub", `"1"`), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"two subs, one spelled with an escape", withSecondClaim(`\u0073ub`, `"2"`), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"sub of another account", withClaim("sub", `"2"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with a leading zero", withClaim("sub", `"01"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with a space before", withClaim("sub", `" 1"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with a space after", withClaim("sub", `"1 "`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with a plus", withClaim("sub", `"+1"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub a decimal", withClaim("sub", `"1.0"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with an exponent", withClaim("sub", `"1e0"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub in hexadecimal", withClaim("sub", `"0x1"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with an underscore", withClaim("sub", `"1_"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub in full-width digits", withClaim("sub", `"１"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub that wraps around 64 bits to 1", withClaim("sub", `"18446744073709551617"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with a NUL after", withClaim("sub", `"1\u0000"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub with SQL", withClaim("sub", `"1 OR 1=1"`), fiberjwt.ErrTokenRevoked, nil},
	{"sub of 300 bytes", withClaim("sub", `"`+strings.Repeat("1", 300)+`"`), fiberjwt.ErrTokenRevoked, nil},
}

var hostileText = []hostilePayload{
	{"nothing", withText(func(string) string { return "" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"null", withText(func(string) string { return "null" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"an empty object", withText(func(string) string { return "{}" }), fiberjwt.ErrTokenClaims, jwt.ErrTokenRequiredClaimMissing},
	{"an array around the claims", withText(func(s string) string { return "[" + s + "]" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"the claims as a string", withText(func(s string) string { return fmt.Sprintf("%q", s) }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"an object after the claims", withText(func(s string) string { return s + "{}" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"the claims twice", withText(func(s string) string { return s + s }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a NUL after the claims", withText(func(s string) string { return s + "\x00" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a byte order mark", withText(func(s string) string { return "\ufeff" + s }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"UTF-16", withText(func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"invalid UTF-8 in sub", withClaim("sub", "\"1\xff\""), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"invalid UTF-8 in an unused claim", withSecondClaim("x", "\"\xc0\x80\""), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"invalid UTF-8 in a name", withSecondClaim("x\xff", "1"), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a lone surrogate in sub", withClaim("sub", `"1\ud800"`), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a lone low surrogate in an unused claim", withSecondClaim("x", `"\udc00"`), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"an encoded surrogate", withSecondClaim("x", "\"\xed\xa0\x80\""), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a control character in a string", withSecondClaim("x", "\"\n\""), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"nesting 17 deep", withSecondClaim("x", nestedArrays(16)), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"nesting 1,000 deep", withSecondClaim("x", nestedArrays(1000)), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a duplicate deep inside", withSecondClaim("x", `{"y":[{"z":1,"z":1}]}`), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a comma too many", withText(func(s string) string { return s[:len(s)-1] + ",}" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a comment", withText(func(s string) string { return s[:len(s)-1] + "/**/}" }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"NaN", withSecondClaim("x", "NaN"), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a number with a leading zero", withClaim("exp", "01795349400"), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a number with a plus", withClaim("exp", "+1795349400"), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"a name without quotes", withText(func(s string) string { return strings.Replace(s, `"sub"`, `sub`, 1) }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"single quotes", withText(func(s string) string { return strings.ReplaceAll(s, `"`, `'`) }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
	{"cut off", withText(func(s string) string { return s[:len(s)-1] }), fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed},
}

// nestedArrays returns the JSON of depth nested arrays.
func nestedArrays(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestHostilePayloadIsRefusedDespiteValidSignature(t *testing.T) {
	w, good := newSignedInWorld(t)
	w.signIn("users", "bob@example.com") // the account of sub "2"
	for _, test := range hostilePayloads {
		t.Run(test.attack, func(t *testing.T) {
			token := outsider{testSecret}.token("users", test.payload(claimsOf(t, good.Access)))
			answers := raw(t, w.app, getWith("/users/me", token), getWith("/users/me", good.Access))
			require.Len(t, answers, 2, "the connection was closed after the first response")
			requireRefused(t, answers[0], token)
			require.Equal(t, 200, answers[1].Status, "the next request: %s", answers[1].Body)
			requireVerifyError(t, w.auth, token, test.want, test.jwtErr)
		})
	}
	require.NotContains(t, w.log.String(), "level=ERROR", "an invalid token must not be logged as an error")
}

// requireVerifyError requires that the error of Verify matches want, no other error of
// fiberjwt, and jwtErr of golang-jwt unless it is nil.
func requireVerifyError(t testing.TB, auth *fiberjwt.Auth, token string, want, jwtErr error) {
	t.Helper()
	_, err := auth.Verify(context.Background(), token)
	require.ErrorIs(t, err, want)
	if jwtErr != nil {
		require.ErrorIs(t, err, jwtErr)
	}
	for _, other := range []error{
		fiberjwt.ErrNoToken, fiberjwt.ErrTokenMalformed, fiberjwt.ErrTokenClaims, fiberjwt.ErrTokenExpired,
		fiberjwt.ErrTokenRevoked, fiberjwt.ErrUnavailable, fiberjwt.ErrSetup,
	} {
		if other != want {
			require.NotErrorIs(t, err, other)
		}
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) >= 16 {
			require.NotContains(t, err.Error(), part)
		}
	}
}

func TestValidPayloadVariantsAreAccepted(t *testing.T) {
	w, good := newSignedInWorld(t)
	for _, test := range []struct {
		name    string
		payload func(claimSet) string
	}{
		{"as it is issued", withText(func(s string) string { return s })},
		{"in another order", func(c claimSet) string { c = slices.Clone(c); slices.Reverse(c); return c.String() }},
		{"with white space", withText(func(s string) string { return " \n" + strings.ReplaceAll(s, `,"`, " ,\r\n\t\"") + "\n" })},
		{"aud as an array with others", withClaim("aud", `["mail","fiberjwt"]`)},
		{"with escapes", withClaim("sub", `"\u0031"`)},
		{"with an nbf of the past", withClaim("nbf", "0")},
		{"with a fraction of a second", withClaim("exp", "1795349400.999")},
		{"with unused claims", withSecondClaim("scope", `"read write"`)},
		{"with names in another case", func(c claimSet) string { return c.add("SUB", `"2"`).add("ſub", `"2"`).add("Exp", "1").String() }},
		{"nested 16 deep", withSecondClaim("x", nestedArrays(15))},
		{"iat ahead by the allowed clock skew", withClaim("iat", "1795348860")},
		{"nbf ahead by the leeway", withClaim("nbf", "1795348805")},
		{"a life of a day", withClaim("exp", "1795435200")},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := outsider{testSecret}.token("users", test.payload(claimsOf(t, good.Access)))
			require.Equal(t, "users:1", w.get("/any", token).Body)
		})
	}
}

// hostileHeader is an invalid header of a token that is signed by the correct key for
// users. header gets the valid header as JSON.
type hostileHeader struct {
	attack string
	header func(good string) string
}

// withMembers appends members to a header.
func withMembers(members string) func(string) string {
	return func(good string) string { return strings.TrimSuffix(good, "}") + "," + members + "}" }
}

// withInstead replaces a part of a header.
func withInstead(part, other string) func(string) string {
	return func(good string) string { return strings.Replace(good, part, other, 1) }
}

var hostileHeaders = []hostileHeader{
	{"alg none", withInstead("HS256", "none")},
	{"alg None", withInstead("HS256", "None")},
	{"alg NONE", withInstead("HS256", "NONE")},
	{"alg nOnE", withInstead("HS256", "nOnE")},
	{"alg in small letters", withInstead("HS256", "hs256")},
	{"alg HS512", withInstead("HS256", "HS512")},
	{"alg RS256", withInstead("HS256", "RS256")},
	{"alg EdDSA", withInstead("HS256", "EdDSA")},
	{"alg empty", withInstead("HS256", "")},
	{"alg null", withInstead(`"HS256"`, "null")},
	{"alg an array", withInstead(`"HS256"`, `["HS256"]`)},
	{"no alg", withInstead(`"alg":"HS256",`, "")},
	{"a second alg, none", withMembers(`"alg":"none"`)},
	{"a first alg, none", func(good string) string { return `{"alg":"none",` + good[1:] }},
	{"a second alg, the same", withMembers(`"alg":"HS256"`)},
	{"typ JWT", withInstead("at+jwt", "JWT")},
	{"typ rt+jwt", withInstead("at+jwt", "rt+jwt")},
	{"typ dpop+jwt", withInstead("at+jwt", "dpop+jwt")},
	{"typ empty", withInstead("at+jwt", "")},
	{"typ a number", withInstead(`"at+jwt"`, "1")},
	{"no typ", withInstead(`,"typ":"at+jwt"`, "")},
	{"crit", withMembers(`"crit":["exp"]`)},
	{"crit, empty", withMembers(`"crit":[]`)},
	{"crit of b64", withMembers(`"crit":["b64"],"b64":false`)},
	{"b64 false", withMembers(`"b64":false`)},
	{"zip", withMembers(`"zip":"DEF"`)},
	{"cty JWT", withMembers(`"cty":"JWT"`)},
	{"enc", withMembers(`"enc":"A256GCM"`)},
	{"jwk (CVE-2018-0114)", withMembers(`"jwk":{"kty":"oct","k":"AAAA"}`)},
	{"jku", withMembers(`"jku":"https://evil.example/jwks.json"`)},
	{"x5u", withMembers(`"x5u":"https://evil.example/cert.pem"`)},
	{"x5c", withMembers(`"x5c":["MIIB"]`)},
	{"an unknown member", withMembers(`"x":1`)},
	{"an unknown kid", withInstead(`"kid":"`, `"kid":"AAAA`)},
	{"kid of a kind that is not declared", withInstead(".users", ".admins")},
	{"kid without a kind", withInstead(".users", "")},
	{"kid in capitals", withInstead(".users", ".USERS")},
	{"kid very long", withInstead(".users", "."+strings.Repeat("users", 200))},
	{"kid with SQL", withInstead(".users", ".users' UNION SELECT 'secret")},
	{"kid a path", withInstead(".users", "../../../../dev/null")},
	{"kid a URL", withInstead(`"kid":"`, `"kid":"https://evil.example/`)},
	{"kid with a NUL", withInstead(".users", `.users\u0000`)},
	{"kid a number", func(string) string { return `{"alg":"HS256","kid":1,"typ":"at+jwt"}` }},
	{"kid null", func(string) string { return `{"alg":"HS256","kid":null,"typ":"at+jwt"}` }},
	{"no kid", func(string) string { return `{"alg":"HS256","typ":"at+jwt"}` }},
	{"another order", func(good string) string {
		return `{"typ":"at+jwt",` + strings.TrimSuffix(good[1:], `,"typ":"at+jwt"}`) + "}"
	}},
	{"white space", withInstead(`,"kid"`, `, "kid"`)},
	{"white space after", func(good string) string { return good + "\n" }},
	{"an escape", withInstead("users", `\u0075sers`)},
	{"capital names", withInstead(`"alg"`, `"ALG"`)},
	{"a byte order mark", func(good string) string { return "\ufeff" + good }},
	{"trailing data", func(good string) string { return good + "{}" }},
	{"an array", func(good string) string { return "[" + good + "]" }},
	{"not JSON", func(string) string { return "header" }},
	{"nothing", func(string) string { return "" }},
	{"invalid UTF-8", withMembers("\"x\":\"\xff\"")},
}

func TestHeaderMustMatchByteForByte(t *testing.T) {
	w, good := newSignedInWorld(t)
	mint, payload := outsider{testSecret}, claimsOf(t, good.Access).String()
	for _, test := range hostileHeaders {
		t.Run(test.attack, func(t *testing.T) {
			token := mint.sign(mint.key("users"), test.header(mint.header("users")), payload)
			answers := raw(t, w.app, getWith("/users/me", token), getWith("/users/me", good.Access))
			require.Len(t, answers, 2, "the connection was closed after the first response")
			requireRefused(t, answers[0], token)
			require.Equal(t, 200, answers[1].Status, "the next request: %s", answers[1].Body)
			requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed)
		})
	}
}

// hostileForm is a malformed variant of a valid token. form gets the three segments.
type hostileForm struct {
	attack string
	form   func(header, payload, signature string) string
}

var hostileForms = []hostileForm{
	{"only dots", func(_, _, _ string) string { return ".." }},
	{"one part", func(h, _, _ string) string { return h }},
	{"two parts", func(h, p, _ string) string { return h + "." + p }},
	{"four parts", func(h, p, s string) string { return h + "." + p + "." + s + "." }},
	{"five parts, a JWE", func(h, p, s string) string { return h + ".." + p + "." + s + "." + s }},
	{"a dot before", func(h, p, s string) string { return "." + h + "." + p + "." + s }},
	{"no header", func(_, p, s string) string { return "." + p + "." + s }},
	{"no payload", func(h, _, s string) string { return h + ".." + s }},
	{"no signature, the same alg", func(h, p, _ string) string { return h + "." + p + "." }},
	{"no signature, alg none", func(_, p, _ string) string { return segment(`{"alg":"none"}`) + "." + p + "." }},
	{"JSON serialization", func(h, p, s string) string {
		return `{"payload":"` + p + `","protected":"` + h + `","signature":"` + s + `"}`
	}},
	{"padding of the header", func(h, p, s string) string { return h + "=." + p + "." + s }},
	{"padding of the payload", func(h, p, s string) string { return h + "." + p + "=." + s }},
	{"padding of the signature", func(h, p, s string) string { return h + "." + p + "." + s + "=" }},
	{"a signature one character short", func(h, p, s string) string { return h + "." + p + "." + s[:42] }},
	{"a signature one character long", func(h, p, s string) string { return h + "." + p + "." + s + "A" }},
	{"a signature of zeros", func(h, p, _ string) string { return h + "." + p + "." + strings.Repeat("A", 43) }},
	{"the signature twice", func(h, p, s string) string { return h + "." + p + "." + s + s }},
	{"half of the signature", func(h, p, s string) string { return h + "." + p + "." + s[:22] }},
	{"the standard base64 alphabet", func(h, p, s string) string {
		return h + "." + p + "." + strings.NewReplacer("-", "+", "_", "/").Replace("-"+s[1:])
	}},
	{"a NUL after", func(h, p, s string) string { return h + "." + p + "." + s + "\x00" }},
	{"a NUL inside", func(h, p, s string) string { return h + "." + p + "." + s[:9] + "\x00" + s[9:] }},
	{"a tab inside", func(h, p, s string) string { return h + "." + p + "." + s[:9] + "\t" + s[9:] }},
	{"a space inside", func(h, p, s string) string { return h + "." + p + "." + s[:9] + " " + s[9:] }},
	{"a CR inside the signature", func(h, p, s string) string { return h + "." + p + "." + s[:9] + "\r" + s[9:] }},
	{"a DEL after", func(h, p, s string) string { return h + "." + p + "." + s + "\x7f" }},
	{"a letter that is not ASCII", func(h, p, s string) string { return h + "." + p + "." + s[:42] + "é" }},
	{"a byte that is not UTF-8", func(h, p, s string) string { return h + "." + p + "." + s[:42] + "\xff" }},
	{"a full-width dot", func(h, p, s string) string { return h + "．" + p + "." + s }},
	{"a percent sign", func(h, p, s string) string { return h + "%2E" + p + "." + s }},
	{"quotes around", func(h, p, s string) string { return `"` + h + "." + p + "." + s + `"` }},
	{"the scheme twice", func(h, p, s string) string { return "Bearer " + h + "." + p + "." + s }},
	{"a comma after", func(h, p, s string) string { return h + "." + p + "." + s + "," }},
	{"the segments in another order", func(h, p, s string) string { return p + "." + h + "." + s }},
	{"the header as its own signature", func(h, p, _ string) string { return h + "." + p + "." + h }},
	{"a token of 8,000 bytes", func(h, p, s string) string { return h + "." + p + strings.Repeat("A", 8000) + "." + s }},
	{"8,000 dots", func(h, p, s string) string { return h + strings.Repeat(".", 8000) + s }},
}

// formsForVerifyOnly are forms that an HTTP header cannot contain.
var formsForVerifyOnly = []hostileForm{
	{"empty", func(_, _, _ string) string { return "" }},
	{"a line feed inside the header", func(h, p, s string) string { return h[:9] + "\n" + h[9:] + "." + p + "." + s }},
	{"a line feed inside the payload", func(h, p, s string) string { return h + "." + p[:9] + "\n" + p[9:] + "." + s }},
	{"a line feed inside the signature", func(h, p, s string) string { return h + "." + p + "." + s[:9] + "\n" + s[9:] }},
	{"a line feed after", func(h, p, s string) string { return h + "." + p + "." + s + "\n" }},
	{"a line break after", func(h, p, s string) string { return h + "." + p + "." + s + "\r\n" }},
	{"a line feed for the last character", func(h, p, s string) string { return h + "." + p + "." + s[:42] + "\n" }},
	{"a space before", func(h, p, s string) string { return " " + h + "." + p + "." + s }},
	{"a space after", func(h, p, s string) string { return h + "." + p + "." + s + " " }},
	{"a token of a megabyte", func(h, p, s string) string { return h + "." + strings.Repeat(p, 5000) + "." + s }},
	{"a megabyte of dots", func(_, _, _ string) string { return strings.Repeat(".", 1<<20) }},
}

func TestMalformedAccessTokensAreRefused(t *testing.T) {
	w, good := newSignedInWorld(t)
	parts := strings.Split(good.Access, ".")
	for _, test := range hostileForms {
		t.Run(test.attack, func(t *testing.T) {
			token := test.form(parts[0], parts[1], parts[2])
			answers := raw(t, w.app, getWith("/users/me", token))
			require.Len(t, answers, 1)
			requireBadByteRefused(t, answers[0], token)
			require.Equal(t, 200, w.get("/users/me", good.Access).Status)
		})
	}
	for _, test := range slices.Concat(hostileForms, formsForVerifyOnly) {
		t.Run("by Verify: "+test.attack, func(t *testing.T) {
			requireVerifyError(t, w.auth, test.form(parts[0], parts[1], parts[2]), fiberjwt.ErrTokenMalformed, nil)
		})
	}
}

func TestNonCanonicalBase64InTokenIsRefused(t *testing.T) {
	w, good := newSignedInWorld(t)
	mint, parts := outsider{testSecret}, strings.Split(good.Access, ".")

	spellings := equivalentBase64(t, parts[2])
	require.Len(t, spellings, 3, "32 bytes leave two unused bits in the last character")
	for _, signature := range spellings {
		token := parts[0] + "." + parts[1] + "." + signature
		requireRefused(t, w.get("/users/me", token), token)
		requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid)
	}

	// At least one of these lengths leaves unused bits in the last character.
	for _, more := range []string{"x", "xx", "xxx"} {
		payload := segment(claimsOf(t, good.Access).add("x", `"`+more+`"`).String())
		require.Equal(t, 200, w.get("/users/me", mint.signSegments(mint.key("users"), parts[0], payload)).Status)
		for _, other := range equivalentBase64(t, payload) {
			token := mint.signSegments(mint.key("users"), parts[0], other)
			requireRefused(t, w.get("/users/me", token), token)
			requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed)
		}
	}
	for _, other := range equivalentBase64(t, parts[0]) {
		token := mint.signSegments(mint.key("users"), other, parts[1])
		requireRefused(t, w.get("/users/me", token), token)
	}
}

// base64.DecodeString skips CR and LF, even in strict mode. Here the signature covers
// them, so no other check refuses the token.
func TestLineBreakInSignedPayloadIsRefused(t *testing.T) {
	w, good := newSignedInWorld(t)
	mint, parts := outsider{testSecret}, strings.Split(good.Access, ".")
	for _, lineBreak := range []string{"\n", "\r", "\r\n", "\n\n\n\n"} {
		for _, payload := range []string{lineBreak + parts[1], parts[1][:8] + lineBreak + parts[1][8:], parts[1] + lineBreak} {
			token := mint.signSegments(mint.key("users"), parts[0], payload)
			requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed)
			if !strings.Contains(token, "\n") {
				requireBadByteRefused(t, raw(t, w.app, getWith("/users/me", token))[0], token)
			}
		}
	}
}

// equivalentBase64 returns the other texts that a lenient decoder decodes to the same
// bytes.
func equivalentBase64(t *testing.T, segment string) (others []string) {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	want, err := base64.RawURLEncoding.DecodeString(segment)
	require.NoError(t, err)
	for _, last := range alphabet {
		other := segment[:len(segment)-1] + string(last)
		got, err := base64.RawURLEncoding.DecodeString(other)
		if err == nil && bytes.Equal(got, want) && other != segment {
			others = append(others, other)
		}
	}
	return others
}

func TestSignatureByAnotherKeyIsRefused(t *testing.T) {
	w, good := newSignedInWorld(t)
	mint := outsider{testSecret}
	parts := strings.Split(good.Access, ".")
	text := parts[0] + "." + parts[1]
	for attack, mac := range map[string][]byte{
		"the secret itself":                 digest(sha256.New, []byte(testSecret), text),
		"no key":                            digest(sha256.New, nil, text),
		"another secret":                    digest(sha256.New, outsider{strings.ToLower(testSecret)}.key("users"), text),
		"the key of another kind":           digest(sha256.New, mint.key("teachers"), text),
		"the key for refresh tokens":        digest(sha256.New, mint.derive("fiberjwt/v1/refresh/users", 32), text),
		"the key without a kind":            digest(sha256.New, mint.key(""), text),
		"the label as the key":              digest(sha256.New, []byte("fiberjwt/v1/access/users"), text),
		"a longer hash, cut":                digest(sha512.New, mint.key("users"), text)[:32],
		"a longer hash":                     digest(sha512.New, mint.key("users"), text),
		"the right MAC with a byte more":    append(digest(sha256.New, mint.key("users"), text), 0),
		"the right MAC with a byte less":    digest(sha256.New, mint.key("users"), text)[:31],
		"the right MAC of the payload only": digest(sha256.New, mint.key("users"), parts[1]),
		"the right MAC of the header only":  digest(sha256.New, mint.key("users"), parts[0]),
		"the right MAC of nothing":          digest(sha256.New, mint.key("users"), ""),
		"zeros":                             make([]byte, 32),
	} {
		t.Run(attack, func(t *testing.T) {
			token := text + "." + segment(string(mac))
			requireRefused(t, w.get("/users/me", token), token)
			requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid)
		})
	}
}

func TestKindIsBoundToHeaderKeyAndClaim(t *testing.T) {
	w, user := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann")
	mint := outsider{testSecret}
	payload := claimsOf(t, teacher.Access).String()
	for attack, test := range map[string]struct {
		token  string
		jwtErr error
	}{
		"a teachers token under the header of users": {mint.sign(mint.key("teachers"), mint.header("users"), payload), jwt.ErrTokenSignatureInvalid},
		"a users key under the header of teachers":   {mint.sign(mint.key("users"), mint.header("teachers"), payload), jwt.ErrTokenSignatureInvalid},
		"only the payload is of teachers":            {mint.token("users", payload), jwt.ErrTokenInvalidClaims},
		"only the payload is of users":               {mint.token("teachers", claimsOf(t, user.Access).String()), jwt.ErrTokenInvalidClaims},
	} {
		t.Run(attack, func(t *testing.T) {
			for _, path := range []string{"/users/me", "/teachers/me", "/any"} {
				requireRefused(t, w.get(path, test.token), test.token)
			}
			_, err := w.auth.Verify(t.Context(), test.token)
			require.ErrorIs(t, err, test.jwtErr)
		})
	}
	// Header, key and claim name users, but the session belongs to the teacher with the
	// same id.
	token := mint.token("users", claimsOf(t, user.Access).set("sid", claimsOf(t, teacher.Access).value("sid")).String())
	requireRefused(t, w.get("/users/me", token), token)
	requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenRevoked, nil)
}

func TestPayloadIsNotReadBeforeSignatureIsVerified(t *testing.T) {
	w, good := newSignedInWorld(t)
	forge := func(payload string) string {
		parts := strings.Split(good.Access, ".")
		return parts[0] + "." + segment(payload) + "." + parts[2]
	}
	for _, test := range slices.Concat(hostileText, hostileTimes) {
		token := forge(test.payload(claimsOf(t, good.Access)))
		requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid)
	}
}

func TestForeignTokenAllocatesNoMemory(t *testing.T) {
	w, good := newSignedInWorld(t)
	parts := strings.Split(good.Access, ".")
	for attack, token := range map[string]string{
		"too long":             good.Access + strings.Repeat("A", token.MaxBytes),
		"a megabyte":           strings.Repeat("A", 1<<20),
		"a character too many": good.Access + "!",
		"too many dots":        strings.Repeat(".", 3000),
		"a foreign header":     segment(`{"alg":"RS256","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"a short signature":    parts[0] + "." + parts[1] + ".AAAA",
	} {
		cost := testing.AllocsPerRun(50, func() { _, _ = w.auth.Verify(context.Background(), token) })
		require.Zero(t, cost, attack)
	}
	// Without Entities, Verify reads the header to learn the kind, but not a long header.
	long := segment(`{"alg":"HS256","kid":"`+strings.Repeat("k", 2000)+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2]
	verifier := newVerifier(t).auth
	require.Zero(t, testing.AllocsPerRun(50, func() { _, _ = verifier.Verify(context.Background(), long) }))
}

func TestTokenSizeLimitIsExact(t *testing.T) {
	w := newVerifier(t)
	most, over := sizedToken(t, token.MaxBytes), sizedToken(t, token.MaxBytes+1)
	require.Equal(t, 200, w.get("/any", most).Status)
	requireRefused(t, w.get("/any", over), over)
	requireVerifyError(t, w.auth, over, fiberjwt.ErrTokenMalformed, jwt.ErrTokenMalformed)
}

// sizedToken returns a valid token of exactly size bytes. A longer payload alone does
// not reach every size, so the kind grows, too.
func sizedToken(t *testing.T, size int) string {
	t.Helper()
	mint := outsider{testSecret}
	for kind := "k"; len(kind) < 9; kind += "k" {
		short := len(mint.token(kind, plainClaims(kind, "1").add("x", `""`).String()))
		for n := (size-short)*3/4 - 2; n < size; n++ {
			token := mint.token(kind, plainClaims(kind, "1").add("x", `"`+strings.Repeat("x", n)+`"`).String())
			if len(token) == size {
				return token
			}
			if len(token) > size {
				break
			}
		}
	}
	require.Fail(t, "no token of this size", "%d", size)
	return ""
}

func TestLeewayIsExact(t *testing.T) {
	w, good := newSignedInWorld(t)
	w.clock.Advance(10*time.Minute + 4*time.Second + 999*time.Millisecond)
	require.Equal(t, 200, w.get("/users/me", good.Access).Status)
	w.clock.Advance(time.Millisecond)
	requireRefused(t, w.get("/users/me", good.Access), good.Access)
	requireVerifyError(t, w.auth, good.Access, fiberjwt.ErrTokenExpired, jwt.ErrTokenExpired)

	// The clock of this machine is behind that of the issuer.
	w.clock.Advance(-10*time.Minute - 5*time.Second - time.Minute)
	require.Equal(t, 200, w.get("/users/me", good.Access).Status)
	w.clock.Advance(-time.Second)
	requireRefused(t, w.get("/users/me", good.Access), good.Access)
	requireVerifyError(t, w.auth, good.Access, fiberjwt.ErrTokenClaims, jwt.ErrTokenUsedBeforeIssued)
}

func TestLeewayIsConfigurable(t *testing.T) {
	w, good := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Leeway = time.Minute })
	w.clock.Advance(10*time.Minute + 59*time.Second)
	require.Equal(t, 200, w.get("/users/me", good.Access).Status)
	w.clock.Advance(time.Second)
	requireVerifyError(t, w.auth, good.Access, fiberjwt.ErrTokenExpired, jwt.ErrTokenExpired)
}

func TestFarOffClockRefusesTokensWithoutOverflow(t *testing.T) {
	w, good := newSignedInWorld(t)
	for _, years := range []int{-2026, -57, 12, 7973, 200_000} {
		now := w.clock.Now()
		w.clock.Advance(now.AddDate(years, 0, 0).Sub(now)) // saturates at 292 years
		requireRefused(t, w.get("/users/me", good.Access), good.Access)
		w.clock.Advance(now.Sub(w.clock.Now()))
	}
	require.Equal(t, 200, w.get("/users/me", good.Access).Status)
}

func TestIssuerAndAudienceComeFromConfig(t *testing.T) {
	w, good := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Issuer, cfg.Audience = "https://id.example.com", []string{"shop"} })
	claims := claimsOf(t, good.Access)
	require.Equal(t, `"https://id.example.com"`, claims.value("iss"))
	require.Equal(t, `"shop"`, claims.value("aud"))
	mint := outsider{testSecret}
	require.Equal(t, 200, w.get("/users/me", mint.token("users", claims.set("aud", `["mail","shop"]`).String())).Status)
	requireVerifyError(t, w.auth, mint.token("users", claims.set("aud", `"https://id.example.com"`).String()), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidAudience)
	requireVerifyError(t, w.auth, mint.token("users", claims.set("iss", `"fiberjwt"`).String()), fiberjwt.ErrTokenClaims, jwt.ErrTokenInvalidIssuer)
}

func TestTokenAndSessionIDsAre128RandomBits(t *testing.T) {
	w, _ := newSignedInWorld(t)
	seen := map[string]bool{}
	for range 50 {
		claims := claimsOf(t, w.signIn("users", "ann@example.com").Access)
		for _, name := range []string{"jti", "sid"} {
			id, err := base64.RawURLEncoding.DecodeString(strings.Trim(claims.value(name), `"`))
			require.NoError(t, err)
			require.Len(t, id, 16, name)
			require.NotContains(t, seen, string(id), "%s came twice", name)
			seen[string(id)] = true
		}
	}
}

func TestRevocationIsBySessionNotByToken(t *testing.T) {
	w, first := newSignedInWorld(t)
	second := w.tokensOf(w.refresh("users", first.Refresh))
	require.NotEqual(t, first.Access, second.Access)
	minted := outsider{testSecret}.token("users", claimsOf(t, first.Access).set("jti", `"outside"`).String())
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+first.Access).Status)
	for _, token := range []string{first.Access, second.Access, minted} {
		requireRefused(t, w.get("/users/me", token), token)
		requireVerifyError(t, w.auth, token, fiberjwt.ErrTokenRevoked, nil)
	}
}

func TestPanickingAllowHookGets500(t *testing.T) {
	panics := false
	w, good := newSignedInWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(context.Context, *User) error {
			if panics {
				panic("panic in Allow")
			}
			return nil
		}}
	})
	panics = true
	a := w.get("/any", good.Access)
	require.Equal(t, 500, a.Status)
	require.Equal(t, "server_error", a.Code(t))
	require.NotContains(t, a.Body, "panic")
	require.Contains(t, w.log.String(), "panic in Allow")
	panics = false
	require.Equal(t, "users:1", w.get("/any", good.Access).Body)
}

// A nil *Error that a hook returns as an error is not nil. This frequent mistake must
// not end the process.
func TestTypedNilErrorFromAllowRefuses(t *testing.T) {
	var forgotten *fiberjwt.Error
	hook := func(context.Context, *User) error { return nil }
	w, good := newSignedInWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(ctx context.Context, u *User) error { return hook(ctx, u) }}
	})
	hook = func(context.Context, *User) error { return forgotten }
	require.NotPanics(t, func() {
		a := raw(t, w.app, getWith("/any", good.Access))
		require.Len(t, a, 1)
		require.Contains(t, []int{401, 500}, a[0].Status)
	})
}

// claimingWorld has users whose tokens carry claims of the application.
func claimingWorld(t *testing.T, claims map[string]any) *world {
	t.Helper()
	w := newWorld(t, openSignIn, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			Claims:   func(*User) map[string]any { return claims },
		}
	})
	w.routeSignIn()
	return w
}

func TestSessionClaimReturnsApplicationClaims(t *testing.T) {
	type plan struct {
		Name  string
		Seats int
	}
	w := claimingWorld(t, map[string]any{"plan": plan{"team", 7}, "scope": "read write", "n": 1 << 53, "none": nil})
	token := w.signIn("users", "ann@example.com").Access
	s, err := w.auth.Verify(t.Context(), token)
	require.NoError(t, err)

	var got plan
	require.True(t, s.Claim("plan", &got))
	require.Equal(t, plan{"team", 7}, got)
	var scope string
	require.True(t, s.Claim("scope", &scope))
	require.Equal(t, "read write", scope)
	var n int64
	require.True(t, s.Claim("n", &n))
	require.EqualValues(t, 1<<53, n)

	require.False(t, s.Claim("SCOPE", &scope), "claim names must be case-sensitive")
	require.False(t, s.Claim("nothing", &scope))
	require.False(t, s.Claim("plan", &n))
	require.False(t, s.Claim("scope", nil))
	require.Equal(t, "read write", scope)
	require.EqualValues(t, 1<<53, n)
}

func TestMismatchedClaimLeavesTargetUnchanged(t *testing.T) {
	w := claimingWorld(t, map[string]any{"plan": json.RawMessage(`{"Seats":7,"Name":5}`)})
	s, err := w.auth.Verify(t.Context(), w.signIn("users", "ann@example.com").Access)
	require.NoError(t, err)
	target := struct {
		Seats int
		Name  string
	}{1, "single"}
	require.False(t, s.Claim("plan", &target))
	require.Equal(t, 1, target.Seats, "a claim that does not fit must not change the target")
}

func TestReservedClaimsAreRefusedAtIssue(t *testing.T) {
	for _, name := range []string{"iss", "aud", "sub", "kind", "sid", "jti", "iat", "exp", "nbf", "auth_time", "cnf", "act", "typ"} {
		t.Run(name, func(t *testing.T) {
			w := claimingWorld(t, map[string]any{name: "2"})
			a := w.do("POST", "/sign-in/users/ann@example.com", "")
			require.Equal(t, 500, a.Status, a.Body)
			require.NotContains(t, a.Body, "_token")
			require.Zero(t, w.count("fiberjwt_sessions"))
		})
	}
	w := claimingWorld(t, map[string]any{"sub": "2"})
	a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	require.Equal(t, 500, a.Status, a.Body)
	require.Equal(t, "server_error", a.Code(t))
	require.NotContains(t, a.Body, "sub")
	require.Contains(t, w.log.String(), `reserved claim`)
	require.Contains(t, w.log.String(), `sub`)
	require.Zero(t, w.count("users"), "a failed registration must not leave an account")
	require.Zero(t, w.count("fiberjwt_sessions"))
}

func TestUnreadableClaimsAreRefusedAtIssue(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"too large":               {"x": strings.Repeat("x", 4000)},
		"not JSON":                {"x": func() {}},
		"nested too deep":         {"x": json.RawMessage(nestedArrays(16))},
		"a duplicate inside":      {"x": json.RawMessage(`{"y":1,"y":2}`)},
		"a lone surrogate":        {"x": json.RawMessage(`"\ud800"`)},
		"names that become equal": {"x\xff": 1, "x\xfe": 2},
		"too many":                manyClaims(200),
	} {
		t.Run(name, func(t *testing.T) {
			w := claimingWorld(t, claims)
			a := w.do("POST", "/sign-in/users/ann@example.com", "")
			require.Equal(t, 500, a.Status, "a token that Verify would refuse must not be issued")
			require.Zero(t, w.count("fiberjwt_sessions"))
		})
	}
}

func manyClaims(n int) map[string]any {
	claims := map[string]any{}
	for i := range n {
		claims[fmt.Sprintf("c%d", i)] = 1
	}
	return claims
}

func TestPanickingClaimsHookStoresNoSession(t *testing.T) {
	w := newWorld(t, openSignIn, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Claims: func(*User) map[string]any { panic("panic in Claims") }}
	})
	w.routeSignIn()
	require.Equal(t, 500, w.do("POST", "/sign-in/users/ann@example.com", "").Status)
	require.Zero(t, w.count("fiberjwt_sessions"))
}

// newVerifier is a world that only verifies, without a database.
func newVerifier(t testing.TB, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	w := &world{clock: &clock{now: time.Unix(noon, 0).UTC()}, log: &bytes.Buffer{}}
	w.t, _ = t.(*testing.T)
	w.app = fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	cfg := fiberjwt.Config{Secret: []byte(testSecret), Now: w.clock.Now, Logger: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, change := range configure {
		change(&cfg)
	}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	w.auth = auth
	w.app.Use(auth.Handler())
	w.app.All("/any", func(c fiber.Ctx) error {
		s, ok := fiberjwt.SessionOf(c)
		if !ok {
			return c.SendString("anonymous")
		}
		return c.SendString(s.Kind + ":" + s.Subject)
	})
	return w
}

// plainClaims returns the claims of the documented profile.
func plainClaims(kind, subject string) claimSet {
	return claimSet{}.add("iss", `"fiberjwt"`).add("aud", `"fiberjwt"`).add("sub", `"`+subject+`"`).add("kind", `"`+kind+`"`).
		add("sid", `"AAAAAAAAAAAAAAAAAAAAAA"`).add("jti", `"1"`).add("iat", fmt.Sprint(noon)).add("exp", fmt.Sprint(noon+600)).
		add("auth_time", fmt.Sprint(noon))
}

func TestVerifyOnlyAuthAcceptsAnyKind(t *testing.T) {
	w := newVerifier(t)
	w.app.Get("/robots", fiberjwt.Require("robots"), func(c fiber.Ctx) error { return c.SendString("robots") })
	mint := outsider{testSecret}
	for _, kind := range []string{"users", "robots", "a", "a-b_c9", strings.Repeat("k", 32)} {
		token := mint.token(kind, plainClaims(kind, "x-7").set("sid", `"any text"`).String())
		require.Equal(t, kind+":x-7", w.get("/any", token).Body, "the first token of a kind")
		require.Equal(t, kind+":x-7", w.get("/any", token).Body, "the second token of a kind")
	}
	s, err := w.auth.Verify(t.Context(), mint.token("robots", plainClaims("robots", "7").add("arm", `"left"`).String()))
	require.NoError(t, err)
	require.Nil(t, s.Account)
	require.Empty(t, s.Source)
	require.EqualValues(t, noon, s.IssuedAt.Unix())
	require.EqualValues(t, noon+600, s.ExpiresAt.Unix())
	require.EqualValues(t, noon, s.AuthTime.Unix())
	var arm string
	require.True(t, s.Claim("arm", &arm))
	require.Equal(t, "left", arm)

	require.Equal(t, "robots", w.get("/robots", mint.token("robots", plainClaims("robots", "7").String())).Body)
	a := w.get("/robots", mint.token("users", plainClaims("users", "7").String()))
	require.Equal(t, 403, a.Status)
	require.Equal(t, "wrong_kind", a.Code(t))
}

func TestVerifyOnlyAuthRefusesInvalidKindNames(t *testing.T) {
	w := newVerifier(t)
	mint := outsider{testSecret}
	for _, kind := range []string{"", "Users", "1users", "us ers", "us.ers", "us/ers", "üsers", `us\u0065rs`, strings.Repeat("k", 33), strings.Repeat("k", 300)} {
		token := mint.token(kind, plainClaims(kind, "7").String())
		requireRefused(t, w.get("/any", token), token)
	}
}

func TestVerifyOnlyAuthRefusesHostileTokens(t *testing.T) {
	w := newVerifier(t)
	mint := outsider{testSecret}
	good := plainClaims("users", "1")
	for _, test := range hostileHeaders {
		if test.attack == "kid of a kind that is not declared" {
			continue // a verifier without Entities accepts every kind
		}
		token := mint.sign(mint.key("users"), test.header(mint.header("users")), good.String())
		requireRefused(t, w.get("/any", token), token)
	}
	for _, test := range slices.Concat(hostileTimes, hostileText) {
		token := mint.token("users", test.payload(good))
		requireRefused(t, w.get("/any", token), token)
		requireVerifyError(t, w.auth, token, test.want, test.jwtErr)
	}
	require.Equal(t, "users:1", w.get("/any", mint.token("users", good.String())).Body)
}

func TestForgedKindsFillLimitedMemory(t *testing.T) {
	w := newVerifier(t)
	mint := outsider{testSecret}
	for i := range 1000 {
		kind := fmt.Sprintf("k%d", i)
		token := mint.sign([]byte("guess"), mint.header(kind), plainClaims(kind, "1").String())
		_, err := w.auth.Verify(t.Context(), token)
		require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
	}
	require.Equal(t, 256, storedKeys(w.auth))
	for range 3 {
		require.Equal(t, "robots:1", w.get("/any", mint.token("robots", plainClaims("robots", "1").String())).Body)
	}
	require.Equal(t, 257, storedKeys(w.auth))
}

func TestIssuedTokenCanAlwaysBeVerified(t *testing.T) {
	var claims map[string]any
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Claims: func(*User) map[string]any { return claims }}
	})
	w.addUser("ann@example.com")
	try := func(description string) (issued bool) {
		before := w.count("fiberjwt_sessions")
		a := w.do("POST", "/door/users/1", "")
		if a.Status == 200 {
			a = w.get("/users/me", w.tokensOf(a).Access)
			require.Equal(t, 200, a.Status, "%s: the issued token was refused: %s", description, a.Body)
			return true
		}
		require.Equal(t, 500, a.Status, "%s: %s", description, a.Body)
		require.Equal(t, before, w.count("fiberjwt_sessions"), "%s: a failed login must not leave a session", description)
		return false
	}
	// The claims grow until a token is refused, at the latest at 300.
	for name, grow := range map[string]func(n int) map[string]any{
		"names": func(n int) map[string]any {
			many := map[string]any{}
			for i := range n {
				many[fmt.Sprint("c", i)] = 1
			}
			return many
		},
		"names further in": func(n int) map[string]any {
			many := map[string]any{}
			for i := range n {
				many[fmt.Sprint("c", i)] = 1
			}
			return map[string]any{"all": many}
		},
		"depth": func(n int) map[string]any {
			var deep any = 1
			for range n {
				deep = []any{deep}
			}
			return map[string]any{"deep": deep}
		},
		"length": func(n int) map[string]any { return map[string]any{"long": strings.Repeat("x", 40*n)} },
	} {
		n := 0
		for ; n <= 300; n++ {
			claims = grow(n)
			if !try(fmt.Sprint(n, " of ", name)) {
				break
			}
		}
		require.Positive(t, n, name)
		require.LessOrEqual(t, n, 300, "the number of %s must have a limit", name)
	}
	require.Contains(t, w.log.String(), "Entity.Claims")
}

func TestVerifyChecksLikeMiddleware(t *testing.T) {
	refuse := false
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(context.Context, *User) error {
			if refuse {
				return errors.New("marker")
			}
			return nil
		}}
	})
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	s, err := w.auth.Verify(t.Context(), pair.Access)
	require.NoError(t, err)
	require.Equal(t, "ann@example.com", s.Account.(*User).Email)
	require.Empty(t, s.Source)
	require.Equal(t, w.clock.Now(), s.AuthTime.UTC())
	require.Equal(t, w.clock.Now().Add(10*time.Minute), s.ExpiresAt.UTC())

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	refused := func(ctx context.Context, token string, want error) {
		t.Helper()
		s, err := w.auth.Verify(ctx, token)
		require.ErrorIs(t, err, want)
		require.Nil(t, s, "a caller that ignores the error must not get a session")
	}
	refused(t.Context(), "", fiberjwt.ErrTokenMalformed)
	refused(t.Context(), pair.Access+"x", fiberjwt.ErrTokenMalformed)
	refused(t.Context(), pair.Refresh, fiberjwt.ErrTokenMalformed)
	refused(cancelled, pair.Access, fiberjwt.ErrUnavailable)
	f.set(errors.New("marker"), false, "")
	refused(t.Context(), pair.Access, fiberjwt.ErrUnavailable)
	f.over()
	refuse = true
	refused(t.Context(), pair.Access, fiberjwt.ErrTokenRevoked)
	requireRefused(t, w.get("/users/me", pair.Access), pair.Access)
	refuse = false
	w.clock.Advance(11 * time.Minute)
	refused(t.Context(), pair.Access, fiberjwt.ErrTokenExpired)
	w.clock.Advance(-11 * time.Minute)
	require.NoError(t, w.auth.Revoke(t.Context(), s.ID))
	refused(t.Context(), pair.Access, fiberjwt.ErrTokenRevoked)
}
