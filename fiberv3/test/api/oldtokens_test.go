// Code generated from ../../../test/api/oldtokens_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// oldSecret is shorter than a new secret may be.
const oldSecret = "DEBUG"

// The headers of tokens that PyJWT 1 and PyJWT 2 issue.
const (
	pyJWT1 = `{"typ":"JWT","alg":"HS256"}`
	pyJWT2 = `{"alg":"HS256","typ":"JWT"}`
)

func oldToken(payload string) string {
	return outsider{}.sign([]byte(oldSecret), pyJWT2, payload)
}

// newMovedWorld has ann as user 1 and tea as teacher 1, and accepts old tokens for
// 30 days.
func newMovedWorld(t *testing.T, old legacy.Tokens, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	w := newWorld(t, append(configure, func(cfg *fiberjwt.Config) {
		if old.Secret == nil {
			old.Secret = []byte(oldSecret)
		}
		old.Until = cfg.Now().Add(30 * 24 * time.Hour)
		cfg.OldTokens = old
	})...)
	w.register("users", "ann@example.com")
	w.register("teachers", "tea")
	return w
}

// unixIn returns the Unix time of the world's clock after d.
func (w *world) unixIn(d time.Duration) int64 { return w.clock.Now().Add(d).Unix() }

func TestOldTokensOfOtherLibrariesSignIn(t *testing.T) {
	for name, test := range map[string]struct {
		old     legacy.Tokens
		header  string
		payload string
		want    string
	}{
		"Flask-JWT-Router":                {legacy.Tokens{}, pyJWT1, `{"table_name":"users","id":1,"exp":%d}`, "users:1"},
		"Flask-JWT-Router, another model": {legacy.Tokens{}, pyJWT2, `{"table_name":"teachers","id":1,"exp":%d}`, "teachers:1"},
		"Flask-JWT":                       {legacy.Tokens{Kind: "users", Claim: "identity"}, pyJWT1, `{"identity":1,"iat":1000,"nbf":1000,"exp":%d}`, "users:1"},
		"Flask-JWT-Extended 3":            {legacy.Tokens{Kind: "users", Claim: "identity"}, pyJWT1, `{"iat":1000,"nbf":1000,"jti":"x","identity":1,"fresh":true,"type":"access","user_claims":{},"exp":%d}`, "users:1"},
		"gin-jwt":                         {legacy.Tokens{Kind: "users", Claim: "identity"}, pyJWT2, `{"exp":%d,"identity":"1","orig_iat":1000}`, "users:1"},
		"table_name beside a Kind":        {legacy.Tokens{Kind: "teachers", Claim: "id"}, pyJWT1, `{"table_name":"teachers","id":1,"exp":%d}`, "teachers:1"},
		"APILoginManager":                 {legacy.Tokens{Kind: "users", Claim: "user_id"}, pyJWT2, `{"user_id":"1","iat":1000,"exp":%d}`, "users:1"},
		"flask-jwtlogin":                  {legacy.Tokens{Kind: "teachers"}, pyJWT2, `{"sub":1,"iat":1000,"exp":%d}`, "teachers:1"},
		"Flask-JWT-Extended":              {legacy.Tokens{Kind: "users"}, pyJWT2, `{"fresh":true,"iat":1000,"jti":"x","type":"access","sub":"1","nbf":1000,"csrf":"y","exp":%d}`, "users:1"},
		"no typ in the header":            {legacy.Tokens{Kind: "users"}, `{"alg":"HS256"}`, `{"sub":"1","exp":%d}`, "users:1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newMovedWorld(t, test.old)
			token := outsider{}.sign([]byte(oldSecret), test.header, fmt.Sprintf(test.payload, w.unixIn(time.Hour)))
			a := w.get("/any", token)
			require.Equal(t, 200, a.Status, a.Body)
			require.Equal(t, test.want, a.Body)
		})
	}
}

