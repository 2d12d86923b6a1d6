package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/elapsed"
)

// The times of a Remote. Together they limit what tokens can cause: one fetch at a
// time, and one in fetchPause.
const (
	// fetchTimeout limits one fetch.
	fetchTimeout = 5 * time.Second
	// fetchPause is the least time between the starts of two fetches.
	fetchPause = 10 * time.Second
	// fetchEvery is the age at which keys are fetched again, while the old ones are
	// still used.
	fetchEvery = 5 * time.Minute
	// fetchBefore is the age at which keys are fetched before they are used again,
	// unless the last fetch failed: no token has needed them for so long.
	fetchBefore = time.Hour
	// keptFor is how long keys are used if they cannot be fetched again.
	keptFor = 24 * time.Hour
	// maxWaiting limits how many tokens wait for unknown keys while other keys are there.
	maxWaiting = 100
)

// Remote has the keys of another issuer, fetched from a fixed address that no token
// can change. Make one with [FromURL]. It is safe for concurrent use.
//
// It fetches with the first token, again when the keys are 5 minutes old, and when
// a token names a key that it does not have. It fetches at most once in 10 s and
// one at a time, whatever tokens arrive. Keys that no token has needed for an hour
// are fetched before they are used again. If a fetch fails, the last valid keys are
// used, for 24 hours. After that, and before the first successful fetch, tokens are
// answered 503.
//
// The answer must be a JWK Set of at most 64 KiB, arrive within 5 s, without a
// redirect, and contain no private key. Its Content-Type does not matter. Keys that
// cannot be used are ignored, as are shared secrets, and keys with the same ID and
// algorithm.
type Remote struct {
	// OnError, if not nil, receives the reason when a fetch fails. It is called by one
	// goroutine at a time: failures that happen before it returns are not reported.
	OnError func(error)
	// Transport makes the requests. The default trusts the certificates of the system
	// and uses the proxy of the environment. It must return when the context of its
	// request is done, as Go's own does.
	Transport http.RoundTripper

	own        *http.Transport // the default of Transport
	address    string
	algorithms []Algorithm
	timeout    time.Duration
	now        func() time.Time // with a monotonic reading, so it is not Config.Now

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu        sync.Mutex
	set       *Set          // nil before the first good answer
	failed    error         // the error of the last fetch; nil if it succeeded
	started   time.Time     // of the last fetch
	fetched   time.Time     // when set arrived
	running   chan struct{} // closed when the running fetch ends; nil if none runs
	waiting   int           // callers of Find who wait for it
	reporting bool          // OnError has not returned yet
}

// FromURL makes the [Remote] of an address. The scheme must be https, or http for
// this machine itself. Name algorithms if the issuer publishes keys for more
// algorithms than you want to accept, or RSA keys without alg; by default every
// asymmetric key is accepted. FromURL does no I/O. fiberjwt.Open checks the
// address, and Auth.Close calls [Remote.Close].
func FromURL(address string, algorithms ...Algorithm) *Remote {
	ctx, stop := context.WithCancel(context.Background())
	own := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxDocumentBytes, DisableKeepAlives: true,
		// A dial can outlive its request, so it has separate limits.
		DialContext: (&net.Dialer{Timeout: fetchTimeout}).DialContext, TLSHandshakeTimeout: fetchTimeout,
	}
	return &Remote{
		Transport: own, own: own,
		address: address, algorithms: slices.Clone(algorithms), timeout: fetchTimeout, now: time.Now, ctx: ctx, stop: stop,
		failed: errors.New("the source was closed"),
	}
}

var errRedirect = errors.New("the address redirects: give the one where the keys are")

// Check returns the problem of the address or the algorithms, nil if there is none.
// fiberjwt.Open calls it.
func (r *Remote) Check() error {
	u, err := url.Parse(r.address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("keys: the address of FromURL is not valid: give one such as https://auth.example.com/.well-known/jwks.json")
	case u.Scheme == "http" && loopback(u.Hostname()), u.Scheme == "https":
	default:
		return errors.New("keys: the address of FromURL is not https, so an attacker in the network can replace the keys: use https")
	}
	if slices.ContainsFunc(r.algorithms, func(a Algorithm) bool { return slices.Contains(hmacAlgorithms, a) }) {
		return errors.New("keys: FromURL has an algorithm for shared secrets, which are not published: name the algorithms of public keys")
	}
	return checkAlgorithms(r.algorithms)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Find implements [Source]. If the key is not there and a fetch is due, it waits
// for the fetch, at most until ctx is done.
func (r *Remote) Find(ctx context.Context, kid string, algorithm Algorithm) (Key, error) {
	set := r.present()
	if set != nil {
		if k, err := set.Find(ctx, kid, algorithm); err == nil {
			return k, nil
		}
	}
	if err := r.await(ctx, set != nil); err != nil {
		return Key{}, err
	}
	set, err := r.latest()
	if err != nil {
		return Key{}, err
	}
	return set.Find(ctx, kid, algorithm)
}

// present returns the keys that may be used without waiting, nil if there are none.
// It starts a fetch if they are old.
func (r *Remote) present() *Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	age := elapsed.Between(r.fetched, r.now())
	switch {
	case r.set == nil, age >= fetchBefore && r.failed == nil, age >= keptFor:
		return nil
	case age >= fetchEvery:
		r.fetch()
	}
	return r.set
}

