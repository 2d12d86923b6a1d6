package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// patience is how long a client waits for one answer.
const patience = 30 * time.Second

// client is one keep-alive connection. It connects when it is first used and
// again after an error. Not safe for concurrent use.
type client struct {
	server netip.AddrPort
	from   netip.Addr // the client's own address; the zero value leaves it to the system

	conn net.Conn // nil if not connected
	free func() bool
	in   *bufio.Reader
	out  *bufio.Writer

	request fasthttp.Request
	answer  fasthttp.Response
}

func (c *client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	dialer := net.Dialer{Timeout: patience}
	if c.from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", c.server.String())
	if err != nil {
		return err
	}
	c.conn = conn
	c.free = context.AfterFunc(ctx, func() { _ = conn.Close() }) // Ctrl-C ends requests under way
	c.in, c.out = bufio.NewReader(conn), bufio.NewWriterSize(conn, 1<<10)
	return nil
}

func (c *client) close() {
	if c.conn == nil {
		return
	}
	c.free()
	_ = c.conn.Close()
	c.conn = nil
}

// send sends c.request and returns the status of the answer.
func (c *client) send(ctx context.Context) (int, error) {
	if err := c.connect(ctx); err != nil {
		return 0, err
	}
	err := c.exchange()
	if err != nil || c.answer.ConnectionClose() {
		c.close()
	}
	return c.answer.StatusCode(), err
}

func (c *client) exchange() error {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := c.request.Write(c.out); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	return c.answer.Read(c.in)
}

// setGet makes a GET the request of the next send.
func (c *client) setGet(path, token string) {
	c.request.Reset()
	c.request.SetRequestURI("http://" + c.server.String() + path)
	if token != "" {
		c.request.Header.Set("Authorization", "Bearer "+token)
	}
}

// setPost makes a POST of an email and a password the request of the next send.
func (c *client) setPost(path, email, password string) {
	body, _ := json.Marshal(map[string]string{"email": email, "password": password}) // two strings cannot fail
	c.request.Reset()
	c.request.Header.SetMethod(http.MethodPost)
	c.request.Header.SetContentType("application/json")
	c.request.SetRequestURI("http://" + c.server.String() + path)
	c.request.SetBodyRaw(body)
}

// signIn returns the outcome of one sign-in.
func (c *client) signIn(ctx context.Context, email, password string) outcome {
	c.setPost(loginPath, email, password)
	return c.outcome(ctx)
}

// outcome sends c.request and judges the answer.
func (c *client) outcome(ctx context.Context) outcome {
	status, err := c.send(ctx)
	if err != nil {
		return unanswered
	}
	return judge(status, c.answer.Body())
}

// accessToken reads the answer to a registration.
func accessToken(body []byte) (string, error) {
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &tokens); err != nil || tokens.AccessToken == "" {
		return "", errors.New("the registration was answered without an access token")
	}
	return tokens.AccessToken, nil
}

// retryAfter is what the last answer asked for, or a second if it did not say.
func (c *client) retryAfter() time.Duration {
	seconds, err := strconv.Atoi(string(c.answer.Header.Peek("Retry-After")))
	if err != nil || seconds < 0 {
		return time.Second
	}
	return time.Duration(seconds) * time.Second
}
