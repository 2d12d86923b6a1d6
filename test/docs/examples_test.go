package docs_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withoutExample are exported names that need no example: plain data, a sealed
// interface, and methods that other packages call.
var withoutExample = []string{
	"AnyEntity", "SessionInfo", "Tokens",
	"Error_As", "Error_Error", "Error_LogValue", "Error_Unwrap",
	"ConfigError_Error", "ConfigError_Unwrap", "Problem", "Problem_String", // ExampleConfigError
	"Link_Redeem", "Link_Token", // ExampleLink
}

// If this test fails, write Example<Name> or Example<Type>_<Method> in the
// example_<topic>_test.go for its topic.
func TestEveryExportedNameHasAnExample(t *testing.T) {
	files := token.NewFileSet()
	var sources []*ast.File
	for _, path := range filesOf(t, ".go") {
		if strings.Contains(path, "/") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		require.NoError(t, err)
		sources = append(sources, file)
	}
	pkg, err := doc.NewFromFiles(files, sources, "github.com/fiberjwt/fiberjwt")
	require.NoError(t, err)

	var missing []string
	need := func(name string, examples []*doc.Example) {
		checked := slices.ContainsFunc(examples, func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput })
		if exempt := slices.Contains(withoutExample, name); !checked && !exempt {
			missing = append(missing, name)
		}
	}
	functions := func(all []*doc.Func, prefix string) {
		for _, f := range all {
			need(prefix+f.Name, f.Examples)
		}
	}
	functions(pkg.Funcs, "")
	for _, exported := range pkg.Types {
		need(exported.Name, exported.Examples)
		functions(exported.Funcs, "")
		functions(exported.Methods, exported.Name+"_")
	}
	require.Empty(t, missing, "exported names need an example whose output is checked")
}
