// Code generated from ../../../test/api/fingerprint_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/session"
)

// Walker signs in without a password. Its table can assign the highest key a second time.
type Walker struct {
	bun.BaseModel `bun:"table:walkers"`
	ID            int64   `bun:",pk,autoincrement" json:"id"`
	Provider      string  `bun:",unique:at" json:"provider"`
	Number        *int64  `bun:",unique:at" json:"number"`
	Email         *string `bun:",unique" json:"email"`
	Name          string  `json:"name"`
}

// Guest has no unique column except its key.
type Guest struct {
	bun.BaseModel `bun:"table:guests"`
	ID            int64 `bun:",pk,autoincrement"`
	Visits        int
	Name          string
	Room          string
}

var confirmWalker = fiberjwt.Link[Walker]{Name: "confirm"}

// newWalkerWorld is a world with two further kinds, walkers and guests.
func newWalkerWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*fiberjwt.Config){func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Walker]{Password: "-"}, fiberjwt.Entity[Guest]{Password: "-"})
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromTicket("ticket"), fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie(""))
	}}, configure...)...)
	w.sql(`CREATE TABLE walkers (id INTEGER PRIMARY KEY, provider TEXT, number BIGINT, email TEXT, name TEXT)`,
		`CREATE TABLE guests (id INTEGER PRIMARY KEY, visits INT, name TEXT, room TEXT)`)
	w.app.Get("/walkers/ticket", func(c fiber.Ctx) error {
		ticket, err := fiberjwt.Ticket(c, "/walkers/film", time.Hour, "walkers")
		if err != nil {
			return err
		}
		return c.SendString(ticket)
	})
	w.app.Get("/walkers/film", fiberjwt.As(func(c fiber.Ctx, m *Walker) error { return c.SendString(m.Name) }))
	return w
}

// issueFor signs in a stored account by Issue.
func (w *world) issueFor(account any) tokens {
	w.t.Helper()
	issued, err := w.auth.Issue(w.t.Context(), account)
	require.NoError(w.t, err)
	return tokens{issued.AccessToken, issued.RefreshToken}
}

// walker stores a Walker whose values derive from name.
func (w *world) walker(name string) *Walker {
	w.t.Helper()
	email, number := name+"@example.com", int64(len(name))
	m := &Walker{Provider: name, Number: &number, Email: &email, Name: name}
	_, err := w.db.NewInsert().Model(m).Exec(w.t.Context())
	require.NoError(w.t, err)
	return m
}

// The database assigns the key of the deleted account ann to bob.
func TestReusedPrimaryKeyInvalidatesOldTokens(t *testing.T) {
	for name, configure := range map[string]func(*fiberjwt.Config){
		"sessions in the same database": func(*fiberjwt.Config) {},
		"sessions in a separate store":  func(cfg *fiberjwt.Config) { cfg.Store = session.NewSQL(newDB(t)) },
		"with a cache":                  func(cfg *fiberjwt.Config) { cfg.CacheTTL = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWalkerWorld(t, configure)
			ann := w.walker("ann")
			held := w.issueFor(ann)
			link, err := confirmWalker.Token(w.auth, ann)
			require.NoError(t, err)
			ticket := w.get("/walkers/ticket", held.Access).Body
			require.Equal(t, "ann", w.do("GET", "/walkers/film?ticket="+ticket, "").Body)
			require.Equal(t, 200, w.refresh("walkers", held.Refresh).Status)
			w.sql(`DELETE FROM walkers`)
			bob := w.walker("bobby")
			require.Equal(t, ann.ID, bob.ID)
			own := w.issueFor(bob)

			require.Equal(t, 401, w.get("/walkers/film", held.Access).Status, "the token of ann must not sign in as bob")
			require.Equal(t, 401, w.do("GET", "/walkers/film?ticket="+ticket, "").Status)
			require.Equal(t, 401, w.refresh("walkers", held.Refresh).Status)
			_, err = confirmWalker.Redeem(t.Context(), w.auth, link)
			require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
			require.Equal(t, 204, w.do("POST", "/auth/walkers/logout-all", "", "Authorization", "Bearer "+held.Access).Status)
			require.Equal(t, "bobby", w.get("/walkers/film", own.Access).Body, "the token of ann must not end the sessions of bob")
			listed := w.get("/auth/walkers/sessions", own.Access).Body
			require.Equal(t, 1, strings.Count(listed, `"id"`), "the list of bob must not show the session of ann: %s", listed)
			require.Contains(t, w.log.String(), "provider, number, email")
			require.NotContains(t, w.log.String(), "bobby")
		})
	}
}

