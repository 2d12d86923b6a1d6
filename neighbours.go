package fiberjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Some of Fiber's own middlewares keep an answer and give it to the next client
// without asking who that is. The table in docs/operate/deployment.md says which order is
// right for each of them.

// The names of the functions that make these middlewares. A handler is a closure
// in one of them, and its name begins so.
const (
	fibersCache       = "github.com/gofiber/fiber/v2/middleware/cache.New."
	fibersIdempotency = "github.com/gofiber/fiber/v2/middleware/idempotency.New."
	fibersCSRF        = "github.com/gofiber/fiber/v2/middleware/csrf.New."
)

// neighbours are the middlewares of that sort that an application has. One that
// is wrapped in a handler of the application's own is not seen.
type neighbours struct {
	handlers                 uint32 // of the application, when it was searched
	cache, idempotency, csrf bool
}

// neighbours of the application that c is a request to. It is searched again
// after routes were added.
func (a *Auth) neighbours(c *fiber.Ctx) neighbours {
	app := c.App()
	if known, ok := a.apps.Load(app); ok && known.(neighbours).handlers == app.HandlersCount() {
		return known.(neighbours)
	}
	n := a.neighboursIn(app)
	a.apps.Store(app, n)
	if n.csrf {
		a.logs.Hint(c.UserContext(), "Fiber's csrf middleware stands above the built-in routes and answers 403 to every sign-in without its token",
			"remove it, because fiberjwt checks itself which origin a request with cookies comes from; or register it below the middleware, for routes whose pages send its token")
	}
	return n
}

func (a *Auth) neighboursIn(app *fiber.App) neighbours {
	n := neighbours{handlers: app.HandlersCount()}
	for _, routes := range app.Stack() {
		guarded := []string{} // paths that csrf stands above, as far as it was registered
		for _, route := range routes {
			for _, handler := range route.Handlers {
				name := runtime.FuncForPC(reflect.ValueOf(handler).Pointer()).Name()
				n.cache = n.cache || strings.HasPrefix(name, fibersCache)
				n.idempotency = n.idempotency || strings.HasPrefix(name, fibersIdempotency)
				if strings.HasPrefix(name, fibersCSRF) {
					guarded = append(guarded, route.Path)
				}
			}
			n.csrf = n.csrf || a.mounted[route.Path] && slices.ContainsFunc(guarded, func(above string) bool {
				return strings.HasPrefix(route.Path, above)
			})
		}
	}
	return n
}

// keptAbove refuses a request below a middleware that would keep the answer and
// give it to clients that were never asked for a token.
func keptAbove(c *fiber.Ctx, n neighbours) error {
	switch {
	case n.cache && !passesCache(c) && calledBy(fibersCache):
		return fault.Setup("Fiber's cache middleware stands above fiberjwt and would give the answer for one account to every client: register it below, or above only for requests without credentials, as docs/operate/deployment.md shows")
	case n.idempotency && !fiber.IsMethodSafe(c.Method()) && calledBy(fibersIdempotency):
		return fault.Setup("Fiber's idempotency middleware stands above fiberjwt and would give the answer for one account to every client that sends the same key: register it below")
	}
	return nil
}

// underCache reports whether Fiber's cache middleware is above and would keep the
// answer: a refusal would be for every client then, as long as it is kept.
func (a *Auth) underCache(c *fiber.Ctx) bool {
	return a.neighbours(c).cache && !passesCache(c) && calledBy(fibersCache)
}

// passesCache: Fiber's cache middleware neither reads nor keeps the answer. The
// request says so, or that middleware has said that it is not for this method.
func passesCache(c *fiber.Ctx) bool {
	passes := strings.Contains(borrow(c.Request().Header.Peek(fiber.HeaderCacheControl)), "no-store")
	c.Response().Header.VisitAll(func(_, value []byte) {
		passes = passes || string(value) == "unreachable"
	})
	return passes
}

// calledBy: one of the functions that wait for this one to return is a closure in
// the function with this name.
func calledBy(name string) bool {
	var calls [512]uintptr
	frames := runtime.CallersFrames(calls[:runtime.Callers(2, calls[:])])
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); strings.HasPrefix(frame.Function, name) {
			return true
		}
	}
	return false
}

// ownerHeader marks an answer while the handlers below run, so that one that
// Fiber's idempotency middleware gives again says whose it is. It never leaves.
const ownerHeader = "X-Fiberjwt-Owner"

// run runs the handlers below and keeps the answer for those that it is for.
func (r *request) run(c *fiber.Ctx) error {
	n := r.auth.neighbours(c)
	if n.cache && len(r.sessions) > 0 {
		// Fiber's cache middleware looks at no header of an answer, only at this one.
		c.Request().Header.Set(fiber.HeaderCacheControl, "no-store")
	}
	if !n.idempotency {
		err := r.next(c)
		r.label(c)
		return err
	}
	owner := r.owner()
	c.Response().Header.Set(ownerHeader, owner)
	err := r.next(c)
	foreign := ofAnother(c, owner)
	c.Response().Header.Del(ownerHeader)
	if foreign {
		c.Response().Reset()
		err = r.auth.answer(c, fault.Setup("Fiber's idempotency middleware gives an answer again that was for another account, or does not say for which: if it has KeepResponseHeaders, add "+ownerHeader+" there, which clients do not see"))
	}
	r.label(c)
	return err
}

// label writes what a cache must know about the answer. It comes after the
// handlers, because proxy.Do and its like replace all headers.
func (r *request) label(c *fiber.Ctx) {
	r.vary(c)
	if len(r.sessions) > 0 && len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Set(fiber.HeaderCacheControl, "private")
	}
}

func (r *request) vary(c *fiber.Ctx) {
	c.Vary(r.auth.vary...)
	if r.byCookie {
		c.Vary("Sec-Fetch-Site", fiber.HeaderOrigin)
	}
}

// owner is who the answer is for, as text that does not show it.
func (r *request) owner() string {
	hash := sha256.New()
	for _, s := range r.sessions {
		hash.Write([]byte(s.Kind + "\x00" + s.Issuer + "\x00" + s.Subject + "\x00"))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// ofAnother: the answer was kept, and not for this owner.
func ofAnother(c *fiber.Ctx, owner string) bool {
	again := false
	c.Context().VisitUserValuesAll(func(key, _ any) {
		again = again || reflect.TypeOf(key).PkgPath() == strings.TrimSuffix(fibersIdempotency, ".New.") && reflect.ValueOf(key).String() == "idempotency_isfromcache"
	})
	if !again {
		return false
	}
	marks := c.Response().Header.PeekAll(ownerHeader)
	for _, mark := range marks {
		if string(mark) != owner {
			return true
		}
	}
	return len(marks) < 2 // this request's own, and that of the kept answer
}
