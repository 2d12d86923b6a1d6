// Code generated from ../../../test/api/signature_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
)

var algorithms = []keys.Algorithm{
	keys.ES256, keys.ES384, keys.ES512, keys.EdDSA, keys.RS256, keys.RS384, keys.RS512, keys.PS256, keys.PS384, keys.PS512,
}

func newKey(t testing.TB, algorithm keys.Algorithm) keys.Key {
	t.Helper()
	k, err := keys.Generate(algorithm)
	require.NoError(t, err)
	return k
}

func newSet(t testing.TB, k ...keys.Key) *keys.Set {
	t.Helper()
	set, err := keys.NewSet(k...)
	require.NoError(t, err)
	return set
}

func withKeys(set keys.Source) func(*fiberjwt.Config) {
	return func(cfg *fiberjwt.Config) { cfg.Keys = set }
}

// signed returns a token with any header and payload, signed by k.
func signed(t testing.TB, k keys.Key, header, payload string) string {
	t.Helper()
	text := segment(header) + "." + segment(payload)
	signature, err := k.Sign(text)
	require.NoError(t, err)
	return text + "." + segment(string(signature))
}

// serveKeys publishes a set on a TCP socket and returns its URL.
func serveKeys(t testing.TB, set *keys.Set) string {
	t.Helper()
	app := fiber.New(fiber.Config{})
	app.Get("/jwks.json", fiberjwt.JWKS(set))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return "http://" + listener.Addr().String() + "/jwks.json"
}

func TestTokensOfEveryAlgorithmAreAccepted(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			k := newKey(t, algorithm)
			w := newWorld(t, withKeys(newSet(t, k)))
			got := w.register("users", "ann@example.com")
			require.Equal(t, `{"alg":"`+string(algorithm)+`","kid":"`+k.ID()+`","typ":"at+jwt"}`, headerOf(t, got.Access))
			require.Equal(t, 200, w.get("/users/me", got.Access).Status)
			require.Equal(t, 403, w.get("/teachers/me", got.Access).Status)
			require.Equal(t, 200, w.refresh("users", got.Refresh).Status)
			requireGolangJWTVerifies(t, k, got.Access)
		})
	}
}

// requireGolangJWTVerifies requires that golang-jwt verifies the token by the
// published JWK.
func requireGolangJWTVerifies(t *testing.T, k keys.Key, token string) {
	t.Helper()
	text, err := json.Marshal(k)
	require.NoError(t, err)
	published, err := keys.ParseJWK(text)
	require.NoError(t, err)
	parsed, err := jwt.Parse(token, func(token *jwt.Token) (any, error) {
		require.Equal(t, published.ID(), token.Header["kid"])
		return published.Crypto(), nil
	}, jwt.WithValidMethods([]string{string(k.Algorithm())}), jwt.WithTimeFunc(func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }))
	require.NoError(t, err)
	require.True(t, parsed.Valid)
}

func TestVerifyOnlyServiceNeedsNoSecret(t *testing.T) {
	set := newSet(t, newKey(t, keys.ES256))
	w := newWorld(t, withKeys(set))
	got := w.register("users", "ann@example.com")
	signer, _ := set.Signer()
	for name, source := range map[string]keys.Source{
		"public key": newSet(t, signer.Public()),
		"JWKS":       keys.FromURL(serveKeys(t, set)),
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := fiberjwt.Open(fiberjwt.Config{Keys: source, Now: w.clock.Now, ReadTimeout: patience})
			require.NoError(t, err)
			s, err := auth.Verify(context.Background(), got.Access)
			require.NoError(t, err)
			require.Equal(t, "users", s.Kind)
			require.Equal(t, "1", s.Subject)
			require.Nil(t, s.Account)
			require.NoError(t, auth.Close())
		})
	}
}

func TestOpenRefusesUnusableKeys(t *testing.T) {
	private := newKey(t, keys.ES256)
	shared, err := keys.HMAC(keys.HS256, []byte(testSecret))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		want   string
		change func(*fiberjwt.Config)
	}{
		"public keys with Entities": {"Config.Keys has only public keys", withKeys(newSet(t, private.Public()))},
		"an address with Entities":  {"Config.Keys only verifies", withKeys(keys.FromURL("https://auth.example.com/jwks.json"))},
		"a shared secret":           {"Config.Keys has a shared secret", withKeys(newSet(t, shared))},
		"a nil set":                 {"Config.Keys is nil", withKeys((*keys.Set)(nil))},
		"an empty set":              {"Config.Keys: the set is empty", withKeys(&keys.Set{})},
		"an address in http":        {"is not https", withKeys(keys.FromURL("http://auth.example.com/jwks.json"))},
		"no address":                {"is not valid", withKeys(keys.FromURL(""))},
		"keys but no secret": {"Config.Secret is empty", func(cfg *fiberjwt.Config) {
			cfg.Keys, cfg.Secret = newSet(t, private), nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := fiberjwt.Config{DB: newDB(t), Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}}
			tc.change(&cfg)
			_, err := fiberjwt.Open(cfg)
			require.ErrorContains(t, err, tc.want)
			problemsOf(t, err)
		})
	}
}

