package process

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fleet is a client that sends its requests to several processes in turn.
type fleet struct {
	client
	bases []atomic.Pointer[string]
	turn  atomic.Uint64
}

func newFleet(n int) *fleet {
	return &fleet{client: newClient(), bases: make([]atomic.Pointer[string], n)}
}

// examples starts three processes of the example on d.
func examples(t *testing.T, d database) *fleet {
	t.Helper()
	f := newFleet(3)
	for i := range f.bases {
		f.bases[i].Store(&d.startExample(t, "ACCESS_TTL=2m").base)
	}
	return f
}

// untilRotation is the least age at which a refresh token is rotated, with the default
// times and an ACCESS_TTL of two minutes.
const untilRotation = time.Minute

// next returns the address of the next process in turn.
func (f *fleet) next() string { return f.at(int(f.turn.Add(1))) }

func (f *fleet) at(i int) string { return *f.bases[i%len(f.bases)].Load() }

func (f *fleet) signUp(t *testing.T, email string) tokens {
	t.Helper()
	r := answered(t)(f.send(f.next(), "POST", "/auth/users/register", "", object("email", email, "password", password, "full_name", "Ann")))
	require.Equal(t, 201, r.status, r.text)
	return tokens{}.keep(r)
}

func TestLogoutIsSeenByAllProcessesAtOnce(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		f := examples(t, d)
		session := f.signUp(t, "ann@example.com")
		for i := range f.bases {
			for j := range f.bases {
				require.Equal(t, 200, answered(t)(f.me(f.at(j), session.access)).status)
			}
			require.Equal(t, 204, answered(t)(f.logout(f.at(i), session.access)).status)
			for j := range f.bases {
				require.Equal(t, 401, answered(t)(f.me(f.at(j), session.access)).status, "process %d, logout on %d", j, i)
				require.Equal(t, 401, answered(t)(f.refresh(f.at(j), session.refresh)).status, "process %d, logout on %d", j, i)
			}
			login := answered(t)(f.login(f.next(), "ann@example.com", password))
			require.Equal(t, 200, login.status, login.text)
			session = tokens{}.keep(login)
		}
	})
}

func TestRacingProcessesIssueOneRefreshToken(t *testing.T) {
	t.Parallel()
	const racing = 32
	onEachDatabase(t, func(t *testing.T, d database) {
		f := examples(t, d)
		session := f.signUp(t, "ann@example.com")
		for generation := range int64(3) {
			d.age(t, untilRotation)
			replies := make([]reply, racing)
			errs := make([]error, racing)
			var done sync.WaitGroup
			for i := range replies {
				done.Go(func() { replies[i], errs[i] = f.refresh(f.next(), session.refresh) })
			}
			done.Wait()
			given := map[string]bool{}
			for i, r := range replies {
				require.NoError(t, errs[i])
				require.Equal(t, 200, r.status, r.text)
				given[r.member("refresh_token")] = true
				require.Equal(t, 200, answered(t)(f.me(f.next(), r.member("access_token"))).status)
			}
			require.Len(t, given, 1, "concurrent refreshes of one token got several new tokens")
			require.Equal(t, generation+1, d.number(t, "SELECT gen FROM fiberjwt_sessions"))
			require.NotContains(t, given, session.refresh)
			session = session.keep(replies[0])
		}
	})
}

func TestReuseIsDetectedAcrossProcesses(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		f := examples(t, d)
		stolen := f.signUp(t, "ann@example.com")
		session := stolen
		for range 2 {
			d.age(t, untilRotation)
			r := answered(t)(f.refresh(f.next(), session.refresh))
			require.Equal(t, 200, r.status, r.text)
			session = session.keep(r)
		}
		attacker := answered(t)(f.refresh(f.next(), stolen.refresh))
		require.Equal(t, 401, attacker.status)
		require.Equal(t, "session_revoked", attacker.member("error"))
		for i := range f.bases {
			require.Equal(t, 401, answered(t)(f.me(f.at(i), session.access)).status)
			require.Equal(t, "session_revoked", answered(t)(f.refresh(f.at(i), session.refresh)).member("error"))
		}
	})
}

// anywhere sends a request like a load balancer: it skips a process that does not
// answer.
func (f *fleet) anywhere(send func(base string) (reply, error)) (r reply, err error) {
	for range 20 * len(f.bases) {
		if r, err = send(f.next()); err == nil {
			return r, nil
		}
	}
	return r, err
}

// restart replaces the processes, one after the other, by processes with args.
func (f *fleet) restart(t *testing.T, d database, running []*process, args ...string) {
	t.Helper()
	for i, old := range running {
		running[i] = d.startServer(t, args...)
		f.bases[i].Store(&running[i].base)
		old.stop(t)
	}
}

