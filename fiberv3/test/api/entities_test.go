// Code generated from ../../../test/api/entities_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// UUID is a minimal UUID type, so that the tests need no module for it.
type UUID [16]byte

func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func (u *UUID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	if err != nil || len(b) != 16 {
		return errors.New("not a UUID")
	}
	copy(u[:], b)
	return nil
}

func (u UUID) Value() (driver.Value, error) { return u.String(), nil }

func (u *UUID) Scan(value any) error {
	switch value := value.(type) {
	case string:
		return u.UnmarshalText([]byte(value))
	case []byte:
		return u.UnmarshalText(value)
	}
	return fmt.Errorf("not a UUID: %T", value)
}

// Accounts with keys of several types.
type (
	Int64Key struct {
		bun.BaseModel `bun:"table:accounts"`
		ID            int64  `bun:",pk,autoincrement" json:"id"`
		Email         string `bun:",unique" json:"email"`
		PasswordHash  string `json:"-"`
	}
	Int32Key struct {
		bun.BaseModel `bun:"table:accounts"`
		ID            int32  `bun:",pk,autoincrement" json:"id"`
		Email         string `bun:",unique" json:"email"`
		PasswordHash  string `json:"-"`
	}
	Uint64Key struct {
		bun.BaseModel `bun:"table:accounts"`
		ID            uint64 `bun:",pk,autoincrement" json:"id"`
		Email         string `bun:",unique" json:"email"`
		PasswordHash  string `json:"-"`
	}
	StringKey struct {
		bun.BaseModel `bun:"table:accounts"`
		ID            string `bun:",pk" json:"id"`
		Email         string `bun:",unique" json:"email"`
		PasswordHash  string `json:"-"`
	}
	UUIDKey struct {
		bun.BaseModel `bun:"table:accounts"`
		ID            UUID   `bun:",pk,type:uuid" json:"id"`
		Email         string `bun:",unique" json:"email"`
		PasswordHash  string `json:"-"`
	}
	DefaultKey struct {
		bun.BaseModel `bun:"table:accounts"`
		ID            UUID   `bun:",pk,type:uuid,nullzero,default:'11111111-2222-3333-4444-555555555555'" json:"id"`
		Email         string `bun:",unique" json:"email"`
		PasswordHash  string `json:"-"`
	}
	NameKey struct {
		bun.BaseModel `bun:"table:accounts"`
		Email         string `bun:",pk" json:"id"`
		PasswordHash  string `json:"-"`
	}
	OtherNames struct {
		bun.BaseModel `bun:"table:person_records,alias:p"`
		Number        int64  `bun:"person_no,pk,autoincrement" json:"id"`
		LoginName     string `bun:"login_name,unique" json:"email"`
		Secret        string `bun:"pw" json:"-"`
	}
	InSchema struct {
		bun.BaseModel `bun:"table:main.accounts,alias:acc"`
		ID            int64  `bun:",pk,autoincrement" json:"id"`
		Email         string `bun:",unique" json:"email"`
		PasswordHash  string `json:"-"`
	}
)

// kindWorld is an application with a third kind, "accounts". The statements create its table; without statements, Bun does.
func kindWorld[T any](t *testing.T, entity fiberjwt.Entity[T], statements ...string) *world {
	t.Helper()
	entity.Name = "accounts"
	if entity.Register == nil && entity.Password != "-" {
		entity.Register = fiberjwt.Anyone[T]
	}
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, entity)
		cfg.Public = append(cfg.Public, "POST /door/:id")
	})
	if len(statements) == 0 {
		_, err := w.db.NewCreateTable().Model((*T)(nil)).Exec(t.Context())
		require.NoError(t, err)
	}
	w.sql(statements...)
	return w
}

// registerAccount registers an account of the kind "accounts". It returns its tokens and its primary key as text.
// column is the name of the identity, "email" by default.
func (w *world) registerAccount(identity string, column ...string) (tokens, string) {
	w.t.Helper()
	name := "email"
	if len(column) > 0 {
		name = column[0]
	}
	a := w.do("POST", "/auth/accounts/register", fmt.Sprintf(`{%q:%q,"password":%q}`, name, identity, testPassword))
	require.Equal(w.t, 201, a.Status, "%s %s", a.Body, w.log)
	entity := a.JSON(w.t)["entity"].(map[string]any)
	return w.tokensOf(a), fmt.Sprint(entity["id"])
}

