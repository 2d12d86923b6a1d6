package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"golang.org/x/crypto/bcrypt"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

func TestSignInStartsASessionThatVerifies(t *testing.T) {
	w := newWorld(t)
	p := w.enter()
	require.Equal(t, "1", p.Subject)
	require.Equal(t, 10*minute, p.Expires)
	require.Equal(t, 24*time.Hour, p.Idle)
	require.Equal(t, 7*24*time.Hour, p.Ends)
	v := w.verified(p.Access)
	require.Equal(t, "users", v.Kind)
	require.Equal(t, "1", v.Subject)
	require.Equal(t, session.ID(p.SID), v.ID)
	require.Equal(t, email, v.Account.(*User).Email)
	require.Contains(t, string(v.Payload), `"name":"Ann"`)
	require.NoError(t, w.Alive(t.Context(), v))

	w.clock.Advance(10*minute + time.Second)
	require.ErrorIs(t, w.verifyError(p.Access), token.ErrExpired)
}

func TestSignInRefusesWithoutAReason(t *testing.T) {
	for name, test := range map[string]struct{ password, identity, before string }{
		"a wrong password":   {password: newPassword, identity: email},
		"an unknown account": {password: right, identity: "bob@example.com"},
		"a disabled account": {password: right, identity: email, before: "UPDATE users SET disabled = TRUE"},
		"a locked account":   {password: "!", identity: email, before: "UPDATE users SET password_hash = '!'"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if test.before != "" {
				w.sql(test.before)
			}
			p, err := w.signIn(test.password, test.identity)
			require.ErrorIs(t, err, auth.ErrBadCredentials)
			require.Zero(t, p)
			require.Zero(t, w.count("fiberjwt_sessions"))
		})
	}
}

func TestFailedSignInsAreThrottled(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		_, err := w.signIn(newPassword)
		require.ErrorIs(t, err, auth.ErrBadCredentials)
	}
	_, err := w.signIn(newPassword)
	require.ErrorAs(t, err, &throttle.Refusal{})
	_, err = w.signIn()
	require.ErrorAs(t, err, &throttle.Refusal{}, "the right password has to wait too")

	unlock, err := w.UnlockToken(w.users, w.ann(), time.Hour)
	require.NoError(t, err)
	_, err = w.SignIn(t.Context(), w.users, auth.Credentials{Identity: email, Password: right, Unlock: unlock + "x"}, client)
	require.ErrorAs(t, err, &throttle.Refusal{}, "an invalid token does not unlock")
	_, err = w.SignIn(t.Context(), w.users, auth.Credentials{Identity: email, Password: right, Unlock: unlock}, client)
	require.NoError(t, err)
}

func TestSignInRaisesAnOldHash(t *testing.T) {
	w := newWorld(t)
	old, err := bcrypt.GenerateFromPassword([]byte(right), bcrypt.MinCost)
	require.NoError(t, err)
	w.sql("UPDATE users SET password_hash = '" + string(old) + "'")
	w.enter()
	require.Contains(t, w.ann().PasswordHash, "$argon2id$")
	w.enter()
}

func TestUnknownHashIsLogged(t *testing.T) {
	w := newWorld(t)
	w.sql("UPDATE users SET password_hash = 'pbkdf2:sha256:600000$abcdefgh'")
	_, err := w.signIn()
	require.ErrorIs(t, err, auth.ErrBadCredentials)
	require.Contains(t, w.log.String(), "neither argon2id nor bcrypt")
}

func TestRefreshRotatesAndReuseEndsTheSession(t *testing.T) {
	w := newWorld(t)
	first := w.enter()
	early, err := w.refresh(first.Refresh)
	require.NoError(t, err)
	require.Empty(t, early.Refresh, "too early to rotate")
	require.NotEmpty(t, early.Access)

	w.clock.Advance(6 * minute)
	second, err := w.refresh(first.Refresh)
	require.NoError(t, err)
	require.NotEqual(t, first.Refresh, second.Refresh)
	w.clock.Advance(6 * minute)
	third, err := w.refresh(second.Refresh)
	require.NoError(t, err)

	p, err := w.refresh(first.Refresh)
	require.ErrorIs(t, err, auth.ErrReused)
	require.Equal(t, auth.Pair{Subject: "1", SID: first.SID}, p)
	_, err = w.refresh(third.Refresh)
	require.ErrorIs(t, err, auth.ErrReused, "the session has ended for both")
	require.ErrorIs(t, w.verifyError(third.Access), auth.ErrRevoked)
}

