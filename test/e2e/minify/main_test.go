package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMinifiedClientIsUpToDate(t *testing.T) {
	made := filepath.Join(t.TempDir(), "client.min.js")
	require.NoError(t, write("../../../internal/client/client.js", made))
	want, err := os.ReadFile(made)
	require.NoError(t, err)
	got, err := os.ReadFile("../../../internal/client/client.min.js")
	require.NoError(t, err)
	require.True(t, string(want) == string(got), "client.min.js is older than client.js: run `go generate ./internal/client` in the root of the repository")
}

func TestBrokenSourceReplacesNoOutput(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "client.js"), filepath.Join(folder, "client.min.js")
	require.NoError(t, os.WriteFile(to, []byte("as before"), 0o600))
	for name, source := range map[string]string{
		"no script":                          "export function (",
		"a likely mistake":                   "export const is = typeof x === 'strnig';",
		"a statement not allowed in modules": "export const x = 1; with (x) {}",
	} {
		require.NoError(t, os.WriteFile(from, []byte(source), 0o600))
		require.ErrorContains(t, write(from, to), "client.js:1: ", name)
		got, err := os.ReadFile(to)
		require.NoError(t, err)
		require.Equal(t, "as before", string(got), name)
	}
}
