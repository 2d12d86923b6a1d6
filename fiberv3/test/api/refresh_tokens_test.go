// Code generated from ../../../test/api/refresh_tokens_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

func requireSessionEnded(t *testing.T, a answer) {
	t.Helper()
	require.Equal(t, 401, a.Status, a.Body)
	require.Equal(t, "session_ended", a.Code(t))
	require.Equal(t, []string{"Bearer"}, a.Header["Www-Authenticate"])
	require.Empty(t, a.Header.Get("Set-Cookie"), "a refused refresh must not change cookies")
}

func TestAccessAndRefreshTokensAreNotInterchangeable(t *testing.T) {
	w, signedIn := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann")
	requireSessionEnded(t, w.refresh("users", signedIn.Access))
	requireSessionEnded(t, w.refresh("users", "fjr_"+signedIn.Access))
	requireRefused(t, w.get("/users/me", signedIn.Refresh), signedIn.Refresh)
	requireRefused(t, w.get("/users/me", strings.TrimPrefix(signedIn.Refresh, "fjr_")), signedIn.Refresh)
	requireSessionEnded(t, w.refresh("users", teacher.Refresh))
	requireSessionEnded(t, w.refresh("teachers", signedIn.Refresh))

	// The same tokens in cookies.
	a := w.do("GET", "/users/me", "", "Cookie", "__Host-Http-users="+signedIn.Refresh)
	requireRefused(t, a, signedIn.Refresh)
	requireSessionEnded(t, w.do("POST", "/auth/users/refresh", "", "Cookie", userCookie+"="+signedIn.Access+"; "+refreshCookie+"="+signedIn.Access))
	requireSessionEnded(t, w.do("POST", "/auth/teachers/refresh", "", "Cookie", teacherCookie+"="+teacher.Access+"; __Secure-teachers-refresh="+signedIn.Refresh))

	w.clock.Advance(6 * time.Minute)
	require.Equal(t, 200, w.refresh("users", signedIn.Refresh).Status, "a token in the wrong place must not end the session")
	require.Equal(t, 200, w.refresh("teachers", teacher.Refresh).Status, "a token in the wrong place must not end the session")
}

func TestRefreshIgnoresTokenInHeaderQueryOrAccessCookie(t *testing.T) {
	w, signedIn := newSignedInWorld(t)
	for name, a := range map[string]answer{
		"header": w.do("POST", "/auth/users/refresh", "", "Authorization", "Bearer "+signedIn.Refresh),
		"query":  w.do("POST", "/auth/users/refresh?refresh_token="+signedIn.Refresh, ""),
		"access": w.do("POST", "/auth/users/refresh", "", "Cookie", "__Host-Http-users="+signedIn.Refresh),
	} {
		require.Equal(t, 401, a.Status, name)
		require.Equal(t, "no_token", a.Code(t), name)
	}
}

// queryCounter counts the queries of a database.
type queryCounter struct{ n atomic.Int64 }

func (q *queryCounter) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	q.n.Add(1)
	return ctx
}

func (*queryCounter) AfterQuery(context.Context, *bun.QueryEvent) {}

func countQueries(q *queryCounter) func(*fiberjwt.Config) {
	return func(cfg *fiberjwt.Config) { cfg.DB = cfg.DB.WithQueryHook(q) }
}

func TestRefreshTokenWithFlippedBitIsRefusedWithoutQuery(t *testing.T) {
	queries := &queryCounter{}
	w, good := newSignedInWorld(t, countQueries(queries))
	w.clock.Advance(6 * time.Minute)
	queries.n.Store(0)
	for bit := range 8 * len(good.Refresh) {
		token := []byte(good.Refresh)
		token[bit/8] ^= 1 << (bit % 8)
		if token[bit/8] >= 0x80 {
			// The body is not UTF-8, so it is not JSON.
			require.Equal(t, 400, w.refresh("users", string(token)).Status)
			continue
		}
		body, err := json.Marshal(map[string]string{"refresh_token": string(token)})
		require.NoError(t, err)
		a := w.do("POST", "/auth/users/refresh", string(body))
		requireSessionEnded(t, a)
		require.NotContains(t, a.Body, good.Refresh[8:24])
	}
	require.Zero(t, queries.n.Load(), "a forged token must not cause a query")
	require.Equal(t, 200, w.refresh("users", good.Refresh).Status)
	require.NotZero(t, queries.n.Load())
}

