package api_test

import "github.com/gofiber/fiber/v2"

// This file has what differs between Fiber v2 and v3 in these tests. The other files are copied
// to fiberv3/test/api.

// jsonType is the Content-Type of the JSON that Fiber sends.
const jsonType = fiber.MIMEApplicationJSON

// preforkChild is the variable by which a process knows that it is a child of Prefork.
const preforkChild = "FIBER_PREFORK_CHILD"

// statusOfTwoPorts is the response to a request with cookies whose Host has two ports.
const statusOfTwoPorts = fiber.StatusForbidden

// guardAll registers a middleware for all paths, also for those that no client should send.
func guardAll(app *fiber.App, middleware fiber.Handler) { app.Use(middleware) }

// behindProxy returns the settings of an application whose clients all come through a proxy.
func behindProxy(header string) fiber.Config { return fiber.Config{ProxyHeader: header} }

// serveFiles serves the files below root.
func serveFiles(app *fiber.App, root string) { app.Static("/", root) }
