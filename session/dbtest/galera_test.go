package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// galera is a database on the Galera cluster that FIBERJWT_GALERA names. Connections go
// to the nodes in turn, and all nodes write.
func galera(t *testing.T) server {
	t.Helper()
	each := nodes(t)
	return func(t *testing.T) *bun.DB { return onGalera(t, &inTurn{each: each}) }
}

func onGalera(t *testing.T, to driver.Connector) *bun.DB {
	t.Helper()
	return closeLater(t, bun.NewDB(sql.OpenDB(to), mysqldialect.New()).WithQueryHook(noReturning{t}))
}

// nodes returns the nodes that FIBERJWT_GALERA names, with a new database for the test.
func nodes(t *testing.T) (each []driver.Connector) {
	t.Helper()
	dsns := strings.Fields(address(t, "FIBERJWT_GALERA"))
	require.Greater(t, len(dsns), 1, "FIBERJWT_GALERA needs the DSNs of several nodes, separated by spaces")
	first, err := sql.Open("mysql", dsns[0])
	require.NoError(t, err)
	name := createAndDrop(t, first, "DATABASE ", "")
	for _, dsn := range dsns {
		cfg, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		cfg.DBName = name
		node, err := mysql.NewConnector(cfg)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			conn, err := node.Connect(t.Context())
			return err == nil && conn.Close() == nil
		}, time.Minute, time.Millisecond, "the database did not reach the node")
		each = append(each, node)
	}
	return each
}

// inTurn connects to the nodes in turn.
type inTurn struct {
	each []driver.Connector
	turn atomic.Uint64
}

func (n *inTurn) Connect(ctx context.Context) (driver.Conn, error) {
	return n.each[n.turn.Add(1)%uint64(len(n.each))].Connect(ctx)
}

func (n *inTurn) Driver() driver.Driver { return n.each[0].Driver() }

// noReturning fails the test if the store sends a statement with RETURNING: a node may
// send its rows and then run the statement again.
type noReturning struct{ t *testing.T }

func (n noReturning) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if strings.Contains(event.Query, " RETURNING ") && strings.Contains(event.Query, "fiberjwt_sessions") {
		n.t.Error(event.Query)
	}
	return ctx
}

func (noReturning) AfterQuery(context.Context, *bun.QueryEvent) {}

func TestGaleraPassesTheStoreSuite(t *testing.T) { testStore(t, galera(t)) }

// Each request that redeems a link stores its row first.
func TestConcurrentCreateStoresOneRowOnGalera(t *testing.T) {
	db := galera(t)(t)
	require.NoError(t, session.Migrate(t.Context(), db))
	store := session.NewSQL(db)
	for range 200 {
		row := session.Row{SID: []byte(rand.Text())[:16], Kind: "users", Subject: "1"}
		var errs [8]error
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { errs[i] = store.Create(t.Context(), row) })
		}
		group.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		found, _, err := store.Find(t.Context(), row.Kind, row.SID)
		require.NoError(t, err)
		require.Equal(t, row, found)
	}
}

func TestMigrateRunsConcurrentlyOnGalera(t *testing.T) {
	testConcurrentMigrate(t, galera(t)(t))
}

// Two servers use one node each. With wsrep_sync_wait, a logout at one server is seen by
// the next request at the other.
func TestGaleraNodesSeeLogoutAtNextRequest(t *testing.T) {
	ctx, each := t.Context(), nodes(t)
	var services []*service
	for i, node := range each {
		db := onGalera(t, node)
		if i == 0 {
			migrate(t, db, (*person)(nil))
		}
		services = append(services, newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}))
	}
	status, answer := services[0].post(t, "/auth/people/register", `{"email":"ann@example.com","password":"correct horse battery"}`)
	require.Equal(t, 201, status, answer)
	one := &person{}
	require.NoError(t, onGalera(t, each[0]).NewSelect().Model(one).Scan(ctx))
	const rounds = 100
	wrong := 0
	for i := range rounds {
		here, there := services[i%2], services[(i+1)%2]
		issued, err := here.auth.Issue(ctx, one)
		require.NoError(t, err)
		bearer := "Bearer " + issued.AccessToken
		answered := func(s *service, method, path string, want int) {
			if status, _ := s.send(t, method, path, "", "Authorization", bearer); status != want {
				wrong++
			}
		}
		answered(there, "GET", "/auth/people/me", 200)
		answered(there, "POST", []string{"/auth/people/logout", "/auth/people/logout-all"}[i/2%2], 204)
		answered(here, "GET", "/auth/people/me", 401)
	}
	require.Zero(t, wrong, "of %d answers", 3*rounds)
}

// Without wsrep_sync_wait, a logout at another node is not seen at once, see
// docs/operate/databases.md#galera.
func TestCheckFindsNodesWithoutSyncWait(t *testing.T) {
	for wait, want := range map[string]string{"7": "", "15": "", "0": "Config.DB: the server is a node of a Galera cluster and wsrep_sync_wait is 0", "1": "wsrep_sync_wait is 1"} {
		t.Run(wait, func(t *testing.T) {
			db := mysqlAt(t, strings.Fields(address(t, "FIBERJWT_GALERA"))[0])(t)
			db.SetMaxOpenConns(1)
			for _, statement := range []string{"ALTER DATABASE CHARACTER SET utf8mb4", "SET SESSION wsrep_sync_wait = " + wait} {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			testSetting(t, db, want)
		})
	}
}
