package main

import (
	"errors"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const module = "github.com/fiberjwt/fiberjwt"

// rowOfTable is the start of a row in the table of CONTRIBUTING.md.
var rowOfTable = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\|")

// graph has a name for each package, as the table writes it, the highest first.
// After these come packages that are imported and that the table does not have.
type graph struct {
	names   []string
	listed  int     // how many of names are in the table
	imports [][]int // by index in names, without the standard library and other modules
}

// readGraph reads the table, and the imports of each package from its files. It
// does not ask the go command, which would need the modules that the packages
// require, and whose answers go test cannot see when it caches a result.
func readGraph(root string) (*graph, error) {
	text, err := os.ReadFile(filepath.Join(root, ".github", "CONTRIBUTING.md"))
	if err != nil {
		return nil, err
	}
	g := &graph{}
	for _, row := range rowOfTable.FindAllStringSubmatch(string(text), -1) {
		g.names = append(g.names, row[1])
	}
	if g.listed = len(g.names); g.listed == 0 {
		return nil, errors.New("CONTRIBUTING.md has no table of packages")
	}
	for i := 0; i < len(g.names); i++ { // names grows
		imports, err := importsOf(root, g.names[i])
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", g.names[i], err)
		}
		g.imports = append(g.imports, g.indexes(imports))
	}
	return g, nil
}

// importsOf gives the names of the packages that a package imports, sorted.
func importsOf(root, name string) (names []string, err error) {
	if name == "fiberjwt" {
		name = "."
	}
	p, err := build.ImportDir(filepath.Join(root, filepath.FromSlash(name)), 0)
	if err != nil {
		return nil, err
	}
	for _, path := range p.Imports {
		if path == module {
			names = append(names, "fiberjwt")
		} else if below, ok := strings.CutPrefix(path, module+"/"); ok {
			names = append(names, below)
		}
	}
	return names, nil
}

// indexes gives each name its index, and a new one to a name that is new.
func (g *graph) indexes(names []string) (indexes []int) {
	for _, name := range names {
		i := slices.Index(g.names, name)
		if i < 0 {
			i = len(g.names)
			g.names = append(g.names, name)
		}
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	return indexes
}

// check returns an error for each package that the table does not have, and for
// each import of a package that stands higher in the table.
func (g *graph) check() error {
	var problems []error
	for i, imports := range g.imports {
		for _, below := range imports {
			switch {
			case below >= g.listed:
				problems = append(problems, fmt.Errorf("%s imports %s, which is not in the table", g.names[i], g.names[below]))
			case below <= i:
				problems = append(problems, fmt.Errorf("%s imports %s, which stands above it", g.names[i], g.names[below]))
			}
		}
	}
	return errors.Join(problems...)
}

// direct gives the imports of a package that no other of its imports leads to.
// It needs a graph that passed check, which has no circle.
func (g *graph) direct(i int) []int {
	return slices.DeleteFunc(slices.Clone(g.imports[i]), func(below int) bool {
		return slices.ContainsFunc(g.imports[i], func(other int) bool { return g.leads(other, below) })
	})
}

// leads reports whether from imports to, also through other packages.
func (g *graph) leads(from, to int) bool {
	return slices.ContainsFunc(g.imports[from], func(below int) bool { return below == to || g.leads(below, to) })
}

// levels gives each package the length of the longest path that leads to it: 0
// for one that is imported by no other. Each import leads to a greater level.
func (g *graph) levels() []int {
	levels := make([]int, len(g.names))
	for i, imports := range g.imports { // importers first, by the order of the table
		for _, below := range imports {
			levels[below] = max(levels[below], levels[i]+1)
		}
	}
	return levels
}
