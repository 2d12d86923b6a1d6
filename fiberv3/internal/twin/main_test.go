package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../../.."

func TestTwinIsUpToDate(t *testing.T) {
	twins, err := generate(root)
	require.NoError(t, err)
	require.Contains(t, twins, "locals.go")
	require.Contains(t, twins, "fiberjwttest/kit.go")
	stale, err := staleFiles(root, twins)
	require.NoError(t, err)
	require.Empty(t, stale, "these files of fiberv3 are not as their sources: run go generate in fiberv3")
}

func TestFileWithoutSourceIsStaleAndRemoved(t *testing.T) {
	folder := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(folder, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("kept.go", "package p\n")
	write("fiber.go", "package p // v2\n")
	write("fiberv3/fiber.go", "package p // v3\n")
	write("fiberv3/gone.go", "// Code generated from ../gone.go by internal/twin; DO NOT EDIT.\n\npackage p\n")
	twins, err := generate(folder)
	require.NoError(t, err)
	stale, err := staleFiles(folder, twins)
	require.NoError(t, err)
	require.Equal(t, []string{"gone.go", "kept.go"}, stale)

	require.NoError(t, run(folder))
	require.NoFileExists(t, filepath.Join(folder, "fiberv3", "gone.go"))
	text, err := os.ReadFile(filepath.Join(folder, "fiberv3", "kept.go"))
	require.NoError(t, err)
	require.Equal(t, "// Code generated from ../kept.go by internal/twin; DO NOT EDIT.\n\npackage p\n", string(text))
	text, err = os.ReadFile(filepath.Join(folder, "fiberv3", "fiber.go"))
	require.NoError(t, err)
	require.Equal(t, "package p // v3\n", string(text))
}

func TestRulesTakeWholeWordsAndApplyOnce(t *testing.T) {
	for v2, v3 := range map[string]string{
		"c.Context().RemoteIP()":                      "c.RequestCtx().RemoteIP()",
		"c.UserContext()":                             "c.Context()",
		"a.c.Context() rc.Context() t.Context()":      "a.c.Context() rc.Context() t.Context()",
		"func(c *fiber.Ctx, u *User)":                 "func(c fiber.Ctx, u *User)",
		"*fiber.CtxPool":                              "*fiber.CtxPool",
		`"github.com/fiberjwt/fiberjwt"`:              `"github.com/fiberjwt/fiberjwt/fiberv3"`,
		`"github.com/fiberjwt/fiberjwt/keys"`:         `"github.com/fiberjwt/fiberjwt/keys"`,
		`"github.com/gofiber/fiber/v2/middleware/x"`:  `"github.com/gofiber/fiber/v3/middleware/x"`,
		"// Fiber v2 calls it, see [keys.Set], Fiber": "// Fiber v3 calls it, see [keys.Set], Fiber",
	} {
		require.Equal(t, v3, rewrite(v2))
	}
}

func TestEveryRuleHasUse(t *testing.T) {
	var sources strings.Builder
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join(root, folder.path, "*.go"))
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			sources.Write(text)
		}
	}
	for _, rule := range rules {
		require.Contains(t, sources.String(), rule.v2)
	}
}

// FromExtractor is for the extractors of Fiber v3, which v2 does not have.
func TestTwinExportsTheSameNames(t *testing.T) {
	for _, folder := range []string{".", "fiberjwttest"} {
		want := exported(t, filepath.Join(root, folder))
		if folder == "." {
			want = append(want, "FromExtractor")
		}
		require.NotEmpty(t, want)
		require.ElementsMatch(t, want, exported(t, filepath.Join(root, "fiberv3", folder)))
	}
}

// exported returns the exported names of the package in a folder, with those of methods and fields.
func exported(t *testing.T, folder string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.FileExports(file)
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = types.ExprString(d.Recv.List[0].Type) + "." + name
				}
				names = append(names, name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					names = append(names, namesOf(spec)...)
				}
			}
		}
	}
	return names
}

func namesOf(spec ast.Spec) (names []string) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			names = append(names, name.Name)
		}
	case *ast.TypeSpec:
		names = append(names, s.Name.Name)
		structure, ok := s.Type.(*ast.StructType)
		for i := 0; ok && i < len(structure.Fields.List); i++ {
			for _, field := range structure.Fields.List[i].Names {
				names = append(names, s.Name.Name+"."+field.Name)
			}
		}
	}
	return names
}

// An application links one Fiber.
func TestNoPackageLinksTheOtherFiber(t *testing.T) {
	linked := func(folder string, packages ...string) string {
		command := exec.Command("go", append([]string{"list", "-deps"}, packages...)...)
		command.Dir, command.Env = folder, append(os.Environ(), "GOWORK=off")
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	twin := linked("../..", ".", "./fiberjwttest")
	require.Contains(t, twin, "github.com/gofiber/fiber/v3\n")
	require.NotContains(t, twin, "github.com/gofiber/fiber/v2")
	require.NotContains(t, twin, "github.com/fiberjwt/fiberjwt\n")
	original := linked(root, "./...")
	require.Contains(t, original, "github.com/gofiber/fiber/v2\n")
	require.NotContains(t, original, "github.com/gofiber/fiber/v3")
	shared := linked(root, "./internal/...", "./session", "./keys", "./legacy", "./event")
	require.NotContains(t, shared, "github.com/gofiber/fiber")
}
