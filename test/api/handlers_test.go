package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// Hashing takes a fraction of a second under the race detector. So tests that are not about passwords sign in by a route
// that calls Login.

// hashOfTestPassword is the hash of testPassword with the default parameters.
const hashOfTestPassword = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$iPOQ5f2O21FsjnBvo1AiFcDuSXciCnKUrXFO+yfgNoM"

// quickWorld has routes that sign a stored account in without a password:
// POST /door/{kind}/{id}, with ?via=cookie for cookies.
func quickWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	opened := func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "POST /door/*") }
	w := newWorld(t, append([]func(*fiberjwt.Config){opened}, configure...)...)
	w.app.Post("/door/users/:id", door[User](w))
	w.app.Post("/door/teachers/:id", door[Teacher](w))
	return w
}

// door is a handler that signs in the account with the key in the URL.
func door[T any](w *world) fiber.Handler {
	return func(c *fiber.Ctx) (err error) {
		// Without recover, a panic would end all tests.
		defer func() {
			if p := recover(); p != nil {
				err = fiber.NewError(599, fmt.Sprint("panicked: ", p))
			}
		}()
		account := new(T)
		if err := w.db.NewSelect().Model(account).Where("id = ?", c.Params("id")).Scan(c.UserContext()); err != nil {
			return err
		}
		tokens, err := fiberjwt.Login(c, account, fiberjwt.LoginOptions{Transport: fiberjwt.Transport(c.Query("via"))})
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	}
}

// addUser stores an account whose password is testPassword.
func (w *world) addUser(email string) *User {
	w.t.Helper()
	user := &User{Email: email, PasswordHash: hashOfTestPassword}
	w.add(user)
	return user
}

// addTeacher stores a teacher whose password is testPassword.
func (w *world) addTeacher(login string) *Teacher {
	w.t.Helper()
	teacher := &Teacher{Login: login, PasswordHash: hashOfTestPassword}
	w.add(teacher)
	return teacher
}

// add stores a row.
func (w *world) add(model any) {
	w.t.Helper()
	_, err := w.db.NewInsert().Model(model).Exec(w.t.Context())
	require.NoError(w.t, err)
}

// enter signs in a stored account without its password.
func (w *world) enter(kind string, id int64) tokens {
	w.t.Helper()
	a := w.do("POST", fmt.Sprintf("/door/%s/%d", kind, id), "")
	require.Equal(w.t, 200, a.Status, a.Body)
	return w.tokensOf(a)
}

// enter signs in a stored account by cookies.
func (b *browser) enter(kind string, id int64) {
	b.w.t.Helper()
	a := b.do("POST", fmt.Sprintf("/door/%s/%d?via=cookie", kind, id), "")
	require.Equal(b.w.t, 200, a.Status, a.Body)
}

// onlySession returns the only session of an account, and fails if there is not exactly one.
func (w *world) onlySession(kind, subject string) fiberjwt.SessionInfo {
	w.t.Helper()
	infos := w.sessions(kind, subject)
	require.Len(w.t, infos, 1)
	return infos[0]
}

// sql executes statements.
func (w *world) sql(statements ...string) {
	w.t.Helper()
	for _, statement := range statements {
		_, err := w.db.ExecContext(w.t.Context(), statement)
		require.NoError(w.t, err, statement)
	}
}

// text returns the single value of a query.
func (w *world) text(query string) string {
	w.t.Helper()
	var text string
	require.NoError(w.t, w.db.QueryRowContext(w.t.Context(), query).Scan(&text))
	return text
}

// queries records the statements of the library. before, if set, runs before each.
type queries struct {
	mu     sync.Mutex
	seen   []string
	before func(statement string)
}

func (q *queries) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	q.mu.Lock()
	q.seen = append(q.seen, event.Query)
	before := q.before
	q.mu.Unlock()
	if before != nil {
		before(event.Query)
	}
	return ctx
}

func (q *queries) AfterQuery(context.Context, *bun.QueryEvent) {}

func (q *queries) watch(cfg *fiberjwt.Config) { cfg.DB = cfg.DB.WithQueryHook(q) }

// reset returns how many statements were recorded, and forgets them.
func (q *queries) reset() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.seen)
	q.seen = nil
	return n
}

// once runs do before the first statement that contains text.
func (q *queries) once(text string, do func()) {
	var once sync.Once
	q.mu.Lock()
	defer q.mu.Unlock()
	q.before = func(statement string) {
		if strings.Contains(statement, text) {
			once.Do(do)
		}
	}
}

// requireRefusal checks status and code of a refusal, and what all refusals have in common.
func requireRefusal(t *testing.T, a answer, status int, code string, message ...any) {
	t.Helper()
	require.Equal(t, status, a.Status, "%v %s", message, a.Body)
	body := a.JSON(t)
	require.Equal(t, code, body["error"], message...)
	require.NotEmpty(t, body["error_description"])
	require.True(t, strings.HasPrefix(a.Header.Get("Content-Type"), "application/json"), a.Header.Get("Content-Type"))
	require.Contains(t, a.Header.Get("Cache-Control"), "no-store", message...)
	require.Equal(t, status == 401, a.Header.Get("WWW-Authenticate") != "", "WWW-Authenticate of %d %s", status, code)
}

func requireJSON(t *testing.T, text string, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), into), text)
}

// Registration.

