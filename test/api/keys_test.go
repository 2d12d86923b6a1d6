package api_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

const otherSecret = "u7Xn2Qe9LwB4sKd0PzR6yMf3HcT8gVa1"

// publicKey is one in DER and in PEM, as anybody may have it.
func publicKey(t *testing.T, key any) (der, armored []byte) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// derThatEndsInSpace is a key whose last byte is one of white space by chance.
func derThatEndsInSpace(t *testing.T) []byte {
	t.Helper()
	for {
		key, _, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		if der, _ := publicKey(t, key); der[len(der)-1] == '\n' {
			return der
		}
	}
}

func TestOpenRefusesWeakOrPublicSecrets(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rsaDER, rsaPEM := publicKey(t, &rsaKey.PublicKey)
	ecDER, ecPEM := publicKey(t, &ecKey.PublicKey)
	edDER, _ := publicKey(t, edKey)

	for fault, secret := range map[string][]byte{
		"nil":                              nil,
		"empty":                            {},
		"one byte":                         []byte("k"),
		"31 bytes":                         []byte(testSecret[:31]),
		"zeros":                            make([]byte, 32),
		"one byte over and over":           bytes.Repeat([]byte("k"), 64),
		"two bytes over and over":          bytes.Repeat([]byte("ab"), 32),
		"few different bytes":              []byte("aabbaacabbacabacabbacacabbabcacab"),
		"a word over and over":             bytes.Repeat([]byte("password"), 4),
		"a word over and over, cut":        bytes.Repeat([]byte("password1"), 5)[:40],
		"digits over and over":             []byte(strings.Repeat("1234567890", 4)),
		"sixteen bytes twice":              []byte(strings.Repeat(testSecret[:16], 2)),
		"the example of jwt.io":            []byte("a-string-secret-at-least-256-bits-long"),
		"the long example of jwt.io":       []byte("a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long"),
		"the example of Supabase":          []byte("super-secret-jwt-token-with-at-least-32-characters-long"),
		"the alphabet":                     []byte("abcdefghijklmnopqrstuvwxyz123456"),
		"an RSA key in DER":                rsaDER,
		"an EC key in DER":                 ecDER,
		"an Ed25519 key in DER":            edDER,
		"a private RSA key in DER":         x509.MarshalPKCS1PrivateKey(rsaKey),
		"a key in DER that ends in space":  derThatEndsInSpace(t),
		"an RSA key in PEM":                rsaPEM,
		"an EC key in PEM":                 ecPEM,
		"a key in PEM behind a comment":    append([]byte("# key of the shop\r\n"), rsaPEM...),
		"a key in PEM without its end":     rsaPEM[:64],
		"an RSA key of SSH":                []byte("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 ann@example.com"),
		"an Ed25519 key of SSH":            []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5 ann@example.com"),
		"an EC key of SSH":                 []byte("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY ann@example.com"),
		"a key of SSH on a token":          []byte("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2g"),
		"a key of SSH by RFC 4716":         []byte("---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQABAAABgQC7\n---- END SSH2 PUBLIC KEY ----"),
		"an example with a line end":       []byte("a-string-secret-at-least-256-bits-long\n"),
		"the name of a setting, not set":   []byte(strings.Repeat("change-me-", 4)),
		"the same byte but for the ending": append(bytes.Repeat([]byte("x"), 40), "abc"...),
	} {
		t.Run(fault, func(t *testing.T) {
			_, err := fiberjwt.Open(fiberjwt.Config{Secret: secret})
			require.ErrorContains(t, err, "Config.Secret")
			requireNoSecret(t, err.Error(), secret)
			_, err = fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), OldSecrets: []keys.Secret{[]byte(otherSecret), secret}})
			require.ErrorContains(t, err, "Config.OldSecrets[1]")
			requireNoSecret(t, err.Error(), secret)
			require.Panics(t, func() { fiberjwt.New(fiberjwt.Config{Secret: secret}) })
		})
	}
}

