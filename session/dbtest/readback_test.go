package dbtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

const (
	ann         = `{"email":"ann@example.com","password":"correct horse battery"}`
	annsBcrypt  = "$2a$04$aWR.jMIcCKNFIYPreW1r0unbyyNCVBKQll1Wm5NGxIr4bNkQ0.xVu" // of correct horse battery
	changeOfAnn = `{"current_password":"correct horse battery","password":"another horse battery"}`
)

// withPeople returns a database with the tables of the library and a table people, which
// statements create.
func withPeople(t *testing.T, open server, statements ...string) *bun.DB {
	t.Helper()
	db := open(t)
	migrate(t, db, nil, statements...)
	return db
}

func storedHash(t *testing.T, db *bun.DB) (hash string) {
	t.Helper()
	require.NoError(t, db.NewRaw("SELECT password_hash FROM people").Scan(t.Context(), &hash))
	return strings.TrimRight(hash, " ")
}

// open is a kind with open registration.
var open = fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]}

func mariaPeople(hash, engine string) string {
	return "CREATE TABLE people (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255) NOT NULL UNIQUE, password_hash " + hash + " NOT NULL) ENGINE=" + engine
}

func postgresPeople(email, hash string) string {
	return "CREATE TABLE people (id BIGSERIAL PRIMARY KEY, email " + email + " NOT NULL UNIQUE, password_hash " + hash + " NOT NULL)"
}

// postgresTrigger returns a trigger that runs PL/pgSQL before a row of people is written.
func postgresTrigger(when, body string) []string {
	return []string{
		"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body + " RETURN NEW; END $$",
		"CREATE TRIGGER spoil BEFORE " + when + " ON people FOR EACH ROW EXECUTE FUNCTION spoil()",
	}
}

// damagedHashes are databases with a column or a trigger that damages hashes.
func damagedHashes() map[string]func(t *testing.T) *bun.DB {
	lower := "CREATE TRIGGER spoil BEFORE UPDATE ON people FOR EACH ROW SET NEW.password_hash = LOWER(NEW.password_hash)"
	same := "CREATE TRIGGER spoil BEFORE UPDATE ON people FOR EACH ROW SET NEW.password_hash = OLD.password_hash"
	lenient := func(t *testing.T, statements ...string) *bun.DB {
		return withPeople(t, maria(t, "sql_mode", ""), statements...)
	}
	return map[string]func(t *testing.T) *bun.DB{
		"MariaDB cuts":        func(t *testing.T) *bun.DB { return lenient(t, mariaPeople("VARCHAR(60)", "InnoDB")) },
		"MariaDB cuts a char": func(t *testing.T) *bun.DB { return lenient(t, mariaPeople("CHAR(60)", "InnoDB")) },
		"MyISAM cuts":         func(t *testing.T) *bun.DB { return lenient(t, mariaPeople("VARCHAR(60)", "MyISAM")) },
		"Aria cuts":           func(t *testing.T) *bun.DB { return lenient(t, mariaPeople("VARCHAR(60)", "Aria")) },
		"MariaDB refuses":     func(t *testing.T) *bun.DB { return withPeople(t, maria(t), mariaPeople("VARCHAR(60)", "InnoDB")) },
		"MariaDB lowers": func(t *testing.T) *bun.DB {
			return withPeople(t, maria(t), mariaPeople("VARCHAR(255)", "InnoDB"), lower)
		},
		"MariaDB keeps the old hash": func(t *testing.T) *bun.DB {
			return withPeople(t, maria(t), mariaPeople("VARCHAR(255)", "InnoDB"), same)
		},
		"PostgreSQL refuses": func(t *testing.T) *bun.DB { return withPeople(t, postgres(t), postgresPeople("TEXT", "VARCHAR(60)")) },
		"PostgreSQL checks": func(t *testing.T) *bun.DB {
			return withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT CHECK (length(password_hash) <= 60)"))
		},
		"MySQL cuts": func(t *testing.T) *bun.DB {
			return withPeople(t, mySQL(t, "sql_mode", ""), mariaPeople("VARCHAR(60)", "InnoDB"))
		},
		"PostgreSQL cuts at the commit": func(t *testing.T) *bun.DB {
			return withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT"),
				"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF length(NEW.password_hash) > 60 THEN UPDATE people SET password_hash = left(NEW.password_hash, 60) WHERE id = NEW.id; END IF; RETURN NULL; END $$",
				"CREATE CONSTRAINT TRIGGER spoil AFTER INSERT OR UPDATE ON people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spoil()")
		},
		"PostgreSQL lowers":  func(t *testing.T) *bun.DB { return triggered(t, "NEW.password_hash := lower(NEW.password_hash);") },
		"PostgreSQL skips":   func(t *testing.T) *bun.DB { return triggered(t, "RETURN NULL;") },
		"PostgreSQL empties": func(t *testing.T) *bun.DB { return triggered(t, "NEW.password_hash := '';") },
	}
}