func TestMalformedRefreshTokensAreRefused(t *testing.T) {
	queries := &queryCounter{}
	w, good := newSignedInWorld(t, countQueries(queries))
	queries.n.Store(0)
	text := strings.TrimPrefix(good.Refresh, "fjr_")
	bytes44, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	require.Len(t, bytes44, 44)
	forms := hostileRefreshTokens(good.Refresh)
	for i, other := range equivalentBase64(t, text) {
		forms[fmt.Sprint("another last character ", i)] = "fjr_" + other
	}
	for attack, token := range forms {
		t.Run(attack, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"refresh_token": token})
			require.NoError(t, err)
			requireSessionEnded(t, w.do("POST", "/auth/users/refresh", string(body)))
		})
	}
	require.Zero(t, queries.n.Load(), "a malformed token must not cause a query")
	require.Equal(t, 200, w.refresh("users", good.Refresh).Status)
}

// hostileRefreshTokens returns malformed variants of a valid refresh token.
func hostileRefreshTokens(good string) map[string]string {
	text := strings.TrimPrefix(good, "fjr_")
	return map[string]string{
		"empty":                      "",
		"the prefix only":            "fjr_",
		"no prefix":                  text,
		"another prefix":             "fjt_" + text,
		"the prefix in capitals":     "FJR_" + text,
		"the prefix twice":           "fjr_" + good,
		"a missing character":        good[:len(good)-1],
		"an extra character":         good + "A",
		"padding":                    good + "=",
		"a space before":             " " + good,
		"a space after":              good + " ",
		"a line feed after":          good + "\n",
		"a line feed inside":         "fjr_" + text[:20] + "\n" + text[20:],
		"a line feed as a letter":    "fjr_" + text[:20] + "\n" + text[21:],
		"a line break as the end":    good[:len(good)-2] + "\r\n",
		"a NUL after":                good + "\x00",
		"the standard alphabet":      "fjr_" + strings.NewReplacer("-", "+", "_", "/").Replace(text[:58]) + "+",
		"letters that are not ASCII": "fjr_" + strings.Repeat("é", 30)[:59],
		"zeros":                      "fjr_" + strings.Repeat("A", 59),
		"quotes around":              `"` + good + `"`,
		"8,000 bytes":                "fjr_" + strings.Repeat("A", 8000),
		"SQL":                        "' OR 1=1 --",
	}
}

func TestRefreshTokenOfWrongJSONTypeIsRefused(t *testing.T) {
	w, good := newSignedInWorld(t)
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"an array":       {`{"refresh_token":["` + good.Refresh + `"]}`, 422},
		"a number":       {`{"refresh_token":1}`, 422},
		"null":           {`{"refresh_token":null}`, 422},
		"a duplicate":    {`{"refresh_token":"` + good.Refresh + `","refresh_token":"` + good.Refresh + `"}`, 400},
		"another case":   {`{"Refresh_Token":"` + good.Refresh + `"}`, 401},
		"an outer array": {`[{"refresh_token":"` + good.Refresh + `"}]`, 400},
		"trailing data":  {`{"refresh_token":"` + good.Refresh + `"}{}`, 400},
		"no object":      {`"` + good.Refresh + `"`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("POST", "/auth/users/refresh", test.body)
			require.Equal(t, test.status, a.Status, a.Body)
			require.NotContains(t, a.Body, good.Refresh[8:24])
		})
	}
}

