package peer

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/session"
)

// living is the condition that the session of an access token is alive.
const living = "EXISTS (SELECT 1 FROM fiberjwt_sessions AS s WHERE s.sid = ? AND s.kind = ? AND s.subject = ?" +
	" AND s.revoked IS NULL AND s.idle_until > ? AND s.ends > ?)"

// AddByHand adds a route to app as one writes it with contrib/jwt and Bun: verify the token,
// load the account. With checkSession it also looks whether the session is alive, as
// fiberjwt does. The response is the email.
func AddByHand(app *fiber.App, db *bun.DB, checkSession bool) {
	app.Use(contrib("HS256", fixture.Key), func(c *fiber.Ctx) error {
		subject := subjectOf(c)
		id, err := strconv.ParseInt(subject, 10, 64)
		if err != nil {
			return fiber.ErrUnauthorized
		}
		user := new(fixture.User)
		query := db.NewSelect().Model(user).Where("id = ?", id)
		if checkSession {
			sid, _ := session.ParseID(claim(c, "sid"))
			now := time.Now().UnixMilli()
			query = query.Where(living, sid, fixture.Kind, subject, now, now)
		}
		if err := query.Scan(c.UserContext()); err != nil {
			return fiber.ErrUnauthorized
		}
		c.Locals("account", user)
		return c.Next()
	})
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(c.Locals("account").(*fixture.User).Email) })
}

const readTimeout = 2 * time.Second

// AddPrepared adds a route to app that loads account and session by a prepared statement,
// with a deadline, for the accounts in turn. It verifies no token.
func AddPrepared(app *fiber.App, db *bun.DB, signedIn []fixture.SignedIn) error {
	statement, err := db.DB.Prepare(numbered(db, selectAccount+" AND "+living+" LIMIT 1")) //nolint:sqlclosecheck // it lives as long as db
	if err != nil {
		return err
	}
	next := 0
	app.Get("/", func(c *fiber.Ctx) error {
		who := &signedIn[next%len(signedIn)]
		next++
		ctx, cancel := context.WithTimeout(c.UserContext(), readTimeout)
		defer cancel()
		now := time.Now().UnixMilli()
		row := statement.QueryRowContext(ctx, who.User.ID, who.SID, fixture.Kind, strconv.FormatInt(who.User.ID, 10), now, now)
		user, err := scanAccount(row)
		if err != nil {
			return err
		}
		c.Locals("account", user)
		return c.SendString(c.Locals("account").(*fixture.User).Email)
	})
	return nil
}

const selectAccount = "SELECT u.id, u.email, u.full_name, u.admin, u.password_hash FROM users AS u WHERE u.id = ?"

func scanAccount(row *sql.Row) (*fixture.User, error) {
	u := new(fixture.User)
	return u, row.Scan(&u.ID, &u.Email, &u.FullName, &u.Admin, &u.PasswordHash)
}

// numbered replaces each "?" by the placeholder of the database.
func numbered(db *bun.DB, query string) string {
	if !fixture.IsPostgres(db) {
		return query
	}
	var b []byte
	n := 0
	for i := range len(query) {
		if query[i] != '?' {
			b = append(b, query[i])
			continue
		}
		n++
		b = strconv.AppendInt(append(b, '$'), int64(n), 10)
	}
	return string(b)
}
