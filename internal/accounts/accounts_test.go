package accounts_test

import (
	"context"
	"database/sql"
	"reflect"
	"strings"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/statement"
)

type User struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64  `bun:",pk,autoincrement"`
	Email         string `bun:",unique,notnull"`
	Name          string `bun:",nullzero"`
	Admin         bool
	PasswordHash  string `bun:",notnull" json:"-"`
}

// Admin is a second kind on the table of User.
type Admin User

// Teacher has a string as its key.
type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`
	ID            string `bun:",pk"`
	Login         string `bun:",unique,notnull"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

// Guest has no password.
type Guest struct {
	bun.BaseModel `bun:"table:guests"`
	ID            int64  `bun:",pk,autoincrement"`
	Subject       string `bun:",unique"`
}

// hash has the length of a real hash.
const hash = "$argon2id$v=19$m=19456,t=2,p=1$bWFya29mZmliZXJqd3Rz$Zm9ydGhlaGFzaHRoYXRtdXN0bmV2ZXJiZXNob3du0"

// newDB returns a database in memory with the tables of models.
func newDB(t testing.TB, models ...any) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	conn.SetMaxOpenConns(1) // otherwise each connection has its own database
	db := bun.NewDB(conn, sqlitedialect.New())
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, model := range models {
		_, err := db.NewCreateTable().Model(model).Exec(t.Context())
		require.NoError(t, err)
	}
	return db
}

// open returns the kind of T, which must have no problems.
func open[T any](t testing.TB, db *bun.DB, d accounts.Declaration) *accounts.Kind {
	t.Helper()
	k, problems := accounts.Open(db, reflect.TypeFor[T](), d)
	require.Empty(t, problems)
	accounts.JoinTables([]*accounts.Kind{k})
	k.Prepare(statement.NewPool(db, nil))
	return k
}

// users returns the kind of User on an empty table.
func users(t *testing.T) *accounts.Kind {
	t.Helper()
	return open[User](t, newDB(t, (*User)(nil)), accounts.Declaration{Fillable: []string{"name"}})
}

func insert(t *testing.T, k *accounts.Kind, account any) {
	t.Helper()
	require.NoError(t, k.Insert(t.Context(), k.DB, account))
}

func TestOpenResolvesTheDefaults(t *testing.T) {
	k := users(t)
	require.Equal(t, "users", k.Name)
	require.Equal(t, "User, table users", k.Label)
	require.Equal(t, "id", k.PK.Name)
	require.Equal(t, "email", k.Identity.Name)
	require.Equal(t, "password_hash", k.Password.Name)
	require.Equal(t, "name", k.Fillable[0].Name)
	require.Equal(t, []string{"users"}, k.Kinds())
	require.Empty(t, k.FingerprintColumns)
}

