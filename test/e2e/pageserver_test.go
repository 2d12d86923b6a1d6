package e2e_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

const everywhere = "__Host-Http-users.refresh"

// pageServer renders the signed-in user from the cookies of the request, before a
// script runs. It is another server on the same host, and it cannot set any of the
// cookies.
type pageServer struct {
	api  string
	port string
	http *http.Client

	mu        sync.Mutex
	exchanges int
	faults    []string
}

func newPageServer(t *testing.T, w *world) *pageServer {
	t.Helper()
	s := &pageServer{api: "https://127.0.0.1:" + w.port, http: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // the server is part of the test
	}}
	t.Cleanup(s.http.CloseIdleConnections)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, s.port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	server := &http.Server{Handler: s, TLSConfig: selfSigned(t)} //nolint:gosec // a test has no slow clients
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

func (s *pageServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" { // browsers request an icon
		http.NotFound(w, r)
		return
	}
	who := "anonymous"
	if access := s.accessToken(r); access != "" {
		status, account := s.ask("GET", "/data/users", "", access)
		who = fmt.Sprint(account["email"])
		if status != http.StatusOK {
			s.fault("%d for a new access token", status)
		}
	}
	_, _ = io.WriteString(w, "<!doctype html><title>rendered</title><p>"+who)
}

func (s *pageServer) accessToken(r *http.Request) string {
	cookie, err := r.Cookie(everywhere)
	if err != nil {
		return ""
	}
	status, answer := s.ask("POST", "/auth/users/token", `{"refresh_token":"`+cookie.Value+`"}`, "")
	if status != http.StatusOK && status != http.StatusUnauthorized {
		s.fault("%d for the exchange of a refresh token", status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges++
	access, _ := answer["access_token"].(string)
	return access
}

func (s *pageServer) ask(method, path, body, access string) (int, map[string]any) {
	request, _ := http.NewRequest(method, s.api+path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if access != "" {
		request.Header.Set("Authorization", "Bearer "+access)
	}
	response, err := s.http.Do(request)
	if err != nil {
		s.fault("%v", err)
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	if len(response.Cookies()) > 0 {
		s.fault("%s sets cookies", path)
	}
	var answer map[string]any
	_ = json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer
}

func (s *pageServer) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

func TestServerRendersPagesForSignedInUser(t *testing.T) {
	const expiries = 5
	w, p := newWorld(t, func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) { cfg.Cookie.RefreshEverywhere = true }), newProfile(t)
	pages := newPageServer(t, w)
	rendered := func() string {
		b := p.tab().visit("https://a.test:" + pages.port + "/")
		return b.text("p")
	}
	b := w.home(p)
	require.Equal(t, "anonymous", rendered())
	b.signUp("users", "ann@example.com")
	stored := p.cookies()[everywhere]
	require.Equal(t, []any{"/", "a.test", true, true}, []any{stored.Path, stored.Domain, stored.Secure, stored.HTTPOnly})

	for range expiries {
		w.expire()
		require.Equal(t, "ann@example.com", rendered(), "the page server could not render before the client refreshed")
		require.Empty(t, eval[[]string](b, tenAtOnce))
		require.Equal(t, "ann@example.com", rendered())
	}
	require.Equal(t, expiries, w.count(refreshRoute, 200), "rendering rotated a token")
	require.Zero(t, w.count(refreshRoute, 401), "a request of the page server was treated as a replay")
	pages.mu.Lock()
	require.Equal(t, 2*expiries, pages.exchanges)
	pages.mu.Unlock()

	// After a link from another site, the browser does not send the refresh cookie
	// (SameSite=Strict).
	evil := p.tab().visit(w.url("evil.test", "/blank"))
	evil.run(`void setTimeout(() => { location = %q; })`, "https://a.test:"+pages.port+"/")
	evil.wait(`document.title === 'rendered'`)
	require.Equal(t, "anonymous", evil.text("p"))

	b.run("users.logout()")
	require.Equal(t, "anonymous", rendered())
	require.Empty(t, p.cookies())
	pages.mu.Lock()
	defer pages.mu.Unlock()
	require.Empty(t, pages.faults)
}
