// Code generated from ../../../test/api/shared_tables_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

// Models whose table is, or may be, the table of User.
type (
	SchemaUser struct {
		bun.BaseModel `bun:"table:main.users,alias:people"`
		ID            int64  `bun:",pk,autoincrement"`
		Email         string `bun:",unique"`
		PasswordHash  string `json:"-"`
	}
	CapitalUser struct {
		bun.BaseModel `bun:"table:Users"`
		ID            int64  `bun:",pk,autoincrement"`
		Email         string `bun:",unique"`
		PasswordHash  string `json:"-"`
	}
	SelectedUser struct {
		bun.BaseModel `bun:"table:admins,select:users"`
		ID            int64  `bun:",pk,autoincrement"`
		Email         string `bun:",unique"`
		PasswordHash  string `json:"-"`
	}
	OtherKeyUser struct {
		bun.BaseModel `bun:"table:users"`
		ID            int64
		Email         string `bun:",pk"`
		FullName      string
		PasswordHash  string `json:"-"`
	}
)

func isAdmin(_ context.Context, a *Admin) error {
	if !a.Admin {
		return errors.New("not an administrator")
	}
	return nil
}

func TestSecondKindOfTableNeedsLoadOrAllow(t *testing.T) {
	db := newDB(t)
	open := func(entities ...fiberjwt.AnyEntity) error {
		_, err := fiberjwt.Open(fiberjwt.Config{DB: db, Secret: []byte(testSecret), Entities: entities})
		return err
	}
	admins := fiberjwt.Entity[Admin]{Name: "admins", Allow: isAdmin}
	for name, second := range map[string]fiberjwt.AnyEntity{
		"another type":      fiberjwt.Entity[Admin]{Name: "admins"},
		"without a Name":    fiberjwt.Entity[Admin]{},
		"without passwords": fiberjwt.Entity[Admin]{Name: "admins", Password: "-"},
		"schema in the tag": fiberjwt.Entity[SchemaUser]{Name: "admins"},
		"table in capitals": fiberjwt.Entity[CapitalUser]{Name: "admins"},
		"read by select":    fiberjwt.Entity[SelectedUser]{Name: "admins"},
		"the same model":    fiberjwt.Entity[User]{Name: "admins"},
		"Allow on a copy":   fiberjwt.Entity[User]{Name: "admins", Allow: notDisabled},
		"with another key":  fiberjwt.Entity[OtherKeyUser]{Name: "admins", Identity: "full_name"},
		"a third one":       admins,
	} {
		t.Run(name, func(t *testing.T) {
			entities := []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}, second}
			if name == "a third one" {
				entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}, admins, fiberjwt.Entity[CapitalUser]{Name: "third"}}
			}
			err := open(entities...)
			require.ErrorContains(t, err, "Load or Allow")
			require.ErrorContains(t, err, `kind "users"`)
		})
	}
	require.ErrorContains(t, open(fiberjwt.Entity[User]{}, fiberjwt.Entity[OtherKeyUser]{Name: "admins", Identity: "full_name", Allow: func(context.Context, *OtherKeyUser) error { return nil }}),
		"primary key")
	require.NoError(t, open(fiberjwt.Entity[User]{}, admins))
	require.NoError(t, open(admins, fiberjwt.Entity[User]{}), "either kind may be the one with Allow")
}

