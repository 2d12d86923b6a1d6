//go:build !race

package token_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/token"
)

// The race detector empties each sync.Pool at random, so these tests do not run with it.

func TestRefusalsAllocateNothing(t *testing.T) {
	tokens, _ := newTokens()
	open, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	good := issue(t, tokens, usual())
	for name, raw := range map[string]string{
		"no token":           "x",
		"an unknown ID":      mint(older, "users", headerOf(older, "users"), "{}"),
		"a long text":        strings.Repeat("a", token.MaxBytes+1),
		"a short signature":  good[:len(good)-2],
		"a forged signature": good[:len(good)-5] + "AAAAA",
		"a deep payload":     mint(older, "users", headerOf(current, "users"), `{"x":`+strings.Repeat("[", 1200)+strings.Repeat("]", 1200)+"}"),
		"many claims":        mint(older, "users", headerOf(current, "users"), "{"+strings.Repeat(`"x":1,`, 400)+`"y":1}`),
		"a forged kind":      mint(older, "admins", headerOf(current, "admins"), "{}"),
	} {
		for _, verifier := range []*token.Tokens{tokens, open} {
			require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = verifier.Verify(t.Context(), raw) }), name)
		}
	}
}

func TestVerifyAllocatesThePayloadOnly(t *testing.T) {
	tokens, _ := newTokens()
	open, _ := newTokens(func(cfg *token.Config) { cfg.Kinds = nil })
	raw := issue(t, tokens, usual())
	for _, verifier := range []*token.Tokens{tokens, open} {
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = verifier.Verify(t.Context(), raw) }), 1.0)
	}
}

func TestIssueAllocatesAtMostThreeTimes(t *testing.T) {
	tokens, _ := newTokens()
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = tokens.Issue(usual(), token.Shape{}, nil) }), 3.0)
}
