// Command twin writes the packages for Fiber v3, which are copies of those for Fiber v2 in the
// root module, by the rules in rules.go. go generate in fiberv3 runs it.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// marker is the first line of a generated file, with the path of its source.
const marker = "// Code generated from %s by internal/twin; DO NOT EDIT.\n\n"

func main() {
	if err := run(".."); err != nil {
		fmt.Fprintln(os.Stderr, "twin:", err)
		os.Exit(1)
	}
}

// run writes the files that differ and removes those whose source is gone. root is the folder
// of the root module.
func run(root string) error {
	twins, err := generate(root)
	if err != nil {
		return err
	}
	stale, err := staleFiles(root, twins)
	if err != nil {
		return err
	}
	for _, path := range stale {
		if text, ok := twins[path]; ok {
			err = os.WriteFile(filepath.Join(root, "fiberv3", path), text, 0o600)
		} else {
			err = os.Remove(filepath.Join(root, "fiberv3", path))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// generate returns the text of all generated files by their paths below fiberv3.
func generate(root string) (map[string][]byte, error) {
	twins := map[string][]byte{}
	for _, folder := range folders {
		sources, err := filepath.Glob(filepath.Join(root, folder.path, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, source := range sources {
			if slices.Contains(folder.hand, filepath.Base(source)) {
				continue
			}
			text, err := os.ReadFile(source)
			if err != nil {
				return nil, err
			}
			path := filepath.Join(folder.path, filepath.Base(source))
			twins[path], err = twin(path, string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", source, err)
			}
		}
	}
	return twins, nil
}

// twin returns the text for Fiber v3 of the file with this path.
func twin(path, text string) ([]byte, error) {
	depth := strings.Count(filepath.ToSlash(path), "/") + 1
	source := strings.Repeat("../", depth) + filepath.ToSlash(path)
	return format.Source([]byte(fmt.Sprintf(marker, source) + rewrite(text)))
}

// rewrite applies the rules from left to right. It does not apply a rule to what another rule has
// written.
func rewrite(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		from, to := text[i:i+1], text[i:i+1]
		for _, rule := range rules {
			if fits(text, i, rule.v2) {
				from, to = rule.v2, rule.v3
				break
			}
		}
		out.WriteString(to)
		i += len(from)
	}
	return out.String()
}

// fits reports whether words is at position i of text and cuts no word.
func fits(text string, i int, words string) bool {
	if !strings.HasPrefix(text[i:], words) {
		return false
	}
	end := i + len(words)
	cutsBefore := i > 0 && inWord(words[0]) && (inWord(text[i-1]) || text[i-1] == '.')
	cutsAfter := end < len(text) && inWord(words[len(words)-1]) && inWord(text[end])
	return !cutsBefore && !cutsAfter
}

func inWord(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// staleFiles returns the paths below fiberv3 of generated files that are missing, are not as twins
// has them, or have no source.
func staleFiles(root string, twins map[string][]byte) (stale []string, err error) {
	for path, text := range twins {
		present, err := os.ReadFile(filepath.Join(root, "fiberv3", path))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		if !bytes.Equal(present, text) {
			stale = append(stale, path)
		}
	}
	for _, folder := range folders {
		present, err := filepath.Glob(filepath.Join(root, "fiberv3", folder.path, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, file := range present {
			path := filepath.Join(folder.path, filepath.Base(file))
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			if _, known := twins[path]; !known && bytes.HasPrefix(text, []byte("// Code generated from ")) {
				stale = append(stale, path)
			}
		}
	}
	slices.Sort(stale)
	return stale, nil
}
