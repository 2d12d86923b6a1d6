package fiberjwt

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/seal"
)

// deviceLife is how long a browser that has signed in is remembered.
const deviceLife = 180 * 24 * time.Hour

// device opens the device cookie of a request. A sibling host can plant a cookie of the
// same name beside ours.
func (k *kind) device(c *fiber.Ctx) seal.Device {
	for _, value := range cookieValues(c, k.cookies.device) {
		if d, ok := k.Device(borrow(value)); ok {
			return d
		}
	}
	return seal.Device{}
}

// markDevice notes in the browser that it has signed in to the account of a name.
func (k *kind) markDevice(c *fiber.Ctx, name string, now time.Time) {
	value := k.Mark(k.device(c), name, now)
	k.cookies.write(c, k.cookies.device, value, k.cookies.routes, fiber.CookieSameSiteStrictMode, deviceLife)
}
