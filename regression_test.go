package fiberjwt_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/fiberjwttest"
	"github.com/fiberjwt/fiberjwt/session"
)

// What a review found and what must not come back.

// mounted puts the built-in routes of w, whose Config has no Routes, below
// /auth of app and everything else of newWorld behind the middleware.
func (w *world) mounted(app *fiber.App) {
	w.app = app
	w.auth.Mount(app.Group("/auth"))
	app.Use(w.auth.Handler())
	w.routes()
}

func withoutRoutes(cfg *fiberjwt.Config) { cfg.Routes = nil }

// Cookies and origins.

func TestAnotherSiteCannotLogOutWhoeverCarriesTheTokenInACookieOfTheApplication(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromCookie("custom") })
	w.addUser("ann@example.com")
	cookie := "custom=" + w.enter("users", 1).Access
	for _, route := range []string{"/auth/users/logout", "/auth/users/logout-all"} {
		a := w.do("POST", route, "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site", "Origin", elsewhere)
		requireRefusal(t, a, 403, "csrf", route)
		require.Empty(t, a.Header.Values("Set-Cookie"), route)
		require.Equal(t, 200, w.do("GET", "/users/me", "", "Cookie", cookie).Status, "%s ended the session", route)
	}
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin").Status)
	require.Equal(t, 401, w.do("GET", "/users/me", "", "Cookie", cookie).Status)
}

func TestABrowserRefreshesOnRoutesThatMountPutBelowAPrefix(t *testing.T) {
	w := newWorld(t, withoutRoutes)
	w.mounted(fiber.New())
	b := w.browser()
	b.register("users", "ann@example.com")
	require.Equal(t, "/auth/users", b.jar[refreshCookie].Path)
	w.clock.Advance(11 * time.Minute)
	require.Equal(t, 401, b.do("GET", "/users/me", "").Status)
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "").Status)
	require.Empty(t, b.jar)
}

func TestARefreshCookieThatWasPlantedBesideOursDoesNotCount(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("mallory@example.com")
	w.addTeacher("bob")
	planted := map[string]string{
		"junk":                     "junk",
		"a token of another kind":  w.enter("teachers", 1).Refresh,
		"a token with a false end": w.enter("users", 1).Refresh + "x",
		"a good token of the same": w.enter("users", 1).Refresh,
		"one of somebody else":     w.enter("users", 2).Refresh,
	}
	for name, value := range planted {
		for _, plantedFirst := range []bool{true, false} {
			b := w.browser()
			b.enter("users", 1)
			ours := userCookie + "=" + b.jar[userCookie].Value + "; " + refreshCookie + "=" + b.jar[refreshCookie].Value
			both := []string{ours, refreshCookie + "=" + value}
			if plantedFirst {
				slices.Reverse(both)
			}
			cookies := strings.Join(both, "; ")
			a := w.do("POST", "/auth/users/refresh", "", "Cookie", cookies, "Sec-Fetch-Site", "same-origin")
			require.Equal(t, 200, a.Status, "%s first %v: %s", name, plantedFirst, a.Body)
			require.NotEmpty(t, setCookies(t, a)[userCookie], name)

			a = w.do("POST", "/auth/users/logout", "", "Cookie", cookies, "Sec-Fetch-Site", "same-origin")
			require.Equal(t, 204, a.Status, "%s first %v: %s", name, plantedFirst, a.Body)
			a = w.do("POST", "/auth/users/refresh", "", "Cookie", ours, "Sec-Fetch-Site", "same-origin")
			requireRefusal(t, a, 401, "session_ended", name)
		}
	}
}

func TestADoubledCookieOfOneKindIsNoFaultOfAnother(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	doubled := userCookie + "=" + w.enter("users", 1).Access + "; " + userCookie + "=junk"
	cookies := doubled + "; " + teacherCookie + "=" + w.enter("teachers", 1).Access
	require.Equal(t, 200, w.do("GET", "/teachers/me", "", "Cookie", cookies).Status)
	require.Equal(t, 200, w.do("GET", "/auth/teachers/me", "", "Cookie", cookies).Status)
	require.Equal(t, "teachers:1", w.do("GET", "/any", "", "Cookie", cookies).Body)
	for _, path := range []string{"/users/me", "/auth/users/me"} {
		requireRefusal(t, w.do("GET", path, "", "Cookie", cookies), 400, "invalid_request", path)
		requireRefusal(t, w.do("GET", path, "", "Cookie", doubled), 400, "invalid_request", path)
	}
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Cookie", doubled).Status)
}