func TestRegisterSetsOnlyIdentityPasswordAndFillableColumns(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/auth/users/register", `{"email":"ann@example.com","password":"`+testPassword+`","full_name":"Ann",
		"id":99,"ID":98,"Id":97,"admin":true,"Admin":true,"disabled":true,"password_hash":"x","PasswordHash":"x","hash":"x",
		"FULL_NAME":"Eve","Full_Name":"Eve","Email":"eve@example.com","entity":{"admin":true},"__proto__":{"admin":true},
		"kind":"teachers","sub":"7","role":"admin","roles":["admin"],"created_at":"2000-01-01T00:00:00Z"}`)
	require.Equal(t, 201, a.Status, a.Body)
	var rows []User
	require.NoError(t, w.db.NewSelect().Model(&rows).Scan(t.Context()))
	require.Len(t, rows, 1)
	require.True(t, strings.HasPrefix(rows[0].PasswordHash, "$argon2id$"), rows[0].PasswordHash)
	rows[0].PasswordHash = ""
	require.Equal(t, User{ID: 1, Email: "ann@example.com", FullName: "Ann"}, rows[0])
	require.Equal(t, 0, w.count("teachers"))
	require.NotContains(t, a.Body, "argon2id")
}

func TestRegisterReportsEveryInvalidField(t *testing.T) {
	w := newWorld(t)
	const good = `"password":"` + testPassword + `"`
	for name, test := range map[string]struct {
		body   string
		fields []string
	}{
		"nothing at all":                {`{}`, []string{"email", "password"}},
		"no identity":                   {`{` + good + `}`, []string{"email"}},
		"no password":                   {`{"email":"ann@example.com"}`, []string{"password"}},
		"the name email in capitals":    {`{"EMAIL":"ann@example.com",` + good + `}`, []string{"email"}},
		"an identity of the other kind": {`{"login":"ann@example.com",` + good + `}`, []string{"email"}},
		"an empty identity":             {`{"email":"",` + good + `}`, []string{"email"}},
		"a number as identity":          {`{"email":7,` + good + `}`, []string{"email"}},
		"null as identity":              {`{"email":null,` + good + `}`, []string{"email"}},
		"several identities":            {`{"email":["ann@example.com","eve@example.com"],` + good + `}`, []string{"email"}},
		"an object as identity":         {`{"email":{"$ne":""},` + good + `}`, []string{"email"}},
		"a NUL in the identity":         {`{"email":"ann@example.com\u0000",` + good + `}`, []string{"email"}},
		"a line break in the identity":  {`{"email":"ann@example.com\r\nBcc: x",` + good + `}`, []string{"email"}},
		"a delete in the identity":      {`{"email":"ann\u007f@example.com",` + good + `}`, []string{"email"}},
		"an identity of 321 bytes":      {`{"email":"` + strings.Repeat("a", 321) + `",` + good + `}`, []string{"email"}},
		"an identity of 15,000 bytes":   {`{"email":"` + strings.Repeat("a", 15_000) + `",` + good + `}`, []string{"email"}},
		"a short password":              {`{"email":"ann@example.com","password":"short"}`, []string{"password"}},
		"an empty password":             {`{"email":"ann@example.com","password":""}`, []string{"password"}},
		"a common password":             {`{"email":"ann@example.com","password":"password123"}`, []string{"password"}},
		"the identity as password":      {`{"email":"ann@example.com","password":"ann@example.com"}`, []string{"password"}},
		"a password of 4,000 bytes":     {`{"email":"ann@example.com","password":"` + strings.Repeat("xy7-", 1000) + `"}`, []string{"password"}},
		"a number as password":          {`{"email":"ann@example.com","password":1234567890123456}`, []string{"password"}},
		"a number as full_name":         {`{"email":"ann@example.com",` + good + `,"full_name":7}`, []string{"full_name"}},
		"an object as full_name":        {`{"email":"ann@example.com",` + good + `,"full_name":{"a":"b"}}`, []string{"full_name"}},
		"an array as full_name":         {`{"email":"ann@example.com",` + good + `,"full_name":["Ann"]}`, []string{"full_name"}},
		"a NUL in full_name":            {`{"email":"ann@example.com",` + good + `,"full_name":"Ann\u0000"}`, []string{"full_name"}},
		"everything at once":            {`{"email":7,"password":"short","full_name":7}`, []string{"email", "password", "full_name"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("POST", "/auth/users/register", test.body)
			requireRefusal(t, a, 422, "invalid_fields")
			fields, _ := a.JSON(t)["fields"].(map[string]any)
			require.Len(t, fields, len(test.fields), "%v", fields)
			for _, field := range test.fields {
				require.NotEmpty(t, fields[field], "%v", fields)
			}
		})
	}
	require.Equal(t, 0, w.count("users"))
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
}

func TestKindWithoutRegisterHookHasNoRegisterRoute(t *testing.T) {
	watched := &queries{}
	w := newWorld(t, watched.watch, func(cfg *fiberjwt.Config) { cfg.Entities[1] = fiberjwt.Entity[Teacher]{Identity: "login"} })
	for _, body := range []string{credentials("teachers", "ann", testPassword), "", "[", `{"login":"ann"}`} {
		requireRefusal(t, w.do("POST", "/auth/teachers/register", body), 404, "not_found")
	}
	require.Zero(t, watched.reset())
	require.Equal(t, 0, w.count("teachers"))
}

func TestIdentityIsUniqueRegardlessOfCase(t *testing.T) {
	w := newWorld(t)
	w.register("users", "Ann@Example.com")
	require.Equal(t, "ann@example.com", w.text("SELECT email FROM users"))
	for _, identity := range []string{"ann@example.com", "ANN@EXAMPLE.COM"} {
		a := w.do("POST", "/auth/users/register", credentials("users", identity, newPassword))
		requireRefusal(t, a, 409, "taken", identity)
		require.NotContains(t, a.Body, "ann")
	}
	require.Equal(t, 1, w.count("users"))
	require.Equal(t, 1, w.count("fiberjwt_sessions"))
	require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", "ANN@example.COM", testPassword)).Status)

	// The Kelvin sign (U+212A) folds to k in Unicode. A database does not fold it, so this is another identity.
	require.Equal(t, 401, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com\u212a", testPassword)).Status)
}

func TestLoginFindsLegacyIdentityByExactSpellingOnly(t *testing.T) {
	w := newWorld(t)
	w.addUser("Legacy@Example.com")
	require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", "Legacy@Example.com", testPassword)).Status)
	require.Equal(t, 401, w.do("POST", "/auth/users/login", credentials("users", "legacy@example.com", testPassword)).Status)
}

func TestConcurrentRegistrationsCreateOneAccount(t *testing.T) {
	w := newWorld(t)
	statuses := make([]int, 4)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			identity := []string{"ann@example.com", "Ann@example.com"}[i%2]
			statuses[i] = w.do("POST", "/auth/users/register", credentials("users", identity, testPassword)).Status
		})
	}
	group.Wait()
	require.ElementsMatch(t, []int{201, 409, 409, 409}, statuses)
	require.Equal(t, 1, w.count("users"))
	require.Equal(t, 1, w.count("fiberjwt_sessions"))
}

func TestRegisterIsRolledBackWhenSessionIsNotStored(t *testing.T) {
	w := newWorld(t)
	w.sql(`CREATE TRIGGER full BEFORE INSERT ON fiberjwt_sessions BEGIN SELECT RAISE(ABORT, 'disk marker'); END`)
	a := w.do("POST", "/auth/users/register", `{"email":"ann@example.com","password":"`+testPassword+`","transport":"cookie"}`)
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.Empty(t, a.Header.Values("Set-Cookie"))
	require.NotContains(t, a.Body, "marker")
	require.Equal(t, 0, w.count("users"), "the failed registration left an account")

	w.sql(`DROP TRIGGER full`)
	require.Equal(t, 201, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword)).Status)
}

func TestFailedLoginLeavesNoSessionAndNoCookie(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	w.sql(`CREATE TRIGGER full BEFORE INSERT ON fiberjwt_sessions BEGIN SELECT RAISE(ABORT, 'disk marker'); END`)
	a := w.do("POST", "/auth/users/login", `{"email":"ann@example.com","password":"`+testPassword+`","transport":"cookie"}`)
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.Empty(t, a.Header.Values("Set-Cookie"))
	require.NotContains(t, a.Body, "marker")
	require.Equal(t, 1, w.count("fiberjwt_sessions"))
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

func TestRegisterAnswersFailedConstraintWith422(t *testing.T) {
	w := newWorld(t)
	w.sql(`DROP TABLE users`, `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT CONSTRAINT marker CHECK (full_name <> 'Eve'),
		admin BOOL, disabled BOOL, password_hash TEXT)`)
	a := w.do("POST", "/auth/users/register", `{"email":"ann@example.com","password":"`+testPassword+`","full_name":"Eve"}`)
	requireRefusal(t, a, 422, "invalid_fields")
	require.NotContains(t, a.Body, "marker")
	require.NotContains(t, a.Body, "CHECK")
	require.Equal(t, 0, w.count("users"))
}

// SQLite assigns the highest key again after its row was deleted.
func TestReusedPrimaryKeyDoesNotInheritSessions(t *testing.T) {
	for name, configure := range map[string]func(*fiberjwt.Config){
		"sessions in the same database": func(*fiberjwt.Config) {},
		"sessions in a separate store":  func(cfg *fiberjwt.Config) { cfg.Store = session.NewSQL(newDB(t)) },
		"with a cache":                  func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, configure)
			w.sql(`DROP TABLE users`, `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT, admin BOOL, disabled BOOL, password_hash TEXT)`)
			teacher := w.register("teachers", "tom")
			ann := w.register("users", "ann@example.com")
			require.Equal(t, 200, w.get("/users/me", ann.Access).Status)
			w.sql(`DELETE FROM users`)
			bob := w.register("users", "bob@example.com")
			require.Equal(t, "1", w.text(`SELECT id FROM users`), "the test needs the key of the deleted account")
			require.Equal(t, 401, w.get("/users/me", ann.Access).Status, "the token of ann must not sign in as bob")
			require.Equal(t, 401, w.refresh("users", ann.Refresh).Status)
			require.Contains(t, w.get("/users/me", bob.Access).Body, "bob@example.com")
			require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status)
		})
	}
}

func TestRegisterOfUnconfirmedAccountSurvivesFailingRevoke(t *testing.T) {
	w, f := troubledWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{
			Register: fiberjwt.Anyone[User],
			Allow:    func(context.Context, *User) error { return errors.New("not yet confirmed") },
		}
	})
	f.set(errors.New("marker"), false, "UPDATE \"fiberjwt_sessions\"")
	a := w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword))
	require.Equal(t, 201, a.Status, a.Body)
	require.NotContains(t, a.Body, "token")
	require.Contains(t, w.log.String(), "marker")
	require.Equal(t, 1, w.count("users"))
}

// Login.

func TestRefusedLoginDoesNotRevealAccount(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: notDisabled}
	})
	w.addUser("ann@example.com")
	w.addUser("off@example.com")
	w.sql(`UPDATE users SET disabled = true WHERE email = 'off@example.com'`,
		`INSERT INTO users (email, full_name, admin, disabled, password_hash) VALUES ('empty@example.com', '', false, false, ''), ('odd@example.com', '', false, false, '$1$md5')`)
	want := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword))
	requireRefusal(t, want, 401, "invalid_credentials")
	require.Equal(t, "Bearer", want.Header.Get("WWW-Authenticate"))
	for name, body := range map[string]string{
		"an unknown account":                            credentials("users", "unknown@example.com", testPassword),
		"an account of the other kind":                  credentials("users", "ann", testPassword),
		"a disabled account, right password":            credentials("users", "off@example.com", testPassword),
		"a disabled account, wrong password":            credentials("users", "off@example.com", newPassword),
		"an account without a password":                 credentials("users", "empty@example.com", testPassword),
		"an account without a password, empty password": credentials("users", "empty@example.com", ""),
		"an unknown hash format":                        credentials("users", "odd@example.com", testPassword),
		"an injection":                                  credentials("users", "' OR 1=1 --", testPassword),
		"the hash instead of the password":              credentials("users", "ann@example.com", hashOfTestPassword),
		"the password and a trailing space":             credentials("users", "ann@example.com", testPassword+" "),
		"the password in capitals":                      credentials("users", "ann@example.com", strings.ToUpper(testPassword)),
		"a request for cookies":                         `{"email":"unknown@example.com","password":"x","transport":"cookie"}`,
	} {
		a := w.do("POST", "/auth/users/login", body)
		a.Header.Del("Date")
		want.Header.Del("Date")
		require.Equal(t, want, a, name)
		w.clock.Advance(time.Hour) // so that the throttle does not interfere
	}
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
}

func notDisabled(_ context.Context, u *User) error {
	if u.Disabled {
		return errors.New("marker: disabled by the administrator")
	}
	return nil
}

func TestEachLoginCreatesNewSession(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	first := w.enter("users", 1)
	planted := "fjr_" + strings.Repeat("A", 59)
	a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword),
		"Authorization", "Bearer "+first.Access, "Cookie", refreshCookie+"="+first.Refresh+"; sid="+planted)
	require.Equal(t, 200, a.Status, a.Body)
	second := w.tokensOf(a)
	require.NotEqual(t, first.Refresh, second.Refresh)
	require.Equal(t, 2, w.count("fiberjwt_sessions"))
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+first.Access).Status)
	require.Equal(t, 401, w.get("/users/me", first.Access).Status)
	require.Equal(t, 200, w.get("/users/me", second.Access).Status, "a login must create a new session and not continue a presented one")
}

func TestCookieLoginEndsReplacedSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.register("users", "ann@example.com")
	b.register("teachers", "toby")
	before := b.jar[userCookie].Value
	app := w.login("users", "ann@example.com")
	login := func(password string) answer {
		return b.do("POST", "/auth/users/login", strings.TrimSuffix(credentials("users", "ann@example.com", password), "}")+`,"transport":"cookie"}`)
	}
	require.Equal(t, 401, login("wrong pony").Status)
	require.Equal(t, 200, w.get("/users/me", before).Status, "a refused login must not end a session")
	require.Equal(t, 200, login(testPassword).Status)
	require.Equal(t, 401, w.get("/users/me", before).Status)
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
	require.Equal(t, 200, b.do("GET", "/teachers/me", "").Status, "the session of the other kind must stay")
	require.Equal(t, 200, w.get("/users/me", app.Access).Status, "sessions of other devices must stay")
	require.Equal(t, 200, b.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)).Status)
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status, "a login with tokens in the body must not end the session in the cookie")
}

func TestThrottleTreatsUnknownAccountsLikeKnownOnes(t *testing.T) {
	w := newWorld(t)
	w.addUser("ann@example.com")
	failures := map[string]int{}
	for _, identity := range []string{"ann@example.com", "unknown@example.com"} {
		w.clock.Advance(24 * time.Hour)
		var a answer
		for failures[identity] = 0; failures[identity] < 30; failures[identity]++ {
			// The throttle must not count different cases of an identity separately.
			typed := identity
			if failures[identity]%2 == 1 {
				typed = strings.ToUpper(identity)
			}
			if a = w.do("POST", "/auth/users/login", credentials("users", typed, newPassword)); a.Status != 401 {
				break
			}
		}
		requireRefusal(t, a, 429, "rate_limited", identity)
		wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, wait)

		// The right password is refused too. Otherwise an attacker would learn that a guess was right.
		a = w.do("POST", "/auth/users/login", credentials("users", identity, testPassword))
		requireRefusal(t, a, 429, "rate_limited", identity)
		w.clock.Advance(time.Duration(wait+1) * time.Second)
		a = w.do("POST", "/auth/users/login", credentials("users", identity, testPassword))
		require.Equal(t, map[string]int{"ann@example.com": 200, "unknown@example.com": 401}[identity], a.Status, "a login after Retry-After must not be throttled")
	}
	require.Equal(t, failures["ann@example.com"], failures["unknown@example.com"])
}

func TestAllowRefusalIsThrottledLikeWrongPassword(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Entities[0] = fiberjwt.Entity[User]{Allow: notDisabled} })
	w.addUser("off@example.com")
	w.sql(`UPDATE users SET disabled = true`)
	tries := map[string]int{}
	for _, password := range []string{testPassword, newPassword} {
		w.clock.Advance(24 * time.Hour)
		for w.do("POST", "/auth/users/login", credentials("users", "off@example.com", password)).Status == 401 && tries[password] < 30 {
			tries[password]++
		}
	}
	require.Equal(t, tries[newPassword], tries[testPassword], "the throttle reveals the right password of a refused account")
}

func TestSuccessfulLoginResetsFailureCount(t *testing.T) {
	w := newWorld(t)
	w.addUser("ann@example.com")
	for range 3 {
		for range 2 {
			require.Equal(t, 401, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword)).Status)
		}
		require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)).Status)
	}
}

func TestBcryptHashIsReplacedAtLogin(t *testing.T) {
	w := newWorld(t)
	w.addUser("ann@example.com")
	w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `'`)
	require.Equal(t, 401, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword)).Status)
	require.Equal(t, bcryptOfTestPassword, w.text("SELECT password_hash FROM users"), "a wrong password must not replace the hash")
	w.login("users", "ann@example.com")
	require.True(t, strings.HasPrefix(w.text("SELECT password_hash FROM users"), "$argon2id$"))
	w.login("users", "ann@example.com")
}

