package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

const noPostgres = "FIBERJWT_POSTGRES is not set"

// postgres has the application by the default Config on PostgreSQL, and a pool for what is
// written by hand. Each pool has one connection, so that each has one process of the server.
type postgres struct {
	ours           *ours
	hand           *bun.DB
	ourCPU, theirs measure.Clock
}

// onPostgres runs row with a schema of its own, unless there is no server. The table has
// further sessions besides those of the application.
func onPostgres(further int, row func(postgres) (outcome, error)) (outcome, error) {
	address := os.Getenv("FIBERJWT_POSTGRES")
	if address == "" {
		return outcome{skipped: noPostgres}, nil
	}
	schema, err := fixture.NewPostgres(address)
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = schema.Close() }()
	var p postgres
	db, ourCPU, err := openOne(schema)
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = db.Close() }()
	if p.hand, p.theirs, err = openOne(schema); err != nil {
		return outcome{}, err
	}
	defer func() { _ = p.hand.Close() }()
	p.ourCPU = ourCPU
	if further > 0 {
		if err := fixture.Fill(db, 0, further); err != nil {
			return outcome{}, err
		}
	}
	if p.ours, err = newOurs(db, fiberjwt.Config{}); err != nil {
		return outcome{}, err
	}
	return row(p)
}

// openOne opens a pool with one connection, and returns the CPU time of the process of the
// server that serves it.
func openOne(schema *fixture.Postgres) (*bun.DB, measure.Clock, error) {
	db, err := schema.Open()
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	var pid int
	if err := db.QueryRow("SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return nil, nil, err
	}
	return db, func() (time.Duration, error) { return schedulerTime(pid) }, nil
}

// schedulerTime returns the CPU time of a process with one thread. The times in
// /proc/<pid>/stat are too coarse.
func schedulerTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0, fmt.Errorf("the CPU time of the server's process: %w", err)
	}
	nanos, _, _ := strings.Cut(string(text), " ")
	spent, err := strconv.ParseInt(nanos, 10, 64)
	return time.Duration(spent), err
}

// clientAndServer is the CPU time of this process and of that of the server.
func (p postgres) clientAndServer() (time.Duration, error) {
	client, err := measure.ProcessCPU()
	if err != nil {
		return 0, err
	}
	server, err := p.ourCPU()
	return client + server, err
}

func refreshWorkPG(b *bench) (outcome, error) {
	return onPostgres(0, func(p postgres) (outcome, error) {
		ours, hand, err := rotation(p.ours, p.hand)
		if err != nil {
			return outcome{}, err
		}
		ours.Clock, hand.Clock = measure.Wall, measure.Wall
		return compare(measure.Plan{Rounds: b.plan.Rounds, Slice: wallSliceTime}, measure.Over("fiberjwt", "by hand"), ours, hand)
	})
}

func backendRefresh(b *bench) (outcome, error) {
	return onPostgres(0, func(p postgres) (outcome, error) {
		ours, hand, err := rotation(p.ours, p.hand)
		if err != nil {
			return outcome{}, err
		}
		ours.Clock, hand.Clock, ours.Elsewhere, hand.Elsewhere = p.ourCPU, p.theirs, true, true
		return b.compare(measure.Over("fiberjwt", "by hand"), ours, hand)
	})
}

func backendRequest(b *bench) (outcome, error) {
	return onPostgres(0, func(p postgres) (outcome, error) {
		ours, err := get("fiberjwt", p.ours.app, p.ours.emails())
		if err != nil {
			return outcome{}, err
		}
		app := fiber.New()
		if err := peer.AddPrepared(app, p.hand, p.ours.signedIn); err != nil {
			return outcome{}, err
		}
		prepared, err := get("prepared join", app, p.ours.emails())
		if err != nil {
			return outcome{}, err
		}
		ours.Clock, prepared.Clock, ours.Elsewhere, prepared.Elsewhere = p.ourCPU, p.theirs, true, true
		return b.compare(measure.Over("fiberjwt", "prepared join"), ours, prepared)
	})
}