func TestSharedSecretFromKeySourceIsRefused(t *testing.T) {
	at := &clock{now: time.Unix(noon, 0)}
	secret := func(*jwt.Token) (any, error) { return []byte(otherSecret), nil }
	_, err := fiberjwt.Open(fiberjwt.Config{Keys: keys.Func(secret, keys.HS256), Now: at.Now})
	require.ErrorContains(t, err, "Config.Keys gives shared secrets")
	shared, err := keys.HMAC(keys.HS256, []byte(otherSecret))
	require.NoError(t, err)
	own := source(func(context.Context, string) (keys.Key, error) { return shared, nil })
	auth, err := fiberjwt.Open(fiberjwt.Config{Keys: own, Now: at.Now})
	require.NoError(t, err)
	text := segment(`{"alg":"HS256","kid":"x","typ":"at+jwt"}`) + "." + segment(plainClaims("users", "1").String())
	mac, err := jwt.SigningMethodHS256.Sign(text, []byte(otherSecret))
	require.NoError(t, err)
	_, err = auth.Verify(context.Background(), text+"."+segment(string(mac)))
	require.ErrorIs(t, err, fiberjwt.ErrTokenMalformed)
}

// forgeries returns tokens that must be refused although k is trusted.
func forgeries(t *testing.T, k keys.Key, good string) map[string]string {
	header, payload := headerOf(t, good), claimsOf(t, good)
	public, err := json.Marshal(k)
	require.NoError(t, err)
	confused := func(secret []byte) string {
		head := `{"alg":"HS256","kid":"` + k.ID() + `","typ":"at+jwt"}`
		text := segment(head) + "." + segment(payload.String())
		mac, err := jwt.SigningMethodHS256.Sign(text, secret)
		require.NoError(t, err)
		return text + "." + segment(string(mac))
	}
	der, armored := publicKey(t, k.Crypto())
	with := func(members string) string {
		return signed(t, k, `{"alg":"`+string(k.Algorithm())+`","kid":"`+k.ID()+`","typ":"at+jwt"`+members+`}`, payload.String())
	}
	mint := outsider{testSecret}
	return map[string]string{
		"HS256 with the PEM":               confused(armored),
		"HS256 with the DER":               confused(der),
		"HS256 with the JWK":               confused(public),
		"HS256 with the key of the secret": mint.token("users", payload.String()),
		"none":                             segment(`{"alg":"none","kid":"`+k.ID()+`","typ":"at+jwt"}`) + "." + segment(payload.String()) + ".",
		"another algorithm":                signed(t, k, `{"alg":"ES384","kid":"`+k.ID()+`","typ":"at+jwt"}`, payload.String()),
		"another kid":                      signed(t, k, `{"alg":"ES256","kid":"x","typ":"at+jwt"}`, payload.String()),
		"no kid":                           signed(t, k, `{"alg":"ES256","typ":"at+jwt"}`, payload.String()),
		"an empty kid":                     signed(t, k, `{"alg":"ES256","kid":"","typ":"at+jwt"}`, payload.String()),
		"typ JWT":                          signed(t, k, `{"alg":"ES256","kid":"`+k.ID()+`","typ":"JWT"}`, payload.String()),
		"another order":                    signed(t, k, `{"kid":"`+k.ID()+`","alg":"ES256","typ":"at+jwt"}`, payload.String()),
		"spaces":                           signed(t, k, `{"alg": "ES256","kid":"`+k.ID()+`","typ":"at+jwt"}`, payload.String()),
		"crit":                             with(`,"crit":["exp"]`),
		"b64":                              with(`,"b64":false`),
		"jwk":                              with(`,"jwk":` + string(public)),
		"jku":                              with(`,"jku":"http://127.0.0.1/"`),
		"a second alg":                     with(`,"alg":"ES256"`),
		"another key":                      signed(t, newKey(t, keys.ES256), header, payload.String()),
		"no kind":                          signed(t, k, header, payload.drop("kind").String()),
		"a kind that is not declared":      signed(t, k, header, payload.set("kind", `"admins"`).String()),
		"a kind with an invalid name":      signed(t, k, header, payload.set("kind", `"../users"`).String()),
		"another issuer":                   signed(t, k, header, payload.set("iss", `"x"`).String()),
		"another audience":                 signed(t, k, header, payload.set("aud", `"x"`).String()),
		"a second sub":                     signed(t, k, header, payload.add("sub", `"2"`).String()),
	}
}

