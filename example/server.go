package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/fiberjwt/fiberjwt"
)

// newServer returns a Fiber app with limits, for Fiber has none of its own: no deadline and 4 MiB of body.
func newServer() *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:               "fiberjwt example",
		ReadTimeout:           10 * time.Second,
		WriteTimeout:          10 * time.Second,
		IdleTimeout:           60 * time.Second,
		ReadBufferSize:        16 << 10, // the cookies of two accounts and a header of the application's own fit well
		BodyLimit:             64 << 10,
		DisableStartupMessage: true,
		ErrorHandler:          answerError,
	})
	app.Use(recover.New()) // in Fiber v2 a panic in a handler ends the process
	app.Use(func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set(fiber.HeaderCacheControl, "no-store") // answers are about one account; the page says otherwise for itself
		return c.Next()
	})
	return app
}

// answerError is the one place where an error of a handler becomes an answer, in the shape fiberjwt gives its own. Fiber's texts
// are dropped, they repeat the path: no answer contains a word of what the client sent.
func answerError(c *fiber.Ctx, err error) error {
	answer := &fiberjwt.Error{Status: fiber.StatusInternalServerError}
	var known *fiber.Error
	if !errors.As(err, &answer) {
		if errors.As(err, &known) {
			answer.Status = known.Code
		}
		answer.Description = http.StatusText(answer.Status) + "."
		answer.Code = strings.ReplaceAll(strings.ToLower(http.StatusText(answer.Status)), " ", "_")
	}
	if answer.Status >= fiber.StatusInternalServerError {
		slog.Error("request failed", "method", c.Method(), "route", c.Route().Path, "error", err)
	}
	return c.Status(answer.Status).JSON(struct {
		Error       string            `json:"error"`
		Description string            `json:"error_description"`
		Fields      map[string]string `json:"fields,omitempty"`
	}{answer.Code, answer.Description, answer.Fields})
}

// serve runs app until ctx ends. What is under way then has a second to finish: a browser may hold connections open
// that no request will ever come on, and they must not keep the program.
func serve(ctx context.Context, app *fiber.App, ln net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln) }()

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	if err := app.ShutdownWithTimeout(time.Second); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