// await waits for the fetch that runs or is due, if there is one. unknown says that
// there are keys, but not the one that the token names. Such a token may be
// garbage, so only few of them wait.
func (r *Remote) await(ctx context.Context, unknown bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	running := r.fetch()
	if running == nil {
		return nil
	}
	if unknown && r.waiting >= maxWaiting {
		return errors.New("keys: too many tokens wait for the keys to be fetched")
	}
	r.waiting++
	defer func() { r.waiting-- }()
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-running:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("keys: the fetch of the keys takes too long: %w", ctx.Err())
	}
}

// latest returns the last valid keys.
func (r *Remote) latest() (*Set, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.set == nil {
		return nil, fmt.Errorf("keys: no keys could be fetched yet: %w", r.failed)
	}
	if elapsed.Between(r.fetched, r.now()) >= keptFor {
		return nil, errors.New("keys: the last good keys are more than 24 h old")
	}
	return r.set, nil
}

// fetch starts a fetch if none runs and the pause is over. It returns the channel
// that closes at the end of the running fetch, nil if none runs. The caller holds
// mu.
func (r *Remote) fetch() <-chan struct{} {
	if r.running != nil {
		return r.running
	}
	if !r.started.IsZero() && elapsed.Between(r.started, r.now()) < fetchPause || r.ctx.Err() != nil {
		return nil
	}
	r.running, r.started = make(chan struct{}), r.now()
	go r.run()
	return r.running
}

func (r *Remote) run() {
	set, err := r.get()
	r.mu.Lock()
	r.failed = err
	if err == nil {
		r.set, r.fetched = set, r.now()
	}
	close(r.running)
	r.running = nil
	reports := err != nil && r.OnError != nil && !r.reporting
	r.reporting = r.reporting || reports
	r.mu.Unlock()
	if reports {
		r.report(err)
	}
}

// report calls OnError. A panic in it must not end the process.
func (r *Remote) report(err error) {
	defer func() {
		_ = recover()
		r.mu.Lock()
		r.reporting = false
		r.mu.Unlock()
	}()
	r.OnError(fmt.Errorf("keys: the keys at %s were not fetched: %w", r.address, err))
}

// get fetches the keys once. A panic, for instance of Transport, is an error.
func (r *Remote) get() (set *Set, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the fetch panicked: %v", p)
		}
	}()
	if err := r.Check(); err != nil { // Open calls Check, but not if another Source wraps this one
		return nil, err
	}
	request, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.address, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	client := http.Client{
		Timeout: r.timeout, Transport: r.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
	defer r.own.CloseIdleConnections() // ends dials that no request waits for
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %d", response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocumentBytes+1)) // limits decompressed text, too
	if err != nil {
		return nil, err
	}
	return r.parse(text)
}

// parse reads the answer, whatever its Content-Type: object stores serve files as
// text/plain or application/octet-stream. Keys that cannot be used are ignored for
// any reason (RFC 7517 §5): one damaged key must not stop a rotation.
func (r *Remote) parse(text []byte) (*Set, error) {
	members, err := documentMembers(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) // without a byte order mark
	if err != nil {
		return nil, err
	}
	members = slices.DeleteFunc(members, isSecret)
	if slices.ContainsFunc(members, showsSecret) { // before any arithmetic with the keys
		return nil, errors.New("it publishes a private key")
	}
	keys, faults := parseMembers(members, r.algorithms)
	if keys = distinct(keys); len(keys) == 0 {
		return nil, noneFits(faults)
	}
	s := &Set{Now: time.Now}
	s.state.Store(newState(keys, nil, -1))
	return s, nil
}

// Close ends a running fetch and prevents others. The keys that are there remain
// usable. It always returns nil.
func (r *Remote) Close() error {
	r.stop()
	return nil
}