func TestInvalidOldTokensAreRefused(t *testing.T) {
	good := `{"sub":"1","exp":%d}`
	for name, test := range map[string]struct{ key, header, payload string }{
		"another secret":            {"DEBUg", pyJWT2, good},
		"the new secret":            {testSecret, pyJWT2, good},
		"alg none":                  {oldSecret, `{"alg":"none","typ":"JWT"}`, good},
		"another algorithm":         {oldSecret, `{"alg":"HS512","typ":"JWT"}`, good},
		"another typ":               {oldSecret, `{"alg":"HS256","typ":"at+jwt"}`, good},
		"crit":                      {oldSecret, `{"alg":"HS256","typ":"JWT","crit":["exp"]}`, good},
		"alg twice":                 {oldSecret, `{"alg":"none","alg":"HS256"}`, good},
		"alg in capitals":           {oldSecret, `{"ALG":"HS256","typ":"JWT"}`, good},
		"no exp":                    {oldSecret, pyJWT2, `{"sub":"1","iat":%d}`},
		"exp twice":                 {oldSecret, pyJWT2, `{"sub":"1","exp":1,"exp":%d}`},
		"exp as text":               {oldSecret, pyJWT2, `{"sub":"1","exp":"%d"}`},
		"no key":                    {oldSecret, pyJWT2, `{"identity":"1","exp":%d}`},
		"the key twice":             {oldSecret, pyJWT2, `{"sub":"1","sub":"2","exp":%d}`},
		"a key with a leading zero": {oldSecret, pyJWT2, `{"sub":"01","exp":%d}`},
		"a key with a fraction":     {oldSecret, pyJWT2, `{"sub":1.0,"exp":%d}`},
		"a key that is true":        {oldSecret, pyJWT2, `{"sub":true,"exp":%d}`},
		"a key that is null":        {oldSecret, pyJWT2, `{"sub":null,"exp":%d}`},
		"a key in an object":        {oldSecret, pyJWT2, `{"sub":{"id":1},"exp":%d}`},
		"an unknown account":        {oldSecret, pyJWT2, `{"sub":"7","exp":%d}`},
		"a refresh token":           {oldSecret, pyJWT2, `{"sub":"1","type":"refresh","exp":%d}`},
		"a token for a reset":       {oldSecret, pyJWT2, `{"sub":"1","type":"reset_password","exp":%d}`},
		"issued in the future":      {oldSecret, pyJWT2, `{"sub":"1","iat":9000000000,"exp":%d}`},
		"nbf in the future":         {oldSecret, pyJWT2, `{"sub":"1","nbf":9000000000,"exp":%d}`},
		"an array":                  {oldSecret, pyJWT2, `[%d]`},
		"another table_name":        {oldSecret, pyJWT2, `{"table_name":"teachers","sub":"1","exp":%d}`},
		"a table_name that is 7":    {oldSecret, pyJWT2, `{"table_name":7,"sub":"1","exp":%d}`},
		"trailing data":             {oldSecret, pyJWT2, `{"sub":"1","exp":%d}{}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newMovedWorld(t, legacy.Tokens{Kind: "users"})
			token := outsider{}.sign([]byte(test.key), test.header, fmt.Sprintf(test.payload, w.unixIn(time.Hour)))
			a := w.get("/any", token)
			require.Equal(t, 401, a.Status, a.Body)
			require.Equal(t, `Bearer error="invalid_token"`, a.Header.Get("WWW-Authenticate"))
			require.NotContains(t, w.log.String(), "level=ERROR")
		})
	}
}

func TestOldTokenOfUnknownTableIsRefused(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{})
	for _, payload := range []string{`{"id":1,"exp":%d}`, `{"table_name":"pupils","id":1,"exp":%d}`, `{"table_name":7,"id":1,"exp":%d}`, `{"table_name":"","id":1,"exp":%d}`} {
		require.Equal(t, 401, w.get("/any", oldToken(fmt.Sprintf(payload, w.unixIn(time.Hour)))).Status, payload)
	}
}

func TestOldTokensExpireAtExpAndAtUntil(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{Kind: "users"})
	short := oldToken(fmt.Sprintf(`{"sub":"1","exp":%d}`, w.unixIn(time.Hour)))
	long := oldToken(fmt.Sprintf(`{"sub":"1","exp":%d}`, w.unixIn(365*24*time.Hour)))
	require.Equal(t, 200, w.get("/any", short).Status)
	w.clock.Advance(time.Hour + 5*time.Second)
	require.Equal(t, 401, w.get("/any", short).Status)
	w.clock.Advance(29 * 24 * time.Hour)
	require.Equal(t, 200, w.get("/any", long).Status)
	w.clock.Advance(24 * time.Hour)
	require.Equal(t, 401, w.get("/any", long).Status, "Until must count although exp is later")
}

func TestOldTokenObeysGuardsAndAllow(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{Kind: "users"}, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(_ context.Context, u *User) error {
			if u.Disabled {
				return errors.New("disabled")
			}
			return nil
		}}
	})
	token := oldToken(fmt.Sprintf(`{"sub":"1","fresh":true,"role":"editor","exp":%d}`, w.unixIn(time.Hour)))
	require.Equal(t, "ann@example.com", w.get("/users/me", token).JSON(t)["email"])
	require.Equal(t, 403, w.get("/teachers/me", token).Status)
	require.Equal(t, "insufficient_user_authentication", w.get("/fresh", token).Code(t))
	require.Equal(t, "session_ended", w.refresh("users", token).Code(t))
	s, err := w.auth.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Empty(t, s.ID)
	var role string
	require.True(t, s.Claim("role", &role))
	require.Equal(t, "editor", role)

	_, err = w.db.NewUpdate().Model((*User)(nil)).Set("disabled = ?", true).Where("id = 1").Exec(t.Context())
	require.NoError(t, err)
	require.Equal(t, 401, w.get("/any", token).Status)
	require.NoError(t, w.db.Close())
	require.Equal(t, 503, w.get("/any", token).Status)
}

func TestLoginExchangesOldTokenForSession(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{Kind: "users"})
	w.app.Post("/exchange", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		tokens, err := fiberjwt.Login(c, u)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	}))
	old := oldToken(fmt.Sprintf(`{"sub":"1","exp":%d}`, w.unixIn(time.Hour)))
	a := w.do("POST", "/exchange", "", "Authorization", "Bearer "+old)
	require.Equal(t, 200, a.Status, a.Body)
	exchanged := w.tokensOf(a)
	require.Equal(t, "users:1", w.get("/any", exchanged.Access).Body)
	require.Equal(t, 401, w.get("/fresh", exchanged.Access).Status, "the exchange of a token must not count as a sign-in")
	again := w.refresh("users", exchanged.Refresh)
	require.Equal(t, 200, again.Status)
	require.Equal(t, 401, w.get("/fresh", w.tokensOf(again).Access).Status)
	require.Equal(t, 200, w.get("/fresh", w.login("users", "ann@example.com").Access).Status)
}

// Only a login of the old token's account is an exchange of that token.
func TestLoginOfAnotherAccountIsFreshDespiteOldToken(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{Kind: "users"})
	w.register("users", "bob@example.com")
	w.app.Post("/link", func(c fiber.Ctx) error {
		bob := &User{ID: 2}
		if err := w.db.NewSelect().Model(bob).WherePK().Scan(c.Context()); err != nil {
			return err
		}
		tokens, err := fiberjwt.Login(c, bob)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})
	old := oldToken(fmt.Sprintf(`{"sub":"1","exp":%d}`, w.unixIn(time.Hour)))
	a := w.do("POST", "/link", "", "Authorization", "Bearer "+old)
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, 200, w.get("/fresh", w.tokensOf(a).Access).Status)
}

func TestOldTokensNeedTheRequiredClaims(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{Kind: "users"}, func(cfg *fiberjwt.Config) {
		cfg.RequiredClaims = []string{"tenant"}
		tenant := map[string]any{"tenant": "a"}
		cfg.Entities = []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Claims: func(*User) map[string]any { return tenant }},
			fiberjwt.Entity[Teacher]{Identity: "login", Register: fiberjwt.Anyone[Teacher], Claims: func(*Teacher) map[string]any { return tenant }},
		}
	})
	require.Equal(t, 200, w.get("/any", oldToken(fmt.Sprintf(`{"sub":"1","tenant":"a","exp":%d}`, w.unixIn(time.Hour)))).Status)
	for _, without := range []string{``, `"tenant":null,`} {
		require.Equal(t, 401, w.get("/any", oldToken(fmt.Sprintf(`{"sub":"1",%s"exp":%d}`, without, w.unixIn(time.Hour)))).Status)
	}
}

func TestOldTokensAreRefusedByDefault(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	for _, key := range []string{oldSecret, testSecret, ""} {
		token := outsider{}.sign([]byte(key), pyJWT2, fmt.Sprintf(`{"sub":"1","table_name":"users","id":1,"exp":%d}`, w.unixIn(time.Hour)))
		require.Equal(t, "invalid_token", w.get("/any", token).Code(t))
	}
}

func TestOpenRefusesInvalidOldTokensSettings(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for want, old := range map[string]legacy.Tokens{
		"Config.OldTokens.Until is more than a year":     {Secret: []byte(oldSecret), Until: time.Now().AddDate(2, 0, 0)},
		"Config.OldTokens.Until is missing":              {Secret: []byte(oldSecret)},
		"Config.OldTokens.Secret is empty":               {Until: later},
		"Config.OldTokens.Secret is Config.Secret":       {Secret: []byte(testSecret), Until: later},
		"Config.OldTokens.Secret is a key in PEM":        {Secret: []byte("\n-----BEGIN PUBLIC KEY-----"), Until: later},
		"Config.OldTokens.Column: the model has no":      {Secret: []byte(oldSecret), Until: later, Kind: "users", Column: "username"},
		`OldTokens.Column: the column "id" is a int64`:   {Secret: []byte(oldSecret), Until: later, Kind: "users", Column: "id"},
		"Config.OldTokens.Kind is missing":               {Secret: []byte(oldSecret), Until: later, Column: "email"},
		`no kind "pupils": name one of the kinds: users`: {Secret: []byte(oldSecret), Until: later, Kind: "pupils"},
	} {
		_, err := fiberjwt.Open(fiberjwt.Config{
			DB: newDB(t), Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}, OldTokens: old,
		})
		require.ErrorContains(t, err, want)
		problemsOf(t, err)
		require.NotContains(t, strings.ReplaceAll(err.Error(), "OldTokens", ""), oldSecret)
	}
	_, err := fiberjwt.Open(fiberjwt.Config{
		DB: newDB(t), Secret: []byte(testSecret), OldSecrets: []keys.Secret{[]byte("m2X8pQ5vB1zN7cK4jH9sD6gF3wR0tY2e")},
		Entities:  []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}},
		OldTokens: legacy.Tokens{Secret: []byte("m2X8pQ5vB1zN7cK4jH9sD6gF3wR0tY2e"), Until: later},
	})
	require.ErrorContains(t, err, "or one of OldSecrets")
	_, err = fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), OldTokens: legacy.Tokens{Secret: []byte(oldSecret), Until: later}})
	require.ErrorContains(t, err, "Config.OldTokens needs DB and Entities")
}

// FuzzOldClaims verifies arbitrary claims that are signed by the old secret.
func FuzzOldClaims(f *testing.F) {
	var queries queryCounter
	w, _ := newFuzzWorld(f, &queries)
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: w.db, Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}, Now: w.clock.Now, ReadTimeout: patience, WriteTimeout: patience,
		OldTokens: legacy.Tokens{Secret: []byte(oldSecret), Until: w.clock.Now().Add(time.Hour)},
	})
	require.NoError(f, err)
	f.Add(pyJWT2, fmt.Sprintf(`{"table_name":"users","id":1,"exp":%d}`, w.unixIn(time.Minute)))
	f.Add(pyJWT1, `{"table_name":"users","id":-1,"exp":99999999999}`)
	f.Add(`{"alg":"HS256"`, `{`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		s, err := auth.Verify(t.Context(), outsider{}.sign([]byte(oldSecret), header, payload))
		if err == nil {
			require.Equal(t, "1", s.Subject)
			require.EqualValues(t, 1, s.Account.(*User).ID)
			require.True(t, s.ExpiresAt.After(w.clock.Now().Add(-6*time.Second)))
			return
		}
		require.NotErrorIs(t, err, fiberjwt.ErrSetup)
		require.NotErrorIs(t, err, fiberjwt.ErrUnavailable)
	})
}

// In the first example of Flask-JWT-Extended, the subject is the name of the user.
func TestOldTokenCanNameAccountByColumn(t *testing.T) {
	byEmail := legacy.Tokens{Kind: "users", Column: "email"}
	token := func(w *world, sub string) string {
		return oldToken(fmt.Sprintf(`{"fresh":false,"iat":1000,"jti":"x","type":"access","sub":%s,"nbf":1000,"csrf":"y","exp":%d}`, sub, w.unixIn(time.Hour)))
	}
	for name, fold := range map[string]bool{"a case-sensitive column": false, "a case-insensitive column": true} {
		t.Run(name, func(t *testing.T) {
			w := newMovedWorld(t, byEmail)
			if fold {
				w.sql(`ALTER TABLE users RENAME TO was`, `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE COLLATE NOCASE, full_name TEXT, admin BOOL, disabled BOOL, password_hash TEXT)`,
					`INSERT INTO users SELECT id, email, full_name, admin, disabled, password_hash FROM was`)
			}
			a := w.get("/any", token(w, `"ann@example.com"`))
			require.Equal(t, 200, a.Status, a.Body)
			require.Equal(t, "users:1", a.Body, "the subject must be the primary key")
			w.add(&[]User{{Email: "1", PasswordHash: hashOfTestPassword}, {PasswordHash: hashOfTestPassword}})
			for _, sub := range []string{`"Ann@example.com"`, `"ann@example.com "`, `"bob@example.com"`, `1`, `2`, `""`, `"\u0000"`, `"ann@example.com\u0000"`, `null`, `["ann@example.com"]`} {
				require.Equal(t, 401, w.get("/any", token(w, sub)).Status, sub)
			}
		})
	}
}

func TestOldTokenOfAmbiguousNameIsServerError(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{Kind: "users", Column: "full_name"})
	w.sql(`UPDATE users SET full_name = 'Ann'`)
	token := oldToken(fmt.Sprintf(`{"sub":"Ann","exp":%d}`, w.unixIn(time.Hour)))
	require.Equal(t, 200, w.get("/any", token).Status)
	w.add(&User{Email: "other@example.com", FullName: "Ann", PasswordHash: hashOfTestPassword})
	require.Equal(t, 500, w.get("/any", token).Status)
	require.Contains(t, w.log.String(), "several accounts of kind users have the same full_name")
}

// A column that is unique only together with another may contain a name twice.
func TestOldTokenOfNameAmbiguousAcrossGroupsIsServerError(t *testing.T) {
	w := newWalkerWorld(t, func(cfg *fiberjwt.Config) {
		cfg.OldTokens = legacy.Tokens{Secret: []byte(oldSecret), Until: cfg.Now().Add(24 * time.Hour), Kind: "walkers", Column: "provider"}
	})
	token := oldToken(fmt.Sprintf(`{"sub":"ann","exp":%d}`, w.unixIn(time.Hour)))
	w.walker("ann")
	require.Equal(t, 200, w.get("/auth/walkers/me", token).Status)
	w.sql(`INSERT INTO walkers (provider, number, name) VALUES ('ann', 7, 'bob')`)
	require.Equal(t, 500, w.get("/auth/walkers/me", token).Status)
	require.Contains(t, w.log.String(), "several accounts of kind walkers have the same provider")
}

// A case-insensitive column may contain the name in several spellings.
func TestOldTokenMatchesExactSpellingOfName(t *testing.T) {
	w := newMovedWorld(t, legacy.Tokens{Kind: "users", Column: "full_name"})
	w.sql(`DROP TABLE users`, `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT COLLATE NOCASE, admin BOOL, disabled BOOL, password_hash TEXT)`)
	w.add(&[]User{{Email: "1", FullName: "ANN"}, {Email: "2", FullName: "Ann"}, {Email: "3", FullName: "ann"}})
	status := func(name string) string {
		a := w.get("/any", oldToken(fmt.Sprintf(`{"sub":%q,"exp":%d}`, name, w.unixIn(time.Hour))))
		if a.Status != 200 {
			return fmt.Sprint(a.Status)
		}
		return a.Body
	}
	require.Equal(t, []string{"users:1", "users:2", "users:3", "401"}, []string{status("ANN"), status("Ann"), status("ann"), status("aNN")})
	w.add(&User{Email: "4", FullName: "Ann"})
	require.Equal(t, []string{"users:1", "500"}, []string{status("ANN"), status("Ann")})
	for i := range 100 {
		w.add(&User{Email: fmt.Sprint("more ", i), FullName: "aNN"})
	}
	require.Equal(t, "500", status("ann"), "the rows beyond the limit of the query may contain the name again")
}
