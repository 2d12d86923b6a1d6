// Package throttle limits password guessing without locking owners out of their accounts.
//
// It counts failed sign-ins by place. A place is where an attempt comes from: a browser
// with a device cookie, a network, or a link from a mail. A place that has signed in to
// the account before has its own counter, so attackers elsewhere cannot lock the owner
// out of that place. All other places share one budget for the account. Each network
// also has a budget for all accounts.
//
// An attempt is charged under its own identifier before the password is compared, and
// gets an outcome afterwards. Only a charged attempt can be taken back, and only once. An
// attempt without a known outcome counts as a failure.
//
// The throttle counts attempts on names, not on rows, so it does not reveal whether an
// account exists.
package throttle

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/session"
)

// Place is where a sign-in comes from. The throttle keeps none of the strings, so they
// may be borrowed. A string is "" if the place has no such property.
type Place struct {
	Account string    // kind and normalized name of the account; "" for a registration
	Device  string    // identifier of a browser that has signed in to the account
	Since   time.Time // when that browser last signed in
	Link    string    // identifier of a link that was made for the account
	Session string    // session of the account, if a signed-in request confirms the password
	Network string    // address of the client, or the network that only this client uses
	Site    string    // wider network
}

// Proof returns an identifier of the browser, the link or the session, which distinguishes
// the place from unknown places. It returns "" if the place has none of these. The proof
// may be out of date, for instance because the password was changed.
func (p Place) Proof() string {
	for _, proof := range []string{p.Device, p.Link, p.Session} {
		if proof != "" {
			return p.Account + "\x00" + proof
		}
	}
	return ""
}

// withoutProof returns the same account and network without a proof.
func (p Place) withoutProof() Place { return Place{Account: p.Account, Network: p.Network} }

// Refusal is the error for an attempt that is refused until Wait has passed.
type Refusal struct{ Wait time.Duration }

func (Refusal) Error() string { return "fiberjwt: too many attempts" }

// The rules. Budgets follow NIST SP 800-63B-4 §3.2.2, which allows 100 failures:
// 50 at once and one more in each 15 hours are at most 98 in 30 days.
var (
	ofPlace = Rule{Free: 5, Fade: time.Hour, Longest: 15 * time.Minute, Budget: 50, Spread: 15 * time.Hour}
	// A network that has never signed in to the account may use only a part of the budget
	// that all unknown places share.
	ofNewPlace      = Rule{Free: 5, Fade: 4 * time.Hour, Longest: 12 * time.Hour}
	ofUnknownPlaces = Rule{Free: 5, Fade: time.Hour, Longest: time.Hour, Budget: 50, Spread: 15 * time.Hour}
	// Many users share a network, and some of them always mistype a password. One failure a
	// minute causes no wait.
	ofNetwork = Rule{Free: 50, Fade: time.Minute, Longest: time.Minute}
	ofSite    = Rule{Free: 500, Fade: 6 * time.Second, Longest: time.Minute}
	// The number of successes: 500 sign-ins, then one a second. A registration counts as
	// five sign-ins.
	ofWork      = Rule{Free: 500, Fade: time.Second, Longest: time.Minute}
	ofSiteWork  = Rule{Free: 2000, Fade: 250 * time.Millisecond, Longest: time.Minute}
	ofProofWork = Rule{Free: 20, Fade: time.Minute, Longest: time.Minute}
)

// RegistrationWeight is how many sign-ins a registration counts as.
const RegistrationWeight = 5

// Throttle counts attempts in a store. It is safe for concurrent use.
type Throttle struct {
	store   session.Attempts
	key     []byte // for the hashes that identify accounts and places
	timeout time.Duration
	life    time.Duration // after this time an attempt without an outcome counts as a failure
	now     func() time.Time
	memo    memo
	polls   polls
	recent  memo // places that have recently signed in through this process
	debts   debts
}

// New returns a Throttle that counts in store if store implements session.Attempts, and
// otherwise in the memory of this process. key must be secret. timeout limits how long
// each method waits for the store. An attempt that has no outcome when life has passed
// since its charge counts as a failure.
func New(store session.Store, key []byte, timeout, life time.Duration, now func() time.Time) *Throttle {
	t := &Throttle{key: key, timeout: timeout, life: life, now: now}
	if shared, ok := store.(session.Attempts); ok {
		t.store = shared
	} else {
		t.store = newMemory()
	}
	return t
}

