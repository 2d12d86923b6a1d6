package api_test

import (
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/static"
)

// This file has what differs between Fiber v2 and v3 in these tests. The other files are made
// from those in ../../../test/api.

// jsonType is the Content-Type of the JSON that Fiber sends.
const jsonType = fiber.MIMEApplicationJSONCharsetUTF8

// preforkChild is the variable by which a process knows that it is a child of Prefork.
const preforkChild = "FASTHTTP_PREFORK_CHILD"

// statusOfTwoPorts is the response to a request with cookies whose Host has two ports: fasthttp
// refuses it.
const statusOfTwoPorts = fiber.StatusBadRequest

// guardAll registers a middleware for all paths, also for those that no client should send. See
// TestUseWithoutPathMissesPathsOfSlashes.
func guardAll(app *fiber.App, middleware fiber.Handler) { app.Use("/*", middleware) }

// behindProxy returns the settings of an application whose clients all come through a proxy. The
// address of the requests of App.Test is 0.0.0.0.
func behindProxy(header string) fiber.Config {
	return fiber.Config{ProxyHeader: header, TrustProxy: true, TrustProxyConfig: fiber.TrustProxyConfig{Private: true, Proxies: []string{"0.0.0.0"}}}
}

// serveFiles serves the files below root.
func serveFiles(app *fiber.App, root string) { app.Use("/", static.New(root)) }
