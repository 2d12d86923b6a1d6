// Code generated from ../../../test/api/extract_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

func TestAuthorizationHeaderIsParsedByGrammar(t *testing.T) {
	w, ann := newSignedInWorld(t)
	bob := w.signIn("users", "bob@example.com").Access
	for _, test := range []struct {
		name   string
		lines  []string // {ann} and {bob} stand for their tokens
		cookie string   // of users: "B" is the token of bob
		status int
		body   string // part of it
	}{
		{"the usual form", []string{"Bearer {ann}"}, "", 200, "users:1"},
		{"the scheme in lower case", []string{"bearer {ann}"}, "", 200, "users:1"},
		{"the scheme in upper case", []string{"BEARER {ann}"}, "", 200, "users:1"},
		{"the scheme in mixed case", []string{"bEaReR {ann}"}, "", 200, "users:1"},
		{"two spaces", []string{"Bearer  {ann}"}, "", 200, "users:1"},
		{"spaces around", []string{"  Bearer {ann}  "}, "", 200, "users:1"},
		{"no header", nil, "", 401, "no_token"},
		{"an empty header", []string{""}, "", 401, "no_token"},
		{"the scheme alone", []string{"Bearer"}, "", 401, "invalid_token"},
		{"the scheme and a space", []string{"Bearer "}, "", 401, "invalid_token"},
		{"two tokens", []string{"Bearer {ann} {bob}"}, "", 401, "invalid_token"},
		{"the same token twice", []string{"Bearer {ann} {ann}"}, "", 401, "invalid_token"},
		{"a comma between", []string{"Bearer {ann},{bob}"}, "", 401, "invalid_token"},
		{"a list of credentials", []string{"Bearer {ann}, Bearer {bob}"}, "", 401, "invalid_token"},
		{"a tab for the space", []string{"Bearer\t{ann}"}, "", 401, "no_token"},
		{"a tab after the space", []string{"Bearer \t{ann}"}, "", 401, "invalid_token"},
		{"no space", []string{"Bearer{ann}"}, "", 401, "no_token"},
		{"a colon", []string{"Bearer: {ann}"}, "", 401, "no_token"},
		{"an equals sign", []string{"Bearer={ann}"}, "", 401, "no_token"},
		{"a parameter", []string{"Bearer token={ann}"}, "", 401, "invalid_token"},
		{"quotes", []string{`Bearer "{ann}"`}, "", 401, "invalid_token"},
		{"the bare token", []string{"{ann}"}, "", 401, "no_token"},
		{"a scheme with a letter of another script", []string{"Веarer {ann}"}, "", 401, "no_token"},
		{"another scheme", []string{"Basic {ann}"}, "", 401, "no_token"},
		{"a scheme that begins with Bearer", []string{"BearerX {ann}"}, "", 401, "no_token"},

		{"two headers, the same", []string{"Bearer {ann}", "bearer {ann}"}, "", 200, "users:1"},
		{"two headers, both valid", []string{"Bearer {ann}", "Bearer {bob}"}, "", 400, "invalid_request"},
		{"two headers, the first invalid", []string{"Bearer x", "Bearer {ann}"}, "", 400, "invalid_request"},
		{"two headers, the second invalid", []string{"Bearer {ann}", "Bearer x"}, "", 400, "invalid_request"},
		{"two headers, one empty", []string{"Bearer {ann}", "Bearer"}, "", 401, "invalid_token"},
		{"two headers, the first for a proxy", []string{"Basic eDp5", "Bearer {ann}"}, "", 200, "users:1"},
		{"two headers, the second for a proxy", []string{"Bearer {ann}", "Basic eDp5"}, "", 200, "users:1"},
		{"two headers of other schemes", []string{"Basic eDp5", "Digest x"}, "", 401, "no_token"},

		{"no header, and a cookie", nil, "B", 200, "users:2"},
		{"another scheme, and a cookie", []string{"Basic eDp5"}, "B", 200, "users:2"},
		{"a bare token, and a cookie", []string{"{ann}"}, "B", 200, "users:2"},
		{"a valid header, and a cookie of another account", []string{"Bearer {ann}"}, "B", 200, "users:1"},
		{"a valid header, and an invalid cookie", []string{"Bearer {ann}"}, "x", 200, "users:1"},
		{"an invalid header, and a valid cookie", []string{"Bearer x"}, "B", 401, "invalid_token"},
		{"the scheme alone, and a valid cookie", []string{"Bearer"}, "B", 401, "invalid_token"},
		{"two headers, and a valid cookie", []string{"Bearer {ann}", "Bearer {bob}"}, "B", 400, "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fill := strings.NewReplacer("{ann}", ann.Access, "{bob}", bob)
			var lines []string
			for _, line := range test.lines {
				lines = append(lines, "Authorization: "+fill.Replace(line))
			}
			switch test.cookie {
			case "B":
				lines = append(lines, "Cookie: __Host-Http-users="+bob)
			case "x":
				lines = append(lines, "Cookie: __Host-Http-users=x")
			}
			answers := raw(t, w.app, request("GET", "/any", lines...), getWith("/any", ann.Access))
			require.Len(t, answers, 2)
			require.Equal(t, test.status, answers[0].Status, answers[0].Body)
			require.Contains(t, answers[0].Body, test.body)
			if test.status == 401 {
				require.Regexp(t, `^Bearer( error="invalid_token")?$`, answers[0].Header.Get("WWW-Authenticate"))
			}
			if test.status != 200 {
				requireNoEcho(t, answers[0], ann.Access)
				requireNoEcho(t, answers[0], bob)
			}
			require.Equal(t, "users:1", answers[1].Body, "the next request on the connection got a wrong response")
		})
	}
}