func TestForgedAsymmetricTokensAreRefused(t *testing.T) {
	k := newKey(t, keys.ES256)
	w := newWorld(t, withKeys(newSet(t, k)))
	got := w.register("users", "ann@example.com")
	require.Equal(t, 200, w.get("/users/me", signed(t, k, headerOf(t, got.Access), claimsOf(t, got.Access).String())).Status)
	for attack, token := range forgeries(t, k, got.Access) {
		t.Run(attack, func(t *testing.T) {
			requireRefused(t, w.get("/users/me", token), token)
			requireRefused(t, w.get("/any", token), token)
		})
	}
}

func TestTokenOfOtherKindIsRefusedDespiteSharedKey(t *testing.T) {
	k := newKey(t, keys.EdDSA)
	w := newWorld(t, withKeys(newSet(t, k)))
	w.register("users", "ann@example.com")
	teacher := w.register("teachers", "ann").Access
	require.Equal(t, 200, w.get("/teachers/me", teacher).Status)
	require.Equal(t, 403, w.get("/users/me", teacher).Status)
	require.Equal(t, 401, w.do("GET", "/users/me", "", "Cookie", "__Host-Http-users="+teacher, "Sec-Fetch-Site", "same-origin").Status)
	// The signature is valid, but the session belongs to a teacher.
	forged := signed(t, k, headerOf(t, teacher), claimsOf(t, teacher).set("kind", `"users"`).String())
	require.Equal(t, 401, w.get("/users/me", forged).Status)
}

func TestRetiredKeyVerifiesUntilItIsRemoved(t *testing.T) {
	for name, ttl := range map[string]time.Duration{"without cache": 0, "with cache": time.Minute} {
		t.Run(name, func(t *testing.T) {
			first, second := newKey(t, keys.ES256), newKey(t, keys.EdDSA)
			set := newSet(t, first)
			w := newWorld(t, withKeys(set), func(cfg *fiberjwt.Config) { cfg.CacheTTL = ttl })
			set.Now = w.clock.Now
			old := w.register("users", "ann@example.com")
			require.NoError(t, set.Add(second))
			require.Contains(t, headerOf(t, w.login("users", "ann@example.com").Access), first.ID(), "an added key must not sign before Promote")
			require.NoError(t, set.Promote(second.ID()))
			fresh := w.login("users", "ann@example.com")
			require.Contains(t, headerOf(t, fresh.Access), second.ID())
			require.Equal(t, 200, w.get("/users/me", old.Access).Status)
			require.NoError(t, set.Remove(first.ID()))
			requireRefused(t, w.get("/users/me", old.Access), old.Access)
			require.Equal(t, 200, w.get("/users/me", fresh.Access).Status)
			require.Equal(t, 200, w.refresh("users", old.Refresh).Status, "the session must survive the removal of the key")
		})
	}
}

func TestTokenOfExpiredRetiredKeyIsRefused(t *testing.T) {
	first, second := newKey(t, keys.ES256), newKey(t, keys.ES256)
	set := newSet(t, first)
	w := newWorld(t, withKeys(set), func(cfg *fiberjwt.Config) { cfg.Leeway = time.Minute })
	set.Now = w.clock.Now
	got := w.register("users", "ann@example.com")
	stolen := func() string {
		at := w.clock.Now().Unix()
		return signed(t, first, headerOf(t, got.Access), claimsOf(t, got.Access).set("iat", number(at)).set("exp", number(at+60)).String())
	}
	require.NoError(t, set.Add(second))
	require.NoError(t, set.Promote(second.ID()))
	w.clock.Advance(24*time.Hour + time.Minute)
	require.Equal(t, 200, w.get("/users/me", stolen()).Status)
	w.clock.Advance(time.Minute)
	require.Equal(t, 401, w.get("/users/me", stolen()).Status)
	require.Len(t, set.All(), 1)
	signer, _ := set.Signer()
	require.Equal(t, second.ID(), signer.ID())
	require.Equal(t, 200, w.get("/users/me", w.login("users", "ann@example.com").Access).Status)
}

func number(n int64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestKeyRotationUnderLoadRefusesNoValidToken(t *testing.T) {
	set := newSet(t, newKey(t, keys.EdDSA))
	w := newWorld(t, withKeys(set))
	ann := w.get("/users/me", w.register("users", "ann@example.com").Access).Body
	handler := w.app.Handler()
	var refused, asked atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		all.Go(func() {
			var account User
			_ = w.db.NewSelect().Model(&account).Scan(context.Background())
			for {
				select {
				case <-stop:
					return
				default:
				}
				tokens, err := w.auth.Issue(context.Background(), &account)
				if err != nil || serve(handler, "/users/me", tokens.AccessToken) != ann {
					refused.Add(1)
				}
				asked.Add(1)
			}
		})
	}
	for n := 0; n < 200 || asked.Load() < 100; n++ {
		next := newKey(t, keys.EdDSA)
		require.NoError(t, set.Add(next))
		require.NoError(t, set.Promote(next.ID()))
	}
	close(stop)
	all.Wait()
	require.Zero(t, refused.Load(), "valid tokens were refused, of %d", asked.Load())
}
