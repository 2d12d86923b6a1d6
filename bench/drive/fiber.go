// Package drive sends requests to applications: to handlers in this process, and over
// HTTP to a server in a child process.
package drive

import (
	"fmt"
	"net"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"
)

// Fiber sends requests to the handler of a Fiber application, without a connection. It
// reuses one request, as fasthttp's server does for the requests of a connection. It is
// not safe for concurrent use.
type Fiber struct {
	handler fasthttp.RequestHandler
	ctx     fasthttp.RequestCtx
	status  int
}

var authorization = []byte(fiber.HeaderAuthorization)

// NewFiber returns a Fiber that sends method and path.
func NewFiber(app *fiber.App, method, path string) *Fiber {
	f := &Fiber{handler: app.Handler(), status: fiber.StatusOK}
	f.ctx.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 50_000}, nil)
	f.ctx.Request.Header.SetMethod(method)
	f.ctx.Request.SetRequestURI(path)
	f.ctx.Request.Header.SetHost("app.example.com")
	f.ctx.Request.Header.SetUserAgent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	f.ctx.Request.Header.SetContentType(fiber.MIMEApplicationJSON)
	return f
}

// Expect sets the status that every response must have. Without Expect, it is 200.
func (f *Fiber) Expect(status int) *Fiber {
	f.status = status
	return f
}

// Bearer sends a request with this value of the header Authorization.
func (f *Fiber) Bearer(value string) error {
	f.ctx.Request.Header.SetCanonical(authorization, utils.UnsafeBytes(value)) // which copies it
	return f.send()
}

// Post sends a request with a body.
func (f *Fiber) Post(body []byte) error {
	f.ctx.Request.SetBodyRaw(body)
	f.ctx.Request.Header.SetContentLength(len(body))
	return f.send()
}

// Head sends a request with a copy of header.
func (f *Fiber) Head(header *fasthttp.RequestHeader) error {
	header.CopyTo(&f.ctx.Request.Header)
	return f.send()
}

func (f *Fiber) send() error {
	f.ctx.Response.Reset()
	f.ctx.ResetUserValues()
	f.handler(&f.ctx)
	if status := f.ctx.Response.StatusCode(); status != f.status {
		return fmt.Errorf("the status is %d and not %d: %s", status, f.status, f.ctx.Response.Body())
	}
	return nil
}

// Body returns the body of the last response. It is valid until the next request.
func (f *Fiber) Body() string { return string(f.ctx.Response.Body()) }