func triggered(t *testing.T, body string) *bun.DB {
	return withPeople(t, postgres(t), append([]string{postgresPeople("TEXT", "TEXT")}, postgresTrigger("UPDATE", body)...)...)
}

func TestDamagedHashNeverReplacesGoodHash(t *testing.T) {
	for name, made := range damagedHashes() {
		t.Run(name, func(t *testing.T) {
			db := made(t)
			run(t, db, "INSERT INTO people (email, password_hash) VALUES ('ann@example.com', '"+annsBcrypt+"')")
			s := newService(t, db, open)
			for range 2 {
				status, answer := s.post(t, "/auth/people/login", ann)
				require.Equal(t, 200, status, answer)
				require.Equal(t, annsBcrypt, storedHash(t, db))
			}
			require.Equal(t, 1, strings.Count(s.log.String(), "\n"), s.log.String())
			require.Contains(t, s.log.String(), "VARCHAR(255)")
			require.NotContains(t, s.log.String(), "argon2id", "the log contains a hash")

			// A change and a reset are refused.
			s.log.Reset()
			token := s.signIn(t)
			status, answer := s.post(t, "/auth/people/password", changeOfAnn, "Authorization", "Bearer "+token)
			require.Equal(t, 500, status, answer)
			require.Contains(t, s.log.String(), "VARCHAR(255)")
			reset, err := fiberjwt.ResetToken(s.auth, &person{ID: 1, Email: "ann@example.com", PasswordHash: annsBcrypt}, 0)
			require.NoError(t, err)
			_, err = fiberjwt.ResetPassword[person](t.Context(), s.auth, reset, "another horse battery")
			require.ErrorIs(t, err, fiberjwt.ErrSetup)
			require.Equal(t, annsBcrypt, storedHash(t, db))
			s.signIn(t)
		})
	}
}

// If the column can hold the new hash, the old one is upgraded.
func TestOldHashIsUpgradedOnServers(t *testing.T) {
	for name, db := range map[string]*bun.DB{
		"MariaDB":           withPeople(t, maria(t), mariaPeople("VARCHAR(255)", "InnoDB")),
		"MariaDB char":      withPeople(t, maria(t), mariaPeople("CHAR(120)", "InnoDB")),
		"MyISAM":            withPeople(t, maria(t), mariaPeople("VARCHAR(255)", "MyISAM")),
		"PostgreSQL":        withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT")),
		"PostgreSQL padded": withPeople(t, postgres(t), postgresPeople("CHAR(60)", "CHAR(120)")),
	} {
		t.Run(name, func(t *testing.T) {
			run(t, db, "INSERT INTO people (email, password_hash) VALUES ('ann@example.com', '"+annsBcrypt+"')")
			s := newService(t, db, open)
			token := s.signIn(t)
			require.True(t, strings.HasPrefix(storedHash(t, db), "$argon2id$"))
			s.signIn(t)
			status, answer := s.post(t, "/auth/people/password", changeOfAnn, "Authorization", "Bearer "+token)
			require.Equal(t, 204, status, answer)
			require.Empty(t, s.log.String())
		})
	}
}