func TestOpenAcceptsRandomSecrets(t *testing.T) {
	random := mathrand.NewChaCha8([32]byte([]byte(testSecret)))
	for range 2000 {
		secret := make([]byte, 32)
		_, _ = random.Read(secret)
		for _, text := range [][]byte{secret, []byte(hex.EncodeToString(secret)), []byte(base64.StdEncoding.EncodeToString(secret))} {
			_, err := fiberjwt.Open(fiberjwt.Config{Secret: text})
			require.NoError(t, err, "%x", text)
		}
	}
}

// One random secret in 65,536 begins like a DER sequence of its own length.
func TestOpenAcceptsRandomSecretThatLooksLikeDER(t *testing.T) {
	_, err := fiberjwt.Open(fiberjwt.Config{Secret: append([]byte{0x30, 0x1e}, testSecret[:30]...)})
	require.NoError(t, err)
}

func TestOpenCopiesSecrets(t *testing.T) {
	secret := []byte(testSecret)
	old := []keys.Secret{[]byte(otherSecret)}
	w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Secret, cfg.OldSecrets = secret, old })
	copy(secret, otherSecret)
	copy(old[0], testSecret)
	old[0] = nil
	for _, mint := range []outsider{{testSecret}, {otherSecret}} {
		require.Equal(t, "users:1", w.get("/any", mint.token("users", plainClaims("users", "1").String())).Body)
	}
}

// requireNoSecret: text shows a secret in no usual spelling.
func requireNoSecret(t *testing.T, text string, secret []byte) {
	t.Helper()
	if len(secret) < 8 {
		return
	}
	piece := secret[:8]
	for _, spelled := range []string{
		string(piece), hex.EncodeToString(piece), strings.ToUpper(hex.EncodeToString(piece)),
		fmt.Sprintf("% x", piece), fmt.Sprint(piece)[1:], fmt.Sprintf("%#v", piece)[len("[]byte{"):],
		base64.StdEncoding.EncodeToString(secret)[:10],
	} {
		require.NotContains(t, text, strings.TrimRight(spelled, "]}"))
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	secret := keys.Secret(testSecret)
	holder := struct {
		Secret keys.Secret
		Old    []keys.Secret
		ByName map[string]keys.Secret
		Any    any
	}{secret, []keys.Secret{secret}, map[string]keys.Secret{"a": secret}, secret}
	config := fiberjwt.Config{Secret: secret, OldSecrets: []keys.Secret{[]byte(otherSecret)}}
	auth, err := fiberjwt.Open(config)
	require.NoError(t, err)

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%T", "%10.3v"} {
		// Not %p and %w, which fmt itself refuses for a slice that is no error
		// (vet says so) and then prints without asking.
		for _, value := range []any{secret, &secret, []any{secret}, holder, &holder, config, &config, *auth, auth} {
			text := fmt.Sprintf(verb, value)
			requireNoSecret(t, text, []byte(testSecret))
			requireNoSecret(t, text, []byte(otherSecret))
		}
	}
	requireNoSecret(t, fmt.Sprint(secret, holder, config), secret)
	requireNoSecret(t, fmt.Sprintln(fmt.Errorf("secret: %v", secret)), secret)

	for _, value := range []any{secret, &secret, holder, map[string]any{"secret": secret}} {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		requireNoSecret(t, string(text), secret)
		require.Contains(t, string(text), "[secret]")
	}
	type settings struct{ Secret keys.Secret }
	text, err := xml.Marshal(settings{secret})
	require.NoError(t, err)
	requireNoSecret(t, string(text), secret)

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("started", "secret", secret, "holder", holder, "config", config, "auth", auth)
	}
	requireNoSecret(t, log.String(), secret)
	requireNoSecret(t, log.String(), []byte(otherSecret))
}

// sameDatabase makes a world of the accounts and sessions of another.
func sameDatabase(w *world, secret string, old ...string) func(*fiberjwt.Config) {
	return func(cfg *fiberjwt.Config) {
		cfg.DB, cfg.Now, cfg.Secret = w.db, w.clock.Now, []byte(secret)
		for _, s := range old {
			cfg.OldSecrets = append(cfg.OldSecrets, []byte(s))
		}
	}
}

