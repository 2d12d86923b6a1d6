package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
)

// With a collation that folds accents, a query for änn finds Ann's row, also in a unique
// index. So only one of them can register, and no other name can sign in as Ann. Check
// accepts such a column.
func TestAccentVariantCannotSignInOnMariaDB(t *testing.T) {
	for _, collation := range []string{"utf8mb4_general_ci", "utf8mb4_unicode_ci"} {
		t.Run(collation, func(t *testing.T) {
			testFolding(t, maria(t)(t), "CREATE TABLE people (id BIGINT AUTO_INCREMENT PRIMARY KEY, password_hash VARCHAR(255) NOT NULL,"+
				" email VARCHAR(255) CHARACTER SET utf8mb4 COLLATE "+collation+" UNIQUE)")
		})
	}
}

func TestAccentVariantCannotSignInOnPostgres(t *testing.T) {
	testFolding(t, postgres(t)(t), "CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
		"CREATE TABLE people (id BIGSERIAL PRIMARY KEY, password_hash TEXT NOT NULL, email TEXT COLLATE folding UNIQUE)")
}

func testFolding(t *testing.T, db *bun.DB, statements ...string) {
	require.NoError(t, checked(t, db, statements...))
	p := newPeople(t, db)
	require.Equal(t, 201, p.post(t, "/auth/people/register", "ann@example.com"))
	require.Equal(t, 409, p.post(t, "/auth/people/register", "änn@example.com"))
	require.Equal(t, 401, p.post(t, "/auth/people/login", "änn@example.com"), "änn signed in with Ann's account")
	require.Equal(t, 200, p.post(t, "/auth/people/login", "ann@example.com"))
	require.Equal(t, 200, p.post(t, "/auth/people/login", "Ann@Example.com"))
}

// If the index distinguishes bytes and the collation of the column folds accents, each of
// two names has a separate account.
func TestBinaryIndexSeparatesAccentVariants(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (db *bun.DB, statements []string){
		"PostgreSQL": func(t *testing.T) (*bun.DB, []string) {
			return postgres(t)(t), []string{
				"CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
				"CREATE TABLE people (id BIGSERIAL PRIMARY KEY, password_hash TEXT NOT NULL, email TEXT COLLATE folding)",
				`CREATE UNIQUE INDEX ON people (email COLLATE "C")`,
			}
		},
		"MariaDB": func(t *testing.T) (*bun.DB, []string) {
			return maria(t)(t), []string{"CREATE TABLE people (id BIGINT AUTO_INCREMENT PRIMARY KEY, password_hash VARCHAR(255) NOT NULL," +
				" email VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, bytes VARBINARY(1020) AS (CAST(email AS BINARY)) STORED UNIQUE)"}
		},
		"MySQL": func(t *testing.T) (*bun.DB, []string) {
			return mySQL(t)(t), []string{"CREATE TABLE people (id BIGINT AUTO_INCREMENT PRIMARY KEY, password_hash VARCHAR(255) NOT NULL," +
				" email VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci, UNIQUE ((CAST(email AS BINARY(255)))))"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, statements := open(t)
			require.NoError(t, checked(t, db, statements...))
			p := newPeople(t, db)
			names := []string{"ann@example.com", "änn@example.com", "ãnn@example.com"}
			for _, email := range names {
				require.Equal(t, 201, p.post(t, "/auth/people/register", email), "%s: %s", email, p.log)
			}
			for _, email := range append(names, "Änn@example.com", "ANN@example.com") {
				require.Equal(t, 200, p.post(t, "/auth/people/login", email), "%s: %s", email, p.log)
			}
			require.Equal(t, 409, p.post(t, "/auth/people/register", "Änn@example.com"))
			require.Equal(t, 401, p.post(t, "/auth/people/login", "ánn@example.com"))
			require.Empty(t, p.log.String())
		})
	}
}

// Without a unique index, fiberjwt still refuses the second account. If two accounts
// exist, neither can sign in.
func TestDuplicateAccountsAreRefusedOnServers(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (db *bun.DB, key, engine string){
		"PostgreSQL": func(t *testing.T) (*bun.DB, string, string) { return postgres(t)(t), "BIGSERIAL", "" },
		"MariaDB":    func(t *testing.T) (*bun.DB, string, string) { return maria(t)(t), "BIGINT AUTO_INCREMENT", "" },
		"MyISAM": func(t *testing.T) (*bun.DB, string, string) {
			return maria(t)(t), "BIGINT AUTO_INCREMENT", " ENGINE=MyISAM"
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, key, engine := open(t)
			err := checked(t, db, "CREATE TABLE people (id "+key+" PRIMARY KEY, email VARCHAR(255), password_hash VARCHAR(255))"+engine)
			require.ErrorContains(t, err, `Identity: no unique index on the column "email" alone`)
			p := newPeople(t, db)
			require.Equal(t, 201, p.post(t, "/auth/people/register", "ann@example.com"))
			require.Equal(t, 409, p.post(t, "/auth/people/register", "ann@example.com"))
			require.Contains(t, p.log.String(), "unique index")
			require.Equal(t, 200, p.post(t, "/auth/people/login", "ann@example.com"), p.log)

			run(t, db, "INSERT INTO people (email, password_hash) SELECT email, password_hash FROM people")
			require.Equal(t, 500, p.post(t, "/auth/people/login", "ann@example.com"))
			require.Equal(t, 500, p.post(t, "/auth/people/login", "Ann@example.com"))
			require.Contains(t, p.log.String(), "two accounts have the same")
			require.NotContains(t, p.log.String(), "ann@")
		})
	}
}