// In the first step of a change of Secret every process accepts the new secret, in the
// second step they sign with it. So each process can verify every token at any time.
func TestRollingSecretChangeFailsNoRequest(t *testing.T) {
	t.Parallel()
	const clients = 6
	onEachDatabase(t, func(t *testing.T, d database) {
		f := newFleet(3)
		running := make([]*process, len(f.bases))
		for i := range running {
			running[i] = d.startServer(t, "-secret", secretA)
			f.bases[i].Store(&running[i].base)
		}
		sessions := make([]tokens, clients)
		r := answered(t)(f.register(f.next(), "ann@example.com", password))
		require.Equal(t, 201, r.status, r.text)
		for i := range sessions {
			login := answered(t)(f.login(f.next(), "ann@example.com", password))
			require.Equal(t, 200, login.status, login.text)
			sessions[i] = tokens{}.keep(login)
		}

		var stop atomic.Bool
		var requests, rotations atomic.Int64
		var refused sync.Map // a set of the status and text of answers
		var load sync.WaitGroup
		for _, session := range sessions {
			load.Go(func() {
				for n := 0; !stop.Load(); n++ {
					r, err := f.anywhere(func(base string) (reply, error) {
						if n%4 == 0 {
							return f.refresh(base, session.refresh)
						}
						return f.me(base, session.access)
					})
					if err != nil || r.status != 200 {
						refused.Store([2]any{r.status, r.text}, err)
						return
					}
					requests.Add(1)
					if r.member("refresh_token") != "" {
						rotations.Add(1)
					}
					session = session.keep(r)
				}
			})
		}
		// Every client must send requests under every setting, and rotate under it.
		served := func() {
			want, rotated := requests.Load()+20*clients, rotations.Load()+clients
			d.age(t, 10*time.Minute) // each session rotates once after this
			require.Eventually(t, func() bool {
				return requests.Load() >= want && rotations.Load() >= rotated
			}, patience, time.Millisecond, "the clients made no progress: %v", contents(&refused))
		}
		served()
		f.restart(t, d, running, "-secret", secretA, "-old", secretB)
		served()
		f.restart(t, d, running, "-secret", secretB, "-old", secretA)
		served()
		stop.Store(true)
		load.Wait()
		require.Empty(t, contents(&refused))
		t.Logf("%d requests, %d rotations, 6 processes replaced, 0 refused", requests.Load(), rotations.Load())
	})
}

func contents(m *sync.Map) (all []any) {
	m.Range(func(key, value any) bool {
		all = append(all, key, value)
		return true
	})
	return all
}

// guess sends n wrong passwords to the processes in turn, all at once or one by one, and
// returns how many were compared.
func (f *fleet) guess(t *testing.T, email string, n int, atOnce bool) (looked int) {
	t.Helper()
	replies := make([]reply, n)
	errs := make([]error, n)
	var done sync.WaitGroup
	for i := range replies {
		done.Go(func() { replies[i], errs[i] = f.login(f.next(), email, "not the pony's name") })
		if !atOnce {
			done.Wait()
		}
	}
	done.Wait()
	for i, r := range replies {
		require.NoError(t, errs[i])
		require.Contains(t, []int{401, 429}, r.status, r.text)
		if r.status == 401 {
			looked++
		} else {
			require.NotEmpty(t, r.header.Get("Retry-After"))
		}
	}
	return looked
}

func TestThreeProcessesAllowNoMoreGuessesThanOne(t *testing.T) {
	t.Parallel()
	const free = 5
	onEachDatabase(t, func(t *testing.T, d database) {
		f := examples(t, d)
		try := func(email, password string) int { return answered(t)(f.login(f.next(), email, password)).status }
		f.signUp(t, "ann@example.com")
		person := func(i int) string { return fmt.Sprintf("person%d@example.com", i) }
		for i := range 4 {
			f.signUp(t, person(i))
		}
		for i, test := range []struct{ known, atOnce bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
			email := person(i)
			if !test.known {
				d.exec(t, "DELETE FROM fiberjwt_throttle")
			}
			began := time.Now()
			looked := f.guess(t, email, 18, test.atOnce)
			// On a slow machine the first waiting times of 1 s, 2 s and 4 s may have passed.
			slow := bits.Len64(uint64(time.Since(began)/time.Second)+1) - 1
			require.GreaterOrEqual(t, looked, free, "%+v", test)
			require.LessOrEqual(t, looked, free+slow, "%+v", test)
		}
		for range 3 {
			require.Equal(t, free-1, f.guess(t, "ann@example.com", free-1, false))
			require.Equal(t, 200, try("ann@example.com", password), "a right password resets the throttle on all processes")
		}
	})
}
