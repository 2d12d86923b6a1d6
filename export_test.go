package fiberjwt

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/internal/admission"
)

// MaxTokenBytes is the longest token that is read.
const MaxTokenBytes = maxTokenBytes

// ShrinkCache bounds the cache to n accounts.
func ShrinkCache(a *Auth, n int) { a.store.cache.room = n }

// TrustCache believes the cache for an hour without its feed.
func TrustCache(a *Auth) {
	c := a.store.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh, c.gap = time.Hour, time.Hour
}

// CloseGate refuses all whose passwords would be hashed, until open is called.
func CloseGate(a *Auth) (open func()) {
	gate := a.hasher.gate
	a.hasher.gate = admission.New(0, 0, func() int { return 0 })
	return func() { a.hasher.gate = gate }
}

// MarkDevice is the device cookie of a browser that has signed in to an account
// of the first kind.
func MarkDevice(a *Auth, account string) string {
	c := fiber.New().AcquireCtx(&fasthttp.RequestCtx{})
	a.kinds[0].markDevice(c, account, a.now())
	var cookie fasthttp.Cookie
	cookie.SetKey(a.kinds[0].cookies.device)
	c.Response().Header.Cookie(&cookie)
	return string(cookie.Value())
}

// DeviceOf is the device of a cookie, "" if it is not one of the account.
func DeviceOf(a *Auth, value, account string) string {
	c := fiber.New().AcquireCtx(&fasthttp.RequestCtx{})
	c.Request().Header.SetCookie(a.kinds[0].cookies.device, value)
	id, _ := a.kinds[0].deviceOf(c, account)
	return id
}