func TestACookieOnlyServerTakesAndGivesNoTokensInBodies(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Transport = []fiberjwt.Transport{fiberjwt.TransportCookie} })
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	a := w.refresh("users", b.jar[refreshCookie].Value)
	requireRefusal(t, a, 422, "invalid_fields")
	require.Contains(t, a.Body, "refresh_token")
	require.Empty(t, w.tokensOf(a))

	a = w.do("POST", "/door/users/1?via=body", "")
	require.Equal(t, 500, a.Status, a.Body)
	require.Equal(t, 1, w.count("fiberjwt_sessions"), "a session was left behind that nobody has")
	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
}

// Passwords and the throttle.

func TestLoginsAtOnceSucceedWhileTheHashIsRaised(t *testing.T) {
	w := newWorld(t)
	w.addUser("ann@example.com")
	w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `'`)
	answers := make([]answer, 5) // more would have to wait
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

func TestALoginJudgesTheHashThatIsThereWhenItCannotRaiseIt(t *testing.T) {
	for name, test := range map[string]struct {
		hash   string // that the row gets while the login raises the old one
		status int
	}{
		"another login raised it":  {hashOfTestPassword, 200},
		"the password was changed": {strings.Replace(hashOfTestPassword, "c2Fsd", "d2Fsd", 1), 401},
		"the password was removed": {"", 401},
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

func TestAnAccountWithoutAPasswordSignsInByLogin(t *testing.T) {
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
		require.Equal(t, 401, w.do("POST", "/door/users/1", "").Status, "%s: it got a password meanwhile", none)
		require.Equal(t, sessions, w.count("fiberjwt_sessions"), none)
	}
}

func TestTroubleOfTheServerIsNotChargedToThePerson(t *testing.T) {
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
		for range 6 { // five failures are free
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

func TestClientsBehindAProxyAreCountedApartThoughTheHeaderIsAList(t *testing.T) {
	w := newWorld(t, withoutRoutes)
	w.mounted(fiber.New(fiber.Config{ProxyHeader: "X-Forwarded-For"}))
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

// Guards.

func TestAGuardDoesNotLookPastTheMiddlewareThatDeclaresTheKind(t *testing.T) {
	w := quickWorld(t)
	inner, err := fiberjwt.Open(fiberjwt.Config{
		DB: w.db, Secret: []byte("xQ3vL8mT1cY6rK0bW5nZ2hF9dS4gJ7pA"), Entities: []fiberjwt.Kind{fiberjwt.Entity[User]{}},
		Extractor: fiberjwt.FromHeader("X-Inner"), Optional: true, Now: w.clock.Now, Logger: quiet,
	})
	require.NoError(t, err)
	group := w.app.Group("/inner", inner.Handler())
	passed := func(c *fiber.Ctx) error { return c.SendString("passed") }
	group.Get("/users", fiberjwt.Require("users"), passed)
	group.Get("/teachers", fiberjwt.Require("teachers"), passed)
	group.Get("/any", fiberjwt.Require(), passed)
	group.Get("/as", fiberjwt.As(func(c *fiber.Ctx, _ *User) error { return passed(c) }))
	group.Get("/who", func(c *fiber.Ctx) error {
		var found []string
		for _, kinds := range [][]string{{"users"}, {"teachers"}, nil} {
			if s, ok := fiberjwt.SessionOf(c, kinds...); ok {
				found = append(found, s.Kind)
			}
		}
		return c.SendString(strings.Join(found, " "))
	})
	w.addUser("ann@example.com")
	w.addTeacher("ann")

	user := w.enter("users", 1)
	require.Equal(t, 200, w.get("/users/me", user.Access).Status)
	for _, path := range []string{"/inner/users", "/inner/any", "/inner/as"} {
		requireRefusal(t, w.get(path, user.Access), 401, "no_token", path)
	}
	require.Equal(t, "", w.get("/inner/who", user.Access).Body)

	teacher := w.enter("teachers", 1) // a kind that the inner one does not know
	require.Equal(t, "passed", w.get("/inner/teachers", teacher.Access).Body)
	require.Equal(t, "passed", w.get("/inner/any", teacher.Access).Body)
	require.Equal(t, "teachers teachers", w.get("/inner/who", teacher.Access).Body)
}

// Bodies.

func TestABodyWithoutEndIsCut(t *testing.T) {
	const most = 16 << 10
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.FromForm("token"))
	}, withoutRoutes)
	w.mounted(fiber.New(fiber.Config{StreamRequestBody: true, DisableStartupMessage: true}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = w.app.Listener(listener) }()
	t.Cleanup(func() { require.NoError(t, w.app.Shutdown()) })

	// start sends the head and the first bytes of a body, in a chunk of 64 MiB
	// that never ends, and gives the answer.
	start := func(t *testing.T, path, mediaType, body string) int {
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n%s", path, mediaType, body)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, "the server still waits for the rest of the body")
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	for _, path := range []string{"/auth/users/register", "/auth/users/login"} {
		require.Equal(t, 413, start(t, path, "application/json", strings.Repeat("a", most+1)), path)
	}
	require.Equal(t, 401, start(t, "/any", "application/x-www-form-urlencoded", "token="), "no form is read from a stream")
}

func TestAFormIsNotParsedForATokenBeyondSixteenKiB(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromForm("token") })
	w.addUser("ann@example.com")
	token := "token=" + w.enter("users", 1).Access + "&rest="
	post := func(body []byte) (status int, allocated uint64) {
		var c fasthttp.RequestCtx
		c.Request.Header.SetMethod("POST")
		c.Request.SetRequestURI("/any")
		c.Request.Header.SetContentType("application/x-www-form-urlencoded")
		c.Request.SetBody(body)
		handler := w.app.Handler()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		handler(&c)
		runtime.ReadMemStats(&after)
		return c.Response.StatusCode(), after.TotalAlloc - before.TotalAlloc
	}
	status, _ := post([]byte(token + strings.Repeat("a", 16<<10-len(token))))
	require.Equal(t, 200, status)
	status, _ = post([]byte(token + strings.Repeat("a", 16<<10-len(token)+1)))
	require.Equal(t, 401, status)
	status, allocated := post(bytes.Repeat([]byte("a&"), 2<<20))
	require.Equal(t, 401, status)
	require.Less(t, allocated, uint64(1<<20), "bytes of memory for a form that is refused")
}

// Config.

func TestAPublicPatternThatTheRouterCannotReadIsFoundByOpen(t *testing.T) {
	for name, pattern := range map[string]string{
		"a regular expression that is none":        "GET /x/:id<regex([)>",
		"more parameters than the router counts":   "GET /x" + strings.Repeat("/:a", 40),
		"a constraint in the middle of the others": `POST /x/:a<int>/:b<regex((\d)>/:c`,
		"a constraint, which cannot be matched":    `GET /x/:id<int>`,
	} {
		cfg := goodConfig(t)
		cfg.Public = []string{"GET /open", pattern}
		require.NotPanics(t, func() {
			_, err := fiberjwt.Open(cfg)
			require.ErrorContains(t, err, "Config.Public[1]", name)
		}, name)
	}
	cfg := goodConfig(t)
	cfg.Public = []string{"GET /x/:id", "GET /x/*", "GET /y/+", "POST /z/:a?"}
	_, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
}

func TestAnIdleTTLThatEndsSessionsUnderLivingTokensIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		access, rearm, least time.Duration
	}{
		"half an access token is the age to rotate": {10 * time.Minute, 0, 15 * time.Minute},
		"Rearm is the age to rotate":                {time.Minute, 0, 2 * time.Minute},
		"Rearm is longer than usual":                {time.Minute, 5 * time.Minute, 6 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.Refresh.Rearm = test.rearm
			cfg.Entities = []fiberjwt.Kind{fiberjwt.Entity[User]{AccessTTL: test.access, IdleTTL: test.least - time.Second}}
			_, err := fiberjwt.Open(cfg)
			require.ErrorContains(t, err, "IdleTTL")
			require.ErrorContains(t, err, test.least.String())
			cfg.Entities = []fiberjwt.Kind{fiberjwt.Entity[User]{AccessTTL: test.access, IdleTTL: test.least}}
			_, err = fiberjwt.Open(cfg)
			require.NoError(t, err)
		})
	}
}