func TestRefreshIsRefusedAfterTheSession(t *testing.T) {
	for name, end := range map[string]func(w *world, p auth.Pair){
		"revoked":                 func(w *world, p auth.Pair) { require.NoError(w.t, w.Revoke(w.t.Context(), session.ID(p.SID))) },
		"revoked with all":        func(w *world, _ auth.Pair) { require.NoError(w.t, w.RevokeAll(w.t.Context(), "users", "1")) },
		"idle":                    func(w *world, _ auth.Pair) { w.clock.Advance(24 * time.Hour) },
		"the account is gone":     func(w *world, _ auth.Pair) { w.sql("DELETE FROM users") },
		"the account is disabled": func(w *world, _ auth.Pair) { w.sql("UPDATE users SET disabled = TRUE") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.enter()
			end(w, p)
			_, err := w.refresh(p.Refresh)
			require.ErrorIs(t, err, auth.ErrSessionEnded)
			if name != "idle" {
				require.ErrorIs(t, w.verifyError(p.Access), auth.ErrRevoked)
			}
		})
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	w := newWorld(t)
	p := w.enter()
	for _, raw := range []string{"", "x", p.Access, p.Refresh + "A", p.Refresh[:len(p.Refresh)-4] + "AAAA"} {
		_, err := w.refresh(raw)
		require.ErrorIs(t, err, auth.ErrSessionEnded, "%q", raw)
	}
	for _, raw := range []string{"", "x", p.Refresh, p.Access + "A", p.Access[:len(p.Access)-4] + "AAAA"} {
		var v auth.Verified
		err := w.Verify(t.Context(), raw, &v)
		require.ErrorIs(t, err, token.ErrMalformed, "%q", raw)
		require.Zero(t, v)
	}
}

func TestTokensOfAnotherKindAreRefused(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.Create(t.Context(), w.teachers, &Teacher{Login: "ann"}, right))
	p := w.enter()
	_, err := w.Refresh(t.Context(), w.teachers, p.Refresh)
	require.ErrorIs(t, err, auth.ErrSessionEnded)
	_, ok := w.HeldSession(t.Context(), w.teachers, p.Access)
	require.False(t, ok)
	raw, err := w.LinkToken(auth.Link{Kind: w.users, Name: "confirm", TTL: time.Hour}, w.ann())
	require.NoError(t, err)
	_, _, err = w.CheckLink(t.Context(), auth.Link{Kind: w.teachers, Name: "confirm"}, raw)
	require.ErrorIs(t, err, auth.ErrOneTimeToken)
	ended, err := w.EndAll(t.Context(), w.teachers, p.SID)
	require.NoError(t, err)
	require.False(t, ended)
	require.NoError(t, w.verifyError(p.Access))
}

func TestExchangeNeverRotates(t *testing.T) {
	w := newWorld(t)
	p := w.enter()
	w.clock.Advance(6 * minute)
	got, err := w.Exchange(t.Context(), w.users, p.Refresh)
	require.NoError(t, err)
	require.Empty(t, got.Refresh)
	require.Equal(t, 24*time.Hour-6*minute, got.Idle, "the idle deadline has not moved")
	w.verified(got.Access)
	got, err = w.refresh(p.Refresh)
	require.NoError(t, err)
	require.NotEmpty(t, got.Refresh)
}

func TestProlongMovesTheIdleDeadline(t *testing.T) {
	w := newWorld(t)
	v := w.verified(w.enter().Access)
	w.clock.Advance(time.Hour)
	p, err := w.Prolong(t.Context(), w.users, v)
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, p.Idle)
	w.verified(p.Access)
	require.NoError(t, w.Revoke(t.Context(), v.ID))
	_, err = w.Prolong(t.Context(), w.users, v)
	require.ErrorIs(t, err, auth.ErrSessionEnded)
}

