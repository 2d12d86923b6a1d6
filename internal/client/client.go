// Package client holds the browser client: an ES module without dependencies. Its
// folder is also the npm package fiberjwt-client. The package serves nothing; it
// gives the module to the built-in routes.
package client

import _ "embed" // client.min.js

// The minified module is in the repository because a go.mod user has no bundler.
//
//go:generate go run -C ../../test/e2e ./minify
//go:embed client.min.js
var module string

// Module returns client.js, minified.
func Module() string { return module }
