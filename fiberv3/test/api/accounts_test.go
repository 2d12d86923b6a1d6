// Code generated from ../../../test/api/accounts_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/session"
)

// If Allow can neither permit nor refuse, the account is deleted again. An account that Allow refuses stays: it may wait
// for a confirmation.
func TestRegisterIsUndoneWhenAllowCannotDecide(t *testing.T) {
	for name, test := range map[string]struct {
		allow  func() error
		status int
	}{
		"Allow panics":                        {func() error { panic("marker") }, 500},
		"Allow cannot reach its store":        {func() error { return fmt.Errorf("marker: %w", fiberjwt.ErrUnavailable) }, 503},
		"Allow misses its deadline":           {func() error { return fmt.Errorf("marker: %w", context.DeadlineExceeded) }, 503},
		"Allow finds a mistake in the set-up": {func() error { return fmt.Errorf("marker: %w", fiberjwt.ErrSetup) }, 500},
		"Allow refuses the account":           {func() error { return errors.New("marker") }, 201},
		"Allow returns ErrForbidden":          {func() error { return fiberjwt.ErrForbidden }, 201},
	} {
		for _, store := range []string{"same database", "separate store"} {
			t.Run(name+", "+store, func(t *testing.T) {
				allow := test.allow
				w := newWorld(t, func(cfg *fiberjwt.Config) {
					cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Member]{
						Register: fiberjwt.Anyone[Member],
						Allow:    func(context.Context, *Member) error { return allow() },
					})
					if store == "separate store" {
						cfg.Store = newMemory()
					}
				})
				_, err := w.db.NewCreateTable().Model((*Member)(nil)).Exec(t.Context())
				require.NoError(t, err)
				body := credentials("users", "ann@example.com", testPassword)
				a := w.do("POST", "/auth/members/register", body)
				require.Equal(t, test.status, a.Status, a.Body)
				if test.status == 201 { // the account waits, and is not signed in
					require.NotContains(t, a.Body, "access_token")
					require.Equal(t, 1, w.count("members"))
					require.Empty(t, w.log.String())
					return
				}
				require.Equal(t, 0, w.count("members"), "the row must be deleted, not only marked: a soft-deleted row still occupies the address")
				require.Contains(t, w.log.String(), "marker")
				require.Empty(t, w.sessions("members", "1"))

				allow = func() error { return nil }
				a = w.do("POST", "/auth/members/register", body)
				require.Equal(t, 201, a.Status, a.Body)
				require.Equal(t, 200, w.get("/auth/members/me", w.tokensOf(a).Access).Status)
			})
		}
	}
}

func TestFailedUndoOfRegisterIsLogged(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(context.Context, *User) error { return fiberjwt.ErrUnavailable }}
	})
	w.sql(`CREATE TRIGGER forever BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'rows stay'); END`)
	requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword)), 503, "temporarily_unavailable")
	require.Contains(t, w.log.String(), "rows stay")
	require.Contains(t, w.log.String(), "subject=1")
}

func TestUnstoredAccountGetsErrSetup(t *testing.T) {
	w := quickWorld(t)
	w.app.Post("/door/new", func(c fiber.Ctx) error {
		_, err := fiberjwt.Login(c, &User{Email: "ann@example.com", PasswordHash: hashOfTestPassword})
		return err
	})
	fresh, ctx := &User{Email: "ann@example.com", PasswordHash: hashOfTestPassword}, t.Context()
	for name, try := range map[string]func() error{
		"Issue":       func() error { _, err := w.auth.Issue(ctx, fresh); return err },
		"ResetToken":  func() error { _, err := fiberjwt.ResetToken(w.auth, fresh, 0); return err },
		"UnlockToken": func() error { _, err := fiberjwt.UnlockToken(w.auth, fresh, 0); return err },
		"Link": func() error {
			_, err := fiberjwt.Link[User]{Name: "confirm"}.Token(w.auth, fresh)
			return err
		},
	} {
		err := try()
		require.ErrorIs(t, err, fiberjwt.ErrSetup, name)
		require.ErrorContains(t, err, "kind users: the account has no primary key", name)
	}
	require.Equal(t, 500, w.do("POST", "/door/new", "").Status)
	require.Contains(t, w.log.String(), "kind users: the account has no primary key")

	_, err := w.auth.Issue(ctx, &User{ID: 7, PasswordHash: hashOfTestPassword})
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.ErrorContains(t, err, "table users has no row with the key")
}

