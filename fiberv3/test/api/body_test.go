// Code generated from ../../../test/api/body_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// sendChunked starts a server of w that passes bodies on as streams, and sends it the head of a chunked request and rest.
func (w *world) sendChunked(path, rest string) net.Conn {
	w.t.Helper()
	w.mounted(fiber.New(fiber.Config{StreamRequestBody: true}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	go func() { _ = w.app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	app := w.app
	w.t.Cleanup(func() { require.NoError(w.t, app.Shutdown()) })
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	require.NoError(w.t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%s", path, rest)
	require.NoError(w.t, err)
	return conn
}

func TestEndlessBodyIsRefused(t *testing.T) {
	const limit = 16 << 10
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.FromForm("token"))
	}, withoutRoutes)
	w.mounted(fiber.New(fiber.Config{StreamRequestBody: true}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = w.app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() { require.NoError(t, w.app.Shutdown()) })

	// start sends the head of a request and the first bytes of its body, in a chunk of 64 MiB that never ends. It returns
	// the status of the response.
	start := func(t *testing.T, path, mediaType, body string) int {
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n%s", path, mediaType, body)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, "the server waits for the rest of the body")
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	for _, path := range []string{"/auth/users/register", "/auth/users/login"} {
		require.Equal(t, 413, start(t, path, "application/json", strings.Repeat("a", limit+1)), path)
	}
	require.Equal(t, 401, start(t, "/any", "application/x-www-form-urlencoded", "token="), "a form in a stream must not be read: the request has no token")
}

func TestFormBeyond16KiBIsNotParsedForToken(t *testing.T) {
	w := quickWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromForm("token") })
	w.addUser("ann@example.com")
	token := "token=" + w.enter("users", 1).Access + "&rest="
	post := func(body []byte) (status int, allocated uint64) {
		var c fasthttp.RequestCtx
		c.Request.Header.SetMethod("POST")
		c.Request.SetRequestURI("/any")
		c.Request.Header.SetContentType("application/x-www-form-urlencoded")
		c.Request.SetBody(body)
		handler := w.app.Handler()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		handler(&c)
		runtime.ReadMemStats(&after)
		return c.Response.StatusCode(), after.TotalAlloc - before.TotalAlloc
	}
	status, _ := post([]byte(token + strings.Repeat("a", 16<<10-len(token))))
	require.Equal(t, 200, status)
	status, _ = post([]byte(token + strings.Repeat("a", 16<<10-len(token)+1)))
	require.Equal(t, 401, status)
	status, allocated := post(bytes.Repeat([]byte("a&"), 2<<20))
	require.Equal(t, 401, status)
	require.Less(t, allocated, uint64(1<<20), "a refused form must not cost this many bytes of memory")
}

func TestEndlessBodyIsRefusedWhereBodyIsOptional(t *testing.T) {
	for _, route := range []string{"refresh", "logout", "logout-all"} {
		t.Run(route, func(t *testing.T) {
			conn := newWorld(t, withoutRoutes).sendChunked("/auth/users/"+route, "4000000\r\n"+strings.Repeat("a", 16<<10+1))
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err, "the server waits for the rest of the body")
			require.NoError(t, response.Body.Close())
			require.Equal(t, 413, response.StatusCode)
		})
	}
}

func TestEndOfTooLongBodyIsNotParsed(t *testing.T) {
	w := newWorld(t)
	pair := w.register("users", "ann@example.com")
	other := newWorld(t, withoutRoutes, func(cfg *fiberjwt.Config) { cfg.DB = w.db })
	body := strings.Repeat("x", 16<<10+1) + `{"refresh_token":"` + pair.Refresh + `"}`
	conn := other.sendChunked("/auth/users/refresh", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 413, response.StatusCode)
}

func TestRestOfRefusedBodyIsNotParsedAsRequest(t *testing.T) {
	for name, path := range map[string]string{"refused by a route": "/auth/users/login", "refused by the middleware": "/any"} {
		t.Run(name, func(t *testing.T) {
			body := strings.Repeat("a", 16<<10+1) + "GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"
			conn := newWorld(t, withoutRoutes).sendChunked(path, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body))
			answers, _ := io.ReadAll(conn) // until the server closes or resets the connection
			require.Equal(t, 1, strings.Count(string(answers), "HTTP/1.1 "), "the server answered the rest of the body as a request: %.2000s", answers)
		})
	}
}
