package statement_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/internal/statement"
)

type note struct {
	ID   int64 `bun:",pk"`
	Text string
	Data []byte
}

func (note) TableName() string { return "notes" }

// newDB returns a database in memory with the table of notes.
func newDB(t *testing.T, options ...bun.DBOption) *bun.DB {
	t.Helper()
	conn, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	conn.SetMaxOpenConns(1) // otherwise each connection has its own database
	db := bun.NewDB(conn, sqlitedialect.New(), options...)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.NewCreateTable().Model((*note)(nil)).Table("notes").Exec(t.Context())
	require.NoError(t, err)
	return db
}

func insertion(db *bun.DB) *statement.Statement {
	return statement.NewPool(db, nil).New("INSERT INTO notes (id, text, data) VALUES (" + string(statement.Arg(2)+", "+statement.Arg(1)+", "+statement.Arg(3)+")"))
}

func selection(db *bun.DB) *statement.Statement {
	return statement.NewPool(db, nil).New("SELECT id, text, data FROM notes WHERE text = " + string(statement.Arg(1)+" OR data = "+statement.Arg(1)+" ORDER BY id"))
}

// seen collects the statements that a query hook sees.
type seen struct {
	mu   sync.Mutex
	text []string
}

func (s *seen) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }
func (s *seen) AfterQuery(_ context.Context, event *bun.QueryEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, event.Query)
}

func (s *seen) take() (text []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, s.text = s.text, nil
	return text
}

// resolver sends every query to conn, and counts them.
type resolver struct {
	conn  bun.IConn
	asked int
}

func (r *resolver) ResolveConn(context.Context, bun.Query) bun.IConn { r.asked++; return r.conn }
func (r *resolver) Close() error                                     { return nil }

func TestValuesArriveAsTheyAre(t *testing.T) {
	routed := &resolver{}
	for name, db := range map[string]*bun.DB{
		"prepared":         newDB(t),
		"in the text":      newDB(t, bun.WithConnResolver(routed)),
		"with a named arg": newDB(t).WithNamedArg("name", "'; DROP TABLE notes; --"),
	} {
		t.Run(name, func(t *testing.T) {
			for i, text := range []string{"", "a?b ?name ?1 $1", `it's "quoted" \`, "x'00'", "ünïcode \u2028"} {
				_, err := insertion(db).Exec(t.Context(), db, text, int64(-i), []byte{0, '\'', byte(i)})
				require.NoError(t, err)
				var found []note
				require.NoError(t, selection(db).Scan(t.Context(), db, &found, text))
				require.Equal(t, []note{{ID: int64(-i), Text: text, Data: []byte{0, '\'', byte(i)}}}, found)
			}
		})
	}
	require.NotZero(t, routed.asked)
}

func TestScanOfNoRowIsErrNoRows(t *testing.T) {
	db := newDB(t)
	var found note
	require.ErrorIs(t, selection(db).Scan(t.Context(), db, &found, "nothing"), sql.ErrNoRows)
}

func TestQueryHookSeesPlaceholdersInsteadOfValues(t *testing.T) {
	hook := &seen{}
	db := newDB(t).WithQueryHook(hook)
	_, err := insertion(db).Exec(t.Context(), db, "private", int64(1), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"INSERT INTO notes (id, text, data) VALUES (?2, ?1, ?3)"}, hook.take())
}

func TestStatementOfAClosedPoolIsText(t *testing.T) {
	hook := &seen{}
	db := newDB(t).WithQueryHook(hook)
	pool := statement.NewPool(db, nil)
	find := pool.New("SELECT id FROM notes WHERE text = " + string(statement.Arg(1)))
	var found []note
	require.NoError(t, find.Scan(t.Context(), db, &found, "x"))
	pool.Close()
	pool.Close()
	require.NoError(t, find.Scan(t.Context(), db, &found, "x"))
	require.Equal(t, []string{"SELECT id FROM notes WHERE text = ?1", "SELECT id FROM notes WHERE text = 'x'"}, hook.take())
}

func TestQueryHookSeesAStatementThatCannotBePrepared(t *testing.T) {
	hook := &seen{}
	db := newDB(t).WithQueryHook(hook)
	find := statement.NewPool(db, nil).New("SELECT id FROM nowhere WHERE id = " + string(statement.Arg(1)))
	require.ErrorContains(t, find.Scan(t.Context(), db, new([]note), int64(1)), "no such table")
	require.Equal(t, []string{"SELECT id FROM nowhere WHERE id = 1"}, hook.take())
}

func TestStatementRunsInTheTransaction(t *testing.T) {
	db := newDB(t)
	add, find := insertion(db), selection(db)
	var found []note
	err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := add.Exec(ctx, tx, "gone", int64(1), nil)
		require.NoError(t, err)
		require.NoError(t, find.Scan(ctx, tx, &found, "gone"))
		require.Len(t, found, 1)
		return errRolledBack
	})
	require.ErrorIs(t, err, errRolledBack)
	require.NoError(t, find.Scan(t.Context(), db, &found, "gone"))
	require.Empty(t, found)
}

var errRolledBack = errors.New("rolled back")

func TestStatementBeforeItsTableExistsWorksLater(t *testing.T) {
	db := newDB(t)
	_, err := db.ExecContext(t.Context(), "DROP TABLE notes")
	require.NoError(t, err)
	find := selection(db)
	var found []note
	require.ErrorContains(t, find.Scan(t.Context(), db, &found, "x"), "no such table")
	_, err = db.NewCreateTable().Model((*note)(nil)).Table("notes").Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, find.Scan(t.Context(), db, &found, "x"))
}

func TestStatementOutlivesAChangeOfItsTable(t *testing.T) {
	db := newDB(t)
	find := selection(db)
	var found []note
	require.NoError(t, find.Scan(t.Context(), db, &found, "x"))
	for _, change := range []string{
		"ALTER TABLE notes ADD COLUMN author TEXT", "ALTER TABLE notes DROP COLUMN author", "DROP TABLE notes",
		"CREATE TABLE notes (data BLOB, text TEXT, id INTEGER PRIMARY KEY)",
	} {
		_, err := db.ExecContext(t.Context(), change)
		require.NoError(t, err)
	}
	_, err := insertion(db).Exec(t.Context(), db, "x", int64(7), nil)
	require.NoError(t, err)
	require.NoError(t, find.Scan(t.Context(), db, &found, "x"))
	require.Equal(t, int64(7), found[0].ID)
}

func TestStatementIsSafeForConcurrentUse(t *testing.T) {
	db := newDB(t)
	add, find := insertion(db), selection(db)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 20 {
				text := string(rune('a' + i))
				if _, err := add.Exec(t.Context(), db, text, int64(i*100+n), nil); err != nil {
					t.Error(err)
				}
				var found []note
				if err := find.Scan(t.Context(), db, &found, text); err != nil || len(found) != n+1 {
					t.Error(len(found), err)
				}
			}
		})
	}
	all.Wait()
}