// keyCase is an application whose kind "accounts" has a key of some type.
type keyCase struct {
	world     func(*testing.T) *world
	revokeAll func(w *world, account any) error
}

func keysOfType[T any](entity fiberjwt.Entity[T]) keyCase {
	return keyCase{
		func(t *testing.T) *world { t.Helper(); return kindWorld(t, entity) },
		func(w *world, account any) error { return fiberjwt.RevokeAll(w.t.Context(), w.auth, account.(*T)) },
	}
}

func TestEveryPrimaryKeyTypeSignsInAndOut(t *testing.T) {
	for name, test := range map[string]struct {
		keyCase
		identity string
		column   string
		key      string // a pattern
	}{
		"int64":               {keysOfType(fiberjwt.Entity[Int64Key]{}), "ann@example.com", "email", `^1$`},
		"int32":               {keysOfType(fiberjwt.Entity[Int32Key]{}), "ann@example.com", "email", `^1$`},
		"uint64":              {keysOfType(fiberjwt.Entity[Uint64Key]{}), "ann@example.com", "email", `^1$`},
		"string":              {keysOfType(fiberjwt.Entity[StringKey]{}), "ann@example.com", "email", `^[0-9a-f-]{36}$`},
		"UUID":                {keysOfType(fiberjwt.Entity[UUIDKey]{}), "ann@example.com", "email", `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		"UUID of the table":   {keysOfType(fiberjwt.Entity[DefaultKey]{}), "ann@example.com", "email", `^11111111-2222-3333-4444-555555555555$`},
		"the identity":        {keysOfType(fiberjwt.Entity[NameKey]{}), "ann@example.com", "email", `^ann@example.com$`},
		"other names":         {keysOfType(fiberjwt.Entity[OtherNames]{Identity: "login_name", Password: "pw"}), "ann", "login_name", `^1$`},
		"a table in a schema": {keysOfType(fiberjwt.Entity[InSchema]{}), "ann@example.com", "email", `^1$`},
	} {
		t.Run(name, func(t *testing.T) {
			w := test.world(t)
			pair, key := w.registerAccount(test.identity, test.column)
			require.Regexp(t, test.key, key)
			s, err := w.auth.Verify(t.Context(), pair.Access)
			require.NoError(t, err)
			require.Equal(t, []string{"accounts", key}, []string{s.Kind, s.Subject})

			me := w.get("/auth/accounts/me", pair.Access)
			require.Equal(t, 200, me.Status, me.Body)
			require.Equal(t, key, fmt.Sprint(me.JSON(t)["id"]))
			require.Contains(t, me.Body, test.identity)
			require.Equal(t, 200, w.refresh("accounts", pair.Refresh).Status)
			w.onlySession("accounts", key)

			if name == "other names" || name == "the identity" {
				a := w.do("POST", "/auth/accounts/login", fmt.Sprintf(`{%q:%q,"password":%q}`, test.column, test.identity, testPassword))
				require.Equal(t, 200, a.Status, "%s %s", a.Body, w.log)
			}
			require.NoError(t, test.revokeAll(w, s.Account))
			require.Equal(t, 401, w.get("/auth/accounts/me", pair.Access).Status)
			require.Equal(t, 401, w.refresh("accounts", pair.Refresh).Status)
		})
	}
}

func TestGeneratedPrimaryKeysAreUnique(t *testing.T) {
	w := kindWorld(t, fiberjwt.Entity[StringKey]{})
	_, one := w.registerAccount("ann@example.com")
	w.clock.Advance(time.Millisecond)
	_, two := w.registerAccount("bob@example.com")
	require.NotEqual(t, one, two)
}

func TestPrimaryKeyFromRegisterHookIsKept(t *testing.T) {
	w := kindWorld(t, fiberjwt.Entity[StringKey]{Register: func(_ fiber.Ctx, account *StringKey) error {
		account.ID = "ann-1"
		return nil
	}})
	_, key := w.registerAccount("ann@example.com")
	require.Equal(t, "ann-1", key)
}

func TestPrimaryKeyInvalidAsSubjectFailsRegister(t *testing.T) {
	next := ""
	w := kindWorld(t, fiberjwt.Entity[StringKey]{Register: func(_ fiber.Ctx, account *StringKey) error {
		account.ID = next
		return nil
	}})
	for name, key := range map[string]string{"too long": strings.Repeat("a", 256), "with a NUL": "a\x00b", "not text": "a\xffb"} {
		next = key
		a := w.do("POST", "/auth/accounts/register", `{"email":"`+strings.ReplaceAll(name, " ", "-")+`","password":"`+testPassword+`"}`)
		require.GreaterOrEqual(t, a.Status, 500, name)
		require.Equal(t, 0, w.count("accounts"), name)
	}
}

func TestKeysDifferingOnlyInCaseStayDistinct(t *testing.T) {
	w := kindWorld(t, fiberjwt.Entity[StringKey]{Password: "-"},
		`CREATE TABLE accounts (id TEXT COLLATE NOCASE, email TEXT, password_hash TEXT)`,
		`INSERT INTO accounts VALUES ('ann', 'ann', '')`)
	w.app.Post("/door/:id", func(c fiber.Ctx) error {
		tokens, err := fiberjwt.Login(c, &StringKey{ID: strings.Clone(c.Params("id"))})
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	})
	pair := w.tokensOf(w.do("POST", "/door/ann", ""))
	require.Equal(t, 200, w.get("/auth/accounts/me", pair.Access).Status)
	a := w.do("POST", "/door/ANN", "")
	if a.Status == 200 {
		a = w.get("/auth/accounts/me", w.tokensOf(a).Access)
	}
	require.NotEqual(t, 200, a.Status, "ANN was answered as ann: %s", a.Body)
}

func TestNegativeAndLargeKeysKeepTheirValue(t *testing.T) {
	w := quickWorld(t)
	for i, id := range []int64{-1, -9223372036854775808, 9223372036854775807, 9007199254740993} {
		w.add(&User{ID: id, Email: fmt.Sprint(i)})
		a := w.get("/users/me", w.enter("users", id).Access)
		require.Equal(t, 200, a.Status, a.Body)
		require.Contains(t, a.Body, fmt.Sprintf(`"id":%d,`, id))
	}
}

func TestSameIDInTwoKindsIsTwoAccounts(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	w.addTeacher("bob")
	user, teacher := w.enter("users", 1), w.enter("teachers", 1)
	for _, path := range []string{"/teachers/me", "/locals/teachers", "/auth/teachers/me", "/auth/teachers/sessions"} {
		require.Equal(t, 403, w.get(path, user.Access).Status, path)
	}
	requireRefusal(t, w.refresh("teachers", user.Refresh), 401, "session_ended")
	s, err := w.auth.Verify(t.Context(), teacher.Access)
	require.NoError(t, err)
	require.Equal(t, 404, w.do("DELETE", "/auth/users/sessions/"+s.ID, "", "Authorization", "Bearer "+user.Access).Status)
	require.NoError(t, fiberjwt.RevokeAll(t.Context(), w.auth, &User{ID: 1}))
	require.Equal(t, 401, w.get("/users/me", user.Access).Status)
	require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status)
	w.sql(`DELETE FROM fiberjwt_sessions WHERE kind = 'users'`, `UPDATE fiberjwt_sessions SET kind = 'users'`)
	require.Equal(t, 401, w.get("/teachers/me", teacher.Access).Status, "a session of another kind must not be accepted")
	w.sql(`UPDATE fiberjwt_sessions SET kind = 'teachers', subject = '2'`)
	require.Equal(t, 401, w.get("/teachers/me", teacher.Access).Status, "a session of another account must not be accepted")
	w.sql(`UPDATE fiberjwt_sessions SET subject = '1'`)
	require.Equal(t, 200, w.get("/teachers/me", teacher.Access).Status)
}

// Admin is a second kind on the table of User.
type Admin User

func TestTwoKindsOnOneTableStaySeparate(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Admin]{Name: "admins",
			Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("admin = ?", true) }})
	})
	w.app.Post("/door/admins/:id", door[Admin](w))
	w.app.Get("/admins/me", fiberjwt.As(func(c fiber.Ctx, u *Admin) error {
		_, isUser := fiberjwt.Current[User](c)
		require.False(t, isUser)
		return c.JSON(u)
	}))
	w.addUser("ann@example.com")
	w.add(&User{Email: "root@example.com", Admin: true, PasswordHash: hashOfTestPassword})
	user, admin := w.enter("users", 2), w.enter("admins", 2)
	require.Equal(t, 200, w.get("/admins/me", admin.Access).Status)
	require.Equal(t, 403, w.get("/admins/me", user.Access).Status, "the row is the same, but the token is of another kind")
	require.Equal(t, 403, w.get("/users/me", admin.Access).Status)
	require.Equal(t, 401, w.do("POST", "/auth/admins/login", credentials("users", "ann@example.com", testPassword)).Status)
	require.Equal(t, 200, w.do("POST", "/auth/admins/login", credentials("users", "root@example.com", testPassword)).Status)
	w.sql(`UPDATE users SET admin = false`)
	require.Equal(t, 401, w.get("/admins/me", admin.Access).Status)
	require.Equal(t, 200, w.get("/users/me", user.Access).Status)
}

// Nested has its columns in embedded structs.
type Nested struct {
	bun.BaseModel `bun:"table:accounts"`
	NestedKey
	Auth    NestedAuth    `bun:"embed:auth_" json:"auth"`
	Address NestedAddress `bun:"embed:address_" json:"address"`
}

type NestedKey struct {
	ID      int64     `bun:",pk,autoincrement" json:"id"`
	Created time.Time `bun:",nullzero" json:"created"`
}

type NestedAuth struct {
	Email string `bun:",unique" json:"email"`
	Hash  string `json:"-"`
}

type NestedAddress struct {
	City   string `json:"city"`
	Secret string `json:"secret"`
}

func TestEmbeddedStructColumnsCanBeConfigured(t *testing.T) {
	w := kindWorld(t, fiberjwt.Entity[Nested]{Identity: "auth_email", Password: "auth_hash", Fillable: []string{"address_city"}})
	a := w.do("POST", "/auth/accounts/register", `{"auth_email":"ann@example.com","password":"`+testPassword+`","address_city":"Ulm",
		"address_secret":"x","address":{"secret":"x"},"auth":{"hash":"x"},"auth_hash":"x","created":"2000-01-01T00:00:00Z"}`)
	require.Equal(t, 201, a.Status, "%s %s", a.Body, w.log)
	require.Equal(t, "ann@example.com|Ulm||", w.text(`SELECT auth_email || '|' || address_city || '|' || address_secret || '|' || COALESCE(created, '') FROM accounts`))
	require.NotContains(t, a.Body, "argon2id")
	me := w.get("/auth/accounts/me", w.tokensOf(a).Access)
	require.Equal(t, 200, me.Status, me.Body)
	require.Equal(t, "Ulm", me.JSON(t)["address"].(map[string]any)["city"])
	require.Equal(t, 200, w.do("POST", "/auth/accounts/login", `{"auth_email":"Ann@example.com","password":"`+testPassword+`"}`).Status)
}

// Profile has columns of many types.
type Profile struct {
	bun.BaseModel `bun:"table:accounts"`
	ID            int64           `bun:",pk,autoincrement" json:"id"`
	Email         string          `bun:",unique" json:"email"`
	PasswordHash  string          `json:"-"`
	Nick          *string         `json:"nick"`
	Age           *int8           `json:"age"`
	Born          *time.Time      `json:"born"`
	Score         float64         `json:"score"`
	News          bool            `json:"news"`
	Tags          []string        `json:"tags"`
	Settings      map[string]any  `json:"settings"`
	Raw           json.RawMessage `bun:"type:text" json:"raw"`
	Level         Level           `json:"level"`
}

// Level refuses unknown values.
type Level string

func (l *Level) UnmarshalJSON(b []byte) error {
	if string(b) == `"panic"` {
		panic("marker")
	}
	if string(b) != `"low"` && string(b) != `"high"` {
		return errors.New("marker")
	}
	*l = Level(strings.Trim(string(b), `"`))
	return nil
}

func TestFillableColumnsMayBeOfAnyType(t *testing.T) {
	all := []string{"nick", "age", "born", "score", "news", "tags", "settings", "raw", "level"}
	w := kindWorld(t, fiberjwt.Entity[Profile]{Fillable: all})
	for column, values := range map[string][]string{
		"nick":     {`7`, `{}`, `[]`, `true`, `"a\u0000b"`},
		"age":      {`"7"`, `300`, `-129`, `1.5`, `1e2`, `true`, `{}`, `99999999999999999999`},
		"born":     {`"yesterday"`, `7`, `"2000-13-01T00:00:00Z"`, `{}`},
		"score":    {`"1"`, `1e999`, `[]`},
		"news":     {`"true"`, `1`, `0`},
		"tags":     {`"a"`, `{}`, `[7]`, `[["a"]]`},
		"settings": {`"a"`, `[]`, `7`},
		"level":    {`"middle"`, `7`, `{}`},
	} {
		for _, value := range values {
			a := w.do("POST", "/auth/accounts/register", fmt.Sprintf(`{"email":"ann@example.com","password":%q,%q:%s}`, testPassword, column, value))
			requireRefusal(t, a, 422, "invalid_fields", column, value)
			require.Contains(t, a.JSON(t)["fields"], column)
			require.NotContains(t, a.Body, "marker")
		}
	}
	requireRefusal(t, w.do("POST", "/auth/accounts/register", `{"email":"ann@example.com","password":"`+testPassword+`","level":"panic"}`), 500, "server_error")
	require.Equal(t, 0, w.count("accounts"))

	a := w.do("POST", "/auth/accounts/register", `{"email":"ann@example.com","password":"`+testPassword+`","nick":"Ann","age":33,"born":"1990-01-02T00:00:00Z",
		"score":1.5,"news":true,"tags":["a","b"],"settings":{"dark":true},"raw":{"any":[1,2]},"level":"low"}`)
	require.Equal(t, 201, a.Status, "%s %s", a.Body, w.log)
	me := w.get("/auth/accounts/me", w.tokensOf(a).Access)
	require.Equal(t, 200, me.Status, "%s %s", me.Body, w.log)
	require.JSONEq(t, `{"id":1,"email":"ann@example.com","nick":"Ann","age":33,"born":"1990-01-02T00:00:00Z","score":1.5,"news":true,"tags":["a","b"],
		"settings":{"dark":true},"raw":{"any":[1,2]},"level":"low"}`, me.Body)

	a = w.do("POST", "/auth/accounts/register", `{"email":"bob@example.com","password":"`+testPassword+`","nick":null,"age":null,"born":null}`)
	require.Equal(t, 201, a.Status, "%s %s", a.Body, w.log)
	entity := a.JSON(t)["entity"].(map[string]any)
	require.Equal(t, []any{nil, nil, nil}, []any{entity["nick"], entity["age"], entity["born"]})
}

func TestTextResemblingNULEscapeIsStored(t *testing.T) {
	w := newWorld(t)
	a := w.do("POST", "/auth/users/register", `{"email":"ann@example.com","password":"`+testPassword+`","full_name":"a \\u0000 is written so"}`)
	require.Equal(t, 201, a.Status, a.Body)
	require.Equal(t, `a \u0000 is written so`, w.text("SELECT full_name FROM users"))
}

func TestFilledColumnsDoNotAliasRequestBuffer(t *testing.T) {
	// json.RawMessage keeps the bytes that it was decoded from. Those of a request are in a pooled buffer.
	var kept *Profile
	w := kindWorld(t, fiberjwt.Entity[Profile]{Fillable: []string{"nick", "raw", "tags"}, Register: func(_ fiber.Ctx, p *Profile) error {
		kept = p
		return nil
	}})
	a := w.do("POST", "/auth/accounts/register", `{"email":"ann@example.com","password":"`+testPassword+`","nick":"Ann","raw":["abc"],"tags":["one"]}`)
	require.Equal(t, 201, a.Status, a.Body)
	for range 20 {
		w.do("POST", "/auth/accounts/register", strings.Repeat("zzzzzzzz", 60))
	}
	require.Equal(t, "ann@example.com", kept.Email)
	require.Equal(t, "Ann", *kept.Nick)
	require.Equal(t, `["abc"]`, string(kept.Raw))
	require.Equal(t, []string{"one"}, kept.Tags)
}

// Employee belongs to a company and has badges.
type Employee struct {
	bun.BaseModel `bun:"table:employees,alias:e"`
	ID            int64    `bun:",pk,autoincrement" json:"id"`
	Email         string   `bun:",unique" json:"email"`
	PasswordHash  string   `json:"-"`
	CompanyID     int64    `json:"company_id"`
	Company       *Company `bun:"rel:belongs-to,join:company_id=id" json:"company"`
	Badges        []*Badge `bun:"rel:has-many,join:id=employee_id" json:"badges"`
}

type Company struct {
	bun.BaseModel `bun:"table:companies"`
	ID            int64  `bun:",pk" json:"id"`
	Email         string `json:"email"` // a column that the account has too
	Name          string `json:"name"`
	Closed        bool   `json:"closed"`
}

type Badge struct {
	bun.BaseModel `bun:"table:badges"`
	ID            int64  `bun:",pk" json:"id"`
	EmployeeID    int64  `json:"employee_id"`
	Name          string `json:"name"`
}

func TestLoadFetchesRelations(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Employee]{Load: func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Relation("Company").Relation("Badges").Where("company.closed = ?", false)
		}})
	})
	for _, model := range []any{(*Employee)(nil), (*Company)(nil), (*Badge)(nil)} {
		_, err := w.db.NewCreateTable().Model(model).Exec(t.Context())
		require.NoError(t, err)
	}
	w.sql(`INSERT INTO companies VALUES (1, 'ann@example.com', 'Acme', false), (2, 'x', 'Other', false)`,
		`INSERT INTO badges VALUES (1, 1, 'gold'), (2, 1, 'blue'), (3, 2, 'red')`,
		`INSERT INTO employees VALUES (1, 'ann@example.com', '`+hashOfTestPassword+`', 1), (2, 'bob@example.com', '', 1)`)
	a := w.do("POST", "/auth/employees/login", `{"email":"ann@example.com","password":"`+testPassword+`"}`)
	require.Equal(t, 200, a.Status, "%s %s", a.Body, w.log)
	pair := w.tokensOf(a)
	me := w.get("/auth/employees/me", pair.Access)
	require.Equal(t, 200, me.Status, "%s %s", me.Body, w.log)
	require.JSONEq(t, `{"id":1,"email":"ann@example.com","company_id":1,"company":{"id":1,"email":"ann@example.com","name":"Acme","closed":false},
		"badges":[{"id":1,"employee_id":1,"name":"gold"},{"id":2,"employee_id":1,"name":"blue"}]}`, me.Body)
	require.Equal(t, 200, w.refresh("employees", pair.Refresh).Status)

	w.sql(`UPDATE companies SET closed = true`)
	require.Equal(t, 401, w.get("/auth/employees/me", pair.Access).Status)
	require.Equal(t, 401, w.refresh("employees", pair.Refresh).Status)
}

