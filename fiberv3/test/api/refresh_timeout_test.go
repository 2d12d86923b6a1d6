// Code generated from ../../../test/api/refresh_timeout_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

// deadlineStore records the longest time until the deadline of a call.
type deadlineStore struct {
	*session.SQL
	calls   int
	longest time.Duration
}

func (s *deadlineStore) record(ctx context.Context) {
	left := time.Duration(math.MaxInt64)
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	s.calls, s.longest = s.calls+1, max(s.longest, left)
}

func (s *deadlineStore) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	s.record(ctx)
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

func (s *deadlineStore) Find(ctx context.Context, kind string, sid []byte) (session.Row, bool, error) {
	s.record(ctx)
	return s.SQL.Find(ctx, kind, sid)
}

// ReadTimeout and WriteTimeout are a minute here. If a refresh took effect long after
// its client gave up, the client's next refresh could look like reuse.
func TestRefreshGetsDeadlineOfRefreshTimeout(t *testing.T) {
	store := &deadlineStore{}
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
		"by body":                      {func() answer { return w.refresh("users", pair.Refresh) }, 1},
		"by cookie":                    {func() answer { return byCookie(pair.Access, pair.Refresh) }, 1},
		"by cookies of two sessions":   {func() answer { return byCookie(other.Access, pair.Refresh) }, 3},
		"an exchange":                  {func() answer { return w.exchange("users", pair.Refresh) }, 1},
		"an exchange that finds reuse": {func() answer { return w.exchange("users", old) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			store.calls, store.longest = 0, 0
			require.Less(t, test.send().Status, 500)
			require.Equal(t, test.calls, store.calls)
			require.LessOrEqual(t, store.longest, 10*time.Second, "the deadline must be that of Refresh.Timeout")
		})
	}
}
