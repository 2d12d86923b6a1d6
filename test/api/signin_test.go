package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// An attacker who makes the store fail must not get more guesses.
func TestStoreFailureGivesNoExtraPasswordGuess(t *testing.T) {
	w, f := troubledWorld(t)
	w.addUser("ann@example.com")
	compared := 0
	for range 20 {
		f.set(errors.New("marker"), false, "INSERT INTO fiberjwt_throttle")
		for range 6 {
			a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword))
			require.Contains(t, []int{503, 429}, a.Status)
		}
		f.over()
		for w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword)).Status == 401 {
			compared++
		}
	}
	require.Equal(t, 5, compared)
}

func TestKnownNetworkSignsInDuringAttack(t *testing.T) {
	w := clientsWorld(t)
	require.Equal(t, 200, w.signInFrom("198.51.100.1", "ann@example.com").Status)
	w.guessUntilThrottled()
	for range 60 {
		require.Equal(t, 200, w.signInFrom("198.51.100.1", "ann@example.com").Status)
		w.guess("192.0.2.1", "ann@example.com", newPassword)
		w.clock.Advance(time.Minute)
	}
	require.Equal(t, 200, w.signInFrom("198.51.100.1", "ANN@example.com").Status)
}

func TestIPv6ClientIsKnownByItsNetwork(t *testing.T) {
	w := clientsWorld(t)
	require.Equal(t, 200, w.signInFrom("2001:db8:1:2::1", "ann@example.com").Status)
	w.guessUntilThrottled()
	require.Equal(t, 200, w.signInFrom("2001:db8:1:2:ffff::9", "ann@example.com").Status, "another address in the known network")
	require.Equal(t, 429, w.signInFrom("2001:db8:1:3::1", "ann@example.com").Status)
}

func TestRegistrationsOfOneAddressAreBounded(t *testing.T) {
	w := clientsWorld(t)
	made := 0
	for ; made < 300; made++ {
		a := w.do("POST", "/auth/users/register", credentials("users", fmt.Sprintf("%d@example.com", made), testPassword), "X-Real-IP", "192.0.2.1")
		if a.Status == 429 {
			break
		}
		require.Equal(t, 201, a.Status, a.Body)
	}
	require.Less(t, made, 120)
	require.Equal(t, 200, w.signInFrom("192.0.2.2", "ann@example.com").Status)
	a := w.do("POST", "/auth/users/register", credentials("users", "other@example.com", testPassword), "X-Real-IP", "192.0.2.2")
	require.Equal(t, 201, a.Status, a.Body)
}

func TestSignInsOfOneAddressAreBounded(t *testing.T) {
	w := clientsWorld(t)
	n := 0
	for ; n < 700 && w.signInFrom("192.0.2.1", "ann@example.com").Status == 200; n++ {
	}
	require.Equal(t, 500, n)
	requireRefusal(t, w.signInFrom("192.0.2.1", "ann@example.com"), 429, "rate_limited")
	require.Equal(t, 200, w.signInFrom("192.0.2.2", "ann@example.com").Status)
	w.clock.Advance(time.Minute)
	require.Equal(t, 200, w.signInFrom("192.0.2.1", "ann@example.com").Status)
}

func TestNineConcurrentSignInsAllSucceed(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "new": false} {
		t.Run(name, func(t *testing.T) {
			w := clientsWorld(t)
			if known {
				require.Equal(t, 200, w.signInFrom("198.51.100.1", "ann@example.com").Status)
			}
			var all sync.WaitGroup
			statuses := make([]int, 9)
			for i := range statuses {
				all.Go(func() { statuses[i] = w.signInFrom("198.51.100.1", "ann@example.com").Status })
			}
			all.Wait()
			require.Equal(t, []int{200, 200, 200, 200, 200, 200, 200, 200, 200}, statuses)
		})
	}
}

