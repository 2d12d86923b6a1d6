// Package throttle slows down the guessing of passwords without locking owners out.
//
// It counts failed sign-ins by place. A place is where an attempt comes from: a
// browser that has a device mark, a network, a link from a mail. A place that has
// signed in to the account before has its own counter, so attackers elsewhere
// cannot lock the owner out there. All other places share one budget for the
// account, and each network has a budget for all accounts.
//
// An attempt is charged under its own identifier before the password is compared,
// and gets an outcome afterwards. Only a charged attempt can be taken back, and
// only this one. An attempt without a known outcome counts as a failure.
//
// It counts attempts on names, not on rows, so it does not reveal whether an
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

// Place is where a sign-in comes from. The strings may be borrowed: the throttle
// does not keep them.
type Place struct {
	Account string    // kind and name, in one form; "" for a registration
	Device  string    // identifier of a browser that has signed in to the account, "" if there is none
	Since   time.Time // when the browser signed in last
	Link    string    // identifier of a link that was made for the account, "" if there is none
	Session string    // session of a request that is signed in to the account and confirms its password
	Network string    // address of the client, or the network that only this client uses
	Site    string    // wider network, "" if there is none
}

// Proof returns the identifier by which the account may know the place, "" if there
// is none. The proof may be out of date: the account may have forgotten the
// browser.
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

// Refusal is the error of an attempt that must wait.
type Refusal struct{ Wait time.Duration }

func (Refusal) Error() string { return "fiberjwt: too many attempts" }

// The rules. Budgets follow NIST SP 800-63B-4 §3.2.2, which allows 100 failures:
// 50 at once and one more in each 15 hours are at most 98 in 30 days.
var (
	ofPlace = Rule{Free: 5, Fade: time.Hour, Longest: 15 * time.Minute, Budget: 50, Spread: 15 * time.Hour}
	// A network that has never signed in to the account may use only a part of the
	// shared budget.
	ofNewPlace = Rule{Free: 5, Fade: 4 * time.Hour, Longest: 12 * time.Hour}
	ofStranger = Rule{Free: 5, Fade: time.Hour, Longest: time.Hour, Budget: 50, Spread: 15 * time.Hour}
	// Many users share a network, and some of them mistype all the time. One failure a
	// minute is free.
	ofNetwork = Rule{Free: 50, Fade: time.Minute, Longest: time.Minute}
	ofSite    = Rule{Free: 500, Fade: 6 * time.Second, Longest: time.Minute}
	// Successes: 500 sign-ins, then one a second; a registration counts for five.
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
	friends memo // places that have recently signed in to this process
	debts   debts
}

// New returns a Throttle that counts in store if that is a session.Attempts, else
// in the memory of this process. timeout limits each wait for the store. key must
// be secret. An attempt must have its outcome within life of its charge.
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
	account   role = iota // all places that the account does not know
	device                // a browser that the account knows
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

// way is one way to allow an attempt. Each counter in gates can refuse it. While it
// is pending, it is charged to the counters in charged.
type way struct{ charged, gates []role }

// Standing returns what gives an attempt an advantage in a queue: the proof of its
// place, or a recent sign-in from the same place to this process. It returns "" if
// the attempt has neither.
func (t *Throttle) Standing(p Place) string {
	if proof := p.Proof(); proof != "" {
		return proof
	}
	if placeKey, _ := t.memoKeys(p); p.Account != "" && t.friends.has(placeKey, t.now().UnixMilli()) {
		return placeKey
	}
	return ""
}

// Refused refuses attempts without asking the store, because this process has just
// refused the same ones. It costs almost nothing.
func (t *Throttle) Refused(p Place) error {
	placeKey, networkKey := t.memoKeys(p)
	now := t.now().UnixMilli()
	wait := t.memo.wait(placeKey, now)
	switch {
	case wait > 0:
		t.polls.add(networkKey, now)
	case networkKey != "":
		// It may be a client that asks again and again, or tries many names. A place
		// that has recently signed in is not refused for that.
		wait = t.memo.wait(networkKey, now)
		if !t.friends.has(placeKey, now) {
			wait = max(wait, t.polls.wait(networkKey, now))
		}
	}
	if wait > 0 {
		return Refusal{coarse(wait)}
	}
	return nil
}

// Charge charges an attempt. If the error is a [Refusal], nothing is charged. Any
// other error is that of the store, and the attempt must not be made either. Charge
// waits for pending attempts if their outcome matters.
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
		// It may be charged. No password is compared, so it is taken back the next time
		// the same keys are loaded.
		t.debts.owe(a)
	}
	return nil, err
}

