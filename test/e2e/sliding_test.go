package e2e_test

import (
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
)

func TestSlidingNeedsNoScript(t *testing.T) {
	w, p := newWorld(t, func(_ *world, _ *fiber.App, cfg *fiberjwt.Config) { cfg.Cookie.Sliding = true }), newProfile(t)
	b := w.home(p)
	b.signUp("users", "ann@example.com")
	for range 6 { // a page every seven minutes, for more than half an hour
		before := p.cookies()["__Host-Http-users"].Value
		w.advance(7 * time.Minute)
		b.visit(w.url("a.test", "/data/users"))
		require.Contains(t, b.text("body"), "ann@example.com")
		require.NotEqual(t, before, p.cookies()["__Host-Http-users"].Value)
	}
	require.Zero(t, w.count(refreshRoute, 200))

	before := p.cookies()["__Host-Http-users"].Value
	w.advance(7 * time.Minute)
	// After a link from another site, the user is signed in, but nothing is renewed.
	evil := p.tab().visit(w.url("evil.test", "/blank"))
	evil.run(`void setTimeout(() => { location = %q; })`, w.url("a.test", "/data/users"))
	evil.wait(`location.pathname === '/data/users' && document.body.innerText.includes('ann@example.com')`)
	require.Equal(t, before, p.cookies()["__Host-Http-users"].Value)
}
