package peer

import "github.com/gofiber/fiber/v2"

// AddBare adds a route without a middleware to app: what a route costs that is open to all.
func AddBare(app *fiber.App) {
	app.Get("/", func(c *fiber.Ctx) error {
		_ = c.Locals("user")
		return c.SendString("open")
	})
}
