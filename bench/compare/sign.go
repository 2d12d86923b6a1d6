package main

import (
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// sign compares issuing an access token. golang-jwt gets the same claims.
func sign(b *bench) (outcome, error) {
	issuer, claims := fixture.Issuer(nil), fixture.Claims("1")
	ours, err := issue("fiberjwt", func() (string, error) { return issuer.Issue(claims, token.Shape{}, nil) })
	if err != nil {
		return outcome{}, err
	}
	theirs, err := issue("golang-jwt", func() (string, error) { return peer.SignGolangJWT(claims, "abcdefgh.users", fixture.Key) })
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over("fiberjwt", "golang-jwt"), ours, theirs)
}

// issue is a case that issues the token of subject 1.
func issue(name string, sign func() (string, error)) (measure.Case, error) {
	raw, err := sign()
	if err != nil {
		return measure.Case{}, err
	}
	if subject, err := peer.NewGolangJWT("HS256", fixture.Key).Verify(raw); err != nil || subject != "1" {
		return measure.Case{}, errSubject
	}
	return measure.Case{Name: name, Run: measure.Each(func() error {
		_, err := sign()
		return err
	})}, nil
}
