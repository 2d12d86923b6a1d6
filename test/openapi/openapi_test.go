// Package openapi compares the real responses of the built-in routes with the OpenAPI
// document that the library serves.
package openapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/legacy"
)

const password = `"password":"a pony for the trip"`

// configurations are settings whose documents differ most.
var configurations = map[string]func(*fiberjwt.Config){
	"default": func(*fiberjwt.Config) {},
	"own errors, own header, one transport": func(cfg *fiberjwt.Config) {
		cfg.ErrorHandler = func(c *fiber.Ctx, err error) error { return c.SendString(err.Error()) }
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader("JWT"), fiberjwt.FromHeader("X-Token"), fiberjwt.FromCookie("sid"), fiberjwt.FromQuery("auth"), fiberjwt.FromForm("token"))
		cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportCookie}
	},
	"a form only": func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromForm("token") },
	"names not allowed for components": func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromHeader("X~Token"), fiberjwt.FromQuery("the token"))
	},
	"insecure cookies behind a prefix": func(cfg *fiberjwt.Config) {
		cfg.Cookie = fiberjwt.Cookie{Insecure: true, RefreshEverywhere: true, Path: "/shop/auth"}
	},
}

func TestDocumentIsValidOpenAPI31(t *testing.T) {
	for name, configure := range configurations {
		w := newWorld(t, configure)
		good, faults := w.judge.ValidateDocument()
		require.True(t, good, "%s: %v\n%s", name, faults, w.document)
	}
}

// A route without the key "security" would be documented as public.
func TestProtectedRouteDocumentsItsTokenSource(t *testing.T) {
	for name, test := range map[string]struct {
		extractor fiberjwt.Extractor
		want      []string
	}{
		"form":              {fiberjwt.FromForm("token"), []string{"token"}},
		"param and ticket":  {fiberjwt.Chain(fiberjwt.FromParam("t"), fiberjwt.FromTicket("x")), []string{"token"}},
		"one name, sources": {fiberjwt.Chain(fiberjwt.FromHeader("token"), fiberjwt.FromQuery("token")), []string{"header.token", "query.token"}},
	} {
		w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = test.extractor })
		var document struct {
			Paths      map[string]map[string]struct{ Security []map[string]any }
			Components struct{ SecuritySchemes map[string]any }
		}
		require.NoError(t, json.Unmarshal(w.document, &document))
		var names []string
		for _, way := range document.Paths["/auth/users/me"]["get"].Security {
			names = slices.AppendSeq(names, maps.Keys(way))
		}
		require.Equal(t, test.want, names, name)
		for _, scheme := range names {
			require.Contains(t, document.Components.SecuritySchemes, scheme)
		}
	}
}

func TestOldTokenRefusalsAreDocumented(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.OldTokens = legacy.Tokens{Secret: []byte("old"), Until: cfg.Now().Add(time.Hour), Kind: "users"}
	})
	w.do("POST", "/auth/users/register", `{"email":"ann@example.com",`+password+`}`)
	old := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":"1","exp":%d}`, w.now.Add(time.Minute).Unix()))
	mac := hmac.New(sha256.New, []byte("old"))
	mac.Write([]byte(old))
	bearer := []string{"Authorization", "Bearer " + old + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}
	w.expect("me 200", "GET", "/me", "", bearer...)
	w.expect("password 403 forbidden", "POST", "/password", "{}", bearer...)
	w.expect("logout-all 403 forbidden", "POST", "/logout-all", "", bearer...)
	require.NotContains(t, newWorld(t).promises("users"), "password 403 forbidden", "without OldTokens")
}

func TestDocumentListsRoutesOfEachKind(t *testing.T) {
	w := newWorld(t)
	var document struct{ Paths map[string]any }
	require.NoError(t, json.Unmarshal(w.document, &document))
	require.Len(t, document.Paths, 9+9+6)
	require.Contains(t, document.Paths, "/auth/teachers/sessions/{id}")
	require.NotContains(t, document.Paths, "/auth/robots/login")
	require.NotContains(t, string(w.document), "password_hash")

	unmounted := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Routes = nil })
	document.Paths = nil
	require.NoError(t, json.Unmarshal(unmounted.document, &document))
	require.Empty(t, document.Paths)
}

func TestBodyRefreshTokenIsDocumentedIfAccepted(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportCookie} })
	var document struct {
		Paths map[string]map[string]struct{ RequestBody any }
	}
	require.NoError(t, json.Unmarshal(w.document, &document))
	require.NotContains(t, fmt.Sprint(document.Paths["/auth/users/refresh"]["post"].RequestBody), "refresh_token")
	require.NoError(t, json.Unmarshal(newWorld(t).document, &document))
	require.Contains(t, fmt.Sprint(document.Paths["/auth/users/refresh"]["post"].RequestBody), "refresh_token")
}

