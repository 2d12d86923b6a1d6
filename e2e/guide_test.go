package e2e_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// guide is the block of docs/spa.md that matches: there is one.
func guide(t *testing.T, pattern string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/spa.md")
	require.NoError(t, err)
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1)
	require.Len(t, found, 1, pattern)
	return found[0][1]
}

func TestEightLinesSignIn(t *testing.T) {
	lines := guide(t, "(?s)\n## Eight lines\n\n```html\n(.*?)```")
	require.Equal(t, 8, strings.Count(lines, "\n"))
	w, p := newWorld(t, func(_ *world, app *fiber.App, _ *fiberjwt.Config) {
		app.Get("/eight", func(c *fiber.Ctx) error { return c.Type("html", "utf-8").SendString(lines) })
	}), newProfile(t)
	w.home(newProfile(t)).signUp("users", "ann@example.com")
	b := p.tab(`
		window.prompt = question => question === 'Email' ? 'ann@example.com' : window.password;
		window.alert = sentence => { window.told = sentence; };`).visit(w.url("a.test", "/eight"))
	shows := func(text string) {
		t.Helper()
		b.wait(`document.querySelector('output').value === %q`, text)
	}
	shows("nobody")
	b.run(`window.password = 'wrong pony', void 0`)
	b.click("button")
	b.wait(`window.told`)
	shows("nobody")
	b.run(`window.password = %q, void 0`, password)
	b.click("button")
	shows("ann@example.com")
	w.home(p).run("users.logout()")
	shows("nobody")
	w.take(func(c *fiber.Ctx) (bool, error) {
		if c.Path() != "/auth/users/me" {
			return false, nil
		}
		return true, c.Context().Conn().Close()
	})
	b.visit(w.url("a.test", "/eight"))
	shows("The server does not answer.")
}
