package api_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

func TestPublicRouteIsOpenAndUsesValidToken(t *testing.T) {
	w, ann := newSignedInWorld(t)
	expired := outsider{testSecret}.token("users", claimsOf(t, ann.Access).set("iat", "1").set("exp", "2").String())
	for name, test := range map[string]struct{ credential, body string }{
		"no token":                 {"X-Nothing: 1", ""},
		"a good token":             {"Authorization: Bearer " + ann.Access, "users:1"},
		"a good cookie":            {"Cookie: __Host-Http-users=" + ann.Access, "users:1"},
		"a bad token":              {"Authorization: Bearer x", ""},
		"an expired token":         {"Authorization: Bearer " + expired, ""},
		"a bad cookie":             {"Cookie: __Host-Http-users=x", ""},
		"the scheme alone":         {"Authorization: Bearer", ""},
		"a bad token, good cookie": {"Authorization: Bearer x\r\nCookie: __Host-Http-users=" + ann.Access, ""},
	} {
		a := raw(t, w.app, request("GET", "/open", test.credential))[0]
		require.Equal(t, 200, a.Status, name)
		require.Equal(t, test.body, a.Body, name)
	}
	two := request("GET", "/open", "Authorization: Bearer "+ann.Access, "Authorization: Bearer x")
	require.Equal(t, 400, raw(t, w.app, two)[0].Status, "two credentials of one sort must be refused")
}

func TestGuardOnPublicRouteStillApplies(t *testing.T) {
	w, ann := newSignedInWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Public = append(cfg.Public, "GET /either", "GET /users/*", "GET /fresh")
	})
	for _, path := range []string{"/either", "/users/me", "/fresh"} {
		require.Equal(t, "no_token", w.do("GET", path, "").Code(t), path)
		require.Equal(t, "invalid_token", w.get(path, "x").Code(t), path)
		require.Equal(t, 200, w.get(path, ann.Access).Status, path)
	}
}

// hostilePaths returns paths that a router or a file server may take for another.
func hostilePaths(path string) []string {
	return []string{
		path, path + "/", path + "//", "/" + path, "//" + path, path + "/.", path + "/..", path + "/../secret", path + "/%2e%2e/secret",
		"/secret/.." + path, "/secret/%2e%2e" + path, "/." + path, path + "/secret", path + "secret", path + "%2fsecret", path + "%2Fsecret",
		path + "%00", path + "%20", path + "%", path + ";x", path + ";/secret", path + "?x=/secret", path + "#/secret", path + ".", path + "*",
		strings.ToUpper(path), strings.Replace(path, "o", "%6f", 1), strings.Replace(path, "o", "%6F", 1), strings.Replace(path, "o", "%4F", 1),
		strings.Replace(path, "/", "\\", 1), strings.Replace(path, "/", "%2f", 1), "/secret" + path, path + "\\..\\secret", path + "/%5c../secret",
		"/secret?" + path, "/secret#" + path, "http://example.com" + path, "http://example.com/secret/.." + path, path + "é", path + "%c3%a9", path + "\xff",
	}
}