// It provokes each status and code that the document declares for users. do compares each
// response with the document.
func TestEveryResponseIsDocumented(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.RefreshEverywhere = true })
	ann := w.expect("register 201", "POST", "/register", `{"email":"ann@example.com","full_name":"Ann","age":7,"score":1.5,"tags":["a"],"labels":{"a":"b"},"photo":"AAEC","born_at":"2020-01-02T03:04:05Z",`+password+`}`)
	bearer := []string{"Authorization", "Bearer " + ann.member("access_token")}
	w.do("POST", "/auth/users/register", `{"email":"bare@example.com",`+password+`}`)

	waiting := w.do("POST", "/auth/teachers/register", `{"login":"waiting",`+password+`}`)
	require.Equal(t, 201, waiting.status)
	require.Empty(t, waiting.member("access_token"))
	toby := w.do("POST", "/auth/teachers/register", `{"login":"toby",`+password+`}`)
	teacher := []string{"Authorization", "Bearer " + toby.member("access_token")}

	login := `{"email":"ann@example.com",` + password + `}`
	inCookies := `{"transport":"cookie",` + login[1:]
	signedIn := w.expect("login 200", "POST", "/login", inCookies, "Sec-Fetch-Site", "same-origin")
	var jar []string
	for _, cookie := range (&http.Response{Header: signedIn.header}).Cookies() {
		jar = append(jar, cookie.Name+"="+cookie.Value)
	}
	elsewhere := []string{"Cookie", strings.Join(jar, "; "), "Sec-Fetch-Site", "cross-site"}
	third := w.do("POST", "/auth/users/login", login)

	w.expect("me 200", "GET", "/me", "", bearer...)
	w.expect("sessions 200", "GET", "/sessions", "", bearer...)
	w.expect("refresh 200", "POST", "/refresh", "", "Cookie", strings.Join(jar, "; "), "Sec-Fetch-Site", "same-origin")

	w.expect("register 403 csrf", "POST", "/register", `{"transport":"cookie","email":"c@example.com",`+password+`}`, "Sec-Fetch-Site", "cross-site")
	w.expect("register 403 forbidden", "POST", "/register", `{"full_name":"nobody","email":"n@example.com",`+password+`}`)
	w.expect("register 409 taken", "POST", "/register", login)
	w.expect("login 401 invalid_credentials", "POST", "/login", `{"email":"bob@example.com",`+password+`}`)
	w.expect("login 403 csrf", "POST", "/login", inCookies, "Sec-Fetch-Site", "cross-site")
	w.expect("refresh 401 no_token", "POST", "/refresh", "")
	w.expect("refresh 401 session_ended", "POST", "/refresh", `{"refresh_token":"fjr_none"}`)
	w.expect("token 401 session_ended", "POST", "/token", `{"refresh_token":"fjr_none"}`)
	w.expect("refresh 403 csrf", "POST", "/refresh", "", elsewhere...)
	w.expect("password 401 invalid_credentials", "POST", "/password", `{"current_password":"a donkey for the trip","password":"two ponies for the trip"}`, bearer...)
	w.expect("end-session 404 not_found", "DELETE", "/sessions/none", "", bearer...)

	for _, route := range []string{"/register", "/login", "/refresh", "/token", "/logout", "/logout-all", "/password"} {
		id, who := route[1:], []string(nil)
		if route == "/password" {
			who = bearer
		}
		w.expect(id+" 400 invalid_request", "POST", route, `{`, who...)
		w.expect(id+" 413 too_large", "POST", route, `{"refresh_token":"`+strings.Repeat("x", 17<<10)+`"}`, who...)
		w.expect(id+" 415 unsupported_media_type", "POST", route, `{}`, append([]string{"Content-Type", "text/plain"}, who...)...)
		w.expect(id+" 422 invalid_fields", "POST", route, `{"refresh_token":5}`, who...)
	}
	for _, route := range [][3]string{{"me", "GET", "/me"}, {"sessions", "GET", "/sessions"}, {"end-session", "DELETE", "/sessions/none"}, {"password", "POST", "/password"}} {
		body := ""
		if route[0] == "password" {
			body = "{}"
		}
		w.expect(route[0]+" 401 no_token", route[1], route[2], body)
		w.expect(route[0]+" 401 invalid_token", route[1], route[2], body, "Authorization", "Bearer nonsense")
		w.expect(route[0]+" 403 wrong_kind", route[1], route[2], body, teacher...)
		if route[0] != "password" {
			w.expect(route[0]+" 400 invalid_request", route[1], route[2], body, append([]string{"Authorization", "Bearer another"}, bearer...)...)
		}
	}
	w.expect("end-session 403 csrf", "DELETE", "/sessions/none", "", elsewhere...)
	w.expect("password 403 csrf", "POST", "/password", "{}", elsewhere...)
	w.expect("logout 403 csrf", "POST", "/logout", "", elsewhere...)
	w.expect("logout-all 403 csrf", "POST", "/logout-all", "", elsewhere...)

	// A refresh token is used again after its grandchild.
	first := third.member("refresh_token")
	again := `{"refresh_token":"` + first + `"}`
	w.expect("token 200", "POST", "/token", again)
	second := w.rotate(first)
	w.now = w.now.Add(time.Minute)
	w.expect("token 401 refresh_required", "POST", "/token", again)
	w.rotate(second)
	w.expect("token 401 session_revoked", "POST", "/token", again)
	w.expect("refresh 401 session_revoked", "POST", "/refresh", again)

	bearer = w.bearer(login)
	w.broken.Store(true)
	w.expect("register 500 server_error", "POST", "/register", `{"email":"b@example.com",`+password+`}`)
	w.expect("login 500 server_error", "POST", "/login", login)
	w.expect("refresh 500 server_error", "POST", "/refresh", `{"refresh_token":"`+ann.member("refresh_token")+`"}`)
	w.expect("token 500 server_error", "POST", "/token", `{"refresh_token":"`+ann.member("refresh_token")+`"}`)
	w.expect("me 500 server_error", "GET", "/me", "", bearer...)
	w.expect("sessions 500 server_error", "GET", "/sessions", "", bearer...)
	w.expect("end-session 500 server_error", "DELETE", "/sessions/none", "", bearer...)
	w.expect("password 500 server_error", "POST", "/password", `{"current_password":"a","password":"two ponies for the trip"}`, bearer...)
	w.broken.Store(false)

	w.until("register 429 rate_limited", "POST", "/register", login)
	w.until("login 429 rate_limited", "POST", "/login", `{"email":"bob@example.com",`+password+`}`)
	w.until("password 429 rate_limited", "POST", "/password", `{"current_password":"a donkey","password":"two ponies for the trip"}`, bearer...)

	w.now = w.now.Add(time.Hour)
	bearer = w.bearer(login)
	w.expect("password 204", "POST", "/password", `{"current_password":"a pony for the trip","password":"two ponies for the trip"}`, bearer...)
	var list []fiberjwt.SessionInfo
	require.NoError(t, json.Unmarshal(w.do("GET", "/auth/users/sessions", "", bearer...).text, &list))
	w.expect("end-session 204", "DELETE", "/sessions/"+list[0].ID, "", bearer...)
	login = strings.Replace(login, "a pony", "two ponies", 1)
	w.expect("logout 204", "POST", "/logout", "", w.bearer(login)...)
	w.expect("logout-all 204", "POST", "/logout-all", "", w.bearer(login)...)

	refresh := `{"refresh_token":"` + w.do("POST", "/auth/users/login", login).member("refresh_token") + `"}`
	bearer = w.bearer(login)
	require.NoError(t, w.db.Close())
	w.expect("register 503 temporarily_unavailable", "POST", "/register", `{"email":"z@example.com",`+password+`}`)
	w.expect("login 503 temporarily_unavailable", "POST", "/login", login)
	w.expect("refresh 503 temporarily_unavailable", "POST", "/refresh", refresh)
	w.expect("token 503 temporarily_unavailable", "POST", "/token", refresh)
	w.expect("logout 503 temporarily_unavailable", "POST", "/logout", "", bearer...)
	w.expect("logout-all 503 temporarily_unavailable", "POST", "/logout-all", "", bearer...)
	w.expect("me 503 temporarily_unavailable", "GET", "/me", "", bearer...)
	w.expect("sessions 503 temporarily_unavailable", "GET", "/sessions", "", bearer...)
	w.expect("end-session 503 temporarily_unavailable", "DELETE", "/sessions/none", "", bearer...)
	w.expect("password 503 temporarily_unavailable", "POST", "/password", "{}", bearer...)

	promises := slices.DeleteFunc(w.promises("users"), func(promise string) bool {
		// No hook of the application runs there that could fail.
		return promise == "logout 500 server_error" || promise == "logout-all 500 server_error"
	})
	require.ElementsMatch(t, promises, slices.Collect(maps.Keys(w.seen)), "the document declares other responses than were provoked")
}
