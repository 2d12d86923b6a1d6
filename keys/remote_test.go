package keys_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/elapsed/asleep"
	"github.com/fiberjwt/fiberjwt/keys"
)

// publisher is the server of an issuer. Tests change its answer.
type publisher struct {
	*httptest.Server
	mu      sync.Mutex
	answer  http.HandlerFunc
	fetches atomic.Int64
}

func newPublisher(t testing.TB, answer http.HandlerFunc) *publisher {
	p := &publisher{answer: answer}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) now(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func serving(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

func publishing(t testing.TB, k ...keys.Key) http.HandlerFunc {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": k})
	require.NoError(t, err)
	return serving("application/jwk-set+json", string(text))
}

// remote returns a Remote with a clock that the test moves and a long timeout.
func remote(t testing.TB, p *publisher, algorithms ...keys.Algorithm) (r *keys.Remote, at *atomic.Int64) {
	t.Helper()
	r = keys.FromURL(p.URL, algorithms...)
	require.NoError(t, r.Check())
	keys.SetTimeout(r, time.Minute)
	at = &atomic.Int64{}
	start := time.Now()
	keys.SetNow(r, func() time.Time { return start.Add(time.Duration(at.Load())) })
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r, at
}

func TestRemoteFetchesOnceForManyTokens(t *testing.T) {
	k := generate(t, keys.ES256)
	release := make(chan struct{})
	good := publishing(t, k)
	p := newPublisher(t, func(w http.ResponseWriter, r *http.Request) { <-release; good(w, r) })
	r, _ := remote(t, p)
	require.Zero(t, p.fetches.Load(), "keys were fetched without a token")
	var all sync.WaitGroup
	var found atomic.Int64
	for range 50 {
		all.Go(func() {
			if find(r, k.ID(), keys.ES256) == nil {
				found.Add(1)
			}
		})
	}
	close(release)
	all.Wait()
	require.Equal(t, int64(50), found.Load())
	require.Equal(t, int64(1), p.fetches.Load())
}

func TestUnknownKeysFetchAtMostEveryTenSeconds(t *testing.T) {
	k, next := generate(t, keys.ES256), generate(t, keys.ES256)
	p := newPublisher(t, publishing(t, k))
	r, at := remote(t, p)
	for i := range 1000 {
		require.ErrorIs(t, find(r, fmt.Sprint("forged", i), keys.ES256), keys.ErrNoKey)
	}
	require.Equal(t, int64(1), p.fetches.Load())
	p.now(publishing(t, k, next))
	at.Add(int64(9 * time.Second))
	require.ErrorIs(t, find(r, next.ID(), keys.ES256), keys.ErrNoKey)
	at.Add(int64(time.Second))
	require.NoError(t, find(r, next.ID(), keys.ES256), "the first token of a new key fetches it")
	require.Equal(t, int64(2), p.fetches.Load())
}

func TestRemoteRefetchesKeysAfterFiveMinutes(t *testing.T) {
	k, next := generate(t, keys.ES256), generate(t, keys.ES256)
	p := newPublisher(t, publishing(t, k))
	r, at := remote(t, p)
	require.NoError(t, find(r, k.ID(), keys.ES256))
	p.now(publishing(t, next))
	at.Add(int64(5*time.Minute - 1))
	require.NoError(t, find(r, k.ID(), keys.ES256))
	require.Equal(t, int64(1), p.fetches.Load())
	at.Add(1)
	require.NoError(t, find(r, k.ID(), keys.ES256), "the old keys are used while the new ones are fetched")
	require.Eventually(t, func() bool { return errors.Is(find(r, k.ID(), keys.ES256), keys.ErrNoKey) }, time.Minute, time.Millisecond)
	require.NoError(t, find(r, next.ID(), keys.ES256))
	require.Equal(t, int64(2), p.fetches.Load())
}

// badAnswers are answers that a Remote must refuse.
func badAnswers(t *testing.T) map[string]http.HandlerFunc {
	const kind = "application/json"
	private, err := json.Marshal(generate(t, keys.ES256))
	require.NoError(t, err)
	elsewhere := httptest.NewServer(publishing(t, generate(t, keys.ES256)))
	t.Cleanup(elsewhere.Close)
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"keys":[%s]}`, private)
		}
	}
	return map[string]http.HandlerFunc{
		"garbage":               serving(kind, "garbage"),
		"empty body":            serving(kind, ""),
		"truncated":             serving(kind, `{"keys":[`+string(private)),
		"HTML":                  serving("text/html", `<!doctype html><title>{"keys":[]}</title>`),
		"no keys":               serving(kind, `{}`),
		"an empty set":          serving(kind, `{"keys":[]}`),
		"keys twice":            serving(kind, `{"keys":[],"keys":[`+string(private)+`]}`),
		"damaged keys only":     serving(kind, `{"keys":[{"kty":"RSA","alg":"RS256","n":"AQ","e":"AQ"}]}`),
		"a shared secret":       serving(kind, `{"keys":[{"kty":"oct","alg":"HS256","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}]}`),
		"a private key":         serving(kind, `{"keys":[`+with(ecJWK, ecD)+`]}`),
		"only keys of one kid":  publishing(t, generate(t, keys.ES256).Named("a"), generate(t, keys.ES256).Named("a")),
		"65 KiB":                serving(kind, `{"keys":[`+string(private)+`],"x":"`+strings.Repeat("x", 65<<10)+`"}`),
		"endless":               func(w http.ResponseWriter, _ *http.Request) { endless(w, kind) },
		"404":                   status(404),
		"500":                   status(500),
		"204":                   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"a redirect":            func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"a redirect to itself":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"a cut connection":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"silence":               func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"silence after a start": func(w http.ResponseWriter, r *http.Request) { slow(w, r, kind) },
		"huge headers": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Huge", strings.Repeat("x", 1<<20))
			serving(kind, `{"keys":[`+string(private)+`]}`)(w, r)
		},
	}
}

func endless(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	for {
		if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
			return
		}
	}
}

func slow(w http.ResponseWriter, r *http.Request, kind string) {
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, `{"keys":[`)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func TestBadAnswerKeepsLastGoodKeys(t *testing.T) {
	k := generate(t, keys.ES256)
	for fault, answer := range badAnswers(t) {
		t.Run(fault, func(t *testing.T) {
			p := newPublisher(t, answer)
			r, at := remote(t, p)
			short := time.Minute
			if strings.HasPrefix(fault, "silence") { // only these take until the timeout
				short = time.Second
			}
			keys.SetTimeout(r, short)
			var reported atomic.Int64
			r.OnError = func(err error) {
				if strings.Contains(err.Error(), p.URL) {
					reported.Add(1)
				}
				panic("in the hook")
			}
			err := find(r, k.ID(), keys.ES256)
			require.ErrorContains(t, err, "no keys could be fetched yet")
			require.NotErrorIs(t, err, keys.ErrNoKey, "the token would be refused because of the issuer's error")

			keys.SetTimeout(r, time.Minute)
			p.now(publishing(t, k))
			at.Add(int64(10 * time.Second))
			require.NoError(t, find(r, k.ID(), keys.ES256))
			keys.SetTimeout(r, short)
			p.now(answer)
			at.Add(int64(5 * time.Minute))
			require.NoError(t, find(r, k.ID(), keys.ES256))
			require.Eventually(t, func() bool { return reported.Load() > 0 && p.fetches.Load() == 3 }, time.Minute, time.Millisecond)
			require.NoError(t, find(r, k.ID(), keys.ES256), "the last good keys are lost")
			require.Equal(t, int64(3), p.fetches.Load())
		})
	}
}

func TestRemoteRefusesSetWithPrivateMembers(t *testing.T) {
	k := generate(t, keys.ES256)
	good, err := json.Marshal(k)
	require.NoError(t, err)
	huge := strings.Repeat("_", 28<<10)
	for shown, member := range map[string]string{
		"huge primes":          `{"kty":"RSA","alg":"RS256","n":"` + rsaN + `","e":"AQAB","d":"AQ","p":"` + huge + `","q":"` + huge + `"}`,
		"a key for encryption": with(with(ecJWK, ecD), `"use":"enc"`), "primes without d": `{"kty":"RSA","alg":"RS256","n":"` + rsaN + `","e":"AQAB","p":"AQ","q":"AQ"}`,
		"another alg": with(with(ecJWK, ecD), `"alg":"ECDH-ES"`), "a damaged key": with(ecJWK, `"d":1`), "a future kind": `{"kty":"future","d":"AQ"}`,
	} {
		t.Run(shown, func(t *testing.T) {
			p := newPublisher(t, serving("application/json", `{"keys":[`+member+`,`+string(good)+`]}`))
			r, _ := remote(t, p)
			require.ErrorContains(t, find(r, k.ID(), keys.ES256), "private key")
		})
	}
}

// The host accepts connections and stays silent. Without a limit, the handshake would
// outlive the request for which it was made.
func TestFetchFromSilentHostLeaksNoConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	ended := make(chan struct{})
	go func() {
		if connection, err := listener.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, connection) // returns when the other side closes
			_ = connection.Close()
			close(ended)
		}
	}()
	r := keys.FromURL("https://" + listener.Addr().String())
	keys.SetTimeout(r, time.Second)
	require.ErrorContains(t, find(r, "x", keys.ES256), "no keys could be fetched yet")
	select {
	case <-ended:
	case <-time.After(time.Minute):
		require.Fail(t, "the connection stays open")
	}
}

