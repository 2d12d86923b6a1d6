package main

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
)

// addresses gives out addresses of 127.0.0.0/8 to clients that stand for users in
// different networks. Each address is in another /24. Safe for concurrent use.
type addresses struct {
	spread bool // false if the system has only one loopback address
	last   atomic.Uint32
}

// newAddresses starts at a random address, because the server may remember the
// addresses of an earlier run.
func newAddresses(ctx context.Context, server netip.AddrPort) *addresses {
	p := &addresses{}
	p.last.Store(rand.Uint32())
	if server.Addr().Is4() {
		probe := client{server: server, from: netip.AddrFrom4([4]byte{127, 9, 9, 9})}
		p.spread = probe.connect(ctx) == nil
		probe.close()
	}
	return p
}

func (p *addresses) next() netip.Addr {
	if !p.spread {
		return netip.Addr{}
	}
	return address(p.last.Add(1))
}

// address avoids 127.0.0.0/16, where the server is, and 127.255.0.0/16.
func address(n uint32) netip.Addr {
	n %= 254 << 8
	return netip.AddrFrom4([4]byte{127, byte(n>>8) + 1, byte(n), 1})
}
