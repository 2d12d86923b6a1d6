package fiberjwt_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// D1: a function that asks reflect for a method by a name that is no constant
// makes the linker keep every method of the whole program. This binary reaches
// nearly all of the library.
func TestNoFunctionSwitchesDeadCodeEliminationOff(t *testing.T) {
	link := exec.Command("go", "test", "-c", "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "fiberjwt.test"), ".")
	graph, err := link.CombinedOutput()
	require.NoError(t, err, "%.2000s", graph)
	require.Contains(t, string(graph), "github.com/fiberjwt/fiberjwt.constraintOf -> ")
	found := regexp.MustCompile(`(?m)^github\.com/fiberjwt/fiberjwt(?:/[\w/]+)?\.\S+(?: <\w+>)* <ReflectMethod>`).FindString(string(graph))
	require.Empty(t, found)
}
