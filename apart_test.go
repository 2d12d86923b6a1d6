package fiberjwt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// shaky is a store elsewhere. One of its calls, counted from 1, goes wrong.
type shaky struct {
	session.Store
	calls  int
	wrong  int
	how    func(ctx context.Context) error
	before func() // each call
}

func (s *shaky) step(ctx context.Context) error {
	s.calls++
	if s.before != nil {
		s.before()
	}
	if s.calls == s.wrong {
		return s.how(ctx)
	}
	return nil
}

func (s *shaky) Create(ctx context.Context, row session.Row) error {
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Store.Create(ctx, row)
}

func (s *shaky) Prove(ctx context.Context, sid []byte, now int64) error {
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Store.Prove(ctx, sid, now)
}

func (s *shaky) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	if err := s.step(ctx); err != nil {
		return err
	}
	return s.Store.RevokeAll(ctx, kind, subject, except, now)
}

// wrongs are the ways in which a call goes wrong, with the WriteTimeout.
var wrongs = map[string]struct {
	how   func(context.Context) error
	write time.Duration
}{
	"fails": {func(context.Context) error { return errors.New("marker") }, patience},
	"hangs": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 5 * time.Second}, // which also bounds what must succeed before,
}

// shakyWorld writes to the accounts in every call: were a transaction open
// there, it would have to wait for its end, which is after the call.
func shakyWorld(t *testing.T, write time.Duration) (*world, *shaky, *trouble) {
	t.Helper()
	s := &shaky{Store: session.NewSQL(newDB(t))}
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) { cfg.Sessions, cfg.WriteTimeout = s, write })
	w.sql("CREATE TABLE others (n INTEGER)")
	return w, s, f
}

func (s *shaky) from(w *world, wrong int, how func(context.Context) error) {
	s.calls, s.wrong, s.how = 0, wrong, how
	s.before = func() { w.sql("INSERT INTO others VALUES (1)") }
}

// afterwards is another process on the stores of w, with time for what succeeds.
func (s *shaky) afterwards(w *world) *world {
	w.t.Helper()
	other := quickWorld(w.t, func(cfg *fiberjwt.Config) { cfg.DB, cfg.Sessions = w.db, s })
	other.db = w.db
	return other
}

func TestARegistrationWhoseSessionElsewhereGoesWrongIsOneToSignInTo(t *testing.T) {
	for name, wrong := range wrongs {
		for call, former := range map[int]bool{1: true, 2: false} { // RevokeAll, Create
			t.Run(fmt.Sprint(name, call), func(t *testing.T) {
				w, s, _ := shakyWorld(t, wrong.write)
				s.from(w, call, wrong.how)
				a := w.requests(tokens{})["register by cookie"]()
				require.Equal(t, 201, a.Status, a.Body)
				require.Empty(t, a.Header.Values("Set-Cookie"))
				require.NotContains(t, a.Body, "token")
				require.Contains(t, a.Body, `"email":"new@example.com"`)
				require.Contains(t, w.log.String(), "registered without a session")
				require.Equal(t, former, strings.Contains(w.log.String(), "call Auth.RevokeAll"))
				require.Equal(t, 200, s.afterwards(w).do("POST", "/auth/users/login", credentials("users", "new@example.com", testPassword)).Status)
			})
		}
	}
}

func TestARegistrationThatIsNotStoredLeavesNoSessionElsewhere(t *testing.T) {
	w, s, f := shakyWorld(t, patience)
	s.from(w, 0, nil)
	f.set(errors.New("marker"), false, "COMMIT")
	requireRefusal(t, w.requests(tokens{})["register"](), 503, "temporarily_unavailable")
	require.Zero(t, s.calls, "a session of no account")
	require.Zero(t, w.count("users"))
}

// The steps are Prove, RevokeAll, the change, RevokeAll.
func TestAPasswordChangeWithSessionsElsewhereIsDoneOrIsNot(t *testing.T) {
	for name, wrong := range wrongs {
		for step := 1; step <= 3; step++ {
			t.Run(name+" at call "+string(rune('0'+step)), func(t *testing.T) {
				w, s, _ := shakyWorld(t, wrong.write)
				w.addUser("ann@example.com")
				pair := w.enter("users", 1)
				s.from(w, step, wrong.how)
				requireRefusal(t, w.requests(pair)["password by header"](), 503, "temporarily_unavailable")
				require.Equal(t, step, s.calls)
				require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users"), "it is told to have failed")
				require.Equal(t, 200, w.get("/users/me", pair.Access).Status, "the one that asked goes on")
				require.Equal(t, 204, s.afterwards(w).requests(pair)["password by header"]().Status)
			})
		}
	}
}

func TestAPasswordChangeThatTheAccountsRefuseChangesNothing(t *testing.T) {
	w, s, f := shakyWorld(t, patience)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	s.from(w, 0, nil)
	f.set(errors.New("marker"), false, `UPDATE "users"`)
	requireRefusal(t, w.requests(pair)["password by header"](), 503, "temporarily_unavailable")
	f.over()
	require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users"))
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

// If both stores fail, one after the other, the answer is still that of a store.
func TestAPasswordChangeThatCannotBeTakenBackIs503(t *testing.T) {
	w, s, f := shakyWorld(t, patience)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	s.from(w, 3, func(context.Context) error {
		f.set(errors.New("marker"), false, "")
		return errors.New("marker")
	})
	requireRefusal(t, w.requests(pair)["password by header"](), 503, "temporarily_unavailable")
}
