package fiberjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/client"
)

// serveClient answers [Config].Client. Browsers ask on each page load whether the
// module has changed, so client and server always have the same version.
func serveClient() fiber.Handler {
	module := client.Module()
	sum := sha256.Sum256([]byte(module))
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderETag, tag)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
			return c.SendStatus(fiber.StatusNotModified)
		}
		c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
		return c.SendString(module)
	}
}

// matches compares If-None-Match with tag, weakly, as RFC 9110 §13.1.2 requires.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}
