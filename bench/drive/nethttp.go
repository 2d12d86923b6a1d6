package drive

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

// HTTP sends requests to a handler of net/http, without a connection. It reuses the request
// and the response, and is not safe for concurrent use.
type HTTP struct {
	handler  http.Handler
	request  *http.Request
	response response
	bearer   []string
}

// NewHTTP returns an HTTP that sends GET and path.
func NewHTTP(handler http.Handler, path string) *HTTP {
	h := &HTTP{handler: handler, request: httptest.NewRequest("GET", path, nil), bearer: make([]string, 1)}
	h.request.Header["Authorization"] = h.bearer
	h.response.header = http.Header{}
	return h
}

// Bearer sends a request with this value of the header Authorization.
func (h *HTTP) Bearer(value string) error {
	h.bearer[0] = value
	clear(h.response.header)
	h.response.status, h.response.body = http.StatusOK, h.response.body[:0]
	h.handler.ServeHTTP(&h.response, h.request)
	if h.response.status != http.StatusOK {
		return fmt.Errorf("the status is %d and not 200: %s", h.response.status, h.response.body)
	}
	return nil
}

// Body returns the body of the last response.
func (h *HTTP) Body() string { return string(h.response.body) }

type response struct {
	header http.Header
	status int
	body   []byte
}

func (r *response) Header() http.Header { return r.header }

func (r *response) WriteHeader(status int) { r.status = status }

func (r *response) Write(b []byte) (int, error) {
	r.body = append(r.body, b...)
	return len(b), nil
}
