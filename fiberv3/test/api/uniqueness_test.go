// Code generated from ../../../test/api/uniqueness_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// withoutIndex is a world whose table allows two users with the same email address.
func withoutIndex(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	w := newWorld(t, configure...)
	for _, statement := range []string{
		"DROP TABLE users",
		"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, full_name TEXT, admin BOOLEAN, disabled BOOLEAN, password_hash TEXT)",
	} {
		_, err := w.db.Exec(statement)
		require.NoError(t, err)
	}
	return w
}

type tenantUser struct {
	bun.BaseModel `bun:"table:tenant_users"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Tenant        int64  `bun:",unique:tenant_email" json:"tenant"`
	Email         string `bun:",unique:tenant_email" json:"email"`
	PasswordHash  string `json:"-"`
}

type tenantAndUnique struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Tenant       int64  `bun:"unique:tenant_email" json:"tenant"`
	Email        string `bun:",unique,unique:tenant_email" json:"email"`
	PasswordHash string `json:"-"`
}

type namedUnique struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique:one_email" json:"email"`
	PasswordHash string `json:"-"`
}

type softUnique struct {
	ID           int64     `bun:",pk,autoincrement" json:"id"`
	Email        string    `bun:",unique:living" json:"email"`
	DeletedAt    time.Time `bun:",soft_delete,unique:living" json:"-"`
	PasswordHash string    `json:"-"`
}

type softNull struct {
	ID           int64     `bun:",pk,autoincrement" json:"id"`
	Email        string    `bun:",unique:living" json:"email"`
	DeletedAt    time.Time `bun:",soft_delete,nullzero,unique:living" json:"-"`
	PasswordHash string    `json:"-"`
}

type untagged struct {
	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `json:"email"`
	PasswordHash string `json:"-"`
}

type hookedTenant struct{ tenantUser }

func (*hookedTenant) BeforeSelect(context.Context, *bun.SelectQuery) error { return nil }

func TestOpenRefusesIdentityThatIsUniqueOnlyInGroup(t *testing.T) {
	for name, c := range map[string]struct {
		kind    fiberjwt.AnyEntity
		refused string
	}{
		"group with a column":    {fiberjwt.Entity[tenantUser]{}, "unique:tenant_email"},
		"group with a NULL time": {fiberjwt.Entity[softNull]{}, "unique:living"},
		"group with a zero time": {fiberjwt.Entity[softUnique]{}, ""},
		"also unique alone":      {fiberjwt.Entity[tenantAndUnique]{}, ""},
		"a named group of one":   {fiberjwt.Entity[namedUnique]{}, ""},
		"no unique tag":          {fiberjwt.Entity[untagged]{}, ""},
		"Load":                   {fiberjwt.Entity[tenantUser]{Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("tenant = 1") }}, ""},
		"BeforeSelect":           {fiberjwt.Entity[hookedTenant]{}, ""},
		"no passwords":           {fiberjwt.Entity[tenantUser]{Password: "-"}, ""},
	} {
		_, err := fiberjwt.Open(fiberjwt.Config{DB: newDB(t), Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{c.kind}})
		if c.refused == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, `Identity: the column "email" is unique only together with others`, name)
		require.ErrorContains(t, err, c.refused, name)
		require.ErrorContains(t, err, "tag it `bun:\",unique\"`", name)
	}
}

func TestDuplicateIdentityIsRefusedWithoutIndex(t *testing.T) {
	for _, store := range []string{"the accounts' database", "a separate store"} {
		t.Run(store, func(t *testing.T) {
			w := withoutIndex(t, func(cfg *fiberjwt.Config) {
				if store == "a separate store" {
					cfg.Store = newMemory()
				}
			})
			w.register("users", "ann@example.com")
			for _, typed := range []string{"ann@example.com", "Ann@example.com"} {
				requireRefusal(t, w.do("POST", "/auth/users/register", credentials("users", typed, newPassword)), 409, "taken")
			}
			require.ErrorIs(t, fiberjwt.Create(t.Context(), w.auth, &User{Email: "ann@example.com"}, newPassword), fiberjwt.ErrTaken)
			require.Equal(t, 1, w.count("users"))
			require.Equal(t, 1, strings.Count(w.log.String(), "\n"), w.log.String())
			require.Contains(t, w.log.String(), "give the column a unique index")
			require.NotContains(t, w.log.String(), "ann@")
			w.login("users", "ann@example.com")
		})
	}
}

// cancelAfterSecond cancels the context of a request after its second SELECT of users.
type cancelAfterSecond struct {
	selects int
	cancel  context.CancelFunc
}

func (*cancelAfterSecond) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	return ctx
}

