package process

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/dialect"
)

// kills returns the number of rounds.
func kills(t *testing.T) int {
	text := os.Getenv("FIBERJWT_KILLS")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "FIBERJWT_KILLS is not a number")
	return n
}

// standing is what a client knows about one of its sessions.
type standing int

const (
	in      standing = iota // signed in
	out                     // signed out: the logout was answered
	leaving                 // unknown: the logout was not answered
)

type device struct {
	tokens
	standing standing
}

// person is one account and its clients, which send one request at a time.
type person struct {
	client
	t        *testing.T
	email    string
	password string
	wanted   string  // a change of password that was not answered, or ""
	changing *device // sent the change, so its session continues in any case
	unsure   bool    // the registration was not answered
	devices  []*device
}

// tally counts requests that were answered, and those that a kill cut off.
type tally struct {
	answered, cut [operations]atomic.Int64
}

const (
	register = iota
	login
	refresh
	logout
	change
	operations
)

// await returns when more requests that hash a password were answered. So on a slow
// machine, too, kills hit requests before, during and after the commit.
func (y *tally) await(more int64) {
	hashed := func() int64 {
		return y.answered[register].Load() + y.answered[login].Load() + y.answered[change].Load()
	}
	enough, deadline := hashed()+more, time.Now().Add(3*time.Second)
	for hashed() < enough && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
}

func (y *tally) String() string {
	text := ""
	for i, name := range [operations]string{"register", "login", "refresh", "logout", "password"} {
		text += fmt.Sprintf("  %s %d answered, %d cut off", name, y.answered[i].Load(), y.cut[i].Load())
	}
	return text
}