func TestKindNameOverridesTableName(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Name: "people"}
	})
	w.app.Get("/slot", func(c fiber.Ctx) error {
		_, isUser := c.Locals("people").(*User)
		return c.JSON([]bool{isUser, c.Locals("users") == nil})
	})
	w.addUser("ann@example.com")
	a := w.do("POST", "/door/users/1?via=cookie", "")
	cookies := setCookies(t, a)
	require.Contains(t, cookies, "__Host-Http-people")
	require.Equal(t, "/auth/people", cookies["__Secure-people-refresh"].Path)
	require.Equal(t, 200, w.do("GET", "/auth/people/me", "", "Cookie", "__Host-Http-people="+cookies["__Host-Http-people"].Value).Status)
	require.Equal(t, `[true,true]`, w.do("GET", "/slot", "", "Cookie", "__Host-Http-people="+cookies["__Host-Http-people"].Value).Body)
	require.Equal(t, 404, w.do("POST", "/auth/users/login", "{}", "Authorization", "Bearer "+cookies["__Host-Http-people"].Value).Status)
}

func TestEachKindHasItsOwnLifetimes(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{AccessTTL: time.Hour, IdleTTL: 48 * time.Hour, SessionTTL: 72 * time.Hour},
			fiberjwt.Entity[Teacher]{Identity: "login", AccessTTL: time.Minute, IdleTTL: time.Hour, SessionTTL: time.Hour},
		}
	})
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	user, teacher := w.enter("users", 1), w.enter("teachers", 1)
	w.clock.Advance(time.Minute + 5*time.Second)
	require.Equal(t, 200, w.get("/users/me", user.Access).Status)
	require.Equal(t, 401, w.get("/teachers/me", teacher.Access).Status)
	require.Equal(t, 200, w.refresh("teachers", teacher.Refresh).Status)
	w.clock.Advance(time.Hour)
	requireRefusal(t, w.refresh("teachers", teacher.Refresh), 401, "session_ended")
	require.Equal(t, 200, w.refresh("users", user.Refresh).Status)
}

