package dbtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/session"
)

// On databases that roll back conflicting transactions, at the commit at the latest, the
// responses are the same as on other databases.

func TestConcurrentRequestsWorkOnGalera(t *testing.T) {
	testConcurrentRequests(t, galera(t))
}

func TestConcurrentRequestsWorkIfSerializable(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) {
		testConcurrentRequests(t, postgres(t, "default_transaction_isolation", "serializable"))
	})
	t.Run("MariaDB", func(t *testing.T) { testConcurrentRequests(t, maria(t, "tx_isolation", "SERIALIZABLE")) })
	t.Run("MySQL", func(t *testing.T) { testConcurrentRequests(t, mySQL(t, "transaction_isolation", "SERIALIZABLE")) })
}

const (
	oldPassword = "correct horse battery"
	newPassword = "another horse battery"
)

// tokens is the response of the routes that issue tokens.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// clients sends requests to a service concurrently.
type clients struct {
	*testing.T
	*service
}

// each calls do for 0 to n-1 concurrently, and returns the statuses in order.
func (c clients) each(n int, do func(i int) (status int, answer string)) (statuses []int, answers []string) {
	statuses, answers = make([]int, n), make([]string, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			statuses[i], answers[i] = do(i)
		})
	}
	close(start)
	group.Wait()
	for i, status := range statuses {
		require.NotEqual(c, 503, status, "%s: %s", answers[i], c.log.String())
	}
	return statuses, answers
}

func (c clients) tokens(want int) func(status int, answer string) tokens {
	return func(status int, answer string) (got tokens) {
		c.Helper()
		require.Equal(c, want, status, "%s: %s", answer, c.log.String())
		require.NoError(c, json.Unmarshal([]byte(answer), &got))
		return got
	}
}

func (c clients) register(email string) (int, string) {
	return c.post(c.T, "/auth/people/register", fmt.Sprintf(`{"email":%q,"password":%q}`, email, oldPassword))
}

func (c clients) login(email, password string) (int, string) {
	return c.post(c.T, "/auth/people/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
}

func (c clients) refresh(token string) (int, string) {
	return c.post(c.T, "/auth/people/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
}

func testConcurrentRequests(t *testing.T, open server) {
	db := open(t)
	migrate(t, db, (*person)(nil))
	c := clients{t, newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]})}
	c.at = time.Now()
	const many = 6

	emails := make([]string, many)
	for i := range emails {
		emails[i] = fmt.Sprintf("%d@example.com", i)
	}
	statuses, _ := c.each(many, func(i int) (int, string) { return c.register(emails[i]) })
	require.Equal(t, slices.Repeat([]int{201}, many), statuses, "concurrent registrations of different accounts")
	statuses, _ = c.each(many, func(int) (int, string) { return c.register("ann@example.com") })
	slices.Sort(statuses)
	require.Equal(t, append([]int{201}, slices.Repeat([]int{409}, many-1)...), statuses, "concurrent registrations of one account")
	statuses, _ = c.each(many, func(int) (int, string) { return c.login("ann@example.com", oldPassword) })
	require.Equal(t, slices.Repeat([]int{200}, many), statuses, "concurrent logins of one account")

	ann := c.tokens(200)(c.login("ann@example.com", oldPassword))
	for range 5 {
		c.at = c.at.Add(6 * time.Minute)
		var refreshed tokens
		statuses, answers := c.each(16, func(int) (int, string) { return c.refresh(ann.Refresh) })
		for i := range statuses {
			one := c.tokens(200)(statuses[i], answers[i])
			require.NotEmpty(t, one.Refresh)
			require.True(t, refreshed.Refresh == "" || refreshed.Refresh == one.Refresh, "one token got two successors")
			refreshed = one
		}
		ann = refreshed
	}

	link := fiberjwt.Link[person]{Name: "link"}
	one := &person{}
	require.NoError(t, db.NewSelect().Model(one).Where("email = ?", "ann@example.com").Scan(t.Context()))
	for range 10 {
		token, err := link.Token(c.auth, one)
		require.NoError(t, err)
		statuses, answers := c.each(many, func(int) (int, string) {
			_, err := link.Redeem(t.Context(), c.auth, token)
			return statusOfError(err), fmt.Sprint(err)
		})
		slices.Sort(statuses)
		require.Equal(t, append([]int{200}, slices.Repeat([]int{400}, many-1)...), statuses, answers)
	}

	statuses, answers := c.each(2, func(i int) (int, string) {
		return c.post(t, "/auth/people/password", fmt.Sprintf(`{"current_password":%q,"password":"%s %d"}`, oldPassword, newPassword, i), "Authorization", "Bearer "+ann.Access)
	})
	require.ElementsMatch(t, []int{204, 401}, statuses, "concurrent changes of one password: %s", answers)
	changed := fmt.Sprintf("%s %d", newPassword, slices.Index(statuses, 204))
	require.Equal(t, 200, statusOf(c.refresh(ann.Refresh)))
	require.Equal(t, 200, statusOf(c.login("ann@example.com", changed)))

	statuses, _ = c.each(16, func(int) (int, string) { return c.login("0@example.com", "wrong horse battery") })
	slices.Sort(statuses)
	require.Equal(t, append(slices.Repeat([]int{401}, 5), slices.Repeat([]int{429}, 11)...), statuses, "failed sign-ins")
}