func TestFirstSourceWithCredentialDecides(t *testing.T) {
	for name, test := range map[string]struct {
		chain  fiberjwt.Extractor
		header string
		cookie string
		status int
		body   string
	}{
		"header before cookie":                   {fiberjwt.Chain(fiberjwt.FromHeader("X-Token"), fiberjwt.FromCookie("tok")), "A", "B", 200, "users:1"},
		"cookie before header":                   {fiberjwt.Chain(fiberjwt.FromCookie("tok"), fiberjwt.FromHeader("X-Token")), "A", "B", 200, "users:2"},
		"cookie before header, no cookie":        {fiberjwt.Chain(fiberjwt.FromCookie("tok"), fiberjwt.FromHeader("X-Token")), "A", "", 200, "users:1"},
		"an invalid token does not fall through": {fiberjwt.Chain(fiberjwt.FromCookie("tok"), fiberjwt.FromHeader("X-Token")), "A", "x", 401, "invalid_token"},
		"an expired token does not fall through": {fiberjwt.Chain(fiberjwt.FromHeader("X-Token"), fiberjwt.FromCookie("tok")), "E", "B", 401, "invalid_token"},
		"an empty header is skipped":             {fiberjwt.Chain(fiberjwt.FromHeader("X-Token"), fiberjwt.FromCookie("tok")), "", "B", 200, "users:2"},
		"a chain in a chain":                     {fiberjwt.Chain(fiberjwt.Chain(fiberjwt.FromQuery("no"), fiberjwt.FromCookie("tok")), fiberjwt.FromHeader("X-Token")), "A", "B", 200, "users:2"},
		"a source that is not in the chain":      {fiberjwt.FromHeader("X-Token"), "", "B", 401, "no_token"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = test.chain })
			mint := outsider{testSecret}
			token := map[string]string{
				"A": mint.token("users", plainClaims("users", "1").String()),
				"B": mint.token("users", plainClaims("users", "2").String()),
				"E": mint.token("users", plainClaims("users", "1").set("iat", "1").set("exp", "2").String()),
				"x": "x",
			}
			a := w.do("GET", "/any", "", "X-Token", token[test.header], "Cookie", "tok="+token[test.cookie])
			require.Equal(t, test.status, a.Status, a.Body)
			require.Contains(t, a.Body, test.body)
		})
	}
}

func TestSessionReportsTokenSource(t *testing.T) {
	mint := outsider{testSecret}
	token := mint.token("users", plainClaims("users", "1").String())
	for name, test := range map[string]struct {
		extractor fiberjwt.Extractor
		request   string
		want      string
	}{
		"auth header":  {fiberjwt.FromAuthHeader(""), getWith("/source", token), "auth header"},
		"other scheme": {fiberjwt.FromAuthHeader("Token"), request("GET", "/source", "Authorization: tOKEN "+token), "auth header"},
		"header":       {fiberjwt.FromHeader("x-token"), request("GET", "/source", "X-Token: "+token), "header"},
		"cookie":       {fiberjwt.FromCookie("tok"), request("GET", "/source", "Cookie: tok="+token), "cookie"},
		"query":        {fiberjwt.FromQuery("tok"), request("GET", "/source?tok="+token), "query"},
		"form":         {fiberjwt.FromForm("tok"), formRequest("POST", "application/x-www-form-urlencoded", "tok="+token), "form"},
		"custom":       {fiberjwt.FromCustom("mine", func(fiber.Ctx) (string, error) { return token, nil }), request("GET", "/source"), "custom"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = test.extractor })
			var got string
			w.app.All("/source", func(c fiber.Ctx) error {
				s, _ := fiberjwt.SessionOf(c)
				got = s.Source
				return nil
			})
			a := raw(t, w.app, test.request)
			require.Equal(t, 200, a[0].Status, a[0].Body)
			require.Equal(t, test.want, got)
			require.Equal(t, strings.ReplaceAll(name, "other scheme", "auth header"), got)
		})
	}
}

func formRequest(method, contentType, body string) string {
	return fmt.Sprintf("%s /source HTTP/1.1\r\nHost: example.com\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", method, contentType, len(body), body)
}

func TestConflictingTokensInOneSourceGet400(t *testing.T) {
	mint := outsider{testSecret}
	one, two := mint.token("users", plainClaims("users", "1").String()), mint.token("users", plainClaims("users", "2").String())
	const urlencoded = "application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		extractor fiberjwt.Extractor
		request   func(a, b string) string
	}{
		"headers": {fiberjwt.FromHeader("X-Token"), func(a, b string) string {
			return request("GET", "/any", "X-Token: "+a, "x-token: "+b)
		}},
		"cookies in one header": {fiberjwt.FromCookie("tok"), func(a, b string) string {
			return request("GET", "/any", "Cookie: tok="+a+"; tok="+b)
		}},
		"cookies in two headers": {fiberjwt.FromCookie("tok"), func(a, b string) string {
			return request("GET", "/any", "Cookie: tok="+a, "Cookie: tok="+b)
		}},
		"query": {fiberjwt.FromQuery("tok"), func(a, b string) string {
			return request("GET", "/any?tok="+a+"&tok="+b)
		}},
		"query, one spelled with an escape": {fiberjwt.FromQuery("tok"), func(a, b string) string {
			return request("GET", "/any?tok="+a+"&%74ok="+b)
		}},
		"form": {fiberjwt.FromForm("tok"), func(a, b string) string {
			return strings.Replace(formRequest("POST", urlencoded, "tok="+a+"&tok="+b), "/source", "/any", 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = test.extractor })
			for _, pair := range [][2]string{{one, two}, {two, one}, {one, "x"}, {"x", one}} {
				a := raw(t, w.app, test.request(pair[0], pair[1]))
				require.Equal(t, 400, a[0].Status, a[0].Body)
				require.Equal(t, "invalid_request", a[0].Code(t))
				requireNoEcho(t, a[0], one)
				requireNoEcho(t, a[0], two)
			}
			a := raw(t, w.app, test.request(one, one))
			require.Equal(t, "users:1", a[0].Body, "the same token twice counts as one")
		})
	}
}

