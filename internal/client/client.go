// Package client contains the client for browsers, an ES module without dependencies. Its
// folder is also the npm package fiberjwt-client. The built-in routes of fiberjwt serve the
// module; this package only embeds it.
package client

import _ "embed" // client.min.js

// The minified module is in the repository because users of the Go module have no bundler.
//
//go:generate go run -C ../../test/e2e ./minify
//go:embed client.min.js
var module string

// Module returns the source of client.js in minified form.
func Module() string { return module }