// The pool has one connection, which the transaction holds: Login must use that transaction.
func TestLoginJoinsTransactionOfGrantDB(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = append(cfg.Public, "POST /join") })
	w.db.SetMaxOpenConns(1)
	giveUp := false
	w.app.Post("/join", func(c fiber.Ctx) error {
		var tokens fiberjwt.Tokens
		err := w.db.RunInTx(c.Context(), nil, func(ctx context.Context, tx bun.Tx) (err error) {
			u := &User{Email: c.Query("as"), PasswordHash: hashOfTestPassword}
			if _, err := tx.NewInsert().Model(u).Exec(ctx); err != nil {
				return err
			}
			tokens, err = fiberjwt.Login(c, u, fiberjwt.LoginOptions{Transport: fiberjwt.Transport(c.Query("via")), DB: tx})
			if err == nil && giveUp {
				err = errors.New("the application rolls back")
			}
			return err
		})
		if err != nil && !giveUp {
			return err
		}
		return c.JSON(tokens)
	})
	a := w.do("POST", "/join?as=ann", "")
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, 200, w.get("/users/me", w.tokensOf(a).Access).Status)

	// The session that the browser replaces ends in the same transaction.
	b := w.browser()
	b.register("users", "bob@example.com")
	require.Equal(t, 200, b.do("POST", "/join?as=cem&via=cookie", "").Status)
	infos, err := fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 2})
	require.NoError(t, err)
	require.Empty(t, infos)
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)

	giveUp = true
	a = w.do("POST", "/join?as=dan", "")
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, 401, w.get("/users/me", w.tokensOf(a).Access).Status, "the session must be rolled back with the transaction")
}

// The application stores the account in a transaction and calls Login without LoginOptions.DB: Login waits for the lock
// of that transaction until WriteTimeout.
func TestLogExplainsLoginBlockedByTransaction(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Public = append(cfg.Public, "POST /join")
		cfg.WriteTimeout = 2 * time.Second
	})
	w.app.Post("/join", func(c fiber.Ctx) error {
		return w.db.RunInTx(c.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			u := &User{Email: "ann", PasswordHash: hashOfTestPassword}
			if _, err := tx.NewInsert().Model(u).Exec(ctx); err != nil {
				return err
			}
			_, err := fiberjwt.Login(c, u)
			return err
		})
	})
	require.Equal(t, 503, w.do("POST", "/join", "").Status)
	require.Contains(t, w.log.String(), "LoginOptions.DB")
	require.Regexp(t, "deadline|locked", w.log.String())

	// Issue does not log. Its error carries the hint, so that the application can log it.
	err := w.db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		u := &User{Email: "ann", PasswordHash: hashOfTestPassword}
		if _, err := tx.NewInsert().Model(u).Exec(ctx); err != nil {
			return err
		}
		_, err := w.auth.Issue(ctx, u)
		return err
	})
	var refused *fiberjwt.Error
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.LogValue().String(), "LoginOptions.DB")
}

// Types that alter a text when it is written or read. Adopted is a string type that does not.
type (
	Sealed  string
	Loud    string
	Upper   string
	Picky   string
	Adopted string
)

func (s Sealed) Value() (driver.Value, error) { return hex.EncodeToString([]byte(s)), nil }

func (s *Sealed) Scan(src any) error {
	text, err := hex.DecodeString(fmt.Sprint(src))
	*s = Sealed(text)
	return err
}