func TestLoginSucceedsWhenRehashFails(t *testing.T) {
	w := newWorld(t)
	w.addUser("ann@example.com")
	w.sql(`UPDATE users SET password_hash = '`+bcryptOfTestPassword+`'`,
		`CREATE TRIGGER readonly BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'no'); END`)
	w.login("users", "ann@example.com")
	require.Equal(t, bcryptOfTestPassword, w.text("SELECT password_hash FROM users"))
}

const bcryptOfTestPassword = "$2a$04$wglXtu.bB9U9zLdCghZs6uZsBN6zNfK51MBe1wBC713piaQtfqHVW"

func TestLoginRacingPasswordChangeIsRefused(t *testing.T) {
	watched := &queries{}
	w := newWorld(t, watched.watch)
	w.addUser("ann@example.com")
	// The password changes after it was verified and before the session is stored.
	watched.once("INSERT INTO fiberjwt_sessions", func() {
		w.sql(`UPDATE users SET password_hash = '` + bcryptOfTestPassword + `'`)
		_ = fiberjwt.RevokeAll(context.Background(), w.auth, &User{ID: 1})
	})
	a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
	requireRefusal(t, a, 401, "invalid_credentials")
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
}

func TestLoginRacingAccountDeletionLeavesNoSession(t *testing.T) {
	watched := &queries{}
	w := quickWorld(t, watched.watch)
	w.addUser("ann@example.com")
	watched.once("INSERT INTO fiberjwt_sessions", func() { w.sql(`DELETE FROM users`) })
	a := w.do("POST", "/door/users/1", "")
	require.Equal(t, 500, a.Status, "Login cannot distinguish a deleted account from one that was never stored, which is a mistake of the application: %s", a.Body)
	require.Equal(t, 0, w.count("fiberjwt_sessions"))

	w.addUser("ann@example.com")
	watched.once("INSERT INTO fiberjwt_sessions", func() { w.sql(`DELETE FROM users`) })
	a = w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
	requireRefusal(t, a, 401, "invalid_credentials")
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
}

// Refresh.

func TestEarlyRefreshGivesOnlyAccessToken(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	w.countUpdates()
	for range 3 {
		w.clock.Advance(90 * time.Second)
		a := w.refresh("users", pair.Refresh)
		require.Equal(t, 200, a.Status, a.Body)
		require.Equal(t, "Bearer", a.JSON(t)["token_type"])
		require.NotContains(t, a.JSON(t), "refresh_token")
		require.Equal(t, 200, w.get("/users/me", w.tokensOf(a).Access).Status)
	}
	require.Equal(t, 0, w.count("updates"), "an early refresh must not write")

	b := w.browser()
	b.enter("users", 1)
	a := b.do("POST", "/auth/users/refresh", "")
	require.Equal(t, 200, a.Status, a.Body)
	cookies := setCookies(t, a)
	require.Contains(t, cookies, userCookie)
	require.NotContains(t, cookies, refreshCookie)
}

// countUpdates creates the table updates, which gets a row for each UPDATE of a session.
func (w *world) countUpdates() {
	w.t.Helper()
	w.sql(`CREATE TABLE updates (gen INTEGER)`,
		`CREATE TRIGGER counted AFTER UPDATE ON fiberjwt_sessions BEGIN INSERT INTO updates VALUES (NEW.gen); END`)
}

func TestConcurrentRefreshesRotateOnce(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	w.countUpdates()
	w.clock.Advance(20 * time.Minute)
	answers := make([]answer, 32)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = w.refresh("users", pair.Refresh) })
	}
	group.Wait()
	next := w.tokensOf(answers[0]).Refresh
	require.NotEmpty(t, next)
	require.NotEqual(t, pair.Refresh, next)
	for _, a := range answers {
		require.Equal(t, 200, a.Status, a.Body)
		require.Equal(t, next, w.tokensOf(a).Refresh)
		require.Equal(t, 200, w.get("/users/me", w.tokensOf(a).Access).Status)
	}
	require.Equal(t, 1, w.count("updates"))
	require.Equal(t, "1", w.text("SELECT gen FROM fiberjwt_sessions"))
}

func TestReusedRefreshTokenRevokesSession(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	first, bystander := w.enter("users", 1), w.enter("users", 1)
	stolen, access := first.Refresh, ""
	for range 2 {
		w.clock.Advance(20 * time.Minute)
		a := w.refresh("users", first.Refresh)
		require.Equal(t, 200, a.Status, a.Body)
		first.Refresh, access = w.tokensOf(a).Refresh, w.tokensOf(a).Access
	}
	a := w.refresh("users", stolen)
	requireRefusal(t, a, 401, "session_revoked")
	require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
	require.Equal(t, 401, w.get("/users/me", access).Status, "the access token must end with its session")
	requireRefusal(t, w.refresh("users", first.Refresh), 401, "session_revoked")
	requireRefusal(t, w.refresh("users", stolen), 401, "session_revoked")
	require.Equal(t, 200, w.refresh("users", bystander.Refresh).Status, "other sessions of the account must stay")
}

func TestForgedRefreshTokensAreRefusedWithoutQuery(t *testing.T) {
	watched := &queries{}
	w := quickWorld(t, watched.watch)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	pair, teacher := w.enter("users", 1), w.enter("teachers", 1)
	flip := func(s string, i int) string {
		c := byte('A')
		if s[i] == c {
			c = 'B'
		}
		return s[:i] + string(c) + s[i+1:]
	}
	foreign := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Secret = []byte("Zt3eB8uK1qW6xN0vC9aS2dF5gH7jL4mP") })
	foreign.addUser("ann@example.com")
	watched.reset()
	for name, token := range map[string]string{
		"an empty token":            "",
		"the prefix alone":          "fjr_",
		"random":                    "fjr_" + strings.Repeat("A", 59),
		"another version":           flip(pair.Refresh, 4),
		"the byte of another kind":  flip(pair.Refresh, 7),
		"another generation":        flip(pair.Refresh, 13),
		"another session":           flip(pair.Refresh, 30),
		"another tag":               flip(pair.Refresh, len(pair.Refresh)-5),
		"unused bits set":           pair.Refresh[:len(pair.Refresh)-1] + "_",
		"truncated":                 pair.Refresh[:len(pair.Refresh)-1],
		"too long":                  pair.Refresh + "A",
		"padded":                    pair.Refresh + "=",
		"with a space":              " " + pair.Refresh,
		"with a line break":         pair.Refresh[:30] + `\n` + pair.Refresh[30:],
		"without the prefix":        pair.Refresh[4:],
		"in another case":           strings.ToUpper(pair.Refresh),
		"a token of another kind":   teacher.Refresh,
		"of another server":         foreign.enter("users", 1).Refresh,
		"an access token":           pair.Access,
		"the id of a session":       w.onlySession("users", "1").ID,
		"10,000 bytes":              strings.Repeat("A", 10_000),
		"a quotation mark":          `\"; DROP TABLE users`,
		"characters outside base64": "fjr_" + strings.Repeat("ä", 29) + "A",
	} {
		watched.reset()
		requireRefusal(t, w.refresh("users", token), 401, "session_ended", name)
		require.Zero(t, watched.reset(), "%s cost a query", name)
	}
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status)
	require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
	require.Equal(t, 200, w.refresh("teachers", teacher.Refresh).Status)
}

func TestRefreshReadsTokenOnlyFromBodyOrCookie(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromQuery("refresh_token"), fiberjwt.FromCookie(""))
	})
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for name, a := range map[string]answer{
		"no body":                  w.do("POST", "/auth/users/refresh", ""),
		"an empty object":          w.do("POST", "/auth/users/refresh", "{}"),
		"the URL":                  w.do("POST", "/auth/users/refresh?refresh_token="+pair.Refresh, ""),
		"the Authorization header": w.do("POST", "/auth/users/refresh", "", "Authorization", "Bearer "+pair.Refresh),
		"another header":           w.do("POST", "/auth/users/refresh", "", "Refresh-Token", pair.Refresh),
		"an access token in the header": w.do("POST", "/auth/users/refresh", "",
			"Authorization", "Bearer "+pair.Access),
		"an access token in the cookie": w.do("POST", "/auth/users/refresh", "", "Cookie", userCookie+"="+pair.Access),
		"the member in another case":    w.do("POST", "/auth/users/refresh", `{"Refresh_Token":"`+pair.Refresh+`"}`),
	} {
		requireRefusal(t, a, 401, "no_token", name)
	}
	for _, value := range []string{"7", "null", "[]", "{}", "true"} {
		requireRefusal(t, w.do("POST", "/auth/users/refresh", `{"refresh_token":`+value+`}`), 422, "invalid_fields", value)
	}
}

