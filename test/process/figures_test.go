package process

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/session"

	"github.com/fiberjwt/fiberjwt/test/process/internal/service"
)

var times = session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: 14 * 24 * time.Hour}

const day = 24 * 3600 * int64(1000)

// sessionRow returns a session that began at now.
func sessionRow(subject int, now int64) session.Row {
	sid := make([]byte, 16)
	_, _ = rand.Read(sid)
	return session.Row{
		SID: sid, Kind: "users", Subject: fmt.Sprint(subject), Prev: -1, Issued: now, IdleUntil: now + 14*day, Ends: now + 90*day,
		AuthTime: now, Created: now, Address: "192.0.2.1", Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	}
}

// trips are numbers of round trips: of a refresh that rotates, of one that is too early,
// and of a whole request to the route, which also loads the account; then of a login
// with a wrong password, of which the throttle makes one, and with the right one, of
// which the throttle makes two.
type trips struct{ Rotate, Same, Request, Guess, Login int64 }

// This test is not parallel, because pgx makes one more round trip on a connection that
// was idle for a second.
func TestRoundTripsPerRequestAreExact(t *testing.T) {
	for name, test := range map[string]struct {
		open  func(t *testing.T) (d database, host string)
		query string // appended to the address
		want  trips
	}{
		"PostgreSQL": {ownPostgres, "", trips{1, 1, 2, 4, 5}},
		"PostgreSQL, pgx with its default settings": {ownPostgres, "default_query_exec_mode=cache_statement", trips{Rotate: 1, Same: 1, Request: 2}},
		// Here the throttle needs a second statement to read what the first one stored.
		"MariaDB": {ownMariaDB, "", trips{1, 1, 2, 6, 7}},
		// A refresh on MySQL is a read and a write.
		"MySQL": {ownMySQL, "", trips{2, 1, 3, 6, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			d, host := test.open(t)
			p := newProxy(t, host)
			address := strings.Replace(d.address, host, p.addr, 1)
			if test.query != "" {
				key, value, _ := strings.Cut(test.query, "=")
				address = withQuery(t, address, key, value)
			}
			w := newWorld(t, d, address)
			want := test.want
			got := trips{Request: w.tripsOfARequest(p, want.Request)}
			if want.Login > 0 { // with a statement cache, the number depends on earlier statements
				got.Guess = w.tripsOfALogin(p, "not the pony's name", 401, want.Guess, 4) // after a fifth failure, the right password would have to wait
				got.Login = w.tripsOfALogin(p, password, 200, want.Login, tries)
			}
			got.Rotate, got.Same = tripsOfTheStore(t, w.db, p, want)
			t.Logf("%+v", got)
			require.Equal(t, want, got)
		})
	}
}

func ownPostgres(t *testing.T) (database, string) {
	c := ownCluster(t)
	return postgresSchema(t, c.address()), c.host()
}

func ownMariaDB(t *testing.T) (database, string) {
	d := mariaDatabase(t)
	return d, hostOf(t, d.address)
}

func ownMySQL(t *testing.T) (database, string) {
	d := mysqlDatabase(t)
	return d, hostOf(t, d.address)
}

// tries is how often the test counts again after too many round trips, because a
// connection that was idle for a second is checked before it is used.
const tries = 30

func (w *world) tripsOfARequest(p *proxy, want int64) int64 {
	w.t.Helper()
	least := int64(99)
	for n := 0; least > want && n < tries; n++ {
		p.count()
		r := w.send("POST", "/auth/users/refresh", object("refresh_token", w.refresh))
		least = min(least, p.count())
		require.Equal(w.t, 200, r.status, r.text)
		require.NotEmpty(w.t, r.member("refresh_token"))
		w.tokens = w.keep(r)
		w.wait(6 * time.Minute)
	}
	return least
}

func (w *world) tripsOfALogin(p *proxy, password string, status int, want int64, most int) int64 {
	w.t.Helper()
	least := int64(99)
	for n := 0; least > want && n < most; n++ {
		p.count()
		r := w.send("POST", "/auth/users/login", object("email", "ann@example.com", "password", password))
		least = min(least, p.count())
		require.Equal(w.t, status, r.status, r.text)
	}
	return least
}

func tripsOfTheStore(t *testing.T, db *bun.DB, p *proxy, want trips) (rotate, same int64) {
	t.Helper()
	store, now := session.NewSQL(db), time.Now().UnixMilli()
	row := sessionRow(1, now)
	require.NoError(t, store.Create(t.Context(), row))
	rotate, same = 99, 99
	for g := int64(0); (rotate > want.Rotate || same > want.Same) && g < tries; g++ {
		now += times.Age.Milliseconds()
		p.count()
		_, o, err := store.Refresh(t.Context(), "users", row.SID, g, now, times)
		rotate = min(rotate, p.count())
		require.NoError(t, err)
		require.Equal(t, session.Rotate, o)
		_, o, err = store.Refresh(t.Context(), "users", row.SID, g+1, now, times)
		same = min(same, p.count())
		require.NoError(t, err)
		require.Equal(t, session.Same, o)
	}
	return rotate, same
}