func (l *Loud) Scan(src any) error { *l = Loud(strings.ToUpper(fmt.Sprint(src))); return nil }

func (u Upper) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	return gen.Dialect().AppendString(b, strings.ToUpper(string(u))), nil
}

func (Picky) Value() (driver.Value, error) { panic("picky") }

type textModel[I, H ~string] struct {
	bun.BaseModel `bun:"table:members"`
	ID            int64 `bun:",pk,autoincrement"`
	Email         I     `bun:",unique"`
	PasswordHash  H     `json:"-"`
}

type (
	jsonHash struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `bun:"type:jsonb" json:"-"`
	}
	packedEmail struct {
		ID           int64  `bun:",pk"`
		Email        string `bun:",msgpack"`
		PasswordHash string `json:"-"`
	}
	shortHash struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `bun:"type:varchar(60)" json:"-"`
	}
	shortChar struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `bun:"type:CHARACTER VARYING( 72 )" json:"-"`
	}
	readOnlyHash struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `bun:",scanonly" json:"-"`
	}
)

// Open can see these mistakes in the model, before the first request.
func TestOpenRefusesColumnsThatAlterText(t *testing.T) {
	for name, test := range map[string]struct {
		kind fiberjwt.AnyEntity
		want []string
	}{
		"a sealed identity":  {fiberjwt.Entity[textModel[Sealed, string]]{}, []string{"Identity", `"email"`, "Sealed", "without Value and Scan"}},
		"a sealed hash":      {fiberjwt.Entity[textModel[string, Sealed]]{}, []string{"Password", `"password_hash"`, "Sealed"}},
		"a loud hash":        {fiberjwt.Entity[textModel[string, Loud]]{}, []string{"Password", "Loud"}},
		"a type that writes": {fiberjwt.Entity[textModel[Upper, string]]{}, []string{"Identity", "Upper"}},
		"a type that panics": {fiberjwt.Entity[textModel[Picky, string]]{}, []string{"Identity", "Picky"}},
		"a hash as JSON":     {fiberjwt.Entity[jsonHash]{}, []string{"Password", "tag"}},
		"a packed identity":  {fiberjwt.Entity[packedEmail]{}, []string{"Identity", "msgpack"}},
		"a short hash":       {fiberjwt.Entity[shortHash]{}, []string{"Password", "varchar(60)", "varchar(255)"}},
		"a shorter hash":     {fiberjwt.Entity[shortChar]{}, []string{"Password", "72"}},
		"a hash to read":     {fiberjwt.Entity[readOnlyHash]{}, []string{"Password", `"password_hash"`}},
		"a Load without the alias": {fiberjwt.Entity[User]{Load: func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ModelTableExpr("active_users AS u")
		}}, []string{"Load", "?TableAlias"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.Entities = []fiberjwt.AnyEntity{test.kind}
			_, err := fiberjwt.Open(cfg)
			require.Error(t, err)
			for _, part := range test.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
	for name, kind := range map[string]fiberjwt.AnyEntity{
		"a string by another name": fiberjwt.Entity[textModel[Adopted, Adopted]]{},
		"a view": fiberjwt.Entity[User]{Load: func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ModelTableExpr("active_users AS ?TableAlias")
		}},
		"a view by hand": fiberjwt.Entity[User]{Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.ModelTableExpr(`active_users "user"`) }},
		"a join": fiberjwt.Entity[User]{Load: func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Join("JOIN tenants AS t ON t.id = 1").Where("NOT ?TableAlias.disabled")
		}},
		"a Load that wants more": fiberjwt.Entity[User]{Load: func(*bun.SelectQuery) *bun.SelectQuery { panic("not yet") }},
	} {
		cfg := goodConfig(t)
		cfg.Entities = []fiberjwt.AnyEntity{kind}
		_, err := fiberjwt.Open(cfg)
		require.NoError(t, err, name)
	}
}