func TestSignInWithoutHashingSlotSendsNoQuery(t *testing.T) {
	watched := &queries{}
	w := newWorld(t, watched.watch)
	pair := w.register("users", "ann@example.com")
	open := closeGate(w.auth)
	for _, route := range []string{"login", "register"} {
		watched.reset()
		a := w.do("POST", "/auth/users/"+route, credentials("users", "bob@example.com", testPassword))
		requireRefusal(t, a, 503, "temporarily_unavailable")
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		require.Empty(t, watched.seen, route)
	}
	watched.reset()
	a := w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+pair.Access)
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.Len(t, watched.seen, 1, "only the query for the account of the session is allowed")
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	open()
	w.login("users", "ann@example.com")
}

func TestThrottledFloodSendsNoQuery(t *testing.T) {
	watched := &queries{}
	w := clientsWorld(t, watched.watch)
	for w.guess("192.0.2.1", "ann@example.com", newPassword).Status == 401 {
		watched.reset()
	}
	watched.reset()
	first := w.guess("192.0.2.1", "ann@example.com", newPassword)
	for range 100 {
		a := w.guess("192.0.2.1", "ann@example.com", newPassword)
		requireRefusal(t, a, 429, "rate_limited")
		require.Equal(t, first.Body, a.Body)
	}
	require.Empty(t, watched.seen)
}

func TestClientAddressIsReadFromProxyHeader(t *testing.T) {
	for name, test := range map[string]struct {
		header func(i int) string
		listed string
	}{
		"a port":                     {func(i int) string { return fmt.Sprintf("203.0.113.7:%d", 40001+i) }, "203.0.113.7"},
		"brackets":                   {func(i int) string { return fmt.Sprintf("[2001:db8::%x]:%d", i+1, 40001+i) }, "2001:db8::1"},
		"a zone":                     {func(i int) string { return fmt.Sprintf("fe80::1%%eth%d", i) }, "fe80::1"},
		"IPv4 in IPv6":               {func(int) string { return "::ffff:203.0.113.7" }, "203.0.113.7"},
		"a list":                     {func(int) string { return "203.0.113.7, 10.0.0.1" }, "203.0.113.7"},
		"a list with a forged entry": {func(i int) string { return fmt.Sprintf("192.0.2.%d, 203.0.113.7", i) }, "203.0.113.7"},
		"garbage":                    {func(i int) string { return fmt.Sprintf("unknown%d", i) }, ""},
		"no address":                 {func(int) string { return " " }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := quickWorld(t, withoutRoutes)
			config := behindProxy("X-Forwarded-For")
			config.EnableIPValidation = name == "a list with a forged entry"
			w.mounted(fiber.New(config))
			w.addUser("ann@example.com")
			guess := func(i int) int {
				return w.do("POST", "/auth/users/login", credentials("users", fmt.Sprintf("%d@example.com", i), newPassword), "X-Forwarded-For", test.header(i)).Status
			}
			a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword), "X-Forwarded-For", test.header(0))
			require.Equal(t, 200, a.Status, a.Body)
			var sessions []fiberjwt.SessionInfo
			require.NoError(t, json.Unmarshal([]byte(w.get("/auth/users/sessions", w.tokensOf(a).Access).Body), &sessions))
			require.Equal(t, test.listed, sessions[0].Address)
			compared := 0
			for compared < 70 && guess(compared) == 401 {
				compared++
			}
			require.Equal(t, 50, compared)
			if test.listed == "" {
				require.Equal(t, 1, strings.Count(w.log.String(), "the address of clients is not known"))
				require.NotContains(t, w.log.String(), "unknown0")
			}
		})
	}
}

func TestUnixSocketClientsShareOneLimit(t *testing.T) {
	w := quickWorld(t, withoutRoutes)
	w.mounted(fiber.New(fiber.Config{DisableStartupMessage: true}))
	path := filepath.Join(t.TempDir(), "app.sock")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- w.app.Listener(listener) }()
	t.Cleanup(func() {
		require.NoError(t, w.app.ShutdownWithTimeout(patience))
		require.NoError(t, <-served)
	})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	t.Cleanup(client.CloseIdleConnections)
	guess := func(i int) int {
		body := credentials("users", fmt.Sprintf("%d@example.com", i), newPassword)
		response, err := client.Post("http://app/auth/users/login", "application/json", bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, errors.Join(err, response.Body.Close()))
		return response.StatusCode
	}
	compared := 0
	for compared < 70 && guess(compared) == 401 {
		compared++
	}
	require.Equal(t, 50, compared)
	require.Equal(t, 1, strings.Count(w.log.String(), "the address of clients is not known"))
}

