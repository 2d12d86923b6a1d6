package dbtest

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt"
)

// upserted is an account whose INSERT may update the row of another account.
type upserted struct {
	bun.BaseModel `bun:"table:people"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

func (*upserted) BeforeInsert(_ context.Context, query *bun.InsertQuery) error {
	if query.Dialect().Name() == dialect.MySQL {
		query.On("DUPLICATE KEY UPDATE").Set("id = LAST_INSERT_ID(people.id)")
	} else {
		query.On("CONFLICT (email) DO UPDATE").Set("email = EXCLUDED.email")
	}
	return nil
}

// A failed registration deletes only its new row.
func TestRegisterNeverDeletesOtherAccountOnServers(t *testing.T) {
	for name, db := range map[string]*bun.DB{
		"PostgreSQL": withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT")),
		"MariaDB":    withPeople(t, maria(t), mariaPeople("VARCHAR(255)", "InnoDB")),
		"MyISAM":     withPeople(t, maria(t), mariaPeople("VARCHAR(255)", "MyISAM")),
	} {
		t.Run(name, func(t *testing.T) {
			run(t, db, "INSERT INTO people (email, password_hash) VALUES ('ann@example.com', '"+annsBcrypt+"')")
			s := newService(t, db, fiberjwt.Entity[upserted]{Register: fiberjwt.Anyone[upserted]})
			status, answer := s.post(t, "/auth/people/register", ann)
			require.Contains(t, []int{409, 500}, status, answer+s.log.String())
			require.Equal(t, annsBcrypt, storedHash(t, db), s.log.String())
		})
	}
}

// afterUpdate runs once, after the first UPDATE of people.
type afterUpdate struct{ run func() }

func (*afterUpdate) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (h *afterUpdate) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	if run := h.run; run != nil && strings.HasPrefix(event.Query, "UPDATE `people`") {
		h.run = nil
		run()
	}
}

// Without transactions, a failed change must not undo a password that another request
// stored.
func TestPasswordOfAnotherRequestIsNotUndone(t *testing.T) {
	db := withPeople(t, maria(t), mariaPeople("VARCHAR(255)", "MyISAM"))
	later := strings.Replace(annsBcrypt, "$2a$", "$2b$", 1)
	for what, use := range map[string]func(t *testing.T, s *service){
		"login": func(t *testing.T, s *service) { s.post(t, "/auth/people/login", ann) },
		"reset": func(t *testing.T, s *service) {
			account := &person{}
			require.NoError(t, db.NewSelect().Model(account).Scan(t.Context()))
			link, err := fiberjwt.ResetToken(s.auth, account, 0)
			require.NoError(t, err)
			_, _ = fiberjwt.ResetPassword[person](t.Context(), s.auth, link, "another horse battery")
		},
	} {
		t.Run(what, func(t *testing.T) {
			run(t, db, "DELETE FROM people", "INSERT INTO people (email, password_hash) VALUES ('ann@example.com', '"+annsBcrypt+"')")
			s := newService(t, db.WithQueryHook(&afterUpdate{func() { run(t, db, "UPDATE people SET password_hash = '"+later+"'") }}), open)
			use(t, s)
			require.Equal(t, later, storedHash(t, db), s.log.String())
		})
	}
}
