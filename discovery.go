package fiberjwt

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/keys"
)

// Discovery is a handler for GET that publishes where the keys are and which
// algorithms sign (RFC 8414 §3), for verifiers that are told the issuer alone. It is
// for Config.Keys. Mount it beside [keys.Set.JWKS], above the middleware, under both
// names:
//
//	app.Get("/.well-known/jwks.json", set.JWKS())
//	app.Get("/.well-known/oauth-authorization-server", auth.Discovery("https://auth.example.com/.well-known/jwks.json"))
//	app.Get("/.well-known/openid-configuration", auth.Discovery("https://auth.example.com/.well-known/jwks.json"))
//
// Config.Issuer must be the https address in front of these paths, as verifiers
// compare both; if it has a path itself, RFC 8414 §3.1 says where the first goes.
//
// The document is true, and so it is not that of an OpenID provider: there are no
// authorization and token endpoints, no flows and no ID tokens. Its member
// id_token_signing_alg_values_supported has the algorithms of the access tokens,
// because verifiers look there. Answers may be kept for 5 minutes.
//
// It panics, like [New], if Config.Issuer or jwksURL is not an address, or if
// Config.Keys does not sign.
func (a *Auth) Discovery(jwksURL string) fiber.Handler {
	if problem := a.discoveryProblem(jwksURL); problem != "" {
		panic("fiberjwt: Discovery: " + problem)
	}
	set := a.service.Tokens.Keys.(*keys.Set)
	return func(c *fiber.Ctx) error {
		text, err := json.Marshal(newMetadata(a.service.Tokens.Issuer, jwksURL, set))
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		c.Set(fiber.HeaderCacheControl, "public, max-age=300")
		return c.Send(text)
	}
}

func (a *Auth) discoveryProblem(jwksURL string) string {
	if !isAddress(a.service.Tokens.Issuer) {
		return fmt.Sprintf("Config.Issuer is %q: set it to the https address of this service, without a query, because verifiers look for the document there", a.service.Tokens.Issuer)
	}
	if !isAddress(jwksURL) {
		return fmt.Sprintf("jwksURL is %q: give the https address that keys.Set.JWKS is served at", jwksURL)
	}
	set, ok := a.service.Tokens.Keys.(*keys.Set)
	if ok {
		_, ok = set.Signer()
	}
	if !ok {
		return "Config.Keys does not sign, so there are no keys to publish: give a *keys.Set with a private key"
	}
	return ""
}

// isAddress: RFC 8414 §2 wants https, and no query or fragment. Plain http is for this
// machine alone, as in keys.FromURL.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()))
}

// metadata of RFC 8414 §2 and OpenID Connect Discovery 1.0 §3.
type metadata struct {
	Issuer        string           `json:"issuer"`
	JWKSURI       string           `json:"jwks_uri"`
	ResponseTypes []string         `json:"response_types_supported"`
	GrantTypes    []string         `json:"grant_types_supported"`
	SubjectTypes  []string         `json:"subject_types_supported"`
	Algorithms    []keys.Algorithm `json:"id_token_signing_alg_values_supported"`
}

// newMetadata has the algorithms of all keys that verify: tokens of a retired one are
// still around.
func newMetadata(issuer, jwksURL string, set *keys.Set) metadata {
	m := metadata{
		Issuer: issuer, JWKSURI: jwksURL, SubjectTypes: []string{"public"},
		// Without an authorization endpoint there is none of either. RFC 8414 requires
		// the first, and what a missing second stands for would not be true.
		ResponseTypes: []string{"none"}, GrantTypes: []string{},
	}
	for _, k := range set.All() {
		m.Algorithms = append(m.Algorithms, k.Algorithm())
	}
	slices.Sort(m.Algorithms)
	m.Algorithms = slices.Compact(m.Algorithms)
	return m
}