// A wrong password gets the same response and the same statements for every account.
func TestSignInDoesNotRevealWhichAccountsExist(t *testing.T) {
	watched := &queries{}
	w := clientsWorld(t, watched.watch, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: notDisabled}
	})
	for _, name := range []string{"disabled", "old", "none", "Capitals"} {
		w.addUser(name + "@example.com")
	}
	w.sql(`UPDATE users SET disabled = true WHERE email LIKE 'disabled%'`)
	w.sql(`UPDATE users SET password_hash = '' WHERE email LIKE 'none%'`)
	w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `' WHERE email LIKE 'old%'`)
	w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `', disabled = true WHERE email LIKE 'Capitals%'`)
	type look struct {
		status     int
		body       string
		header     string
		statements string
	}
	var want look
	n := 0
	try := func(identity, password string) look {
		n++
		watched.reset()
		a := w.guess(fmt.Sprintf("192.0.2.%d", n), identity, password)
		a.Header.Del("Date")
		var shapes []string
		for _, query := range watched.seen {
			shapes = append(shapes, strings.Join(strings.Fields(query)[:3], " "))
		}
		return look{a.Status, a.Body, fmt.Sprint(a.Header), strings.Join(shapes, "\n")}
	}
	for _, identity := range []string{"ann@example.com", "unknown@example.com", "disabled@example.com", "old@example.com", "none@example.com", "Capitals@example.com"} {
		for _, typed := range []string{identity, strings.ToUpper(identity)} {
			got := try(typed, newPassword)
			if want.status == 0 {
				want = got
				require.Equal(t, 401, got.status)
				require.Equal(t, 4, strings.Count(got.statements, "\n")+1)
			}
			require.Equal(t, want, got, typed)
		}
	}
	for _, right := range []string{"disabled@example.com", "Capitals@example.com"} {
		require.Equal(t, want, try(right, testPassword), "the correct password of an account that Allow refuses must look like a wrong one")
	}

	var throttled look
	for _, identity := range []string{"ann@example.com", "unknown@example.com", "disabled@example.com", "old@example.com", "none@example.com"} {
		w.clock.Advance(48 * time.Hour)
		for i := 0; w.guess("203.0.113.1", identity, newPassword).Status == 401; i++ {
			require.Less(t, i, 10)
		}
		got := try(identity, newPassword)
		if throttled.status == 0 {
			throttled = got
			require.Equal(t, 429, got.status)
		}
		require.Equal(t, throttled, got, identity)
	}
}

func TestUnlockTokenAdmitsNewNetworkDuringAttack(t *testing.T) {
	w := clientsWorld(t)
	w.addUser("bob@example.com")
	ann, bob := &User{}, &User{}
	require.NoError(t, w.db.NewSelect().Model(ann).Where("email = 'ann@example.com'").Scan(t.Context()))
	require.NoError(t, w.db.NewSelect().Model(bob).Where("email = 'bob@example.com'").Scan(t.Context()))
	token, err := fiberjwt.UnlockToken(w.auth, ann, time.Hour)
	require.NoError(t, err)
	require.Regexp(t, `^fju_[A-Za-z0-9_-]+$`, token)
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "fju_"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "ann@example.com")
	w.guessUntilThrottled()
	unlock := func(address, token string, password string) int {
		return w.guess(address, "ann@example.com", password, "unlock_token", token).Status
	}

	bobs, err := fiberjwt.UnlockToken(w.auth, bob, 0)
	require.NoError(t, err)
	reset, err := fiberjwt.ResetToken(w.auth, ann, 0)
	require.NoError(t, err)
	for name, wrong := range map[string]string{
		"of another account": bobs, "for another purpose": reset, "forged": token[:len(token)-8] + "AAAAAAAA", "cut": token[:20], "empty": "", "long": strings.Repeat("A", 9000),
	} {
		require.Equal(t, 429, unlock("203.0.113.1", wrong, testPassword), name)
	}
	for range 4 {
		require.Equal(t, 401, unlock("203.0.113.2", token, newPassword))
	}
	require.Equal(t, 200, unlock("203.0.113.3", token, testPassword))
	require.Equal(t, 200, w.signInFrom("203.0.113.3", "ann@example.com").Status, "a sign-in with an unlock token must make the network known")
	for range 5 {
		require.Equal(t, 401, unlock("203.0.113.4", token, newPassword))
	}
	require.Equal(t, 429, unlock("203.0.113.5", token, newPassword), "guesses with one unlock token must share one counter")

	w.clock.Advance(time.Hour)
	w.guessUntilThrottled()
	require.Equal(t, 429, unlock("203.0.113.6", token, testPassword), "the unlock token has expired")
	require.Equal(t, 200, unlock("203.0.113.3", "not one", testPassword), "a known network needs no valid unlock token")
}

