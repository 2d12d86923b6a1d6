package fiberjwt

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/openapi"
	"github.com/fiberjwt/fiberjwt/internal/password"
)

// OpenAPI returns a handler that serves the document of [Auth.OpenAPIDocument].
// The document contains no secret. Register the handler above the middleware to
// make it public.
//
//	app.Get("/openapi.json", auth.OpenAPI())
//
// The document is made at the first request, so Mount may be called later.
func (a *Auth) OpenAPI() fiber.Handler {
	document := sync.OnceValues(a.OpenAPIDocument)
	return func(c *fiber.Ctx) error {
		text, err := document()
		if err != nil {
			return a.answer(c, fault.Broken(err))
		}
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(text)
	}
}

// OpenAPIDocument returns the OpenAPI 3.1 document, in JSON, of the built-in routes
// as this Config has them: the kinds with their columns, the names of the cookies,
// and every error with its code. It is for pages such as Swagger UI and for
// applications that add to it; [Auth.OpenAPI] serves it.
//
// Paths are as browsers see them. The document has no paths before the routes are
// mounted. It cannot describe what hooks answer by themselves, nor the bodies of
// Config.ErrorHandler. Each call makes a new document. The error is that of
// encoding/json.
func (a *Auth) OpenAPIDocument() ([]byte, error) { return json.Marshal(a.document().Object()) }

// contract is what a built-in route promises.
type contract struct {
	id       string
	summary  string
	detail   string                                    // what the summary leaves out
	offered  func(*kind) bool                          // nil: every kind offers the route
	security func(*Auth, *kind) []openapi.Object       // nil: the route is open
	body     func(*Auth, *kind) (openapi.Object, bool) // schema of the request, and whether a body is required; nil: no body
	status   int                                       // of success
	answer   func(*kind) openapi.Object                // schema of success; nil: no body
	cookies  bool                                      // sets or clears cookies
	ours     bool                                      // refuses tokens that have no session here
	hooked   bool                                      // a hook of the application may refuse with an error of its own
	refusals []*Error                                  // besides those that follow from the other fields
}

func (r contract) offeredBy(k *kind) bool { return r.offered == nil || r.offered(k) }

func (k *kind) opensRegistration() bool { return k.register != nil }

func (k *kind) hasPageServers() bool { return k.cookies.everywhere }

func (k *kind) hasPasswords() bool { return k.Password != nil }

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
		o.Cookies = "The cookies " + k.cookies.access + " and " + k.cookies.refresh + ", for clients that take their tokens so; a sign-in also marks the browser by " + k.cookies.device + "."
	}
	if route.hooked {
		o.Default = "What the application's own hook answers."
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

// allRefusals adds the refusals that every route with such fields has.
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

func commonSchemas(ownErrors bool) openapi.Object {
	failed := openapi.Object{"description": "An error of the application's own shape."}
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

// The requests.

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

// The answers.

func theTokens(*kind) openapi.Object { return openapi.Ref("Tokens") }

func theAccount(k *kind) openapi.Object { return openapi.Ref(k.Name) }

func theSessions(*kind) openapi.Object {
	return openapi.Object{"type": "array", "items": openapi.Ref("SessionInfo")}
}

// registered has no tokens if Entity.Allow lets the account wait. One object
// whose tokens may be missing says less than a choice of two, but generators of
// clients understand it.
func registered(k *kind) openapi.Object {
	members := tokenMembers()
	members["entity"] = openapi.Ref(k.Name)
	return openapi.ObjectOf(members, "entity")
}

// The ways to authenticate. A list has alternatives; an empty object allows
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

// schemes returns those of access tokens. It returns at least one: without one, a
// reader would take the route for open.
func (a *Auth) schemes(k *kind) (schemes []openapi.Scheme) {
	for _, e := range a.extractor.links() {
		switch e.source {
		case SourceAuthHeader:
			schemes = append(schemes, openapi.AuthScheme(e.key))
		case SourceHeader:
			schemes = append(schemes, openapi.ValueScheme("header", e.key))
		case SourceQuery:
			schemes = append(schemes, openapi.ValueScheme("query", e.key))
		case SourceCookie:
			schemes = append(schemes, cookieScheme(cmp.Or(e.key, k.cookies.access)))
		}
	}
	if len(schemes) == 0 {
		schemes = append(schemes, openapi.OtherScheme())
	}
	return schemes
}

func cookieScheme(name string) openapi.Scheme { return openapi.ValueScheme("cookie", name) }
