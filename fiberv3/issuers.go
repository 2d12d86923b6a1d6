// Code generated from ../issuers.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/keys"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// TrustedIssuer is another issuer whose access tokens are accepted besides the application's own
// tokens: an identity provider, another application with fiberjwt, or a service in another
// language. The issuer can sign in every account that Entity.FromIssuer returns for its tokens,
// so trust it as you trust the application itself with these accounts.
//
// Such a token has no session here, so [Session].ID is empty. It is valid until it expires,
// until its issuer withdraws the key, or until Entity.Allow refuses the account. A logout does
// not end it, and it is not refreshed here. It is [Fresh] only if it has the claim auth_time.
//
// Tokens are read as strictly as the application's own tokens. They have at most 8 KiB; Fiber
// refuses headers over 4 KiB unless the application raises ReadBufferSize. Of the header, alg,
// kid and typ are used. A token is refused if its header has crit, b64, zip or cty, or contains
// a key or the address of a key. The claims iss, aud, sub and exp are required, and exp must not
// be more than 24 hours away.
type TrustedIssuer struct {
	// Name is the claim iss of its tokens. It is compared exactly.
	Name string
	// Keys verify its tokens and determine the accepted algorithms: a *keys.Set of its
	// public keys, [keys.FromURL] or [keys.Func].
	Keys keys.Source
	// Audience lists the names of this service at the issuer. The claim aud of a token must
	// contain at least one of them; otherwise a token for another service would be
	// accepted here.
	Audience []string
	// Type is the required header parameter typ, which distinguishes access tokens from
	// other tokens of the same issuer (RFC 8725 §3.11). It is compared without case and
	// without the prefix "application/". Default "at+jwt" (RFC 9068 §2.1).
	Type string
	// SkipTypeCheck accepts access tokens with any typ, except those of logout tokens,
	// security event tokens and DPoP proofs. It is for issuers that do not write "at+jwt".
	// Type must be empty then.
	//
	// The risk is that another token of the issuer passes as an access token. A token with
	// the claim nonce, at_hash or events is refused, because it is an ID token or a logout
	// token. An ID token without these claims is accepted if its audience is this service.
	// So let Audience be the name of an API, never a client ID.
	SkipTypeCheck bool
	// RequiredClaims are further claims that its tokens must have. Default: none.
	RequiredClaims []string
	// Kind is the kind of account that its tokens sign in. Entity.FromIssuer of that kind
	// finds the account. A token with a claim kind, as another application with fiberjwt
	// writes it, must have the same value there. Default: the claim kind of the token.
	// Without Entities, Kind or Kinds must be set.
	Kind string
	// Kinds maps the claim kind of a token to the kind here, for an issuer that has other
	// names for its kinds. Tokens of kinds that are not listed are refused, and Kind is
	// used only for tokens without that claim. Two kinds of the issuer cannot be the same
	// kind here, because their accounts may have the same sub. Each kind here needs
	// Entity.FromIssuer. Default: the names are the same.
	Kinds map[string]string
}

// withDefaults returns a copy with the defaults, which shares no slice and no map with i.
func (i TrustedIssuer) withDefaults() TrustedIssuer {
	i.Audience = slices.Clone(i.Audience)
	if !i.SkipTypeCheck {
		i.Type = cmp.Or(i.Type, "at+jwt")
	}
	i.RequiredClaims = slices.Compact(slices.Sorted(slices.Values(i.RequiredClaims)))
	i.Kinds = maps.Clone(i.Kinds)
	return i
}

func (cfg Config) issuerProblems(kinds []*kind) (problems []fault.Problem) {
	for n, issuer := range cfg.TrustedIssuers {
		label := fmt.Sprintf("Config.TrustedIssuers[%d] (%s)", n, issuer.Name)
		problems = append(problems, fault.Within(label, issuer.problems(kinds))...)
		if slices.ContainsFunc(cfg.TrustedIssuers[:n], func(other TrustedIssuer) bool { return other.Name == issuer.Name }) {
			problems = append(problems, fault.NewProblem(label, "the Name is that of another issuer", "remove one of them, or correct its Name"))
		}
		if issuer.Name == cfg.Issuer {
			problems = append(problems, fault.NewProblem(label, "the Name is that of this service, Config.Issuer", "use Config.Keys, or give this service another name"))
		}
	}
	return problems
}

func (i TrustedIssuer) problems(kinds []*kind) (problems []fault.Problem) {
	if i.Name == "" {
		problems = append(problems, fault.NewProblem("Name", "is empty", "give the iss claim of its tokens"))
	}
	if len(i.Audience) == 0 || slices.Contains(i.Audience, "") {
		problems = append(problems, fault.NewProblem("Audience", "is empty, or has an empty name, so tokens for other services would be accepted here", "give the name that its tokens have for this service"))
	}
	if i.SkipTypeCheck && i.Type != "" {
		problems = append(problems, fault.NewProblem("Type", "is set, and SkipTypeCheck would ignore it", "remove one of them"))
	}
	if slices.Contains(i.RequiredClaims, "") {
		problems = append(problems, fault.NewProblem("RequiredClaims", "has an empty name, which no token has", "remove it"))
	}
	if i.Keys == nil {
		problems = append(problems, fault.NewProblem("Keys", "is nil", "give keys.FromURL, a *keys.Set or keys.Func"))
	} else {
		problems = append(problems, sourceProblems("Keys", i.Keys)...)
	}
	return append(problems, i.kindProblems(kinds)...)
}