func TestUnlockTokenRefusesInvalidArguments(t *testing.T) {
	w := quickWorld(t)
	for name, make := range map[string]func() (string, error){
		"no account":     func() (string, error) { return fiberjwt.UnlockToken[User](w.auth, nil, 0) },
		"too long":       func() (string, error) { return fiberjwt.UnlockToken(w.auth, &User{ID: 1}, 25*time.Hour) },
		"below zero":     func() (string, error) { return fiberjwt.UnlockToken(w.auth, &User{ID: 1}, -1) },
		"another model":  func() (string, error) { return fiberjwt.UnlockToken(w.auth, &struct{ ID int64 }{1}, 0) },
		"without a kind": func() (string, error) { return fiberjwt.UnlockToken(&fiberjwt.Auth{}, &User{ID: 1}, 0) },
	} {
		_, err := make()
		require.ErrorIs(t, err, fiberjwt.ErrSetup, name)
	}
}

// panickingStore is a store that panics in one method, as a driver may.
type panickingStore struct {
	*session.SQL
	panics string
}

func (s *panickingStore) LoadAttempts(ctx context.Context, keys [][]byte) ([]session.AttemptRecord, error) {
	if s.panics == "load" {
		panic("the driver")
	}
	return s.SQL.LoadAttempts(ctx, keys)
}

func (s *panickingStore) SwapAttempts(ctx context.Context, swaps []session.AttemptSwap) ([]bool, error) {
	if s.panics == "swap" {
		panic("the driver")
	}
	return s.SQL.SwapAttempts(ctx, swaps)
}

func TestPanicInStoreOrHookReleasesSlot(t *testing.T) {
	var store *panickingStore
	hook := false
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		store = &panickingStore{SQL: session.NewSQL(cfg.DB)}
		cfg.Store = store
		panics := func() {
			if hook {
				panic("the hook")
			}
		}
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: func(*fiber.Ctx, *User) error { panics(); return nil },
			Allow:    func(context.Context, *User) error { panics(); return nil },
		}
	})
	w.addUser("ann@example.com")
	for _, store.panics = range []string{"load", "swap", ""} {
		hook = store.panics == ""
		for i := range 10 {
			for _, route := range []string{"login", "register"} {
				identity := map[string]string{"login": "ann@example.com", "register": fmt.Sprintf("%s%d@example.com", store.panics, i)}[route]
				a := w.do("POST", "/auth/users/"+route, credentials("users", identity, testPassword))
				require.Equal(t, 500, a.Status, "%s: %s", route, a.Body)
			}
		}
	}
	hook = false
	w.clock.Advance(24 * time.Hour)
	w.login("users", "ann@example.com")
}

func TestSlowHookHoldsNoHashingSlot(t *testing.T) {
	slow := make(chan struct{})
	var waiting sync.WaitGroup
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: func(*fiber.Ctx, *User) error {
			waiting.Done()
			<-slow
			return nil
		}}
	})
	w.addUser("ann@example.com")
	var all sync.WaitGroup
	waiting.Add(20)
	for i := range 20 {
		all.Go(func() {
			w.do("POST", "/auth/users/register", credentials("users", fmt.Sprintf("%d@example.com", i), testPassword))
		})
	}
	waiting.Wait()
	w.login("users", "ann@example.com")
	close(slow)
	all.Wait()
	require.Equal(t, 21, w.count("users"))
}

