// Package interop lets other libraries verify fiberjwt's tokens, and fiberjwt theirs,
// with tokens that both must refuse. It also type-checks the browser client with
// TypeScript. It needs Node, npm ci in this folder, and Debian's python3-jwt:
//
//	FIBERJWT_INTEROP=1 go test -v .
package interop

import (
	"bytes"
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64 `bun:",pk,autoincrement"`
	Name          string
}

const (
	issuer = "https://auth.example.com"
	secret = "kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"
	shared = "u7Xn2Qe9LwB4sKd0PzR6yMf3HcT8gVa1"
)

var asymmetric = []keys.Algorithm{
	keys.ES256, keys.ES384, keys.ES512, keys.EdDSA, keys.RS256, keys.RS384, keys.RS512, keys.PS256, keys.PS384, keys.PS512,
}

// peers are the libraries, each with the attacks that it wrongly accepts.
var peers = []struct {
	name    string
	command []string
	lacks   []keys.Algorithm
	takes   []string
}{
	{name: "jose", command: []string{"node", "peers.mjs", "jose"}},
	{name: "jsonwebtoken", command: []string{"node", "peers.mjs", "jsonwebtoken"}, lacks: []keys.Algorithm{keys.EdDSA}, takes: []string{"crit"}},
	{name: "fast-jwt", command: []string{"node", "peers.mjs", "fast-jwt"}},
	{name: "pyjwt", command: []string{"/usr/bin/python3", "peer.py"}, takes: []string{"crit"}},
}

// sample is a token for a peer or from one.
type sample struct {
	Alg    string `json:"alg"`
	Attack string `json:"attack,omitempty"`
	Token  string `json:"token"`
}

// job is the input of a peer.
type job struct {
	JWKSURL  string   `json:"jwks_url"`
	Issuer   string   `json:"issuer"`
	Audience string   `json:"audience"`
	Secret   string   `json:"secret"`
	Shared   string   `json:"shared"`
	Good     []sample `json:"good"`
	Bad      []sample `json:"bad"`
}

// report is the output of a peer.
type report struct {
	Version  string
	Verified []string
	Refused  []string
	Passed   []string
	JWKS     json.RawMessage
	Tokens   []sample
	Hostile  []sample
	Control  string // a valid token, made in the same way as the hostile ones
}

func TestTokensVerifyAcrossLibraries(t *testing.T) {
	needNode(t)
	j := newJob(t)
	for _, peer := range peers {
		t.Run(peer.name, func(t *testing.T) {
			r := run(t, peer.command, j)
			var want []string
			for _, good := range j.Good {
				if !slices.Contains(peer.lacks, keys.Algorithm(good.Alg)) {
					want = append(want, good.Alg)
				}
			}
			require.Equal(t, want, r.Verified)
			require.ElementsMatch(t, peer.takes, r.Passed, "attacks that the peer accepts")
			require.Len(t, r.Refused, len(j.Bad)-len(peer.takes))
			require.Len(t, r.Tokens, len(want))

			auth := trusting(t, peer.name, r.JWKS)
			for _, theirs := range append(r.Tokens, sample{Alg: "control", Token: r.Control}) {
				s, err := auth.Verify(context.Background(), theirs.Token)
				require.NoError(t, err, theirs.Alg)
				require.Equal(t, "peer|1", s.Subject)
			}
			require.Len(t, r.Hostile, 13)
			for _, hostile := range r.Hostile {
				_, err := auth.Verify(context.Background(), hostile.Token)
				require.Error(t, err, hostile.Attack)
			}
			t.Logf("%s %s: verified %s; refused %d of %d hostile tokens, took %q; we verified %d of %d and refused %d of %d",
				peer.name, r.Version, strings.Join(r.Verified, " "), len(r.Refused), len(j.Bad), r.Passed, len(r.Tokens), len(want), len(r.Hostile), len(r.Hostile))
		})
	}
}

func needNode(t *testing.T) {
	t.Helper()
	if os.Getenv("FIBERJWT_INTEROP") == "" {
		t.Skip("set FIBERJWT_INTEROP=1, with Node, npm ci in this folder, and python3-jwt")
	}
}

func run(t *testing.T, command []string, j job) (r report) {
	t.Helper()
	input, err := json.Marshal(j)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(input)
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	output, err := cmd.Output()
	require.NoError(t, err, "%s", wrong.String())
	require.NoError(t, json.Unmarshal(output, &r))
	return r
}

