package main

// folders are the folders of the root module that Fiber reaches, and the names of the files in
// them that are written by hand for each Fiber.
var folders = []struct {
	path string
	hand []string
}{
	{".", []string{"fiber.go"}},
	{"fiberjwttest", nil},
	{"test/api", []string{"fiber_test.go"}},
}

// rules say what is written in place of a text of Fiber v2, in code and in comments. Where
// several rules fit, the first one counts. A rule that begins or ends with a letter takes whole
// words only.
var rules = []struct{ v2, v3 string }{
	{"github.com/gofiber/fiber/v2", "github.com/gofiber/fiber/v3"},
	{`"github.com/fiberjwt/fiberjwt"`, `"github.com/fiberjwt/fiberjwt/fiberv3"`},
	{`"github.com/fiberjwt/fiberjwt/fiberjwttest"`, `"github.com/fiberjwt/fiberjwt/fiberv3/fiberjwttest"`},
	{"Fiber v2", "Fiber v3"},
	{"*fiber.Ctx", "fiber.Ctx"},
	{"c.UserContext()", "c.Context()"},
	{"c.SetUserContext(", "c.SetContext("},
	{"c.Context()", "c.RequestCtx()"},
	// Only in tests.
	{".Test(request, -1)", ".Test(request, fiber.TestConfig{})"},
	{"w.app.Mount(", "w.app.Use("},
	{"app.Mount(", "app.Use("},
	{`c.Redirect("/")`, `c.Redirect().To("/")`},
	{"fiber.Config{DisableStartupMessage: true}", "fiber.Config{}"},
	{", DisableStartupMessage: true}", "}"},
	{".Listener(listener)", ".Listener(listener, fiber.ListenConfig{DisableStartupMessage: true})"},
}
