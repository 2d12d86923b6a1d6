package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// outcome is the result of a request.
type outcome int

const (
	accepted    outcome = iota // 200 or 201
	compared                   // 401 invalid_credentials: the password was compared and is wrong
	limited                    // 429
	unavailable                // 503
	other                      // any other status
	unanswered                 // no answer, or no connection
	outcomes
)

func (o outcome) String() string {
	return [outcomes]string{"200", "401", "429", "503", "other status", "no answer"}[o]
}

func judge(status int, body []byte) outcome {
	switch {
	case status == http.StatusOK || status == http.StatusCreated:
		return accepted
	case status == http.StatusUnauthorized && bytes.Contains(body, []byte(`"invalid_credentials"`)):
		return compared
	case status == http.StatusTooManyRequests:
		return limited
	case status == http.StatusServiceUnavailable:
		return unavailable
	}
	return other
}

// counts are numbers of outcomes.
type counts [outcomes]int

// String lists the outcomes that occurred.
func (c counts) String() string {
	var parts []string
	for o, n := range c {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", outcome(o), n))
		}
	}
	return strings.Join(parts, ", ")
}

func (c *counts) add(more counts) {
	for o, n := range more {
		c[o] += n
	}
}