func (h *cancelAfterSecond) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if !strings.HasPrefix(event.Query, `SELECT "user"`) {
		return
	}
	if h.selects++; h.selects == 2 {
		h.cancel()
	}
}

// If an address has two accounts, the response comes only after a hash, so that its
// time does not reveal this. The first request ends before the hash: it gets a 503.
func TestAmbiguousLoginIsAnsweredAfterHashing(t *testing.T) {
	var hook *cancelAfterSecond
	w := withoutIndex(t, func(cfg *fiberjwt.Config) {
		routes := cfg.Routes
		routes.Use(func(c fiber.Ctx) error {
			ctx, cancel := context.WithCancel(c.Context())
			hook.cancel = cancel
			c.SetContext(ctx)
			return c.Next()
		})
	})
	w.addUser("ann@example.com")
	w.addUser("ann@example.com")
	hook = &cancelAfterSecond{}
	w.db.AddQueryHook(hook)
	requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)), 503, "temporarily_unavailable")
	require.Equal(t, 2, hook.selects)
	requireRefusal(t, w.do("POST", "/auth/users/login", credentials("users", "ann@example.com", testPassword)), 500, "server_error")
}

func TestLoginRefusesAmbiguousIdentity(t *testing.T) {
	w := withoutIndex(t)
	w.register("users", "bob@example.com")
	w.addUser("ann@example.com")
	w.addUser("ann@example.com")
	w.login("users", "bob@example.com")
	for _, typed := range []string{"ann@example.com", "Ann@example.com"} {
		a := w.do("POST", "/auth/users/login", credentials("users", typed, testPassword))
		require.Equal(t, 500, a.Status, typed)
		require.Equal(t, "server_error", a.Code(t))
	}
	require.Equal(t, 1, strings.Count(w.log.String(), "\n"), w.log.String())
	require.Contains(t, w.log.String(), `kind users: two accounts have the same \"email\"`)
	require.Contains(t, w.log.String(), "unique index")
	require.NotContains(t, w.log.String(), "ann@")
}

// afterLoad runs once, after the next SELECT of a user.
type afterLoad struct{ run func() }

func (*afterLoad) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (h *afterLoad) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if run := h.run; run != nil && strings.HasPrefix(event.Query, `SELECT "user"`) {
		h.run = nil
		run()
	}
}

// After the request has loaded ann's session, her address becomes bob's. Both have the
// same password.
func TestPasswordChangeNeverAffectsNewOwnerOfIdentity(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.register("users", "ann@example.com"), w.register("users", "bob@example.com")
	hashes := func() (all []string) {
		require.NoError(t, w.db.NewSelect().Model((*User)(nil)).Column("password_hash").Order("id").Scan(t.Context(), &all))
		return all
	}
	before := hashes()
	w.db.AddQueryHook(&afterLoad{func() {
		for _, statement := range []string{
			"UPDATE users SET email = 'moved@example.com' WHERE id = 1", "UPDATE users SET email = 'ann@example.com' WHERE id = 2",
		} {
			_, err := w.db.Exec(statement)
			require.NoError(t, err)
		}
	}})
	body := `{"current_password":"` + testPassword + `","password":"` + newPassword + `"}`
	a := w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+ann.Access)
	require.Equal(t, 401, a.Status, a.Body)
	require.Equal(t, "invalid_credentials", a.Code(t))
	require.Equal(t, before, hashes())
	require.Equal(t, 200, w.get("/users/me", bob.Access).Status, "the request must not end bob's session")

	a = w.do("POST", "/auth/users/password", body, "Authorization", "Bearer "+ann.Access)
	require.Equal(t, 204, a.Status, "ann must be able to change her password under her new address")
	require.Equal(t, before[1], hashes()[1])
}

// Accounts that were stored without the library may differ only in case.
func TestLoginPrefersExactSpelling(t *testing.T) {
	w := newWorld(t)
	w.register("users", "ann@example.com")
	w.register("users", "former@example.com")
	_, err := w.db.Exec("UPDATE users SET email = 'Ann@example.com' WHERE email = 'former@example.com'")
	require.NoError(t, err)
	for typed, subject := range map[string]string{"ann@example.com": "1", "Ann@example.com": "2", "ANN@example.com": "1"} {
		pair := w.login("users", typed)
		s, err := w.auth.Verify(t.Context(), pair.Access)
		require.NoError(t, err)
		require.Equal(t, subject, s.Subject, typed)
	}
}

func TestJoinInLoadDoesNotDuplicateAccount(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Load: func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Join("JOIN (SELECT 1 AS role UNION SELECT 2) AS roles")
		}}}
	})
	w.register("users", "ann@example.com")
	w.login("users", "ann@example.com")
	w.login("users", "Ann@example.com")
}
