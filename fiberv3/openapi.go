// Code generated from ../openapi.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/openapi"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/keys"
)

// OpenAPI returns a handler that serves the document of [Auth.OpenAPIDocument].
// The document contains no secret. Register the handler above the middleware to
// make it public.
//
//	app.Get("/openapi.json", auth.OpenAPI())
//
// The handler makes the document at the first request and keeps it, so [Auth.Mount] may be
// called after OpenAPI. It is safe for concurrent use.
func (a *Auth) OpenAPI() fiber.Handler {
	document := sync.OnceValues(a.OpenAPIDocument)
	return func(c fiber.Ctx) error {
		text, err := document()
		if err != nil {
			return a.answer(c, fault.Broken(err))
		}
		c.Set(fiber.HeaderContentType, jsonType)
		return c.Send(text)
	}
}

// OpenAPIDocument returns a description of the built-in routes as an OpenAPI 3.1 document in
// JSON. It describes this Config: the kinds with their columns, the names of the cookies,
// and every error with its code. It is for pages such as Swagger UI, and for applications
// that add their own routes to it. [Auth.OpenAPI] serves it.
//
// The paths are those that browsers see. The document has no paths before the routes are
// mounted. It cannot describe responses that hooks send themselves, or the bodies that
// Config.ErrorHandler writes. Each call makes a new document. The error is one of
// encoding/json.
func (a *Auth) OpenAPIDocument() ([]byte, error) { return json.Marshal(a.document().Object()) }

func (a *Auth) document() openapi.Document {
	d := openapi.Document{Title: a.service.Tokens.Issuer, Schemas: commonSchemas(a.errorHandler == nil), PlainErrors: a.errorHandler != nil}
	for _, k := range a.kinds {
		d.Schemas[k.Name] = openapi.SchemaOf(k.Model)
		d.Tags = append(d.Tags, openapi.Tag{Name: k.Name, Description: "Accounts of the kind " + k.Name + "."})
		d.Schemes = append(d.Schemes, a.schemes(k)...)
		d.Schemes = append(d.Schemes, cookieScheme(k.cookies.access), cookieScheme(k.cookies.refresh))
		for _, route := range builtIns {
			if route.offeredBy(k) && len(a.mounted) > 0 {
				d.Operations = append(d.Operations, a.operation(route, k))
			}
		}
	}
	return d
}

func (a *Auth) operation(route builtIn, k *kind) openapi.Operation {
	o := openapi.Operation{
		ID: k.Name + "." + route.id, Summary: route.summary, Detail: route.detail, Tag: k.Name,
		Method: route.method, Path: k.cookies.routes + strings.ReplaceAll(route.path, ":id", "{id}"), Status: route.status,
	}
	if strings.Contains(route.path, ":id") {
		o.Parameters = []string{"id"}
	}
	if route.security != nil {
		o.Security = route.security(a, k)
	}
	if route.body != nil {
		o.Body, o.BodyRequired = route.body(a, k)
	}
	if route.answer != nil {
		o.Answer = route.answer(k)
	}
	if route.cookies {
		o.Cookies = "The cookies " + k.cookies.access + " and " + k.cookies.refresh + ", for clients that receive their tokens in cookies; a sign-in also sets the device cookie " + k.cookies.device + "."
	}
	if route.hooked {
		o.Default = "An error that a hook of the application returns."
	}
	refusals := route.allRefusals()
	if route.ours && (len(a.service.Tokens.Issuers) > 0 || a.service.Old.InUse()) {
		refusals = append(refusals, errNoSession)
	}
	for _, e := range refusals {
		o.Refusals = append(o.Refusals, openapi.Refusal{
			Status: e.Status, Code: e.Code, Description: e.Description, RetryAfter: e == ErrRateLimited || e == ErrUnavailable,
		})
	}
	return o
}

// allRefusals returns the refusals of the route, including those that follow from its other
// fields.
func (r builtIn) allRefusals() []*Error {
	all := append([]*Error{ErrInvalidRequest, ErrSetup, ErrUnavailable}, r.refusals...)
	if r.body != nil {
		all = append(all, ErrTooLarge, ErrMediaType, ErrFields)
	}
	if r.security != nil && r.body == nil || r.id == "password" {
		all = append(all, ErrNoToken, ErrTokenMalformed, ErrWrongKind)
	}
	if r.cookies || r.security != nil && r.method != fiber.MethodGet {
		all = append(all, ErrCSRF)
	}
	return all
}