func TestFailingStoreIsUnavailable(t *testing.T) {
	store := &remote{}
	w := newWorld(t, withRemote(store))
	p := w.enter()
	v := w.verified(p.Access)
	store.down = true
	for name, call := range map[string]func() error{
		"sign in":  func() error { _, err := w.signIn(); return err },
		"verify":   func() error { return w.verifyError(p.Access) },
		"alive":    func() error { return w.Alive(t.Context(), v) },
		"refresh":  func() error { _, err := w.refresh(p.Refresh); return err },
		"exchange": func() error { _, err := w.Exchange(t.Context(), w.users, p.Refresh); return err },
		"end all":  func() error { _, err := w.EndAll(t.Context(), w.users, p.SID); return err },
		"create":   func() error { return w.Create(t.Context(), w.users, &User{Email: "bob@example.com"}, right) },
		"change password": func() error {
			_, err := w.ChangePassword(t.Context(), w.users, v, right, newPassword, client)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			require.ErrorIs(t, err, fault.ErrUnavailable)
			require.NotErrorIs(t, err, auth.ErrBadCredentials)
		})
	}
	require.EqualValues(t, 1, w.count("users"), "a failed creation left its row")
	store.down = false
	w.enter()
	w.verified(p.Access)
}

func TestFailingDatabaseIsUnavailable(t *testing.T) {
	w := newWorld(t)
	p := w.enter()
	w.sql("DROP TABLE users")
	_, err := w.signIn()
	require.ErrorIs(t, err, fault.ErrUnavailable)
	require.Equal(t, "a table of Config.Entities is missing: create it before the first request", auth.Remedy(err))
	require.ErrorIs(t, w.verifyError(p.Access), fault.ErrUnavailable)
	w.sql("DROP TABLE fiberjwt_sessions")
	require.Contains(t, auth.Remedy(w.Revoke(t.Context(), session.ID(p.SID))), "call fiberjwt.Migrate(ctx, db)")
	require.Empty(t, auth.Remedy(errDown))
	require.Empty(t, auth.Remedy(nil))
}

func TestAllowThatCannotDecideIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	p := w.enter()
	w.users.Allow = func(context.Context, any) error { return fault.Unavailable(errDown) }
	_, err := w.signIn()
	require.ErrorIs(t, err, fault.ErrUnavailable)
	require.ErrorIs(t, w.verifyError(p.Access), fault.ErrUnavailable)
	w.users.Allow = func(context.Context, any) error { panic("oops") }
	_, err = w.refresh(p.Refresh)
	require.ErrorIs(t, err, fault.ErrSetup)
}

// registration registers an account with a name in the body.
func registration(identity, secret string) auth.Registration {
	return auth.Registration{
		Account: &User{Email: identity}, Password: secret,
		Hook:   func(any) error { return nil },
		Encode: func(account any) ([]byte, error) { return json.Marshal(account) },
	}
}

func TestRegisterStoresAccountAndSession(t *testing.T) {
	for name, configure := range map[string]func(*world, *auth.Config){"beside the accounts": func(*world, *auth.Config) {}, "elsewhere": withRemote(&remote{})} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, configure)
			p, encoded, err := w.Register(t.Context(), w.users, registration("bob@example.com", right), client)
			require.NoError(t, err)
			require.Contains(t, string(encoded), `"Email":"bob@example.com"`)
			require.NotContains(t, string(encoded), "argon2id")
			require.Equal(t, "bob@example.com", w.verified(p.Access).Account.(*User).Email)
			_, err = w.signIn(right, "bob@example.com")
			require.NoError(t, err)
		})
	}
}