// Allow of one kind does not restrict another kind on the table.
func TestClosedKindBesideOpenKindMustBeNarrowed(t *testing.T) {
	db := newDB(t)
	users := fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: notDisabled}
	all := fiberjwt.Entity[Admin]{Name: "admins"}
	third := fiberjwt.Entity[CapitalUser]{Name: "third", Register: fiberjwt.Anyone[CapitalUser]}
	narrow := all
	narrow.Load = func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("admin") }
	const fault = `set Load or Allow of kind "admins"`
	for name, c := range map[string]struct {
		entities []fiberjwt.AnyEntity
		want     string // "" for no error
	}{
		"the closed kind takes all":           {[]fiberjwt.AnyEntity{users, all}, fault},
		"the closed kind, which comes first":  {[]fiberjwt.AnyEntity{all, users}, fault},
		"the closed kind, both without":       {[]fiberjwt.AnyEntity{all, fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}}, fault},
		"no passwords":                        {[]fiberjwt.AnyEntity{users, fiberjwt.Entity[Admin]{Name: "admins", Password: "-"}}, fault},
		"two open ones":                       {[]fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}, third}, "set Load or Allow of the kind whose accounts may do more"},
		"the closed kind is narrowed":         {[]fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}, narrow}, ""},
		"both are narrowed":                   {[]fiberjwt.AnyEntity{users, narrow}, ""},
		"both are closed, and one takes all":  {[]fiberjwt.AnyEntity{fiberjwt.Entity[User]{Allow: notDisabled}, all}, ""},
		"two are closed, and a third is open": {[]fiberjwt.AnyEntity{all, fiberjwt.Entity[User]{Allow: notDisabled}, third}, fault},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fiberjwt.Open(fiberjwt.Config{DB: db, Secret: []byte(testSecret), Entities: c.entities})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTablesOfTwoSchemasNeedBothSchemaNames(t *testing.T) {
	type Staff struct {
		bun.BaseModel `bun:"table:staff.users,alias:s"`
		ID            int64  `bun:",pk,autoincrement"`
		Email         string `bun:",unique"`
		PasswordHash  string `json:"-"`
	}
	open := func(entities ...fiberjwt.AnyEntity) error {
		_, err := fiberjwt.Open(fiberjwt.Config{DB: newDB(t), Secret: []byte(testSecret), Entities: entities})
		return err
	}
	const hint = "if these are tables of two schemas, name the schema of both in the tags, as in `bun:\"table:public.users\"`"
	staff := fiberjwt.Entity[Staff]{Name: "staff"}
	require.ErrorContains(t, open(fiberjwt.Entity[User]{}, staff), hint)
	require.NotContains(t, open(fiberjwt.Entity[User]{}, fiberjwt.Entity[Admin]{Name: "admins"}).Error(), "schema")
	require.NoError(t, open(fiberjwt.Entity[SchemaUser]{Name: "users"}, staff))
}

// twoKinds returns a world with the kinds users and admins on one table, and the
// tokens of row 1 for each.
func twoKinds(t *testing.T, configure ...func(*fiberjwt.Config)) (w *world, user, admin tokens) {
	t.Helper()
	w = newWorld(t, append(configure, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Admin]{Name: "admins", Allow: isAdmin})
	})...)
	// SQLite reuses the highest key of a table without AUTOINCREMENT.
	w.sql(`DROP TABLE users`, `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, full_name TEXT, admin BOOL, disabled BOOL, password_hash TEXT)`)
	w.add(&User{Email: "root@example.com", Admin: true, PasswordHash: hashOfTestPassword})
	login := func(kind string) tokens {
		return w.tokensOf(w.do("POST", "/auth/"+kind+"/login", credentials("users", "root@example.com", testPassword)))
	}
	return w, login("users"), login("admins")
}

func (w *world) isAdmin(access string) bool {
	w.t.Helper()
	a := w.get("/auth/admins/me", access)
	require.Contains(w.t, []int{200, 401}, a.Status, a.Body)
	return a.Status == 200
}