func TestEntityClaimsAreReadableFromSession(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Claims: func(u *User) map[string]any {
			return map[string]any{"admin": u.Admin, "name": u.FullName, "scope": []string{"a", "b"}}
		}}
	})
	w.add(&User{Email: "ann@example.com", FullName: `Ann "x" ü`, Admin: true})
	pair := w.enter("users", 1)
	s, err := w.auth.Verify(t.Context(), pair.Access)
	require.NoError(t, err)
	var admin bool
	var name string
	var scope []string
	require.True(t, s.Claim("admin", &admin))
	require.True(t, s.Claim("name", &name))
	require.True(t, s.Claim("scope", &scope))
	require.Equal(t, []any{true, `Ann "x" ü`, []string{"a", "b"}}, []any{admin, name, scope})
	require.False(t, s.Claim("Admin", &admin), "claim names are case-sensitive")
	require.False(t, s.Claim("none", &admin))

	w.sql(`UPDATE users SET admin = false`)
	w.clock.Advance(time.Minute)
	s, err = w.auth.Verify(t.Context(), w.tokensOf(w.refresh("users", pair.Refresh)).Access)
	require.NoError(t, err)
	require.True(t, s.Claim("admin", &admin))
	require.False(t, admin, "a refresh must call Entity.Claims again")
}