func TestRegistrationThatFailsStoresNothing(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world, r *auth.Registration)
		want   error
	}{
		"the identity is taken": {func(_ *world, r *auth.Registration) { r.Account.(*User).Email = email }, accounts.ErrTaken},
		"the hook refuses":      {func(_ *world, r *auth.Registration) { r.Hook = func(any) error { return errDisabled } }, errDisabled},
		"the hook panics":       {func(_ *world, r *auth.Registration) { r.Hook = func(any) error { panic("oops") } }, fault.ErrSetup},
		"it cannot be encoded": {func(_ *world, r *auth.Registration) {
			r.Encode = func(any) ([]byte, error) { return nil, fault.Broken(errDown) }
		}, fault.ErrSetup},
		"the table refuses": {func(w *world, _ *auth.Registration) {
			w.sql("CREATE TRIGGER t BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'no'); END")
		}, accounts.ErrRefused},
		"a trigger changes it": {func(w *world, _ *auth.Registration) {
			w.sql("CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET email = 'x' WHERE id = new.id; END")
		}, fault.ErrSetup},
		"Allow cannot decide": {func(w *world, _ *auth.Registration) {
			w.users.Allow = func(context.Context, any) error { return fault.Unavailable(errDown) }
		}, fault.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := registration("bob@example.com", right)
			test.change(w, &r)
			p, _, err := w.Register(t.Context(), w.users, r, client)
			require.ErrorIs(t, err, test.want)
			require.Empty(t, p.Access)
			require.EqualValues(t, 1, w.count("users"))
		})
	}
}

func TestRegisteredAccountThatAllowRefusesHasNoTokens(t *testing.T) {
	w := newWorld(t)
	r := registration("bob@example.com", right)
	r.Hook = func(account any) error { account.(*User).Disabled = true; return nil }
	p, encoded, err := w.Register(t.Context(), w.users, r, client)
	require.NoError(t, err)
	require.NotEmpty(t, encoded)
	require.Equal(t, auth.Pair{Subject: "2"}, p)
	require.EqualValues(t, 2, w.count("users"))
}

func TestRegisterSurvivesFailingSessionStore(t *testing.T) {
	store := &remote{}
	w := newWorld(t, withRemote(store))
	store.down = true
	p, encoded, err := w.Register(t.Context(), w.users, registration("bob@example.com", right), client)
	require.NoError(t, err)
	require.NotEmpty(t, encoded)
	require.Equal(t, auth.Pair{Subject: "2"}, p)
	require.Contains(t, w.log.String(), "an account is registered without a session")
}

func TestCreateJudgesIdentityAndPassword(t *testing.T) {
	w := newWorld(t)
	bob := &User{Email: " bob"}
	err := w.Create(t.Context(), w.users, bob, "short")
	var fields accounts.Fields
	require.ErrorAs(t, err, &fields)
	require.Equal(t, accounts.Fields{"email": "begins or ends with white space", "password": "must have at least 8 characters"}, fields)
	require.Equal(t, &User{Email: " bob"}, bob)
	require.ErrorIs(t, w.Create(t.Context(), w.users, &User{Email: "ANN@example.com"}, right), accounts.ErrTaken)
	bob.Email = "Bob@example.com"
	require.NoError(t, w.Create(t.Context(), w.users, bob, right))
	require.Equal(t, "bob@example.com", bob.Email)
	require.EqualValues(t, 2, bob.ID)
}

func TestFillNotesMembersOfTheWrongType(t *testing.T) {
	w := newWorld(t)
	for value, want := range map[string]string{`"Bob"`: "", `7`: "has the wrong type", `"B\u0000b"`: "has the wrong type", `"B\\u0000b"`: ""} {
		wrong := map[string]string{}
		w.Fill(w.users, &User{}, map[string]strictjson.Value{"name": strictjson.Value(value), "id": strictjson.Value("9")}, wrong)
		require.Equal(t, want, wrong["name"], value)
	}
}

func TestChangePasswordEndsOtherSessions(t *testing.T) {
	w := newWorld(t)
	own, other := w.enter(), w.enter()
	v := w.verified(own.Access)
	_, err := w.ChangePassword(t.Context(), w.users, v, newPassword, newPassword, client)
	require.ErrorIs(t, err, auth.ErrBadCredentials)
	require.NoError(t, w.verifyError(other.Access))
	_, err = w.ChangePassword(t.Context(), w.users, v, right, newPassword, client)
	require.NoError(t, err)
	require.NoError(t, w.verifyError(own.Access))
	require.ErrorIs(t, w.verifyError(other.Access), auth.ErrRevoked)
	_, err = w.signIn()
	require.ErrorIs(t, err, auth.ErrBadCredentials)
	_, err = w.signIn(newPassword)
	require.NoError(t, err)
}

