package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const clientFolder = "../../internal/client/"

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

func TestNpmPackageContainsOnlyTheClient(t *testing.T) {
	needNode(t)
	name, files := packed(t)
	require.Equal(t, "fiberjwt-client", name)
	require.ElementsMatch(t, []string{"LICENSE", "README.md", "client.d.ts", "client.js", "client.min.js", "package.json"}, files)
	require.Equal(t, read(t, "../../LICENSE"), read(t, clientFolder+"LICENSE"))
}

func TestNpmReadmeLinksLeadToFiles(t *testing.T) {
	links := regexp.MustCompile(`https://github\.com/fiberjwt/fiberjwt/blob/main/([^)#\s"]+)`)
	for _, name := range []string{"README.md", "package.json"} {
		found := links.FindAllStringSubmatch(read(t, clientFolder+name), -1)
		require.NotEmpty(t, found, name)
		for _, link := range found {
			require.FileExists(t, filepath.Join("../..", link[1]), name)
		}
	}
}

// installClient packs the client and installs the tarball by the commands of the
// document, in a project that also has the other packages of this module.
func installClient(t *testing.T, project string) {
	t.Helper()
	here, err := filepath.Abs(".")
	require.NoError(t, err)
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = project
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %s\n%s", name, strings.Join(args, " "), out)
	}
	run("npm", "pack", filepath.Join(here, clientFolder))
	run("npm", "install", "--offline", "--no-audit", "--no-fund", "./fiberjwt-client-0.0.0.tgz")
	packages, err := filepath.Glob(filepath.Join(here, "node_modules", "[^.]*"))
	require.NoError(t, err)
	for _, path := range packages {
		require.NoError(t, os.Symlink(path, filepath.Join(project, "node_modules", filepath.Base(path))))
	}
}
