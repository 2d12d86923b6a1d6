// Code generated from ../../../test/api/cookie_namespace_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// appsByURL sends each request to the application whose address is a prefix of the URL.
type appsByURL map[string]*fiber.App

func (h appsByURL) RoundTrip(request *http.Request) (*http.Response, error) {
	for prefix, app := range h {
		if strings.HasPrefix(request.URL.String(), prefix) {
			return app.Test(request, fiber.TestConfig{})
		}
	}
	return nil, http.ErrServerClosed
}

// The jar of net/http ignores ports, as browsers do.
func TestNamespaceSeparatesCookiesOfTwoApplications(t *testing.T) {
	for name, test := range map[string]struct {
		shop, desk string // addresses of the applications
		cookie     fiberjwt.Cookie
	}{
		"two ports":             {"http://localhost:3000", "http://localhost:4000", fiberjwt.Cookie{Insecure: true}},
		"two paths":             {"https://example.com/shop", "https://example.com/desk", fiberjwt.Cookie{}},
		"two ports, everywhere": {"http://localhost:3000", "http://localhost:4000", fiberjwt.Cookie{Insecure: true, RefreshEverywhere: true}},
		"two paths, everywhere": {"https://example.com/shop", "https://example.com/desk", fiberjwt.Cookie{RefreshEverywhere: true}},
	} {
		for _, namespace := range []string{"", "desk-2"} {
			t.Run(name+", namespace "+namespace, func(t *testing.T) {
				jar, err := cookiejar.New(nil)
				require.NoError(t, err)
				client := &http.Client{Jar: jar, Transport: appsByURL{
					test.shop: newNamespaceApp(t, test.shop, test.cookie, ""),
					test.desk: newNamespaceApp(t, test.desk, test.cookie, namespace),
				}}
				do := func(method, url string) int {
					body := `{"email":"ann@example.com","password":"` + testPassword + `","transport":"cookie"}`
					if strings.HasSuffix(url, "/refresh") || strings.HasSuffix(url, "/logout") || method == "GET" {
						body = "{}"
					}
					request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
					require.NoError(t, err)
					request.Header.Set("Content-Type", "application/json")
					response, err := client.Do(request)
					require.NoError(t, err)
					require.NoError(t, response.Body.Close())
					return response.StatusCode
				}
				require.Equal(t, 201, do("POST", test.shop+"/auth/users/register"))
				require.Equal(t, 201, do("POST", test.desk+"/auth/users/register"))
				require.Equal(t, 200, do("GET", test.desk+"/me"))
				if namespace == "" {
					require.Equal(t, 401, do("GET", test.shop+"/me"), "without a namespace, the second sign-in must replace the cookie of the first: else this test proves nothing")
					return
				}
				require.Equal(t, 200, do("GET", test.shop+"/me"))
				require.Equal(t, 200, do("POST", test.shop+"/auth/users/refresh"))
				require.Equal(t, 200, do("POST", test.desk+"/auth/users/refresh"))
				require.Equal(t, 204, do("POST", test.desk+"/auth/users/logout"))
				require.Equal(t, 401, do("GET", test.desk+"/me"))
				require.Equal(t, 200, do("GET", test.shop+"/me"), "a logout of the other application must not end this session")
			})
		}
	}
}

// newNamespaceApp is an application at an address, with a separate database and secret.
func newNamespaceApp(t *testing.T, address string, cookie fiberjwt.Cookie, namespace string) *fiber.App {
	t.Helper()
	app, prefix := fiber.New(), ""
	if _, path, found := strings.Cut(strings.SplitAfter(address, "://")[1], "/"); found {
		prefix = "/" + path
	}
	cookie.Namespace = namespace
	group := app.Group(prefix)
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: newDB(t), Secret: []byte(address + testSecret), Cookie: cookie, Routes: group.Group("/auth"),
		Entities:    []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]}},
		ReadTimeout: patience, WriteTimeout: patience,
	})
	require.NoError(t, err)
	group.Use(auth.Handler())
	group.Get("/me", fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.JSON(u) }))
	return app
}

func TestNamespaceIsPartOfEveryCookieName(t *testing.T) {
	for cookie, want := range map[fiberjwt.Cookie][]string{
		{Namespace: "shop"}:                          {"__Host-Http-shop~users", "__Secure-shop~users-refresh", "__Secure-shop~users-device"},
		{Namespace: "Shop-2", Insecure: true}:        {"Shop-2~users", "Shop-2~users-refresh", "Shop-2~users-device"},
		{Namespace: "shop", RefreshEverywhere: true}: {"__Host-Http-shop~users", "__Host-Http-shop~users.refresh", "__Secure-shop~users-device"},
	} {
		w := newWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie = cookie })
		a := w.do("POST", "/auth/users/register", `{"email":"ann@example.com","password":"`+testPassword+`","transport":"cookie"}`)
		require.Equal(t, 201, a.Status, a.Body)
		var names []string
		for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
			names = append(names, cookie.Name)
		}
		require.ElementsMatch(t, want, names)
	}
}
