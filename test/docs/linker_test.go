package docs_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// A function that calls reflect's MethodByName with a name that is not a constant makes
// the linker keep every method of the whole program. The test binary of test/api uses
// nearly all of the library.
func TestLibraryDoesNotDisableDeadCodeElimination(t *testing.T) {
	link := exec.Command("go", "test", "-c", "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "fiberjwt.test"), "./test/api")
	graph, err := link.CombinedOutput()
	require.NoError(t, err, "%.2000s", graph)
	require.Regexp(t, `(?m)^github\.com/fiberjwt/fiberjwt/internal/dberr\.ConstraintOf -> `, string(graph), "the graph must contain the functions of the library")
	found := regexp.MustCompile(`(?m)^github\.com/fiberjwt/fiberjwt(?:/[\w/]+)?\.\S+(?: <\w+>)* <ReflectMethod>`).FindString(string(graph))
	require.Empty(t, found, "this function disables dead code elimination")
}