// A refresh costs PostgreSQL an update that touches no index, on the page of the row.
func TestRefreshIsASmallUpdateInPlace(t *testing.T) {
	if os.Getenv("FIBERJWT_FIGURES") == "" {
		t.Skip("set FIBERJWT_FIGURES=1 to measure 100,000 refreshes, which takes a minute or two")
	}
	const sessions, perSession, total = 2000, 40, 100_000
	d := postgresSchema(t, ownCluster(t).address())
	db, err := service.Open(d.address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, service.CreateTables(t.Context(), db))
	m := meter{t: t, d: d, store: session.NewSQL(db), now: time.Now().UnixMilli()}
	for i := range sessions {
		m.rows = append(m.rows, sessionRow(i, m.now))
		require.NoError(t, m.store.Create(t.Context(), m.rows[i]))
	}
	// The first change of a page after a checkpoint writes the whole page. How often that
	// happens depends on checkpoint_timeout, not on the refresh.
	d.exec(t, "CHECKPOINT")
	m.refresh(1)

	fresh := m.read()
	wals := make([]int64, perSession) // a vacuum may run during some rounds, so the median counts
	for i := range wals {
		before := m.written()
		m.refresh(1)
		wals[i] = (m.written() - before) / sessions
	}
	slices.Sort(wals)
	wal := wals[perSession/2]
	after := m.read()
	refreshes := int64(sessions * perSession)
	hot := 100 * float64(after.hot-fresh.hot) / float64(after.updated-fresh.updated)
	t.Logf("%d refreshes: %d B of WAL each (%d to %d), %.1f %% HOT, table %d kB, with indexes %d kB", refreshes, wal, wals[0], wals[perSession-1], hot, after.table/1024, after.whole/1024)
	require.Equal(t, refreshes, after.updated-fresh.updated)
	require.LessOrEqual(t, wal, int64(256))
	require.GreaterOrEqual(t, hot, 95.0)

	m.refresh(total/sessions - perSession - 1)
	last := m.read()
	t.Logf("after %d refreshes: table %d kB, with indexes %d kB, %.1f %% HOT", total, last.table/1024, last.whole/1024,
		100*float64(last.hot-fresh.hot)/float64(last.updated-fresh.updated))
	require.LessOrEqual(t, last.whole, int64(2<<20), "the table has grown")
}

// meter refreshes sessions and reads the statistics of PostgreSQL.
type meter struct {
	t     *testing.T
	d     database
	store *session.SQL
	rows  []session.Row
	now   int64
	round int64
}

// refresh rotates each session several times, eight sessions in parallel.
func (m *meter) refresh(times int64) {
	m.t.Helper()
	for range times {
		m.now += 6 * 60_000
		faults := make([]error, 8)
		var done sync.WaitGroup
		for worker := range faults {
			done.Go(func() {
				for i := worker; i < len(m.rows) && faults[worker] == nil; i += len(faults) {
					faults[worker] = m.rotate(m.rows[i])
				}
			})
		}
		done.Wait()
		for _, err := range faults {
			require.NoError(m.t, err)
		}
		m.round++
	}
}

func (m *meter) rotate(row session.Row) error {
	_, o, err := m.store.Refresh(m.t.Context(), row.Kind, row.SID, m.round, m.now, times)
	if err == nil && o != session.Rotate {
		return fmt.Errorf("generation %d: %v", m.round, o)
	}
	return err
}

type reading struct{ updated, hot, table, whole int64 }

func (m *meter) read() reading {
	m.t.Helper()
	m.d.exec(m.t, "SELECT pg_stat_force_next_flush()")
	r := reading{
		table: m.d.number(m.t, "SELECT pg_table_size('fiberjwt_sessions')"),
		whole: m.d.number(m.t, "SELECT pg_total_relation_size('fiberjwt_sessions')"),
	}
	// The other connections report their statistics after they were idle for a while.
	updated := int64(-1)
	require.Eventually(m.t, func() bool {
		r.updated = m.d.number(m.t, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'fiberjwt_sessions'::regclass")
		settled := r.updated == updated && r.updated == m.round*int64(len(m.rows))
		updated = r.updated
		return settled
	}, 70*time.Second, 100*time.Millisecond, "the statistics count %d updates", updated)
	r.hot = m.d.number(m.t, "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = 'fiberjwt_sessions'::regclass")
	return r
}

// written returns the number of bytes in the WAL.
func (m *meter) written() int64 {
	m.t.Helper()
	return m.d.number(m.t, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
}
