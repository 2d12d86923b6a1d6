package main

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

//go:embed page
var pageFiles embed.FS

// contentPolicy lets the page load its own files and send requests to its own server, and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// servePage registers one route per file of the page, and index.html at the root.
func servePage(app *fiber.App) error {
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		body, err := pageFiles.ReadFile(path.Join("page", name))
		if err != nil {
			return err
		}
		route := "/" + name
		if name == "index.html" {
			route = "/"
		}
		app.Get(route, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
			c.Set(fiber.HeaderCacheControl, "no-cache")
			return c.Type(path.Ext(name), "utf-8").Send(body)
		})
	}
	return nil
}

// sessionCookies reports for each kind whether the request has a session cookie. The session may have expired. The page calls this
// first: without a cookie, the browser is signed out, and the page can skip a request that would be answered 401.
func sessionCookies(c *fiber.Ctx) error {
	sent := map[string]bool{}
	for _, kind := range kinds {
		sent[kind] = false
	}
	c.Request().Header.VisitAllCookie(func(name, _ []byte) {
		kind := strings.TrimPrefix(string(name), "__Host-Http-") // the prefix of Secure cookies, over https
		if slices.Contains(kinds, kind) {
			sent[kind] = true
		}
	})
	return c.JSON(sent)
}