// role is the role of a counter in an attempt.
type role int

const (
	account   role = iota // all places that have never signed in to the account
	device                // a browser that has signed in to the account
	former                // all places that signed in before the password was changed
	proofWork             // successes of a browser or a session
	link                  // a link that was made for the account
	signedIn              // a session of the account
	place                 // one network at the account
	network               // one network, at all accounts
	site                  // a wider network, at all accounts
	work                  // successes of a network
	siteWork              // successes of a wider network
)

// slot is a counter of an attempt, as it was loaded.
type slot struct {
	role role
	rule Rule
	key  []byte
	counter
	revision int64
}

// way is one way to allow an attempt. Each counter in gates can refuse the attempt. While
// the attempt is pending, it is charged to the counters in charged.
type way struct{ charged, gates []role }

// Standing returns an identifier that gives an attempt priority in a queue: the proof of
// its place, or the place itself if it has recently signed in through this process. It
// returns "" for an attempt without priority.
func (t *Throttle) Standing(p Place) string {
	if proof := p.Proof(); proof != "" {
		return proof
	}
	if placeKey, _ := t.memoKeys(p); p.Account != "" && t.recent.has(placeKey, t.now().UnixMilli()) {
		return placeKey
	}
	return ""
}

// Refused returns a [Refusal] if this process has just refused the same attempt, and nil
// otherwise. It does not ask the store, so it costs almost nothing.
func (t *Throttle) Refused(p Place) error {
	placeKey, networkKey := t.memoKeys(p)
	now := t.now().UnixMilli()
	wait := t.memo.wait(placeKey, now)
	switch {
	case wait > 0:
		t.polls.add(networkKey, now)
	case networkKey != "":
		// The network may have been refused, or other clients in it may poll. Polling does
		// not close the network to a place that has recently signed in.
		wait = t.memo.wait(networkKey, now)
		if !t.recent.has(placeKey, now) {
			wait = max(wait, t.polls.wait(networkKey, now))
		}
	}
	if wait > 0 {
		return Refusal{coarse(wait)}
	}
	return nil
}

// Charge charges an attempt. If it returns an error, the attempt must not be made. If the
// error is a [Refusal], nothing is charged. Any other error is from the store or from
// ctx. If the outcome of pending attempts decides, Charge waits for it, for at most 2
// seconds and at most half of the timeout of [New].
func (t *Throttle) Charge(ctx context.Context, p Place) (*Attempt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	a := &Attempt{t: t, place: p, slots: t.slotsOf(p)}
	_, _ = rand.Read(a.id[:])
	err := a.charge(ctx)
	switch err.(type) { //nolint:errorlint // charge does not wrap a Refusal
	case nil:
		return a, nil
	case Refusal:
	default:
		// The attempt may be charged, but no password is compared. So it is taken back when
		// its counters are loaded again.
		t.debts.owe(a)
	}
	return nil, err
}

// Attempt is a charged sign-in, which may be tried. The caller must then report its
// outcome once, by Fail, Forgive or Succeed. If this returns an error, the store has
// failed, and the attempt will count as a failure. If it was not a failure, the caller
// must call Owe.
type Attempt struct {
	t     *Throttle
	id    [8]byte
	place Place
	slots []*slot
	way   way
}

// slotsOf returns all counters that the attempt can need.
func (t *Throttle) slotsOf(p Place) (slots []*slot) {
	add := func(r role, rule Rule, label string, parts ...string) {
		slots = append(slots, &slot{role: r, rule: rule, key: t.digest(label, parts...)})
	}
	if p.Session != "" {
		add(signedIn, ofPlace, "session", p.Account, p.Session)
		add(proofWork, ofProofWork, "session work", p.Account, p.Session)
		return slots
	}
	if p.Account != "" {
		add(account, ofUnknownPlaces, "account", p.Account)
		add(place, ofNewPlace, "place", p.Account, p.Network)
		add(former, ofPlace, "former", p.Account)
	}
	if p.Device != "" {
		add(device, ofPlace, "device", p.Account, p.Device)
		add(proofWork, ofProofWork, "device work", p.Account, p.Device)
	}
	if p.Link != "" {
		add(link, ofPlace, "link", p.Account, p.Link)
	}
	add(network, ofNetwork, "network", p.Network)
	add(work, ofWork, "work", p.Network)
	if p.Site != "" {
		add(site, ofSite, "site", p.Site)
		add(siteWork, ofSiteWork, "site work", p.Site)
	}
	return slots
}