func TestPublicPatternOpensOnlyItsOwnRoute(t *testing.T) {
	patterns := map[string][]string{ // the pattern, and the paths from which hostile ones are made
		"/":                         {"/", ""},
		"/open":                     {"/open"},
		"/open/":                    {"/open"},
		"/Open/Door":                {"/Open/Door", "/open/door"},
		"/item/:id":                 {"/item/1", "/item/secret", "/item", "/ITEM/ABC"},
		"/item/:id?":                {"/item/1", "/item"},
		"/item/:id/x":               {"/item/1/x", "/item//x", "/item/1/X"},
		"/files/*":                  {"/files/a", "/files", "/files/a/b"},
		"/plus/+":                   {"/plus/a", "/plus", "/plus/"},
		"/from-:a-to-:b":            {"/from-a-to-b", "/from--to-"},
		"/colon\\:x":                {"/colon:x"},
		"/item/:name.json":          {"/item/a.json", "/item/a.JSON", "/item/.json"},
		"/spaced%20out":             {"/spaced%20out", "/spaced out"},
		"/mixed/*/tail":             {"/mixed/a/tail", "/mixed/a/b/tail", "/mixed/tail"},
		"/very/long/fixed/part/:id": {"/very/long/fixed/part/1", "/VERY/long/fixed/PART/1"},
	}
	for name, config := range map[string]fiber.Config{
		"default":                      {},
		"StrictRouting":                {StrictRouting: true},
		"CaseSensitive":                {CaseSensitive: true},
		"StrictRouting, CaseSensitive": {StrictRouting: true, CaseSensitive: true},
		"UnescapePath":                 {UnescapePath: true},
	} {
		for pattern, paths := range patterns {
			t.Run(name+" "+pattern, func(t *testing.T) {
				guarded, reference := publicApp(config, pattern, true), publicApp(config, pattern, false)
				var wrong []string
				for _, path := range paths {
					for _, method := range []string{"HEAD", "POST", "OPTIONS"} {
						wrong = append(wrong, publicMismatches(t, guarded, reference, method, path)...)
					}
					for _, hostile := range hostilePaths(path) {
						wrong = append(wrong, publicMismatches(t, guarded, reference, "GET", hostile)...)
					}
				}
				slices.Sort(wrong)
				require.Empty(t, slices.Compact(wrong), "GET %s", pattern)
			})
		}
	}
}

// publicApp has a public route and a secret one for all other paths. Without the
// middleware, it shows how the router alone decides.
func publicApp(config fiber.Config, pattern string, guarded bool) *fiber.App {
	config.ReadBufferSize = 16 << 10
	app := fiber.New(config)
	if guarded {
		guardAll(app, fiberjwt.New(fiberjwt.Config{Secret: []byte(testSecret), Public: []string{"GET " + pattern}}))
	}
	app.Get(pattern, func(c *fiber.Ctx) error { c.Set("X-Route", "public"); return nil })
	app.All("/*", func(c *fiber.Ctx) error { c.Set("X-Route", "secret"); return nil })
	return app
}

// publicMismatches reports if Config.Public and the router disagree about a request.
func publicMismatches(t *testing.T, guarded, reference *fiber.App, method, path string) []string {
	t.Helper()
	text := request(method, strings.ReplaceAll(path, " ", "%20"))
	got, want := raw(t, guarded, text), raw(t, reference, text)
	require.Equal(t, len(want), len(got), "%s %s", method, path)
	if len(want) == 0 {
		return nil
	}
	opened, routed := got[0].Header.Get("X-Route"), want[0].Header.Get("X-Route")
	if opened == "secret" {
		return []string{fmt.Sprintf("%s %q is public, but the router runs another handler", method, path)}
	}
	if routed == "public" && opened != "public" && !hasDotSegment(path) {
		return []string{fmt.Sprintf("%s %q is not public, but the router runs the public handler", method, path)}
	}
	return nil
}

// hasDotSegment reports if path has a segment that a file server would resolve. Such
// a path is never public.
func hasDotSegment(path string) bool {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path
	}
	segments := strings.FieldsFunc(decoded, func(r rune) bool { return r == '/' || r == '\\' })
	return slices.Contains(segments, ".") || slices.Contains(segments, "..")
}

