// Command packages draws docs/packages.svg: the packages in the table of
// CONTRIBUTING.md, and which of them imports which.
//
//	go generate ./docs/packages
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
)

//go:generate go run . ../..

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: packages <root of the repository>")
	}
	root := os.Args[1]
	g, err := readGraph(root)
	if err != nil {
		log.Fatal(err)
	}
	if err := g.check(); err != nil {
		log.Fatal(fmt.Errorf("%w\nThe table of packages in CONTRIBUTING.md has the order", err))
	}
	if err := os.WriteFile(filepath.Join(root, picture), []byte(draw(g)), 0o644); err != nil {
		log.Fatal(err)
	}
}

// picture is the file that the program writes, below the root of the repository.
const picture = "docs/packages.svg"