func TestAChainWithoutLinksIsRefusedAndNotTakenForTheDefault(t *testing.T) {
	for name, extractor := range map[string]fiberjwt.Extractor{
		"a chain of nothing":        fiberjwt.Chain(),
		"of a slice that is empty":  fiberjwt.Chain([]fiberjwt.Extractor{}...),
		"as a link of a chain":      fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.Chain()),
		"a chain of chains of none": fiberjwt.Chain(fiberjwt.Chain(fiberjwt.Chain())),
	} {
		cfg := goodConfig(t)
		cfg.Extractor = extractor
		_, err := fiberjwt.Open(cfg)
		require.ErrorContains(t, err, "Config.Extractor", name)
	}
}

// Hooks.

func TestAnAllowHookWhoseOwnStoreDoesNotAnswerRefusesNobody(t *testing.T) {
	var trouble error
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(context.Context, *User) error { return trouble }}
	})
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled, sql.ErrConnDone} {
		trouble = fmt.Errorf("query roles: %w", cause)
		for name, a := range map[string]answer{
			"a request": w.get("/users/me", pair.Access),
			"public":    w.get("/open", pair.Access),
			"refresh":   w.refresh("users", pair.Refresh),
			"login":     w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)),
		} {
			requireRefusal(t, a, 503, "temporarily_unavailable", cause, name)
			require.NotEmpty(t, a.Header.Get("Retry-After"), name)
			require.NotContains(t, a.Body, "roles", name)
		}
	}
	require.Contains(t, w.log.String(), "query roles")
	a := w.do("POST", "/auth/users/register", credentials("users", "bob@example.com", testPassword))
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.Equal(t, 1, w.count("users"), "it registers when Allow can say so")
	trouble = nil
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
}

