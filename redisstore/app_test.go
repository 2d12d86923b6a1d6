package redisstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/redisstore"
	"github.com/fiberjwt/fiberjwt/session"
)

type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull"   json:"email"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

const (
	password    = "correct horse battery"
	newPassword = "staple a better battery"
)

// app is an application with its accounts in SQLite and its sessions in a separate Redis
// that persists them.
type app struct {
	*world
	fiber *fiber.App
	later atomic.Int64 // how many milliseconds its clock is ahead
}

func newApp(t *testing.T, configure ...func(*fiberjwt.Config)) *app {
	t.Helper()
	a := &app{world: newWorld(t, persistent...), fiber: fiber.New()}
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	require.NoError(t, err)
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	// Migrate is not called: the application must work without the table of sessions.
	_, err = db.NewCreateTable().Model((*User)(nil)).Exec(t.Context())
	require.NoError(t, err)
	cfg := fiberjwt.Config{
		DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Store: a.Store,
		Entities:    []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}},
		Routes:      a.fiber.Group("/auth"),
		Logger:      slog.New(slog.DiscardHandler),
		Now:         func() time.Time { return time.Now().Add(time.Duration(a.later.Load()) * time.Millisecond) },
		ReadTimeout: patience, WriteTimeout: patience,
	}
	for _, change := range configure {
		change(&cfg)
	}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, auth.Close()) })
	a.fiber.Use(auth.Handler())
	a.fiber.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
	return a
}

// answer is a response with its body.
type answer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    map[string]any // nil if it is not an object
}