func TestInvalidCookieAffectsOnlyItsOwnKind(t *testing.T) {
	w, ann := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann").Access
	expired := outsider{testSecret}.token("teachers", claimsOf(t, teacher).set("iat", "1").set("exp", "2").String())
	for name, cookie := range map[string]string{
		"garbage": "x", "expired": expired, "of the other kind": ann.Access, "truncated": teacher[:40], "only a quotation mark": `"`,
	} {
		t.Run(name, func(t *testing.T) {
			get := func(path string) answer {
				return w.do("GET", path, "", "Cookie", "__Host-Http-teachers="+cookie+"; __Host-Http-users="+ann.Access)
			}
			require.Equal(t, "users:1", get("/any").Body)
			require.Equal(t, 200, get("/users/me").Status)
			require.Equal(t, 200, get("/locals/users").Status)
			require.Equal(t, 200, get("/either").Status)
			if name == "only a quotation mark" {
				return // the server reads it as an empty cookie, which counts as no cookie
			}
			// Not 403: the client should refresh.
			for _, path := range []string{"/teachers/me", "/locals/teachers", "/auth/teachers/me"} {
				a := get(path)
				require.Equal(t, 401, a.Status, path)
				require.Equal(t, `Bearer error="invalid_token"`, a.Header.Get("WWW-Authenticate"), path)
				require.Empty(t, a.Header.Get("Set-Cookie"), "a refusal must not change cookies")
			}
		})
	}
	// Without a cookie of the kind, the code is no_token.
	a := w.do("GET", "/teachers/me", "", "Cookie", "__Host-Http-users="+ann.Access)
	require.Equal(t, 401, a.Status)
	require.Equal(t, "no_token", a.Code(t))
}

func TestDuplicateCookieAffectsOnlyItsOwnKind(t *testing.T) {
	w, ann := newSignedInWorld(t)
	bob := w.signIn("users", "bob@example.com").Access
	teacher := w.signIn("teachers", "ann").Access
	two := "__Host-Http-users=" + ann.Access + "; __Host-Http-users=" + bob
	get := func(path, cookies string) answer { return raw(t, w.app, request("GET", path, "Cookie: "+cookies))[0] }

	both := two + "; __Host-Http-teachers=" + teacher
	require.Equal(t, "teachers:1", get("/any", both).Body)
	require.Equal(t, 200, get("/teachers/me", both).Status)
	for _, path := range []string{"/users/me", "/locals/users", "/auth/users/me"} {
		for _, cookies := range []string{two, both} {
			a := get(path, cookies)
			require.Equal(t, 400, a.Status, path)
			require.Equal(t, "invalid_request", a.Code(t))
			requireNoEcho(t, a, ann.Access)
		}
	}
	require.Equal(t, 400, get("/any", two).Status)
}

func TestCookieNamesMustMatchExactly(t *testing.T) {
	w, ann := newSignedInWorld(t)
	for _, name := range []string{"__host-http-users", "__Host-Http-USERS", "__Host-users", "users", "__Secure-users", "$__Host-Http-users", "__Host-Http-user", "__Host-Http-userss",
		// A script may set these names; a server that trims Unicode white space would read the protected name.
		"\u2000__Host-Http-users", "\u00a0__Host-Http-users", "\u0085__Host-Http-users", "__Host-Http-users\u3000", "\x0b__Host-Http-users", "__Host-Http-users\x0c", "__Host-Http-users\x00",
		"$Version=1; x", "x; x"} {
		a := raw(t, w.app, request("GET", "/any", "Cookie: "+name+"="+ann.Access))
		require.Contains(t, []int{400, 401}, a[0].Status, "%q: %s", name, a[0].Body)
	}
	for _, cookie := range []string{"a=b; __Host-Http-users=%s", "__Host-Http-users=%s; a=b", `__Host-Http-users="%s"`} {
		a := raw(t, w.app, request("GET", "/any", "Cookie: "+fmt.Sprintf(cookie, ann.Access)))
		require.Equal(t, "users:1", a[0].Body, cookie)
	}
}

func TestTokenInCookieOfAnotherKindIsRefused(t *testing.T) {
	w, ann := newSignedInWorld(t)
	teacher := w.signIn("teachers", "ann").Access
	for _, path := range []string{"/any", "/users/me", "/teachers/me"} {
		requireRefused(t, w.do("GET", path, "", "Cookie", "__Host-Http-users="+teacher), teacher)
		requireRefused(t, w.do("GET", path, "", "Cookie", "__Host-Http-teachers="+ann.Access), ann.Access)
		requireRefused(t, w.do("GET", path, "", "Cookie", "__Host-Http-teachers="+ann.Access+"; __Host-Http-users="+teacher), teacher)
	}
}