func TestSessionEndsAtIdleTTLAndSessionTTL(t *testing.T) {
	hours := func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{AccessTTL: 20 * time.Minute, IdleTTL: time.Hour, SessionTTL: 3 * time.Hour}
	}
	w := quickWorld(t, hours)
	w.addUser("ann@example.com")

	idle := w.enter("users", 1)
	w.clock.Advance(time.Hour - time.Millisecond)
	require.Equal(t, 200, w.refresh("users", idle.Refresh).Status, "the session ended too early")
	idle = w.enter("users", 1)
	w.clock.Advance(time.Hour)
	requireRefusal(t, w.refresh("users", idle.Refresh), 401, "session_ended")

	lively := w.enter("users", 1)
	start := w.clock.Now()
	for {
		w.clock.Advance(50 * time.Minute)
		a := w.refresh("users", lively.Refresh)
		if w.clock.Now().Sub(start) >= 3*time.Hour {
			requireRefusal(t, a, 401, "session_ended")
			break
		}
		require.Equal(t, 200, a.Status, a.Body)
		lively = w.tokensOf(a)
		ends := start.Add(3 * time.Hour)
		life := time.Duration(a.JSON(t)["expires_in"].(float64)) * time.Second
		require.False(t, w.clock.Now().Add(life).After(ends), "the access token must expire with its session")
	}
}

func TestIdleSessionRefusesAccessTokens(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{AccessTTL: 10 * time.Minute, IdleTTL: 15 * time.Minute, SessionTTL: 15 * time.Minute}
	})
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	w.clock.Advance(8 * time.Minute)
	pair = w.tokensOf(w.refresh("users", pair.Refresh))
	w.clock.Advance(7*time.Minute - time.Second)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	w.clock.Advance(time.Second) // Config.Leeway does not apply to the end of a session
	require.Equal(t, 401, w.get("/users/me", pair.Access).Status)

	pair = w.enter("users", 1)
	for _, column := range []string{"idle_until", "ends"} {
		w.sql(fmt.Sprintf(`UPDATE fiberjwt_sessions SET %s = %d`, column, w.clock.Now().UnixMilli()+1))
		require.Equal(t, 200, w.get("/users/me", pair.Access).Status, column)
		w.clock.Advance(time.Millisecond)
		requireRefusal(t, w.get("/users/me", pair.Access), 401, "invalid_token", column)
		w.sql(fmt.Sprintf(`UPDATE fiberjwt_sessions SET %s = %d`, column, w.clock.Now().Add(time.Hour).UnixMilli()))
	}
}

func TestFailedRefreshSetsNoCookies(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	stolen := b.jar[refreshCookie].Value
	for range 2 {
		w.clock.Advance(20 * time.Minute)
		require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status)
	}
	b.jar[refreshCookie].Value = stolen
	for range 3 {
		a := b.do("POST", "/auth/users/refresh", "")
		requireRefusal(t, a, 401, "session_revoked")
		require.Empty(t, a.Header.Values("Set-Cookie"), "the response must not clear cookies, which another tab may have replaced")
	}
	b.jar[refreshCookie].Value = "garbage"
	a := b.do("POST", "/auth/users/refresh", "")
	requireRefusal(t, a, 401, "session_ended")
	require.Empty(t, a.Header.Values("Set-Cookie"))
}

func TestDeletedAccountCannotRefresh(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	w.sql(`DELETE FROM users`)
	requireRefusal(t, w.get("/users/me", pair.Access), 401, "invalid_token")
	requireRefusal(t, w.refresh("users", pair.Refresh), 401, "session_ended")
}

// Logout.

func TestLogoutEndsSessionByAnyOfItsTokens(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	for name, test := range map[string]struct {
		age     time.Duration
		request func(tokens) answer
		ends    bool
	}{
		"an access token": {0, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+p.Access)
		}, true},
		"an access token, {} body": {0, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", "{}", "Authorization", "Bearer "+p.Access)
		}, true},
		"an expired access token": {time.Hour, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+p.Access)
		}, true},
		"an access cookie": {0, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", "", "Cookie", userCookie+"="+p.Access)
		}, true},
		"an expired access cookie": {time.Hour, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", "", "Cookie", userCookie+"="+p.Access)
		}, true},
		"a refresh cookie": {time.Hour, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", "", "Cookie", refreshCookie+"="+p.Refresh)
		}, true},
		"a refresh token": {time.Hour, func(p tokens) answer { return w.do("POST", "/auth/users/logout", `{"refresh_token":"`+p.Refresh+`"}`) }, true},
		"an invalid access token, a valid refresh token": {0, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", `{"refresh_token":"`+p.Refresh+`"}`, "Authorization", "Bearer x.y.z")
		}, true},
		"no token": {0, func(tokens) answer { return w.do("POST", "/auth/users/logout", "") }, false},
		"an invalid access token": {0, func(p tokens) answer {
			return w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+p.Access+"x")
		}, false},
		"garbage":                  {0, func(tokens) answer { return w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer a b c") }, false},
		"an invalid refresh token": {0, func(p tokens) answer { return w.do("POST", "/auth/users/logout", `{"refresh_token":"`+p.Refresh+`x"}`) }, false},
		"garbage in the cookies": {0, func(tokens) answer {
			return w.do("POST", "/auth/users/logout", "", "Cookie", userCookie+"=x; "+refreshCookie+"=y")
		}, false},
		"an access token at the route of another kind": {0, func(p tokens) answer {
			return w.do("POST", "/auth/teachers/logout", "", "Authorization", "Bearer "+p.Access)
		}, false},
		"a refresh token at the route of another kind": {0, func(p tokens) answer {
			return w.do("POST", "/auth/teachers/logout", `{"refresh_token":"`+p.Refresh+`"}`)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			pair := w.enter("users", 1)
			w.clock.Advance(test.age)
			a := test.request(pair)
			require.Equal(t, 204, a.Status, a.Body)
			require.Empty(t, a.Body)
			again := w.refresh("users", pair.Refresh)
			if !test.ends {
				require.Equal(t, 200, again.Status, again.Body)
				return
			}
			requireRefusal(t, again, 401, "session_ended")
			require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
			require.Equal(t, 204, test.request(pair).Status, "a second logout must succeed")
		})
	}
}

func TestLogoutWithTwoDifferentTokensIsRefused(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	one, two := w.enter("users", 1), w.enter("users", 1)
	a := w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+one.Access, "Authorization", "Bearer "+two.Access)
	requireRefusal(t, a, 400, "invalid_request")
	require.Equal(t, 200, w.get("/users/me", one.Access).Status)
	require.Equal(t, 200, w.get("/users/me", two.Access).Status)
}

func TestLogoutAllEndsSessionsOfOneAccountOnly(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("bob@example.com")
	w.addTeacher("ann")
	ann, phone, bob, teacher := w.enter("users", 1), w.enter("users", 1), w.enter("users", 2), w.enter("teachers", 1)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout-all", "", "Authorization", "Bearer "+ann.Access).Status)
	require.Equal(t, 401, w.get("/users/me", ann.Access).Status)
	require.Equal(t, 401, w.get("/users/me", phone.Access).Status)
	requireRefusal(t, w.refresh("users", phone.Refresh), 401, "session_ended")
	require.Equal(t, 200, w.get("/users/me", bob.Access).Status)
	require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status, "the session of the teacher with the same id must stay")

	// An ended session cannot end others: an attacker with an old token must not be able to sign the owner out again and
	// again.
	fresh := w.enter("users", 1)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout-all", "", "Authorization", "Bearer "+ann.Access).Status)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout-all", `{"refresh_token":"`+phone.Refresh+`"}`).Status)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout-all", "").Status)
	require.Equal(t, 200, w.get("/users/me", fresh.Access).Status)

	w.clock.Advance(time.Hour)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout-all", "", "Authorization", "Bearer "+fresh.Access).Status)
	requireRefusal(t, w.refresh("users", fresh.Refresh), 401, "session_ended", "an expired access token of a living session must be enough")
}

// Sessions.

func TestSessionListShowsActiveSessionsOfAccount(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("bob@example.com")
	w.addTeacher("ann")
	w.enter("users", 2)
	w.enter("teachers", 1)
	ended := w.enter("users", 1)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+ended.Access).Status)

	long := "Mozilla/5.0 \xff<b>" + strings.Repeat("x", 400)
	w.do("POST", "/door/users/1", "", "User-Agent", long)
	first := w.clock.Now()
	w.clock.Advance(time.Minute)
	mine := w.enter("users", 1)
	w.clock.Advance(9 * time.Minute)
	refreshed := w.tokensOf(w.refresh("users", mine.Refresh))

	a := w.get("/auth/users/sessions", refreshed.Access)
	require.Equal(t, 200, a.Status, a.Body)
	var list []map[string]any
	requireJSON(t, a.Body, &list)
	require.Len(t, list, 2)
	require.Equal(t, true, list[0]["current"], "the newest session must come first")
	require.Equal(t, false, list[1]["current"])
	require.Equal(t, first.Add(time.Minute).Format(time.RFC3339), list[0]["created"])
	require.Equal(t, first.Add(10*time.Minute).Format(time.RFC3339), list[0]["last_refresh"])
	require.Equal(t, first.Add(10*time.Minute+14*24*time.Hour).Format(time.RFC3339), list[0]["expires"])
	require.Equal(t, "0.0.0.0", list[1]["address"])
	agent := list[1]["user_agent"].(string)
	require.LessOrEqual(t, len(agent), 255)
	require.True(t, strings.HasPrefix(agent, "Mozilla/5.0 "), agent)
	require.NotContains(t, a.Body, refreshed.Refresh)
	require.NotRegexp(t, `fjr_[A-Za-z0-9_-]{59}`, a.Body)

	require.Equal(t, 401, w.do("GET", "/auth/users/sessions", "").Status)
	require.Equal(t, 403, w.get("/auth/teachers/sessions", refreshed.Access).Status)
}