// commonSchemas returns the schemas that do not depend on a kind. If ownErrors is false, the
// application writes the errors itself, and their schema is unknown.
func commonSchemas(ownErrors bool) openapi.Object {
	failed := openapi.Object{"description": "An error in the format of the application."}
	if ownErrors {
		failed = openapi.ObjectOf(openapi.Object{
			"error": openapi.Text(1, 0), "error_description": openapi.Text(0, 0),
			"fields": openapi.Object{"type": "object", "additionalProperties": openapi.Object{"type": "string"}},
		}, "error", "error_description")
	}
	return openapi.Object{
		"Error":       failed,
		"Tokens":      openapi.ObjectOf(tokenMembers(), "token_type", "expires_in"),
		"SessionInfo": openapi.SchemaFor[SessionInfo](),
	}
}

func tokenMembers() openapi.Object {
	return openapi.Object{
		"access_token": openapi.Text(1, 0), "token_type": openapi.Object{"type": "string", "enum": []string{"Bearer"}},
		"expires_in": openapi.Object{"type": "integer", "minimum": 0}, "refresh_token": openapi.Text(1, 0),
	}
}

// The schemas of requests.

func registrationForm(a *Auth, k *kind) (openapi.Object, bool) {
	properties := openapi.Object{
		k.Identity.Name: openapi.Text(1, accounts.MaxIdentityBytes), "password": a.newPasswordSchema(), "transport": a.transports(),
	}
	for _, field := range k.Fillable {
		properties[field.Name] = openapi.SchemaOf(field.StructField.Type)
	}
	return openapi.ObjectOf(properties, k.Identity.Name, "password"), true
}

func loginForm(a *Auth, k *kind) (openapi.Object, bool) {
	return openapi.ObjectOf(openapi.Object{
		k.Identity.Name: openapi.Text(1, accounts.MaxIdentityBytes), "password": openapi.Text(0, password.MaxLength), "unlock_token": openapi.Text(0, 0), "transport": a.transports(),
	}, k.Identity.Name, "password"), true
}

func refreshForm(a *Auth, _ *kind) (openapi.Object, bool) {
	if !slices.Contains(a.transport, TransportBody) {
		return openapi.ObjectOf(openapi.Object{}), false
	}
	return openapi.ObjectOf(openapi.Object{"refresh_token": openapi.Text(0, 0)}), false
}

func exchangeForm(*Auth, *kind) (openapi.Object, bool) {
	return openapi.ObjectOf(openapi.Object{"refresh_token": openapi.Text(0, 0)}, "refresh_token"), true
}

func passwordForm(a *Auth, _ *kind) (openapi.Object, bool) {
	return openapi.ObjectOf(openapi.Object{
		"current_password": openapi.Text(0, password.MaxLength), "password": a.newPasswordSchema(),
	}, "current_password", "password"), true
}

func (a *Auth) newPasswordSchema() openapi.Object {
	return openapi.Text(a.service.Hasher.MinLength(), password.MaxLength)
}

func (a *Auth) transports() openapi.Object {
	return openapi.Object{"type": "string", "enum": a.transport, "default": a.transport[0]}
}

// The schemas of responses.

func theTokens(*kind) openapi.Object { return openapi.Ref("Tokens") }

func theAccount(k *kind) openapi.Object { return openapi.Ref(k.Name) }

func theSessions(*kind) openapi.Object {
	return openapi.Object{"type": "array", "items": openapi.Ref("SessionInfo")}
}

// registered describes the response of a registration. It has no tokens if Entity.Allow
// refuses the new account for now. The schema is one object with optional tokens. A choice
// of two objects would be more precise, but generators of clients do not understand it.
func registered(k *kind) openapi.Object {
	members := tokenMembers()
	members["entity"] = openapi.Ref(k.Name)
	return openapi.ObjectOf(members, "entity")
}

// The ways to authenticate. The entries of a list are alternatives. An empty object allows
// requests without a token.

func byAccessToken(a *Auth, k *kind) (ways []openapi.Object) {
	for _, scheme := range a.schemes(k) {
		ways = append(ways, openapi.Object{scheme.Name: []string{}})
	}
	return ways
}

func byRefreshToken(_ *Auth, k *kind) []openapi.Object {
	both := openapi.Object{cookieScheme(k.cookies.access).Name: []string{}, cookieScheme(k.cookies.refresh).Name: []string{}}
	return []openapi.Object{both, {}}
}

func byEitherToken(a *Auth, k *kind) []openapi.Object {
	return append(byAccessToken(a, k), byRefreshToken(a, k)...)
}

