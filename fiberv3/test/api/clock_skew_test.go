// Code generated from ../../../test/api/clock_skew_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

// These tests run several servers with different clocks on one store.

// clockedStore is a store on SQLite with a separate clock, as a database server has.
type clockedStore struct {
	*session.SQL
	now func() time.Time
}

func (s clockedStore) Clock(context.Context, int64) (int64, error) { return s.now().UnixMilli(), nil }

func (s clockedStore) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	if t.StoreClock {
		now = s.now().UnixMilli()
	}
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

// serverAhead is another server on the database of w. Its clock is ahead of that of w, which is the clock of the store.
func (w *world) serverAhead(ahead time.Duration, configure ...func(*fiberjwt.Config)) *world {
	w.t.Helper()
	other := quickWorld(w.t, append([]func(*fiberjwt.Config){func(cfg *fiberjwt.Config) {
		cfg.DB = w.db
		cfg.Store = clockedStore{session.NewSQL(w.db), w.clock.Now}
		cfg.Now = func() time.Time { return w.clock.Now().Add(ahead) }
	}}, configure...)...)
	other.db = w.db
	useStoreClock(other.auth)
	return other
}

func TestSkewedServersAcceptEachOthersTokens(t *testing.T) {
	for _, apart := range []time.Duration{30 * time.Second, 60 * time.Second} {
		t.Run(apart.String(), func(t *testing.T) {
			w := quickWorld(t)
			ahead, behind := w.serverAhead(apart/2), w.serverAhead(-apart/2)
			for from, to := range map[*world]*world{ahead: behind, behind: ahead} {
				pair := from.register("users", strings.ToLower(rand.Text())+"@example.com")
				for _, path := range []string{"/users/me", "/fresh", "/auth/users/sessions"} {
					require.Equal(t, 200, to.get(path, pair.Access).Status, path)
				}
				refreshed := to.refresh("users", pair.Refresh)
				require.Equal(t, 200, refreshed.Status)
				require.Equal(t, 200, from.get("/users/me", to.tokensOf(refreshed).Access).Status)
				require.Equal(t, 204, to.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+pair.Access).Status)
				require.Equal(t, 401, from.get("/users/me", pair.Access).Status)
			}
		})
	}
}

func TestSecondTabOnSkewedServerGetsSameSuccessor(t *testing.T) {
	for _, ahead := range []time.Duration{30 * time.Second, 60 * time.Second, -60 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			w := quickWorld(t)
			w.addUser("ann@example.com")
			here, there := w.serverAhead(0), w.serverAhead(ahead)
			first := there.enter("users", 1)
			w.clock.Advance(10 * time.Minute)
			second := here.tokensOf(here.refresh("users", first.Refresh)).Refresh
			require.NotEmpty(t, second)
			// The other tab sends the first token. By its own clock, the server that is ahead would conclude that the response
			// above never arrived, and would replace the second token.
			for _, wait := range []time.Duration{31 * time.Second, 20 * time.Second, 20 * time.Second} {
				w.clock.Advance(wait)
				require.Equal(t, second, there.tokensOf(there.refresh("users", first.Refresh)).Refresh, "after %v", wait)
			}
			require.Equal(t, 200, here.refresh("users", second).Status)
		})
	}
}

func TestRotationAgeIsMeasuredByStoreClock(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	here := w.serverAhead(0)
	pair := here.enter("users", 1)
	for _, ahead := range []time.Duration{60 * time.Second, -60 * time.Second} {
		there := w.serverAhead(ahead)
		w.clock.Advance(5*time.Minute - time.Second)
		require.Empty(t, there.tokensOf(there.refresh("users", pair.Refresh)).Refresh, "the token was rotated too early")
		w.clock.Advance(time.Second)
		pair = there.tokensOf(there.refresh("users", pair.Refresh))
		require.NotEmpty(t, pair.Refresh)
	}
}

// If the page server used its own clock, an attacker could exchange a replaced token after its grace period.
func TestExchangeGraceUsesStoreClock(t *testing.T) {
	for _, ahead := range []time.Duration{60 * time.Second, -60 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			w := quickWorld(t)
			w.addUser("ann@example.com")
			here, pages := w.serverAhead(0), w.serverAhead(ahead, withPages)
			first := here.enter("users", 1)
			w.clock.Advance(10 * time.Minute)
			require.NotEmpty(t, here.tokensOf(here.refresh("users", first.Refresh)).Refresh)
			w.clock.Advance(time.Minute - time.Millisecond)
			require.Equal(t, 200, pages.exchange("users", first.Refresh).Status)
			w.clock.Advance(time.Millisecond)
			requireRefusal(t, pages.exchange("users", first.Refresh), 401, "refresh_required")
		})
	}
}