func (i TrustedIssuer) kindProblems(kinds []*kind) (problems []fault.Problem) {
	if i.Kind != "" && !token.ValidKind(i.Kind) {
		problems = append(problems, fault.NewProblem("Kind", fmt.Sprintf("%q cannot name a kind", i.Kind), `use at most 32 lower-case letters, digits, "_" and "-", with a letter first`))
	}
	if len(kinds) == 0 && i.Kind == "" && len(i.Kinds) == 0 {
		problems = append(problems, fault.NewProblem("Kind", "is empty, and without Entities its tokens could name any kind", "say which kind they are for"))
	}
	problems = append(problems, i.translationProblems(kinds)...)
	return append(problems, i.accountProblems(kinds)...)
}

// accountProblems names the kinds of which no account would ever be found.
func (i TrustedIssuer) accountProblems(kinds []*kind) (problems []fault.Problem) {
	if len(kinds) == 0 {
		return nil // no accounts are looked up
	}
	named := slices.Sorted(maps.Values(i.Kinds))
	if i.Kind != "" || len(named) == 0 {
		named = append(named, i.Kind) // "": whatever kind a token has
	}
	for _, name := range named {
		found := slices.ContainsFunc(kinds, func(k *kind) bool { return k.FromIssuer != nil && (name == "" || k.Name == name) })
		switch {
		case found:
		case name == "":
			problems = append(problems, fault.NewProblem("", "no Entity has FromIssuer, which finds the account of a token", "set it"))
		default:
			problems = append(problems, fault.NewProblem("", fmt.Sprintf("no Entity of the kind %q has FromIssuer, which finds the account of a token", name), "set it, or leave the kind out of Kind and Kinds"))
		}
	}
	return problems
}

func (i TrustedIssuer) translationProblems(kinds []*kind) (problems []fault.Problem) {
	ours := map[string]string{i.Kind: "tokens without a kind"}
	for _, theirs := range slices.Sorted(maps.Keys(i.Kinds)) {
		name := i.Kinds[theirs]
		if other := ours[name]; other != "" && name != "" {
			problems = append(problems, fault.NewProblem("Kinds", fmt.Sprintf("%q and %s would both be the kind %q, and accounts with the same sub one account", theirs, other, name), "give each a different kind"))
		}
		ours[name] = strconv.Quote(theirs)
		if theirs == "" || !token.ValidKind(name) || len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k *kind) bool { return k.Name == name }) {
			problems = append(problems, fault.NewProblem(fmt.Sprintf("Kinds[%q]", theirs), fmt.Sprintf("%q is not a kind of Config.Entities, or the key is empty", name), "give the issuer's name of a kind, and the name of a kind of Config.Entities"))
		}
	}
	return problems
}

// inner returns the issuer as package token uses it.
func (i TrustedIssuer) inner() token.Issuer {
	return token.Issuer{Name: i.Name, Keys: i.Keys, Audience: i.Audience, Type: i.Type, SkipType: i.SkipTypeCheck, Required: i.RequiredClaims, Kind: i.Kind, Kinds: i.Kinds}
}

func withOldTokenDefaults(o legacy.Tokens) legacy.Tokens {
	o.Secret = bytes.Clone(o.Secret)
	if o.Kind != "" {
		o.Claim = cmp.Or(o.Claim, "sub")
	}
	return o
}

func usesOldTokens(o legacy.Tokens) bool {
	return len(o.Secret) > 0 || !o.Until.IsZero() || o.Kind != "" || o.Claim != "" || o.Column != ""
}

func (cfg Config) oldTokenProblems(kinds []*kind) (problems []fault.Problem) {
	o := cfg.OldTokens
	if !usesOldTokens(o) {
		return nil
	}
	problems = oldTokenKindProblems(o, kinds)
	switch {
	case len(o.Secret) == 0:
		problems = append(problems, fault.NewProblem("Config.OldTokens.Secret", "is empty", "give the secret of the old system"))
	case slices.ContainsFunc(append([]keys.Secret{cfg.Secret}, cfg.OldSecrets...), func(s keys.Secret) bool { return bytes.Equal(o.Secret, s) }):
		problems = append(problems, fault.NewProblem("Config.OldTokens.Secret", "is Config.Secret too, or one of OldSecrets", "use a new secret for this system"))
	case bytes.Contains(o.Secret, []byte("-----BEGIN")):
		// Everyone who has the public key could sign (RFC 8725 §2.1).
		problems = append(problems, fault.NewProblem("Config.OldTokens.Secret", "is a key in PEM", "give the secret of the old system; only its HS256 tokens can be read"))
	}
	switch {
	case o.Until.IsZero():
		problems = append(problems, fault.NewProblem("Config.OldTokens.Until", "is missing", "give the time at which the last old token has expired"))
	case o.Until.After(cfg.Now().AddDate(1, 0, 1)):
		problems = append(problems, fault.NewProblem("Config.OldTokens.Until", "is more than a year from now", "give the time at which the last old token has expired, or a nearer one"))
	}
	return problems
}

func oldTokenKindProblems(o legacy.Tokens, kinds []*kind) (problems []fault.Problem) {
	var known []string
	for _, k := range kinds {
		known = append(known, k.Name)
	}
	i := slices.Index(known, o.Kind)
	switch {
	case len(kinds) == 0:
		return []fault.Problem{fault.NewProblem("Config.OldTokens", "needs DB and Entities, to load the accounts", "give these, or remove OldTokens")}
	case o.Kind != "" && i < 0:
		return []fault.Problem{fault.NewProblem("Config.OldTokens.Kind", fmt.Sprintf("there is no kind %q", o.Kind), "name one of the kinds: "+strings.Join(known, ", "))}
	case o.Column == "":
		return nil
	case o.Kind == "":
		return []fault.Problem{fault.NewProblem("Config.OldTokens.Kind", "is missing", "give the kind that has OldTokens.Column")}
	case kinds[i].Table != nil:
		kinds[i].Column("Config.OldTokens.Column", o.Column, reflect.String, &problems)
	}
	return problems
}