func (s *service) signIn(t *testing.T) (access string) {
	t.Helper()
	status, answer := s.post(t, "/auth/people/login", ann)
	require.Equal(t, 200, status, answer)
	_, access, _ = strings.Cut(answer, `"access_token":"`)
	access, _, _ = strings.Cut(access, `"`)
	return access
}

// A registration whose values a sign-in would not find is not stored.
func TestRegisterRefusesValuesTheDatabaseChanges(t *testing.T) {
	lenient := func(table string) func(t *testing.T) *bun.DB {
		return func(t *testing.T) *bun.DB { return withPeople(t, maria(t, "sql_mode", ""), table) }
	}
	changing := func(body string) func(t *testing.T) *bun.DB {
		return func(t *testing.T) *bun.DB {
			return withPeople(t, postgres(t), append([]string{postgresPeople("TEXT", "TEXT")}, postgresTrigger("INSERT", body)...)...)
		}
	}
	const long = "ann.with.a.long.name@example.com"
	for name, tc := range map[string]struct {
		made   func(t *testing.T) *bun.DB
		email  string
		status int
		hint   string
	}{
		"MariaDB cuts the hash":        {lenient(mariaPeople("VARCHAR(60)", "InnoDB")), long, 500, "VARCHAR(255)"},
		"MyISAM cuts the hash":         {lenient(mariaPeople("VARCHAR(60)", "MyISAM")), long, 500, "VARCHAR(255)"},
		"MariaDB refuses the hash":     {func(t *testing.T) *bun.DB { return withPeople(t, maria(t), mariaPeople("VARCHAR(60)", "InnoDB")) }, long, 500, "VARCHAR(255)"},
		"PostgreSQL refuses the hash":  {func(t *testing.T) *bun.DB { return withPeople(t, postgres(t), postgresPeople("TEXT", "VARCHAR(60)")) }, long, 500, "VARCHAR(255)"},
		"PostgreSQL refuses the email": {func(t *testing.T) *bun.DB { return withPeople(t, postgres(t), postgresPeople("VARCHAR(20)", "TEXT")) }, long, 422, "too long"},
		"MariaDB cuts the email":       {lenient("CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(20), password_hash TEXT)"), long, 422, "wide enough"},
		"MyISAM cuts the email":        {lenient("CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(20), password_hash TEXT) ENGINE=MyISAM"), long, 422, "wide enough"},
		"MariaDB lacks a character":    {lenient("CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255) CHARACTER SET latin1, password_hash TEXT)"), "жанна@example.com", 422, "utf8mb4"},
		"MariaDB lacks an emoji":       {lenient("CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255) CHARACTER SET utf8mb3, password_hash TEXT)"), "😀@example.com", 422, "utf8mb4"},
		"PostgreSQL makes the email": {func(t *testing.T) *bun.DB {
			return withPeople(t, postgres(t), "CREATE TABLE people (id BIGSERIAL PRIMARY KEY, password_hash TEXT, email TEXT GENERATED ALWAYS AS (md5(password_hash)) STORED)")
		}, long, 422, "email"},
		"MariaDB makes the email": {func(t *testing.T) *bun.DB {
			return withPeople(t, maria(t), "CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, password_hash TEXT, email VARCHAR(32) AS (md5(password_hash)) STORED)")
		}, long, 422, "email"},
		"PostgreSQL rewrites":        {changing("NEW.email := 'x' || NEW.email;"), long, 500, "trigger"},
		"PostgreSQL lowers the hash": {changing("NEW.password_hash := lower(NEW.password_hash);"), long, 500, "trigger"},
		"PostgreSQL drops the row":   {changing("RETURN NULL;"), long, 500, "trigger"},
	} {
		t.Run(name, func(t *testing.T) {
			db := tc.made(t)
			s := newService(t, db, open)
			status, answer := s.post(t, "/auth/people/register", `{"email":"`+tc.email+`","password":"correct horse battery"}`)
			require.Equal(t, tc.status, status, answer+s.log.String())
			require.Equal(t, 1, strings.Count(s.log.String(), "\n"), s.log.String())
			require.Contains(t, s.log.String(), tc.hint)
			require.NotContains(t, s.log.String(), tc.email)
			if tc.status == 422 && !strings.Contains(name, "PostgreSQL refuses") && !strings.Contains(name, "makes") {
				require.Contains(t, answer, `"email":"cannot be stored"`)
			}
			for _, table := range []string{"people", "fiberjwt_sessions"} {
				n, err := db.NewSelect().Table(table).Count(t.Context())
				require.NoError(t, err)
				require.Zero(t, n, table)
			}
		})
	}
}

