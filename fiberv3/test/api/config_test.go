// Code generated from ../../../test/api/config_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/session"
)

// unconnected is a database that refuses every connection.
type unconnected struct{}

func (unconnected) Connect(context.Context) (driver.Conn, error) {
	return nil, errors.New("Open does I/O")
}

func (unconnected) Driver() driver.Driver { return nil }

// goodConfig is valid. Its database refuses connections, because Open must do no I/O.
func goodConfig(t *testing.T) fiberjwt.Config {
	t.Helper()
	db := bun.NewDB(sql.OpenDB(unconnected{}), sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return fiberjwt.Config{
		DB:       db,
		Secret:   []byte(testSecret),
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
		Logger:   quiet,
	}
}

// only returns a change that makes kind the only entity of a Config.
func only(kind fiberjwt.AnyEntity) func(*fiberjwt.Config) {
	return func(cfg *fiberjwt.Config) { cfg.Entities = []fiberjwt.AnyEntity{kind} }
}

const userColumns = "id, email, full_name, admin, disabled, password_hash"

// Models with mistakes in their declaration.
type (
	NoKey struct {
		Email        string
		PasswordHash string `json:"-"`
	}
	TwoKeys struct {
		ID           int64 `bun:",pk"`
		Tenant       int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	FloatKey struct {
		ID           float64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	TimeKey struct {
		ID           *int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	OddColumns struct {
		ID           int64 `bun:",pk"`
		Email        *string
		PasswordHash []byte `json:"-"`
	}
	Leftover struct {
		ID           int64 `bun:",pk"`
		Email        string
		Password     string `json:"-"` // of an older system
		Transport    string
		PasswordHash string `json:"-"`
	}
	WrongRelation struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
		Owner        *User  `bun:"rel:belongs-to,join:nobody_id=id"`
	}
)

func TestOpenNamesFieldOfEveryMistake(t *testing.T) {
	app := fiber.New()
	for name, test := range map[string]struct {
		change func(*fiberjwt.Config)
		want   []string
	}{
		"no secret":               {func(cfg *fiberjwt.Config) { cfg.Secret = nil }, []string{"Config.Secret"}},
		"a short secret":          {func(cfg *fiberjwt.Config) { cfg.Secret = []byte("short") }, []string{"Config.Secret", "5 bytes", "32"}},
		"a short old secret":      {func(cfg *fiberjwt.Config) { cfg.OldSecrets = []keys.Secret{[]byte(testSecret), []byte("short")} }, []string{"Config.OldSecrets[1]"}},
		"no database":             {func(cfg *fiberjwt.Config) { cfg.DB = nil }, []string{"Config.DB", "Entities"}},
		"no entities":             {func(cfg *fiberjwt.Config) { cfg.Entities = nil }, []string{"Config.Entities"}},
		"routes without entities": {func(cfg *fiberjwt.Config) { cfg.DB, cfg.Entities, cfg.Routes = nil, nil, app }, []string{"Config.Routes", "declare a kind"}},
		"a nil entity":            {func(cfg *fiberjwt.Config) { cfg.Entities = append(cfg.Entities, nil) }, []string{"Config.Entities[1]"}},
		"a nil pointer as entity": {only((*fiberjwt.Entity[User])(nil)), []string{"Config.Entities[0]"}},
		"a kind twice": {func(cfg *fiberjwt.Config) {
			cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Teacher]{Name: "users", Identity: "login"})
		}, []string{"Config.Entities[1]", "Teacher", "teachers", `"users"`, "twice"}},
		"a model twice":                          {func(cfg *fiberjwt.Config) { cfg.Entities = append(cfg.Entities, fiberjwt.Entity[User]{Name: "people"}) }, []string{"Config.Entities[1]", "User", "type Admin User"}},
		"a pointer as model":                     {only(fiberjwt.Entity[*User]{}), []string{"Config.Entities[0]", "User", "not a struct"}},
		"a number as model":                      {only(fiberjwt.Entity[int]{}), []string{"Config.Entities[0]", "int", "not a struct"}},
		"a model without a key":                  {only(fiberjwt.Entity[NoKey]{}), []string{"Config.Entities[0]", "NoKey", "no_keys", "primary key", "email, password_hash"}},
		"a composite key":                        {only(fiberjwt.Entity[TwoKeys]{}), []string{"TwoKeys", "two_keys", "2 primary key", "id, tenant, email, password_hash"}},
		"a float key":                            {only(fiberjwt.Entity[FloatKey]{}), []string{"FloatKey", "float_keys", `"id"`, "float64"}},
		"a key that may be nil":                  {only(fiberjwt.Entity[TimeKey]{}), []string{"TimeKey", `"id"`, "*int64"}},
		"a wrong relation":                       {only(fiberjwt.Entity[WrongRelation]{}), []string{"Config.Entities[0]", "WrongRelation", "nobody_id"}},
		"no identity column":                     {only(fiberjwt.Entity[Teacher]{}), []string{"Config.Entities[0]", "Teacher", "table teachers", "Identity", `"email"`, "id, login, password_hash"}},
		"a misspelt identity":                    {only(fiberjwt.Entity[User]{Identity: "e-mail"}), []string{"Config.Entities[0]", "User", "table users", "Identity", `"e-mail"`, userColumns}},
		"a Go name as identity":                  {only(fiberjwt.Entity[User]{Identity: "Email"}), []string{"Identity", `"Email"`, userColumns}},
		"an identity of a number":                {only(fiberjwt.Entity[User]{Identity: "id"}), []string{"Identity", `"id"`, "int64"}},
		"no password column":                     {only(fiberjwt.Entity[User]{Password: "hash"}), []string{"Config.Entities[0]", "User", "table users", "Password", `"hash"`, userColumns}},
		"a bool password column":                 {only(fiberjwt.Entity[User]{Password: "admin"}), []string{"Password", `"admin"`, "bool"}},
		"columns that may be nil":                {only(fiberjwt.Entity[OddColumns]{}), []string{"Identity", "*string", "Password", "[]uint8"}},
		"the hash as identity":                   {only(fiberjwt.Entity[User]{Identity: "password_hash"}), []string{"Config.Entities[0]", "User", "password_hash"}},
		"an unknown fillable":                    {only(fiberjwt.Entity[User]{Fillable: []string{"full_name", "nick"}}), []string{"Fillable[1]", `"nick"`, userColumns}},
		"the key fillable":                       {only(fiberjwt.Entity[User]{Fillable: []string{"id"}}), []string{"Fillable[0]", `"id"`}},
		"the hash fillable":                      {only(fiberjwt.Entity[User]{Fillable: []string{"password_hash"}}), []string{"Fillable[0]", `"password_hash"`}},
		"the identity fillable":                  {only(fiberjwt.Entity[User]{Fillable: []string{"email"}}), []string{"Fillable[0]", `"email"`}},
		"a plain password fillable":              {only(fiberjwt.Entity[Leftover]{Fillable: []string{"password"}}), []string{"Config.Entities[0]", "Fillable[0]", `"password"`, "Register"}},
		"a transport fillable":                   {only(fiberjwt.Entity[Leftover]{Fillable: []string{"transport"}}), []string{"Config.Entities[0]", "Fillable[0]", `"transport"`, "Register"}},
		"a transport as identity":                {only(fiberjwt.Entity[Leftover]{Identity: "transport"}), []string{"Config.Entities[0]", "Identity", `"transport"`, "another name"}},
		"the deletion fillable":                  {only(fiberjwt.Entity[Member]{Fillable: []string{"deleted_at"}}), []string{"Fillable[0]", `"deleted_at"`}},
		"registering without a password":         {only(fiberjwt.Entity[User]{Password: "-", Register: fiberjwt.Anyone[User]}), []string{"Config.Entities[0]", "Register", "Login"}},
		"a misspelt identity without a password": {only(fiberjwt.Entity[User]{Password: "-", Identity: "e-mail"}), []string{"Config.Entities[0]", "Identity", `"e-mail"`, userColumns}},
		"the key as identity":                    {only(fiberjwt.Entity[User]{Password: "-", Identity: "id"}), []string{"Config.Entities[0]", "Identity", "primary key", "UUID"}},
		"fillable without a password":            {only(fiberjwt.Entity[User]{Password: "-", Fillable: []string{"nick"}}), []string{"Config.Entities[0]", "Fillable", `Password "-"`}},
		"a name in capitals":                     {only(fiberjwt.Entity[User]{Name: "Users"}), []string{"Config.Entities[0]", "Name", `"Users"`}},
		"a name that is a path":                  {only(fiberjwt.Entity[User]{Name: "a/b"}), []string{"Name", `"a/b"`}},
		"a name with a parameter":                {only(fiberjwt.Entity[User]{Name: ":id"}), []string{"Name", `":id"`}},
		"a name with a line break":               {only(fiberjwt.Entity[User]{Name: "a\r\nb"}), []string{"Name"}},
		"a name with a semicolon":                {only(fiberjwt.Entity[User]{Name: "a;b"}), []string{"Name"}},
		"a name beyond ASCII":                    {only(fiberjwt.Entity[User]{Name: "schüler"}), []string{"Name"}},
		"a name with a number":                   {only(fiberjwt.Entity[User]{Name: "1st"}), []string{"Name"}},
		"a name that is too long":                {only(fiberjwt.Entity[User]{Name: strings.Repeat("a", 33)}), []string{"Name"}},
		"cookies of two kinds meet": {func(cfg *fiberjwt.Config) {
			cfg.Cookie.Insecure = true
			cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Teacher]{Name: "users-refresh", Identity: "login"})
		}, []string{"users-refresh"}},
		"access for a week":              {only(fiberjwt.Entity[User]{AccessTTL: 7 * 24 * time.Hour}), []string{"Config.Entities[0]", "AccessTTL", "24 h"}},
		"access for a millisecond":       {only(fiberjwt.Entity[User]{AccessTTL: time.Millisecond}), []string{"AccessTTL"}},
		"access for a negative time":     {only(fiberjwt.Entity[User]{AccessTTL: -time.Minute}), []string{"AccessTTL"}},
		"idle before access":             {only(fiberjwt.Entity[User]{IdleTTL: time.Minute}), []string{"IdleTTL", "AccessTTL"}},
		"the end before idleness":        {only(fiberjwt.Entity[User]{SessionTTL: time.Hour}), []string{"SessionTTL: 1h0m0s", "set SessionTTL to 336h0m0s or more, or IdleTTL to 1h0m0s or less"}},
		"a default before idleness":      {only(fiberjwt.Entity[User]{IdleTTL: 100 * 24 * time.Hour}), []string{"SessionTTL: the default of 90 days", "set SessionTTL to 2400h0m0s or more"}},
		"a leeway of minutes":            {func(cfg *fiberjwt.Config) { cfg.Leeway = 2 * time.Minute }, []string{"Config.Leeway"}},
		"deadlines above the feed":       {func(cfg *fiberjwt.Config) { cfg.CacheTTL, cfg.WriteTimeout = time.Minute, 3*time.Minute }, []string{"Config.ReadTimeout", "Config.CacheTTL"}},
		"a leeway below zero":            {func(cfg *fiberjwt.Config) { cfg.Leeway = -1 }, []string{"Config.Leeway"}},
		"a write timeout without a unit": {func(cfg *fiberjwt.Config) { cfg.WriteTimeout = 5 }, []string{"Config.WriteTimeout: 5ns", "time.Second"}},
		"a refresh timeout of 10 ns":     {func(cfg *fiberjwt.Config) { cfg.Refresh.Timeout = 10 }, []string{"Config.Refresh.Timeout: 10ns", "time.Second"}},
		"a rearm of years":               {func(cfg *fiberjwt.Config) { cfg.Refresh.Rearm = 1<<63 - 1 }, []string{"Config.Refresh.Rearm", "more than a day"}},
		"a read timeout below zero":      {func(cfg *fiberjwt.Config) { cfg.ReadTimeout = -1 }, []string{"Config.ReadTimeout: -1ns", "2 s"}},
		"a write timeout below zero":     {func(cfg *fiberjwt.Config) { cfg.WriteTimeout = -1 }, []string{"Config.WriteTimeout: -1ns", "5 s"}},
		"an empty audience":              {func(cfg *fiberjwt.Config) { cfg.Audience = []string{"shop", ""} }, []string{"Config.Audience", "remove it"}},
		"a claim without a name":         {func(cfg *fiberjwt.Config) { cfg.RequiredClaims = []string{"scope", ""} }, []string{"Config.RequiredClaims"}},
		"a store without entities":       {func(cfg *fiberjwt.Config) { cfg.DB, cfg.Entities, cfg.Store = nil, nil, struct{ session.Store }{} }, []string{"Config.Store"}},
		"a cache without entities":       {func(cfg *fiberjwt.Config) { cfg.DB, cfg.Entities, cfg.CacheTTL = nil, nil, time.Minute }, []string{"CacheTTL"}},
		"a store that is nil":            {func(cfg *fiberjwt.Config) { cfg.Store = (*session.SQL)(nil) }, []string{"Config.Store"}},
		"an unknown transport":           {func(cfg *fiberjwt.Config) { cfg.Transports = []fiberjwt.Transport{"body", "pigeon"} }, []string{"Config.Transports[1]", `"pigeon"`}},
		"a namespace of two words":       {func(cfg *fiberjwt.Config) { cfg.Cookie.Namespace = "my shop" }, []string{"Config.Cookie.Namespace", `"my shop"`}},
		"a namespace with a tilde":       {func(cfg *fiberjwt.Config) { cfg.Cookie.Namespace = "shop~" }, []string{"Config.Cookie.Namespace"}},
		"a namespace that is long":       {func(cfg *fiberjwt.Config) { cfg.Cookie.Namespace = strings.Repeat("x", 33) }, []string{"Config.Cookie.Namespace"}},
		"a cookie path of a word":        {func(cfg *fiberjwt.Config) { cfg.Cookie.Path = "auth" }, []string{"Config.Cookie.Path", `"auth"`}},
		"routes with a parameter":        {func(cfg *fiberjwt.Config) { cfg.Routes = app.Group("/:tenant") }, []string{"Config.Routes", "/:tenant", "Config.Cookie.Path"}},
		"an origin with a path":          {func(cfg *fiberjwt.Config) { cfg.TrustedOrigins = []string{trusted, trusted + "/"} }, []string{"Config.TrustedOrigins[1]"}},
		"public without a path":          {func(cfg *fiberjwt.Config) { cfg.Public = []string{"GET"} }, []string{"Config.Public[0]", `"GET"`}},
		"public without a method":        {func(cfg *fiberjwt.Config) { cfg.Public = []string{"GET /", "/open"} }, []string{"Config.Public[1]", `"/open"`}},
		"public in lower case":           {func(cfg *fiberjwt.Config) { cfg.Public = []string{"get /open"} }, []string{"Config.Public[0]"}},
		"public to any method":           {func(cfg *fiberjwt.Config) { cfg.Public = []string{"* /open"} }, []string{"Config.Public[0]"}},
		"public with two blanks":         {func(cfg *fiberjwt.Config) { cfg.Public = []string{"GET  /open"} }, []string{"Config.Public[0]"}},
		"an empty extractor":             {func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.Chain(fiberjwt.Extractor{}) }, []string{"Config.Extractor"}},
		"a header without a name":        {func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromHeader("") }, []string{"Config.Extractor"}},
		"a cookie of two words":          {func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromCookie("a b") }, []string{"Config.Extractor"}},
		"a client without a cookie extractor": {func(cfg *fiberjwt.Config) {
			cfg.ServeClient, cfg.Extractor = true, fiberjwt.FromAuthHeader("Bearer")
		}, []string{"Config.ServeClient", `add FromCookie("")`}},
		"sliding without a cookie extractor": {func(cfg *fiberjwt.Config) {
			cfg.Cookie.Sliding, cfg.Extractor = true, fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie("other"))
		}, []string{"Config.Cookie.Sliding", `add FromCookie("")`}},
		"a custom extractor without a function": {func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromCustom("x", nil) }, []string{"Config.Extractor"}},
		"a grace too short":                     {func(cfg *fiberjwt.Config) { cfg.Refresh.Grace = time.Second }, []string{"Config.Refresh.Grace"}},
		"a rearm too short":                     {func(cfg *fiberjwt.Config) { cfg.Refresh.Rearm = 31 * time.Second }, []string{"Config.Refresh.Rearm"}},
		"a write that outlives its client":      {func(cfg *fiberjwt.Config) { cfg.WriteTimeout = 10 * time.Minute }, []string{"Config.WriteTimeout: 10m0s", "Refresh.Rearm, 1m0s", "5 s"}},
		"a read that outlives its client":       {func(cfg *fiberjwt.Config) { cfg.ReadTimeout = 61 * time.Second }, []string{"Config.ReadTimeout: 1m1s", "Refresh.Rearm, 1m0s", "2 s"}},
		"a refresh of a century":                {func(cfg *fiberjwt.Config) { cfg.Refresh.Timeout = 1 << 62 }, []string{"Config.Refresh.Timeout", "1 h"}},
		"a grace of a century":                  {func(cfg *fiberjwt.Config) { cfg.Refresh.Grace = math.MaxInt64 }, []string{"Config.Refresh.Rearm"}},
		"a rearm of a century":                  {func(cfg *fiberjwt.Config) { cfg.Refresh.Rearm = math.MaxInt64 }, []string{"IdleTTL"}},
		"cheap passwords":                       {func(cfg *fiberjwt.Config) { cfg.Password.Memory = 64 }, []string{"Config.Password.Memory"}},
		"passwords of 4 characters":             {func(cfg *fiberjwt.Config) { cfg.Password.MinLength = 4 }, []string{"Config.Password.MinLength"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			test.change(&cfg)
			auth, err := openRecovering(cfg)
			require.Nil(t, auth)
			require.Error(t, err)
			require.True(t, strings.HasPrefix(err.Error(), "fiberjwt: "), err.Error())
			problemsOf(t, err)
			require.NotContains(t, err.Error(), testSecret)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			require.PanicsWithError(t, err.Error(), func() { fiberjwt.New(cfg) })
		})
	}
	_, err := fiberjwt.Open(goodConfig(t))
	require.NoError(t, err)
}

