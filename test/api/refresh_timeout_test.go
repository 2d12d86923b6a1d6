package api_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// hurried is a store that notes the longest time it was given to answer.
type hurried struct {
	*session.SQL
	calls   int
	longest time.Duration
}

func (s *hurried) note(ctx context.Context) {
	left := time.Duration(math.MaxInt64)
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	s.calls, s.longest = s.calls+1, max(s.longest, left)
}

func (s *hurried) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	s.note(ctx)
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

func (s *hurried) Find(ctx context.Context, kind string, sid []byte) (session.Row, bool, error) {
	s.note(ctx)
	return s.SQL.Find(ctx, kind, sid)
}

// B14: ReadTimeout and WriteTimeout are a minute here. A refresh that is done when
// its client has long given up may be taken for a theft.
func TestRefreshGetsDeadlineOfRefreshTimeout(t *testing.T) {
	store := &hurried{}
	w := pagesWorld(t, func(cfg *fiberjwt.Config) {
		store.SQL = session.NewSQL(cfg.DB)
		cfg.Store = store
	})
	w.addUser("ann@example.com")
	old := w.enter("users", 1).Refresh
	w.clock.Advance(10 * time.Minute)
	next := w.tokensOf(w.refresh("users", old)).Refresh
	w.clock.Advance(10 * time.Minute)
	require.Equal(t, 200, w.refresh("users", next).Status)
	pair, other := w.enter("users", 1), w.enter("users", 1)
	cookies := func(access, refresh string) string {
		return "__Host-Http-users=" + access + "; __Host-Http-users.refresh=" + refresh
	}
	byCookie := func(access, refresh string) answer {
		return w.do("POST", "/auth/users/refresh", "", "Sec-Fetch-Site", "same-origin", "Cookie", cookies(access, refresh))
	}
	for name, test := range map[string]struct {
		send  func() answer
		calls int
	}{
		"by body":                        {func() answer { return w.refresh("users", pair.Refresh) }, 1},
		"by cookie":                      {func() answer { return byCookie(pair.Access, pair.Refresh) }, 1},
		"by cookies of two sessions":     {func() answer { return byCookie(other.Access, pair.Refresh) }, 3},
		"an exchange":                    {func() answer { return w.exchange("users", pair.Refresh) }, 1},
		"an exchange that finds a reuse": {func() answer { return w.exchange("users", old) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			store.calls, store.longest = 0, 0
			require.Less(t, test.send().Status, 500)
			require.Equal(t, test.calls, store.calls)
			require.LessOrEqual(t, store.longest, 10*time.Second, "Refresh.Timeout")
		})
	}
}
