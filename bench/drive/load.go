package drive

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/valyala/fasthttp"
)

// Load sends requests over connections that stay open, on each one after the other.
type Load struct{ connections []*connection }

type connection struct {
	conn     net.Conn
	reader   *bufio.Reader
	response fasthttp.Response
	requests [][]byte
	want     []string
	next     int
}

// NewLoad opens connections to a server. Each sends its share of the requests in turn.
func NewLoad(addr string, connections int, requests []Request) (*Load, error) {
	l := &Load{}
	for i := range connections {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		c := &connection{conn: conn, reader: bufio.NewReader(conn)}
		for ; i < len(requests); i += connections {
			c.requests = append(c.requests, []byte("GET / HTTP/1.1\r\nHost: "+addr+"\r\nAuthorization: Bearer "+requests[i].Token+"\r\n\r\n"))
			c.want = append(c.want, requests[i].Want)
		}
		l.connections = append(l.connections, c)
	}
	return l, nil
}

// Run sends n requests, as many on each connection. It is a [measure.Case].Run.
func (l *Load) Run(n int) error {
	errs := make([]error, len(l.connections))
	var done sync.WaitGroup
	for i, c := range l.connections {
		share := n / len(l.connections)
		if i < n%len(l.connections) {
			share++
		}
		done.Go(func() {
			for range share {
				if errs[i] = c.send(); errs[i] != nil {
					return
				}
			}
		})
	}
	done.Wait()
	return errors.Join(errs...)
}

// send sends one request and compares the response.
func (c *connection) send() error {
	i := c.next
	if c.next++; c.next == len(c.requests) {
		c.next = 0
	}
	if _, err := c.conn.Write(c.requests[i]); err != nil {
		return err
	}
	if err := c.response.Read(c.reader); err != nil {
		return err
	}
	if status, body := c.response.StatusCode(), string(c.response.Body()); status != fasthttp.StatusOK || body != c.want[i] {
		return fmt.Errorf("the response is %d %q and not 200 %q", status, body, c.want[i])
	}
	return nil
}

// Close closes the connections.
func (l *Load) Close() {
	for _, c := range l.connections {
		_ = c.conn.Close()
	}
}
