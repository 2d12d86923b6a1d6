package dbtest

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/dialect/mysqldialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

func TestServerClockSkewSignsNoUserOutOnPostgres(t *testing.T) {
	testClocks(t, postgres(t, "timezone", "Asia/Kolkata"))
}

func TestServerClockSkewSignsNoUserOutOnMariaDB(t *testing.T) {
	testClocks(t, maria(t, "time_zone", "+05:30"))
}

func TestServerClockSkewSignsNoUserOutOnMySQL(t *testing.T) {
	testClocks(t, likeMySQL(t, maria(t, "time_zone", "-08:00")))
}

func TestMariaDBTakenForMySQLPassesTheStoreSuite(t *testing.T) { testStore(t, likeMySQL(t, maria(t))) }

// likeMySQL makes the store treat MariaDB as MySQL, which has no RETURNING.
func likeMySQL(t *testing.T, open server) server {
	t.Helper()
	return func(t *testing.T) *bun.DB { return bun.NewDB(open(t).DB, plainDialect{mysqldialect.New()}) }
}

type plainDialect struct{ *mysqldialect.Dialect }

func (d plainDialect) Features() feature.Feature {
	return d.Dialect.Features() &^ (feature.InsertReturning | feature.DeleteReturning)
}

// serverTime makes the store judge by the clock of the database, as it does without
// Config.Now. The tests set Config.Now to get a wrong clock.
type serverTime struct{ *session.SQL }

func (s serverTime) Refresh(ctx context.Context, kind string, sid []byte, g, now int64, t session.Times) (session.Row, session.Outcome, error) {
	t.StoreClock = true
	return s.SQL.Refresh(ctx, kind, sid, g, now, t)
}

func testClocks(t *testing.T, open server) {
	db := open(t)
	migrate(t, db, (*person)(nil))
	clock, err := session.NewSQL(db).Clock(t.Context(), 0)
	require.NoError(t, err)
	require.Less(t, math.Abs(float64(time.Now().UnixMilli()-clock)), 60_000.0, "the store does not read the clock of the database in UTC")

	for name, ahead := range map[string]time.Duration{"30s": 30 * time.Second, "60s": 60 * time.Second} {
		for _, behind := range []bool{false, true} {
			t.Run(map[bool]string{false: "ahead by ", true: "behind by "}[behind]+name, func(t *testing.T) {
				here, there := clockedService(t, db, 0), clockedService(t, db, ahead)
				if behind {
					here, there = there, here
				}
				testTwoTabs(t, db, here, there, name+map[bool]string{true: "behind"}[behind])
			})
		}
	}
}

func clockedService(t *testing.T, db *bun.DB, ahead time.Duration) *service {
	t.Helper()
	s := newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]},
		func(cfg *fiberjwt.Config) { cfg.Store = serverTime{session.NewSQL(db)} })
	s.later = ahead
	return s
}

// testTwoTabs lets two tabs refresh, each at another server. Time passes because the test
// makes the session older.
func testTwoTabs(t *testing.T, db *bun.DB, here, there *service, name string) {
	pass := func(d time.Duration) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), "UPDATE fiberjwt_sessions SET issued = issued - ? WHERE revoked IS NULL", d.Milliseconds())
		require.NoError(t, err)
	}
	type tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	post := func(s *service, path, body string, want int) (got tokens) {
		t.Helper()
		status, answer := s.post(t, path, body)
		require.Equal(t, want, status, answer)
		require.NoError(t, json.Unmarshal([]byte(answer), &got))
		return got
	}
	refresh := func(s *service, token string) tokens {
		t.Helper()
		got := post(s, "/auth/people/refresh", `{"refresh_token":"`+token+`"}`, 200)
		for _, server := range []*service{here, there} {
			require.Equal(t, 200, server.get(t, "/auth/people/me", got.Access), "a new token was refused")
		}
		return got
	}

	first := post(there, "/auth/people/register", `{"email":"`+name+`@example.com","password":"correct horse battery"}`, 201)
	require.Equal(t, 200, here.get(t, "/auth/people/me", first.Access))
	pass(10 * time.Minute)
	second := refresh(here, first.Refresh).Refresh
	require.NotEmpty(t, second)
	for _, wait := range []time.Duration{31 * time.Second, 20 * time.Second, 20 * time.Second} { // Rearm, Converge, Rearm
		pass(wait)
		require.Equal(t, second, refresh(there, first.Refresh).Refresh)
	}
	for range 2 {
		require.Empty(t, refresh(here, second).Refresh, "the token rotated too early")
		pass(4 * time.Minute)
		require.Empty(t, refresh(there, second).Refresh, "the token rotated too early")
		pass(2 * time.Minute)
		second = refresh(there, second).Refresh
		require.NotEmpty(t, second)
	}
	pass(20 * time.Second)
	post(there, "/auth/people/refresh", `{"refresh_token":"`+first.Refresh+`"}`, 401)
	post(here, "/auth/people/refresh", `{"refresh_token":"`+second+`"}`, 401)
}