// Tokens carry times of the server. By any other clock, a token could expire before it was issued.
func TestAbsoluteSessionEndUsesServerClock(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	here, there := w.serverAhead(0), w.serverAhead(60*time.Second)
	pair := here.enter("users", 1)
	w.sql(`UPDATE fiberjwt_sessions SET ends = issued + 100000, idle_until = issued + 100000`)
	w.clock.Advance(39 * time.Second)
	require.Equal(t, 200, there.refresh("users", pair.Refresh).Status)
	w.clock.Advance(time.Second)
	requireRefusal(t, there.refresh("users", pair.Refresh), 401, "session_ended")
	require.Equal(t, 200, here.refresh("users", pair.Refresh).Status)
}

func TestClockSkewDoesNotReviveOneTimeToken(t *testing.T) {
	w := quickWorld(t)
	ann := w.addUser("ann@example.com")
	confirm := fiberjwt.Link[User]{Name: "confirm"}
	for _, ahead := range []time.Duration{30 * time.Second, -30 * time.Second} {
		there := w.serverAhead(ahead)
		token, err := confirm.Token(w.auth, ann)
		require.NoError(t, err)
		_, err = confirm.Redeem(t.Context(), w.auth, token)
		require.NoError(t, err)
		_, err = confirm.Redeem(t.Context(), there.auth, token)
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "a server that is %v ahead accepted the token again", ahead)
	}
}

// The application passes the auth_time of a token that another server issued.
func TestFutureAuthTimeWithinSkewIsClampedToNow(t *testing.T) {
	w := quickWorld(t)
	u := w.addUser("ann@example.com")
	ahead := w.clock.Now().Add(59 * time.Second)
	pair, err := w.auth.Issue(t.Context(), u, fiberjwt.LoginOptions{AuthTime: ahead})
	require.NoError(t, err)
	s, err := w.auth.Verify(t.Context(), pair.AccessToken)
	require.NoError(t, err)
	require.Equal(t, w.clock.Now().Unix(), s.AuthTime.Unix())
}

// A refresh that rotates learns the time of the store, so the log names servers that are ahead and servers that are behind.
func TestClockSkewAboveFiveSecondsIsLogged(t *testing.T) {
	for ahead, want := range map[time.Duration]string{5 * time.Second: "", 6 * time.Second: "by=-6s", -6 * time.Second: "by=6s"} {
		t.Run(ahead.String(), func(t *testing.T) {
			w := quickWorld(t)
			w.addUser("ann@example.com")
			there := w.serverAhead(ahead)
			pair := there.enter("users", 1)
			w.clock.Advance(10 * time.Minute)
			require.Equal(t, 200, there.refresh("users", pair.Refresh).Status)
			require.Equal(t, want == "", there.log.Len() == 0, there.log.String())
			require.Contains(t, there.log.String(), want)
		})
	}
}

// recordingStore keeps the times of the last refresh.
type recordingStore struct {
	*session.SQL
	times session.Times
}

func (s *recordingStore) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	s.times = t
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

func TestStoreClockIsUsedUnlessNowIsSet(t *testing.T) {
	for name, now := range map[string]func() time.Time{"the default": nil, "a clock of the application": time.Now} {
		t.Run(name, func(t *testing.T) {
			store := &recordingStore{}
			w := quickWorld(t, func(cfg *fiberjwt.Config) {
				store.SQL = session.NewSQL(cfg.DB)
				cfg.Store, cfg.Now = store, now
			})
			w.addUser("ann@example.com")
			require.Equal(t, 200, w.refresh("users", w.enter("users", 1).Refresh).Status)
			require.Equal(t, now == nil, store.times.StoreClock)
		})
	}
}

// The server is ahead of the store. By the clock of the store, the session has half a minute left.
func TestExchangeIdleLimitUsesStoreClock(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	ahead := w.serverAhead(time.Minute, func(cfg *fiberjwt.Config) { cfg.Cookie.RefreshEverywhere = true })
	pair := w.enter("users", 1)
	w.clock.Advance(14*24*time.Hour - 30*time.Second)
	a := ahead.do("POST", "/auth/users/token", `{"refresh_token":"`+pair.Refresh+`"}`)
	require.Equal(t, 200, a.Status, a.Body)
	w.clock.Advance(time.Minute)
	requireRefusal(t, ahead.do("POST", "/auth/users/token", `{"refresh_token":"`+pair.Refresh+`"}`), 401, "session_ended")
}

// A process with a wrong clock must not delete rows that the other processes still need.
func TestPruningUsesStoreClock(t *testing.T) {
	w := quickWorld(t)
	confirm := fiberjwt.Link[User]{Name: "confirm", TTL: 7 * 24 * time.Hour}
	token, err := confirm.Token(w.auth, w.addUser("ann@example.com"))
	require.NoError(t, err)
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.NoError(t, err)
	pair := w.enter("users", 1)

	wrong := w.serverAhead(91*24*time.Hour, prunes)
	pruneAtOnce(wrong.auth)
	wrong.enter("users", 1)
	awaitPruning(wrong.auth)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status, "a living session was deleted")
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "a used link is valid again")
}
