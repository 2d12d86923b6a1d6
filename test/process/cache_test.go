package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// With a cache, a process learns about a session that ended on another one at its next
// poll, which is once a second. TestRemoteLogoutIsSeenWithinTwoPolls counts the polls;
// this test waits as long as a slow machine needs, and logs the time.
func TestCachingProcessSoonSeesRemoteSessionEnd(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		f := newFleet(2)
		for i := range f.bases {
			f.bases[i].Store(&d.startServer(t, "-secret", secretA, "-cache", "1h").base)
		}
		now := password
		r := answered(t)(f.register(f.at(0), "ann@example.com", password))
		require.Equal(t, 201, r.status, r.text)
		for name, end := range map[string]func(tokens) reply{
			"logout": func(s tokens) reply { return answered(t)(f.logout(f.at(0), s.access)) },
			"logout-all": func(s tokens) reply {
				return answered(t)(f.send(f.at(0), "POST", "/auth/users/logout-all", s.access, ""))
			},
			"password": func(tokens) reply {
				own := answered(t)(f.login(f.at(0), "ann@example.com", now))
				old := now
				now = "two ponies for the trip"
				return answered(t)(f.changePassword(f.at(0), own.member("access_token"), old, now))
			},
		} {
			session := tokens{}.keep(answered(t)(f.login(f.at(0), "ann@example.com", now)))
			d.untilCached(t, f, f.at(1), session)
			r := end(session)
			require.Equal(t, 204, r.status, r.text)
			ended := time.Now()
			require.Equal(t, 401, answered(t)(f.me(f.at(0), session.access)).status, "%s: on the same process it has an effect at once", name)
			require.Equal(t, 401, answered(t)(f.refresh(f.at(1), session.refresh)).status, "%s: a refresh is never answered from the cache", name)
			require.Eventually(t, func() bool { return answered(t)(f.me(f.at(1), session.access)).status == 401 }, patience, 10*time.Millisecond, name)
			t.Logf("%s: seen by the other process after %v", name, time.Since(ended).Round(10*time.Millisecond))
		}
	})
}

// untilCached returns when a process answers from its cache, that is, without a change
// that was made in the database.
func (d database) untilCached(t *testing.T, f *fleet, base string, session tokens) {
	t.Helper()
	changed := newName()
	require.Eventually(t, func() bool {
		before := answered(t)(f.me(base, session.access))
		require.Equal(t, 200, before.status, before.text)
		changed += "."
		d.exec(t, "UPDATE users SET bio = ?", changed)
		return answered(t)(f.me(base, session.access)).text == before.text
	}, patience, 20*time.Millisecond)
}