// openRecovering is Open, but turns a panic into an error.
func openRecovering(cfg fiberjwt.Config) (auth *fiberjwt.Auth, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("Open panicked: %v", p)
		}
	}()
	return fiberjwt.Open(cfg)
}

func TestOpenReportsAllProblemsInOneError(t *testing.T) {
	app := fiber.New()
	_, err := fiberjwt.Open(fiberjwt.Config{
		DB:     goodConfig(t).DB,
		Secret: []byte("short"),
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Identity: "mail", Password: "hash", Fillable: []string{"id", "nick"}, AccessTTL: 48 * time.Hour, Name: "The Users"},
			fiberjwt.Entity[Teacher]{},
			nil,
		},
		Routes:         app.Group("/auth"),
		Transports:     []fiberjwt.Transport{"pigeon"},
		TrustedOrigins: []string{"*"},
		Public:         []string{"everything"},
		Leeway:         time.Hour,
		Cookie:         fiberjwt.Cookie{Path: "x"},
		Refresh:        fiberjwt.Refresh{Grace: 1},
		Password:       fiberjwt.Password{MinLength: 1},
	})
	require.Error(t, err)
	for _, want := range []string{
		"Config.Secret", "Entities[0] (User, table users): Name", "Entities[0] (User, table users): Identity", "Entities[0] (User, table users): Password",
		"Fillable[0]", "Fillable[1]", "AccessTTL", "Entities[1] (Teacher, table teachers): Identity", "Config.Entities[2]", "Config.Transports[0]",
		"Config.TrustedOrigins[0]", "Config.Public[0]", "Config.Leeway", "Config.Cookie.Path", "Config.Refresh.Grace", "Config.Password.MinLength",
	} {
		require.ErrorContains(t, err, want)
	}
	lines := strings.Split(err.Error(), "\n")
	require.Contains(t, lines[0], fmt.Sprintf("%d problems", len(lines)-1))
	slices.Sort(lines)
	require.Len(t, slices.Compact(lines), strings.Count(err.Error(), "\n")+1, "the error names a mistake twice")
	for _, routes := range app.Stack() {
		for _, route := range routes {
			require.NotContains(t, route.Path, "login", "Open mounted routes although it refused the Config")
		}
	}
}