func TestSecretRotationKeepsSessions(t *testing.T) {
	before, first := newSignedInWorld(t)
	before.clock.Advance(6 * time.Minute) // old enough to rotate

	during := newWorld(t, sameDatabase(before, otherSecret, testSecret))
	require.Equal(t, 200, during.get("/users/me", first.Access).Status)
	a := during.refresh("users", first.Refresh)
	require.Equal(t, 200, a.Status, a.Body)
	second := during.tokensOf(a)
	require.NotEmpty(t, second.Refresh)
	require.NotEqual(t, first.Refresh, second.Refresh)
	require.Equal(t, outsider{otherSecret}.header("users"), headerOf(t, second.Access), "a new token is signed by the new secret")
	require.Equal(t, second.Refresh, during.tokensOf(during.refresh("users", first.Refresh)).Refresh, "a racing tab gets the same bits")

	after := newWorld(t, sameDatabase(before, otherSecret))
	requireRefused(t, after.get("/users/me", first.Access), first.Access)
	requireSessionEnded(t, after.refresh("users", first.Refresh))
	require.Equal(t, 200, after.get("/users/me", second.Access).Status)
	after.clock.Advance(6 * time.Minute)
	require.Equal(t, 200, after.refresh("users", second.Refresh).Status)
}

func headerOf(t *testing.T, token string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	require.NoError(t, err)
	return string(text)
}

func requireSessionEnded(t *testing.T, a answer) {
	t.Helper()
	require.Equal(t, 401, a.Status, a.Body)
	require.Equal(t, "session_ended", a.Code(t))
	require.Equal(t, []string{"Bearer"}, a.Header["Www-Authenticate"])
	require.Empty(t, a.Header.Get("Set-Cookie"), "a refused refresh touched the cookies")
}

// In a rolling restart some processes have the new secret before others: those
// may know it as one to verify by.
func TestNewSecretCanVerifyBeforeItSigns(t *testing.T) {
	behind, _ := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.OldSecrets = []keys.Secret{[]byte(otherSecret)} })
	ahead := newWorld(t, openSignIn, sameDatabase(behind, otherSecret, testSecret))
	ahead.routeSignIn()
	ahead.db = behind.db
	signedIn := ahead.signIn("users", "ann@example.com")
	require.Equal(t, 200, behind.get("/users/me", signedIn.Access).Status)
	behind.clock.Advance(6 * time.Minute)
	moved := behind.tokensOf(behind.refresh("users", signedIn.Refresh))
	require.Equal(t, 200, ahead.get("/users/me", moved.Access).Status)
	require.Equal(t, 200, ahead.refresh("users", moved.Refresh).Status)
}

func TestTwoApplicationsInOneProcessShareNoTokens(t *testing.T) {
	one, first := newSignedInWorld(t)
	other := newWorld(t, openSignIn, sameDatabase(one, otherSecret)) // even on the same rows
	other.routeSignIn()
	other.db = one.db
	second := other.signIn("users", "ann@example.com")
	for range 2 {
		require.Equal(t, 200, one.get("/users/me", first.Access).Status)
		require.Equal(t, 200, other.get("/users/me", second.Access).Status)
		requireRefused(t, one.get("/users/me", second.Access), second.Access)
		requireRefused(t, other.get("/users/me", first.Access), first.Access)
		requireSessionEnded(t, one.refresh("users", second.Refresh))
		requireSessionEnded(t, other.refresh("users", first.Refresh))
	}
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

	// The same by cookie.
	a := w.do("GET", "/users/me", "", "Cookie", "__Host-Http-users="+signedIn.Refresh)
	requireRefused(t, a, signedIn.Refresh)
	requireSessionEnded(t, w.do("POST", "/auth/users/refresh", "", "Cookie", userCookie+"="+signedIn.Access+"; "+refreshCookie+"="+signedIn.Access))
	requireSessionEnded(t, w.do("POST", "/auth/teachers/refresh", "", "Cookie", teacherCookie+"="+teacher.Access+"; __Secure-teachers-refresh="+signedIn.Refresh))

	w.clock.Advance(6 * time.Minute)
	require.Equal(t, 200, w.refresh("users", signedIn.Refresh).Status, "a misuse ended the session")
	require.Equal(t, 200, w.refresh("teachers", teacher.Refresh).Status, "a misuse ended the session")
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
			// No JSON has it: the body is refused as a whole.
			require.Equal(t, 400, w.refresh("users", string(token)).Status)
			continue
		}
		body, err := json.Marshal(map[string]string{"refresh_token": string(token)})
		require.NoError(t, err)
		a := w.do("POST", "/auth/users/refresh", string(body))
		requireSessionEnded(t, a)
		require.NotContains(t, a.Body, good.Refresh[8:24])
	}
	require.Zero(t, queries.n.Load(), "a forged token reached the database")
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
	for i, other := range respelled(t, text) {
		forms[fmt.Sprint("another last character ", i)] = "fjr_" + other
	}
	for attack, token := range forms {
		t.Run(attack, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"refresh_token": token})
			require.NoError(t, err)
			requireSessionEnded(t, w.do("POST", "/auth/users/refresh", string(body)))
		})
	}
	require.Zero(t, queries.n.Load(), "a malformed token reached the database")
	require.Equal(t, 200, w.refresh("users", good.Refresh).Status)
}

