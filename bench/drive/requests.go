package drive

import "fmt"

// Client is a [Fiber] or an [HTTP].
type Client interface {
	Bearer(value string) error
	Body() string
}

// Request is a token, and the body that the response to it must have.
type Request struct {
	Token, Want string
}

// InTurn returns a function that sends requests, one at each call, from the first to the
// last and again. It first sends some of them to see that the application answers rightly.
func InTurn(client Client, requests []Request) (func() error, error) {
	values := make([]string, len(requests))
	for i, request := range requests {
		values[i] = "Bearer " + request.Token
	}
	for i, value := range values[:min(16, len(values))] {
		if err := client.Bearer(value); err != nil {
			return nil, err
		}
		if got := client.Body(); got != requests[i].Want {
			return nil, fmt.Errorf("the response is %q and not %q", got, requests[i].Want)
		}
	}
	next := -1
	return func() error {
		if next++; next == len(values) {
			next = 0
		}
		return client.Bearer(values[next])
	}, nil
}
