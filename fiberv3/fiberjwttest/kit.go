// Code generated from ../../fiberjwttest/kit.go by internal/twin; DO NOT EDIT.

package fiberjwttest

import (
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/internal/cookiename"
)

// Kit signs in the requests of a test. Its sign-ins are real: a session in the
// database and tokens of the application's own secret, so that the middleware, the
// guards and the hooks run as they do in production. There is no global state, and
// nothing to tear down.
//
//	func TestMe(t *testing.T) {
//		kit := fiberjwttest.New(t, fiberjwt.Config{Entities: entities})
//		app := newApp(kit.Config) // your application's
//		response, err := app.Test(kit.Request("GET", "/me", &User{Email: "ann@example.com"}))
//		…
//	}
//
// It is safe for concurrent use. If something fails, the test fails.
type Kit struct {
	// Config is the Config for the application: the one given to New, with the missing
	// fields filled in. Pass it to fiberjwt.Open or New as in production, with Routes
	// and everything else.
	Config fiberjwt.Config
	// DB is Config.DB.
	DB *bun.DB
	// Clock is Config.Now. It starts at the time of New, in whole seconds, and stands
	// still until the test advances it.
	Clock *Clock

	t       testing.TB
	auth    *fiberjwt.Auth // a second one, on the same sessions and secret
	mu      sync.Mutex     // an account is stored only once
	private bool           // DB was made here
}

