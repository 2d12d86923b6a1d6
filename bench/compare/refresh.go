package main

import (
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

var errTokens = errors.New("the response has not the tokens that it should have")

// refresh has the two sides of a refresh. They present the refresh tokens of the sessions in
// turn. Before each slice the sessions become as they were after the login, and no slice
// presents a token twice.
type refresh struct{ ours, hand measure.Case }

func refreshWork(b *bench) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	r, err := rotation(o, o.db)
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over("fiberjwt", "by hand"), r.ours, r.hand)
}

func sameRead(b *bench) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	hand, err := peer.NewRefreshByHand(o.db, o.signedIn)
	if err != nil {
		return outcome{}, err
	}
	r := newRefresh(o, drive.NewFiber(hand.Same(), "POST", "/"), 0, func(body string) bool {
		return strings.Contains(body, `"access_token"`) && !strings.Contains(body, `"refresh_token"`)
	})
	return b.compare(measure.Over("fiberjwt", "by hand"), r.ours, r.hand)
}

// rotation returns the sides of a refresh that rotates. What is written by hand uses db, a
// pool of connections to the same database.
func rotation(o *ours, db *bun.DB) (refresh, error) {
	hand, err := peer.NewRefreshByHand(db, o.signedIn)
	if err != nil {
		return refresh{}, err
	}
	return newRefresh(o, drive.NewFiber(hand.Rotate(), "POST", "/"), time.Hour, func(body string) bool {
		return strings.Contains(body, `"access_token"`) && strings.Contains(body, `"refresh_token"`)
	}), nil
}

func newRefresh(o *ours, byHand *drive.Fiber, age time.Duration, right func(body string) bool) refresh {
	client, bodies, next := drive.NewFiber(o.app, "POST", "/auth/"+fixture.Kind+"/refresh"), make([][]byte, len(o.signedIn)), 0
	for i, who := range o.signedIn {
		bodies[i] = []byte(`{"refresh_token":"` + who.Tokens.RefreshToken + `"}`)
	}
	restart := func() error { return fixture.Age(o.db, o.signedIn, age) }
	return refresh{
		ours: measure.Case{Name: "fiberjwt", Before: restart, Most: len(bodies), Run: measure.Each(func() error {
			err := client.Post(bodies[next%len(bodies)])
			next++
			if err == nil && !right(client.Body()) {
				err = errTokens
			}
			return err
		})},
		hand: measure.Case{Name: "by hand", Before: restart, Most: len(bodies), Run: measure.Each(func() error { return byHand.Post(nil) })},
	}
}