// trusting returns an Auth that only verifies tokens of the peer.
func trusting(t *testing.T, peer string, jwks json.RawMessage) *fiberjwt.Auth {
	t.Helper()
	set, err := keys.ParseSet(jwks)
	require.NoError(t, err)
	key, err := keys.HMAC(keys.HS256, []byte(shared))
	require.NoError(t, err)
	secrets, err := keys.NewSet(key)
	require.NoError(t, err)
	name := "https://" + peer + ".example"
	auth, err := fiberjwt.Open(fiberjwt.Config{TrustedIssuers: []fiberjwt.TrustedIssuer{
		{Name: name, Keys: set, Audience: []string{issuer}, Type: "at+jwt", Kind: "peers"},
		{Name: name + "/shared", Keys: secrets, Audience: []string{issuer}, Type: "at+jwt", Kind: "peers"},
	}})
	require.NoError(t, err)
	return auth
}

// newJob returns a job with tokens of every algorithm, as issued at sign-in.
func newJob(t *testing.T) job {
	t.Helper()
	var all []keys.Key
	for _, algorithm := range asymmetric {
		k, err := keys.Generate(algorithm)
		require.NoError(t, err)
		all = append(all, k)
	}
	set, err := keys.NewSet(all...)
	require.NoError(t, err)
	j := job{JWKSURL: serve(t, set), Issuer: issuer, Audience: issuer, Secret: secret, Shared: shared}

	db := newDB(t)
	for _, k := range all {
		require.NoError(t, set.Promote(k.ID()))
		j.Good = append(j.Good, sample{Alg: string(k.Algorithm()), Token: issue(t, fiberjwt.Config{DB: db, Keys: set})})
	}
	j.Good = append(j.Good, sample{Alg: "HS256", Token: issue(t, fiberjwt.Config{DB: db})})
	j.Bad = hostile(t, all, j.Good[0].Token)
	return j
}

func issue(t *testing.T, cfg fiberjwt.Config) string {
	t.Helper()
	cfg.Secret, cfg.Issuer = []byte(secret), issuer
	cfg.ReadTimeout, cfg.WriteTimeout = time.Minute, time.Minute
	cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Password: "-"}}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	tokens, err := auth.Issue(context.Background(), &User{ID: 1})
	require.NoError(t, err)
	return tokens.AccessToken
}

func newDB(t *testing.T) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=busy_timeout(10000)&_pragma=synchronous(OFF)")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { _ = db.Close() })
	ctx := context.Background()
	_, err = db.NewCreateTable().Model((*User)(nil)).Exec(ctx)
	require.NoError(t, err)
	_, err = db.NewInsert().Model(&User{}).Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, fiberjwt.Migrate(ctx, db))
	return db
}

func serve(t *testing.T, set *keys.Set) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/.well-known/jwks.json", fiberjwt.JWKS(set))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return "http://" + listener.Addr().String() + "/.well-known/jwks.json"
}

// hostile returns tokens for attacks, made from a valid ES256 token.
func hostile(t *testing.T, all []keys.Key, good string) []sample {
	t.Helper()
	key := func(a keys.Algorithm) keys.Key { return all[slices.Index(asymmetric, a)] }
	es, rs := key(keys.ES256), key(keys.RS256)
	other, err := keys.Generate(keys.ES256)
	require.NoError(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(good, ".")[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	head := func(alg, kid, rest string) string { return `{"alg":"` + alg + `","kid":"` + kid + `"` + rest + `}` }
	const typ = `,"typ":"at+jwt"`
	with := func(name string, value any) string {
		changed := map[string]any{}
		for n, v := range claims {
			changed[n] = v
		}
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
		return sign(t, es.Sign, head("ES256", es.ID(), typ), changed)
	}
	der, err := x509.MarshalPKIXPublicKey(rs.Crypto())
	require.NoError(t, err)
	confused := func(text string) ([]byte, error) {
		return jwt.SigningMethodHS256.Sign(text, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	none := func(string) ([]byte, error) { return nil, nil }
	return []sample{
		{"ES256", "none", sign(t, none, head("none", es.ID(), typ), claims)},
		{"RS256", "HS256 with the PEM", sign(t, confused, head("HS256", rs.ID(), typ), claims)},
		{"ES256", "wrong typ", sign(t, es.Sign, head("ES256", es.ID(), `,"typ":"JWT"`), claims)},
		{"ES256", "crit", sign(t, es.Sign, head("ES256", es.ID(), typ+`,"crit":["exp"]`), claims)},
		{"ES256", "wrong curve", sign(t, key(keys.ES384).Sign, head("ES256", key(keys.ES384).ID(), typ), claims)},
		{"ES256", "unknown kid", sign(t, es.Sign, head("ES256", "x", typ), claims)},
		{"ES256", "another key", sign(t, other.Sign, head("ES256", es.ID(), typ), claims)},
		{"ES256", "another algorithm", sign(t, rs.Sign, head("RS256", rs.ID(), typ), claims)},
		{"ES256", "expired", with("exp", time.Now().Unix()-60)},
		{"ES256", "wrong audience", with("aud", "x")},
		{"ES256", "wrong issuer", with("iss", "x")},
	}
}

func sign(t *testing.T, by func(string) ([]byte, error), header string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := by(text)
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