func TestResetPasswordWorksOnceAndEndsAllSessions(t *testing.T) {
	w := newWorld(t)
	p := w.enter()
	raw, err := w.LinkToken(auth.ResetLink(w.users, time.Hour), w.ann())
	require.NoError(t, err)
	_, subject, err := w.ResetPassword(t.Context(), w.users, raw, "short")
	require.ErrorIs(t, err, accounts.ErrRefused)
	require.Equal(t, "1", subject)
	account, _, err := w.ResetPassword(t.Context(), w.users, raw, newPassword)
	require.NoError(t, err)
	require.Equal(t, w.ann().PasswordHash, account.(*User).PasswordHash)
	require.ErrorIs(t, w.verifyError(p.Access), auth.ErrRevoked)
	_, _, err = w.ResetPassword(t.Context(), w.users, raw, right)
	require.ErrorIs(t, err, auth.ErrOneTimeToken)
	_, err = w.signIn(newPassword)
	require.NoError(t, err)
}

func TestLinkIsRedeemedOnce(t *testing.T) {
	w := newWorld(t)
	link := auth.Link{Kind: w.users, Name: "confirm", TTL: time.Hour, Binds: func(account any) string { return account.(*User).Name }}
	raw, err := w.LinkToken(link, w.ann())
	require.NoError(t, err)
	for range 2 {
		account, subject, err := w.CheckLink(t.Context(), link, raw)
		require.NoError(t, err, "a check does not use it up")
		require.Equal(t, email, account.(*User).Email)
		require.Equal(t, "1", subject)
	}
	_, _, err = w.RedeemLink(t.Context(), link, raw)
	require.NoError(t, err)
	_, _, err = w.RedeemLink(t.Context(), link, raw)
	require.ErrorIs(t, err, auth.ErrOneTimeToken)
}

func TestLinkIsInvalidAfterAChange(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"time":              func(w *world) { w.clock.Advance(time.Hour) },
		"a bound value":     func(w *world) { w.sql("UPDATE users SET name = 'Anne'") },
		"the identity":      func(w *world) { w.sql("UPDATE users SET email = 'anne@example.com'") },
		"the password":      func(w *world) { w.sql("UPDATE users SET password_hash = 'x'") },
		"a deleted account": func(w *world) { w.sql("DELETE FROM users") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			link := auth.Link{Kind: w.users, Name: "confirm", TTL: time.Hour, Binds: func(account any) string { return account.(*User).Name }}
			raw, err := w.LinkToken(link, w.ann())
			require.NoError(t, err)
			change(w)
			_, _, err = w.RedeemLink(t.Context(), link, raw)
			require.ErrorIs(t, err, auth.ErrOneTimeToken)
		})
	}
	w := newWorld(t)
	raw, err := w.LinkToken(auth.Link{Kind: w.users, Name: "confirm", TTL: time.Hour}, w.ann())
	require.NoError(t, err)
	_, _, err = w.CheckLink(t.Context(), auth.Link{Kind: w.users, Name: "invite"}, raw)
	require.ErrorIs(t, err, auth.ErrOneTimeToken, "another purpose")
}

func TestTicketIsForOnePath(t *testing.T) {
	w := newWorld(t)
	v := w.verified(w.enter().Access)
	raw := w.Ticket(v, "/files/1", 0, time.Time{})
	got, err := w.VerifyTicket(t.Context(), raw, "/files/1")
	require.NoError(t, err)
	require.Equal(t, v.ID, got.ID)
	_, err = w.VerifyTicket(t.Context(), raw, "/files/2")
	require.ErrorIs(t, err, token.ErrWrong)
	_, err = w.VerifyTicket(t.Context(), raw+"A", "/files/1")
	require.ErrorIs(t, err, token.ErrMalformed)
	short := w.Ticket(v, "/files/1", time.Hour, w.clock.Now().Add(minute))
	w.clock.Advance(minute)
	_, err = w.VerifyTicket(t.Context(), short, "/files/1")
	require.ErrorIs(t, err, token.ErrExpired)
	require.NoError(t, w.Revoke(t.Context(), v.ID))
	_, err = w.VerifyTicket(t.Context(), raw, "/files/1")
	require.ErrorIs(t, err, auth.ErrRevoked)
}

