// Command page writes docs/performance.md and its pictures from the files in results, which
// the commands compare and growth write.
//
//	go generate ./page
package main

import (
	"bytes"
	_ "embed"
	"log"
	"os"
	"path/filepath"
	"text/template"

	"github.com/fiberjwt/fiberjwt/bench/report"
)

//go:generate go run . ../..

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: page <root of the repository>")
	}
	root := os.Args[1]
	files, err := files(filepath.Join(root, "bench", "results"))
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, "docs", name), text, 0o644); err != nil { //nolint:gosec // a page of the documents
			log.Fatal(err)
		}
	}
}

//go:embed page.tmpl
var pageText string

// files returns the page and its pictures, by their names in docs, from a folder of results.
func files(results string) (map[string][]byte, error) {
	var compared report.Comparison
	if err := report.Load(filepath.Join(results, "compare.json"), &compared); err != nil {
		return nil, err
	}
	var grown report.Growth
	if err := report.Load(filepath.Join(results, "growth.json"), &grown); err != nil {
		return nil, err
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"cost":   func(row, side string) (string, error) { return cost(compared, row, side) },
		"ratios": func() string { return ratios(compared) },
		"growth": func() string { return growthTable(grown) },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := page.Execute(&text, compared); err != nil {
		return nil, err
	}
	peers, err := peersPicture(compared)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"performance.md":         text.Bytes(),
		"performance-peers.svg":  peers,
		"performance-growth.svg": growthPicture(grown),
	}, nil
}
