package main

import (
	"fmt"
	"time"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/server"
)

// connections measures the CPU time of a server for each request, over few connections and
// over many.
func connections(w *world) error {
	a, err := w.open("connections", fiberjwt.Config{}, 1024)
	if err != nil {
		return err
	}
	defer a.close()
	requests := a.emails()
	for _, name := range []string{server.Cached, server.Default} {
		child, err := server.Start(name, a.path)
		if err != nil {
			return err
		}
		defer func() { _ = child.Close() }()
		var cases []measure.Case
		for _, count := range []int{32, 1000} {
			load, err := drive.NewLoad(child.Addr, count, requests)
			if err != nil {
				return err
			}
			defer load.Close()
			cases = append(cases, measure.Case{Name: fmt.Sprintf("%s, %d", name, count), Run: load.Run, Clock: child.CPU})
		}
		result, err := measure.Plan{Rounds: w.plan.Rounds / 2, Slice: 100 * time.Millisecond}.Run(cases...)
		if err != nil {
			return err
		}
		report("connections", result, cases)
	}
	return nil
}

// emails are requests with the access tokens, to which the response is the email.
func (a *application) emails() []drive.Request {
	list := make([]drive.Request, len(a.signedIn))
	for i, who := range a.signedIn {
		list[i] = drive.Request{Token: who.Tokens.AccessToken, Want: who.User.Email}
	}
	return list
}
