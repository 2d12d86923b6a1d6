package process

import (
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands before a server and simulates a bad network.
type proxy struct {
	target string
	addr   string

	mu     sync.Mutex
	mode   mode
	ln     net.Listener
	conns  map[net.Conn]bool
	trips  int64    // the number of round trips
	spoken net.Conn // the client that sent last, nil if the server did
}

type mode int

const (
	passing mode = iota
	refusing
	stalling // data is lost in both directions
	mute     // requests arrive, answers are lost
)

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{target: target, conns: map[net.Conn]bool{}}
	p.listen(t, net.JoinHostPort(ownIP(), "0"))
	p.addr = p.ln.Addr().String()
	t.Cleanup(func() { p.set(t, refusing) })
	return p
}

func (p *proxy) listen(t *testing.T, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	p.ln = ln
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
}

// set changes the mode. Data that was held back is lost and never arrives late.
func (p *proxy) set(t *testing.T, to mode) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == to {
		return
	}
	if p.mode == refusing {
		p.listen(t, p.addr)
	}
	if to == refusing {
		require.NoError(t, p.ln.Close())
	}
	if to == refusing || to == passing {
		for conn := range p.conns {
			_ = conn.Close()
		}
	}
	p.mode = to
}

// count returns the number of round trips since the last call.
func (p *proxy) count() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	trips := p.trips
	p.trips = 0
	return trips
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client, client) })
	both.Go(func() { p.copy(client, server, client) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

func (p *proxy) copy(to, from, client net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && p.admit(from == client, client) {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// admit counts round trips, and reports whether data that was read is forwarded. Data in
// a stalled network is lost.
func (p *proxy) admit(fromClient bool, client net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mode == stalling || p.mode == mute && !fromClient:
		return false
	case !fromClient:
		p.spoken = nil
	case p.spoken != client:
		p.spoken = client
		p.trips++
	}
	return true
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}