func TestOpenDoesNoIO(t *testing.T) {
	watched := &queries{}
	cfg := goodConfig(t)
	watched.watch(&cfg)
	app := fiber.New()
	cfg.Routes = app.Group("/auth")
	_, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	require.Zero(t, watched.reset())

	require.NoError(t, cfg.DB.Close())
	cfg.Routes = nil
	_, err = fiberjwt.Open(cfg)
	require.NoError(t, err)
}

func TestNewWorksAsFiberMiddleware(t *testing.T) {
	cfg := goodConfig(t)
	app := fiber.New()
	cfg.Routes = app.Group("/auth")
	app.Use(fiberjwt.New(cfg))
	app.Get("/", func(c fiber.Ctx) error { return c.SendString("in") })
	w := &world{t: t, app: app}
	requireRefusal(t, w.do("GET", "/", ""), 401, "no_token")
	requireRefusal(t, w.do("POST", "/auth/users/login", "{}"), 422, "invalid_fields")
}

func TestConfigChangesAfterOpenHaveNoEffect(t *testing.T) {
	var mine fiberjwt.Config
	secret := []byte(testSecret)
	fillable := []string{"full_name"}
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Secret = secret
		cfg.Entities = []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Fillable: fillable},
			fiberjwt.Entity[Teacher]{Identity: "login"},
		}
		cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportBody}
		cfg.TrustedOrigins = []string{trusted}
		mine = *cfg
	})
	w.addUser("ann@example.com")
	before := w.enter("users", 1)

	for i := range secret {
		secret[i] = 'x'
	}
	fillable[0] = "admin"
	mine.Entities[0], mine.Entities[1] = fiberjwt.Entity[Member]{}, nil
	mine.Transports[0] = fiberjwt.TransportCookie
	mine.TrustedOrigins[0] = evilOrigin
	for i := range mine.Public {
		mine.Public[i] = "GET /any"
	}
	require.Equal(t, 200, w.get("/users/me", before.Access).Status)
	after := w.enter("users", 1)
	require.Equal(t, 200, w.get("/users/me", after.Access).Status)
	require.Equal(t, 401, w.do("GET", "/any", "").Status)
	require.Equal(t, 200, w.do("GET", "/open", "").Status)
	require.Equal(t, 403, w.do("POST", "/any", "", "Cookie", userCookie+"="+after.Access, "Sec-Fetch-Site", "cross-site", "Origin", evilOrigin).Status)
	require.Equal(t, 200, w.do("POST", "/any", "", "Cookie", userCookie+"="+after.Access, "Sec-Fetch-Site", "cross-site", "Origin", trusted).Status)
	a := w.do("POST", "/auth/users/register", `{"email":"bob@example.com","password":"`+testPassword+`","full_name":"Bob","admin":true}`)
	require.Equal(t, 201, a.Status, a.Body)
	require.Equal(t, "Bob false", w.text("SELECT full_name || ' ' || CASE admin WHEN 0 THEN 'false' ELSE 'true' END FROM users WHERE id = 2"))

	other := quickWorld(t)
	other.addUser("ann@example.com")
	require.Equal(t, 401, other.get("/users/me", after.Access).Status, "the other database must not have the session")
	require.Equal(t, 200, other.get("/users/me", other.enter("users", 1).Access).Status)
}

