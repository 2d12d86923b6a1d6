package peer

import "github.com/gofiber/fiber/v2"

// Bare returns an application without a middleware: what a route costs that is open to all.
func Bare() *fiber.App {
	app := fiber.New()
	app.Get("/", func(c *fiber.Ctx) error {
		_ = c.Locals("user")
		return c.SendString("open")
	})
	return app
}