// ways returns the ways to allow the attempt, in the order in which they are tried. The
// first ones have their own counters. The last one uses the counter that all unknown
// places share, unless the network is known.
func (a *Attempt) ways(now int64) (ways []way) {
	switch {
	case a.place.Session != "":
		return []way{{charged: []role{signedIn}, gates: []role{signedIn, proofWork}}}
	case a.place.Account == "":
		return []way{{charged: []role{network}, gates: []role{network, site, work, siteWork}}}
	}
	if changed := a.slot(account).since; a.place.Device != "" {
		own := way{charged: []role{device}, gates: []role{device, proofWork}}
		if changed > 0 && a.place.Since.Unix() < changed/1000 {
			own = way{charged: []role{former}, gates: []role{former, proofWork}}
		}
		ways = append(ways, own)
	}
	if a.place.Link != "" {
		ways = append(ways, way{charged: []role{link}, gates: []role{link, work}})
	}
	// The counter of the network is a gate here too. Otherwise a client in a refused network
	// could find out which names have signed in from it.
	switch known, before := a.knownNetwork(now); {
	case before:
		return append(ways, way{charged: []role{former, network}, gates: []role{former, network, work}})
	case known:
		return append(ways, way{charged: []role{place, network}, gates: []role{place, network, work}})
	}
	return append(ways, way{charged: []role{account, place, network}, gates: []role{account, place, network, site, work, siteWork}})
}

const (
	// longestPatience limits the wait for pending attempts whose outcome matters.
	longestPatience = 2 * time.Second
	pause           = 20 * time.Millisecond
)

// patience leaves at least half of the timeout for the store.
func (t *Throttle) patience() time.Duration { return min(longestPatience, t.timeout/2) }

func (a *Attempt) charge(ctx context.Context) error {
	waited, patience := time.Duration(0), a.t.patience()
	for {
		if err := a.load(ctx, a.slots); err != nil {
			return err
		}
		now := a.t.now().UnixMilli()
		way, by, wait, busy := a.choose(now, waited < patience)
		switch {
		case busy:
			before := time.Now()
			if err := sleep(ctx, pause/2+mathrand.N(pause)); err != nil {
				return err
			}
			waited += time.Since(before)
		case by != nil:
			return a.refuse(ctx, by, max(wait, time.Second), now)
		default:
			stored, err := a.chargeOnce(ctx, way, now)
			if err != nil || stored {
				a.way = way
				return err
			}
		}
	}
}

// choose returns the first open way. If all ways are closed, by is the counter that closes
// the last one, and wait is for how long. If patient is true and a way depends on pending
// attempts, busy is true: the caller must wait and call choose again.
func (a *Attempt) choose(now int64, patient bool) (open way, by *slot, wait time.Duration, busy bool) {
	for _, w := range a.ways(now) {
		by, wait, busy = a.closed(w, now)
		if by == nil || busy && patient {
			return w, by, wait, busy && patient
		}
	}
	return way{}, by, wait, false
}

// closed returns the gate that is closed for the longest time, or nil if all gates are
// open. busy is true if only pending attempts close it.
func (a *Attempt) closed(w way, now int64) (by *slot, wait time.Duration, busy bool) {
	old := now + (a.t.life - a.t.patience()).Milliseconds()
	for _, r := range w.gates {
		s := a.slot(r)
		if s == nil || s.has(a.id) { // the attempt is charged there already
			continue
		}
		rest, blocked := s.rule.verdict(&s.counter, now, old)
		if rest > wait || blocked && by == nil {
			by, wait = s, rest
		}
	}
	return by, wait, by != nil && wait == 0
}

// chargeOnce tries once to store the charge. It returns false if another attempt changed a
// counter after this one loaded it.
func (a *Attempt) chargeOnce(ctx context.Context, w way, now int64) (stored bool, err error) {
	deadline := now + a.t.life.Milliseconds()
	left, err := a.swap(ctx, a.slots, func(s *slot) bool {
		switch {
		case !slices.Contains(w.charged, s.role):
			_, changed := s.forgive(a.id) // charged before for a way that is closed now
			return changed
		case s.has(a.id):
			return false
		}
		s.charge(a.id, deadline)
		return true
	})
	return len(left) == 0, err
}