func TestListShowsLivingSessionsOnly(t *testing.T) {
	w := newWorld(t)
	first := w.enter()
	w.clock.Advance(minute)
	second := w.enter()
	list, err := w.List(t.Context(), "users", "1")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, second.SID, list[0].SID, "the newest is first")
	require.Equal(t, "192.0.2.1", list[0].Address)
	require.Equal(t, w.clock.Now(), list[0].LastRefresh)
	ended, err := w.EndAll(t.Context(), w.users, first.SID)
	require.NoError(t, err)
	require.True(t, ended)
	list, err = w.List(t.Context(), "users", "1")
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = w.List(t.Context(), "aliens", "1")
	require.ErrorIs(t, err, fault.ErrSetup)
}

func TestRevokeOfAnUnknownSessionIsNoError(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.Revoke(t.Context(), session.ID(make([]byte, 16))))
	require.NoError(t, w.Revoke(t.Context(), "' OR 1=1"))
}

func TestPruneDeletesExpiredSessions(t *testing.T) {
	w := newWorld(t)
	w.enter()
	w.clock.Advance(8 * 24 * time.Hour)
	require.NoError(t, w.PruneSafely(t.Context()))
	require.Zero(t, w.count("fiberjwt_sessions"))
	deleted, err := w.Prune(t.Context())
	require.NoError(t, err)
	require.Zero(t, deleted)
}

func TestSessionsAreFoundByTheirTokens(t *testing.T) {
	w := newWorld(t)
	one, other := w.enter(), w.enter()
	require.Equal(t, one.SID, auth.NamedSession(one.Access))
	require.Nil(t, auth.NamedSession("x"))
	sid, generation, ok := w.users.RefreshSession(one.Refresh)
	require.True(t, ok)
	require.Equal(t, one.SID, sid)
	require.Zero(t, generation)
	_, _, ok = w.users.RefreshSession("x")
	require.False(t, ok)
	same, err := w.OneAccount(t.Context(), w.users, one.SID, other.SID)
	require.NoError(t, err)
	require.True(t, same)
	w.clock.Advance(time.Hour)
	p, ok := w.HeldSession(t.Context(), w.users, one.Access)
	require.True(t, ok, "an expired token still names its session")
	require.Equal(t, auth.Pair{Subject: "1", SID: one.SID}, p)
}

func TestStartWantsAStoredAccount(t *testing.T) {
	w := newWorld(t)
	_, err := w.Start(t.Context(), w.users, &User{Email: email}, auth.Opening{})
	require.ErrorIs(t, err, fault.ErrSetup)
	_, err = w.Start(t.Context(), w.users, &User{ID: 99, Email: email, PasswordHash: "x"}, auth.Opening{})
	require.ErrorIs(t, err, fault.ErrSetup)
	require.ErrorContains(t, err, "has no row with the key of the account")
	stale := w.ann()
	w.sql("UPDATE users SET password_hash = 'changed'")
	_, err = w.Start(t.Context(), w.users, stale, auth.Opening{})
	require.ErrorIs(t, err, auth.ErrBadCredentials, "the password was changed after the account was loaded")
	_, err = w.Start(t.Context(), w.users, w.ann(), auth.Opening{TTL: minute, AuthTime: w.clock.Now().Add(-time.Hour)})
	require.NoError(t, err)
}

func TestSessionCanStartInTheTransactionOfItsAccount(t *testing.T) {
	w := newWorld(t)
	var p auth.Pair
	var closed bun.Tx
	require.NoError(t, w.db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) (err error) {
		guest := &Guest{ID: 1, Subject: "ann"}
		if _, err := tx.NewInsert().Model(guest).Exec(ctx); err != nil {
			return err
		}
		closed = tx
		p, err = w.Start(ctx, w.guests, guest, auth.Opening{DB: tx})
		return err
	}))
	require.Equal(t, "ann", w.verified(p.Access).Account.(*Guest).Subject)
	_, err := w.Start(t.Context(), w.guests, &Guest{ID: 1, Subject: "ann"}, auth.Opening{DB: closed})
	require.ErrorContains(t, err, "the transaction is over")
}

