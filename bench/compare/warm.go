package main

import (
	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/server"
	"github.com/fiberjwt/fiberjwt/keys"
)

// seenBefore is how many tokens are in turn where each was seen before. What the
// application keeps of them fits into the caches of a processor.
const seenBefore = 64

// cached returns the application with CacheTTL, which has seen each token three times.
func (b *bench) cached(name string, cfg fiberjwt.Config) (measure.Case, *ours, error) {
	cfg.CacheTTL = server.CacheTTL
	o, err := b.sqlite(name, cfg)
	if err != nil {
		return measure.Case{}, nil, err
	}
	o.signedIn = o.signedIn[:seenBefore]
	c, err := get("fiberjwt", o.app, o.emails())
	if err != nil {
		return measure.Case{}, nil, err
	}
	return c, o, c.Run(3 * len(o.signedIn))
}

func cachedBare(b *bench) (outcome, error) {
	ours, o, err := b.cached("cached", fiberjwt.Config{})
	if err != nil {
		return outcome{}, err
	}
	open, err := bare(o.emails())
	if err != nil {
		return outcome{}, err
	}
	return b.compare(measure.Over("fiberjwt", "bare"), ours, open)
}

// warmContrib compares the middleware with CacheTTL, for tokens that it has seen before.
func warmContrib(b *bench) (outcome, error) {
	ours, o, err := b.cached("cached", fiberjwt.Config{})
	if err != nil {
		return outcome{}, err
	}
	return b.overhead(ours, "HS256", fixture.Key, o.subjects())
}

func warmContribES256(b *bench) (outcome, error) {
	key, err := keys.Generate(keys.ES256)
	if err != nil {
		return outcome{}, err
	}
	set, err := keys.NewSet(key)
	if err != nil {
		return outcome{}, err
	}
	ours, o, err := b.cached("cached ES256", fiberjwt.Config{Keys: set})
	if err != nil {
		return outcome{}, err
	}
	return b.overhead(ours, "ES256", key.Crypto(), o.subjects())
}