func TestAnAccountThatAllowRefusesIsRegisteredButNotSignedIn(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: func(_ *fiber.Ctx, u *User) error { u.Disabled = true; return nil }, // until confirmed
			Allow:    notDisabled,
		}
	})
	for i, transport := range []string{"body", "cookie"} {
		identity := transport + "@example.com"
		body := strings.TrimSuffix(credentials("users", identity, testPassword), "}") + `,"transport":"` + transport + `"}`
		a := w.do("POST", "/auth/users/register", body)
		require.Equal(t, 201, a.Status, a.Body)
		require.Equal(t, []string{"entity"}, keysOf(a.JSON(t)))
		require.Equal(t, identity, a.JSON(t)["entity"].(map[string]any)["email"])
		require.Empty(t, a.Header.Values("Set-Cookie"))
		require.Equal(t, i+1, w.count("users"))
		living, err := w.auth.Sessions(t.Context(), "users", strconv.Itoa(i+1))
		require.NoError(t, err)
		require.Empty(t, living)
	}
	requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "body@example.com", testPassword)), 401, "invalid_credentials")
	w.sql(`UPDATE users SET disabled = false`)
	w.login("users", "body@example.com")
}

func keysOf(object map[string]any) (keys []string) {
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestARefusalWithoutAStatusIsAMistakeOfTheApplication(t *testing.T) {
	var refused error
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: func(*fiber.Ctx, *User) error { return refused }}
	})
	for name, err := range map[string]error{
		"no status":          &fiberjwt.Error{Code: "marker", Description: "marker"},
		"wrapped":            fmt.Errorf("refused: %w", &fiberjwt.Error{Code: "marker", Description: "marker"}),
		"a success":          &fiberjwt.Error{Status: 200, Code: "marker", Description: "marker"},
		"a success of Fiber": fiber.NewError(204, "marker"),
	} {
		refused = err
		a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
		requireRefusal(t, a, 500, "server_error", name)
		require.NotContains(t, a.Body, "marker", name)
	}
	require.Contains(t, w.log.String(), "marker")
	require.Equal(t, 0, w.count("users"))
}

