// Package throttle slows down the guessing of passwords without locking owners out.
//
// It counts failed sign-ins by place. A place is where an attempt comes from: a
// browser that holds a device mark, a network, a link from a mail. A place that
// has signed in to the account before has a counter of its own, so what strangers
// do elsewhere cannot keep the owner out there. All other places share one budget
// for the account, and each network has a budget for all accounts.
//
// An attempt is charged under an identifier of its own before the password is
// looked at, and gets an outcome afterwards. Only an attempt that is charged can be
// taken back, and only that one. What is not known to have happened counts as a
// failure.
//
// It counts attempts on names, not on rows, so nothing tells whether an account
// exists.
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

// Place is where a sign-in comes from. The strings may be borrowed: nothing is
// kept of them.
type Place struct {
	Account string    // kind and name, in one form; "" for a registration
	Device  string    // identifier of a browser that has signed in to the account, "" if there is none
	Since   time.Time // when the browser signed in last
	Link    string    // identifier of a link that was made for the account, "" if there is none
	Session string    // session of a request that is signed in to the account: only the password is asked again
	Network string    // address of the client, or the network that it has to itself
	Site    string    // wider network, "" if there is none
}

// Proof is the identifier by which the place may be known, "" if it has none.
// It need not be true: the account may have forgotten the browser.
func (p Place) Proof() string {
	for _, proof := range []string{p.Device, p.Link, p.Session} {
		if proof != "" {
			return p.Account + "\x00" + proof
		}
	}
	return ""
}

// withoutProof is the same account from the same network.
func (p Place) withoutProof() Place { return Place{Account: p.Account, Network: p.Network} }

// Refusal is the error of an attempt that has to wait.
type Refusal struct{ Wait time.Duration }

func (Refusal) Error() string { return "fiberjwt: too many attempts" }

// The rules. Budgets follow NIST SP 800-63B-4 §3.2.2, which allows 100 failures:
// 50 at once and one more in each 15 hours are at most 98 in 30 days.
var (
	ofPlace = Rule{Free: 5, Fade: time.Hour, Longest: 15 * time.Minute, Budget: 50, Spread: 15 * time.Hour}
	// A network that has never signed in to the account may use up only a part of
	// what all of them share.
	ofNewPlace = Rule{Free: 5, Fade: 4 * time.Hour, Longest: 12 * time.Hour}
	ofStranger = Rule{Free: 5, Fade: time.Hour, Longest: time.Hour, Budget: 50, Spread: 15 * time.Hour}
	// Many people share a network, and some of them are always mistyping. One
	// failure a minute costs nothing.
	ofNetwork = Rule{Free: 50, Fade: time.Minute, Longest: time.Minute}
	ofSite    = Rule{Free: 500, Fade: 6 * time.Second, Longest: time.Minute}
	// Successes: 500 sign-ins, then one a second; a registration counts for five.
	ofWork      = Rule{Free: 500, Fade: time.Second, Longest: time.Minute}
	ofSiteWork  = Rule{Free: 2000, Fade: 250 * time.Millisecond, Longest: time.Minute}
	ofProofWork = Rule{Free: 20, Fade: time.Minute, Longest: time.Minute}
)

// RegistrationWeight is how many sign-ins a registration counts for.
const RegistrationWeight = 5

// Throttle counts attempts in a store. It is safe for concurrent use.
type Throttle struct {
	store   session.Attempts
	key     []byte // of the hashes that stand for accounts and places
	timeout time.Duration
	life    time.Duration // an attempt without an outcome counts as a failure after this
	now     func() time.Time
	memo    memo
	polls   polls
	friends memo // places that have signed in to this process lately
	debts   debts
}

// New counts in store if that is a session.Attempts, else in the memory of this
// process. timeout bounds what an attempt waits for the store each time; key is
// secret; an attempt is over within life of its charge.
func New(store session.Store, key []byte, timeout, life time.Duration, now func() time.Time) *Throttle {
	t := &Throttle{key: key, timeout: timeout, life: life, now: now}
	if shared, ok := store.(session.Attempts); ok {
		t.store = shared
	} else {
		t.store = newMemory()
	}
	return t
}

// role of a counter in an attempt.
type role int

