// Code generated from ../../../test/api/middleware_bench_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// BenchmarkMiddleware measures whole requests. What the middleware costs is the difference to
// the bare handler, which answers 204 or, for the refusals, 401 with the same JSON.
func BenchmarkMiddleware(b *testing.B) {
	bare := fiber.New()
	bare.Get("/empty", noContent)
	bare.Get("/refused", func(c fiber.Ctx) error {
		return c.Status(401).JSON(struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}{"no_token", "Sign in first: the request carries no access token."})
	})
	verifier := newVerifier(b)
	verifier.app.Get("/empty", fiberjwt.Require("users"), noContent)
	token := outsider{testSecret}.token("users", plainClaims("users", "1").String())

	for _, request := range []struct {
		name   string
		send   func() (status int)
		status int
	}{
		{"handler=bare/request=accepted", repeat(bare.Handler(), "/empty"), 204},
		{"handler=bare/request=refused", repeat(bare.Handler(), "/refused"), 401},
		{"handler=verify/request=accepted", repeat(verifier.app.Handler(), "/empty", "Authorization", "Bearer "+token), 204},
		{"handler=verify/request=forged", repeat(verifier.app.Handler(), "/empty", "Authorization", "Bearer "+forge(token)), 401},
		{"handler=verify/request=anonymous", repeat(verifier.app.Handler(), "/empty"), 401},
	} {
		b.Run(request.name, func(b *testing.B) {
			require.Equal(b, request.status, request.send())
			b.ReportAllocs()
			for b.Loop() {
				request.send()
			}
		})
	}
}

func noContent(c fiber.Ctx) error {
	c.Status(fiber.StatusNoContent)
	return nil
}

// forge returns token with another signature.
func forge(token string) string {
	signature, first := strings.LastIndexByte(token, '.')+1, "A"
	if strings.HasPrefix(token[signature:], first) {
		first = "B"
	}
	return token[:signature] + first + token[signature+1:]
}

// repeat returns a function that sends the same request again, in the memory of the request
// before, as a server does.
func repeat(handler fasthttp.RequestHandler, path string, headers ...string) func() (status int) {
	var c fasthttp.RequestCtx
	c.Request.Header.SetMethod(fiber.MethodGet)
	c.Request.SetRequestURI(path)
	for i := 0; i < len(headers); i += 2 {
		c.Request.Header.Set(headers[i], headers[i+1])
	}
	return func() int {
		c.Response.Reset()
		c.ResetUserValues()
		handler(&c)
		return c.Response.StatusCode()
	}
}