// KeyByHand has a key that neither the library nor the database generates.
type KeyByHand struct {
	bun.BaseModel `bun:"table:keys_by_hand"`
	ID            int64  `bun:",pk" json:"id"`
	Email         string `bun:",unique" json:"email"`
	PasswordHash  string `json:"-"`
}

func TestRegisterWithoutPrimaryKeyIsServerError(t *testing.T) {
	hook := fiberjwt.Anyone[KeyByHand]
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[KeyByHand]{Register: func(c fiber.Ctx, k *KeyByHand) error { return hook(c, k) }})
	})
	_, err := w.db.NewCreateTable().Model((*KeyByHand)(nil)).Exec(t.Context())
	require.NoError(t, err)
	const body = `{"email":"ann@example.com","password":"` + testPassword + `"}`
	a := w.do("POST", "/auth/keys_by_hand/register", body)
	requireRefusal(t, a, 500, "server_error")
	require.Contains(t, w.log.String(), ",pk,autoincrement")
	require.Equal(t, 0, w.count("keys_by_hand"))

	hook = func(_ fiber.Ctx, k *KeyByHand) error { k.ID = 7; return nil }
	a = w.do("POST", "/auth/keys_by_hand/register", body)
	require.Equal(t, 201, a.Status, "%s %s", a.Body, w.log)
	require.EqualValues(t, 7, w.get("/auth/keys_by_hand/me", w.tokensOf(a).Access).JSON(t)["id"])
}
