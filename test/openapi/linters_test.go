package openapi

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Warnings count as problems, too.
func TestLintersFindNothing(t *testing.T) {
	if os.Getenv("FIBERJWT_INTEROP") == "" {
		t.Skip("set FIBERJWT_INTEROP=1, after npm ci in this folder, to run this test")
	}
	for name, configure := range configurations {
		document := filepath.Join(t.TempDir(), "openapi.json")
		require.NoError(t, os.WriteFile(document, newWorld(t, configure).document, 0o600))
		t.Run(name+", redocly", func(t *testing.T) {
			require.Contains(t, lint(t, "@redocly/cli/bin/cli.js", "lint", "--format=json", document), `"problems": []`)
		})
		t.Run(name+", spectral", func(t *testing.T) {
			require.JSONEq(t, "[]", lint(t, "@stoplight/spectral-cli/dist/index.js", "lint", "--ruleset=spectral.yaml", "--format=json", "--quiet", document))
		})
	}
}

// lint returns the output of a linter. If the linter fails, its output shows why.
func lint(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command("node", append([]string{"node_modules/" + program}, args...)...)
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	out, _ := cmd.Output()
	require.NotEmpty(t, out)
	return string(out)
}
