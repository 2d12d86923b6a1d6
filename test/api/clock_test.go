package api_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// B12: several servers on one store, whose clocks differ.

// clocked is a store on SQLite that has a clock of its own, as a server has.
type clocked struct {
	*session.SQL
	now func() time.Time
}

func (s clocked) Clock(context.Context, int64) (int64, error) { return s.now().UnixMilli(), nil }

func (s clocked) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	if t.StoreClock {
		now = s.now().UnixMilli()
	}
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

// serverAhead is another server on the database of w. Its clock is ahead of w's,
// which is that of the store, too.
func (w *world) serverAhead(ahead time.Duration, configure ...func(*fiberjwt.Config)) *world {
	w.t.Helper()
	other := quickWorld(w.t, append([]func(*fiberjwt.Config){func(cfg *fiberjwt.Config) {
		cfg.DB = w.db
		cfg.Store = clocked{session.NewSQL(w.db), w.clock.Now}
		cfg.Now = func() time.Time { return w.clock.Now().Add(ahead) }
	}}, configure...)...)
	other.db = w.db
	letStoreJudge(other.auth)
	return other
}

// Both ways: one server is ahead of the store, the other is right or behind.
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
			// The other tab sends what it has. By its own clock, the server that is ahead
			// would take the answer above for one that never arrived, and burn the token.
			for _, wait := range []time.Duration{31 * time.Second, 20 * time.Second, 20 * time.Second} {
				w.clock.Advance(wait)
				require.Equal(t, second, there.tokensOf(there.refresh("users", first.Refresh)).Refresh, "after %v", wait)
			}
			require.Equal(t, 200, here.refresh("users", second).Status)
		})
	}
}

// A rotation is no sooner and no later for the clock of the server that judges.
func TestRotationAgeIsMeasuredByStoreClock(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	here := w.serverAhead(0)
	pair := here.enter("users", 1)
	for _, ahead := range []time.Duration{60 * time.Second, -60 * time.Second} {
		there := w.serverAhead(ahead)
		w.clock.Advance(5*time.Minute - time.Second)
		require.Empty(t, there.tokensOf(there.refresh("users", pair.Refresh)).Refresh, "too early")
		w.clock.Advance(time.Second)
		pair = there.tokensOf(there.refresh("users", pair.Refresh))
		require.NotEmpty(t, pair.Refresh)
	}
}

// The server of pages leaves a parent to the client as soon as its grace is over
// by the clock of the store: a thief must not be given more time by its own.
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

// The end of a session is that of the clock of the server: no token may end
// before it begins.
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
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "by a server that is %v ahead", ahead)
	}
}

// An application hands on when the person signed in, from a token of another server.
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

// A refresh that writes tells the clock of the store, so a server that is ahead of
// it is named, too.
func TestClockSkewAboveFiveSecondsIsLogged(t *testing.T) {
	for ahead, word := range map[time.Duration]string{5 * time.Second: "", 6 * time.Second: "by=-6s", -6 * time.Second: "by=6s"} {
		t.Run(ahead.String(), func(t *testing.T) {
			w := quickWorld(t)
			w.addUser("ann@example.com")
			there := w.serverAhead(ahead)
			pair := there.enter("users", 1)
			w.clock.Advance(10 * time.Minute)
			require.Equal(t, 200, there.refresh("users", pair.Refresh).Status)
			require.Equal(t, word == "", there.log.Len() == 0, there.log.String())
			require.Contains(t, there.log.String(), word)
		})
	}
}

// noting notes what it is asked.
type noting struct {
	*session.SQL
	asked session.Times
}

func (s *noting) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	s.asked = t
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

func TestStoreClockIsUsedUnlessNowIsSet(t *testing.T) {
	for name, now := range map[string]func() time.Time{"the default": nil, "a clock of the application": time.Now} {
		t.Run(name, func(t *testing.T) {
			store := &noting{}
			w := quickWorld(t, func(cfg *fiberjwt.Config) {
				store.SQL = session.NewSQL(cfg.DB)
				cfg.Store, cfg.Now = store, now
			})
			w.addUser("ann@example.com")
			require.Equal(t, 200, w.refresh("users", w.enter("users", 1).Refresh).Status)
			require.Equal(t, now == nil, store.asked.StoreClock)
		})
	}
}

// Both answer by the clock of the store, by which the session has half a minute left.
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

// D4: what a process deletes whose clock is wrong, all others have lost.
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
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status, "a session that lives was deleted")
	_, err = confirm.Redeem(t.Context(), w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken, "a link that was used is good again")
}
