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

// The times of a Remote. Together they bound what tokens can cause: one fetch at
// a time, and one in fetchPause.
const (
	// fetchTimeout bounds one fetch.
	fetchTimeout = 5 * time.Second
	// fetchPause passes between the starts of two fetches.
	fetchPause = 10 * time.Second
	// fetchEvery is the age at which the keys are fetched anew, while the old
	// ones are still used.
	fetchEvery = 5 * time.Minute
	// fetchBefore is the age at which they are fetched before they are used
	// again, unless the last fetch failed: nobody asked for so long.
	fetchBefore = time.Hour
	// keptFor is how long keys are used that cannot be fetched anew.
	keptFor = 24 * time.Hour
	// maxWaiting bounds the tokens that wait for keys while there are others.
	maxWaiting = 100
)

// Remote has the keys of an issuer elsewhere, fetched from an address that is
// fixed: nothing in a token changes it. It fetches with the first token, again
// when the keys are 5 minutes old, and when a token names a key that it does
// not have, but at most once in 10 s and one at a time, whatever tokens come.
// A fetch that fails changes nothing: the last good keys stay, for 24 hours;
// then, and before there are any, tokens are answered 503. Keys that nobody asked
// for in an hour are fetched before they are used again.
//
// What is fetched must be a JWK Set of at most 64 KiB, whatever its Content-Type,
// come within 5 s, without a redirect, and have no private key. Keys that cannot be
// used are left out, as are shared secrets, and keys of the same ID and algorithm. It
// is safe for concurrent use.
type Remote struct {
	// OnError learns why a fetch failed, if it is not nil. It is called once at
	// a time: of what fails before it returns it learns nothing.
	OnError func(error)
	// Transport makes the requests. The default trusts the system's
	// certificates and the proxy of the environment. It must end with the
	// context of its request, as Go's own does.
	Transport http.RoundTripper

	own        *http.Transport // the default of Transport
	address    string
	algorithms []Algorithm
	timeout    time.Duration
	now        func() time.Time // monotonic, so not that of Config

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu      sync.Mutex
	set     *Set          // nil before the first good answer
	failed  error         // why the last fetch was no good; nil if it was
	started time.Time     // of the last fetch
	fetched time.Time     // when set came
	running chan struct{} // closed when the running fetch ends; nil if none runs
	waiting int           // callers of Find who wait for it
	telling bool          // OnError has not returned yet
}

// FromURL makes the [Remote] of an address, https, or http to this machine
// itself. Give algorithms if the issuer publishes keys for more than you want
// to accept, or RSA keys without alg; by default every asymmetric key is taken.
// It fetches nothing yet. fiberjwt.Open checks the address; Auth.Close ends it.
func FromURL(address string, algorithms ...Algorithm) *Remote {
	ctx, stop := context.WithCancel(context.Background())
	own := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxDocumentBytes, DisableKeepAlives: true,
		// A dial outlives the request that it was made for: it has bounds of its own.
		DialContext: (&net.Dialer{Timeout: fetchTimeout}).DialContext, TLSHandshakeTimeout: fetchTimeout,
	}
	return &Remote{
		Transport: own, own: own,
		address: address, algorithms: slices.Clone(algorithms), timeout: fetchTimeout, now: time.Now, ctx: ctx, stop: stop,
		failed: errors.New("it was closed before"),
	}
}

var errRedirect = errors.New("the address redirects: give the one where the keys are")

// Check says what is wrong with address or algorithms; fiberjwt.Open asks for it.
func (r *Remote) Check() error {
	u, err := url.Parse(r.address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("keys: FromURL needs an address such as https://auth.example.com/.well-known/jwks.json")
	case u.Scheme == "http" && loopback(u.Hostname()), u.Scheme == "https":
	default:
		return errors.New("keys: FromURL needs https: keys that come over a line that others can write to are anybody's")
	}
	if slices.ContainsFunc(r.algorithms, func(a Algorithm) bool { return slices.Contains(hmacAlgorithms, a) }) {
		return errors.New("keys: FromURL: a shared secret is not published")
	}
	return checkAlgorithms(r.algorithms)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Find gives the key of an ID and algorithm, after a fetch if there is none and
// one is due. It waits for that fetch no longer than ctx.
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

// present gives the keys that may be used without waiting, nil if there are
// none, and starts to replace old ones.
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

// await waits for the fetch that runs or is due, if one is. Tokens that name
// keys which are not among those there are, may be junk: few of them wait.
func (r *Remote) await(ctx context.Context, junk bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	running := r.fetch()
	if running == nil {
		return nil
	}
	if junk && r.waiting >= maxWaiting {
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

// latest gives the last good keys.
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

// fetch starts a fetch if none runs and the pause is over, and gives the end of
// the one that runs, nil if none does. mu is held.
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
	tells := err != nil && r.OnError != nil && !r.telling
	r.telling = r.telling || tells
	r.mu.Unlock()
	if tells {
		r.tell(err)
	}
}

// tell runs the hook, which must not end the process.
func (r *Remote) tell(err error) {
	defer func() {
		_ = recover()
		r.mu.Lock()
		r.telling = false
		r.mu.Unlock()
	}()
	r.OnError(fmt.Errorf("keys: the keys at %s were not fetched: %w", r.address, err))
}

// get fetches the keys once. A panic, as of Transport, is a fetch that failed.
func (r *Remote) get() (set *Set, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the fetch panicked: %v", p)
		}
	}()
	if err := r.Check(); err != nil { // Open asks for it, but not behind a Source that wraps this one
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
	defer r.own.CloseIdleConnections() // ends dials that nobody waits for
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %d", response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocumentBytes+1)) // of what was inflated, too
	if err != nil {
		return nil, err
	}
	return r.parse(text)
}

// parse reads what was fetched, whatever its Content-Type: object stores serve
// files as text/plain or application/octet-stream. Keys that cannot be used are left
// out, for whatever reason (RFC 7517 §5): one damaged key must not stop a rotation.
func (r *Remote) parse(text []byte) (*Set, error) {
	members, err := documentMembers(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) // a byte order mark
	if err != nil {
		return nil, err
	}
	members = slices.DeleteFunc(members, isSecret)
	if slices.ContainsFunc(members, showsSecret) { // before any arithmetic with it
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

// Close ends a running fetch, and lets none start. The keys there are remain.
func (r *Remote) Close() error {
	r.stop()
	return nil
}
