package main

import (
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

var errSubject = errors.New("a wrong subject")

// verify is a case that verifies tokens in turn by a function that returns the subject.
func verify(name string, tokens []fixture.Access, subject func(token string) (string, error)) measure.Case {
	next := -1
	return measure.Case{Name: name, Run: measure.Each(func() error {
		if next++; next == len(tokens) {
			next = 0
		}
		got, err := subject(tokens[next].Token)
		if err == nil && got != tokens[next].Subject {
			err = errSubject
		}
		return err
	})}
}

// verifyOurs is a case that verifies tokens by Auth.Verify of a service without accounts.
func verifyOurs(cfg fiberjwt.Config, tokens []fixture.Access) (measure.Case, error) {
	auth, err := fiberjwt.Open(cfg)
	if err != nil {
		return measure.Case{}, err
	}
	ctx := context.Background()
	return verify("fiberjwt", tokens, func(token string) (string, error) {
		s, err := auth.Verify(ctx, token)
		if err != nil {
			return "", err
		}
		return s.Subject, nil
	}), nil
}

func (b *bench) verifyCold() (measure.Case, error) {
	return verifyOurs(fiberjwt.Config{Secret: fixture.Secret}, b.cold)
}

func coldGolangJWT(b *bench) (outcome, error) {
	ours, err := b.verifyCold()
	if err != nil {
		return outcome{}, err
	}
	theirs := verify("golang-jwt", b.cold, peer.NewGolangJWT("HS256", fixture.Key).Verify)
	return b.compare(measure.Over("fiberjwt", "golang-jwt"), ours, theirs)
}

func coldCristalhq(b *bench) (outcome, error) {
	ours, err := b.verifyCold()
	if err != nil {
		return outcome{}, err
	}
	verifier, err := peer.NewCristalhq(fixture.Key)
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over("fiberjwt", "cristalhq"), ours, verify("cristalhq", b.cold, verifier.Verify))
}

func coldFloor(b *bench) (outcome, error) {
	ours, err := b.verifyCold()
	if err != nil {
		return outcome{}, err
	}
	floor, tokens, next := peer.NewFloor(fixture.Key), make([][]byte, len(b.cold)), -1
	for i, access := range b.cold {
		tokens[i] = []byte(access.Token)
	}
	least := measure.Case{Name: "floor", Run: measure.Each(func() error {
		if next++; next == len(tokens) {
			next = 0
		}
		return floor.Verify(tokens[next])
	})}
	return b.compare(measure.Over("fiberjwt", "floor"), ours, least)
}

// verifyOnly is a case of whole requests with tokens that were not seen before.
func (b *bench) verifyOnly() (measure.Case, error) {
	app := fiber.New()
	peer.AddVerifyOnly(app)
	return get("fiberjwt", app, subjects(b.cold))
}

func coldContrib(b *bench) (outcome, error) {
	ours, err := b.verifyOnly()
	if err != nil {
		return outcome{}, err
	}
	return b.overhead(ours, "HS256", fixture.Key, subjects(b.cold))
}

// overhead compares what the middleware of ours adds to a bare route with what contrib/jwt
// adds.
func (b *bench) overhead(ours measure.Case, algorithm string, key any, requests []drive.Request) (outcome, error) {
	contrib := fiber.New()
	peer.AddContrib(contrib, algorithm, key)
	theirs, err := get("contrib/jwt", contrib, requests)
	if err != nil {
		return outcome{}, err
	}
	without, err := bare(requests)
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Overhead("fiberjwt", "contrib/jwt", "bare"), ours, theirs, without)
}

func coldEcho(b *bench) (outcome, error) { return b.otherFramework("echo-jwt", peer.Echo(fixture.Key)) }

func coldGin(b *bench) (outcome, error) {
	pair, err := peer.Gin(fixture.Key)
	if err != nil {
		return outcome{}, err
	}
	return b.otherFramework("gin-jwt", pair)
}

func coldChi(b *bench) (outcome, error) { return b.otherFramework("jwtauth", peer.Chi(fixture.Key)) }

// otherFramework compares what the middleware adds to a bare route of Fiber with what that
// of another framework adds to a bare route of that framework.
func (b *bench) otherFramework(name string, pair peer.Pair) (outcome, error) {
	requests := subjects(b.cold)
	ours, err := b.verifyOnly()
	if err != nil {
		return outcome{}, err
	}
	without, err := bare(requests)
	if err != nil {
		return outcome{}, err
	}
	theirs, err := drive.InTurn(drive.NewHTTP(pair.Protected, "/"), requests)
	if err != nil {
		return outcome{}, err
	}
	theirsWithout, err := drive.InTurn(drive.NewHTTP(pair.Bare, "/"), open(requests))
	if err != nil {
		return outcome{}, err
	}
	ratio := func(r measure.Round) float64 {
		return (r["fiberjwt"] - r["bare"]) / (r[name] - r[name+" bare"])
	}
	return b.compare(ratio, ours, without,
		measure.Case{Name: name, Run: measure.Each(theirs)}, measure.Case{Name: name + " bare", Run: measure.Each(theirsWithout)})
}