func TestOnlyOwnerCanEndSession(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("bob@example.com")
	w.addTeacher("ann")
	ann, phone, bob, teacher := w.enter("users", 1), w.enter("users", 1), w.enter("users", 2), w.enter("teachers", 1)
	end := func(id string, headers ...string) answer {
		return w.do("DELETE", "/auth/users/sessions/"+id, "", append(headers, "Authorization", "Bearer "+ann.Access)...)
	}
	idOf := func(access string) string {
		s, err := w.auth.Verify(t.Context(), access)
		require.NoError(t, err)
		return s.ID
	}
	bobs, teachers, own := idOf(bob.Access), idOf(teacher.Access), idOf(ann.Access)
	for name, id := range map[string]string{
		"of another account": bobs, "of another kind": teachers, "of no session": strings.Repeat("A", 22), "garbage": "x", "too long": strings.Repeat("A", 1000),
		"an SQL injection": "%27%20OR%201=1", "an encoded slash": "a%2fb", "a NUL": "%00", "unused bits set": own[:21] + "_",
	} {
		requireRefusal(t, end(id), 404, "not_found", name)
	}
	require.Equal(t, 200, w.get("/users/me", bob.Access).Status)
	require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status)

	a := end(idOf(phone.Access))
	require.Equal(t, 204, a.Status, a.Body)
	require.Equal(t, 401, w.get("/users/me", phone.Access).Status)
	requireRefusal(t, w.refresh("users", phone.Refresh), 401, "session_ended")
	require.Equal(t, 200, w.get("/users/me", ann.Access).Status)

	a = end(own)
	require.Equal(t, 204, a.Status)
	require.Empty(t, a.Header.Values("Set-Cookie"), "the session was in a header, so no cookies must be cleared")
	require.Equal(t, 401, w.get("/users/me", ann.Access).Status)
	require.Equal(t, 401, end(own).Status)
	require.Equal(t, 401, w.do("DELETE", "/auth/users/sessions/"+bobs, "").Status)
}

func TestEndingCurrentSessionClearsCookies(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	other := w.enter("users", 1)
	s, err := w.auth.Verify(t.Context(), other.Access)
	require.NoError(t, err)
	require.Equal(t, 204, b.do("DELETE", "/auth/users/sessions/"+s.ID, "").Status)
	require.Len(t, b.jar, 2)
	require.Equal(t, 204, b.do("DELETE", "/auth/users/sessions/"+w.onlySession("users", "1").ID, "").Status)
	require.Empty(t, b.jar)
}

// Password.

func TestPasswordChangeNeedsOldPasswordAndEndsOtherSessions(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addUser("bob@example.com")
	ann, phone, bob := w.enter("users", 1), w.enter("users", 1), w.enter("users", 2)
	change := func(body string) answer {
		return w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+ann.Access)
	}
	requireRefusal(t, change(`{"current_password":"`+newPassword+`","password":"`+newPassword+`"}`), 401, "invalid_credentials")
	for _, weak := range []string{"short", "password123", "ann@example.com", strings.Repeat("long", 400)} {
		a := change(`{"current_password":"` + testPassword + `","password":"` + weak + `"}`)
		requireRefusal(t, a, 422, "invalid_fields", weak)
		require.Contains(t, a.JSON(t)["fields"], "password")
	}
	requireRefusal(t, change(`{"password":"`+newPassword+`"}`), 422, "invalid_fields")
	requireRefusal(t, change(`{"current_password":null,"password":"`+newPassword+`"}`), 422, "invalid_fields")
	require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users WHERE id = 1"))
	require.Equal(t, 200, w.get("/users/me", phone.Access).Status)

	w.clock.Advance(9 * time.Minute)
	a := change(`{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`)
	require.Equal(t, 204, a.Status, a.Body)
	require.Empty(t, a.Body)
	require.Equal(t, 401, w.get("/users/me", phone.Access).Status)
	requireRefusal(t, w.refresh("users", phone.Refresh), 401, "session_ended")
	require.Equal(t, 200, w.get("/users/me", ann.Access).Status, "the session that changed the password must stay")
	again := w.tokensOf(w.refresh("users", ann.Refresh))
	require.Equal(t, 200, w.get("/fresh", again.Access).Status, "the session must be fresh, because the user has just sent the password")
	require.Equal(t, 200, w.get("/users/me", bob.Access).Status)
	require.Equal(t, 401, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)).Status)
	require.Equal(t, 200, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", newPassword)).Status)
	require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users WHERE id = 2"))
}

func TestSlowerConcurrentPasswordChangeIsRefused(t *testing.T) {
	watched := &queries{}
	w := quickWorld(t, watched.watch)
	w.addUser("ann@example.com")
	ann, phone := w.enter("users", 1), w.enter("users", 1)
	// The other change comes after the current password was verified.
	watched.once("BEGIN", func() { w.sql(`UPDATE users SET password_hash = 'changed'`) })
	a := w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+ann.Access)
	requireRefusal(t, a, 401, "invalid_credentials")
	require.Equal(t, "changed", w.text("SELECT password_hash FROM users"))
	require.Equal(t, 200, w.get("/users/me", phone.Access).Status, "a failed change must not end a session")
}

func TestFailedPasswordChangeIsRolledBack(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	ann, phone := w.enter("users", 1), w.enter("users", 1)
	w.sql(`CREATE TRIGGER full BEFORE UPDATE OF revoked ON fiberjwt_sessions BEGIN SELECT RAISE(ABORT, 'disk marker'); END`)
	a := w.do("POST", "/auth/users/password", `{"current_password":"`+testPassword+`","password":"`+newPassword+`"}`, "Authorization", "Bearer "+ann.Access)
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.NotContains(t, a.Body, "marker")
	require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users"), "the password must not change if the other sessions cannot be ended")
	require.Equal(t, 200, w.get("/users/me", phone.Access).Status)
}

// Bodies.

