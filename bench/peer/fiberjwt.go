package peer

import (
	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
)

// VerifyOnly returns an application with fiberjwt that has no accounts. The response is the
// subject.
func VerifyOnly(cfg fiberjwt.Config) (*fiber.App, *fiberjwt.Auth, error) {
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		return nil, nil, err
	}
	app := fiber.New()
	app.Use(auth.Handler())
	app.Get("/", func(c *fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		return c.SendString(s.Subject)
	})
	return app, auth, nil
}

// Accounts returns an application with fiberjwt that loads the account of each request. The
// response is its email. The routes of fiberjwt are below "/auth".
func Accounts(cfg fiberjwt.Config) (*fiber.App, *fiberjwt.Auth, error) {
	app := fiber.New()
	cfg.Routes, cfg.Entities = app.Group("/auth"), []fiberjwt.AnyEntity{fiberjwt.Entity[fixture.User]{}}
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		return nil, nil, err
	}
	app.Use(auth.Handler())
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(c.Locals(fixture.Kind).(*fixture.User).Email) })
	return app, auth, nil
}