// New makes a kit from the Config of an application, which may lack
//
//   - DB: an empty SQLite database with the tables of the Entities, deleted after the
//     test. It uses the SQLite driver that the test imports, such as
//     github.com/ncruces/go-sqlite3/driver;
//   - Secret: a random one;
//   - Logger: the log of the test.
//
// If DB is given, New calls [fiberjwt.Migrate] on it and does nothing else with it;
// never use a database of production. Now is always the kit's Clock. ManualPrune is
// set, so that nothing runs in the background of a test. If the Config is wrong,
// the test fails.
func New(t testing.TB, cfg fiberjwt.Config) *Kit {
	t.Helper()
	kit := &Kit{t: t, DB: cfg.DB, Clock: &Clock{now: time.Now().Truncate(time.Second)}, private: cfg.DB == nil}
	if kit.private {
		kit.DB = openScratch(t)
		for _, model := range models(cfg.Entities) {
			_, err := kit.DB.NewCreateTable().Model(model).IfNotExists().Exec(t.Context())
			require.NoError(t, err, "fiberjwttest: creating the table of %T", model)
		}
	}
	require.NoError(t, fiberjwt.Migrate(t.Context(), kit.DB))
	cfg.DB, cfg.Now, cfg.ManualPrune = kit.DB, kit.Clock.Now, true
	if len(cfg.Secret) == 0 {
		cfg.Secret = []byte(rand.Text() + rand.Text())
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	kit.Config = cfg

	auth, err := fiberjwt.Open(fiberjwt.Config{ // only what makes tokens
		DB: cfg.DB, Secret: cfg.Secret, Entities: cfg.Entities, Issuer: cfg.Issuer, Audience: cfg.Audience,
		Keys: cfg.Keys, RequiredClaims: cfg.RequiredClaims, Store: cfg.Store, Refresh: cfg.Refresh, Logger: cfg.Logger, Now: cfg.Now, ManualPrune: true,
	})
	require.NoError(t, err)
	kit.auth = auth
	return kit
}

// Request returns a request that is signed in as account, a pointer to a model in
// Config.Entities. The account is found by its primary key; if there is no such
// row, account is stored as it is. Each call is a new sign-in. A [fiberjwt.LoginOptions]
// changes it, for instance to add claims or to date it back.
func (kit *Kit) Request(method, target string, account any, options ...fiberjwt.LoginOptions) *http.Request {
	kit.t.Helper()
	return kit.Sign(httptest.NewRequest(method, target, nil), account, options...)
}

// Sign signs in a request that you have made, with body or headers, and returns it.
// It replaces another token in the request; an Authorization header of another
// scheme stays.
func (kit *Kit) Sign(request *http.Request, account any, options ...fiberjwt.LoginOptions) *http.Request {
	kit.t.Helper()
	name, before := kit.header()
	values := slices.DeleteFunc(request.Header.Values(name), func(value string) bool {
		return len(value) >= len(before) && strings.EqualFold(value[:len(before)], before)
	})
	request.Header[http.CanonicalHeaderKey(name)] = append(values, kit.Header(account, options...).Get(name))
	return request
}

// Header returns the header that signs a request in, see [Kit.Request]. It is the
// first header that Config.Extractor reads. If the Extractor reads no header, the
// test fails.
func (kit *Kit) Header(account any, options ...fiberjwt.LoginOptions) http.Header {
	kit.t.Helper()
	name, before := kit.header()
	header := http.Header{}
	header.Set(name, before+kit.Tokens(account, options...).AccessToken)
	return header
}

func (kit *Kit) header() (name, before string) {
	kit.t.Helper()
	if reflect.ValueOf(kit.Config.Extractor).IsZero() {
		return "Authorization", "Bearer " // its default
	}
	if name, before = kit.Config.Extractor.Header(); name == "" {
		kit.t.Fatal("fiberjwttest: Config.Extractor reads no header: sign the request in by Kit.Cookies, or by the token of Kit.Tokens where the application reads it")
	}
	return name, before
}

// Cookies returns the cookies that sign a browser in, see [Kit.Request]: the access
// cookie and the refresh cookie.
func (kit *Kit) Cookies(account any, options ...fiberjwt.LoginOptions) []*http.Cookie {
	kit.t.Helper()
	tokens := kit.Tokens(account, options...)
	settings := kit.Config.Cookie
	access, refresh := cookiename.Of(settings.Namespace, kindOf(kit.t, tokens.AccessToken), settings.Insecure, settings.RefreshEverywhere)
	return []*http.Cookie{{Name: access, Value: tokens.AccessToken}, {Name: refresh, Value: tokens.RefreshToken}}
}

// Tokens signs in as account and returns the tokens, see [Kit.Request].
func (kit *Kit) Tokens(account any, options ...fiberjwt.LoginOptions) fiberjwt.Tokens {
	kit.t.Helper()
	tokens, err := kit.auth.Issue(kit.t.Context(), kit.stored(account), options...)
	require.NoError(kit.t, err, "fiberjwttest: signing in a %T", account)
	return tokens
}

// stored returns the row of an account.
func (kit *Kit) stored(account any) any {
	kit.t.Helper()
	kit.mu.Lock()
	defer kit.mu.Unlock()
	value := reflect.ValueOf(account)
	require.True(kit.t, value.Kind() == reflect.Pointer && !value.IsNil() && value.Elem().Kind() == reflect.Struct,
		"fiberjwttest: the account is a %T, not a pointer to a model", account)
	row := reflect.New(value.Type().Elem())
	row.Elem().Set(value.Elem()) // for its primary key
	err := kit.DB.NewSelect().Model(row.Interface()).WherePK().Scan(kit.t.Context())
	if err == nil {
		return row.Interface()
	}
	require.ErrorIs(kit.t, err, sql.ErrNoRows)
	_, err = kit.DB.NewInsert().Model(account).Exec(kit.t.Context())
	require.NoError(kit.t, err, "fiberjwttest: storing a %T", account)
	return account
}

// kindOf returns the kind of an access token.
func kindOf(t testing.TB, access string) string {
	t.Helper()
	var claims struct {
		Kind string `json:"kind"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
	require.NoError(t, errors.Join(err, json.Unmarshal(payload, &claims)))
	return claims.Kind
}

// models returns a new model of each entity. An entity is an Entity[T] or a pointer
// to one, whose hooks take a *T.
func models(entities []fiberjwt.AnyEntity) (found []any) {
	for _, entity := range entities {
		of := reflect.TypeOf(entity)
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		claims, _ := of.FieldByName("Claims")
		found = append(found, reflect.New(claims.Type.In(0).Elem()).Interface())
	}
	return found
}

// openScratch returns an empty SQLite database in a file, because each driver has
// another syntax for databases in memory. The drivers ignore parameters that they
// do not know.
func openScratch(t testing.TB) *bun.DB {
	t.Helper()
	drivers := sql.Drivers()
	i := slices.IndexFunc(drivers, func(name string) bool { return name == "sqlite3" || name == "sqlite" })
	if i < 0 {
		t.Fatal(`fiberjwttest: Config has no DB and there is no SQLite driver to make one: import _ "github.com/ncruces/go-sqlite3/driver" in the test, or set Config.DB`)
	}
	conn, err := sql.Open(drivers[i], "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "kit.db"))+
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_busy_timeout=10000&_journal_mode=WAL")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return bun.NewDB(conn, sqlitedialect.New())
}

// Clock is a clock that a test moves. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, also backwards.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