func TestFirstTextColumnFingerprintsAccount(t *testing.T) {
	w := newWalkerWorld(t)
	enter := func(g *Guest) tokens {
		_, err := w.db.NewInsert().Model(g).Exec(t.Context())
		require.NoError(t, err)
		return w.issueFor(g)
	}
	ann := enter(&Guest{Name: "ann"})
	w.sql(`UPDATE guests SET visits = 7, room = '101'`)
	require.Equal(t, 200, w.get("/auth/guests/me", ann.Access).Status, "a change of other columns must not end the session")
	w.sql(`DELETE FROM guests`)
	bob := enter(&Guest{Name: "bob"})
	require.Equal(t, 401, w.get("/auth/guests/me", ann.Access).Status)
	require.Equal(t, 200, w.get("/auth/guests/me", bob.Access).Status)
}

func TestIdentityFingerprintsPasswordlessAccount(t *testing.T) {
	w := newWalkerWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[2] = fiberjwt.Entity[Walker]{Password: "-", Identity: "provider"}
	})
	held := w.issueFor(w.walker("ann"))
	w.sql(`UPDATE walkers SET email = 'other@example.com', number = 3`)
	require.Equal(t, 200, w.get("/walkers/film", held.Access).Status)
	w.sql(`UPDATE walkers SET provider = 'other'`)
	require.Equal(t, 401, w.get("/walkers/film", held.Access).Status)
}

// Numbered has neither a unique column nor a text column.
type Numbered struct {
	bun.BaseModel `bun:"table:numbered"`
	ID            int64 `bun:",pk,autoincrement"`
	Google        int64
	Admin         bool
}

func TestKindWithoutUniqueOrTextColumnNeedsIdentity(t *testing.T) {
	type OnlyKey struct {
		ID int32 `bun:",pk"`
	}
	type OnlyUUID struct {
		ID   UUID `bun:",pk,type:uuid"`
		Seen time.Time
	}
	db := newDB(t)
	open := func(kind fiberjwt.AnyEntity) error {
		_, err := fiberjwt.Open(fiberjwt.Config{DB: db, Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{kind}})
		return err
	}
	for _, kind := range []fiberjwt.AnyEntity{fiberjwt.Entity[Numbered]{Password: "-"}, fiberjwt.Entity[OnlyKey]{Password: "-"}} {
		err := open(kind)
		require.ErrorContains(t, err, "Config.Entities[0]")
		require.ErrorContains(t, err, "Identity: no column of the model is unique or a text")
	}
	require.NoError(t, open(fiberjwt.Entity[OnlyUUID]{Password: "-"}), "a UUID needs no Identity: databases do not assign it twice")

	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Numbered]{Password: "-", Identity: "google"})
	})
	w.sql(`CREATE TABLE numbered (id INTEGER PRIMARY KEY, google INT, admin BOOL)`)
	enter := func(n *Numbered) tokens {
		_, err := w.db.NewInsert().Model(n).Exec(t.Context())
		require.NoError(t, err)
		return w.issueFor(n)
	}
	ann := enter(&Numbered{Google: 101})
	w.sql(`UPDATE numbered SET admin = true`)
	require.Equal(t, 200, w.get("/auth/numbered/me", ann.Access).Status)
	w.sql(`DELETE FROM numbered`)
	bob := enter(&Numbered{Google: 102})
	require.Equal(t, 401, w.get("/auth/numbered/me", ann.Access).Status)
	require.Equal(t, 200, w.get("/auth/numbered/me", bob.Access).Status)
}

