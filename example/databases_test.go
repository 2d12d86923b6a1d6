package main_test

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
)

// onEachDatabase runs test on SQLite and on the servers that the environment names. Each run has an empty database.
func onEachDatabase(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgresSchema(t)) })
	t.Run("MariaDB", func(t *testing.T) { test(t, mariaDatabase(t)) })
	t.Run("MySQL", func(t *testing.T) { test(t, mysqlDatabase(t)) })
}

// postgresSchema returns the address of a schema that is dropped after the test.
func postgresSchema(t *testing.T) string {
	t.Helper()
	address := os.Getenv("FIBERJWT_POSTGRES")
	if address == "" {
		t.Skip("set FIBERJWT_POSTGRES to a database, such as postgres://postgres@127.0.0.1:5432/test, to run this test")
	}
	name := madeAndDropped(t, "pgx", address, "CREATE SCHEMA ", "DROP SCHEMA ", " CASCADE")
	return with(t, address, func(u *url.URL, q url.Values) { q.Set("search_path", name) })
}

func mariaDatabase(t *testing.T) string { return databaseAt(t, "FIBERJWT_MARIADB_URL") }

func mysqlDatabase(t *testing.T) string { return databaseAt(t, "FIBERJWT_MYSQL_URL") }

// databaseAt returns the address of a database that is dropped after the test.
func databaseAt(t *testing.T, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("set %s to a database, such as mysql://root@127.0.0.1:3306/test, to run this test", variable)
	}
	u, err := url.Parse(address)
	require.NoError(t, err)
	dsn := u.User.String() + "@tcp(" + u.Host + ")" + u.Path
	name := madeAndDropped(t, "mysql", dsn, "CREATE DATABASE ", "DROP DATABASE ", "")
	return with(t, address, func(u *url.URL, q url.Values) { u.Path = "/" + name })
}

// madeAndDropped creates a schema or database with a random name and drops it after the test. It returns the name.
func madeAndDropped(t *testing.T, driver, dsn, create, drop, cascade string) string {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	name := "fiberjwt_" + strings.ToLower(rand.Text())
	_, err = db.Exec(create + name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := db.Exec(drop + name + cascade)
		require.NoError(t, err)
		require.NoError(t, db.Close())
	})
	return name
}

// with returns address after a change of its URL or its query parameters.
func with(t *testing.T, address string, change func(*url.URL, url.Values)) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	q := u.Query()
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestThreeProcessesStartOnEmptyDatabase(t *testing.T) {
	for name, open := range map[string]func(*testing.T) string{
		"PostgreSQL": postgresSchema, "MariaDB": mariaDatabase, "MySQL": mysqlDatabase,
	} {
		t.Run(name, func(t *testing.T) {
			address := open(t)
			programs := make([]*program, 3)
			var started sync.WaitGroup
			for i := range programs {
				programs[i] = launch(t, "SECRET=kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0", "DATABASE_URL="+address)
			}
			for _, p := range programs {
				started.Go(func() { p.listen() })
			}
			started.Wait()
			for _, p := range programs {
				require.NotEmpty(t, p.base, "the example does not say where it listens: %s", p.stderr)
			}
			ann := programs[0].client(t).do("POST", "/auth/users/register", annBody)
			require.Equal(t, 201, ann.status, ann.text)
			require.Equal(t, 200, programs[1].client(t).get("/api/me", ann.member("access_token")).status)
			require.Equal(t, 204, programs[2].client(t).do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+ann.member("access_token")).status)
			require.Equal(t, 401, programs[0].client(t).get("/api/me", ann.member("access_token")).status)
		})
	}
}