// hostileRefreshTokens are good put into another form.
func hostileRefreshTokens(good string) map[string]string {
	text := strings.TrimPrefix(good, "fjr_")
	return map[string]string{
		"empty":                      "",
		"the prefix only":            "fjr_",
		"no prefix":                  text,
		"another prefix":             "fjt_" + text,
		"the prefix in capitals":     "FJR_" + text,
		"the prefix twice":           "fjr_" + good,
		"a character short":          good[:len(good)-1],
		"a character long":           good + "A",
		"padding":                    good + "=",
		"a space before":             " " + good,
		"a space behind":             good + " ",
		"a line feed behind":         good + "\n",
		"a line feed inside":         "fjr_" + text[:20] + "\n" + text[20:],
		"a line feed for a letter":   "fjr_" + text[:20] + "\n" + text[21:],
		"a line break for the end":   good[:len(good)-2] + "\r\n",
		"a NUL behind":               good + "\x00",
		"the alphabet of plain":      "fjr_" + strings.NewReplacer("-", "+", "_", "/").Replace(text[:58]) + "+",
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
		"array":     {`{"refresh_token":["` + good.Refresh + `"]}`, 422},
		"number":    {`{"refresh_token":1}`, 422},
		"null":      {`{"refresh_token":null}`, 422},
		"twice":     {`{"refresh_token":"` + good.Refresh + `","refresh_token":"` + good.Refresh + `"}`, 400},
		"capitals":  {`{"Refresh_Token":"` + good.Refresh + `"}`, 401},
		"a list":    {`[{"refresh_token":"` + good.Refresh + `"}]`, 400},
		"trailing":  {`{"refresh_token":"` + good.Refresh + `"}{}`, 400},
		"no object": {`"` + good.Refresh + `"`, 400},
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
	// The byte that tells the kinds apart is only a shortcut: with the other
	// kind's byte in place, the tag still does not hold.
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
	// Nor if it is tagged again by the access key of that kind.
	mint := outsider{testSecret}
	bytes44, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(graft(good.Refresh, teacher.Refresh), "fjr_"))
	require.NoError(t, err)
	for _, key := range [][]byte{mint.key("teachers"), mint.key("users"), []byte(testSecret)} {
		forged := append(bytes.Clone(bytes44[:28]), tag(key, bytes44[:28])...)
		requireSessionEnded(t, w.refresh("teachers", "fjr_"+base64.RawURLEncoding.EncodeToString(forged)))
	}
}

// Nothing but ours is tagged by our key, so this is for the next version.
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
	requireSessionEnded(t, w.refresh("users", again(func(head []byte) { head[8]++ }))) // no such session
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

	// The table has a hash of rid, from which no token can be made.
	row := map[string]any{}
	require.NoError(t, w.db.NewSelect().Table("fiberjwt_sessions").Scan(t.Context(), &row))
	require.Equal(t, sum(b[8:28])[:16], row["sid"])
	require.NotContains(t, fmt.Sprintf("%x", row), hex.EncodeToString(b[8:28]))
}

func sum(text []byte) []byte {
	hashed := sha256.Sum256(text)
	return hashed[:]
}
