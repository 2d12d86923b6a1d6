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

// newServer returns a Fiber app with limits. By default Fiber has no deadlines and accepts bodies of 4 MiB.
func newServer() *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:               "fiberjwt example",
		ReadTimeout:           10 * time.Second,
		WriteTimeout:          10 * time.Second,
		IdleTimeout:           60 * time.Second,
		ReadBufferSize:        16 << 10, // limits the headers; enough for the cookies of two accounts
		BodyLimit:             64 << 10,
		DisableStartupMessage: true,
		ErrorHandler:          answerError,
	})
	app.Use(recover.New()) // in Fiber v2 a panic in a handler ends the process
	app.Use(func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set(fiber.HeaderCacheControl, "no-store") // responses concern one account; servePage overrides this
		return c.Next()
	})
	return app
}

// answerError writes the error of a handler as a response, in the same JSON as errors of fiberjwt. It does not use the texts of
// Fiber's errors, because they repeat the path and no response should contain text from the client.
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

// serve runs app until ctx ends. Requests in progress then have one second to finish. Without this limit, the program would wait
// for browsers, which keep idle connections open.
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