func TestEachKindHasItsOwnRefreshTokenKey(t *testing.T) {
	w, good := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann")
	// The byte that names the kind is not what protects: even with the byte of the
	// other kind, the tag is invalid.
	graft := func(token, kindOf string) string {
		to, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "fjr_"))
		require.NoError(t, err)
		from, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(kindOf, "fjr_"))
		require.NoError(t, err)
		to[2] = from[2]
		return "fjr_" + base64.RawURLEncoding.EncodeToString(to)
	}
	requireSessionEnded(t, w.refresh("teachers", graft(good.Refresh, teacher.Refresh)))
	requireSessionEnded(t, w.refresh("users", graft(teacher.Refresh, good.Refresh)))
	// A tag by the access key of that kind is invalid, too.
	mint := outsider{testSecret}
	bytes44, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(graft(good.Refresh, teacher.Refresh), "fjr_"))
	require.NoError(t, err)
	for _, key := range [][]byte{mint.key("teachers"), mint.key("users"), []byte(testSecret)} {
		forged := append(bytes.Clone(bytes44[:28]), tag(key, bytes44[:28])...)
		requireSessionEnded(t, w.refresh("teachers", "fjr_"+base64.RawURLEncoding.EncodeToString(forged)))
	}
}

// Only this library can make the tag. The test keeps room for a next version.
func TestRefreshTokenOfUnknownVersionIsRefused(t *testing.T) {
	queries := &queryCounter{}
	w, good := newSignedInWorld(t, countQueries(queries))
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(good.Refresh, "fjr_"))
	require.NoError(t, err)
	key := outsider{testSecret}.derive("fiberjwt/v1/refresh/users", 32)
	again := func(change func(head []byte)) string {
		head := bytes.Clone(b[:28])
		change(head)
		return "fjr_" + base64.RawURLEncoding.EncodeToString(append(head, tag(key, head)...))
	}
	require.Equal(t, good.Refresh, again(func([]byte) {}))
	queries.n.Store(0)
	for name, change := range map[string]func(head []byte){
		"version 0":    func(head []byte) { head[0] = 0 },
		"version 2":    func(head []byte) { head[0] = 2 },
		"another key":  func(head []byte) { head[1]++ },
		"another kind": func(head []byte) { head[2]++ },
		"a flag":       func(head []byte) { head[3] = 1 },
	} {
		requireSessionEnded(t, w.refresh("users", again(change)))
		require.Zero(t, queries.n.Load(), name)
	}
	requireSessionEnded(t, w.refresh("users", again(func(head []byte) { head[8]++ }))) // an unknown session
	require.Equal(t, 200, w.refresh("users", good.Refresh).Status)
}

func tag(key, text []byte) []byte { return digest(sha256.New, key, string(text))[:16] }

func TestRefreshTokenHasDocumentedFormat(t *testing.T) {
	w, good := newSignedInWorld(t)
	require.Len(t, good.Refresh, 4+59)
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(good.Refresh, "fjr_"))
	require.NoError(t, err)
	mint := outsider{testSecret}
	require.EqualValues(t, 1, b[0], "version")
	require.Equal(t, mint.derive("fiberjwt/v1/id", 6)[0], b[1], "key")
	require.EqualValues(t, []byte{0, 0, 0, 0, 0}, b[3:8], "flags and generation")
	require.Equal(t, tag(mint.derive("fiberjwt/v1/refresh/users", 32), b[:28]), b[28:], "tag")

	// The table has only a hash of rid, which is not enough to make a token.
	row := map[string]any{}
	require.NoError(t, w.db.NewSelect().Table("fiberjwt_sessions").Scan(t.Context(), &row))
	require.Equal(t, sum(b[8:28])[:16], row["sid"])
	require.NotContains(t, fmt.Sprintf("%x", row), hex.EncodeToString(b[8:28]))
}

func sum(text []byte) []byte {
	hashed := sha256.Sum256(text)
	return hashed[:]
}
