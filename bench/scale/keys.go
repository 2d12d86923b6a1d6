package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
)

// tokensFor returns what verifies tokens, by the defaults of fiberjwt.Config.
func tokensFor(source keys.Source, old []keys.Secret, kinds ...string) *token.Tokens {
	return token.New(token.Config{
		Ring: secret.NewRing(fixture.Secret, old), Keys: source, Kinds: kinds,
		Issuer: "fiberjwt", Audience: []string{"fiberjwt"}, Leeway: 5 * time.Second, Now: time.Now,
	})
}

// verifying is a case that verifies cold tokens.
func verifying(name string, tokens *token.Tokens, list []fixture.Access) measure.Case {
	ctx, next := context.Background(), 0
	return measure.Case{Name: name, Run: measure.Each(func() error {
		_, err := tokens.Verify(ctx, list[next%len(list)].Token)
		next++
		return err
	})}
}

// kinds measures whether a token costs more if there are more kinds and former secrets.
func kinds(w *world) error {
	list, err := fixture.Tokens(4096, nil)
	if err != nil {
		return err
	}
	names, old := []string{fixture.Kind}, []keys.Secret{}
	for i := range 49 {
		names = append(names, fmt.Sprintf("kind%d", i))
	}
	for i := range 19 {
		old = append(old, keys.Secret(fmt.Sprintf("%s, former %d", fixture.Secret, i)))
	}
	cases := []measure.Case{
		verifying("1 kind", tokensFor(nil, nil, fixture.Kind), list),
		verifying("50 kinds", tokensFor(nil, nil, names...), list),
		verifying("50 kinds, 20 secrets", tokensFor(nil, old, names...), list),
	}
	result, err := w.plan.Run(cases...)
	if err != nil {
		return err
	}
	report("kinds", result, cases)
	return nil
}

// keySets measures whether a token costs more if there are more keys.
func keySets(w *world) error {
	var all []keys.Key
	for range 20 {
		key, err := keys.Generate(keys.EdDSA)
		if err != nil {
			return err
		}
		all = append(all, key)
	}
	one, err := keys.NewSet(all[len(all)-1])
	if err != nil {
		return err
	}
	many, err := keys.NewSet(all...)
	if err != nil {
		return err
	}
	list, err := fixture.Tokens(1024, one)
	if err != nil {
		return err
	}
	cases := []measure.Case{
		verifying("1 key", tokensFor(one, nil, fixture.Kind), list),
		verifying("the last of 20 keys", tokensFor(many, nil, fixture.Kind), list),
	}
	result, err := w.plan.Run(cases...)
	if err != nil {
		return err
	}
	report("keys", result, cases)
	return nil
}