// Masked has hooks that store its hash in another form than the library wrote it.
type Masked struct {
	bun.BaseModel `bun:"table:members"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique" json:"email"`
	PasswordHash  string `json:"-"`
}

func (m *Masked) BeforeAppendModel(_ context.Context, query bun.Query) error {
	if _, insert := query.(*bun.InsertQuery); insert {
		m.PasswordHash = "sealed:" + m.PasswordHash
	}
	return nil
}

func (m *Masked) AfterScanRow(context.Context) error {
	m.PasswordHash = strings.TrimPrefix(m.PasswordHash, "sealed:")
	return nil
}

// Open cannot see what the hooks of a model do. The first registration can.
func TestRegisterRefusesModelHookThatAltersHash(t *testing.T) {
	for _, store := range []string{"same database", "separate store"} {
		w := newWorld(t, func(cfg *fiberjwt.Config) {
			cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Masked]{Name: "members", Register: fiberjwt.Anyone[Masked]})
			if store == "separate store" {
				cfg.Store = newMemory()
			}
		})
		_, err := w.db.NewCreateTable().Model((*Masked)(nil)).Exec(t.Context())
		require.NoError(t, err)
		requireRefusal(t, w.do("POST", "/auth/members/register", credentials("users", "ann@example.com", testPassword)), 500, "server_error")
		require.Contains(t, w.log.String(), "a hook of the model", store)
		require.Equal(t, 0, w.count("members"), store)
	}
}

// Create also works for kinds without a Register hook. It does not ask Allow.
func TestCreateMakesTheFirstAccount(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(context.Context, *User) error { panic("Create must not call Allow") }}
		cfg.Entities[1] = fiberjwt.Entity[Teacher]{Identity: "login"}
	})
	ctx := t.Context()
	head := &Teacher{Login: "Head"}
	require.NoError(t, fiberjwt.Create(ctx, w.auth, head, testPassword))
	require.EqualValues(t, 1, head.ID)
	require.Equal(t, "head", head.Login)
	require.Equal(t, 0, w.count("fiberjwt_sessions"))
	w.login("teachers", "head")
	require.NoError(t, fiberjwt.Create(ctx, w.auth, &User{Email: "root@example.com", Admin: true}, testPassword))
	require.Equal(t, "true", w.text("SELECT admin FROM users"))

	again := &Teacher{Login: "HEAD"}
	require.ErrorIs(t, fiberjwt.Create(ctx, w.auth, again, testPassword), fiberjwt.ErrTaken)
	require.Equal(t, &Teacher{Login: "HEAD"}, again, "Create must not change an account that it does not store")
	for name, test := range map[string]struct{ login, password, field string }{
		"no identity":              {"", testPassword, "login"},
		"a leading blank":          {" head", testPassword, "login"},
		"a NUL":                    {"he\x00ad", testPassword, "login"},
		"invalid UTF-8":            {"he\xffad", testPassword, "login"},
		"a short password":         {"deputy", "short", "password"},
		"a common password":        {"deputy", "password1", "password"},
		"the identity as password": {"the deputy head", "The Deputy Head", "password"},
	} {
		err := fiberjwt.Create(ctx, w.auth, &Teacher{Login: test.login}, test.password)
		var refusal *fiberjwt.Error
		require.ErrorAs(t, err, &refusal, name)
		require.ErrorIs(t, err, fiberjwt.ErrFields, name)
		require.Contains(t, refusal.Fields, test.field, name)
	}
	require.Equal(t, 1, w.count("teachers"))

	require.ErrorIs(t, fiberjwt.Create[Teacher](ctx, w.auth, nil, testPassword), fiberjwt.ErrSetup)
	require.ErrorIs(t, fiberjwt.Create(ctx, w.auth, &Member{Email: "ann"}, testPassword), fiberjwt.ErrSetup)
	require.NoError(t, w.db.Close())
	require.ErrorIs(t, fiberjwt.Create(ctx, w.auth, &Teacher{Login: "late"}, testPassword), fiberjwt.ErrUnavailable)
}