func TestTokenInQueryOrFormIsIgnoredByDefault(t *testing.T) {
	w, ann := newSignedInWorld(t)
	for _, name := range []string{"access_token", "token", "jwt", "auth_token", "bearer"} {
		require.Equal(t, "no_token", w.do("GET", "/any?"+name+"="+ann.Access, "").Code(t), name)
	}
	a := raw(t, w.app, strings.Replace(formRequest("POST", "application/x-www-form-urlencoded", "access_token="+ann.Access), "/source", "/any", 1))
	require.Equal(t, "no_token", a[0].Code(t))
}

func TestQueryTokenWorksForGetAndHeadOnly(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromQuery("access_token"), fiberjwt.FromAuthHeader(""))
	})
	path := "/any?access_token=" + ann.Access
	for _, method := range []string{"GET", "HEAD"} {
		a := raw(t, w.app, request(method, path))
		require.Equal(t, 200, a[0].Status, method)
		require.Equal(t, "private, no-store", a[0].Header.Get("Cache-Control"))
		require.Equal(t, "no-referrer", a[0].Header.Get("Referrer-Policy"))
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		a := w.do(method, path, "")
		require.Equal(t, 401, a.Status, method)
		require.Equal(t, "no_token", a.Code(t))
	}
	a := w.get("/any", ann.Access)
	require.Equal(t, 200, a.Status)
	require.Empty(t, a.Header.Get("Referrer-Policy"), "Referrer-Policy is only needed if the token is in the URL")

	for name, query := range map[string]string{
		"a line feed":               ann.Access + "%0a",
		"a line feed in the middle": ann.Access[:200] + "%0A" + ann.Access[200:],
		"a NUL":                     ann.Access + "%00",
		"a plus sign":               "+" + ann.Access,
		"a space":                   ann.Access + "%20",
		"an invalid token":          "x",
		"an incomplete escape":      ann.Access + "%",
	} {
		a := w.do("GET", "/any?access_token="+query, "")
		require.Equal(t, 401, a.Status, name)
		require.Equal(t, `Bearer error="invalid_token"`, a.Header.Get("WWW-Authenticate"))
		require.Contains(t, a.Header.Get("Cache-Control"), "no-store")
		require.Equal(t, "no-referrer", a.Header.Get("Referrer-Policy"))
		requireNoEcho(t, a, ann.Access)
	}
	require.Equal(t, "users:1", w.do("GET", "/any?access_token="+strings.ReplaceAll(ann.Access, ".", "%2E"), "").Body)
}

func TestRefreshTokenInQueryIsIgnored(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromQuery("refresh_token") })
	a := w.do("POST", "/auth/users/refresh?refresh_token="+ann.Refresh, "")
	require.Equal(t, 401, a.Status)
	require.Equal(t, "no_token", a.Code(t))
}

func TestFormTokenIsReadFromURLEncodedBodyOnly(t *testing.T) {
	w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromForm("tok") })
	w.app.All("/source", func(c fiber.Ctx) error { return c.SendString("in") })
	token := outsider{testSecret}.token("users", plainClaims("users", "1").String())
	var parts bytes.Buffer
	writer := multipart.NewWriter(&parts)
	require.NoError(t, writer.WriteField("tok", token))
	require.NoError(t, writer.Close())
	const urlencoded = "application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"POST":                        {formRequest("POST", urlencoded, "a=b&tok="+token), 200},
		"PUT":                         {formRequest("PUT", urlencoded, "tok="+token), 200},
		"with a charset":              {formRequest("POST", urlencoded+"; charset=utf-8", "tok="+token), 200},
		"GET":                         {formRequest("GET", urlencoded, "tok="+token), 401},
		"HEAD":                        {formRequest("HEAD", urlencoded, "tok="+token), 401},
		"multipart":                   {formRequest("POST", writer.FormDataContentType(), parts.String()), 401},
		"JSON":                        {formRequest("POST", "application/json", `{"tok":"`+token+`"}`), 401},
		"text that looks like a form": {formRequest("POST", "text/plain", "tok="+token), 401},
		"no media type":               {formRequest("POST", "", "tok="+token), 401},
		"another media type":          {formRequest("POST", urlencoded+"x", "tok="+token), 401},
		"in the URL":                  {strings.Replace(formRequest("POST", urlencoded, "a=b"), "/source", "/source?tok="+token, 1), 401},
		"a line feed":                 {formRequest("POST", urlencoded, "tok="+token+"%0a"), 401},
	} {
		t.Run(name, func(t *testing.T) {
			a := raw(t, w.app, test.request)
			require.Equal(t, test.status, a[0].Status, a[0].Body)
			requireNoEcho(t, a[0], token)
		})
	}
}

func TestRouteParamTokenMakesResponsePrivate(t *testing.T) {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	at := &clock{now: time.Unix(noon, 0)}
	app.Use("/feeds/:token", fiberjwt.New(fiberjwt.Config{Secret: []byte(testSecret), Now: at.Now, Extractor: fiberjwt.FromParam("token")}))
	app.Get("/feeds/:token/news", func(c fiber.Ctx) error { return c.SendString("news") })
	mint := outsider{testSecret}
	token := mint.token("users", plainClaims("users", "1").String())

	a := raw(t, app, request("GET", "/feeds/"+token+"/news"))
	require.Equal(t, "news", a[0].Body)
	require.Equal(t, "private, no-store", a[0].Header.Get("Cache-Control"))
	require.Equal(t, "no-referrer", a[0].Header.Get("Referrer-Policy"))
	for _, path := range []string{"x", token + "x", token + "%0a", strings.ToLower(token), token + "%2Fnews", "%" + token} {
		a := raw(t, app, request("GET", "/feeds/"+path+"/news"))
		require.Equal(t, 401, a[0].Status, path)
		requireNoEcho(t, a[0], token)
	}
}