// schemes returns the security schemes of access tokens. It returns at least one, because an
// operation without a scheme is read as open.
func (a *Auth) schemes(k *kind) (schemes []openapi.Scheme) {
	for _, e := range a.extractor.links() {
		switch e.source {
		case sourceAuthHeader:
			schemes = append(schemes, openapi.AuthScheme(e.key))
		case sourceHeader:
			schemes = append(schemes, openapi.ValueScheme("header", e.key))
		case sourceQuery:
			schemes = append(schemes, openapi.ValueScheme("query", e.key))
		case sourceCookie:
			schemes = append(schemes, cookieScheme(cmp.Or(e.key, k.cookies.access)))
		}
	}
	if len(schemes) == 0 {
		schemes = append(schemes, openapi.OtherScheme())
	}
	return schemes
}

func cookieScheme(name string) openapi.Scheme { return openapi.ValueScheme("cookie", name) }

// Discovery returns a handler for GET that publishes where the public keys are and which
// algorithms sign (RFC 8414 §3). Verifiers that are configured with the issuer only find the
// keys by it. Discovery requires Config.Keys. Register it above the middleware, under both
// names, together with [JWKS]:
//
//	app.Get("/.well-known/jwks.json", fiberjwt.JWKS(set))
//	app.Get("/.well-known/oauth-authorization-server", auth.Discovery("https://auth.example.com/.well-known/jwks.json"))
//	app.Get("/.well-known/openid-configuration", auth.Discovery("https://auth.example.com/.well-known/jwks.json"))
//
// Config.Issuer must be the https address in front of these paths, because verifiers compare
// the two. If the issuer has a path itself, RFC 8414 §3.1 says where the first document is.
//
// The document does not claim to be that of an OpenID provider: it has no authorization
// endpoint, no token endpoint and no flows, and there are no ID tokens. The member
// id_token_signing_alg_values_supported has the algorithms of the access tokens, because
// verifiers read them there. Clients may cache the response for 5 minutes. The handler is
// safe for concurrent use.
//
// Discovery panics, like [New], if Config.Issuer or jwksURL is not an https address, or if
// Config.Keys does not sign. Plain http is accepted for localhost.
func (a *Auth) Discovery(jwksURL string) fiber.Handler {
	if problem := a.discoveryProblem(jwksURL); problem != "" {
		panic("fiberjwt: Discovery: " + problem)
	}
	set := a.service.Tokens.Keys.(*keys.Set)
	return func(c fiber.Ctx) error {
		text, err := json.Marshal(newMetadata(a.service.Tokens.Issuer, jwksURL, set))
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, jsonType)
		c.Set(fiber.HeaderCacheControl, "public, max-age=300")
		return c.Send(text)
	}
}

// JWKS returns a handler for GET that publishes the current public keys of set (RFC 7517
// §5), for services that verify access tokens. It needs no token, so register it above the
// middleware:
//
//	app.Get("/.well-known/jwks.json", fiberjwt.JWKS(set))
//
// Clients may cache the response for 5 minutes, and some verifiers keep it for an hour. So add
// a key at least an hour before you promote it. The handler is safe for concurrent use.
func JWKS(set *keys.Set) fiber.Handler {
	return func(c fiber.Ctx) error {
		document, tag := set.Document()
		c.Set(fiber.HeaderContentType, "application/jwk-set+json")
		c.Set(fiber.HeaderCacheControl, "public, max-age=300")
		c.Set(fiber.HeaderETag, tag)
		if matches(c.Get(fiber.HeaderIfNoneMatch), tag) {
			return c.SendStatus(fiber.StatusNotModified)
		}
		return c.Send(document)
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

// isAddress reports whether text is an https address without a query or a fragment, as RFC
// 8414 §2 requires. Plain http is allowed for the local machine only, as in keys.FromURL.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()))
}

// metadata is the document of RFC 8414 §2 and OpenID Connect Discovery 1.0 §3.
type metadata struct {
	Issuer        string           `json:"issuer"`
	JWKSURI       string           `json:"jwks_uri"`
	ResponseTypes []string         `json:"response_types_supported"`
	GrantTypes    []string         `json:"grant_types_supported"`
	SubjectTypes  []string         `json:"subject_types_supported"`
	Algorithms    []keys.Algorithm `json:"id_token_signing_alg_values_supported"`
}

// newMetadata lists the algorithms of all keys that verify, because tokens of a retired key
// may still be valid.
func newMetadata(issuer, jwksURL string, set *keys.Set) metadata {
	m := metadata{
		Issuer: issuer, JWKSURI: jwksURL, SubjectTypes: []string{"public"},
		// Without an authorization endpoint there are no response types and no grant types.
		// RFC 8414 requires the first member. It gives a missing second member a default,
		// which would be wrong here.
		ResponseTypes: []string{"none"}, GrantTypes: []string{},
	}
	for _, k := range set.All() {
		m.Algorithms = append(m.Algorithms, k.Algorithm())
	}
	slices.Sort(m.Algorithms)
	m.Algorithms = slices.Compact(m.Algorithms)
	return m
}
