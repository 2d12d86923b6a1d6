// Code generated from ../../../test/api/secrets_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
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
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
)

const otherSecret = "u7Xn2Qe9LwB4sKd0PzR6yMf3HcT8gVa1"

// publicKey encodes a public key in DER and in PEM, as an attacker may have it.
func publicKey(t *testing.T, key any) (der, armored []byte) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// derThatEndsInSpace returns a key in DER that happens to end in white space.
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

	for name, secret := range map[string][]byte{
		"nil":                             nil,
		"empty":                           {},
		"one byte":                        []byte("k"),
		"31 bytes":                        []byte(testSecret[:31]),
		"zeros":                           make([]byte, 32),
		"one repeated byte":               bytes.Repeat([]byte("k"), 64),
		"two repeated bytes":              bytes.Repeat([]byte("ab"), 32),
		"few different bytes":             []byte("aabbaacabbacabacabbacacabbabcacab"),
		"a repeated word":                 bytes.Repeat([]byte("password"), 4),
		"a repeated word, cut":            bytes.Repeat([]byte("password1"), 5)[:40],
		"repeated digits":                 []byte(strings.Repeat("1234567890", 4)),
		"sixteen bytes twice":             []byte(strings.Repeat(testSecret[:16], 2)),
		"the example of jwt.io":           []byte("a-string-secret-at-least-256-bits-long"),
		"the long example of jwt.io":      []byte("a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long"),
		"the example of Supabase":         []byte("super-secret-jwt-token-with-at-least-32-characters-long"),
		"the alphabet":                    []byte("abcdefghijklmnopqrstuvwxyz123456"),
		"an RSA key in DER":               rsaDER,
		"an EC key in DER":                ecDER,
		"an Ed25519 key in DER":           edDER,
		"a private RSA key in DER":        x509.MarshalPKCS1PrivateKey(rsaKey),
		"a key in DER that ends in space": derThatEndsInSpace(t),
		"an RSA key in PEM":               rsaPEM,
		"an EC key in PEM":                ecPEM,
		"a key in PEM behind a comment":   append([]byte("# key of the shop\r\n"), rsaPEM...),
		"a key in PEM without its end":    rsaPEM[:64],
		"an RSA key of SSH":               []byte("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 ann@example.com"),
		"an Ed25519 key of SSH":           []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5 ann@example.com"),
		"an EC key of SSH":                []byte("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY ann@example.com"),
		"a key of SSH on a token":         []byte("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2g"),
		"a key of SSH by RFC 4716":        []byte("---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQABAAABgQC7\n---- END SSH2 PUBLIC KEY ----"),
		"an example with a line feed":     []byte("a-string-secret-at-least-256-bits-long\n"),
		"a repeated placeholder":          []byte(strings.Repeat("change-me-", 4)),
		"one repeated byte and an ending": append(bytes.Repeat([]byte("x"), 40), "abc"...),
	} {
		t.Run(name, func(t *testing.T) {
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

// requireNoSecret requires that text contains the secret in no usual encoding.
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
		// Not %p and %w: for these, fmt prints the bytes without calling Format. go vet
		// reports both.
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

// sameDatabase makes a world share the accounts and sessions of w.
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
	require.Equal(t, outsider{otherSecret}.header("users"), headerOf(t, second.Access), "a new token must be signed by the new secret")
	require.Equal(t, second.Refresh, during.tokensOf(during.refresh("users", first.Refresh)).Refresh, "a concurrent refresh must get the same refresh token")

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

// In a rolling restart, some processes get the new secret before others. The others
// can already verify by it if it is in their OldSecrets.
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
	other := newWorld(t, openSignIn, sameDatabase(one, otherSecret)) // the same rows, the strictest case
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
