package fiberjwt

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/internal/token"
)

// MaxTokenBytes is the longest token that is read.
const MaxTokenBytes = token.MaxBytes

// ShrinkCache bounds the cache to n accounts.
func ShrinkCache(a *Auth, n int) { a.service.Sessions.ShrinkCache(n) }

// TrustCache believes the cache for an hour without its feed.
func TrustCache(a *Auth) { a.service.Sessions.TrustCache() }

// OnMachine gives the cache another clock than that of this machine, before the
// first request.
func OnMachine(a *Auth, now func() time.Time) { a.service.Sessions.OnMachine(now) }

// LetTheStoreJudge leaves refreshes to the clock of the store, as without
// Config.Now; that is then the clock of this server.
func LetTheStoreJudge(a *Auth) {
	a.service.MachineClock = true
	for _, k := range a.kinds {
		k.Times.StoreClock = true
	}
}

// AwaitPruning waits for the round of pruning that runs, if one does.
func AwaitPruning(a *Auth) { a.service.Sessions.AwaitPruning() }

// PruneAtOnce has the next round start with the next row.
func PruneAtOnce(a *Auth) { a.service.Sessions.PruneFrom(a.now()) }

// NextPruning is when the next round may start.
func NextPruning(a *Auth) time.Time { return a.service.Sessions.NextPruning() }

// CloseGate refuses all whose passwords would be hashed, until open is called.
func CloseGate(a *Auth) (open func()) { return a.service.Hasher.CloseGate() }

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
	id, _ := a.kinds[0].device(c).SignedIn(account)
	return id
}

// TakeSlots leaves no room for another hash, until free is called.
func TakeSlots(a *Auth) (free func()) { return a.service.Hasher.TakeSlots() }

// HashingSlots is how many passwords are hashed at once with the default Config.
func HashingSlots() int { return newHasher(Config{}.withDefaults()).Slots() }