func TestRemoteTakesGoodKeyNextToBadOnes(t *testing.T) {
	k := generate(t, keys.ES256)
	text, err := json.Marshal(k)
	require.NoError(t, err)
	p := newPublisher(t, serving("application/json; charset=utf-8", `{"keys":[{"kty":"RSA","alg":"RS256","n":"AQ","e":"AQ"},{"kty":"future"},`+string(text)+`]}`))
	r, _ := remote(t, p)
	require.NoError(t, find(r, k.ID(), keys.ES256))
}

// Some keys share a kid; another key is unambiguous.
func TestRemoteUsesOnlyUnambiguousKeys(t *testing.T) {
	jwk := func(k keys.Key) string {
		text, err := json.Marshal(k)
		require.NoError(t, err)
		return string(text)
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	rs256, err := keys.RSA(keys.RS256, private)
	require.NoError(t, err)
	rs512, err := keys.RSA(keys.RS512, private)
	require.NoError(t, err)
	rs256, rs512 = rs256.Named("a"), rs512.Named("a")
	one, two, good := generate(t, keys.ES256).Named("b"), generate(t, keys.ES256).Named("b"), generate(t, keys.ES256)
	for name, tc := range map[string]struct {
		members string
		lost    []keys.Key
	}{
		"one kid, two algorithms":                      {members: jwk(rs256) + "," + jwk(rs512)},
		"a key twice":                                  {members: jwk(rs256) + "," + jwk(rs512) + "," + jwk(rs256)},
		"two keys of a kid and alg":                    {members: jwk(rs256) + "," + jwk(rs512) + "," + jwk(one) + "," + jwk(two), lost: []keys.Key{one, two}},
		"two keys of a kid and alg, one of them twice": {members: jwk(rs256) + "," + jwk(rs512) + "," + jwk(one) + "," + jwk(one) + "," + jwk(two), lost: []keys.Key{one, two}},
		"a shared secret":                              {members: jwk(rs256) + "," + jwk(rs512) + `,{"kty":"oct","alg":"HS256","kid":"c","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`},
		"a shared secret of the kid":                   {members: `{"k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA","kid":"a","kty":"oct"},` + jwk(rs256) + "," + jwk(rs512)},
		"an unusable twin":                             {members: jwk(rs256) + "," + jwk(rs512) + `,{"kty":"RSA","kid":"a","alg":"RS256","n":"AQ","e":"AQ"}`},
		"a twin for encryption, no alg":                {members: jwk(rs256) + "," + jwk(rs512) + `,` + with(ecJWK, `"kid":"a","use":"enc"`)},
	} {
		for _, members := range []string{tc.members + "," + jwk(good), jwk(good) + "," + tc.members} {
			t.Run(name, func(t *testing.T) {
				p := newPublisher(t, serving("application/json", `{"keys":[`+members+`]}`))
				r, _ := remote(t, p)
				for _, k := range []keys.Key{rs256, rs512, good} {
					found, err := r.Find(t.Context(), k.ID(), k.Algorithm())
					require.NoError(t, err)
					signature, err := k.Sign("text")
					require.NoError(t, err)
					require.True(t, found.Verify("text", signature))
				}
				for _, k := range tc.lost {
					require.ErrorIs(t, find(r, k.ID(), k.Algorithm()), keys.ErrNoKey)
				}
				for _, algorithm := range []keys.Algorithm{keys.HS256, keys.HS512} {
					for _, kid := range []string{"a", "c", good.ID(), ""} {
						require.ErrorIs(t, find(r, kid, algorithm), keys.ErrNoKey)
					}
				}
			})
		}
	}
}

// The content of the answer matters, not its Content-Type.
func TestRemoteReadsAnyContentType(t *testing.T) {
	k := generate(t, keys.ES256)
	text, err := json.Marshal(k)
	require.NoError(t, err)
	for _, contentType := range []string{"text/plain", "text/plain; charset=utf-8", "application/octet-stream", "binary/octet-stream", "text/html", "", "no type", "application/jwk-set+json"} {
		for _, mark := range []string{"", "\ufeff"} {
			p := newPublisher(t, serving(contentType, mark+`{"keys":[`+string(text)+`]}`))
			r, _ := remote(t, p)
			require.NoError(t, find(r, k.ID(), keys.ES256), contentType)
		}
	}
}

func TestRemoteTakesOnlyConfiguredAlgorithms(t *testing.T) {
	ec, ed := generate(t, keys.ES256), generate(t, keys.EdDSA)
	r, _ := remote(t, newPublisher(t, publishing(t, ec, ed)), keys.EdDSA)
	require.NoError(t, find(r, ed.ID(), keys.EdDSA))
	require.ErrorIs(t, find(r, ec.ID(), keys.ES256), keys.ErrNoKey)
}

func TestFindStopsWaitingWhenContextEnds(t *testing.T) {
	r, _ := remote(t, newPublisher(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := r.Find(ctx, "x", keys.ES256)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, r.Close(), "Close must end the fetch, otherwise the server cannot close")
}

func TestKeysUnusedForAnHourAreRefetchedBeforeUse(t *testing.T) {
	k, next := generate(t, keys.ES256), generate(t, keys.ES256)
	p := newPublisher(t, publishing(t, k))
	r, at := remote(t, p)
	require.NoError(t, find(r, k.ID(), keys.ES256))
	p.now(publishing(t, next))
	at.Add(int64(time.Hour))
	require.ErrorIs(t, find(r, k.ID(), keys.ES256), keys.ErrNoKey, "the issuer has removed it")
	require.NoError(t, find(r, next.ID(), keys.ES256))
	require.Equal(t, int64(2), p.fetches.Load())
}

// While a machine is suspended, its monotonic clock stands still.
func TestKeysAreRefetchedAfterMachineSuspension(t *testing.T) {
	k, next := generate(t, keys.ES256), generate(t, keys.ES256)
	p := newPublisher(t, publishing(t, k))
	r, _ := remote(t, p)
	require.NoError(t, find(r, k.ID(), keys.ES256))
	p.now(publishing(t, next))
	keys.SetNow(r, func() time.Time { return asleep.After(time.Hour, time.Now()) })
	require.ErrorIs(t, find(r, k.ID(), keys.ES256), keys.ErrNoKey, "the issuer has removed it")
	require.NoError(t, find(r, next.ID(), keys.ES256))

	p.now(serving("application/json", "garbage"))
	keys.SetNow(r, func() time.Time { return asleep.After(26*time.Hour, time.Now()) })
	require.ErrorContains(t, find(r, next.ID(), keys.ES256), "more than 24 h old")
}

func TestLastGoodKeysStayValidForADay(t *testing.T) {
	k := generate(t, keys.ES256)
	p := newPublisher(t, publishing(t, k))
	r, at := remote(t, p)
	require.NoError(t, find(r, k.ID(), keys.ES256))
	p.now(serving("application/json", "garbage"))
	at.Add(int64(24*time.Hour - 1))
	require.NoError(t, find(r, k.ID(), keys.ES256))
	require.Equal(t, int64(2), p.fetches.Load())
	at.Add(1)
	err := find(r, k.ID(), keys.ES256)
	require.ErrorContains(t, err, "more than 24 h old")
	require.NotErrorIs(t, err, keys.ErrNoKey)
	p.now(publishing(t, k))
	at.Add(int64(10 * time.Second))
	require.NoError(t, find(r, k.ID(), keys.ES256))
}

func TestAtMost100TokensWaitForAFetch(t *testing.T) {
	k := generate(t, keys.ES256)
	p := newPublisher(t, publishing(t, k))
	r, at := remote(t, p)
	require.NoError(t, find(r, k.ID(), keys.ES256))
	asked := make(chan struct{})
	p.now(func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	at.Add(int64(10 * time.Second))
	ctx, cancel := context.WithCancel(context.Background())
	refused := make(chan error, 150)
	for range cap(refused) {
		go func() {
			_, err := r.Find(ctx, "forged", keys.ES256)
			refused <- err
		}()
	}
	<-asked
	for range 50 {
		err := <-refused
		require.ErrorContains(t, err, "too many tokens wait")
		require.NotErrorIs(t, err, keys.ErrNoKey, "one of the tokens may have a new key")
	}
	require.NoError(t, find(r, k.ID(), keys.ES256), "known keys do not wait")
	cancel()
	for range 100 {
		require.ErrorIs(t, <-refused, context.Canceled)
	}
}

// transport is a function as a Remote.Transport.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestPanickingTransportFailsOnlyTheFetch(t *testing.T) {
	k := generate(t, keys.ES256)
	r, at := remote(t, newPublisher(t, publishing(t, k)))
	good := r.Transport
	r.Transport = transport(func(*http.Request) (*http.Response, error) { panic("in the transport") })
	require.ErrorContains(t, find(r, k.ID(), keys.ES256), "in the transport")
	r.Transport = good
	at.Add(int64(10 * time.Second))
	require.NoError(t, find(r, k.ID(), keys.ES256))
}

func TestBlockingErrorHookIsCalledOnce(t *testing.T) {
	r, at := remote(t, newPublisher(t, serving("application/json", "garbage")))
	release, called := make(chan struct{}), atomic.Int64{}
	defer close(release)
	r.OnError = func(error) { called.Add(1); <-release }
	for range 3 {
		require.ErrorContains(t, find(r, "x", keys.ES256), "no keys could be fetched yet")
		require.Eventually(t, func() bool { return called.Load() > 0 }, time.Minute, time.Millisecond)
		at.Add(int64(10 * time.Second))
	}
	require.Equal(t, int64(1), called.Load())
}

func TestUncheckedInsecureURLIsNotFetched(t *testing.T) {
	r := keys.FromURL("http://example.com/jwks.json") // inside a Source that has no Check
	r.Transport = transport(func(*http.Request) (*http.Response, error) { panic("it was fetched") })
	require.ErrorContains(t, find(r, "x", keys.ES256), "is not https")
}

func TestClosedRemoteKeepsKeysWithoutFetching(t *testing.T) {
	k := generate(t, keys.ES256)
	p := newPublisher(t, publishing(t, k))
	r, at := remote(t, p)
	require.NoError(t, find(r, k.ID(), keys.ES256))
	require.NoError(t, r.Close())
	at.Add(int64(time.Hour))
	require.NoError(t, find(r, k.ID(), keys.ES256))
	require.ErrorIs(t, find(r, "x", keys.ES256), keys.ErrNoKey)
	require.Equal(t, int64(1), p.fetches.Load())

	unused := keys.FromURL(p.URL)
	require.NoError(t, unused.Close())
	require.ErrorContains(t, find(unused, "x", keys.ES256), "no keys could be fetched")
}

func TestRemoteFetchesOnlyOverTrustedTLS(t *testing.T) {
	k := generate(t, keys.ES256)
	server := httptest.NewTLSServer(publishing(t, k))
	t.Cleanup(server.Close)
	r := keys.FromURL(server.URL)
	require.NoError(t, r.Check())
	require.ErrorContains(t, find(r, k.ID(), keys.ES256), "certificate")
	trusting := keys.FromURL(server.URL)
	trusting.Transport = server.Client().Transport
	require.NoError(t, find(trusting, k.ID(), keys.ES256))
}

func TestRemoteCheckRefusesUnsafeURLs(t *testing.T) {
	for _, address := range []string{
		"", "jwks.json", "/jwks.json", "http://example.com/jwks.json", "http://10.0.0.1/", "http://localhost.example.com/", "http://127.0.0.1.example.com/",
		"file:///etc/keys.json", "ftp://example.com/", "https://", "https://user:password@example.com/", "https://example.com/#x", "https://exa mple.com/", "//example.com/jwks.json",
	} {
		require.ErrorContains(t, keys.FromURL(address).Check(), "keys: ", address)
	}
	for _, address := range []string{"https://example.com", "https://example.com:8443/a?b=c", "http://localhost:3000/", "http://127.0.0.1/", "http://[::1]:3000/"} {
		require.NoError(t, keys.FromURL(address).Check(), address)
	}
	require.ErrorContains(t, keys.FromURL("https://example.com", keys.HS256).Check(), "not published")
	require.ErrorContains(t, keys.FromURL("https://example.com", "none").Check(), "not a known algorithm")
}

func TestKeyFuncIsAskedOnlyForItsAlgorithms(t *testing.T) {
	k := generate(t, keys.ES256)
	asked := 0
	source := keys.Func(func(token *jwt.Token) (any, error) {
		asked++
		require.Empty(t, token.Claims)
		if token.Header["kid"] != "known" {
			return nil, errors.New("unknown")
		}
		return k.Crypto(), nil
	}, keys.ES256)
	require.NoError(t, find(source, "known", keys.ES256))
	require.ErrorIs(t, find(source, "x", keys.ES256), keys.ErrNoKey)
	require.ErrorIs(t, find(source, "", keys.ES256), keys.ErrNoKey)
	require.Equal(t, 3, asked)
	for _, algorithm := range []keys.Algorithm{"none", "HS256", "ES384", "RS256", ""} {
		require.ErrorIs(t, find(source, "known", algorithm), keys.ErrNoKey)
	}
	require.Equal(t, 3, asked, "the function was called for another algorithm")
}

func TestKeyFuncNetworkErrorIsNotErrNoKey(t *testing.T) {
	for what, err := range map[string]error{
		"no connection": &url.Error{Op: "Get", URL: "https://id.example.com", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}, "no name": &net.DNSError{},
		"too slow": fmt.Errorf("fetch: %w", context.DeadlineExceeded), "cancelled": context.Canceled,
	} {
		found := find(keys.Func(func(*jwt.Token) (any, error) { return nil, err }, keys.ES256), "x", keys.ES256)
		require.ErrorIs(t, found, err, what)
		require.NotErrorIs(t, found, keys.ErrNoKey, what)
	}
}

func TestKeyFuncResultMustFitTheAlgorithm(t *testing.T) {
	rs := generate(t, keys.RS256)
	for fault, found := range map[string]any{
		"a public key for HS256": rs.Crypto(), "PEM for HS256": []byte(strings.Repeat("-----BEGIN PUBLIC KEY-----", 3)), "a short secret": []byte("secret"), "nil": nil,
		"a string": sharedSecret, "a set": jwt.VerificationKeySet{Keys: []jwt.VerificationKey{[]byte(sharedSecret)}},
	} {
		t.Run(fault, func(t *testing.T) {
			source := keys.Func(func(*jwt.Token) (any, error) { return found, nil }, keys.HS256)
			err := find(source, "", keys.HS256)
			require.ErrorContains(t, err, "fits no algorithm of the source")
			require.NotErrorIs(t, err, keys.ErrNoKey, "the token would be refused because of the function's error")
		})
	}
	secret := keys.Func(func(*jwt.Token) (any, error) { return []byte(sharedSecret), nil }, keys.HS256)
	require.NoError(t, find(secret, "", keys.HS256))
	confused := keys.Func(func(*jwt.Token) (any, error) { return []byte(sharedSecret), nil }, keys.RS256)
	require.ErrorContains(t, find(confused, "", keys.RS256), "fits no algorithm of the source")
	either := keys.Func(func(*jwt.Token) (any, error) { return rs.Crypto(), nil }, keys.ES256, keys.RS256)
	require.NoError(t, find(either, "", keys.RS256))
	require.ErrorIs(t, find(either, "", keys.ES256), keys.ErrNoKey, "the token names another algorithm")

	type checked interface{ Check() error }
	find := func(*jwt.Token) (any, error) { return nil, nil }
	require.ErrorContains(t, keys.Func(find).(checked).Check(), "has no algorithms")
	require.ErrorContains(t, keys.Func(find, keys.RS256, keys.HS256).(checked).Check(), "shared secrets")
	require.ErrorContains(t, keys.Func(find, "none").(checked).Check(), "not a known algorithm")
	require.ErrorContains(t, keys.Func(nil, keys.RS256).(checked).Check(), "no function")
}