func TestATokenThatWouldNotBeReadIsNotIssued(t *testing.T) {
	var claims map[string]any
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Claims: func(*User) map[string]any { return claims }}
	})
	w.addUser("ann@example.com")
	try := func(description string) (issued bool) {
		before := w.count("fiberjwt_sessions")
		a := w.do("POST", "/door/users/1", "")
		if a.Status == 200 {
			a = w.get("/users/me", w.tokensOf(a).Access)
			require.Equal(t, 200, a.Status, "%s: the token was issued but is not read: %s", description, a.Body)
			return true
		}
		require.Equal(t, 500, a.Status, "%s: %s", description, a.Body)
		require.Equal(t, before, w.count("fiberjwt_sessions"), "%s: a session was left behind that nobody has", description)
		return false
	}
	// Each grows until nothing is issued any more; by 300 it must have stopped.
	for name, grow := range map[string]func(n int) map[string]any{
		"names": func(n int) map[string]any {
			many := map[string]any{}
			for i := range n {
				many[fmt.Sprint("c", i)] = 1
			}
			return many
		},
		"names further in": func(n int) map[string]any {
			many := map[string]any{}
			for i := range n {
				many[fmt.Sprint("c", i)] = 1
			}
			return map[string]any{"all": many}
		},
		"depth": func(n int) map[string]any {
			var deep any = 1
			for range n {
				deep = []any{deep}
			}
			return map[string]any{"deep": deep}
		},
		"length": func(n int) map[string]any { return map[string]any{"long": strings.Repeat("x", 40*n)} },
	} {
		n := 0
		for ; n <= 300; n++ {
			claims = grow(n)
			if !try(fmt.Sprint(n, " of ", name)) {
				break
			}
		}
		require.Positive(t, n, name)
		require.LessOrEqual(t, n, 300, "there is no end to %s", name)
	}
	require.Contains(t, w.log.String(), "Entity.Claims")
}

// KeyByHand has a key that nothing makes.
type KeyByHand struct {
	bun.BaseModel `bun:"table:keys_by_hand"`
	ID            int64  `bun:",pk" json:"id"`
	Email         string `bun:",unique" json:"email"`
	PasswordHash  string `json:"-"`
}

func TestAKeyThatNothingMakesIsAMistakeAndNotZero(t *testing.T) {
	hook := fiberjwt.Anyone[KeyByHand]
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[KeyByHand]{Register: func(c *fiber.Ctx, k *KeyByHand) error { return hook(c, k) }})
	})
	_, err := w.db.NewCreateTable().Model((*KeyByHand)(nil)).Exec(t.Context())
	require.NoError(t, err)
	const body = `{"email":"ann@example.com","password":"` + testPassword + `"}`
	a := w.do("POST", "/auth/keys_by_hand/register", body)
	requireRefusal(t, a, 500, "server_error")
	require.Contains(t, w.log.String(), ",pk,autoincrement")
	require.Equal(t, 0, w.count("keys_by_hand"))

	hook = func(_ *fiber.Ctx, k *KeyByHand) error { k.ID = 7; return nil }
	a = w.do("POST", "/auth/keys_by_hand/register", body)
	require.Equal(t, 201, a.Status, "%s %s", a.Body, w.log)
	require.EqualValues(t, 7, w.get("/auth/keys_by_hand/me", w.tokensOf(a).Access).JSON(t)["id"])
}

func TestAnIdentityWithWhiteSpaceAroundItIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, identity := range []string{" ann@example.com", "ann@example.com ", "\tann@example.com", "ann@example.com\n", "\u00a0ann@example.com", "ann@example.com\u2003", " "} {
		for _, route := range []string{"register", "login"} {
			a := w.do("POST", "/auth/users/"+route, credentials("users", identity, testPassword))
			requireRefusal(t, a, 422, "invalid_fields", fmt.Sprintf("%s %q", route, identity))
			require.Equal(t, []string{"email"}, keysOf(a.JSON(t)["fields"].(map[string]any)), "%s %q", route, identity)
		}
	}
	require.Equal(t, 0, w.count("users"))
}

// Stores of the application's own.

// counting wraps the store beside the accounts.
type counting struct {
	*session.SQL
	mu        sync.Mutex
	refreshes int
}

func (s *counting) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	s.mu.Lock()
	s.refreshes++
	s.mu.Unlock()
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

func TestAWrapperAroundTheStoreBesideTheAccountsStaysInTheirTransactions(t *testing.T) {
	wrapper := &counting{} // outside of them, a second connection would wait for the first
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		wrapper.SQL = session.NewSQL(cfg.DB)
		cfg.Sessions = wrapper
	})
	useStore(t, w)
	require.Equal(t, 3, wrapper.refreshes)
	require.Equal(t, 2, w.count("fiberjwt_sessions"))
}

func TestSessionsInAStoreOfTheApplicationsOwn(t *testing.T) {
	store := newMemory()
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Sessions = store })
	useStore(t, w)
	require.Len(t, store.rows, 2)
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
}

