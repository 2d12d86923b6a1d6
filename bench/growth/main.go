// Command growth measures how long a request and a refresh take while the table of sessions
// grows, and how large it becomes. It uses the default Config, on a SQLite file, and on
// PostgreSQL if FIBERJWT_POSTGRES is set.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/peer"
	"github.com/fiberjwt/fiberjwt/bench/report"
)

func main() {
	most := flag.Int("sessions", 5_000_000, "the largest number of sessions")
	save := flag.String("save", "", "write the result to this file, for the command page")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	result := report.Growth{Machine: report.Machine()}
	err := run(*most, &result)
	if err == nil && *save != "" {
		err = report.Save(*save, result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(most int, result *report.Growth) error {
	folder, err := os.MkdirTemp("", "fiberjwt-growth")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	db, err := fixture.NewSQLite(filepath.Join(folder, "growth.db"))
	if err != nil {
		return err
	}
	fmt.Println("database    sessions  request p50    p99  refresh p50    p99  bytes each")
	if err := grow("SQLite", db, most, result); err != nil {
		return err
	}
	address := os.Getenv("FIBERJWT_POSTGRES")
	if address == "" {
		fmt.Println("PostgreSQL  skipped: FIBERJWT_POSTGRES is not set")
		return nil
	}
	schema, err := fixture.NewPostgres(address)
	if err != nil {
		return err
	}
	defer func() { _ = schema.Close() }()
	if db, err = schema.Open(); err != nil {
		return err
	}
	return grow("PostgreSQL", db, most, result)
}

// grow measures at several sizes.
func grow(name string, db *bun.DB, most int, result *report.Growth) error {
	defer func() { _ = db.Close() }()
	app := fiber.New()
	auth, err := peer.AddAccounts(app, fiberjwt.Config{DB: db, Secret: fixture.Secret})
	if err != nil {
		return err
	}
	size := 0
	for _, next := range []int{10_000, 100_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000} {
		if next > most {
			break
		}
		if err := fixture.Fill(db, size, next); err != nil {
			return err
		}
		size = next
		request, refresh, err := measure(db, app, auth)
		if err != nil {
			return err
		}
		bytes, err := fixture.Size(db)
		if err != nil {
			return err
		}
		p := report.Point{Database: name, Sessions: size, Request: request.percentiles(), Refresh: refresh.percentiles(), Bytes: bytes / int64(size)}
		fmt.Printf("%-10s %9d  %8d µs %3d µs  %8d µs %3d µs  %10d\n", name, size, p.Request.P50, p.Request.P99, p.Refresh.P50, p.Refresh.P99, p.Bytes)
		result.Points = append(result.Points, p)
	}
	return nil
}

// requests is how many requests, and how many refreshes, are measured at a size. Each uses
// another account.
const requests = 2000

func measure(db *bun.DB, app *fiber.App, auth *fiberjwt.Auth) (request, refresh times, err error) {
	signedIn, err := fixture.SignIn(db, auth, requests, "no password")
	if err != nil {
		return nil, nil, err
	}
	// A refresh token rotates only when it is some minutes old.
	if _, err := fixture.NewTurns(db, signedIn, time.Hour); err != nil {
		return nil, nil, err
	}
	get, post := drive.NewFiber(app, "GET", "/"), drive.NewFiber(app, "POST", "/auth/"+fixture.Kind+"/refresh")
	for _, who := range signedIn {
		start := time.Now()
		if err := get.Bearer("Bearer " + who.Tokens.AccessToken); err != nil {
			return nil, nil, err
		}
		middle := time.Now()
		if err := post.Post(who.RefreshBody); err != nil {
			return nil, nil, err
		}
		request, refresh = append(request, middle.Sub(start)), append(refresh, time.Since(middle))
	}
	return request, refresh, nil
}

type times []time.Duration

func (t times) percentiles() report.Times {
	sorted := slices.Sorted(slices.Values(t))
	p := func(percent int) int64 { return sorted[(len(sorted)-1)*percent/100].Microseconds() }
	return report.Times{P50: p(50), P99: p(99)}
}
