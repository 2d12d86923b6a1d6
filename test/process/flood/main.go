// Command flood attacks the sign-in of the example on this machine and prints
// what it achieved: how many passwords were compared, how slow other requests
// became, how much memory the server took and how many lines it logged.
//
//	go run ./test/process/flood                                    # builds and starts ./example on a temporary SQLite file
//	go run ./test/process/flood -db postgres://postgres@127.0.0.1:5432/test
//	go run ./test/process/flood -url http://127.0.0.1:3000 -pid 1234
//	go run ./test/process/flood -only storm
//
// It connects to loopback addresses only, and its connections, its requests and
// its duration are bounded. It makes accounts by the registration route and
// leaves them in the database, so give it a database for tests.
//
// Load and measurement share one process and the machine with the server. The
// delay of an open route under the same load stands beside every delay for that
// reason, and each ratio is taken against the greater of the two.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Upper bounds of what the flags may ask for.
const (
	maxSeconds     = 60
	maxConnections = 5000
	maxAccounts    = 500
	longestRun     = 15 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	url         string
	pid         int
	exampleDir  string
	db          string
	only        string
	seconds     int
	connections int
	accounts    int
}

func readSettings(args []string, output io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("flood", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&s.url, "url", "", "`address` of a running example, such as http://127.0.0.1:3000; without it, flood builds and starts one")
	flags.IntVar(&s.pid, "pid", 0, "process `id` of the server at -url, to read its peak memory")
	flags.StringVar(&s.exampleDir, "example-dir", ".", "`directory` of the source tree whose ./example is built")
	flags.StringVar(&s.db, "db", "", "`DATABASE_URL` of the example that flood starts; the default is a temporary SQLite file")
	flags.StringVar(&s.only, "only", "", "run quiet and the scenario of this `name`: "+scenarioNames())
	flags.IntVar(&s.seconds, "seconds", 12, fmt.Sprintf("duration of a scenario, at most %d", maxSeconds))
	flags.IntVar(&s.connections, "connections", 2000, fmt.Sprintf("connections that guess in parallel, at most %d", maxConnections))
	flags.IntVar(&s.accounts, "accounts", maxAccounts, fmt.Sprintf("accounts that sign in, at most %d", maxAccounts))
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.seconds = min(s.seconds, maxSeconds)
	s.connections = min(s.connections, maxConnections)
	s.accounts = min(s.accounts, maxAccounts)
	return s, s.check(flags.Args())
}

func (s settings) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case s.seconds < 1 || s.connections < 1 || s.accounts < 1:
		return errors.New("-seconds, -connections and -accounts must be at least 1")
	case s.only != "" && !isScenario(s.only):
		return fmt.Errorf("-only: no scenario is named %q; the names are %s", s.only, scenarioNames())
	case s.pid != 0 && s.url == "":
		return errors.New("-pid belongs to -url")
	case s.db != "" && s.url != "":
		return errors.New("-db is for the example that flood starts, so it cannot be used with -url")
	}
	return checkDatabase(s.db)
}

func run(ctx context.Context, args []string) error {
	s, err := readSettings(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longestRun)
	defer cancel()

	address, own := s.url, (*server)(nil)
	if address == "" {
		if own, err = startServer(ctx, s.exampleDir, s.db); err != nil {
			return err
		}
		defer own.stop()
		address = own.url
	}
	target, err := parseTarget(address)
	if err != nil {
		return err
	}
	f := newFlood(s, target, own)
	err = f.run(ctx)
	f.table.print(os.Stdout) // what was measured before an error or Ctrl-C is printed too
	return err
}