func TestFormerBrowsersShareOneCounterAfterPasswordChange(t *testing.T) {
	w := clientsWorld(t)
	own, other, third := w.browser(), w.browser(), w.browser()
	for i, b := range []*browser{other, own, third} {
		require.Equal(t, 200, b.enterFrom(fmt.Sprintf("198.51.100.%d", 1+i), "ann@example.com").Status)
	}
	w.clock.Advance(time.Minute)
	a := own.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "X-Real-IP", "198.51.100.9")
	require.Equal(t, 204, a.Status, a.Body)
	enter := func(b *browser, address, password string) int {
		return b.do("POST", "/auth/users/login", loginBody("ann@example.com", password), "X-Real-IP", address).Status
	}
	for i := range 30 {
		enter(w.browser(), fmt.Sprintf("192.0.2.%d", i), testPassword)
		w.clock.Advance(time.Minute)
	}
	require.Equal(t, 200, enter(third, "203.0.113.1", newPassword), "guesses from unknown browsers must not delay a known browser")
	compared := 0
	for i := range 20 {
		if enter([]*browser{other, third}[i%2], fmt.Sprintf("203.0.113.%d", 10+i), testPassword) == 401 {
			compared++
		}
	}
	require.LessOrEqual(t, compared, 6)
	require.Equal(t, 429, enter(third, "203.0.113.1", newPassword))
	require.Equal(t, 200, enter(own, "203.0.113.2", newPassword))
	require.Equal(t, 200, enter(w.browser(), "198.51.100.9", newPassword), "the network of the password change must stay known")
}

func TestOwnerSignsInAfterResetDuringAttack(t *testing.T) {
	w := clientsWorld(t)
	b := w.browser()
	require.Equal(t, 200, b.enterFrom("198.51.100.1", "ann@example.com").Status)
	w.guessUntilThrottled()
	w.clock.Advance(time.Minute)
	token, err := fiberjwt.ResetToken(w.auth, stored[User](w), 0)
	require.NoError(t, err)
	_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, token, newPassword)
	require.NoError(t, err)
	for i := range 20 {
		w.guess(fmt.Sprintf("192.0.2.%d", 100+i), "ann@example.com", testPassword)
		w.clock.Advance(time.Minute)
	}
	require.Equal(t, 200, w.guess("198.51.100.1", "ann@example.com", newPassword).Status, "the known network must be let in")
	a := b.do("POST", "/auth/users/login", loginBody("ann@example.com", newPassword), "X-Real-IP", "203.0.113.1")
	require.Equal(t, 200, a.Status, "the known browser must be let in")
}

// A sibling subdomain can set a cookie of the same name for the same path.
func TestPlantedDeviceCookieDoesNotHideTheRealOne(t *testing.T) {
	w := clientsWorld(t)
	b := w.browser()
	require.Equal(t, 200, b.enterFrom("198.51.100.1", "ann@example.com").Status)
	w.guessUntilThrottled()
	real := deviceCookie + "=" + b.mark[deviceCookie].Value
	for _, cookies := range []string{real, deviceCookie + "=AAAA; " + real, real + "; " + deviceCookie + "=AAAA"} {
		a := w.do("POST", "/auth/users/login", loginBody("ann@example.com", testPassword), "X-Real-IP", "203.0.113.1", "Cookie", cookies)
		require.Equal(t, 200, a.Status, cookies)
		w.sql("DELETE FROM fiberjwt_sessions")
	}
}

func TestUnlockTokenMayBeNull(t *testing.T) {
	w := clientsWorld(t)
	body := strings.TrimSuffix(loginBody("ann@example.com", testPassword), "}") + `,"unlock_token":null}`
	require.Equal(t, 200, w.do("POST", "/auth/users/login", body).Status)
}

func TestConcurrentLoginsSucceedDuringRehash(t *testing.T) {
	w := newWorld(t)
	w.addUser("ann@example.com")
	w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `'`)
	answers := make([]answer, 5) // a sixth would have to wait
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			answers[i] = w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
		})
	}
	group.Wait()
	for _, a := range answers {
		require.Equal(t, 200, a.Status, a.Body)
		require.Equal(t, 200, w.get("/users/me", w.tokensOf(a).Access).Status)
	}
	require.True(t, strings.HasPrefix(w.text("SELECT password_hash FROM users"), "$argon2id$"))
}