// useStore goes through everything that a store of sessions is for, in two sessions.
func useStore(t *testing.T, w *world) {
	t.Helper()
	laptop := w.register("users", "ann@example.com")
	phone := w.login("users", "ann@example.com")
	for _, pair := range []tokens{laptop, phone} {
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	}
	a := w.do("GET", "/auth/users/sessions", "", "Authorization", "Bearer "+phone.Access)
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, 2, strings.Count(a.Body, `"id"`), a.Body)

	w.clock.Advance(6 * time.Minute)
	a = w.refresh("users", laptop.Refresh)
	require.Equal(t, 200, a.Status, a.Body)
	laptop = w.tokensOf(a)
	require.NotEmpty(t, laptop.Refresh)

	a = w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+laptop.Access)
	require.Equal(t, 204, a.Status, a.Body)
	require.Equal(t, 200, w.get("/users/me", laptop.Access).Status)
	require.Equal(t, 401, w.get("/users/me", phone.Access).Status, "a password change ends the other sessions")
	requireRefusal(t, w.refresh("users", phone.Refresh), 401, "session_ended")

	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+laptop.Access).Status)
	require.Equal(t, 401, w.get("/users/me", laptop.Access).Status)
	requireRefusal(t, w.refresh("users", laptop.Refresh), 401, "session_ended")
}

// memory is a store in memory: the rule of rotation under a lock.
type memory struct {
	mu   sync.Mutex
	rows map[string]session.Row // by SID
}

func newMemory() *memory { return &memory{rows: map[string]session.Row{}} }

func TestTheStoreInMemoryKeepsTheContract(t *testing.T) {
	store := newMemory()
	fiberjwttest.TestStore(t, func(*testing.T) session.Store { return store })
}

// locked runs do under the lock, unless ctx is done.
func (m *memory) locked(ctx context.Context, do func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	do()
	return nil
}

func (m *memory) Create(ctx context.Context, row session.Row) error {
	return m.locked(ctx, func() {
		if _, there := m.rows[string(row.SID)]; !there {
			m.rows[string(row.SID)] = row
		}
	})
}

func (m *memory) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (row session.Row, o session.Outcome, err error) {
	err = m.locked(ctx, func() {
		if found, ok := m.rows[string(sid)]; ok && found.Kind == kind {
			row, o = session.Decide(found, g, now, t)
			m.rows[string(sid)] = row
		}
	})
	return row, o, err
}

func (m *memory) Find(ctx context.Context, kind string, sid []byte) (row session.Row, found bool, err error) {
	err = m.locked(ctx, func() {
		row, found = m.rows[string(sid)]
		found = found && row.Kind == kind
	})
	return row, found, err
}

func (m *memory) Revoke(ctx context.Context, sid []byte, kind, subject string, now int64) (found bool, err error) {
	err = m.locked(ctx, func() {
		row, ok := m.rows[string(sid)]
		found = ok && (kind == "" || row.Kind == kind) && (subject == "" || row.Subject == subject)
		if found && row.Revoked == 0 {
			row.Revoked = now
			m.rows[string(sid)] = row
		}
	})
	return found, err
}

func (m *memory) RevokeAll(ctx context.Context, kind, subject string, except []byte, now int64) error {
	return m.locked(ctx, func() {
		for sid, row := range m.rows {
			if row.Kind == kind && row.Subject == subject && row.Revoked == 0 && (except == nil || sid != string(except)) {
				row.Revoked = now
				m.rows[sid] = row
			}
		}
	})
}

func (m *memory) Prove(ctx context.Context, sid []byte, now int64) error {
	return m.locked(ctx, func() {
		if row, ok := m.rows[string(sid)]; ok {
			row.AuthTime = now
			m.rows[string(sid)] = row
		}
	})
}

func (m *memory) List(ctx context.Context, kind, subject string, now int64) (rows []session.Row, err error) {
	err = m.locked(ctx, func() {
		for _, row := range m.rows {
			if row.Kind == kind && row.Subject == subject && row.Alive(now) {
				rows = append(rows, row)
			}
		}
	})
	slices.SortFunc(rows, func(a, b session.Row) int { return int(b.Created - a.Created) })
	return rows[:min(len(rows), 100)], err
}

func (m *memory) Prune(ctx context.Context, now int64) (deleted int64, err error) {
	err = m.locked(ctx, func() {
		for sid, row := range m.rows {
			if row.Ends < now {
				delete(m.rows, sid)
				deleted++
			}
		}
	})
	return deleted, err
}