func statusOf(status int, _ string) int { return status }

func statusOfError(err error) int {
	var e *fiberjwt.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 200
}

func TestPasswordChangeEndsConcurrentLogins(t *testing.T) {
	for name, open := range map[string]func(*testing.T) server{
		"Galera":                   galera,
		"PostgreSQL, serializable": func(t *testing.T) server { return postgres(t, "default_transaction_isolation", "serializable") },
		"MariaDB":                  func(t *testing.T) server { return maria(t) },
		"MySQL":                    func(t *testing.T) server { return mySQL(t) },
	} {
		t.Run(name, func(t *testing.T) { testLoginsDuringChanges(t, open(t)) })
	}
}

func testLoginsDuringChanges(t *testing.T, open server) {
	ctx, db := t.Context(), open(t)
	require.NoError(t, session.Migrate(ctx, db))
	for _, statement := range []string{"CREATE TABLE p (id INT PRIMARY KEY, hash INT)", "INSERT INTO p VALUES (1, 0)"} {
		_, err := db.ExecContext(ctx, statement)
		require.NoError(t, err)
	}
	store, now := session.NewSQL(db), time.Now().UnixMilli()
	for hash := range 200 {
		var rows [3]session.Row
		var errs [len(rows) + 1]error
		var group sync.WaitGroup
		for i := range rows {
			rows[i] = session.Row{SID: []byte(rand.Text())[:16], Kind: "p", Subject: "1", Prev: -1, Issued: now, IdleUntil: now + 60_000, Ends: now + 60_000, Created: now}
			group.Go(func() {
				account := db.NewSelect().TableExpr("p").Where("id = 1 AND hash = ?", hash)
				_, errs[i] = store.CreateFor(ctx, db, rows[i], account)
			})
		}
		group.Go(func() {
			errs[len(rows)] = store.Change(ctx, []string{"p"}, "1", nil, now, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE p SET hash = ? WHERE id = 1 AND hash = ?", hash+1, hash)
				return err
			})
		})
		group.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		for _, row := range rows {
			row, _, err := store.Find(ctx, "p", row.SID)
			require.NoError(t, err)
			require.False(t, row.Alive(now), "change %d: a session with the old password survived", hash)
		}
	}
}

func TestConcurrentWrongPasswordsAreBounded(t *testing.T) {
	for name, open := range map[string]func(*testing.T) server{
		"Galera":                   galera,
		"PostgreSQL, serializable": func(t *testing.T) server { return postgres(t, "default_transaction_isolation", "serializable") },
		"MariaDB, serializable":    func(t *testing.T) server { return maria(t, "tx_isolation", "SERIALIZABLE") },
		"MySQL, serializable":      func(t *testing.T) server { return mySQL(t, "transaction_isolation", "SERIALIZABLE") },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)(t)
			require.NoError(t, session.Migrate(t.Context(), db))
			now := time.Now()
			attempts := throttle.New(session.NewSQL(db), []byte("key"), time.Minute, 10*time.Minute, func() time.Time { return now })
			var compared atomic.Int64
			errs := make([]error, 40)
			var group sync.WaitGroup
			for i := range errs {
				group.Go(func() {
					attempt, err := attempts.Charge(t.Context(), throttle.Place{Account: "people\x00ann", Network: "192.0.2.1"})
					if err == nil {
						compared.Add(1)
						err = attempt.Fail(t.Context())
					}
					if !errors.As(err, new(throttle.Refusal)) {
						errs[i] = err
					}
				})
			}
			group.Wait()
			require.NoError(t, errors.Join(errs...))
			require.EqualValues(t, 5, compared.Load())
		})
	}
}

// PostgreSQL writes to a row to lock it.
func TestEarlyRefreshWritesNothingOnPostgreSQL(t *testing.T) {
	db := postgres(t)(t)
	migrate(t, db, nil)
	store, now := session.NewSQL(db), time.Now().UnixMilli()
	sid := []byte("0123456789abcdef")
	require.NoError(t, store.Create(t.Context(), session.Row{
		SID: sid, Kind: "people", Subject: "1", Prev: -1, Issued: now, IdleUntil: now + 1e9, Ends: now + 1e9, AuthTime: now, Created: now,
	}))
	times := session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: time.Hour}
	version := func() (text string) {
		require.NoError(t, db.NewRaw("SELECT ctid::text || ' ' || xmax::text FROM fiberjwt_sessions").Scan(t.Context(), &text))
		return text
	}
	before := version()
	_, o, err := store.Refresh(t.Context(), "people", sid, 0, now+1, times)
	require.NoError(t, err)
	require.Equal(t, session.Same, o)
	require.Equal(t, before, version())
	_, o, err = store.Refresh(t.Context(), "people", sid, 0, now+int64(times.Age/time.Millisecond), times)
	require.NoError(t, err)
	require.Equal(t, session.Rotate, o)
	require.NotEqual(t, before, version())
}