// The new account has the primary key of a deleted one.
func TestCreateEndsSessionsOfFormerAccount(t *testing.T) {
	for _, store := range []string{"same database", "separate store"} {
		w := newWorld(t, func(cfg *fiberjwt.Config) {
			if store == "separate store" {
				cfg.Store = newMemory()
			}
		})
		w.sql(`DROP TABLE teachers`, `CREATE TABLE teachers (id INTEGER PRIMARY KEY, login TEXT UNIQUE, password_hash TEXT)`)
		pair := w.register("teachers", "ann")
		w.sql(`DELETE FROM teachers`)
		bob := &Teacher{Login: "bob"}
		require.NoError(t, fiberjwt.Create(t.Context(), w.auth, bob, testPassword))
		require.EqualValues(t, 1, bob.ID, "the test needs the key of the deleted account")
		require.Equal(t, 401, w.get("/teachers/me", pair.Access).Status, store)
	}
}

func TestHashPasswordMakesHashThatLoginAccepts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	hash, err := w.auth.HashPassword(ctx, testPassword)
	require.NoError(t, err)
	w.add(&User{Email: "ann@example.com", PasswordHash: hash})
	w.login("users", "ann@example.com")
	_, err = w.auth.HashPassword(ctx, "short")
	require.ErrorIs(t, err, fiberjwt.ErrFields)

	for name, test := range map[string]struct {
		hash, password string
		want           bool
	}{
		"the right password":           {hash, testPassword, true},
		"another password":             {hash, newPassword, false},
		"a bcrypt hash":                {bcryptOfTestPassword, testPassword, true},
		"no hash":                      {"", testPassword, false},
		"an unknown hash format":       {"md5:0cc175b9c0f1b6a8", testPassword, false},
		"a password of 1 MiB":          {hash, strings.Repeat("a", 1<<20), false},
		"no password":                  {hash, "", false},
		"a password that is not UTF-8": {hash, "\xff\x00", false},
	} {
		ok, err := w.auth.CheckPassword(ctx, test.hash, test.password)
		require.NoError(t, err, name)
		require.Equal(t, test.want, ok, name)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = w.auth.CheckPassword(cancelled, hash, testPassword)
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
	_, err = w.auth.HashPassword(cancelled, testPassword)
	require.ErrorIs(t, err, fiberjwt.ErrUnavailable)
}

// A separate store takes no part in the transaction. If that is rolled back, the session would remain, and the next
// account with the same key would own it.
func TestGrantDBIsRefusedWithSeparateSessionStore(t *testing.T) {
	separate := newDB(t)
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Store = session.NewSQL(separate) })
	err := w.db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		ann := &User{Email: "ann@example.com", PasswordHash: hashOfTestPassword}
		if _, err := tx.NewInsert().Model(ann).Exec(ctx); err != nil {
			return err
		}
		_, err := w.auth.Issue(ctx, ann, fiberjwt.LoginOptions{DB: tx})
		return err
	})
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.ErrorContains(t, err, "LoginOptions.DB")
	n, err := separate.NewSelect().Table("fiberjwt_sessions").Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = w.auth.Issue(t.Context(), w.addUser("bob@example.com"), fiberjwt.LoginOptions{DB: w.db})
	require.NoError(t, err, "LoginOptions.DB may be a database that is not in a transaction")
}

