// Command minify makes client.min.js, which the server serves, from client.js in
// internal/client. "go generate ./internal/client" runs it.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/evanw/esbuild/pkg/api"
)

// folder is the folder of the client, relative to test/e2e.
const folder = "../../internal/client/"

func main() {
	log.SetFlags(0)
	if err := write(folder+"client.js", folder+"client.min.js"); err != nil {
		log.Fatal(err)
	}
}

func write(from, to string) error {
	source, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	small, err := minify(string(source))
	if err != nil {
		return err
	}
	return os.WriteFile(to, small, 0o644)
}

// minify targets the first browsers that have AbortSignal.any, which client.js
// needs. Exported names stay as they are.
func minify(source string) ([]byte, error) {
	result := api.Transform(source, api.TransformOptions{
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		TreeShaking:       api.TreeShakingTrue,
		LegalComments:     api.LegalCommentsNone,
		Engines: []api.Engine{
			{Name: api.EngineChrome, Version: "116"},
			{Name: api.EngineFirefox, Version: "124"},
			{Name: api.EngineSafari, Version: "17.4"},
		},
	})
	var faults []error
	for _, m := range append(result.Errors, result.Warnings...) {
		faults = append(faults, fmt.Errorf("client.js:%d: %s", line(m), m.Text))
	}
	return result.Code, errors.Join(faults...)
}

func line(m api.Message) int {
	if m.Location == nil {
		return 0
	}
	return m.Location.Line
}