// If Load left the columns out, all accounts would have the same fingerprint.
func TestLoadMustSelectFingerprintColumns(t *testing.T) {
	db := newDB(t)
	for name, c := range map[string]struct {
		load func(q *bun.SelectQuery) *bun.SelectQuery
		want string // "" if Open must succeed
	}{
		"other columns":     {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "admin") }, `Load: the SELECT leaves the column "google" out`},
		"a condition alone": {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "admin").Where("google > 0") }, `"google"`},
		"a subselect alone": {func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Column("id").ColumnExpr("(SELECT max(google) FROM others) AS n")
		}, `"google"`},
		"without it":    {func(q *bun.SelectQuery) *bun.SelectQuery { return q.ExcludeColumn("google") }, `"google"`},
		"a longer name": {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id").ColumnExpr("google_id") }, `"google"`},
		"all":           {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("admin") }, ""},
		"the column":    {func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "google") }, ""},
		"an expression": {func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ColumnExpr("numbered.id, COALESCE(google, 0) AS google")
		}, ""},
		"all by a star": {func(q *bun.SelectQuery) *bun.SelectQuery { return q.ColumnExpr("numbered.*") }, ""},
		"all and a subselect": {func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ColumnExpr("(SELECT f(1) FROM x) AS n").ColumnExpr("?TableColumns")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fiberjwt.Open(fiberjwt.Config{DB: db, Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{
				fiberjwt.Entity[Numbered]{Password: "-", Identity: "google", Load: c.load},
			}})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// The struct of the application can differ from the row, for example after a trigger.
func TestIssueFingerprintsStoredRow(t *testing.T) {
	w := newWalkerWorld(t)
	w.sql(`CREATE TRIGGER lower AFTER INSERT ON walkers BEGIN UPDATE walkers SET email = lower(email) WHERE id = new.id; END`)
	m := w.walker("Ann")
	require.Equal(t, "Ann@example.com", *m.Email)
	held := w.issueFor(m)
	require.Equal(t, 200, w.get("/walkers/film", held.Access).Status)
	require.Equal(t, 200, w.get("/walkers/film", w.issueFor(&Walker{ID: m.ID}).Access).Status)
	w.sql(`DELETE FROM walkers`)
	_, err := w.auth.Issue(t.Context(), m)
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
}

// The application still holds the struct of ann when bob gets her key.
func TestLoginOfReplacedAccountIsRefused(t *testing.T) {
	w := newWalkerWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities = append(cfg.Entities, fiberjwt.Entity[Numbered]{Password: "-", Identity: "google"})
		cfg.Public = append(cfg.Public, "POST /door")
	})
	w.sql(`CREATE TABLE numbered (id INTEGER PRIMARY KEY, google INT, admin BOOL)`)
	var held any
	w.app.Post("/door", func(c fiber.Ctx) error {
		_, err := fiberjwt.Login(c, held.(*Walker))
		return err
	})
	ann, one := w.walker("ann"), &Numbered{Google: 101}
	w.add(one)
	held = ann
	w.issueFor(one)
	require.Equal(t, 200, w.do("POST", "/door", "").Status)
	w.sql(`DELETE FROM walkers`, `DELETE FROM numbered`)
	bob := w.walker("bobby")
	w.add(&Numbered{Google: 102})
	require.Equal(t, ann.ID, bob.ID)

	require.Equal(t, 401, w.do("POST", "/door", "").Status)
	for _, former := range []any{ann, &Walker{ID: ann.ID, Provider: "ann"}, &Walker{ID: ann.ID, Number: ann.Number}, one} {
		_, err := w.auth.Issue(t.Context(), former)
		require.ErrorIs(t, err, fiberjwt.ErrBadCredentials)
	}
	require.Contains(t, w.log.String(), "provider, number, email")
	for _, living := range []any{bob, &Walker{ID: bob.ID}, &Walker{ID: bob.ID, Provider: "bobby "}, &Numbered{ID: 1}} {
		w.issueFor(living)
	}
}

func TestFingerprintedSessionsSurviveSecretRotation(t *testing.T) {
	w := newWalkerWorld(t)
	ann := w.walker("ann")
	held := w.issueFor(ann)
	next := newWalkerWorldOn(t, w, func(cfg *fiberjwt.Config) {
		cfg.Secret, cfg.OldSecrets = []byte("another kV9s0bQ2nX7wT4yR1mZ8cL5pD3"), []keys.Secret{[]byte(testSecret)}
	})
	require.Equal(t, 200, next.get("/auth/walkers/me", held.Access).Status)
	renewed := next.refresh("walkers", held.Refresh)
	require.Equal(t, 200, renewed.Status)
	require.Equal(t, 200, next.get("/auth/walkers/me", next.tokensOf(renewed).Access).Status)
}

// newWalkerWorldOn is another process on the database of w.
func newWalkerWorldOn(t *testing.T, w *world, configure func(*fiberjwt.Config)) *world {
	t.Helper()
	return newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.DB, cfg.Now = w.db, w.clock.Now
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[Walker]{Password: "-"}}
	}, configure)
}
