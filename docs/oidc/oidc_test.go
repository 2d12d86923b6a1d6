package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
)

// world is an application and a provider that answers any code with an ID token.
type world struct {
	t      *testing.T
	app    *fiber.App
	db     *bun.DB
	claims map[string]any // of the next ID token
	key    *ecdsa.PrivateKey
	asked  url.Values // the request that exchanged the code
}

func newWorld(t *testing.T) *world {
	t.Helper()
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=busy_timeout(5000)&_txlock=immediate")
	require.NoError(t, err)
	w := &world{t: t, app: fiber.New(), db: bun.NewDB(conn, sqlitedialect.New())}
	t.Cleanup(func() { _ = w.db.Close() })
	_, err = w.db.NewCreateTable().Model((*User)(nil)).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, fiberjwt.Migrate(t.Context(), w.db))

	w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	provider := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: w.key.Public(), KeyID: "one", Algorithm: oidc.ES256}}, Algorithms: []string{oidc.ES256}}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if in.URL.Path != "/token" {
			provider.ServeHTTP(out, in)
			return
		}
		_ = in.ParseForm()
		w.asked = in.PostForm
		claims, _ := json.Marshal(w.claims)
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(map[string]any{
			"access_token": "theirs", "token_type": "Bearer", "expires_in": 60,
			"id_token": oidctest.SignIDToken(w.key, "one", oidc.ES256, string(claims)),
		})
	}))
	t.Cleanup(server.Close)
	provider.SetIssuer(server.URL)

	s, err := newSignIn(context.Background(), w.db, server.URL, "shop", "a secret of the client", "https://shop.example/oidc/finish")
	require.NoError(t, err)
	s.routes(w.app, []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"))
	w.claims = map[string]any{"iss": server.URL, "aud": "shop", "sub": "42", "email": "ann@example.com", "email_verified": true, "exp": time.Now().Add(time.Hour).Unix()}
	return w
}

func (w *world) get(path string, cookies ...*http.Cookie) *http.Response {
	w.t.Helper()
	request := httptest.NewRequest("GET", path, nil)
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	response, err := w.app.Test(request, -1)
	require.NoError(w.t, err)
	require.NoError(w.t, response.Body.Close())
	return response
}

// walk goes through the flow. tamper may change the query of the redirect back, and the
// claims.
func (w *world) walk(tamper func(back url.Values, claims map[string]any)) *http.Response {
	w.t.Helper()
	started := w.get("/oidc/start")
	require.Equal(w.t, 302, started.StatusCode)
	address, err := url.Parse(started.Header.Get("Location"))
	require.NoError(w.t, err)
	require.Equal(w.t, "S256", address.Query().Get("code_challenge_method"))

	w.claims = maps.Clone(w.claims)
	w.claims["nonce"] = address.Query().Get("nonce")
	back := url.Values{"code": {"a code"}, "state": {address.Query().Get("state")}}
	tamper(back, w.claims)
	return w.get("/oidc/finish?"+back.Encode(), started.Cookies()...)
}

func honest(url.Values, map[string]any) {}

func TestProviderAccountSignsIn(t *testing.T) {
	w := newWorld(t)
	for range 2 { // the second sign-in must find the same account
		finished := w.walk(honest)
		require.Equal(t, 302, finished.StatusCode)
		me := w.get("/auth/users/me", finished.Cookies()...)
		require.Equal(t, 200, me.StatusCode)
	}
	require.NotEmpty(t, w.asked.Get("code_verifier"))
	n, err := w.db.NewSelect().Model((*User)(nil)).Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func TestTamperedOIDCFlowIsRejected(t *testing.T) {
	for name, tamper := range map[string]func(url.Values, map[string]any){
		"a state of another browser":      func(back url.Values, _ map[string]any) { back.Set("state", "another") },
		"no state":                        func(back url.Values, _ map[string]any) { back.Del("state") },
		"the ID token of another flow":    func(_ url.Values, claims map[string]any) { claims["nonce"] = "another" },
		"the ID token for another client": func(_ url.Values, claims map[string]any) { claims["aud"] = "another" },
		"another issuer":                  func(_ url.Values, claims map[string]any) { claims["iss"] = "https://example.com" },
		"an ID token that has expired":    func(_ url.Values, claims map[string]any) { claims["exp"] = time.Now().Add(-time.Hour).Unix() },
		"an address that is not verified": func(_ url.Values, claims map[string]any) { claims["email_verified"] = false },
	} {
		finished := newWorld(t).walk(tamper)
		require.Equal(t, 401, finished.StatusCode, name)
		for _, cookie := range finished.Cookies() {
			require.Empty(t, cookie.Value, name)
		}
	}
}

func TestDocumentShowsThisCode(t *testing.T) {
	document, err := os.ReadFile("../how-to/identity-provider.md")
	require.NoError(t, err)
	code, err := os.ReadFile("oidc.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go ignore\n(.*?)```").FindAllSubmatch(document, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		require.Contains(t, string(code), strings.TrimSpace(string(block[1])))
	}
}
