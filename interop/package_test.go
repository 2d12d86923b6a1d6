package interop

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

const clientFolder = "../internal/client/"

// packed lists the files of the npm package.
func packed(t *testing.T) (name string, files []string) {
	t.Helper()
	cmd := exec.Command("npm", "pack", "--dry-run", "--json", "--ignore-scripts")
	cmd.Dir = clientFolder
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var tarballs []struct {
		Name  string `json:"name"`
		Files []struct {
			Path string `json:"path"`
		} `json:"files"`
	}
	require.NoError(t, json.Unmarshal(out, &tarballs))
	require.Len(t, tarballs, 1)
	for _, file := range tarballs[0].Files {
		files = append(files, file.Path)
	}
	return tarballs[0].Name, files
}

func TestNpmPackageHoldsTheClientAndNoGo(t *testing.T) {
	needNode(t)
	name, files := packed(t)
	require.Equal(t, "fiberjwt-client", name)
	require.ElementsMatch(t, []string{"LICENSE", "README.md", "client.d.ts", "client.js", "client.min.js", "package.json"}, files)
	require.Equal(t, read(t, "../LICENSE"), read(t, clientFolder+"LICENSE"))
}