func TestMalformedBodiesAreRefused(t *testing.T) {
	w := pagesWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	const marker = "marker7f3a"
	zipped := &bytes.Buffer{}
	writer := gzip.NewWriter(zipped)
	_, _ = writer.Write([]byte(`{"A":"marker7f3a@example.com","B":"marker7f3a marker7f3a"}`))
	_ = writer.Close()
	bomb := &bytes.Buffer{}
	writer = gzip.NewWriter(bomb)
	_, _ = writer.Write(bytes.Repeat([]byte(" "), 1<<20))
	_ = writer.Close()
	require.Less(t, bomb.Len(), 16<<10) // the size depends on the version of Go
	type route struct{ path, a, b string }
	routes := []route{{"/auth/users/register", "email", "password"}, {"/auth/users/login", "email", "password"},
		{"/auth/users/password", "current_password", "password"}, {"/auth/users/refresh", "refresh_token", "other"},
		{"/auth/users/token", "refresh_token", "other"}}
	const good = `{"A":"marker7f3a@example.com","B":"marker7f3a marker7f3a"}`
	plain := []string{"Content-Type", "application/json"}
	for name, test := range map[string]struct {
		headers []string
		body    string
		want    int
		refresh int // of the route refresh, 0 if it is the same
	}{
		"no media type":                        {nil, good, 415, 0},
		"plain text":                           {[]string{"Content-Type", "text/plain"}, good, 415, 0},
		"a form":                               {[]string{"Content-Type", "application/x-www-form-urlencoded"}, "A=marker7f3a&B=marker7f3a", 415, 0},
		"a multipart form":                     {[]string{"Content-Type", "multipart/form-data; boundary=x"}, "--x\r\nContent-Disposition: form-data; name=A\r\n\r\nmarker7f3a\r\n--x--\r\n", 415, 0},
		"XML":                                  {[]string{"Content-Type", "application/xml"}, "<A>marker7f3a</A>", 415, 0},
		"another media type of JSON":           {[]string{"Content-Type", "application/vnd.api+json"}, good, 415, 0},
		"text/json":                            {[]string{"Content-Type", "text/json"}, good, 415, 0},
		"JSON as a prefix":                     {[]string{"Content-Type", "application/jsonp"}, good, 415, 0},
		"UTF-16":                               {[]string{"Content-Type", "application/json; charset=utf-16"}, good, 415, 0},
		"Latin 1":                              {[]string{"Content-Type", "application/json; charset=iso-8859-1"}, good, 415, 0},
		"JSON as a parameter":                  {[]string{"Content-Type", "text/plain; application/json"}, good, 415, 0},
		"JSON after another type":              {[]string{"Content-Type", "text/plain, application/json"}, good, 415, 0},
		"JSON as a value":                      {[]string{"Content-Type", `application/octet-stream; x="application/json"`}, good, 415, 0},
		"Latin 1 after a parameter":            {[]string{"Content-Type", `application/json;;v=1; Charset = "ISO-8859-1"`}, good, 415, 0},
		"gzip":                                 {append(plain, "Content-Encoding", "gzip"), zipped.String(), 415, 0},
		"a gzip bomb":                          {append(plain, "Content-Encoding", "gzip"), bomb.String(), 415, 0},
		"deflate":                              {append(plain, "Content-Encoding", "deflate"), good, 415, 0},
		"gzip after identity":                  {append(plain, "Content-Encoding", "identity, gzip"), zipped.String(), 415, 0},
		"an unknown encoding":                  {append(plain, "Content-Encoding", "marker7f3a"), good, 415, 0},
		"more than 16 KiB":                     {plain, `{"A":"marker7f3a","C":"` + strings.Repeat("marker7f3a", 1639) + `"}`, 413, 0},
		"white space alone":                    {plain, "  \n ", 400, 0},
		"an array":                             {plain, `["marker7f3a"]`, 400, 0},
		"an array of the object":               {plain, `[` + good + `]`, 400, 0},
		"a string":                             {plain, `"marker7f3a"`, 400, 0},
		"a number":                             {plain, `7`, 400, 0},
		"null":                                 {plain, `null`, 400, 401},
		"not JSON at all":                      {plain, `marker7f3a`, 400, 0},
		"truncated":                            {plain, good[:len(good)-1], 400, 0},
		"two objects":                          {plain, good + good, 400, 0},
		"text after the object":                {plain, good + "marker7f3a", 400, 0},
		"a byte order mark":                    {plain, "\xef\xbb\xbf" + good, 400, 0},
		"a comment":                            {plain, `{/* marker7f3a */"A":"x"}`, 400, 0},
		"single quotes":                        {plain, `{'A':'marker7f3a'}`, 400, 0},
		"a trailing comma":                     {plain, `{"A":"marker7f3a",}`, 400, 0},
		"a name twice":                         {plain, `{"A":"marker7f3a","B":"marker7f3a marker","B":"x"}`, 400, 0},
		"a name twice, once escaped":           {plain, `{"A":"marker7f3a","B":"marker7f3a marker","\u0042":"x","B":"y"}`, 400, 0},
		"invalid UTF-8":                        {plain, "{\"A\":\"marker7f3a\xff\",\"B\":\"marker7f3a marker\"}", 400, 0},
		"UTF-8 of a surrogate":                 {plain, "{\"A\":\"marker7f3a\xed\xa0\x80\",\"B\":\"marker7f3a marker\"}", 400, 0},
		"half a surrogate pair":                {plain, `{"A":"marker7f3a\ud800","B":"marker7f3a marker"}`, 400, 0},
		"a bare control character":             {plain, "{\"A\":\"marker7f3a\x01\"}", 400, 0},
		"a bare NUL":                           {plain, "{\"A\":\"marker7f3a\x00\"}", 400, 0},
		"nested too deep":                      {plain, `{"A":` + strings.Repeat("[", 16) + `"marker7f3a"` + strings.Repeat("]", 16) + `}`, 400, 0},
		"nested too deep in an unknown member": {plain, `{"A":"marker7f3a","B":"x","C":` + strings.Repeat(`{"C":`, 16) + `1` + strings.Repeat("}", 16) + `}`, 400, 0},
		"too many members":                     {plain, `{"A":"marker7f3a"` + manyMembers(128) + `}`, 400, 0},
		"an empty object":                      {plain, `{}`, 422, 401},
		"names in capitals":                    {plain, `{"EMAIL":"marker7f3a@example.com","PASSWORD":"marker7f3a marker","REFRESH_TOKEN":"marker7f3a"}`, 422, 401},
		"a name that equals password after case folding": {plain, `{"paſſword":"marker7f3a marker"}`, 422, 401},
		"numbers":                   {plain, `{"A":7,"B":8}`, 422, 0},
		"booleans":                  {plain, `{"A":true,"B":false}`, 422, 0},
		"nulls":                     {plain, `{"A":null,"B":null}`, 422, 0},
		"arrays":                    {plain, `{"A":["marker7f3a"],"B":["marker7f3a"]}`, 422, 0},
		"objects":                   {plain, `{"A":{"$gt":"marker7f3a"},"B":{"$gt":"marker7f3a"}}`, 422, 0},
		"a password of 4,000 bytes": {plain, `{"A":"marker7f3a","B":"` + strings.Repeat("marker7f3a", 400) + `"}`, 422, 401},
	} {
		for _, to := range routes {
			body := strings.NewReplacer(`"A"`, `"`+to.a+`"`, `"B"`, `"`+to.b+`"`, "A=", to.a+"=").Replace(test.body)
			request := httptest.NewRequest("POST", to.path, strings.NewReader(body))
			request.Header.Set("Authorization", "Bearer "+pair.Access)
			for i := 0; i < len(test.headers); i += 2 {
				request.Header.Set(test.headers[i], test.headers[i+1])
			}
			want := test.want
			if to.path == "/auth/users/refresh" && test.refresh != 0 {
				want = test.refresh
			}
			if to.path == "/auth/users/token" && name == "a password of 4,000 bytes" {
				want = 401
			}
			if to.path == "/auth/users/login" && name == "a password of 4,000 bytes" {
				want = 422
			}
			a := w.send(request)
			require.Equal(t, want, a.Status, "%s, %s: %s", name, to.path, a.Body)
			require.NotEmpty(t, a.Code(t), "%s, %s", name, to.path)
			require.NotEmpty(t, a.JSON(t)["error_description"], "%s, %s", name, to.path)
			require.NotContains(t, a.Body, marker, "%s, %s", name, to.path)
			require.NotContains(t, fmt.Sprint(a.Header), marker, "%s, %s", name, to.path)
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"), "%s, %s", name, to.path)
		}
	}
	require.Equal(t, 1, w.count("users"))
	require.Equal(t, 1, w.count("fiberjwt_sessions"))
	require.NotContains(t, w.log.String(), marker)
	require.Equal(t, hashOfTestPassword, w.text("SELECT password_hash FROM users"))
}

func manyMembers(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `,"x%d":1`, i)
	}
	return text.String()
}

func TestChunkedBodySizeIsLimited(t *testing.T) {
	w := newWorld(t)
	head := "POST /auth/users/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	body := `{"email":"` + strings.Repeat("a", 20<<10) + `"}`
	answers := raw(t, w.app, fmt.Sprintf("%s%x\r\n%s\r\n0\r\n\r\n", head, len(body), body))
	require.Len(t, answers, 1)
	requireRefusal(t, answers[0], 413, "too_large")
}

func TestEverySpellingOfJSONContentTypeIsAccepted(t *testing.T) {
	w := newWorld(t)
	post := func(headers ...string) int {
		request := httptest.NewRequest("POST", "/auth/users/login", strings.NewReader(` {} `))
		for i := 0; i < len(headers); i += 2 {
			request.Header.Add(headers[i], headers[i+1])
		}
		return w.send(request).Status
	}
	for _, contentType := range []string{
		"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", `application/json; charset="utf-8"`,
		"application/json; charset=utf8", "application/json;charset=UTF8", "application/json; charset=us-ascii", "application/json; charset=",
		"application/json;", "application/json ;", "application/json; ;", "application/json; version=1", "application/json; odata=verbose",
		"application/json; charset=utf-8; version=1", `application/json; profile="https://example.com/a"; charset=utf-8`, "application/json; ===",
	} {
		require.Equal(t, 422, post("Content-Type", contentType), contentType)
	}
	for _, coding := range []string{"identity", "Identity", " identity ", "", "identity, identity", "identity,"} {
		require.Equal(t, 422, post("Content-Type", "application/json", "Content-Encoding", coding), coding)
	}
	require.Equal(t, 415, post("Content-Type", "application/json", "Content-Encoding", "identity", "Content-Encoding", "gzip"))
}

func TestMissingBodyIsRefused(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, route := range []string{"register", "login", "password"} {
		for _, contentType := range []string{"", "application/json"} {
			a := w.do("POST", "/auth/users/"+route, "", "Content-Type", contentType, "Authorization", "Bearer "+pair.Access)
			require.GreaterOrEqual(t, a.Status, 400, route)
			require.Less(t, a.Status, 500, route)
			require.NotEmpty(t, a.Code(t), route)
		}
	}
}

// Methods.

func TestBuiltInRoutesRefuseOtherMethods(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for path, allowed := range map[string][]string{
		"register": {"POST"}, "login": {"POST"}, "refresh": {"POST"}, "logout": {"POST"}, "logout-all": {"POST"}, "password": {"POST"},
		"me": {"GET", "HEAD"}, "sessions": {"GET", "HEAD"}, "sessions/" + strings.Repeat("A", 22): {"DELETE"},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"} {
			a := w.do(method, "/auth/users/"+path, "", "Authorization", "Bearer "+pair.Access)
			if slices.Contains(allowed, method) {
				require.NotEqual(t, 405, a.Status, "%s %s", method, path)
				continue
			}
			require.Equal(t, 405, a.Status, "%s %s: %s", method, path, a.Body)
			require.Equal(t, strings.Join(allowed, ", "), a.Header.Get("Allow"), "%s %s", method, path)
			if method != "HEAD" {
				require.Equal(t, "method_not_allowed", a.Code(t))
			}
		}
		if path == "logout" || path == "logout-all" {
			pair = w.enter("users", 1) // the allowed method has ended the session
		}
	}
}

func TestCrossSiteGetChangesNothing(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	b.site = "cross-site" // a link or an image on another page
	w.clock.Advance(20 * time.Minute)
	before := w.onlySession("users", "1")
	for _, route := range []string{"refresh", "logout", "logout-all", "password", "register", "login"} {
		a := b.do("GET", "/auth/users/"+route, "")
		requireRefusal(t, a, 405, "method_not_allowed", route)
		require.Empty(t, a.Header.Values("Set-Cookie"))
	}
	require.Equal(t, before, w.onlySession("users", "1"))
}

func TestHeadAnswersLikeGetWithoutABody(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, path := range []string{"/auth/users/me", "/auth/users/sessions", "/users/me"} {
		a := w.do("HEAD", path, "", "Authorization", "Bearer "+pair.Access)
		require.Equal(t, 200, a.Status, path)
		require.Empty(t, a.Body)
		require.Equal(t, 401, w.do("HEAD", path, "").Status)
	}
}

func TestBuiltInRoutesSendNoStore(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for _, a := range []answer{
		w.do("POST", "/auth/users/login", "{}"),
		w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)),
		w.do("POST", "/auth/users/register", "{}"),
		w.refresh("users", pair.Refresh),
		w.refresh("users", "x"),
		w.get("/auth/users/me", pair.Access),
		w.get("/auth/users/sessions", pair.Access),
		w.do("POST", "/auth/users/password", "{}", "Authorization", "Bearer "+pair.Access),
		w.do("DELETE", "/auth/users/sessions/x", "", "Authorization", "Bearer "+pair.Access),
		w.do("POST", "/auth/users/logout", ""),
	} {
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"), a.Body)
		require.Equal(t, "no-cache", a.Header.Get("Pragma"), a.Body)
		require.Subset(t, vary(a), []string{"authorization", "cookie"})
	}
}

// Hooks.

