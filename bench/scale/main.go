// Command scale measures what changes when there is more of something: goroutines, kinds,
// keys, connections, cached accounts and requests. It has no goals but prints a line for
// each figure. The README of this module explains them.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
	"github.com/fiberjwt/fiberjwt/bench/server"
)

var checks = []struct {
	name string
	run  func(*world) error
}{
	{"goroutines", goroutines},
	{"kinds", kinds},
	{"keys", keySets},
	{"connections", connections},
	{"cache", cacheMemory},
	{"soak", soak},
}

func main() {
	server.RunIfChild()
	requests := flag.Int("requests", 10_000_000, "how many requests the soak sends")
	only := flag.String("only", "", "make only checks whose name matches this regular expression")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err := run(*requests, regexp.MustCompile(*only)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(requests int, only *regexp.Regexp) error {
	folder, err := os.MkdirTemp("", "fiberjwt-scale")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	w := &world{folder: folder, requests: requests, plan: measure.Plan{Rounds: 40, Slice: 8 * time.Millisecond}}
	for _, check := range checks {
		if !only.MatchString(check.name) {
			continue
		}
		if err := check.run(w); err != nil {
			return fmt.Errorf("%s: %w", check.name, err)
		}
	}
	return nil
}

// world is what the checks share.
type world struct {
	folder   string
	requests int
	plan     measure.Plan
}

// application is one with fiberjwt on a SQLite file, with accounts that are signed in.
type application struct {
	path     string
	db       *bun.DB
	app      *fiber.App
	auth     *fiberjwt.Auth
	signedIn []fixture.SignedIn
}

// open returns an application with this Config.
func (w *world) open(name string, cfg fiberjwt.Config, accounts int) (*application, error) {
	a := &application{path: filepath.Join(w.folder, name+".db"), app: fiber.New()}
	db, err := fixture.NewSQLite(a.path)
	if err != nil {
		return nil, err
	}
	a.db = db
	cfg.DB, cfg.Secret = db, fixture.Secret
	if a.auth, err = peer.AddAccounts(a.app, cfg); err != nil {
		return nil, err
	}
	a.signedIn, err = fixture.SignIn(db, a.auth, accounts, "no password")
	return a, err
}

func (a *application) close() {
	_ = a.auth.Close()
	_ = a.db.Close()
}

// report prints the cost of each case over that of the first one.
func report(name string, result measure.Result, cases []measure.Case) {
	for _, c := range cases {
		ratio := result.Ratio(measure.Over(c.Name, cases[0].Name))
		fmt.Printf("%-12s %-28s %9.3g µs  x%.3f\n", name, c.Name, result.Cost(c.Name)/1e3, ratio.Median)
	}
}
