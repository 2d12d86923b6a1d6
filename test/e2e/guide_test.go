package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

// guide returns the only block of the documents that matches pattern.
func guide(t *testing.T, pattern string) string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*/*.md")
	require.NoError(t, err)
	var found [][]string
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		found = append(found, regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1)...)
	}
	require.Len(t, found, 1, pattern)
	return found[0][1]
}

func TestPageWithoutBundlerSignsIn(t *testing.T) {
	lines := guide(t, "(?s)\n## Without a bundler\n.*?```html\n(.*?)```")
	w, p := newWorld(t, func(_ *world, app *fiber.App, _ *fiberjwt.Config) {
		app.Get("/page", func(c *fiber.Ctx) error { return c.Type("html", "utf-8").SendString(lines) })
	}), newProfile(t)
	w.home(newProfile(t)).signUp("users", "ann@example.com")
	b := p.tab(`
		window.prompt = question => question === 'Email' ? 'ann@example.com' : window.password;
		window.alert = sentence => { window.alerted = sentence; };`).visit(w.url("a.test", "/page"))
	shows := func(text string) {
		t.Helper()
		b.wait(`document.querySelector('output').value === %q`, text)
	}
	shows("signed out")
	b.run(`window.password = 'wrong pony', void 0`)
	b.click("button")
	b.wait(`window.alerted`)
	shows("signed out")
	b.run(`window.password = %q, void 0`, password)
	b.click("button")
	shows("ann@example.com")
	w.home(p).run("users.logout()")
	shows("signed out")
	w.setDetour(func(c *fiber.Ctx) (bool, error) {
		if c.Path() != "/auth/users/me" {
			return false, nil
		}
		return true, c.Context().Conn().Close()
	})
	b.visit(w.url("a.test", "/page"))
	shows("The server does not answer.")
}