func TestOpenReportsProblems(t *testing.T) {
	type twoKeys struct {
		A int64 `bun:",pk"`
		B int64 `bun:",pk"`
	}
	type floatKey struct {
		ID           float64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	type shown struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string
	}
	type shortHash struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `bun:"type:varchar(60)" json:"-"`
	}
	type jsonEmail struct {
		ID           int64  `bun:",pk"`
		Email        string `bun:",msgpack"`
		PasswordHash string `json:"-"`
	}
	type numberHash struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash int
	}
	type bare struct {
		ID int64 `bun:",pk"`
		N  int
	}
	alias := func(q *bun.SelectQuery) *bun.SelectQuery { return q.ModelTableExpr("users AS other") }
	for name, test := range map[string]struct {
		model reflect.Type
		d     accounts.Declaration
		want  string
	}{
		"a pointer":                {reflect.TypeFor[*User](), accounts.Declaration{}, "the model is not a struct"},
		"two keys":                 {reflect.TypeFor[twoKeys](), accounts.Declaration{}, "the model has 2 primary key columns"},
		"a float as the key":       {reflect.TypeFor[floatKey](), accounts.Declaration{}, `the primary key "id" is a float64`},
		"a bad name":               {reflect.TypeFor[User](), accounts.Declaration{Name: "Users!"}, `Name: "Users!" cannot name a kind`},
		"no such identity":         {reflect.TypeFor[User](), accounts.Declaration{Identity: "login"}, `Identity: the model has no column "login"`},
		"one column for both":      {reflect.TypeFor[User](), accounts.Declaration{Password: "email"}, `Password: the column "email" is also the identity`},
		"a number as the hash":     {reflect.TypeFor[numberHash](), accounts.Declaration{}, `Password: the column "password_hash" is a int, not a string`},
		"a hash in the JSON":       {reflect.TypeFor[shown](), accounts.Declaration{}, "Password: the JSON of the model shows PasswordHash"},
		"a short column":           {reflect.TypeFor[shortHash](), accounts.Declaration{}, "is too short for a hash"},
		"an encoded identity":      {reflect.TypeFor[jsonEmail](), accounts.Declaration{}, `Identity: the column "email" does not store the text of Email unchanged`},
		"the key is fillable":      {reflect.TypeFor[User](), accounts.Declaration{Fillable: []string{"id"}}, `Fillable[0]: clients must not set the column "id"`},
		"another alias":            {reflect.TypeFor[User](), accounts.Declaration{Load: alias}, `Load: nothing in the SELECT has the alias "user" of the model`},
		"no fingerprint":           {reflect.TypeFor[bare](), accounts.Declaration{Password: "-"}, "nothing distinguishes an account from a later account with the same key"},
		"the key as fingerprint":   {reflect.TypeFor[Guest](), accounts.Declaration{Password: "-", Identity: "id"}, `the column "id" is the primary key`},
		"registration without it":  {reflect.TypeFor[Guest](), accounts.Declaration{Password: "-", Registers: true}, `Register: a kind with Password "-" cannot register here`},
		"fillable without it":      {reflect.TypeFor[Guest](), accounts.Declaration{Password: "-", Fillable: []string{"subject"}}, `Fillable: a kind with Password "-" has no registration`},
		"no fingerprint in Load":   {reflect.TypeFor[Guest](), accounts.Declaration{Password: "-", Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id") }}, `Load: the SELECT leaves the column "subject" out`},
		"a fillable without field": {reflect.TypeFor[User](), accounts.Declaration{Fillable: []string{"x"}}, `Fillable[0]: the model has no column "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := accounts.Open(newDB(t), test.model, test.d)
			require.Contains(t, strings.Join(fault.Texts(problems), "\n"), test.want)
		})
	}
}

func TestKindsOnOneTableAreJoined(t *testing.T) {
	db := newDB(t, (*User)(nil), (*Teacher)(nil))
	user, problems := accounts.Open(db, reflect.TypeFor[User](), accounts.Declaration{})
	require.Empty(t, problems)
	admin, problems := accounts.Open(db, reflect.TypeFor[Admin](), accounts.Declaration{Name: "admins", Load: func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("admin")
	}})
	require.Empty(t, problems)
	teacher, problems := accounts.Open(db, reflect.TypeFor[Teacher](), accounts.Declaration{Identity: "login"})
	require.Empty(t, problems)
	accounts.JoinTables([]*accounts.Kind{user, admin, teacher})
	require.Equal(t, []string{"users", "admins"}, user.Kinds())
	require.Equal(t, []string{"admins", "users"}, admin.Kinds())
	require.Equal(t, "users", admin.Counted, "the password is the same, so failures are counted together")
	require.Equal(t, "teachers", teacher.Counted)
	require.Empty(t, admin.ShareProblems(user))
	require.Empty(t, teacher.ShareProblems(user))
}

func TestKindOnSharedTableMustRestrictItsRows(t *testing.T) {
	db := newDB(t)
	user, _ := accounts.Open(db, reflect.TypeFor[User](), accounts.Declaration{Registers: true})
	admin, _ := accounts.Open(db, reflect.TypeFor[Admin](), accounts.Declaration{Name: "admins"})
	require.Contains(t, admin.ShareProblems(user)[0].Reason, `kind "users" already has this table`)
	require.Contains(t, user.ShareProblems(user)[0].Reason, `kind "users" already has this model`)
}

func TestOnlyConditionsInLoadRestrictRows(t *testing.T) {
	for name, test := range map[string]struct {
		load func(*bun.SelectQuery) *bun.SelectQuery
		want bool
	}{
		"a condition":             {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("admin = ?", true) }, true},
		"an inner join":           {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Join("JOIN guests ON true") }, true},
		"another table":           {func(q *bun.SelectQuery) *bun.SelectQuery { return q.ModelTableExpr("admins AS ?TableAlias") }, true},
		"an order":                {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("id") }, false},
		"an outer join":           {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Join("LEFT JOIN guests ON true") }, false},
		"a condition always true": {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("1 = 1") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB(t)
			admin, problems := accounts.Open(db, reflect.TypeFor[Admin](), accounts.Declaration{Name: "admins", Load: test.load})
			require.Empty(t, problems)
			user, _ := accounts.Open(db, reflect.TypeFor[User](), accounts.Declaration{})
			require.Equal(t, test.want, len(admin.ShareProblems(user)) == 0)
		})
	}
}

func TestWantedDescribesTheColumns(t *testing.T) {
	table := users(t).Wanted(120)
	require.Equal(t, "users", table.Name)
	settings := map[string]string{}
	for _, c := range table.Columns {
		settings[c.Name] = c.Setting
		switch c.Name {
		case "email":
			require.True(t, c.Alone, "the identity is unique")
			require.Equal(t, 100, c.Width)
		case "password_hash":
			require.Equal(t, 120, c.Width)
		}
	}
	require.Equal(t, map[string]string{"id": "the primary key", "email": "Identity", "name": "Fillable[0]", "admin": "", "password_hash": "Password"}, settings)
}

func TestCopyDoesNotShareTheAccount(t *testing.T) {
	ann := &User{Name: "Ann"}
	accounts.Copy(ann).(*User).Name = "Bob"
	require.Equal(t, "Ann", ann.Name)
}

func TestFillDecodesJSON(t *testing.T) {
	k := users(t)
	ann := &User{}
	require.NoError(t, k.Fill(ann, k.Field("name"), []byte(`"Ann"`)))
	require.Equal(t, "Ann", ann.Name)
	require.Error(t, k.Fill(ann, k.Field("name"), []byte(`7`)))
	require.Nil(t, k.Field("no_such_column"))
}

func TestClassifiedErrorsKeepTheirClass(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"no error":    {nil, false},
		"unknown":     {sql.ErrConnDone, false},
		"setup":       {fault.Setup("x"), true},
		"unavailable": {fault.Unavailable(sql.ErrConnDone), true},
		"taken":       {accounts.ErrTaken, true},
		"fields":      {accounts.Fields{"email": "is empty"}, true},
		"answer":      {&fault.Answer{Err: sql.ErrConnDone}, true},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, accounts.IsClassified(test.err)) })
	}
}

func TestFieldsWithoutProblemsAreNoError(t *testing.T) {
	require.NoError(t, accounts.Fields{}.Err())
	require.ErrorIs(t, accounts.Fields{"email": "is empty"}.Err(), accounts.ErrRefused)
}

// failReady makes every statement with text of clients fail.
func failReady(context.Context) error { return fault.Unavailable(sql.ErrConnDone) }
