package main

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
)

// places are addresses of 127.0.0.0/8 for clients that stand for people at
// different places. Each lies in a /24 of its own. Safe for concurrent use.
type places struct {
	spread bool // false where the system has no more than one loopback address
	last   atomic.Uint32
}

// newPlaces begins at a random address, because the server may remember the
// addresses of an earlier run.
func newPlaces(ctx context.Context, server netip.AddrPort) *places {
	p := &places{}
	p.last.Store(rand.Uint32())
	if server.Addr().Is4() {
		probe := client{server: server, from: netip.AddrFrom4([4]byte{127, 9, 9, 9})}
		p.spread = probe.connect(ctx) == nil
		probe.close()
	}
	return p
}

func (p *places) next() netip.Addr {
	if !p.spread {
		return netip.Addr{}
	}
	return place(p.last.Add(1))
}

// place stays clear of 127.0.0.0/16, where the server is, and of 127.255.0.0/16.
func place(n uint32) netip.Addr {
	n %= 254 << 8
	return netip.AddrFrom4([4]byte{127, byte(n>>8) + 1, byte(n), 1})
}