// refuse takes back partial charges, and stores the refusal in this process.
func (a *Attempt) refuse(ctx context.Context, by *slot, wait time.Duration, now int64) error {
	err := a.update(ctx, a.slots, func(s *slot) bool {
		_, changed := s.forgive(a.id)
		return changed
	})
	if err != nil {
		a.t.debts.owe(a)
	}
	placeKey, networkKey := a.t.memoKeys(a.place)
	ofAll := by.role == network || by.role == site || by.role == work || by.role == siteWork
	if ofAll && networkKey != "" {
		a.t.memo.add(networkKey, now, wait)
	} else {
		a.t.memo.add(placeKey, now, wait)
		a.t.polls.add(networkKey, now)
	}
	return Refusal{coarse(wait)}
}

// Fail counts the attempt as a failure.
func (a *Attempt) Fail(ctx context.Context) error {
	return a.settle(ctx, func(s *slot, now int64) bool {
		changed := s.rule.fail(&s.counter, a.id, now)
		if s.role == site && slices.Contains(a.way.gates, site) {
			s.rule.add(&s.counter, 1, now)
			changed = true
		}
		return changed
	})
}

// Forgive takes the attempt back. It is for an attempt in which no password was compared,
// for instance because the store did not answer.
func (a *Attempt) Forgive(ctx context.Context) error {
	return a.settle(ctx, func(s *slot, _ int64) bool {
		_, changed := s.forgive(a.id)
		return changed
	})
}

// Succeed resets the failures of the place, and makes its network a known network of
// owner. owner is Place.Account, or the new account of a registration. Of the network's
// own counter it only takes back the charge, because otherwise an attacker could reset
// the counter by signing in to another account. The success counts weight times as work
// of the network.
func (a *Attempt) Succeed(ctx context.Context, owner string, weight int) error {
	if a.place.Account == "" && owner != "" {
		a.place.Account = owner
		a.slots = append(a.slots, &slot{role: account, rule: ofUnknownPlaces, key: a.t.digest("account", owner)})
	}
	ran := work
	if slices.Contains(a.way.gates, proofWork) {
		ran = proofWork
	}
	if a.place.Network != "" {
		placeKey, _ := a.t.memoKeys(a.place.withoutProof())
		a.t.recent.add(placeKey, a.t.now().UnixMilli(), recentLife)
	}
	return a.settle(ctx, func(s *slot, now int64) (changed bool) {
		switch s.role {
		case device, place, link, signedIn, former:
			changed = s.rule.succeed(&s.counter, a.id, now)
		default:
			_, changed = s.forgive(a.id)
		}
		if s.role == account && a.learns(s) {
			changed = s.learn(a.tag(), now) || changed
		}
		if s.role == ran || s.role == siteWork && ran == work {
			s.rule.add(&s.counter, weight, now)
			changed = true
		}
		return changed
	})
}

// Changed records that the password of the account owner was changed. An attacker who
// knew the old password may use one of the known places, so all of them share one counter
// until they sign in with the new password. network is the network of the request that
// changed the password, or "". It keeps its own counter.
func (t *Throttle) Changed(ctx context.Context, owner, network string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
	defer cancel()
	a := &Attempt{t: t, place: Place{Account: owner, Network: network}}
	a.slots = []*slot{{role: account, rule: ofUnknownPlaces, key: t.digest("account", owner)}}
	if err := a.load(ctx, a.slots); err != nil {
		return err
	}
	now := t.now().UnixMilli()
	return a.update(ctx, a.slots, func(s *slot) bool {
		s.change(now)
		if network != "" {
			s.learn(a.tag(), now)
		}
		return true
	})
}

// learns reports whether the success makes the network known. A known browser does not
// need a known network, and would displace the other networks when it moves. A client
// without a known address has no network.
func (a *Attempt) learns(s *slot) bool {
	known := s.indexOf(a.tag()) >= 0
	return a.place.Network != "" && (known || a.place.Device == "")
}

// settle stores an outcome, even if the client has disconnected, because the attempt was
// made.
func (a *Attempt) settle(ctx context.Context, change func(s *slot, now int64) bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.t.timeout)
	defer cancel()
	now := a.t.now().UnixMilli()
	err := a.update(ctx, a.slots, func(s *slot) bool { return change(s, now) })
	withProof, _ := a.t.memoKeys(a.place)
	without, _ := a.t.memoKeys(a.place.withoutProof())
	a.t.memo.forget(withProof, without)
	return err
}

