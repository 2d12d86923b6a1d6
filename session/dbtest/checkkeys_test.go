package dbtest

import (
	"encoding/json"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// keyed is an account with a primary key that is a string in the application.
type keyed struct {
	bun.BaseModel `bun:"table:people"`
	ID            string `bun:",pk" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

// Check must accept these keys, and registration, login and logout must work with them.
const (
	uuidKey   = "0192f0c1-5b7a-7c3e-9d2f-8a1b2c3d4e5f"
	ulidKey   = "01JBRC2PVTFGZ9TBWAHCP3TKJZ"
	ksuidKey  = "2ocGx7VnWQzRk3bL9sT5yH1mPfA"
	nanoidKey = "V1StGXR8_Z5jdHi6B-myT"
	snowflake = "1541815603606036480"
)

var textKeys = map[string]struct{ ddl, key string }{
	"ULID in CHAR(26)":      {"CHAR(26)", ulidKey},
	"KSUID in CHAR(27)":     {"CHAR(27)", ksuidKey},
	"nanoid in CHAR(21)":    {"CHAR(21)", nanoidKey},
	"UUID in CHAR(36)":      {"CHAR(36)", uuidKey},
	"UUID in VARCHAR(36)":   {"VARCHAR(36)", uuidKey},
	"snowflake in BIGINT":   {"BIGINT", snowflake},
	"number in INT":         {"INTEGER", "7"},
	"number in VARCHAR(20)": {"VARCHAR(20)", "007"},
}

func testKey(t *testing.T, db *bun.DB, ddl, key string) {
	t.Helper()
	migrate(t, db, nil, "CREATE TABLE people (id "+ddl+" PRIMARY KEY, email VARCHAR(255) UNIQUE, password_hash VARCHAR(255))")
	s := newService(t, db, fiberjwt.Entity[keyed]{Register: func(_ *fiber.Ctx, account *keyed) error {
		account.ID = key
		return nil
	}})
	require.NoError(t, s.auth.Check(t.Context()))
	const ann = `{"email":"ann@example.com","password":"correct horse battery"}`
	status, answer := s.post(t, "/auth/people/register", ann)
	require.Equal(t, 201, status, "%s %s", answer, &s.log)
	status, answer = s.post(t, "/auth/people/login", ann)
	require.Equal(t, 200, status, answer)
	status, answer = s.send(t, "GET", "/auth/people/me", "", "Authorization", "Bearer "+accessOf(t, answer))
	require.Equal(t, 200, status, answer)
	require.Contains(t, answer, `"id":"`+key+`"`)
}

func accessOf(t *testing.T, answer string) string {
	t.Helper()
	var issued struct {
		Access string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer), &issued))
	return issued.Access
}

func TestCheckAcceptsWorkingTextKeys(t *testing.T) {
	for server, open := range map[string]func(*testing.T, ...string) server{"PostgreSQL": postgres, "MariaDB": maria, "MySQL": mySQL} {
		for name, c := range textKeys {
			t.Run(server+", "+name, func(t *testing.T) { testKey(t, open(t)(t), c.ddl, c.key) })
		}
	}
	t.Run("PostgreSQL, UUID", func(t *testing.T) { testKey(t, postgres(t)(t), "UUID", uuidKey) })
	t.Run("MariaDB, UUID", func(t *testing.T) { testKey(t, maria(t)(t), "UUID", uuidKey) })
	t.Run("MariaDB, UUID in BINARY(36)", func(t *testing.T) { testKey(t, maria(t)(t), "BINARY(36)", uuidKey) })
	t.Run("MySQL, UUID in BINARY(36)", func(t *testing.T) { testKey(t, mySQL(t)(t), "BINARY(36)", uuidKey) })
}

// generated is an account whose key PostgreSQL generates.
type generated struct {
	bun.BaseModel `bun:"table:people"`
	ID            string `bun:"type:uuid,pk,default:gen_random_uuid()" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

func TestCheckAcceptsUUIDGeneratedByPostgres(t *testing.T) {
	db := postgres(t)(t)
	migrate(t, db, (*generated)(nil))
	s := newService(t, db, fiberjwt.Entity[generated]{Register: fiberjwt.Anyone[generated]})
	require.NoError(t, s.auth.Check(t.Context()))
	status, answer := s.post(t, "/auth/people/register", `{"email":"ann@example.com","password":"correct horse battery"}`)
	require.Equal(t, 201, status, answer)
	require.Equal(t, 200, s.get(t, "/auth/people/me", accessOf(t, answer)))
}

// A padded column changes short keys, and some types cannot hold a key.
func TestCheckFindsTextKeysThatReadBackChanged(t *testing.T) {
	for name, c := range map[string]struct {
		open      func(*testing.T, ...string) server
		ddl, want string
	}{
		"PostgreSQL, CHAR":  {postgres, "CHAR(8)", `the primary key: the column "id" is a CHAR, which pads shorter texts`},
		"PostgreSQL, bytes": {postgres, "BYTEA", `the primary key: the column "id" is a bytea, which is not a type of texts`},
		"PostgreSQL, time":  {postgres, "TIMESTAMPTZ", `the primary key: the column "id" is a timestamptz, which is not`},
		"MariaDB, BINARY":   {maria, "BINARY(8)", `the primary key: the column "id" is a BINARY, which pads shorter texts`},
		"MariaDB, DATE":     {maria, "DATE", `the primary key: the column "id" is a DATE, which is not`},
		"MySQL, BINARY":     {mySQL, "BINARY(8)", `the primary key: the column "id" is a BINARY, which pads shorter texts`},
	} {
		t.Run(name, func(t *testing.T) {
			db := c.open(t)(t)
			migrate(t, db, nil, "CREATE TABLE people (id "+c.ddl+" PRIMARY KEY, email VARCHAR(255) UNIQUE, password_hash VARCHAR(255))")
			s := newService(t, db, fiberjwt.Entity[keyed]{Register: func(*fiber.Ctx, *keyed) error { return nil }})
			err := s.auth.Check(t.Context())
			require.ErrorIs(t, err, fiberjwt.ErrSetup)
			require.ErrorContains(t, err, c.want)
		})
	}
}