// A trigger may rewrite an email address if a sign-in still finds it.
func TestRegisterAcceptsEquivalentRewrittenEmail(t *testing.T) {
	db := withPeople(t, postgres(t), append([]string{
		"CREATE COLLATION fold (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		postgresPeople("TEXT COLLATE fold", "TEXT"),
	}, postgresTrigger("INSERT", "NEW.email := upper(NEW.email);")...)...)
	s := newService(t, db, open)
	status, answer := s.post(t, "/auth/people/register", ann)
	require.Equal(t, 201, status, answer)
	s.signIn(t)
}

// The column pads its values with blanks.
func TestLoginFindsPaddedIdentityOnPostgres(t *testing.T) {
	db := withPeople(t, postgres(t), postgresPeople("CHAR(60)", "TEXT"))
	s := newService(t, db, open)
	status, answer := s.post(t, "/auth/people/register", ann)
	require.Equal(t, 201, status, answer)
	token := s.signIn(t)
	status, answer = s.post(t, "/auth/people/password", changeOfAnn, "Authorization", "Bearer "+token)
	require.Equal(t, 204, status, answer)
}

// The database cannot store these names and User-Agents.
func TestUnstorableTextDoesNotBreakLogin(t *testing.T) {
	latin := "CREATE TABLE people (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255) CHARACTER SET %s NOT NULL UNIQUE, password_hash VARCHAR(255) NOT NULL)"
	for name, db := range map[string]*bun.DB{
		"latin1":             withPeople(t, maria(t), fmt.Sprintf(latin, "latin1")),
		"ascii":              withPeople(t, maria(t), fmt.Sprintf(latin, "ascii")),
		"utf8mb3":            withPeople(t, maria(t), fmt.Sprintf(latin, "utf8mb3")),
		"latin1 lenient":     withPeople(t, maria(t, "sql_mode", ""), fmt.Sprintf(latin, "latin1")),
		"utf8 connection":    withPeople(t, maria(t, "character_set_client", "utf8mb3", "character_set_connection", "utf8mb3"), fmt.Sprintf(latin, "utf8mb3")),
		"MySQL latin1":       withPeople(t, mySQL(t), fmt.Sprintf(latin, "latin1")),
		"MySQL koi8r":        withPeople(t, mySQL(t), fmt.Sprintf(latin, "koi8r")),
		"MySQL utf8mb3":      withPeople(t, mySQL(t), fmt.Sprintf(latin, "utf8mb3")),
		"MySQL lenient":      withPeople(t, mySQL(t, "sql_mode", ""), fmt.Sprintf(latin, "latin1")),
		"PostgreSQL latin1":  withPeople(t, postgresIn(t, "LATIN1"), postgresPeople("TEXT", "TEXT")),
		"PostgreSQL no code": withPeople(t, postgresIn(t, "SQL_ASCII"), postgresPeople("TEXT", "TEXT")),
		"PostgreSQL":         withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT")),
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, db, open)
			for _, email := range []string{"жанна@example.com", "😀@example.com", "ann\u200d@example.com"} {
				status, answer := s.post(t, "/auth/people/login", strings.Replace(ann, "ann@example.com", email, 1))
				require.Equal(t, 401, status, "%s: %s%s", email, answer, s.log.String())
			}
			require.NotContains(t, s.log.String(), "ERROR")
			status, answer := s.post(t, "/auth/people/register", ann, "User-Agent", "😀/1.0 ж\xff\x00 tab/2")
			require.Equal(t, 201, status, answer+s.log.String())
			status, answer = s.post(t, "/auth/people/login", ann, "User-Agent", "😀/1.0")
			require.Equal(t, 200, status, answer+s.log.String())
			list, err := fiberjwt.Sessions(t.Context(), s.auth, &person{ID: 1})
			require.NoError(t, err)
			require.Equal(t, "/1.0", list[0].UserAgent)

			status, answer = s.post(t, "/auth/people/register", strings.Replace(ann, "ann@example.com", "😀жанна@example.com", 1))
			require.Contains(t, []int{201, 422}, status, answer+s.log.String())
			if status == 201 {
				status, answer = s.post(t, "/auth/people/login", strings.Replace(ann, "ann@example.com", "😀жанна@example.com", 1))
				require.Equal(t, 200, status, answer)
			}
		})
	}
}

