package docs_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestLinesOfDocumentsHaveAtMost120Characters(t *testing.T) {
	fenced := regexp.MustCompile("(?ms)^ *```.*?^ *```")
	for path, text := range documents(t) {
		for line := range strings.Lines(fenced.ReplaceAllString(text, "")) {
			isCode := strings.HasPrefix(line, "    ")
			isTable, isImage := strings.HasPrefix(line, "|"), strings.HasPrefix(line, "![") || strings.HasPrefix(line, "[![")
			canBreak := strings.Contains(strings.TrimLeft(line, "- "), " ")
			if isCode || isTable || isImage || !canBreak {
				continue
			}
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 120, "%s: %s", path, line)
		}
	}
}

// The root has few files, so that a reader finds the entry points.
func TestRootStaysSmall(t *testing.T) {
	listed, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Skip("this is not a clone:", err)
	}
	entries, sources := map[string]bool{}, 0
	for path := range strings.Lines(string(listed)) {
		path = strings.TrimSpace(path)
		name, _, inFolder := strings.Cut(path, "/")
		entries[name] = true
		if inFolder || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			continue
		}
		sources++
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.LessOrEqual(t, strings.Count(string(text), "\n"), 450, "lines of %s", path)
	}
	require.LessOrEqual(t, len(entries), 45, "entries of the root")
	require.LessOrEqual(t, sources, 20, "Go files of the root")
}

// formerNames are names of the left column of the table "Renamed" in CHANGELOG.md.
var formerNames = []string{
	`\bConfig\.(Client|Sessions|Issuers|Transport)\b`,
	`\bAnyType\b`,
	`\bIssuer\.(Type|Kind|Kinds|Keys|RequiredClaims)\b`,
	`\bPassword\.Time\b`,
	`\bfiberjwt\.(Kind|Grant|Purpose|Secret|OldTokens|Issuer|Event\w*)\b`,
	`\b(Grant|Purpose)(\[|\{|$)`,
	`\bauth\.(RevokeAll|Sessions)\b`,
	`\bEvent[A-Z]\w*`,
	`\bSource[A-Z]\w*`,
	`\bset\.JWKS\(`,
}

func TestDocumentsUseNoFormerName(t *testing.T) {
	former := regexp.MustCompile(`(?m)` + strings.Join(formerNames, "|"))
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	checked := 0
	for path, text := range documents(t) {
		if path == "CHANGELOG.md" {
			continue
		}
		for _, piece := range code.FindAllString(text, -1) {
			require.Empty(t, former.FindString(strings.Trim(piece, "`")), "%s: %s", path, piece)
			checked++
		}
	}
	require.NotZero(t, checked)

	changes, err := os.ReadFile("CHANGELOG.md")
	require.NoError(t, err)
	_, renamed, _ := strings.Cut(string(changes), "\n### Renamed\n")
	require.Regexp(t, former, renamed)
}
