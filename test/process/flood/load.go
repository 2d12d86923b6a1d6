package main

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Each of the two probes sends 200 requests/s. When the server is quiet, that
// keeps one connection or two busy; the others are for requests that are due
// while earlier ones wait for their answers.
const (
	probeInterval    = 5 * time.Millisecond
	probeConnections = 64
)

const (
	mePath     = "/api/users/me"
	publicPath = "/api/public"
	loginPath  = "/auth/users/login"
)

// delays are those of one route during a scenario.
type delays struct {
	all      []time.Duration
	outcomes counts
}

// percentile returns the smallest delay that at least p percent of all do not
// exceed, or 0 if all is empty.
func percentile(all []time.Duration, p int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := (len(sorted)*p + 99) / 100 // rounded up
	return sorted[max(rank, 1)-1]
}

// ratio compares the p99 of /me with the greatest of its quiet value, that of
// the open route under the same load, and 1 ms.
func ratio(me, quiet, open time.Duration) float64 {
	return float64(me) / float64(max(quiet, open, time.Millisecond))
}

// beside measures both routes while work runs.
func (f *flood) beside(ctx context.Context, work func()) (me, open delays) {
	var ready, probes sync.WaitGroup
	done := make(chan struct{})
	ready.Add(2)
	measure := func(path, token string, result *delays) {
		probes.Go(func() {
			p := newProbe(f.target, path, token)
			p.connect(ctx)
			ready.Done()
			*result = p.run(ctx, done)
		})
	}
	measure(mePath, f.token, &me)
	measure(publicPath, "", &open)
	ready.Wait()
	work()
	close(done)
	probes.Wait()
	return me, open
}

// probe sends the same GET at a fixed pace.
type probe struct {
	clients chan *client // those that are free
	sending sync.WaitGroup

	mu     sync.Mutex
	result delays
}

func newProbe(target netip.AddrPort, path, token string) *probe {
	p := &probe{clients: make(chan *client, probeConnections)}
	for range probeConnections {
		c := &client{server: target}
		c.setGet(path, token)
		p.clients <- c
	}
	return p
}

// connect opens the connections before anything is measured. Errors are left
// to the requests, which connect again and are counted.
func (p *probe) connect(ctx context.Context) {
	for range probeConnections {
		c := <-p.clients
		err := c.connect(ctx)
		p.clients <- c
		if err != nil {
			return
		}
	}
}

// run returns when done is closed and the last request is answered. A request
// does not wait for the answers to those before it, as with real users. If no
// connection is free, the time until one is free is a part of the delay, so a
// server that stalls cannot hide it.
func (p *probe) run(ctx context.Context, done <-chan struct{}) delays {
	defer p.close()
	for due := time.Now(); waitUntil(ctx, due, done); due = due.Add(probeInterval) {
		c := <-p.clients
		p.sending.Go(func() {
			p.measure(ctx, c, due)
			p.clients <- c
		})
	}
	p.sending.Wait()
	return p.result
}

func (p *probe) measure(ctx context.Context, c *client, due time.Time) {
	o := c.outcome(ctx)
	delay := time.Since(due)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result.all = append(p.result.all, delay)
	p.result.outcomes[o]++
}

func (p *probe) close() {
	for range probeConnections {
		(<-p.clients).close()
	}
}

// waitUntil returns false if done or ctx ended first.
func waitUntil(ctx context.Context, moment time.Time, done <-chan struct{}) bool {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-done:
		return false
	case <-ctx.Done():
		return false
	default:
	}
	select {
	case <-done:
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// login is one sign-in that a client sends.
type login struct {
	from            netip.Addr
	email, password string
}

// keepSigningIn lets one client for each login repeat it, without a pause,
// until the end of the scenario. next returns the password of the nth time.
func (f *flood) keepSigningIn(ctx context.Context, logins []login, next func(l login, client, n int) string) counts {
	var clients sync.WaitGroup
	var mu sync.Mutex
	var total counts
	end := time.Now().Add(f.duration())
	for i, l := range logins {
		clients.Go(func() {
			c := client{server: f.target, from: l.from}
			defer c.close()
			var own counts
			for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
				o := c.signIn(ctx, l.email, next(l, i, n))
				own[o]++
				if o == unanswered {
					waitUntil(ctx, time.Now().Add(100*time.Millisecond), nil) // do not spin on a server that is gone
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(own)
		})
	}
	clients.Wait()
	return total
}

// result is one sign-in of many that started together.
type result struct {
	outcome outcome
	after   time.Duration // since the common start
}

// signInAtOnce opens a connection for each login, and then sends all of them
// at the same moment.
func (f *flood) signInAtOnce(ctx context.Context, logins []login) []result {
	results := make([]result, len(logins))
	start := make(chan struct{})
	var began time.Time
	var ready, clients sync.WaitGroup
	ready.Add(len(logins))
	for i, l := range logins {
		clients.Go(func() {
			c := client{server: f.target, from: l.from}
			defer c.close()
			_ = c.connect(ctx) // signIn tries again
			ready.Done()
			<-start
			o := c.signIn(ctx, l.email, l.password)
			results[i] = result{o, time.Since(began)}
		})
	}
	ready.Wait()
	began = time.Now()
	close(start)
	clients.Wait()
	return results
}

func countResults(results []result) (c counts) {
	for _, r := range results {
		c[r.outcome]++
	}
	return c
}

// delaysOf returns the delays of the sign-ins with an outcome for which is returns true.
func delaysOf(results []result, is func(outcome) bool) (found []time.Duration) {
	for _, r := range results {
		if is(r.outcome) {
			found = append(found, r.after)
		}
	}
	return found
}