func TestSessionsOfRowEndForEveryKind(t *testing.T) {
	reset := func(w *world) {
		ann := &User{}
		require.NoError(w.t, w.db.NewSelect().Model(ann).Where("id = 1").Scan(w.t.Context()))
		token, err := fiberjwt.ResetToken(w.auth, ann, 0)
		require.NoError(w.t, err)
		_, err = fiberjwt.ResetPassword[User](w.t.Context(), w.auth, token, newPassword)
		require.NoError(w.t, err)
	}
	for store, configure := range map[string]func(*fiberjwt.Config){
		"in the accounts' database": func(*fiberjwt.Config) {},
		"in a separate store":       func(cfg *fiberjwt.Config) { cfg.Store = session.NewSQL(newDB(t)) },
		"with a cache":              func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Hour },
	} {
		for cause, end := range map[string]func(w *world, user tokens){
			"a new password": func(w *world, user tokens) {
				body := `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`
				require.Equal(w.t, 204, w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+user.Access).Status)
				require.Equal(w.t, 200, w.get("/users/me", user.Access).Status, "a password change must keep the session that made it")
			},
			"a reset": func(w *world, _ tokens) { reset(w) },
			"RevokeAll": func(w *world, _ tokens) {
				require.NoError(w.t, fiberjwt.RevokeAll(w.t.Context(), w.auth, &User{ID: 1}))
			},
			"logout-all": func(w *world, user tokens) {
				require.Equal(w.t, 204, w.do("POST", "/auth/users/logout-all", "", "Authorization", "Bearer "+user.Access).Status)
			},
			"the row was deleted and its key reused": func(w *world, _ tokens) {
				w.sql(`DELETE FROM users`)
				w.register("users", "bob@example.com")
				w.sql(`UPDATE users SET admin = true WHERE id = 1`)
			},
		} {
			t.Run(cause+", sessions "+store, func(t *testing.T) {
				w, user, admin := twoKinds(t, configure)
				require.True(t, w.isAdmin(admin.Access))
				end(w, user)
				require.False(t, w.isAdmin(admin.Access), "the session of the other kind must end")
				require.Equal(t, 401, w.refresh("admins", admin.Refresh).Status)
			})
		}
	}
}

func TestPasswordChangeEndsLinksOfEveryKind(t *testing.T) {
	w, user, _ := twoKinds(t)
	admin := &Admin{}
	require.NoError(t, w.db.NewSelect().Model(admin).Where("id = 1").Scan(t.Context()))
	link := fiberjwt.Link[Admin]{Name: "confirm"}
	token, err := link.Token(w.auth, admin)
	require.NoError(t, err)
	_, err = link.Check(t.Context(), w.auth, token)
	require.NoError(t, err)
	body := `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`
	require.Equal(t, 204, w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+user.Access).Status)
	_, err = link.Check(t.Context(), w.auth, token)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
}

func TestThrottleCountsGuessesAcrossKindsOfRow(t *testing.T) {
	w, _, _ := twoKinds(t)
	wrong := func(kind string) int {
		return w.do("POST", "/auth/"+kind+"/login", credentials("users", "root@example.com", newPassword), "X-Real-Ip", "203.0.113.7").Status
	}
	for range 20 {
		if wrong("users") == 429 {
			break
		}
	}
	require.Equal(t, 429, wrong("users"))
	require.Equal(t, 429, wrong("admins"), "the other kind must not allow further guesses")
}

func TestLoadThatKeepsEveryRowDoesNotNarrowKind(t *testing.T) {
	db := newDB(t)
	for name, test := range map[string]struct {
		load   func(q *bun.SelectQuery) *bun.SelectQuery
		narrow bool
	}{
		"no change":     {func(q *bun.SelectQuery) *bun.SelectQuery { return q }, false},
		"an order":      {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("id") }, false},
		"columns":       {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "email", "password_hash") }, false},
		"always true":   {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("1 = 1") }, false},
		"true":          {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("TRUE") }, false},
		"its own table": {func(q *bun.SelectQuery) *bun.SelectQuery { return q.ModelTableExpr("users AS ?TableAlias") }, false},
		"a left join":   {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Join("LEFT JOIN teachers AS t ON t.id = 1") }, false},
		"a panic":       {func(*bun.SelectQuery) *bun.SelectQuery { panic("no") }, false},
		"a condition":   {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("admin = ?", true).Order("id") }, true},
		"a join": {func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Join("JOIN teachers AS t ON t.id = ?TableAlias.id")
		}, true},
		"another table": {func(q *bun.SelectQuery) *bun.SelectQuery { return q.ModelTableExpr("admins AS ?TableAlias") }, true},
		"a sub-select": {func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ModelTableExpr("(SELECT * FROM users WHERE admin) AS ?TableAlias")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fiberjwt.Open(fiberjwt.Config{DB: db, Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{
				fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}, fiberjwt.Entity[Admin]{Name: "admins", Load: test.load},
			}})
			if test.narrow {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "Load or Allow")
			}
		})
	}
}