func TestCustomExtractorFaultsAreContained(t *testing.T) {
	mint := outsider{testSecret}
	good := mint.token("users", plainClaims("users", "1").String())
	var nilError *fiberjwt.Error
	for name, test := range map[string]struct {
		find   func(fiber.Ctx) (string, error)
		status int
		code   string
	}{
		"a valid token":                     {func(fiber.Ctx) (string, error) { return good, nil }, 200, ""},
		"no token":                          {func(fiber.Ctx) (string, error) { return "", nil }, 401, "no_token"},
		"an invalid token":                  {func(fiber.Ctx) (string, error) { return "x", nil }, 401, "invalid_token"},
		"an error":                          {func(fiber.Ctx) (string, error) { return "", errors.New("secret text") }, 401, "invalid_token"},
		"an error and a valid token":        {func(fiber.Ctx) (string, error) { return good, errors.New("secret text") }, 401, "invalid_token"},
		"an *Error of this package":         {func(fiber.Ctx) (string, error) { return "", fiberjwt.ErrInvalidRequest }, 400, "invalid_request"},
		"an *Error and a valid token":       {func(fiber.Ctx) (string, error) { return good, fiberjwt.ErrUnavailable }, 503, "temporarily_unavailable"},
		"an *Error, wrapped":                {func(fiber.Ctx) (string, error) { return "", fmt.Errorf("secret text: %w", fiberjwt.ErrForbidden) }, 403, "forbidden"},
		"an *Error of the application":      {func(fiber.Ctx) (string, error) { return "", &fiberjwt.Error{Status: 418, Code: "teapot"} }, 418, "teapot"},
		"a panic":                           {func(fiber.Ctx) (string, error) { panic("secret text") }, 500, "server_error"},
		"a panic with nil":                  {func(fiber.Ctx) (string, error) { panic(nil) }, 500, "server_error"},
		"a dereference of nil":              {func(c fiber.Ctx) (string, error) { return c.Locals("users").(*User).Email, nil }, 500, "server_error"},
		"an *Error without a status":        {func(fiber.Ctx) (string, error) { return "", &fiberjwt.Error{Code: "no_status"} }, 0, ""},
		"an *Error that is nil":             {func(fiber.Ctx) (string, error) { return "", nilError }, 0, ""},
		"an *Error that is nil and a token": {func(fiber.Ctx) (string, error) { return good, nilError }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVerifier(t, func(cfg *fiberjwt.Config) {
				cfg.Extractor = fiberjwt.Chain(fiberjwt.FromCustom("mine", test.find), fiberjwt.FromHeader("X-Token"))
			})
			var a []answer
			require.NotPanics(t, func() {
				a = raw(t, w.app, request("GET", "/any"), request("GET", "/any"))
			}, "a panic under Fiber ends the process")
			require.Len(t, a, 2, "the server closed the connection")
			require.NotContains(t, a[0].Body, "secret text")
			if test.status == 0 {
				require.GreaterOrEqual(t, a[0].Status, 400, "an error of the extractor got a success response")
				return
			}
			require.Equal(t, test.status, a[0].Status, a[0].Body)
			if test.status != 200 {
				require.Equal(t, test.code, a[0].Code(t))
			}
		})
	}
}

func TestCustomExtractorErrorDoesNotFallThrough(t *testing.T) {
	w := newVerifier(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(
			fiberjwt.FromCustom("mine", func(fiber.Ctx) (string, error) { return "", errors.New("no") }), fiberjwt.FromAuthHeader(""))
	})
	token := outsider{testSecret}.token("users", plainClaims("users", "1").String())
	requireRefused(t, w.get("/any", token), token)
}

func TestOpenRejectsInvalidExtractorNames(t *testing.T) {
	for name, extractor := range map[string]fiberjwt.Extractor{
		"a scheme with a space":             fiberjwt.FromAuthHeader("Bearer "),
		"a scheme with a colon":             fiberjwt.FromAuthHeader("Bearer:"),
		"a header without a name":           fiberjwt.FromHeader(""),
		"a header with a space":             fiberjwt.FromHeader("X Token"),
		"a header with a colon":             fiberjwt.FromHeader("X-Token:"),
		"a header with a line break":        fiberjwt.FromHeader("X-Token\r\nX"),
		"a header that is not ASCII":        fiberjwt.FromHeader("X-Tökén"),
		"a cookie with a semicolon":         fiberjwt.FromCookie("a;b"),
		"a cookie with an equals sign":      fiberjwt.FromCookie("a=b"),
		"a cookie with a space":             fiberjwt.FromCookie(" a"),
		"a cookie with a line break":        fiberjwt.FromCookie("a\r\nSet-Cookie: b=c"),
		"a query parameter without a name":  fiberjwt.FromQuery(""),
		"a form field without a name":       fiberjwt.FromForm(""),
		"a route parameter without a name":  fiberjwt.FromParam(""),
		"a custom one without a function":   fiberjwt.FromCustom("mine", nil),
		"an empty link":                     fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.Extractor{}),
		"an empty chain in a chain":         fiberjwt.Chain(fiberjwt.Chain(), fiberjwt.FromAuthHeader("")),
		"a bad link deep in a chain":        fiberjwt.Chain(fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.FromHeader(""))),
		"a header that only looks like one": fiberjwt.FromHeader("Authorization: Bearer"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), Extractor: extractor})
			require.ErrorContains(t, err, "Config.Extractor")
		})
	}
	for _, extractor := range []fiberjwt.Extractor{{}, fiberjwt.FromAuthHeader(""), fiberjwt.FromCookie(""), fiberjwt.FromHeader("X-Token"), fiberjwt.FromCustom("", func(fiber.Ctx) (string, error) { return "", nil })} {
		_, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), Extractor: extractor})
		require.NoError(t, err)
	}
}