func TestRegisterHookCanRefuseOrSetFields(t *testing.T) {
	var hook func(*fiber.Ctx, *User) error
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: func(c *fiber.Ctx, u *User) error { return hook(c, u) }}
	})
	for name, test := range map[string]struct {
		hook   func(*fiber.Ctx, *User) error
		status int
		code   string
	}{
		"an error of the hook":    {func(*fiber.Ctx, *User) error { return errors.New("marker") }, 403, "forbidden"},
		"an error of Fiber":       {func(*fiber.Ctx, *User) error { return fiber.NewError(418, "by invitation only") }, 418, "refused"},
		"a sentinel of fiberjwt":  {func(*fiber.Ctx, *User) error { return fiberjwt.ErrRateLimited }, 429, "rate_limited"},
		"a wrapped sentinel":      {func(*fiber.Ctx, *User) error { return fmt.Errorf("marker: %w", fiberjwt.ErrUnavailable) }, 503, "temporarily_unavailable"},
		"a panic":                 {func(*fiber.Ctx, *User) error { panic("marker") }, 500, "server_error"},
		"a panic of the runtime":  {func(_ *fiber.Ctx, u *User) error { return []error(nil)[len(u.Email)] }, 500, "server_error"},
		"a panic with an error":   {func(*fiber.Ctx, *User) error { panic(errors.New("marker")) }, 500, "server_error"},
		"a panic with a sentinel": {func(*fiber.Ctx, *User) error { panic(fiberjwt.ErrTaken) }, 500, "server_error"},
	} {
		hook = test.hook
		a := w.do("POST", "/auth/users/register", credentials("users", strings.ReplaceAll(name, " ", "-"), testPassword))
		requireRefusal(t, a, test.status, test.code, name)
		require.NotContains(t, a.Body, "marker", name)
		require.Equal(t, 0, w.count("users"), name)
		require.Equal(t, 0, w.count("fiberjwt_sessions"), name)
	}
	hook = func(c *fiber.Ctx, u *User) error {
		if u.Email != "ann@example.com" || u.ID != 0 || !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
			return errors.New("identity and password are not set yet")
		}
		u.Admin, u.FullName = true, c.Get("X-Name")
		return nil
	}
	a := w.do("POST", "/auth/users/register", credentials("users", "Ann@example.com", testPassword), "X-Name", "Ann")
	require.Equal(t, 201, a.Status, a.Body)
	require.Equal(t, "1 Ann", w.text("SELECT admin || ' ' || full_name FROM users"))
}

func TestAllowDecidesAtLoginRefreshAndOnEveryRequest(t *testing.T) {
	var answerOf func(*User) error
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(_ context.Context, u *User) error { return answerOf(u) }}
	})
	w.addUser("ann@example.com")
	for name, test := range map[string]struct {
		allow                         func(*User) error
		status                        int
		request, refresh, login, door string
	}{
		"refused by an error":          {func(*User) error { return errors.New("marker") }, 401, "invalid_token", "session_ended", "invalid_credentials", ""},
		"refused by a sentinel":        {func(*User) error { return fiberjwt.ErrForbidden }, 401, "invalid_token", "session_ended", "invalid_credentials", ""},
		"refused by an error of Fiber": {func(*User) error { return fiber.NewError(402, "marker") }, 401, "invalid_token", "session_ended", "invalid_credentials", ""},
		"the store did not answer": {func(*User) error { return fmt.Errorf("marker: %w", fiberjwt.ErrUnavailable) }, 503,
			"temporarily_unavailable", "temporarily_unavailable", "temporarily_unavailable", ""},
		"the store refused the connection": {func(*User) error { return &net.OpError{Op: "dial", Err: errors.New("marker")} }, 503,
			"temporarily_unavailable", "temporarily_unavailable", "temporarily_unavailable", ""},
		"panicked": {func(*User) error { panic("marker") }, 500, "server_error", "server_error", "server_error", ""},
	} {
		answerOf = func(*User) error { return nil }
		pair := w.enter("users", 1)
		sessions := w.count("fiberjwt_sessions")
		answerOf = test.allow
		requireRefusal(t, w.get("/users/me", pair.Access), test.status, test.request, name)
		requireRefusal(t, w.get("/auth/users/me", pair.Access), test.status, test.request, name)
		requireRefusal(t, w.refresh("users", pair.Refresh), test.status, test.refresh, name)
		a := w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword))
		requireRefusal(t, a, test.status, test.login, name)
		require.NotContains(t, a.Body, "marker")
		require.Equal(t, sessions, w.count("fiberjwt_sessions"), name)
		w.clock.Advance(time.Hour)
	}
	answerOf = func(*User) error { return nil }
	pair := w.enter("users", 1)
	answerOf = func(*User) error { return errors.New("for a while") }
	require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
	answerOf = func(*User) error { return nil }
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status, "a refusal by Allow must not revoke the session")
}

func TestAllowGetsContextWithDeadline(t *testing.T) {
	// Allow may query a database. Without a deadline it could hang with it.
	var withoutDeadline []string
	call := ""
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(ctx context.Context, _ *User) error {
			if _, ok := ctx.Deadline(); !ok {
				withoutDeadline = append(withoutDeadline, call)
			}
			return nil
		}}
	})
	w.addUser("ann@example.com")
	call = "Login"
	pair := w.enter("users", 1)
	call = "a request"
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	call = "refresh"
	require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
	call = "login"
	w.login("users", "ann@example.com")
	require.Empty(t, withoutDeadline)
}

func TestRefusedAccountIsAnonymousOnPublicRoute(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Entities[0] = fiberjwt.Entity[User]{Allow: notDisabled} })
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	require.Equal(t, "users:1", w.get("/open", pair.Access).Body)
	w.sql(`UPDATE users SET disabled = true`)
	require.Equal(t, "", w.get("/open", pair.Access).Body)
}

func TestFailingClaimsHookIssuesNoToken(t *testing.T) {
	var hook func(*User) map[string]any
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Claims: func(u *User) map[string]any { return hook(u) }}
	})
	w.addUser("ann@example.com")
	for name, test := range map[string]func(*User) map[string]any{
		"a panic":                func(*User) map[string]any { panic("marker") },
		"the subject":            func(*User) map[string]any { return map[string]any{"sub": "2"} },
		"the kind":               func(*User) map[string]any { return map[string]any{"kind": "teachers"} },
		"the expiry":             func(*User) map[string]any { return map[string]any{"exp": 1 << 40} },
		"the session":            func(*User) map[string]any { return map[string]any{"sid": "x"} },
		"not before":             func(*User) map[string]any { return map[string]any{"nbf": 0} },
		"a value without JSON":   func(*User) map[string]any { return map[string]any{"f": func() {}} },
		"a panic in MarshalJSON": func(*User) map[string]any { return map[string]any{"f": panickingJSON{}} },
	} {
		hook = test
		a := w.do("POST", "/door/users/1?via=cookie", "")
		require.Equal(t, 500, a.Status, "%s: %s", name, a.Body)
		require.Empty(t, a.Header.Values("Set-Cookie"))
		require.Equal(t, 0, w.count("fiberjwt_sessions"), name)
	}
	requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", "bob@example.com", testPassword)), 500, "server_error")
	require.Equal(t, 1, w.count("users"))
}

// panickingJSON panics when it is marshaled.
type panickingJSON struct{}

func (panickingJSON) MarshalJSON() ([]byte, error) { panic("marker") }

func TestLoadHookCanOnlyNarrowQuery(t *testing.T) {
	var hook func(*bun.SelectQuery) *bun.SelectQuery
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Load: func(q *bun.SelectQuery) *bun.SelectQuery { return hook(q) }}
	})
	same := func(q *bun.SelectQuery) *bun.SelectQuery { return q }
	hook = same
	w.addUser("ann@example.com")
	w.addUser("bob@example.com")
	ann, bob := w.enter("users", 1), w.enter("users", 2)
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+bob.Access).Status)

	for name, test := range map[string]func(*bun.SelectQuery) *bun.SelectQuery{
		"OR after a condition": func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("1 = 1").WhereOr("1 = 1") },
		"OR alone":             func(q *bun.SelectQuery) *bun.SelectQuery { return q.WhereOr("1 = 1") },
		"OR in one condition":  func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("1 = 0 OR 1 = 1") },
		"OR of a group": func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.WhereGroup(" OR ", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("1 = 1") })
		},
		"another order": func(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("id DESC") },
		"another limit": func(q *bun.SelectQuery) *bun.SelectQuery { return q.Limit(100) },
		"its columns":   func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "email", "password_hash") },
	} {
		hook = test
		require.Equal(t, 401, w.get("/users/me", bob.Access).Status, "%s revived a session", name)
		a := w.get("/users/me", ann.Access)
		require.Equal(t, 200, a.Status, "%s: %s", name, a.Body)
		require.EqualValues(t, 1, a.JSON(t)["id"], name)
		a = w.do("POST", "/auth/users/login", credentials("users", "unknown@example.com", testPassword))
		require.Equal(t, 401, a.Status, "%s signed in an unknown identity", name)
		w.clock.Advance(time.Minute)
		ann = w.tokensOf(w.refresh("users", ann.Refresh)).orRefresh(ann)
	}

	hook = func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("disabled = ?", false) }
	require.Equal(t, 200, w.get("/users/me", ann.Access).Status)
	w.sql(`UPDATE users SET disabled = true`)
	requireRefusal(t, w.get("/users/me", ann.Access), 401, "invalid_token")
	requireRefusal(t, w.refresh("users", ann.Refresh), 401, "session_ended")
	requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)), 401, "invalid_credentials")
}

// orRefresh returns p with the refresh token of before if p has none.
func (p tokens) orRefresh(before tokens) tokens {
	if p.Refresh == "" {
		p.Refresh = before.Refresh
	}
	return p
}

func TestBrokenLoadHookIsServerError(t *testing.T) {
	var hook func(*bun.SelectQuery) *bun.SelectQuery
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Load: func(q *bun.SelectQuery) *bun.SelectQuery { return hook(q) }}
	})
	hook = func(q *bun.SelectQuery) *bun.SelectQuery { return q }
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for name, test := range map[string]func(*bun.SelectQuery) *bun.SelectQuery{
		"a panic":             func(*bun.SelectQuery) *bun.SelectQuery { panic("marker") },
		"nil":                 func(*bun.SelectQuery) *bun.SelectQuery { return nil },
		"an unknown column":   func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("marker = 1") },
		"without the key":     func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("email") },
		"another account":     func(q *bun.SelectQuery) *bun.SelectQuery { return q.ColumnExpr("2 AS id") },
		"an unknown relation": func(q *bun.SelectQuery) *bun.SelectQuery { return q.Relation("Marker") },
	} {
		hook = test
		for _, a := range []answer{w.get("/users/me", pair.Access), w.refresh("users", pair.Refresh), w.get("/open", pair.Access)} {
			require.GreaterOrEqual(t, a.Status, 500, "%s: %s", name, a.Body)
			require.NotContains(t, a.Body, "marker", name)
		}
	}
	hook = func(q *bun.SelectQuery) *bun.SelectQuery { return q }
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
}