func TestSessionsEndWithTheirAccount(t *testing.T) {
	w := newWorld(t)
	w.sql("INSERT INTO guests VALUES (1, 'ann')")
	ann := &Guest{ID: 1, Subject: "ann"}
	p, err := w.Start(t.Context(), w.guests, ann, auth.Opening{})
	require.NoError(t, err)
	w.verified(p.Access)
	w.sql("UPDATE guests SET subject = 'bob'") // the key belongs to another account
	require.ErrorIs(t, w.verifyError(p.Access), auth.ErrRevoked)
	_, err = w.Refresh(t.Context(), w.guests, p.Refresh)
	require.ErrorIs(t, err, auth.ErrSessionEnded)
	list, err := w.List(t.Context(), "guests", "1")
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = w.Start(t.Context(), w.guests, ann, auth.Opening{})
	require.ErrorIs(t, err, auth.ErrBadCredentials)
	require.Contains(t, w.log.String(), "distinguish it from an earlier account with the same key")
}

func TestRegistrationEndsSessionsOfTheEarlierAccount(t *testing.T) {
	w := newWorld(t)
	p := w.enter()
	w.sql("DELETE FROM users", "DELETE FROM sqlite_sequence")
	require.NoError(t, w.Create(t.Context(), w.users, &User{Email: "bob@example.com"}, right))
	require.ErrorIs(t, w.verifyError(p.Access), auth.ErrRevoked)
}

// oldToken returns a token of the earlier system.
func oldToken(secret, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

func TestOldTokensAreAcceptedUntilTheirEnd(t *testing.T) {
	const secret = "the secret of the earlier system"
	w := newWorld(t, func(w *world, cfg *auth.Config) {
		cfg.Old = auth.OldTokens{Secret: []byte(secret), Until: w.clock.Now().Add(time.Hour), Kind: "users", Claim: "sub"}
	})
	exp := w.clock.Now().Add(2 * time.Hour).Unix()
	good := oldToken(secret, fmt.Sprintf(`{"sub":"1","exp":%d}`, exp))
	v := w.verified(good)
	require.Equal(t, "1", v.Subject)
	require.Nil(t, v.SID)
	require.NoError(t, w.Alive(t.Context(), v))
	require.ErrorIs(t, w.verifyError(oldToken("another secret of the same length", fmt.Sprintf(`{"sub":"1","exp":%d}`, exp))), token.ErrMalformed)
	require.ErrorIs(t, w.verifyError(oldToken(secret, fmt.Sprintf(`{"sub":"7","exp":%d}`, exp))), auth.ErrRevoked)
	require.ErrorIs(t, w.verifyError(oldToken(secret, `{"sub":"1","exp":1}`)), token.ErrExpired)
	w.verified(w.enter().Access)
	w.clock.Advance(time.Hour)
	require.ErrorIs(t, w.verifyError(good), token.ErrExpired)
	require.ErrorIs(t, w.Alive(t.Context(), v), token.ErrExpired)
}

func TestWithoutDatabaseTokensAreOnlyVerified(t *testing.T) {
	access := newWorld(t).enter().Access
	w := newWorld(t, func(_ *world, cfg *auth.Config) { cfg.DB, cfg.Sessions, cfg.Guard = nil, nil, nil })
	v := w.verified(access)
	require.Equal(t, "1", v.Subject)
	require.Nil(t, v.Account)
	require.ErrorIs(t, w.Alive(t.Context(), v), fault.ErrSetup)
	require.ErrorIs(t, w.Revoke(t.Context(), v.ID), auth.ErrNoStore)
	require.ErrorIs(t, w.RevokeAll(t.Context(), "users", "1"), auth.ErrNoStore)
	_, err := w.Prune(t.Context())
	require.ErrorIs(t, err, auth.ErrNoStore)
}

func TestHashPasswordIsVerifiedByCheckPassword(t *testing.T) {
	w := newWorld(t)
	hash, err := w.HashPassword(t.Context(), right)
	require.NoError(t, err)
	for text, want := range map[string]bool{right: true, newPassword: false, string(make([]byte, 300)): false} {
		ok, err := w.CheckPassword(t.Context(), hash, text)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	_, err = w.HashPassword(t.Context(), "short")
	require.ErrorIs(t, err, accounts.ErrRefused)
}