// do sends a request; headers are name, value pairs.
func (a *app) do(method, path, body string, headers ...string) answer {
	a.t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := a.fiber.Test(request, -1)
	require.NoError(a.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(a.t, err)
	var object map[string]any
	_ = json.Unmarshal(text, &object)
	return answer{response.StatusCode, response.Header, response.Cookies(), object}
}

// device is a client that is signed in.
type device struct {
	app             *app
	access, refresh string
}

// signIn signs in by a route, register or login.
func (a *app) signIn(route, email, password string) *device {
	a.t.Helper()
	got := a.do("POST", "/auth/users/"+route, `{"email":"`+email+`","password":"`+password+`"}`)
	require.Less(a.t, got.status, 300, got.body)
	return &device{a, got.body["access_token"].(string), got.body["refresh_token"].(string)}
}

func (d *device) do(method, path, body string) answer {
	d.app.t.Helper()
	return d.app.do(method, path, body, "Authorization", "Bearer "+d.access)
}

// me returns the status of a GET /me.
func (d *device) me() int {
	d.app.t.Helper()
	return d.do("GET", "/me", "").status
}

// renew refreshes and stores the new tokens.
func (d *device) renew() answer {
	d.app.t.Helper()
	got := d.app.do("POST", "/auth/users/refresh", `{"refresh_token":"`+d.refresh+`"}`)
	if got.status == 200 {
		d.access = got.body["access_token"].(string)
		if refresh, ok := got.body["refresh_token"].(string); ok {
			d.refresh = refresh
		}
	}
	return got
}

func TestApplicationKeepsSessionsInRedis(t *testing.T) {
	a := newApp(t)
	phone := a.signIn("register", "ann@example.com", password)
	laptop := a.signIn("login", "ann@example.com", password)
	require.Equal(t, 200, phone.me())
	require.Len(t, a.keys(), 7, "two sessions, the index, and the counters of the account, the network, both together, and successes")

	first := phone.refresh
	a.later.Add(600 * second)
	require.Equal(t, 200, phone.renew().status)
	require.NotEqual(t, first, phone.refresh)
	require.Equal(t, 200, phone.me())
	tab := &device{a, phone.access, first}
	require.Equal(t, 200, tab.renew().status)
	require.Equal(t, phone.refresh, tab.refresh, "a concurrent tab gets the same successor")
	require.Equal(t, 200, phone.do("GET", "/auth/users/sessions", "").status)

	require.Equal(t, 200, laptop.renew().status)
	require.Equal(t, 204, phone.do("POST", "/auth/users/logout", "").status)
	require.Equal(t, 401, phone.me(), "the next request after the logout")
	refused := phone.renew()
	require.Equal(t, 401, refused.status)
	require.Equal(t, "session_ended", refused.body["error"])
	require.Equal(t, 200, laptop.me())

	tablet := a.signIn("login", "ann@example.com", password)
	bob := a.signIn("register", "bob@example.com", password)
	require.Equal(t, 204, tablet.do("POST", "/auth/users/logout-all", "").status)
	require.Equal(t, 401, tablet.me())
	require.Equal(t, 401, laptop.me())
	require.Equal(t, 200, bob.me())
}

func TestPasswordChangeEndsOtherRedisSessions(t *testing.T) {
	a := newApp(t)
	here := a.signIn("register", "ann@example.com", password)
	there := a.signIn("login", "ann@example.com", password)
	require.Equal(t, 204, here.do("POST", "/auth/users/password", `{"current_password":"`+password+`","password":"`+newPassword+`"}`).status)
	require.Equal(t, 200, here.me())
	require.Equal(t, 401, there.me())
	refused := there.renew()
	require.Equal(t, 401, refused.status)
	require.Equal(t, "session_ended", refused.body["error"])
	a.signIn("login", "ann@example.com", newPassword)
}

func TestReusedRefreshTokenEndsRedisSession(t *testing.T) {
	a := newApp(t)
	ann := a.signIn("register", "ann@example.com", password)
	attacker := *ann
	for range 2 {
		a.later.Add(600 * second)
		require.Equal(t, 200, ann.renew().status)
	}
	refused := attacker.renew()
	require.Equal(t, 401, refused.status)
	require.Equal(t, "session_revoked", refused.body["error"])
	require.Equal(t, 401, ann.me())
}

func TestRequestAsksRedisOnce(t *testing.T) {
	a := newApp(t)
	ann := a.signIn("register", "ann@example.com", password)
	for i := range 3 {
		a.later.Add(600 * second)
		a.hook.takeTrips()
		require.Equal(t, 200, ann.renew().status)
		refresh := len(a.hook.takeTrips())
		require.Equal(t, 200, ann.me())
		request := len(a.hook.takeTrips())
		if i > 0 { // the first time, the client sends the script to Redis
			require.Equal(t, []int{1, 1}, []int{refresh, request})
		}
	}
}

func TestRedisOutageGets503AndKeepsSessions(t *testing.T) {
	a := newApp(t)
	ann := a.signIn("register", "ann@example.com", password)
	body := `{"email":"ann@example.com","password":"` + password + `","transport":"cookie"}`
	got := a.do("POST", "/auth/users/login", body, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, 200, got.status)
	require.Len(t, got.cookies, 3, "the third cookie is the device cookie")
	var cookies []string
	for _, cookie := range got.cookies {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	browser := []string{"Cookie", strings.Join(cookies, "; "), "Sec-Fetch-Site", "same-origin"}
	phone := []string{"Authorization", "Bearer " + ann.access}

	a.server.kill()
	for _, request := range []struct {
		method, path, body string
		headers            []string
	}{
		{"GET", "/me", "", phone},
		{"GET", "/me", "", browser},
		{"POST", "/auth/users/refresh", "", browser},
		{"POST", "/auth/users/refresh", `{"refresh_token":"` + ann.refresh + `"}`, nil},
		{"POST", "/auth/users/logout", "", browser},
		{"POST", "/auth/users/logout-all", "", phone},
		{"GET", "/auth/users/sessions", "", phone},
		{"POST", "/auth/users/login", body, browser},
		{"POST", "/auth/users/register", `{"email":"bob@example.com","password":"` + password + `"}`, nil},
	} {
		got := a.do(request.method, request.path, request.body, request.headers...)
		require.Equal(t, 503, got.status, request.path)
		require.Equal(t, "temporarily_unavailable", got.body["error"], request.path)
		require.NotEmpty(t, got.header.Get("Retry-After"), request.path)
		require.Empty(t, got.header.Values("Set-Cookie"), request.path)
	}

	a.server.start()
	a.waitForServer()
	require.Equal(t, 200, ann.me())
	a.later.Add(600 * second)
	require.Equal(t, 200, ann.renew().status)
	got = a.do("POST", "/auth/users/refresh", "", browser...)
	require.Equal(t, 200, got.status)
	require.Len(t, got.cookies, 2)
	a.signIn("register", "bob@example.com", password)
}

func TestSessionLostByRedisGets401UntilLogin(t *testing.T) {
	a := newApp(t)
	ann := a.signIn("register", "ann@example.com", password)
	require.NoError(t, a.client.FlushAll(context.Background()).Err())
	require.Equal(t, 401, ann.me())
	refused := ann.renew()
	require.Equal(t, 401, refused.status)
	require.Equal(t, "session_ended", refused.body["error"])
	require.Equal(t, 200, a.signIn("login", "ann@example.com", password).me())
}

func TestCacheSeesLogoutOfAnotherProcess(t *testing.T) {
	reads := &hook{}
	a := newApp(t, func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Minute })
	phone := a.signIn("register", "ann@example.com", password)
	other := a.server.client()
	a.client.AddHook(reads)
	require.Eventually(t, func() bool { // nothing is cached before the first poll
		reads.takeTrips()
		return phone.me() == 200 && len(reads.takeTrips()) == 0
	}, patience, time.Millisecond)
	rows, err := a.List(t.Context(), "users", "1", time.Now().UnixMilli())
	require.NoError(t, err)
	require.Len(t, rows, 1)
	_, err = redisstore.New(other).Revoke(t.Context(), rows[0].SID, "", "", time.Now().UnixMilli())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return phone.me() == 401 }, patience, 10*time.Millisecond)
}