func TestPanickingMarshalJSONIsServerError(t *testing.T) {
	w := newWorld(t)
	w.sql(`CREATE TABLE panicking_users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password_hash TEXT)`,
		`INSERT INTO panicking_users VALUES (1, 'ann', '')`)
	app := fiber.New()
	auth, err := fiberjwt.Open(fiberjwt.Config{DB: w.db, Secret: []byte(testSecret), Routes: app, Public: []string{"POST /door"}, Now: w.clock.Now, ReadTimeout: patience, WriteTimeout: patience,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[PanickingUser]{}}, Logger: quiet})
	require.NoError(t, err)
	app.Use(auth.Handler())
	app.Post("/door", func(c *fiber.Ctx) error {
		tokens, err := fiberjwt.Login(c, &PanickingUser{ID: 1})
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})
	w.app = app
	pair := w.tokensOf(w.do("POST", "/door", ""))
	a := w.get("/panicking_users/me", pair.Access)
	requireRefusal(t, a, 500, "server_error")
	require.NotContains(t, a.Body, "marker")
}

func TestRegisterIsRolledBackWhenResponseFails(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[PanickingUser]{Register: fiberjwt.Anyone[PanickingUser]})
	})
	w.sql(`CREATE TABLE panicking_users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password_hash TEXT)`)
	a := w.do("POST", "/auth/panicking_users/register", `{"email":"ann@example.com","password":"`+testPassword+`","transport":"cookie"}`)
	requireRefusal(t, a, 500, "server_error")
	require.NotContains(t, a.Body, "marker")
	require.Empty(t, a.Header.Values("Set-Cookie"))
	require.Equal(t, 0, w.count("panicking_users"), "the failed registration left an account")
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
}

// PanickingUser panics when it is marshaled, except when it is empty, as when Open looks at it.
type PanickingUser struct {
	bun.BaseModel `bun:"table:panicking_users"`
	ID            int64 `bun:",pk,autoincrement"`
	Email         string
	PasswordHash  string `json:"-"`
}

func (m *PanickingUser) MarshalJSON() ([]byte, error) {
	if m.ID != 0 {
		panic("marker")
	}
	return []byte("{}"), nil
}

// Member has soft deletion.
type Member struct {
	bun.BaseModel `bun:"table:members"`
	ID            int64     `bun:",pk,autoincrement" json:"id"`
	Email         string    `bun:",unique" json:"email"`
	PasswordHash  string    `json:"-"`
	DeletedAt     time.Time `bun:",soft_delete,nullzero" json:"-"`
}

func TestSoftDeletedAccountHasNoAccess(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Member]{Register: fiberjwt.Anyone[Member]})
	})
	_, err := w.db.NewCreateTable().Model((*Member)(nil)).Exec(t.Context())
	require.NoError(t, err)
	w.app.Post("/door/members/:id", func(c *fiber.Ctx) error {
		tokens, err := fiberjwt.Login(c, &Member{ID: 1, PasswordHash: hashOfTestPassword})
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})
	w.add(&Member{Email: "ann@example.com", PasswordHash: hashOfTestPassword})
	pair := w.enter("members", 1)
	require.Equal(t, 200, w.get("/auth/members/me", pair.Access).Status)
	_, err = w.db.NewDelete().Model((*Member)(nil)).Where("id = 1").Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1", w.text("SELECT count(*) FROM members"), "a soft deletion keeps the row")

	const credentials = `{"email":"ann@example.com","password":"` + testPassword + `"}`
	requireRefusal(t, w.get("/auth/members/me", pair.Access), 401, "invalid_token")
	requireRefusal(t, w.refresh("members", pair.Refresh), 401, "session_ended")
	requireRefusal(t, w.do("POST", "/auth/members/login", credentials), 401, "invalid_credentials")
	require.Equal(t, 401, w.do("POST", "/door/members/1", "").Status, "Login must refuse a soft-deleted account")
	requireRefusal(t, w.do("POST", "/auth/members/register", credentials), 409, "taken")
	require.Equal(t, 1, w.count("fiberjwt_sessions"))
}

// The functions Login and Logout.

func TestLoginSupportsBodyAndCookieTransport(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)

	a := w.do("POST", "/door/users/1?via=cookie", "")
	require.Equal(t, 200, a.Status, a.Body)
	require.Len(t, setCookies(t, a), 2)
	require.Empty(t, w.tokensOf(a))
	require.EqualValues(t, 600, a.JSON(t)["expires_in"])
}

func TestLoginRefusesInvalidAccounts(t *testing.T) {
	var err error
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: notDisabled}
		cfg.Public = append(cfg.Public, "GET /try/*")
	})
	w.addUser("ann@example.com")
	w.app.Get("/try/nil", func(c *fiber.Ctx) error { _, err = fiberjwt.Login[User](c, nil); return nil })
	w.app.Get("/try/foreign", func(c *fiber.Ctx) error { _, err = fiberjwt.Login(c, &Member{ID: 1}); return nil })
	w.app.Get("/try/unstored", func(c *fiber.Ctx) error { _, err = fiberjwt.Login(c, &User{}); return nil })
	w.app.Get("/try/gone", func(c *fiber.Ctx) error { _, err = fiberjwt.Login(c, &User{ID: 7}); return nil })
	w.app.Get("/try/disabled", func(c *fiber.Ctx) error {
		_, err = fiberjwt.Login(c, &User{ID: 1, Disabled: true, PasswordHash: hashOfTestPassword}, fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie})
		return nil
	})
	w.app.Get("/try/stale", func(c *fiber.Ctx) error {
		_, err = fiberjwt.Login(c, &User{ID: 1, PasswordHash: "an old hash"})
		return nil
	})
	for path, want := range map[string]error{
		"nil": fiberjwt.ErrSetup, "foreign": fiberjwt.ErrSetup, "unstored": fiberjwt.ErrSetup, "gone": fiberjwt.ErrSetup,
		"disabled": fiberjwt.ErrBadCredentials, "stale": fiberjwt.ErrBadCredentials,
	} {
		err = nil
		a := w.do("GET", "/try/"+path, "")
		require.ErrorIs(t, err, want, path)
		require.Empty(t, a.Header.Values("Set-Cookie"), path)
	}
	require.Equal(t, 0, w.count("fiberjwt_sessions"))

	above := fiber.New()
	above.Get("/", func(c *fiber.Ctx) error {
		_, err = fiberjwt.Login(c, &User{ID: 1})
		require.ErrorIs(t, err, fiberjwt.ErrSetup)
		require.ErrorIs(t, fiberjwt.Logout(c), fiberjwt.ErrSetup)
		return nil
	})
	request := httptest.NewRequest("GET", "/", nil)
	_, testErr := above.Test(request, -1)
	require.NoError(t, testErr)
}

func TestLogoutEndsOnlyNamedKinds(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Optional = true })
	w.app.Post("/leave", func(c *fiber.Ctx) error {
		var kinds []string
		if c.Query("kind") != "" {
			kinds = append(kinds, c.Query("kind"))
		}
		return fiberjwt.Logout(c, kinds...)
	})
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	b := w.browser()
	b.enter("users", 1)
	b.enter("teachers", 1)
	b.site = "cross-site"
	require.Equal(t, 403, b.do("POST", "/leave", "").Status)
	b.site = "same-origin"
	require.Equal(t, "users:1 teachers:1", b.do("GET", "/any", "").Body)
	require.Equal(t, 200, b.do("POST", "/leave?kind=users", "").Status)
	require.Len(t, b.jar, 2)
	require.Equal(t, "teachers:1", b.do("GET", "/any", "").Body)
	b.enter("users", 1)
	require.Equal(t, 200, b.do("POST", "/leave", "").Status)
	require.Empty(t, b.jar)
	require.Equal(t, 200, b.do("POST", "/leave", "").Status, "a logout without a session must succeed")

	pair := w.enter("users", 1)
	a := w.do("POST", "/leave", "", "Authorization", "Bearer "+pair.Access)
	require.Equal(t, 200, a.Status)
	require.Empty(t, a.Header.Values("Set-Cookie"))
	require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
	requireRefusal(t, w.refresh("users", pair.Refresh), 401, "session_ended")
}

func TestKindWithoutPasswordsSignsInByLoginOnly(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Password: "-"}
	})
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	require.Equal(t, 200, w.get("/users/me", pair.Access).Status)
	require.Equal(t, 200, w.refresh("users", pair.Refresh).Status)
	for _, route := range []string{"register", "login", "password"} {
		requireRefusal(t, w.do("POST", "/auth/users/"+route, credentials("users", "ann@example.com", testPassword), "Authorization", "Bearer "+pair.Access), 404, "not_found", route)
	}
	require.Equal(t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+pair.Access).Status)
	require.Equal(t, 401, w.get("/users/me", pair.Access).Status)
}

func TestStoredStringsAreCopiedFromRequest(t *testing.T) {
	// Fiber reuses its buffers. A string that was not copied would change with the next request.
	w := quickWorld(t)
	w.addUser("ann@example.com")
	handler := w.app.Handler()
	a := w.do("POST", "/door/users/1", "", "User-Agent", strings.Repeat("first ", 20))
	pair := w.tokensOf(a)
	s, err := w.auth.Verify(t.Context(), pair.Access)
	require.NoError(t, err)
	before := *s
	for range 50 {
		serve(handler, "/any", strings.Repeat("zzzzzzzz", 40))
	}
	require.Equal(t, before.Subject, s.Subject)
	require.Equal(t, "users", s.Kind)
	require.Equal(t, strings.TrimSpace(strings.Repeat("first ", 20)), strings.TrimSpace(w.onlySession("users", "1").UserAgent))
}

func TestLoginIgnoresUnknownMembers(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	body := strings.TrimSuffix(credentials("users", "ann@example.com", testPassword), "}") + `,"remember":true,"device":{"name":"phone"},"admin":true}`
	a := w.do("POST", "/auth/users/login", body)
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, false, w.get("/users/me", w.tokensOf(a).Access).JSON(t)["admin"])
}