// The log says that the format is unknown, and contains no part of the hash.
func TestLogNamesUnknownHashFormat(t *testing.T) {
	w := quickWorld(t)
	for i, hash := range []string{"!", "pbkdf2_sha256$600000$salt$c29tZXRoaW5nIHRoYXQgaXMgYSBoYXNo", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy and more"} {
		w.log.Reset()
		w.clock.Advance(time.Hour)
		email := fmt.Sprint("ann", i, "@example.com")
		w.add(&User{Email: email, PasswordHash: hash})
		requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", email, testPassword)), 401, "invalid_credentials")
		if i == 0 { // "!" is the usual mark of a locked account
			require.Empty(t, w.log.String())
			continue
		}
		require.Contains(t, w.log.String(), "neither argon2id nor bcrypt", hash)
		require.Contains(t, w.log.String(), "column=password_hash")
		require.NotContains(t, w.log.String(), "pbkdf2")
	}
}

// Imports sometimes leave a blank after each hash.
func TestHashWithTrailingBlankSignsIn(t *testing.T) {
	for name, hash := range map[string]string{"bcrypt": bcryptOfTestPassword, "argon2id": hashOfTestPassword} {
		for _, store := range []string{"same database", "separate store"} {
			t.Run(name+", "+store, func(t *testing.T) {
				w := newWorld(t, func(cfg *fiberjwt.Config) {
					if store == "separate store" {
						cfg.Store = newMemory()
					}
				})
				imported := func() *User {
					user := &User{}
					require.NoError(t, w.db.NewSelect().Model(user).Scan(t.Context()))
					return user
				}
				w.add(&User{Email: "ann@example.com", PasswordHash: hash + " "})
				_, err := w.auth.Issue(t.Context(), imported())
				require.NoError(t, err)
				link, err := fiberjwt.ResetToken(w.auth, imported(), 0)
				require.NoError(t, err)
				_, err = fiberjwt.ResetPassword[User](t.Context(), w.auth, link, newPassword)
				require.NoError(t, err)

				w.sql("UPDATE users SET password_hash = '" + hash + " '")
				w.login("users", "ann@example.com")
				pair := w.login("users", "ann@example.com")
				w.sql("UPDATE users SET password_hash = '" + hash + " '")
				body := `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`
				require.Equal(t, 204, w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+pair.Access).Status)
				require.Empty(t, w.log.String())
			})
		}
	}
}

// A sign-in could not find an account whose identity or hash the hook changed in these ways.
func TestRegisterHookMayNotSpoilIdentityOrHash(t *testing.T) {
	for name, test := range map[string]struct {
		change func(u *User)
		want   string // in the log
	}{
		"no identity":                {func(u *User) { u.Email = "" }, "sets Email"},
		"an invisible character":     {func(u *User) { u.Email = "b\u200bob@example.com" }, "sets Email"},
		"capital letters":            {func(u *User) { u.Email = "BOB@example.com" }, "sets Email"},
		"no hash":                    {func(u *User) { u.PasswordHash = "" }, "changes PasswordHash"},
		"the plain password as hash": {func(u *User) { u.PasswordHash = testPassword }, "changes PasswordHash"},
	} {
		t.Run(name, func(t *testing.T) {
			w := quickWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Entities[0] = fiberjwt.Entity[User]{Register: func(_ fiber.Ctx, u *User) error { test.change(u); return nil }}
			})
			requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", "ann@example.com", testPassword)), 500, "server_error")
			require.Zero(t, w.count("users"))
			require.Contains(t, w.log.String(), test.want)
		})
	}
}

// The application loaded the account without its hash.
func TestIssueOfPartlyLoadedAccountIsLogged(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	_, err := w.auth.Issue(t.Context(), &User{ID: 1, Email: "ann@example.com"})
	require.ErrorIs(t, err, fiberjwt.ErrBadCredentials)
	require.Contains(t, w.log.String(), "load the account whole")
}

// A retry cannot help, so the error must not be ErrUnavailable.
func TestFinishedTransactionInGrantDBGetsErrSetup(t *testing.T) {
	w := quickWorld(t)
	ann := w.addUser("ann@example.com")
	tx, err := w.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
	_, err = w.auth.Issue(t.Context(), ann, fiberjwt.LoginOptions{DB: tx})
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.ErrorContains(t, err, "the transaction is over")
}
