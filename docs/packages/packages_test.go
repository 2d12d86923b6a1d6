package main

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

func read(t *testing.T) *graph {
	t.Helper()
	g, err := readGraph(root)
	require.NoError(t, err)
	return g
}

func TestPackagesImportOnlyDownward(t *testing.T) {
	require.NoError(t, read(t).check(), "compare the table of packages in CONTRIBUTING.md")
}

func TestPictureIsUpToDate(t *testing.T) {
	g := read(t)
	require.NoError(t, g.check())
	text, err := os.ReadFile(filepath.Join(root, picture))
	require.NoError(t, err)
	require.True(t, draw(g) == string(text), "%s is out of date: go generate ./docs/packages", picture)
}

func TestArrowsOfPictureAllPointDown(t *testing.T) {
	g := read(t)
	require.NoError(t, g.check())
	direct := 0
	for i := range g.names {
		direct += len(g.direct(i))
	}
	arrows := regexp.MustCompile(`<path class="line".* d="M(.*)"/>`).FindAllStringSubmatch(draw(g), -1)
	require.Len(t, arrows, direct)
	for _, arrow := range arrows {
		y := 0.0
		for _, part := range strings.FieldsFunc(arrow[1], func(r rune) bool { return r == 'C' || r == 'V' }) {
			numbers := strings.Fields(part)
			next, err := strconv.ParseFloat(numbers[len(numbers)-1], 64)
			require.NoError(t, err)
			require.Greater(t, next, y, arrow[1])
			y = next
		}
	}
}

func TestCheckFindsUpwardImport(t *testing.T) {
	g := &graph{names: []string{"a", "b"}, listed: 2, imports: [][]int{nil, {0}}}
	require.EqualError(t, g.check(), "b imports a, which stands above it")
}

func TestCheckFindsPackageMissingFromTable(t *testing.T) {
	g := &graph{names: []string{"a", "b"}, listed: 1, imports: [][]int{{1}, nil}}
	require.EqualError(t, g.check(), "a imports b, which is not in the table")
}

func TestTableNamesOnlyExistingPackages(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, ".github"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, ".github", "CONTRIBUTING.md"), []byte("| `gone` | was removed |\n"), 0o600))
	_, err := readGraph(folder)
	require.ErrorContains(t, err, "package gone")
}

func TestImpliedImportIsNotDrawn(t *testing.T) {
	g := &graph{names: []string{"a", "b", "c", "d"}, listed: 4, imports: [][]int{{1, 2, 3}, {2}, {3}, nil}}
	require.Equal(t, []int{1}, g.direct(0))
	require.Equal(t, []int{0, 1, 2, 3}, g.levels())
}

func TestCrossingLinesAreSorted(t *testing.T) {
	g := &graph{names: []string{"a", "b", "c", "d"}, listed: 4, imports: [][]int{{3}, {2}, nil, nil}}
	require.Zero(t, crossings(arrange(g)))
}

func TestTableHasEveryPackage(t *testing.T) {
	g := read(t)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name = filepath.ToSlash(name); name {
		case ".git", "bench", "docs", "example", "fiberv3", "internal/elapsed/asleep", "session/dbtest", "test": // without what only tests import
			return fs.SkipDir
		case ".":
			name = "fiberjwt"
		}
		if p, err := build.ImportDir(path, 0); err == nil && len(p.GoFiles) > 0 && p.Name != "main" {
			require.Contains(t, g.names, name)
		}
		return nil
	}))
}