func TestLoginRechecksHashThatChangedDuringRehash(t *testing.T) {
	for name, test := range map[string]struct {
		hash   string // what the row contains when the login replaces the old hash
		status int
	}{
		"another login replaced it": {hashOfTestPassword, 200},
		"the password was changed":  {strings.Replace(hashOfTestPassword, "c2Fsd", "d2Fsd", 1), 401},
		"the password was removed":  {"", 401},
	} {
		t.Run(name, func(t *testing.T) {
			watched := &queries{}
			w := newWorld(t, watched.watch)
			w.addUser("ann@example.com")
			w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `'`)
			watched.once("BEGIN", func() { w.sql(`UPDATE users SET password_hash = '` + test.hash + `'`) })
			a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
			require.Equal(t, test.status, a.Status, a.Body)
			require.Equal(t, test.hash, w.text("SELECT password_hash FROM users"))
		})
	}
}

func TestAccountWithoutPasswordSignsInByLogin(t *testing.T) {
	watched := &queries{}
	w := quickWorld(t, watched.watch)
	w.sql(`DROP TABLE users`, `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT, admin BOOL, disabled BOOL, password_hash TEXT)`)
	w.sql(`INSERT INTO users (id, email) VALUES (1, 'ann@example.com')`)
	for _, none := range []string{"NULL", "''"} {
		w.sql(`UPDATE users SET password_hash = ` + none)
		pair := w.enter("users", 1)
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status, none)
		require.Equal(t, 200, w.refresh("users", pair.Refresh).Status, none)
		requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)), 401, "invalid_credentials", none)

		sessions := w.count("fiberjwt_sessions")
		watched.once("INSERT INTO fiberjwt_sessions", func() { w.sql(`UPDATE users SET password_hash = '` + hashOfTestPassword + `'`) })
		require.Equal(t, 401, w.do("POST", "/door/users/1", "").Status, "%s: the account got a password during the login", none)
		require.Equal(t, sessions, w.count("fiberjwt_sessions"), none)
	}
}

func TestServerFailuresAreNotCountedByThrottle(t *testing.T) {
	var trouble error
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: func(*fiber.Ctx, *User) error { return trouble },
			Allow:    func(context.Context, *User) error { return trouble },
		}
	})
	w.addUser("ann@example.com")
	often := func(route, identity string) {
		t.Helper()
		for range 6 { // the throttle refuses after five failures
			a := w.do("POST", "/auth/users/"+route, credentials("users", identity, testPassword))
			requireRefusal(t, a, 503, "temporarily_unavailable")
		}
	}

	trouble = fiberjwt.ErrUnavailable
	often("login", "ann@example.com")
	trouble = nil
	w.login("users", "ann@example.com")

	w.sql(`CREATE TRIGGER full BEFORE INSERT ON fiberjwt_sessions BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
	often("login", "ann@example.com")
	w.sql(`DROP TRIGGER full`)
	w.login("users", "ann@example.com")

	trouble = fiberjwt.ErrUnavailable
	often("register", "bob@example.com")
	trouble = nil
	w.register("users", "bob@example.com")
}

func TestThrottleCountsClientsBehindProxySeparately(t *testing.T) {
	w := newWorld(t, withoutRoutes)
	w.mounted(fiber.New(behindProxy("X-Forwarded-For")))
	w.addUser("ann@example.com")
	w.sql(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 51)
		INSERT INTO users (email, full_name, admin, disabled, password_hash) SELECT 'user' || i, '', false, false, '` + bcryptOfTestPassword + `' FROM n`)
	guess := func(i int) answer {
		return w.do("POST", "/auth/users/login", credentials("users", fmt.Sprint("user", i), newPassword), "X-Forwarded-For", "203.0.113.7, 10.0.0.1")
	}
	for i := range 50 {
		require.Equal(t, 401, guess(i+1).Status)
	}
	requireRefusal(t, guess(51), 429, "rate_limited")
	a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword), "X-Forwarded-For", "198.51.100.7, 10.0.0.1")
	require.Equal(t, 200, a.Status, a.Body)
}