func TestKill9LosesNoAnsweredRequest(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { killRounds(t, sqliteDatabase(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { killRounds(t, postgresDatabase(t)) })
	t.Run("MariaDB", func(t *testing.T) { killRounds(t, mariaDatabase(t)) })
	t.Run("MySQL", func(t *testing.T) { killRounds(t, mysqlDatabase(t)) })
}

func killRounds(t *testing.T, d database) {
	const count = 5
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)

	p := d.startServer(t, "-secret", secretA)
	people := seedPeople(t, d, p, count)
	var counted tally
	rounds := kills(t)
	for round := range rounds {
		var working sync.WaitGroup
		for i, someone := range people {
			source := rand.New(rand.NewPCG(seed, uint64(round*count+i+1)))
			working.Go(func() { someone.work(p.base, source, &counted) })
		}
		newcomer := &person{client: newClient(), t: t, email: fmt.Sprintf("new%d@example.com", round), password: password}
		working.Go(func() { newcomer.join(p.base, &counted) })
		counted.await(random.Int64N(6))
		time.Sleep(time.Duration(random.Int64N(int64(80 * time.Millisecond)))) // the random moment of the kill
		p.kill()
		working.Wait()
		if t.Failed() {
			t.Fatalf("round %d of seed %d: %s", round, seed, p.stderr)
		}
		d.settle(t)
		// A request whose answer was lost is repeated within the grace period, after it, or
		// long after it.
		d.age(t, []time.Duration{0, 45 * time.Second, 10 * time.Minute}[random.IntN(3)])
		d.exec(t, "DELETE FROM fiberjwt_throttle") // as if the waiting time had passed after charges that a kill did not refund

		p = d.startServer(t, "-secret", secretA)
		for _, someone := range append(slices.Clone(people), newcomer) {
			working.Go(func() { someone.check(p.base) })
		}
		working.Wait()
		if t.Failed() {
			t.Fatalf("after round %d of seed %d: %s", round, seed, p.stderr)
		}
		people[random.IntN(count)] = newcomer
	}
	p.kill()
	d.settle(t)
	require.Zero(t, d.number(t, "SELECT count(*) FROM fiberjwt_sessions WHERE subject NOT IN (SELECT "+d.text("id")+" FROM users)"),
		"a session without an account")
	if d.db.Dialect().Name() == dialect.SQLite {
		var verdict string
		require.NoError(t, d.db.NewRaw("PRAGMA integrity_check").Scan(t.Context(), &verdict))
		require.Equal(t, "ok", verdict)
	}
	t.Logf("%d kills:%s", rounds, &counted)
}

// text returns the SQL for a column as text, as sessions store it.
func (d database) text(column string) string {
	if d.db.Dialect().Name() == dialect.MySQL {
		return "CAST(" + column + " AS CHAR)"
	}
	return "CAST(" + column + " AS TEXT)"
}

// seedPeople registers an account, stores others with its hash, and signs each in once.
func seedPeople(t *testing.T, d database, p *process, count int) []*person {
	t.Helper()
	people := make([]*person, count)
	for i := range people {
		people[i] = &person{client: newClient(), t: t, email: fmt.Sprintf("seed%d@example.com", i), password: password}
		if i == 0 {
			r := answered(t)(people[0].register(p.base, people[0].email, password))
			require.Equal(t, 201, r.status, r.text)
		} else {
			d.exec(t, "INSERT INTO users (email, bio, password_hash) SELECT ?, '', password_hash FROM users WHERE email = ?",
				people[i].email, people[0].email)
		}
		r := answered(t)(people[i].login(p.base, people[i].email, password))
		require.Equal(t, 200, r.status, r.text)
		people[i].devices = []*device{{tokens: tokens{}.keep(r)}}
	}
	return people
}

// work sends requests until one gets no answer.
func (s *person) work(base string, random *rand.Rand, y *tally) {
	for s.act(base, random, y) {
	}
}

func (s *person) act(base string, random *rand.Rand, y *tally) (answered bool) {
	i := slices.IndexFunc(s.devices, func(d *device) bool { return d.standing == in })
	n := random.IntN(20)
	switch {
	case i < 0 || n < 1 && len(s.devices) < 4:
		return s.signIn(base, y)
	case n < 3:
		r, err := s.logout(base, s.devices[i].access)
		s.devices[i].standing = leaving
		return s.record(y, logout, r, err, 204, func() { s.devices[i].standing = out })
	case n < 6:
		return s.renewPassword(base, s.devices[i], random, y)
	}
	r, err := s.refresh(base, s.devices[i].refresh)
	return s.record(y, refresh, r, err, 200, func() { s.devices[i].tokens = s.devices[i].keep(r) })
}

func (s *person) signIn(base string, y *tally) bool {
	r, err := s.login(base, s.email, s.password)
	return s.record(y, login, r, err, 200, func() { s.devices = append(s.devices, &device{tokens: tokens{}.keep(r)}) })
}

func (s *person) renewPassword(base string, on *device, random *rand.Rand, y *tally) bool {
	s.wanted, s.changing = fmt.Sprintf("another pony, number %d", random.Uint64()), on
	r, err := s.changePassword(base, on.access, s.password, s.wanted)
	return s.record(y, change, r, err, 204, s.changed)
}

// changed notes that every session ended, except the one that changed the password.
func (s *person) changed() {
	s.password, s.wanted = s.wanted, ""
	for _, d := range s.devices {
		if d != s.changing {
			d.standing = out
		}
	}
}

// join registers.
func (s *person) join(base string, y *tally) {
	s.unsure = true
	r, err := s.register(base, s.email, s.password)
	s.record(y, register, r, err, 201, func() {
		s.unsure = false
		s.devices = []*device{{tokens: tokens{}.keep(r)}}
	})
}

// record notes the answer to a request. Its status must be want, unless there was no
// answer.
func (s *person) record(y *tally, operation int, r reply, err error, want int, then func()) bool {
	if err != nil {
		y.cut[operation].Add(1)
		return false
	}
	if r.status != want {
		s.t.Errorf("%s: operation %d: %d %s", s.email, operation, r.status, r.text)
		return false
	}
	y.answered[operation].Add(1)
	then()
	return true
}

// check compares the service after a restart with its earlier answers, and resolves what
// was unknown.
func (s *person) check(base string) {
	if s.unsure {
		s.checkRegistration(base)
	}
	if s.wanted != "" {
		s.checkPassword(base)
	}
	for _, d := range s.devices {
		s.checkDevice(d, base)
	}
	// Two ended sessions are kept, and checked again after the next kill.
	ended := 0
	s.devices = slices.DeleteFunc(s.devices, func(d *device) bool {
		if d.standing == out {
			ended++
		}
		return d.standing == out && ended > 2
	})
}

// checkRegistration requires that the account exists completely or not at all.
func (s *person) checkRegistration(base string) {
	r, err := s.login(base, s.email, s.password)
	if err == nil && r.status == 401 {
		r, err = s.register(base, s.email, s.password)
		s.expect("an account that cannot sign in is gone", r, err, 201)
	} else {
		s.expect("an account whose registration was not answered", r, err, 200)
	}
	s.unsure = false
	s.devices = []*device{{tokens: tokens{}.keep(r)}}
}

// checkPassword requires that either the old password is valid and every session
// continues, or the new one is valid and only the session that changed it continues.
func (s *person) checkPassword(base string) {
	byNew, err := s.login(base, s.email, s.wanted)
	if err == nil && byNew.status == 401 {
		s.wanted = ""
		byOld, err := s.login(base, s.email, s.password)
		s.expect("the old password, because the new one is invalid", byOld, err, 200)
		return
	}
	s.expect("the new password", byNew, err, 200)
	byOld, err := s.login(base, s.email, s.password)
	s.expect("the old password, because the new one is valid", byOld, err, 401)
	s.changed()
}

func (s *person) checkDevice(d *device, base string) {
	me, err := s.me(base, d.access)
	if d.standing == leaving && err == nil {
		d.standing = out
		if me.status == 200 {
			d.standing = in
		}
	}
	want := 200
	if d.standing == out {
		want = 401
	}
	s.expect("an access token", me, err, want)
	r, err := s.refresh(base, d.refresh)
	s.expect("a refresh token", r, err, want)
	if d.standing == in {
		d.tokens = d.keep(r)
		me, err = s.me(base, d.access)
		s.expect("the refreshed access token", me, err, 200)
	}
}

func (s *person) expect(what string, r reply, err error, want int) {
	if err != nil || r.status != want {
		s.t.Errorf("%s, %s: want %d, got %d %s %v", s.email, what, want, r.status, r.text, err)
	}
}