// Attempt is a sign-in that may be tried. Call one of Fail, Forgive and Succeed
// once, for its outcome. Their error is that of the store, and then the attempt
// will count as a failure. If the outcome is not a failure, call Owe then.
type Attempt struct {
	t     *Throttle
	id    [8]byte
	place Place
	slots []*slot
	way   way
}

// slotsOf returns the counters that can matter.
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
		add(account, ofStranger, "account", p.Account)
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

// ways returns the ways that are tried in turn. The first ones have their own
// counters; the last one uses the counter that all unknown places share.
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
	// The counter of the network is a gate here too. Otherwise a refused network would
	// reveal which names have signed in from it.
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

// patience leaves time for the answer.
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

// choose returns the first way that is open. If none is, it returns the counter
// that closes the last one, and for how long. While patient is true, a way that
// depends on pending attempts makes it busy: wait and ask again.
func (a *Attempt) choose(now int64, patient bool) (open way, by *slot, wait time.Duration, busy bool) {
	for _, w := range a.ways(now) {
		by, wait, busy = a.closed(w, now)
		if by == nil || busy && patient {
			return w, by, wait, busy && patient
		}
	}
	return way{}, by, wait, false
}

// closed returns the gate that is closed for the longest time, nil if all are open.
// busy says that only pending attempts close it.
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

// chargeOnce returns false if another attempt changed a counter meanwhile.
func (a *Attempt) chargeOnce(ctx context.Context, w way, now int64) (stored bool, err error) {
	dies := now + a.t.life.Milliseconds()
	left, err := a.swap(ctx, a.slots, func(s *slot) bool {
		switch {
		case !slices.Contains(w.charged, s.role):
			_, changed := s.forgive(a.id) // it was charged for a way that is closed now
			return changed
		case s.has(a.id):
			return false
		}
		s.charge(a.id, dies)
		return true
	})
	return len(left) == 0, err
}

// refuse takes back partial charges, and remembers the refusal.
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

// Forgive takes the attempt back: no password was compared, for instance because
// the store did not answer.
func (a *Attempt) Forgive(ctx context.Context) error {
	return a.settle(ctx, func(s *slot, _ int64) bool {
		_, changed := s.forgive(a.id)
		return changed
	})
}

// Succeed forgets the failures of the place, and makes its network known to owner,
// which is Place.Account except for a registration. The network only gets its
// charge back: otherwise an attacker could clear its failures by signing in to
// another account. The success counts weight times as work of the network.
func (a *Attempt) Succeed(ctx context.Context, owner string, weight int) error {
	if a.place.Account == "" && owner != "" {
		a.place.Account = owner
		a.slots = append(a.slots, &slot{role: account, rule: ofStranger, key: a.t.digest("account", owner)})
	}
	ran := work
	if slices.Contains(a.way.gates, proofWork) {
		ran = proofWork
	}
	if a.place.Network != "" {
		placeKey, _ := a.t.memoKeys(a.place.withoutProof())
		a.t.friends.add(placeKey, a.t.now().UnixMilli(), friendLife)
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

// Changed records that the password of an account was changed. An attacker who knew
// the old password may be among the places that the account knows, so all of them
// share a counter until they sign in with the new password. The network of the
// request that changed the password, if given, keeps its own counter.
func (t *Throttle) Changed(ctx context.Context, owner, network string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.timeout)
	defer cancel()
	a := &Attempt{t: t, place: Place{Account: owner, Network: network}}
	a.slots = []*slot{{role: account, rule: ofStranger, key: t.digest("account", owner)}}
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

// learns reports whether the success makes the network known. A known browser needs
// no known network, and would displace other networks if it moves around. A client
// without a known address has no network.
func (a *Attempt) learns(s *slot) bool {
	known := s.place(a.tag()) >= 0
	return a.place.Network != "" && (known || a.place.Device == "")
}

// settle runs even if the client has disconnected: the attempt was made.
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

// Owe is for an attempt whose outcome is not a failure and could not be stored: it
// is taken back when this process loads its counters again.
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

// load reads slots.
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
		s.rule.settleDead(&s.counter, now)
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

// swap stores the slots that change reports as changed. It returns those that are
// not stored because another attempt has changed them: the caller loads them again.
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

// digest is keyed, so that a leaked table does not reveal who signs in from where.
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

// coarse returns the wait that the client is told. It has coarse steps and random
// additions, so that polling reveals little. It is never shorter than wait, except
// that all waits of more than an hour look the same.
func coarse(wait time.Duration) time.Duration {
	steps := []time.Duration{1, 2, 5, 10, 20, 30, 60, 2 * 60, 5 * 60, 10 * 60, 15 * 60, 30 * 60}
	told := time.Hour
	for _, step := range steps {
		if wait <= step*time.Second {
			told = step * time.Second
			break
		}
	}
	return told + mathrand.N(told/4/time.Second+1)*time.Second
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