func TestChainCopiesItsSlice(t *testing.T) {
	links := []fiberjwt.Extractor{fiberjwt.FromHeader("X-Token"), fiberjwt.FromHeader("X-Other")}
	w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.Chain(links...) })
	links[0] = fiberjwt.FromQuery("tok")
	token := outsider{testSecret}.token("users", plainClaims("users", "1").String())
	require.Equal(t, "users:1", w.do("GET", "/any", "", "X-Token", token).Body)
	require.Equal(t, 401, w.do("GET", "/any?tok="+token, "").Status)
}

func TestCookieWebSocketOpensOnlyFromTrustedOrigin(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) { cfg.TrustedOrigins = []string{"https://app.example.org"} })
	upgrade := func(credential string, more ...string) answer {
		lines := append([]string{credential, "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, more...)
		return raw(t, w.app, request("GET", "/any", lines...))[0]
	}
	cookie, header := "Cookie: __Host-Http-users="+ann.Access, "Authorization: Bearer "+ann.Access
	for _, test := range []struct {
		name       string
		credential string
		lines      []string
		status     int
	}{
		{"from the same origin", cookie, []string{"Upgrade: websocket", "Origin: https://example.com"}, 200},
		{"from the same origin, in another case", cookie, []string{"Upgrade: WebSocket", "Origin: https://example.com"}, 200},
		{"from a trusted origin", cookie, []string{"Upgrade: websocket", "Origin: https://app.example.org"}, 200},
		{"from the same origin, by Sec-Fetch-Site", cookie, []string{"Upgrade: websocket", "Sec-Fetch-Site: same-origin"}, 200},
		{"from a client that is not a browser", cookie, []string{"Upgrade: websocket"}, 200},
		{"from another origin", cookie, []string{"Upgrade: websocket", "Origin: https://evil.example"}, 403},
		{"from another origin, in another case", cookie, []string{"Upgrade: WebSocket", "Origin: https://evil.example"}, 403},
		{"from another origin, in a list", cookie, []string{"Upgrade: h2c, websocket", "Origin: https://evil.example"}, 403},
		{"from another origin, in a second header", cookie, []string{"Upgrade: h2c", "Upgrade: websocket", "Origin: https://evil.example"}, 403},
		{"from another port", cookie, []string{"Upgrade: websocket", "Origin: https://example.com:8443"}, 403},
		{"from a host that begins with the name of this host", cookie, []string{"Upgrade: websocket", "Origin: https://example.com.evil.example"}, 403},
		{"from a host that ends with the name of this host", cookie, []string{"Upgrade: websocket", "Origin: https://evilexample.com"}, 403},
		{"from a trusted host by another scheme", cookie, []string{"Upgrade: websocket", "Origin: http://app.example.org"}, 403},
		{"from a sandboxed frame", cookie, []string{"Upgrade: websocket", "Origin: null"}, 403},
		{"from another site, by Sec-Fetch-Site", cookie, []string{"Upgrade: websocket", "Sec-Fetch-Site: cross-site"}, 403},
		{"from a sibling domain, by Sec-Fetch-Site", cookie, []string{"Upgrade: websocket", "Sec-Fetch-Site: same-site"}, 403},
		{"from another origin, with a token in the header", header, []string{"Upgrade: websocket", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 200},
		{"from another origin, without an upgrade", cookie, []string{"Origin: https://evil.example"}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := upgrade(test.credential, test.lines...)
			require.Equal(t, test.status, a.Status, a.Body)
			if test.status == 403 {
				require.Equal(t, "csrf", a.Code(t))
			}
		})
	}
}

func TestForwardedHostURIAndProtoAreIgnored(t *testing.T) {
	w, ann := newSignedInWorld(t)
	cookie := "Cookie: __Host-Http-users=" + ann.Access
	for _, name := range []string{"X-Forwarded-Host", "X-Host", "X-Original-Host", "Forwarded", "X-Forwarded-Server"} {
		a := raw(t, w.app, request("POST", "/any", cookie, "Content-Length: 0", "Origin: https://evil.example", name+": evil.example"))
		require.Equal(t, 403, a[0].Status, name)
	}
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Url", "X-Rewrite-Url"} {
		require.Equal(t, 401, w.do("GET", "/any", "", name, "/open").Status, name)
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-Method-Override"} {
		require.Equal(t, 401, w.do("POST", "/open", "", name, "GET").Status, name)
	}
	b := w.browser()
	a := b.do("POST", "/sign-in/users/ann@example.com?via=cookie", "", "X-Forwarded-Proto", "http", "X-Forwarded-Ssl", "off")
	for _, cookie := range a.Header.Values("Set-Cookie") {
		require.Contains(t, strings.ToLower(cookie), "; secure")
	}
}

