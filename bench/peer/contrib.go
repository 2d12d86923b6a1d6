package peer

import (
	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
)

// AddContrib adds a route behind gofiber/contrib/jwt with its defaults to app. The response
// is the subject.
func AddContrib(app *fiber.App, algorithm string, key any) {
	app.Use(contrib(algorithm, key))
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(subjectOf(c)) })
}

func contrib(algorithm string, key any) fiber.Handler {
	return jwtware.New(jwtware.Config{SigningKey: jwtware.SigningKey{JWTAlg: algorithm, Key: key}})
}

func subjectOf(c *fiber.Ctx) string { return claim(c, "sub") }

func claim(c *fiber.Ctx, name string) string {
	text, _ := c.Locals("user").(*jwt.Token).Claims.(jwt.MapClaims)[name].(string)
	return text
}
