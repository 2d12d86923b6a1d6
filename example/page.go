package main

import (
	"embed"
	"io/fs"
	"path"

	"github.com/gofiber/fiber/v2"
)

//go:embed page
var pageFiles embed.FS

// contentPolicy lets the page load its own files and speak to its own server, nothing else.
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
