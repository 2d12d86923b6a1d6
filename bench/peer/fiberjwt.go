package peer

import (
	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
)

// AddVerifyOnly adds a route behind fiberjwt without accounts to app. The response is the
// subject.
func AddVerifyOnly(app *fiber.App) {
	app.Use(fiberjwt.New(fiberjwt.Config{Secret: fixture.Secret}))
	app.Get("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(s.Subject)
	})
}

// AddAccounts adds a route behind fiberjwt to app that loads the account of each request. The
// response is its email. The routes of fiberjwt are below "/auth".
func AddAccounts(app *fiber.App, cfg fiberjwt.Config) (*fiberjwt.Auth, error) {
	cfg.Routes, cfg.Entities = app.Group("/auth"), []fiberjwt.AnyEntity{fiberjwt.Entity[fixture.User]{}}
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		return nil, err
	}
	app.Use(auth.Handler())
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(c.Locals(fixture.Kind).(*fixture.User).Email) })
	return auth, nil
}