// Static resolves the path after the router has matched it, by different rules.
func TestPublicPatternResistsPathTraversal(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"assets/open.txt", "assets/a..b.txt", "members/list.txt"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(name), 0o600))
	}
	for _, pattern := range []string{"/assets/*", "/assets/+", "/:folder/:name"} {
		app := fiber.New()
		app.Use(fiberjwt.New(fiberjwt.Config{Secret: []byte(testSecret), Public: []string{"GET " + pattern}}))
		serveFiles(app, root)
		for _, name := range []string{"open.txt", "a..b.txt", "a%2e.b.txt"} {
			a := raw(t, app, request("GET", "/assets/"+name))[0]
			require.Equal(t, 200, a.Status, "%s %s", pattern, name)
			require.Contains(t, a.Body, "assets/")
		}
		for _, path := range []string{
			"/assets/../members/list.txt", "/assets/%2e%2e/members/list.txt", "/assets/.%2E/members/list.txt", "/assets/..%2fmembers%2flist.txt",
			"/assets/%2e%2e%2fmembers%2flist.txt", "/assets/x/../../members/list.txt", "/assets//../members/list.txt", "/assets/./../members/list.txt",
			`/assets/..\members\list.txt`, `/assets/..%5cmembers%5clist.txt`,
		} {
			for _, a := range raw(t, app, request("GET", path)) {
				require.NotContains(t, a.Body, "members/", "%s %s", pattern, path)
			}
		}
	}
}

func TestPublicEntryOpensOneMethodOnly(t *testing.T) {
	w := newVerifier(t, func(cfg *fiberjwt.Config) { cfg.Public = []string{"GET /any", "HEAD /head", "POST /post/:id"} })
	app := w.app
	app.All("/*", reached)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/any", 200}, {"HEAD", "/any", 200}, {"POST", "/any", 401}, {"PUT", "/any", 401}, {"DELETE", "/any", 401}, {"OPTIONS", "/any", 401}, {"PATCH", "/any", 401},
		{"HEAD", "/head", 200}, {"GET", "/head", 401},
		{"POST", "/post/1", 200}, {"GET", "/post/1", 401}, {"POST", "/post", 401}, {"POST", "/post/1/2", 401},
	} {
		require.Equal(t, test.status, raw(t, app, request(test.method, test.path, "Content-Length: 0"))[0].Status, "%s %s", test.method, test.path)
	}
}

func TestOpenRefusesInvalidPublicEntries(t *testing.T) {
	for name, entry := range map[string]string{
		// The router compares constraints case-sensitively. Public would not.
		"a constraint":                        "GET /item/:id<int>",
		"a constraint by regular expression":  "GET /item/:id<regex(^[a-z]+$)>",
		"two constraints":                     "GET /item/:id<minLen(3);alpha>",
		"a constraint between two parameters": `POST /x/:a<int>/:b<regex((\d)>/:c`,

		"empty":                   "",
		"no method":               "/open",
		"no path":                 "GET",
		"no slash":                "GET open",
		"method in small letters": "get /open",
		"two spaces":              "GET  /open",
		"unknown method":          "GETS /open",
		"a space before":          " GET /open",
		"any method":              "* /open",
		"a tab":                   "GET\t/open",

		// The router panics when such a route is registered. Here it would panic on the
		// first request.
		"an invalid regular expression":      "GET /o/:id<regex(()>",
		"an unclosed character class":        "GET /o/:id<regex([)>",
		"40 parameters":                      "GET /" + strings.Repeat(":a/", 40),
		"40 parameters after a fixed prefix": "GET /x" + strings.Repeat("/:a", 40),
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), Public: []string{"GET /good", entry}})
			if err == nil {
				app := fiber.New()
				app.Use(auth.Handler())
				require.NotPanics(t, func() { raw(t, app, request("GET", "/o/1"), request("GET", "/"+strings.Repeat("a/", 40))) }, "a request must not panic in an entry that Open accepted")
			}
			require.ErrorContains(t, err, "Config.Public[1]")
		})
	}
}

func TestPublicPatternIncludesMountPrefix(t *testing.T) {
	sub := fiber.New()
	sub.Use(fiberjwt.New(fiberjwt.Config{Secret: []byte(testSecret), Public: []string{"GET /api/open"}}))
	sub.Get("/open", reached)
	sub.Get("/closed", reached)
	app := fiber.New()
	app.Mount("/api", sub)
	require.Equal(t, "reached", raw(t, app, request("GET", "/api/open"))[0].Body)
	require.Equal(t, 401, raw(t, app, request("GET", "/api/closed"))[0].Status)
	require.NotEqual(t, 200, raw(t, app, request("GET", "/open"))[0].Status)
}
