package main

import (
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/server"
)

const connections = 32

func httpCPUBare(b *bench) (outcome, error) { return b.overHTTP(server.Cached, server.Bare) }

func httpCPUHand(b *bench) (outcome, error) { return b.overHTTP(server.Default, server.ByHand) }

// overHTTP compares the CPU time of two servers that get the same requests.
func (b *bench) overHTTP(ours, theirs string) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	var cases []measure.Case
	for _, name := range []string{ours, theirs} {
		child, err := server.Start(name, o.path)
		if err != nil {
			return outcome{}, err
		}
		defer func() { _ = child.Close() }()
		requests := o.emails()
		if name == server.Bare {
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
		cases = append(cases, measure.Case{Name: name, Run: load.Run, Clock: child.CPU, Elsewhere: true})
	}
	return compare(measure.Plan{Rounds: b.plan.Rounds, Slice: httpSliceTime}, measure.Over(ours, theirs), cases...)
}
