package fiberjwt

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// ErrorHandler answers the errors of an application's handlers in the shape of
// the library's own refusals, so that clients know one:
//
//	app := fiber.New(fiber.Config{ErrorHandler: fiberjwt.ErrorHandler})
//
// An [Error] is answered as the middleware would, by Config.ErrorHandler if
// there is one, with all headers: a guard of the application's own just returns
// [ErrForbidden]. A *fiber.Error keeps its status and message, except for 400,
// for paths that no route takes and for 5xx: Fiber's own texts repeat there what
// the client sent. Anything else is 500. What a client must not see of a 5xx is
// logged.
func ErrorHandler(c *fiber.Ctx, err error) error {
	var fibers *fiber.Error
	var ours *Error
	if !errors.As(err, &ours) && !fault.IsUnavailable(err) && !errors.Is(err, ErrSetup) {
		ours = &Error{Status: fiber.StatusInternalServerError, Code: "server_error", Description: "The server could not answer the request.", cause: err}
		if errors.As(err, &fibers) && fibers.Code < fiber.StatusInternalServerError {
			ours = ofFiber(fibers)
		}
		err = ours
	}
	if r := requestOf(c); r != nil {
		return recovered(func() error { return answer(c, err, r.auth.logs, r.auth.errorHandler) })
	}
	return answer(c, err, logsOf(c), nil)
}

// ofFiber is an error of Fiber's kind below 500.
func ofFiber(e *fiber.Error) *Error {
	switch {
	case e.Code == fiber.StatusBadRequest:
		return ErrInvalidRequest
	case e.Code == fiber.StatusNotFound && strings.HasPrefix(e.Message, "Cannot "): // "Cannot GET /path"
		return ErrNotFound
	}
	code := strings.ToLower(strings.NewReplacer(" ", "_", "'", "_", "-", "_").Replace(http.StatusText(e.Code)))
	return &Error{Status: e.Code, Code: cmp.Or(code, "refused"), Description: e.Message}
}