// Owe is for an attempt that was not a failure, if its outcome could not be stored. The
// attempt is taken back when this process loads its counters again.
func (a *Attempt) Owe() { a.t.debts.owe(a) }

func (a *Attempt) slot(r role) *slot {
	for _, s := range a.slots {
		if s.role == r {
			return s
		}
	}
	return nil
}

// knownNetwork reports whether the network has signed in to the account, and
// whether that was before the password was changed.
func (a *Attempt) knownNetwork(now int64) (known, before bool) {
	s := a.slot(account)
	if s == nil || a.slot(place) == nil || a.place.Network == "" {
		return false, false
	}
	return s.knows(a.tag(), now)
}

// tag identifies the network in the counter of the account.
func (a *Attempt) tag() (tag [8]byte) {
	copy(tag[:], a.t.digest("known", a.place.Account, a.place.Network))
	return tag
}

// load reads slots from the store, counts overdue attempts and takes back owed ones.
func (a *Attempt) load(ctx context.Context, slots []*slot) error {
	keys := make([][]byte, len(slots))
	for i, s := range slots {
		keys[i] = s.key
	}
	records, err := a.t.store.LoadAttempts(ctx, keys)
	if err != nil {
		return err
	}
	for i, s := range slots {
		if s.counter, err = decode(records[i].Value); err != nil {
			return err
		}
		s.revision = records[i].Revision
	}
	now := a.t.now().UnixMilli()
	if known, _ := a.knownNetwork(now); known {
		a.slot(place).rule = ofPlace
	}
	for _, s := range slots {
		s.rule.settleOverdue(&s.counter, now)
		a.t.debts.pay(s, now)
	}
	return nil
}

// update changes slots until each change is stored.
func (a *Attempt) update(ctx context.Context, slots []*slot, change func(*slot) bool) error {
	for {
		left, err := a.swap(ctx, slots, change)
		if err != nil || len(left) == 0 {
			return err
		}
		slots = left
		if err := a.load(ctx, slots); err != nil {
			return err
		}
	}
}

// swap stores the slots that change reports as changed. It returns those that are not
// stored because another attempt has changed them; the caller must load them again.
func (a *Attempt) swap(ctx context.Context, slots []*slot, change func(*slot) bool) (left []*slot, err error) {
	var changed []*slot
	var swaps []session.AttemptSwap
	for _, s := range slots {
		if change(s) {
			changed = append(changed, s)
			swaps = append(swaps, session.AttemptSwap{Key: s.key, Old: s.revision, Record: session.AttemptRecord{
				Revision: 1 + mathrand.Int64N(math.MaxInt64), Expires: s.rule.expires(&s.counter), Value: s.encode(),
			}})
		}
	}
	if len(swaps) == 0 {
		return nil, nil
	}
	stored, err := a.t.store.SwapAttempts(ctx, swaps)
	if dberr.IsTransient(err) { // the store rolled it back because of concurrent attempts
		return changed, sleep(ctx, mathrand.N(pause))
	}
	if err != nil {
		return nil, err
	}
	for i, s := range changed {
		if stored[i] {
			s.revision = swaps[i].Record.Revision
		} else {
			left = append(left, s)
		}
	}
	return left, nil
}

// digest is keyed, so that a leaked table does not reveal accounts and their networks.
func (t *Throttle) digest(label string, parts ...string) []byte {
	return digest(t.key, label, parts...)
}

func digest(key []byte, label string, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range append([]string{label}, parts...) {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// coarse returns the wait that is sent to the client. It has coarse steps and a random
// addition, so that polling reveals little. It is never shorter than wait, except that
// all waits of more than an hour look the same.
func coarse(wait time.Duration) time.Duration {
	steps := []time.Duration{1, 2, 5, 10, 20, 30, 60, 2 * 60, 5 * 60, 10 * 60, 15 * 60, 30 * 60}
	rounded := time.Hour
	for _, step := range steps {
		if wait <= step*time.Second {
			rounded = step * time.Second
			break
		}
	}
	return rounded + mathrand.N(rounded/4/time.Second+1)*time.Second
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