func TestTwoInstancesInOneProcessAreIsolated(t *testing.T) {
	one, two := quickWorld(t), quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Secret = []byte("Zt3eB8uK1qW6xN0vC9aS2dF5gH7jL4mP") })
	one.addUser("ann@example.com")
	two.addUser("bob@example.com")
	ann, bob := one.enter("users", 1), two.enter("users", 1)
	require.Equal(t, 200, one.get("/users/me", ann.Access).Status)
	require.Equal(t, 401, one.get("/users/me", bob.Access).Status)
	require.Equal(t, 401, two.get("/users/me", ann.Access).Status)
	requireRefusal(t, two.refresh("users", ann.Refresh), 401, "session_ended")
}

// Models whose JSON shows the hash, and models whose JSON hides it.
type (
	Untagged struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string
	}
	Renamed struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"pw,omitempty"`
	}
	Dashed struct {
		ID    int64 `bun:",pk"`
		Email string
		//lint:ignore SA5008 the mistake is what is tested: a member that is called "-"
		PasswordHash string `json:"-,"`
	}
	secretPart struct {
		PasswordHash string
	}
	Embedding struct {
		ID    int64 `bun:",pk"`
		Email string
		secretPart
	}
	Wrapping struct {
		ID    int64 `bun:",pk"`
		Email string
		Part  SecretPart `bun:"embed:"`
	}
	SecretPart struct {
		PasswordHash string
	}
	ByValue struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	ByPointer struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	Escaping struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	HidesByPointer struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string
	}
	HidesByValue struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string
	}
	HidesEmbedded struct {
		ID    int64 `bun:",pk"`
		Email string
		HiddenPart
	}
	HiddenPart struct {
		PasswordHash string `json:"-"`
	}
)

func (m ByValue) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"id": m.ID, "hash": m.PasswordHash})
}

func (m *ByPointer) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"id": m.ID, "hash": m.PasswordHash})
}

func (m Escaping) MarshalJSON() ([]byte, error) {
	return json.Marshal("hash:" + m.PasswordHash)
}

func (m *HidesByPointer) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"id": m.ID})
}

func (m HidesByValue) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]any{"id": m.ID}) }

func TestModelExposingHashInJSONIsRejected(t *testing.T) {
	for name, kind := range map[string]fiberjwt.AnyEntity{
		"no tag":                        fiberjwt.Entity[Untagged]{},
		"another name":                  fiberjwt.Entity[Renamed]{},
		"a dash that is a name":         fiberjwt.Entity[Dashed]{},
		"an embedded part":              fiberjwt.Entity[Embedding]{},
		"a struct inside":               fiberjwt.Entity[Wrapping]{},
		"MarshalJSON of values":         fiberjwt.Entity[ByValue]{},
		"MarshalJSON of pointers":       fiberjwt.Entity[ByPointer]{},
		"MarshalJSON of a text":         fiberjwt.Entity[Escaping]{},
		"hidden of pointers only":       fiberjwt.Entity[HidesByPointer]{}, // c.JSON(*user) shows it
		"a model with another password": fiberjwt.Entity[User]{Password: "full_name"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.Entities = []fiberjwt.AnyEntity{kind}
			_, err := openRecovering(cfg)
			require.ErrorContains(t, err, "JSON")
			require.ErrorContains(t, err, `json:"-"`)
		})
	}
	for name, kind := range map[string]fiberjwt.AnyEntity{
		"a tag":                     fiberjwt.Entity[User]{},
		"a tag on an embedded part": fiberjwt.Entity[HidesEmbedded]{},
		"MarshalJSON":               fiberjwt.Entity[HidesByValue]{},
		"no password at all":        fiberjwt.Entity[Untagged]{Password: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.Entities = []fiberjwt.AnyEntity{kind}
			_, err := fiberjwt.Open(cfg)
			require.NoError(t, err)
		})
	}
}

// The file of a secret often ends with a newline.
func TestUntrimmedSecretIsAllowedOnlyAsOldSecret(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	for _, secret := range []string{testSecret + "\n", " " + testSecret} {
		_, err := fiberjwt.Open(fiberjwt.Config{DB: w.db, Secret: []byte(secret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}})
		require.ErrorContains(t, err, "Config.Secret begins or ends with white space")
		_, err = fiberjwt.Open(fiberjwt.Config{
			DB: w.db, Secret: []byte(testSecret), OldSecrets: []keys.Secret{[]byte(secret)}, Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
		})
		require.NoError(t, err)
	}
	_, err := fiberjwt.Open(fiberjwt.Config{
		DB: w.db, Secret: []byte(testSecret), OldSecrets: []keys.Secret{[]byte("your-256-bit-secret-your-256-bit\n")}, Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
	})
	require.ErrorContains(t, err, "Config.OldSecrets[0]")
}

func TestOpenRefusesTooShortIdleTTL(t *testing.T) {
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
			cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{AccessTTL: test.access, IdleTTL: test.least - time.Second}}
			_, err := fiberjwt.Open(cfg)
			require.ErrorContains(t, err, "IdleTTL")
			require.ErrorContains(t, err, test.least.String())
			cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{AccessTTL: test.access, IdleTTL: test.least}}
			_, err = fiberjwt.Open(cfg)
			require.NoError(t, err)
		})
	}
}

func TestOpenRefusesEmptyExtractorChain(t *testing.T) {
	for name, extractor := range map[string]fiberjwt.Extractor{
		"a chain of nothing":       fiberjwt.Chain(),
		"of a slice that is empty": fiberjwt.Chain([]fiberjwt.Extractor{}...),
		"as a link of a chain":     fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.Chain()),
		"a chain of empty chains":  fiberjwt.Chain(fiberjwt.Chain(fiberjwt.Chain())),
	} {
		cfg := goodConfig(t)
		cfg.Extractor = extractor
		_, err := fiberjwt.Open(cfg)
		require.ErrorContains(t, err, "Config.Extractor", name)
	}
}