// sessionCopy is a session with copies of the strings that it had during the request.
type sessionCopy struct {
	session *fiberjwt.Session
	was     fiberjwt.Session
	name    string
}

func copySession(s *fiberjwt.Session) sessionCopy {
	was := *s
	was.Kind, was.Subject = strings.Clone(s.Kind), strings.Clone(s.Subject)
	was.ID, was.TokenID = strings.Clone(s.ID), strings.Clone(s.TokenID)
	k := sessionCopy{session: s, was: was}
	s.Claim("name", &k.name)
	k.name = strings.Clone(k.name)
	return k
}

func (k sessionCopy) requireUnchanged(t *testing.T) {
	t.Helper()
	require.Equal(t, k.was.Kind, k.session.Kind)
	require.Equal(t, k.was.Subject, k.session.Subject)
	require.Equal(t, k.was.ID, k.session.ID)
	require.Equal(t, k.was.TokenID, k.session.TokenID)
	require.Equal(t, k.was.ExpiresAt, k.session.ExpiresAt)
	var name string
	require.True(t, k.session.Claim("name", &name))
	require.Equal(t, k.name, name)
}

func TestSessionValueIsSafeAfterRequest(t *testing.T) {
	const rounds = 1000
	mint := outsider{testSecret}
	token := func(i int) string {
		subject := fmt.Sprintf("%06d", i)
		return mint.token("users", plainClaims("users", subject).set("jti", `"j`+subject+`"`).set("sid", `"s`+subject+`"`).add("name", `"n`+subject+`"`).String())
	}
	for name, test := range map[string]struct {
		extractor fiberjwt.Extractor
		request   func(token string) string
	}{
		"auth header": {fiberjwt.FromAuthHeader(""), func(token string) string { return getWith("/keep", token) }},
		"header":      {fiberjwt.FromHeader("X-Token"), func(token string) string { return request("GET", "/keep", "X-Token: "+token) }},
		"cookie":      {fiberjwt.FromCookie("tok"), func(token string) string { return request("GET", "/keep", "Cookie: tok="+token) }},
		"query":       {fiberjwt.FromQuery("tok"), func(token string) string { return request("GET", "/keep?tok="+token) }},
		"custom": {fiberjwt.FromCustom("mine", func(c fiber.Ctx) (string, error) { return c.Get("X-Token"), nil }),
			func(token string) string { return request("GET", "/keep", "X-Token: "+token) }},
		"form": {fiberjwt.FromForm("tok"), func(token string) string {
			return strings.Replace(formRequest("POST", "application/x-www-form-urlencoded", "tok="+token), "/source", "/keep", 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = test.extractor })
			var all []sessionCopy
			w.app.All("/keep", func(c fiber.Ctx) error {
				s, _ := fiberjwt.SessionOf(c)
				all = append(all, copySession(s))
				return nil
			})
			requests := make([]string, rounds)
			for i := range requests {
				requests[i] = test.request(token(i))
			}
			answers := raw(t, w.app, requests...) // on one connection, each request overwrites the buffer of the last one
			require.Len(t, answers, rounds)
			require.Len(t, all, rounds)
			for i, k := range all {
				require.Equal(t, fmt.Sprintf("%06d", i), k.was.Subject)
				require.Equal(t, fmt.Sprintf("n%06d", i), k.name)
				k.requireUnchanged(t)
			}
		})
	}
}

func TestAccountAndErrorAreSafeAfterRequest(t *testing.T) {
	var errorsKept []error
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) {
		cfg.ErrorHandler = func(c fiber.Ctx, err error) error {
			errorsKept = append(errorsKept, err)
			return c.SendStatus(401)
		}
	})
	bob := w.signIn("users", "bob@example.com")
	type row struct {
		account *User
		email   string
	}
	var rows []row
	w.app.Get("/keep", fiberjwt.As(func(c fiber.Ctx, u *User) error {
		rows = append(rows, row{u, strings.Clone(u.Email)})
		return nil
	}))
	var requests []string
	for range 50 {
		requests = append(requests, getWith("/keep", ann.Access), getWith("/keep", bob.Access), getWith("/keep", ann.Access+"x"))
	}
	require.Len(t, raw(t, w.app, requests...), 150)
	require.Len(t, rows, 100)
	require.Len(t, errorsKept, 50)
	for i, r := range rows {
		require.Equal(t, r.email, r.account.Email)
		require.Equal(t, []string{"ann@example.com", "bob@example.com"}[i%2], r.account.Email)
	}
	for _, err := range errorsKept {
		require.ErrorIs(t, err, fiberjwt.ErrTokenMalformed)
		require.NotContains(t, err.Error(), ann.Access[:20])
	}

	infos, err := fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 1})
	require.NoError(t, err)
	require.Len(t, infos, 1)
}