// The identity column has another type than text.
func TestLoginWithNonUUIDNameGets401OnPostgres(t *testing.T) {
	db := withPeople(t, postgres(t), postgresPeople("UUID", "TEXT"))
	s := newService(t, db, open)
	status, answer := s.post(t, "/auth/people/login", ann)
	require.Equal(t, 401, status, answer+s.log.String())
}

// A trigger refuses the row with one of several SQLSTATEs.
func TestRaisingTriggerRefusesRegistration(t *testing.T) {
	raising := func(raise string) *bun.DB {
		return withPeople(t, postgres(t), append([]string{postgresPeople("TEXT", "TEXT")}, postgresTrigger("INSERT", raise+";")...)...)
	}
	signal := "CREATE TRIGGER spoil BEFORE INSERT ON people FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
	for name, db := range map[string]*bun.DB{
		"P0001":     raising("RAISE EXCEPTION 'the domain of % is not welcome', NEW.email"),
		"P0004":     raising("ASSERT false"),
		"own code":  raising("RAISE 'no' USING ERRCODE = 'MY001'"),
		"45000":     raising("RAISE 'no' USING ERRCODE = '45000'"),
		"check":     raising("RAISE check_violation"),
		"deferred":  withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT"), "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$", "CREATE CONSTRAINT TRIGGER spoil AFTER INSERT ON people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spoil()"),
		"MariaDB":   withPeople(t, maria(t), mariaPeople("TEXT", "InnoDB"), signal),
		"MariaDB 2": withPeople(t, maria(t), mariaPeople("TEXT", "InnoDB"), strings.Replace(signal, "45000", "23000", 1)),
		"MariaDB 3": withPeople(t, maria(t), mariaPeople("TEXT", "InnoDB"), signal+", MYSQL_ERRNO = 9999"),
		"MariaDB 4": withPeople(t, maria(t), mariaPeople("TEXT", "InnoDB"), strings.Replace(signal, "45000", "02000", 1)),
		"MySQL":     withPeople(t, mySQL(t), mariaPeople("VARCHAR(255)", "InnoDB"), signal+", MYSQL_ERRNO = 9999"),
		"privilege": raising("RAISE insufficient_privilege"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, db, open)
			status, answer := s.post(t, "/auth/people/register", ann)
			require.Equal(t, 422, status, answer+s.log.String())
			require.Equal(t, 1, strings.Count(s.log.String(), "\n"), s.log.String())
			require.Contains(t, s.log.String(), "level=WARN")
			require.NotContains(t, s.log.String(), "ann@example.com")
		})
	}
}

