package dbtest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// pupil has strings for columns of other types, so that the database validates them.
type pupil struct {
	bun.BaseModel `bun:"table:pupils"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
	SchoolID      int64  `bun:",nullzero" json:"school_id"`
	Age           int64  `bun:"type:smallint,nullzero" json:"age"`
	Nick          string `bun:"type:varchar(5),nullzero" json:"nick"`
	Year          string `bun:"type:int,nullzero" json:"year"`
	Born          string `bun:"type:date,nullzero" json:"born"`
}

type school struct {
	bun.BaseModel `bun:"table:schools"`
	ID            int64 `bun:",pk"`
}

func TestConstraintViolationGets422OnPostgres(t *testing.T) {
	testConstraints(t, postgres(t)(t))
}

func TestConstraintViolationGets422OnMariaDB(t *testing.T) {
	testConstraints(t, maria(t)(t))
}

func TestConstraintViolationGets422OnMySQL(t *testing.T) {
	testConstraints(t, mySQL(t)(t))
}

// testConstraints needs a database without tables.
func testConstraints(t *testing.T, db *bun.DB) {
	ctx := t.Context()
	migrate(t, db, (*school)(nil))
	_, err := db.NewInsert().Model(&school{ID: 1}).Exec(ctx)
	require.NoError(t, err)
	_, err = db.NewCreateTable().Model((*pupil)(nil)).ForeignKey("(school_id) REFERENCES schools (id)").Exec(ctx)
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, "ALTER TABLE pupils ADD CONSTRAINT old_enough CHECK (age > 5)")
	require.NoError(t, err)

	s := newService(t, db, fiberjwt.Entity[pupil]{Register: fiberjwt.Anyone[pupil], Fillable: []string{"school_id", "age", "nick", "year", "born"}})
	register := func(name, members string) int {
		email := strings.ReplaceAll(name, " ", "-") + "@example.com" // so that the throttle counts each name separately
		status, _ := s.post(t, "/auth/pupils/register", `{"email":"`+email+`","password":"correct horse battery"`+members+`}`)
		return status
	}
	require.Equal(t, 201, register("ann", `,"school_id":1,"age":12,"nick":"annie","year":"2026","born":"2014-01-31"`), s.log.String())
	require.Equal(t, 409, register("ann", ""))
	for name, members := range map[string]string{
		"a school that does not exist":  `,"school_id":2`,
		"an age that the check refuses": `,"age":4`,
		"an age out of range":           `,"age":70000`,
		"a nick that is too long":       `,"nick":"annabel"`,
		"a word for a number":           `,"year":"soon"`,
		"text after a number":           `,"year":"2026 or so"`,
		"a word for a date":             `,"born":"soon"`,
	} {
		s.log.Reset()
		s.later += time.Minute // the log has one line a minute for each cause
		require.Equal(t, 422, register(name, members), "%s: %s", name, s.log.String())
		require.Equal(t, 1, strings.Count(s.log.String(), "\n"), s.log.String())
		require.Contains(t, s.log.String(), "level=WARN")
		require.NotContains(t, s.log.String(), "soon", "the log contains text of the client")
	}
	_, err = db.ExecContext(ctx, "ALTER TABLE pupils ADD COLUMN phone VARCHAR(20) DEFAULT '0' NOT NULL")
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, "ALTER TABLE pupils ALTER COLUMN phone DROP DEFAULT")
	require.NoError(t, err)
	require.Equal(t, 422, register("a column that is never set", ""), s.log.String())
	require.Contains(t, s.log.String(), "phone")
}
