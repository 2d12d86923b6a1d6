package dbcheck_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
)

// The catalogs of servers are tested in session/dbtest. These are indexes as the catalogs
// describe them.
func TestUniqueIndexMustCoverIdentityAlone(t *testing.T) {
	columns := []dbcheck.FoundColumn{{Name: "id"}, {Name: "email"}, {Name: "text"}, {Name: "tenant"}, {Name: "gone", Nullable: true}}
	settled := []dbcheck.FoundColumn{{Name: "email"}, {Name: "gone"}}
	for name, c := range map[string]struct {
		index   dbcheck.Index
		columns []dbcheck.FoundColumn
		apart   bool
	}{
		"the column":                      {dbcheck.Index{Parts: []string{"email"}}, columns, true},
		"a cast to the name of a column":  {dbcheck.Index{Parts: []string{"lower((email)::text)"}}, columns, true},
		"a generated column of live rows": {dbcheck.Index{Parts: []string{"if((`gone` is null),`email`,NULL)"}}, columns, true},
		"MySQL's expression":              {dbcheck.Index{Parts: []string{"(case when (`gone` is null) then lower(`email`) end)"}}, columns, true},
		"live rows":                       {dbcheck.Index{Parts: []string{"email"}, Predicate: "(gone IS NULL)"}, columns, true},
		"live rows that have one":         {dbcheck.Index{Parts: []string{"email"}, Predicate: "((gone IS NULL) AND (email IS NOT NULL))"}, columns, true},
		"with a mark that is never NULL":  {dbcheck.Index{Parts: []string{"email", "gone"}}, settled, true},
		"with a mark that may be NULL":    {dbcheck.Index{Parts: []string{"email", "gone"}}, columns, false},
		"with a tenant":                   {dbcheck.Index{Parts: []string{"tenant", "email"}}, columns, false},
		"with a tenant in one expression": {dbcheck.Index{Parts: []string{"concat(`tenant`,`email`)"}}, columns, false},
		"some rows":                       {dbcheck.Index{Parts: []string{"email"}, Predicate: "(tenant = 1)"}, columns, false},
		"live rows of a tenant":           {dbcheck.Index{Parts: []string{"email"}, Predicate: "((gone IS NULL) AND (tenant = 1))"}, columns, false},
		"deleted rows":                    {dbcheck.Index{Parts: []string{"email"}, Predicate: "(gone IS NOT NULL)"}, columns, false},
		"another column":                  {dbcheck.Index{Parts: []string{"text"}}, columns, false},
		"a column of a longer name":       {dbcheck.Index{Parts: []string{"lower(email_old)"}}, columns, false},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := dbcheck.Table{Columns: []dbcheck.Column{{Name: "email", Setting: "Identity", Alone: true}}, SoftDelete: "gone"}
			faults := wanted.Faults(dbcheck.Found{Exists: true, Columns: c.columns, Unique: []dbcheck.Index{c.index}})
			require.Equal(t, c.apart, len(faults) == 0, faults)
		})
	}
}

func TestClocksMayDifferByAMinute(t *testing.T) {
	asked := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	answered := asked.Add(5 * time.Second)
	for there, want := range map[time.Duration]int{
		-61 * time.Second: 1, -60 * time.Second: 0, 0: 0, 5 * time.Second: 0, 65 * time.Second: 0, 66 * time.Second: 1,
	} {
		require.Len(t, dbcheck.Apart(asked.Add(there), asked, answered), want, there)
	}
	require.Contains(t, dbcheck.Apart(asked.Add(-2*time.Minute), asked, answered)[0].Reason, "2m0s behind")
	require.Contains(t, dbcheck.Apart(answered.Add(2*time.Minute), asked, answered)[0].Reason, "2m0s ahead of")
}

func TestSQLiteSettingsAreNotChecked(t *testing.T) {
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "empty.db"))
	require.NoError(t, err)
	counted := &counter{}
	db := bun.NewDB(conn, sqlitedialect.New()).WithQueryHook(counted)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	faults, err := dbcheck.Database(t.Context(), db, true)
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Zero(t, counted.n)
	found, known, err := dbcheck.Look(t.Context(), db, "users")
	require.NoError(t, err)
	require.True(t, known)
	require.False(t, found.Exists)
}

type counter struct{ n int }

func (c *counter) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	c.n++
	return ctx
}

func (*counter) AfterQuery(context.Context, *bun.QueryEvent) {}