// The records of failed sign-ins are in Redis. The clock of the
// application stands still, so the rule allows five guesses even on a slow machine.
func TestFloodGetsNoMoreGuessesThanAllowed(t *testing.T) {
	begun := time.Now()
	a := newApp(t, func(cfg *fiberjwt.Config) { cfg.Now = func() time.Time { return begun } })
	a.signIn("register", "ann@example.com", password)
	require.NoError(t, a.client.FlushAll(t.Context()).Err()) // so that the throttle knows no network
	var compared atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 10 {
				if a.do("POST", "/auth/users/login", `{"email":"ann@example.com","password":"not it"}`).status == 401 {
					compared.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 5, compared.Load())
}

// serverTime makes the store judge by the clock of Redis, as it does without Config.Now.
// The test sets Config.Now to get a wrong clock.
type serverTime struct{ *redisstore.Store }

func (s serverTime) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	t.StoreClock = true
	return s.Store.Refresh(ctx, kind, sid, g, now, t)
}

// The clock of the application is wrong by the largest difference that two servers may
// have.
func TestRedisClockDecidesNotServerClock(t *testing.T) {
	for _, ahead := range []time.Duration{-60 * time.Second, 30 * time.Second, 60 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			var store *redisstore.Store
			a := newApp(t, func(cfg *fiberjwt.Config) {
				store = cfg.Store.(*redisstore.Store)
				cfg.Store = serverTime{store}
			})
			tab := a.signIn("register", "ann@example.com", password)
			// Time passes by making the session older.
			pass := func(d time.Duration) {
				t.Helper()
				keys, err := a.client.Keys(t.Context(), "fiberjwt:s:*").Result()
				require.NoError(t, err)
				require.Len(t, keys, 1)
				value, err := a.client.Get(t.Context(), keys[0]).Result()
				require.NoError(t, err)
				issued, err := strconv.ParseInt(value[34:50], 10, 64)
				require.NoError(t, err)
				require.NoError(t, a.client.SetRange(t.Context(), keys[0], 34, fmt.Sprintf("%016d", issued-d.Milliseconds())).Err())
			}
			other, first := *tab, tab.refresh
			pass(10 * time.Minute)
			require.Equal(t, 200, tab.renew().status)
			require.NotEqual(t, first, tab.refresh)
			a.later.Store(ahead.Milliseconds())
			for _, wait := range []time.Duration{31 * time.Second, 20 * time.Second, 20 * time.Second} {
				pass(wait)
				other.refresh = first
				require.Equal(t, 200, other.renew().status)
				require.Equal(t, tab.refresh, other.refresh, "%v later", wait)
				require.Equal(t, 200, other.me())
			}
			a.later.Store(0)
			require.Equal(t, 200, tab.renew().status)
			require.Equal(t, 200, tab.me())
		})
	}
}
