package main

import (
	"crypto/rand"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/crypto/argon2"

	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

// defaultRequest is a case of whole requests by the default Config: verify the token, load
// the account, check the session.
func (b *bench) defaultRequest() (measure.Case, *ours, error) {
	o, err := b.byDefault()
	if err != nil {
		return measure.Case{}, nil, err
	}
	c, err := get("fiberjwt", o.app, o.emails())
	return c, o, err
}

func entityHand(b *bench) (outcome, error)          { return b.byHand(true) }
func entityHandUnchecked(b *bench) (outcome, error) { return b.byHand(false) }

func (b *bench) byHand(checkSession bool) (outcome, error) {
	ours, o, err := b.defaultRequest()
	if err != nil {
		return outcome{}, err
	}
	app := fiber.New()
	peer.AddByHand(app, o.db, checkSession)
	hand, err := get("contrib/jwt + Bun", app, o.emails())
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over("fiberjwt", "contrib/jwt + Bun"), ours, hand)
}

func entityPrepared(b *bench) (outcome, error) {
	ours, o, err := b.defaultRequest()
	if err != nil {
		return outcome{}, err
	}
	app := fiber.New()
	if err := peer.AddPrepared(app, o.db, o.signedIn); err != nil {
		return outcome{}, err
	}
	prepared, err := get("prepared join", app, o.emails())
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over("fiberjwt", "prepared join"), ours, prepared)
}

// loginHash compares the route of a login with the hash that it computes.
func loginHash(b *bench) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	client := drive.NewFiber(o.app, "POST", "/auth/users/login")
	body := []byte(`{"email":"` + o.signedIn[0].User.Email + `","password":"` + fixture.Password + `"}`)
	login := measure.Case{Name: "login", Run: measure.Each(func() error { return client.Post(body) })}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	hash := measure.Case{Name: "argon2id", Run: measure.Each(func() error {
		argon2.IDKey([]byte(fixture.Password), salt, 2, 19456, 1, 32)
		return nil
	})}
	return compare(measure.Plan{Rounds: b.plan.Rounds, Slice: loginSliceTime}, measure.Over("login", "argon2id"), login, hash)
}

// idleBusy compares requests while a second processor is idle with requests on one
// processor.
func idleBusy(b *bench) (outcome, error) {
	busy, o, err := b.defaultRequest()
	if err != nil {
		return outcome{}, err
	}
	idle, err := get("idle", o.app, o.emails())
	if err != nil {
		return outcome{}, err
	}
	busy.Name, idle.Procs = "busy", 2
	return b.compare(measure.Over("idle", "busy"), idle, busy)
}
