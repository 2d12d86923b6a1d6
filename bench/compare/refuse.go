package main

import (
	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

// reject compares a request with a forged token with one that is accepted, of a service
// without accounts.
func reject(b *bench) (outcome, error) {
	app := fiber.New()
	peer.AddVerifyOnly(app)
	accepted, err := get("accepted", app, subjects(b.cold))
	if err != nil {
		return outcome{}, err
	}
	client, next := drive.NewFiber(app, "GET", "/").Expect(401), -1
	forged := make([]string, len(b.cold))
	for i, access := range b.cold {
		forged[i] = "Bearer " + fixture.Forge(access.Token)
	}
	refused := measure.Case{Name: "forged", Run: measure.Each(func() error {
		if next++; next == len(forged) {
			next = 0
		}
		return client.Bearer(forged[next])
	})}
	return b.compare(measure.Over("forged", "accepted"), accepted, refused)
}
