// Code generated from ../../../test/api/client_js_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// clientBudget is the largest allowed size of the gzipped client, in bytes.
const clientBudget = 2048

func withClient(cfg *fiberjwt.Config) { cfg.Client = true }

func TestClientScriptIsServedOnlyIfEnabled(t *testing.T) {
	require.Equal(t, 401, quickWorld(t).do("GET", "/auth/client.js", "").Status)
	a := quickWorld(t, withClient).do("GET", "/auth/client.js", "")
	require.Equal(t, 200, a.Status)
	require.Equal(t, "text/javascript; charset=utf-8", a.Header.Get("Content-Type"))
	require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-cache", a.Header.Get("Cache-Control"))
	require.Contains(t, a.Body, "export function createAuth(")
	require.Empty(t, a.Header.Get("Set-Cookie"))
}

func TestClientScriptIsRevalidatedByETag(t *testing.T) {
	w := quickWorld(t, withClient)
	first := w.do("GET", "/auth/client.js", "")
	tag := first.Header.Get("ETag")
	require.Regexp(t, `^"[A-Za-z0-9_-]{22}"$`, tag, "the ETag must be strong")
	for _, header := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		again := w.do("GET", "/auth/client.js", "", "If-None-Match", header)
		require.Equal(t, 304, again.Status, header)
		require.Empty(t, again.Body)
		require.Equal(t, tag, again.Header.Get("ETag"))
	}
	for _, header := range []string{"", `"other"`, strings.Trim(tag, `"`)} {
		require.Equal(t, 200, w.do("GET", "/auth/client.js", "", "If-None-Match", header).Status, header)
	}
	head := w.do("HEAD", "/auth/client.js", "")
	require.Equal(t, 200, head.Status)
	require.Equal(t, tag, head.Header.Get("ETag"))
	require.Empty(t, head.Body)
}

func TestClientScriptFitsSizeBudget(t *testing.T) {
	body := quickWorld(t, withClient).do("GET", "/auth/client.js", "").Body
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	require.NoError(t, err)
	_, err = w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	t.Logf("client.js: %d bytes, %d gzipped", len(body), packed.Len())
	require.LessOrEqual(t, packed.Len(), clientBudget)
	for line := range strings.Lines(body) {
		require.NotContains(t, line, "// ", "the served script must contain no comments")
		require.NotEqual(t, '*', rune(line[0]), "the served script must contain no comments")
	}
}

func TestMountServesClientScript(t *testing.T) {
	app := fiber.New()
	w := quickWorld(t, withClient, func(cfg *fiberjwt.Config) { cfg.Routes = nil })
	w.auth.Mount(app.Group("/api/auth"))
	w.app = app
	require.Equal(t, 200, w.do("GET", "/api/auth/client.js", "").Status)
}

func TestClientScriptNeedsCookieTransport(t *testing.T) {
	_, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), ServeClient: true, Transports: []fiberjwt.Transport{fiberjwt.TransportBody}})
	require.ErrorContains(t, err, "Config.ServeClient")
}
