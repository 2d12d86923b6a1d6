package fiberjwt

import (
	"crypto/sha256"
	_ "embed" // client.min.js
	"encoding/base64"
	"strings"

	"github.com/gofiber/fiber/v2"
)

//go:generate go run -C e2e ./minify

// clientModule is the browser's side, an ES module without dependencies: client.js
// made small.
//
//go:embed client.min.js
var clientModule string

// serveClient answers [Config].Client. Pages ask whether the module has changed
// each time they load it, so that client and server never drift apart.
func serveClient() fiber.Handler {
	sum := sha256.Sum256([]byte(clientModule))
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderETag, tag)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
			return c.SendStatus(fiber.StatusNotModified)
		}
		c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
		return c.SendString(clientModule)
	}
}

// matches is If-None-Match, which compares weakly: RFC 9110 §13.1.2.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}