func TestSessionListCopiesUserAgents(t *testing.T) {
	w, _ := newSignedInWorld(t)
	var requests []string
	for i := range 20 {
		requests = append(requests, strings.Replace(request("POST", "/sign-in/users/ann@example.com", fmt.Sprintf("User-Agent: browser-%02d", i)), "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1))
	}
	answers := raw(t, w.app, requests...)
	require.Len(t, answers, 20)
	infos, err := fiberjwt.Sessions(t.Context(), w.auth, &User{ID: 1})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, info := range infos {
		seen[info.UserAgent] = true
	}
	for i := range 20 {
		require.True(t, seen[fmt.Sprintf("browser-%02d", i)], "browser-%02d is missing in %v", i, seen)
	}
}

func TestVaryListsCredentialAndOriginHeaders(t *testing.T) {
	w, ann := newSignedInWorld(t)
	for name, a := range map[string]answer{
		"signed in": w.get("/any", ann.Access), "refused": w.get("/any", "x"), "anonymous": w.do("GET", "/any", ""), "public": w.do("GET", "/open", ""),
	} {
		vary := strings.Join(a.Header.Values("Vary"), ",")
		require.Contains(t, vary, "Authorization", name)
		require.Contains(t, vary, "Cookie", name)
	}
	a := w.do("POST", "/any", "", "Cookie", "__Host-Http-users="+ann.Access)
	vary := strings.Join(a.Header.Values("Vary"), ",")
	require.Contains(t, vary, "Origin")
	require.Contains(t, vary, "Sec-Fetch-Site")
}

func TestVaryListsCustomTokenHeader(t *testing.T) {
	w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromHeader("X-Token") })
	token := outsider{testSecret}.token("users", plainClaims("users", "1").String())
	for _, a := range []answer{w.do("GET", "/any", "", "X-Token", token), w.do("GET", "/any", "")} {
		require.Contains(t, strings.Join(a.Header.Values("Vary"), ","), "X-Token", "without it, a cache would send the response for one user to another")
	}
}

func TestVaryKeepsNamesOfOthersAndRepeatsNone(t *testing.T) {
	const own = "Authorization, X-Token"
	for name, test := range map[string]struct{ above, handler, want string }{
		"nothing":                 {"", "", own},
		"a middleware above":      {"Origin", "", "Origin, " + own},
		"one of the own names":    {"X-Token", "", "X-Token, Authorization"},
		"the handler replaces it": {"Origin", "Accept", "Accept, " + own},
		"the handler repeats it":  {"", own, own},
	} {
		app := fiber.New()
		app.Use(func(c fiber.Ctx) error {
			if test.above != "" {
				c.Set("Vary", test.above)
			}
			return c.Next()
		})
		app.Use(fiberjwt.New(fiberjwt.Config{
			Secret: []byte(testSecret), Optional: true,
			Extractor: fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.FromAuthHeader("JWT"), fiberjwt.FromHeader("X-Token")),
		}))
		app.Get("/", func(c fiber.Ctx) error {
			if test.handler != "" {
				c.Set("Vary", test.handler)
			}
			return nil
		})
		w := &world{t: t, app: app}
		require.Equal(t, []string{test.want}, w.do("GET", "/", "").Header.Values("Vary"), name)
	}
}

func TestLargeFormWithoutTokenPassesOnPublicRoute(t *testing.T) {
	w := newVerifier(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader(""), fiberjwt.FromForm("access_token"))
		cfg.Public = []string{"POST /source"}
	})
	w.app.Post("/source", func(c fiber.Ctx) error { return c.SendString(fmt.Sprint(len(c.Body()))) })
	a := raw(t, w.app, formRequest("POST", "application/x-www-form-urlencoded", "text="+strings.Repeat("x", 64<<10)))[0]
	require.Equal(t, 200, a.Status, "a webhook of 64 KiB was refused: %s", a.Body)
	require.Equal(t, fmt.Sprint(64<<10+5), a.Body)
}

func TestOversizedTokenDoesNotBreakNextRequest(t *testing.T) {
	w, ann := newSignedInWorld(t)
	for _, size := range []int{token.MaxBytes, token.MaxBytes + 1, 8 << 10, 15 << 10} {
		token := strings.Repeat("A", size)
		requireRefused(t, w.get("/any", token), token)
		requireRefused(t, w.do("GET", "/any", "", "Cookie", "__Host-Http-users="+token), token)
		require.Equal(t, "users:1", w.get("/any", ann.Access).Body)
	}
	a := raw(t, w.app, getWith("/any", strings.Repeat("A", 20<<10))) // above ReadBufferSize, so Fiber answers
	require.Equal(t, 431, a[0].Status)
	require.Equal(t, "users:1", w.get("/any", ann.Access).Body)
}

func TestHostileQueryStringsNeverPanic(t *testing.T) {
	w := newVerifier(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromQuery("tok"), fiberjwt.FromForm("tok"), fiberjwt.FromCookie("tok"), fiberjwt.FromAuthHeader(""))
	})
	for _, query := range []string{"tok", "tok=", "tok&tok", "tok=&tok=x", "=x", "&&&", "tok=%", "tok=%zz", "tok[]=x", "tok[0]=x", "tok.x=y", "%00=tok", "tok=x#tok=y", strings.Repeat("tok=x&", 900)} {
		a := raw(t, w.app, request("GET", "/any?"+query))
		require.Len(t, a, 1, query)
		require.Contains(t, []int{400, 401}, a[0].Status, query)
	}
}

func TestTokenMayUseCustomSchemeOrBareHeader(t *testing.T) {
	w := newWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader("JWT"), fiberjwt.FromHeader("X-Access-Token"))
	})
	access := w.register("users", "ann@example.com").Access
	for _, header := range [][]string{{"Authorization", "JWT " + access}, {"Authorization", "jwt " + access}, {"X-Access-Token", access}} {
		require.Equal(t, 200, w.do("GET", "/any", "", header...).Status, header[0])
	}
	require.Equal(t, "no_token", w.do("GET", "/any", "", "Authorization", "Bearer "+access).Code(t))
	require.Equal(t, "invalid_token", w.do("GET", "/any", "", "X-Access-Token", "JWT "+access).Code(t), "a header without a scheme contains only the token")
}
