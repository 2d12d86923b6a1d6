package peer

import (
	"database/sql"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/bench/fixture"
)

// RefreshByHand is the work that a refresh cannot avoid, written by hand: one statement on
// the session, one SELECT of the account, one signature. The statements are prepared and
// have no deadline.
type RefreshByHand struct {
	rotate, find, account *sql.Stmt
	floor                 *Floor
	turns                 *fixture.Turns
}

// NewRefreshByHand returns a RefreshByHand for the sessions in turn.
func NewRefreshByHand(db *bun.DB, turns *fixture.Turns) (*RefreshByHand, error) {
	r := &RefreshByHand{floor: NewFloor(fixture.Key), turns: turns}
	for statement, text := range map[**sql.Stmt]string{
		&r.rotate:  "UPDATE fiberjwt_sessions SET gen = gen + 1, prev = gen, issued = ?, idle_until = ? WHERE sid = ? AND gen = ?",
		&r.find:    "SELECT gen, prev, issued, idle_until, ends FROM fiberjwt_sessions WHERE sid = ? AND revoked IS NULL",
		&r.account: selectAccount,
	} {
		var err error
		if *statement, err = db.DB.Prepare(numbered(db, text)); err != nil { //nolint:sqlclosecheck // it lives as long as db
			return nil, err
		}
	}
	return r, nil
}

// Rotate returns an application whose route stores the next generation of a session.
func (r *RefreshByHand) Rotate() *fiber.App {
	return r.app(func(who *fixture.SignedIn) error {
		now := time.Now()
		done, err := r.rotate.Exec(now.UnixMilli(), now.Add(14*24*time.Hour).UnixMilli(), who.SID, 0)
		if err != nil {
			return err
		}
		if rows, err := done.RowsAffected(); err != nil || rows != 1 {
			return errRefused
		}
		return nil
	})
}

// Same returns an application whose route reads a session, and stores nothing.
func (r *RefreshByHand) Same() *fiber.App {
	return r.app(func(who *fixture.SignedIn) error {
		var gen, prev, issued, idle, ends int64
		return r.find.QueryRow(who.SID).Scan(&gen, &prev, &issued, &idle, &ends)
	})
}

func (r *RefreshByHand) app(present func(*fixture.SignedIn) error) *fiber.App {
	app := fiber.New()
	app.Post("/", func(c *fiber.Ctx) error {
		who := r.turns.Next()
		if err := present(who); err != nil {
			return err
		}
		user, err := scanAccount(r.account.QueryRow(who.User.ID))
		if err != nil {
			return err
		}
		return c.SendString(r.floor.Sign(header, payload(user.ID, time.Now().Unix())))
	})
	return app
}

// A header and the claims of an access token, in the length that fiberjwt gives them.
const header = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZmdoLnVzZXJzIiwidHlwIjoiYXQrand0In0"

func payload(id, now int64) []byte {
	b := append(make([]byte, 0, 256), `{"aud":"fiberjwt","auth_time":1790000000,"exp":`...)
	b = append(strconv.AppendInt(b, now+600, 10), `,"iat":`...)
	b = append(strconv.AppendInt(b, now, 10), `,"iss":"fiberjwt","jti":"AAAAAAAAAAAAAAAAAAAAAA","kind":"users","sid":"AAAAAAAAAAAAAAAAAAAAAA","sub":"`...)
	return append(strconv.AppendInt(b, id, 10), `"}`...)
}
