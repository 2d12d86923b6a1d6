package main

import (
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

var errTokens = errors.New("the response has not the tokens that it should have")

func refreshWork(b *bench) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	ours, hand, err := rotation(o, o.db)
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over("fiberjwt", "by hand"), ours, hand)
}

func sameRead(b *bench) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	turns, err := fixture.NewTurns(o.db, o.signedIn, 0)
	if err != nil {
		return outcome{}, err
	}
	work, err := peer.NewRefreshByHand(o.db, turns)
	if err != nil {
		return outcome{}, err
	}
	ours := o.refresh(turns, func(body string) bool {
		return strings.Contains(body, `"access_token"`) && !strings.Contains(body, `"refresh_token"`)
	})
	return b.compare(measure.Over("fiberjwt", "by hand"), ours, byHand(turns, work.Same()))
}

// rotation returns the sides of a refresh that rotates. What is written by hand uses db, a
// pool of connections to the same database.
func rotation(o *ours, db *bun.DB) (ours, hand measure.Case, err error) {
	turns, err := fixture.NewTurns(o.db, o.signedIn, time.Hour)
	if err != nil {
		return ours, hand, err
	}
	work, err := peer.NewRefreshByHand(db, turns)
	if err != nil {
		return ours, hand, err
	}
	return o.refresh(turns, func(body string) bool {
		return strings.Contains(body, `"access_token"`) && strings.Contains(body, `"refresh_token"`)
	}), byHand(turns, work.Rotate()), nil
}

// refresh is a case that presents refresh tokens to the route of fiberjwt.
func (o *ours) refresh(turns *fixture.Turns, right func(body string) bool) measure.Case {
	client := drive.NewFiber(o.app, "POST", "/auth/"+fixture.Kind+"/refresh")
	return measure.Case{Name: "fiberjwt", Before: turns.Restore, Most: turns.Len(), Run: measure.Each(func() error {
		err := client.Post(turns.Next().RefreshBody)
		if err == nil && !right(client.Body()) {
			err = errTokens
		}
		return err
	})}
}

func byHand(turns *fixture.Turns, app *fiber.App) measure.Case {
	client := drive.NewFiber(app, "POST", "/")
	return measure.Case{Name: "by hand", Before: turns.Restore, Most: turns.Len(), Run: measure.Each(func() error { return client.Post(nil) })}
}