// hooked refuses to be written or read without an email address.
type hooked struct {
	bun.BaseModel `bun:"table:people"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull" json:"email"`
	PasswordHash  string `bun:",notnull" json:"-"`
}

func (h *hooked) BeforeAppendModel(context.Context, bun.Query) error {
	if h.Email == "" {
		return fmt.Errorf("no email")
	}
	return nil
}

// The hook of the model and the Load of the kind run in every statement.
func TestModelHooksDoNotBreakStatements(t *testing.T) {
	for name, kind := range map[string]fiberjwt.AnyEntity{
		"a model that refuses to be empty": fiberjwt.Entity[hooked]{Register: fiberjwt.Anyone[hooked]},
		"with a Load": fiberjwt.Entity[hooked]{Register: fiberjwt.Anyone[hooked], Load: func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ModelTableExpr("(SELECT * FROM people) AS ?TableAlias")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for server, db := range map[string]*bun.DB{
				"MariaDB":    withPeople(t, maria(t), mariaPeople("TEXT", "InnoDB")),
				"PostgreSQL": withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT")),
			} {
				s := newService(t, db, kind)
				status, answer := s.post(t, "/auth/people/register", ann)
				require.Equal(t, 201, status, server+answer+s.log.String())
				token := s.signIn(t)
				status, answer = s.post(t, "/auth/people/password", changeOfAnn, "Authorization", "Bearer "+token)
				require.Equal(t, 204, status, server+answer+s.log.String())
				run(t, db, "UPDATE people SET password_hash = '"+annsBcrypt+"'")
				s.signIn(t)
				require.Empty(t, s.log.String())
			}
		})
	}
}

// Load reads from another table.
func TestLoadFromAnotherTableGets500(t *testing.T) {
	db := withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT"), "CREATE TABLE members (LIKE people)")
	s := newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person], Load: func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.ModelTableExpr("members AS ?TableAlias")
	}})
	status, answer := s.post(t, "/auth/people/register", ann)
	require.Equal(t, 500, status, answer)
	require.Contains(t, s.log.String(), "Load")

	run(t, db, "INSERT INTO members VALUES (1, 'ann@example.com', '"+annsBcrypt+"')")
	s.later += time.Hour
	s.log.Reset()
	status, answer = s.post(t, "/auth/people/login", ann)
	require.Equal(t, 500, status, answer)
	require.Contains(t, s.log.String(), "Load")
}

// The application signs in inside the transaction that stores the account.
func TestLoginInTransactionNeedsGrantDBOnServers(t *testing.T) {
	for name, db := range map[string]*bun.DB{
		"MariaDB":    withPeople(t, maria(t), mariaPeople("TEXT", "InnoDB")),
		"PostgreSQL": withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT")),
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, db, open)
			s.app.Post("/join", func(c *fiber.Ctx) error {
				var tokens fiberjwt.Tokens
				err := db.RunInTx(c.UserContext(), nil, func(ctx context.Context, tx bun.Tx) error {
					u := &person{Email: "ann@example.com"}
					if _, err := tx.NewInsert().Model(u).Exec(ctx); err != nil {
						return err
					}
					options := fiberjwt.LoginOptions{DB: tx}
					if c.Query("tx") == "" {
						options.DB = nil
					}
					var err error
					tokens, err = fiberjwt.Login(c, u, options)
					return err
				})
				if err != nil {
					return err
				}
				return c.JSON(tokens)
			})
			if name == "PostgreSQL" { // on MariaDB the row is locked, so a statement outside the transaction waits
				status, _ := s.post(t, "/join", "{}")
				require.Equal(t, 500, status)
				require.Contains(t, s.log.String(), "LoginOptions.DB")
			}
			status, answer := s.post(t, "/join?tx=1", "{}")
			require.Equal(t, 200, status, answer+s.log.String())
			list, err := fiberjwt.Sessions(t.Context(), s.auth, &person{ID: map[string]int64{"MariaDB": 1, "PostgreSQL": 2}[name]})
			require.NoError(t, err)
			require.Len(t, list, 1)
		})
	}
}

