package main

import (
	"fmt"
	"path/filepath"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

const connections = 32

// serve runs a server for [overHTTP] on a SQLite file.
func serve(name, path string) error {
	db, err := fixture.SQLite(path)
	if err != nil {
		return err
	}
	app := drive.NewServer()
	switch name {
	case "bare":
		peer.AddBare(app)
	case "contrib/jwt + Bun":
		peer.AddByHand(app, db, false)
	case "fiberjwt", "fiberjwt cached":
		cfg := fiberjwt.Config{DB: db, Secret: fixture.Secret}
		if name != "fiberjwt" {
			cfg.CacheTTL = cacheTTL
		}
		if _, err := peer.AddAccounts(app, cfg); err != nil {
			return err
		}
	default:
		return fmt.Errorf("there is no server %q", name)
	}
	return drive.Serve(app)
}

func httpCPUBare(b *bench) (outcome, error) { return b.overHTTP("fiberjwt cached", "bare") }

func httpCPUHand(b *bench) (outcome, error) { return b.overHTTP("fiberjwt", "contrib/jwt + Bun") }

// overHTTP compares the CPU time of two servers that get the same requests.
func (b *bench) overHTTP(ours, theirs string) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	var cases []measure.Case
	for _, name := range []string{ours, theirs} {
		child, err := drive.Start("-serve", name, "-database", filepath.Join(b.folder, "default.db"))
		if err != nil {
			return outcome{}, err
		}
		defer func() { _ = child.Close() }()
		requests := o.emails()
		if name == "bare" {
			requests = open(requests)
		}
		load, err := drive.NewLoad(child.Addr, connections, requests)
		if err != nil {
			return outcome{}, err
		}
		defer load.Close()
		if err := load.Run(3 * len(requests)); err != nil {
			return outcome{}, err
		}
		cases = append(cases, measure.Case{Name: name, Run: load.Run, Clock: child.CPU})
	}
	return compare(measure.Plan{Rounds: b.plan.Rounds, Slice: httpSliceTime}, measure.Over(ours, theirs), cases...)
}