const (
	account   role = iota // places that the account does not know, together
	device                // a browser that the account knows
	former                // places that signed in before the password was changed, together
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

// way is one way to let an attempt through. Each of the counters in gates may
// refuse it; while it is under way, it is charged to those in charged.
type way struct{ charged, gates []role }

// Standing is what gives an attempt an advantage over strangers in a queue: the
// proof of its place, or a sign-in from the same place to this process lately. It is
// "" for a stranger.
func (t *Throttle) Standing(p Place) string {
	if proof := p.Proof(); proof != "" {
		return proof
	}
	if placeKey, _ := t.memoKeys(p); p.Account != "" && t.friends.has(placeKey, t.now().UnixMilli()) {
		return placeKey
	}
	return ""
}

// Refused refuses attempts that need no look at the store, because this process
// has just refused the same ones. It costs next to nothing.
func (t *Throttle) Refused(p Place) error {
	placeKey, networkKey := t.memoKeys(p)
	now := t.now().UnixMilli()
	wait := t.memo.wait(placeKey, now)
	switch {
	case wait > 0:
		t.polls.add(networkKey, now)
	case networkKey != "":
		// It may be a client that asks again and again, or tries one name after the
		// other. A place that has signed in lately does not pay for it.
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

// Charge notes an attempt. Its error is a [Refusal], and then nothing is charged;
// or it is that of the store, and then the attempt must not be made either. It
// waits for attempts that are under way if their outcome decides.
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
		// It may be charged. No password is compared, so it is taken back when
		// the store is asked about the same keys the next time.
		t.debts.owe(a)
	}
	return nil, err
}

// Attempt is a sign-in that may be tried. Call Fail, Forgive or Succeed once, for
// its outcome. Their error is that of the store, and then the attempt will count as
// a failure; call Owe if it is none.
type Attempt struct {
	t     *Throttle
	id    [8]byte
	place Place
	slots []*slot
	way   way
}

// slotsOf are the counters that may have a say.
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

// ways are tried in turn. The first have counters of their own; the last has the
// one that all strangers share.
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
	// The counter of the network is a gate here too. If it were not, a network that
	// is closed would show which names have signed in from it.
	switch known, before := a.knownNetwork(now); {
	case before:
		return append(ways, way{charged: []role{former, network}, gates: []role{former, network, work}})
	case known:
		return append(ways, way{charged: []role{place, network}, gates: []role{place, network, work}})
	}
	return append(ways, way{charged: []role{account, place, network}, gates: []role{account, place, network, site, work, siteWork}})
}

const (
	// longestPatience with attempts that are under way, whose outcome decides.
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

// choose gives the first way that is open; or by which counter the last one is
// closed, and for how long. While the caller is patient, a way that depends on
// attempts which are under way makes it busy: wait and ask again.
func (a *Attempt) choose(now int64, patient bool) (open way, by *slot, wait time.Duration, busy bool) {
	for _, w := range a.ways(now) {
		by, wait, busy = a.closed(w, now)
		if by == nil || busy && patient {
			return w, by, wait, busy && patient
		}
	}
	return way{}, by, wait, false
}

// closed gives the gate of a way that is closed for longest, nil if all are open.
// busy says that it is only closed by attempts that are under way.
func (a *Attempt) closed(w way, now int64) (by *slot, wait time.Duration, busy bool) {
	old := now + (a.t.life - a.t.patience()).Milliseconds()
	for _, r := range w.gates {
		s := a.slot(r)
		if s == nil || s.has(a.id) { // this attempt is charged there already
			continue
		}
		rest, blocked := s.rule.verdict(&s.counter, now, old)
		if rest > wait || blocked && by == nil {
			by, wait = s, rest
		}
	}
	return by, wait, by != nil && wait == 0
}

// chargeOnce is false if another attempt came between.
func (a *Attempt) chargeOnce(ctx context.Context, w way, now int64) (stored bool, err error) {
	dies := now + a.t.life.Milliseconds()
	left, err := a.swap(ctx, a.slots, func(s *slot) bool {
		switch {
		case !slices.Contains(w.charged, s.role):
			_, changed := s.forgive(a.id) // of a way that has closed since
			return changed
		case s.has(a.id):
			return false
		}
		s.charge(a.id, dies)
		return true
	})
	return len(left) == 0, err
}

// refuse takes back what was charged in parts, and remembers the refusal.
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

// Forgive takes the attempt back: no password was compared, say because the store
// did not answer.
func (a *Attempt) Forgive(ctx context.Context) error {
	return a.settle(ctx, func(s *slot, _ int64) bool {
		_, changed := s.forgive(a.id)
		return changed
	})
}

// Succeed forgets the failures of the place, and makes its network known to
// account, which is Place.Account but for a registration. The network only gets
// its charge back: an attacker would clear it by signing in to an account of its
// own. The success itself counts weight times as work of the network.
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

// Changed notes that the password of an account was changed. One who knew the old
// password may be among the places that the account knows, so they share a counter
// from now on, until they sign in with the new one. The network of the request that
// changed it keeps its own, if there is one.
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

// learns reports whether the success makes the network known. A browser that is
// known needs no network, and would crowd out others where it moves about; clients
// whose address is not known have no network.
func (a *Attempt) learns(s *slot) bool {
	known := s.place(a.tag()) >= 0
	return a.place.Network != "" && (known || a.place.Device == "")
}

// settle is done even if the client has gone: the attempt was made.
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

// Owe is for an attempt whose outcome is not a failure and could not be stored:
// it is taken back when this process reads its counters again.
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

// tag stands for the network in the counter of the account.
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

// swap stores the slots that change reports as changed, and returns those of them
// that are not stored because another attempt has changed them: load them again.
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
	if dberr.IsTransient(err) { // the store has undone it, because others do the same
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

// digest is keyed, so a leaked table does not tell who signs in from where.
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

// coarse is what a client is told to wait, in steps that grow with the wait and
// not the same for all, so that polling finds out little. It is never less than
// wait, except that all waits of more than an hour look alike.
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