// The transaction has the only connection of the pool, and no query ran before it.
func TestGrantDBNeedsNoSecondConnection(t *testing.T) {
	for name, db := range map[string]*bun.DB{
		"MariaDB":    withPeople(t, maria(t), mariaPeople("TEXT", "InnoDB")),
		"PostgreSQL": withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT")),
	} {
		db.SetMaxOpenConns(1)
		for _, how := range []string{"Login", "Issue", "a kind without passwords"} {
			t.Run(name+" "+how, func(t *testing.T) {
				kind := fiberjwt.Entity[person]{}
				if how == "a kind without passwords" {
					kind.Password = "-"
				}
				s := newService(t, db, kind, func(cfg *fiberjwt.Config) { cfg.ReadTimeout, cfg.WriteTimeout = 2*time.Second, 2*time.Second })
				s.app.Post("/join", func(c *fiber.Ctx) error {
					return db.RunInTx(c.UserContext(), nil, func(ctx context.Context, tx bun.Tx) (err error) {
						u := &person{Email: how}
						if _, err := tx.NewInsert().Model(u).Exec(ctx); err != nil {
							return err
						}
						if how == "Issue" {
							_, err = s.auth.Issue(ctx, u, fiberjwt.LoginOptions{DB: tx})
							return err
						}
						_, err = fiberjwt.Login(c, u, fiberjwt.LoginOptions{DB: tx})
						return err
					})
				})
				status, answer := s.post(t, "/join", "{}")
				require.Equal(t, 200, status, answer+s.log.String())
				require.Empty(t, s.log.String())
			})
		}
	}
}

// A hash has a trailing blank, and the column keeps and compares it.
func TestHashWithTrailingBlankSignsInOnServers(t *testing.T) {
	nopad := strings.Replace(mariaPeople("TEXT", "InnoDB"), "password_hash TEXT", "password_hash VARCHAR(255) CHARACTER SET utf8mb4 COLLATE %s", 1)
	for name, made := range map[string]func(t *testing.T) *bun.DB{
		"PostgreSQL": func(t *testing.T) *bun.DB { return withPeople(t, postgres(t), postgresPeople("TEXT", "TEXT")) },
		"MariaDB":    func(t *testing.T) *bun.DB { return withPeople(t, maria(t), fmt.Sprintf(nopad, "utf8mb4_nopad_bin")) },
		"MyISAM": func(t *testing.T) *bun.DB {
			return withPeople(t, maria(t), strings.Replace(fmt.Sprintf(nopad, "utf8mb4_nopad_bin"), "InnoDB", "MyISAM", 1))
		},
		"MySQL": func(t *testing.T) *bun.DB { return withPeople(t, mySQL(t), fmt.Sprintf(nopad, "utf8mb4_0900_ai_ci")) },
	} {
		t.Run(name, func(t *testing.T) {
			db := made(t)
			run(t, db, "INSERT INTO people (email, password_hash) VALUES ('ann@example.com', '"+annsBcrypt+" ')")
			s := newService(t, db, open)
			token := s.signIn(t)
			require.True(t, strings.HasPrefix(storedHash(t, db), "$argon2id$"))
			s.signIn(t)
			run(t, db, "UPDATE people SET password_hash = '"+annsBcrypt+" '")
			status, answer := s.post(t, "/auth/people/password", changeOfAnn, "Authorization", "Bearer "+token)
			require.Equal(t, 204, status, answer+s.log.String())
			require.Empty(t, s.log.String())
		})
	}
}
