// Package server is the server in a child process of a measurement over HTTP.
package server

import (
	"fmt"
	"os"
	"time"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

// The servers, each with one route.
const (
	Bare    = "bare"              // without a middleware
	Default = "fiberjwt"          // by the default Config
	Cached  = "fiberjwt cached"   // with CacheTTL
	ByHand  = "contrib/jwt + Bun" // without a session check
)

// CacheTTL is longer than a measurement.
const CacheTTL = 5 * time.Minute

// argument is the first argument of this program in a child process.
const argument = "serve"

// RunIfChild serves and exits if this process is a child of [Start]. A program that calls
// Start must call it first.
func RunIfChild() {
	if len(os.Args) != 4 || os.Args[1] != argument {
		return
	}
	if err := serve(os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}

// Start starts a server on a SQLite file.
func Start(name, path string) (*drive.Child, error) { return drive.Start(argument, name, path) }

func serve(name, path string) error {
	db, err := fixture.SQLite(path)
	if err != nil {
		return err
	}
	app, cfg := drive.NewServer(), fiberjwt.Config{DB: db, Secret: fixture.Secret}
	switch name {
	case Bare:
		peer.AddBare(app)
	case ByHand:
		peer.AddByHand(app, db, false)
	case Cached:
		cfg.CacheTTL = CacheTTL
		_, err = peer.AddAccounts(app, cfg)
	case Default:
		_, err = peer.AddAccounts(app, cfg)
	default:
		err = fmt.Errorf("there is no server %q", name)
	}
	if err != nil {
		return err
	}
	return drive.Serve(app)
}
