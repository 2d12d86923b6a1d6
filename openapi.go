package fiberjwt

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/password"
)

// OpenAPI serves the document of [Auth.OpenAPIDocument]. It says nothing that is
// secret; register it above the middleware to let everybody read it.
//
//	app.Get("/openapi.json", auth.OpenAPI())
//
// It is made at the first request, so Mount may come later.
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

// OpenAPIDocument is the OpenAPI 3.1 document, in JSON, of the built-in routes as
// this Config has them: the kinds and their columns, the cookies by their names,
// every error with its code. It is for pages such as Swagger UI that want the
// document itself, and for applications that add to it; [Auth.OpenAPI] serves it.
//
// Paths are as browsers see them. There is none before the routes are mounted.
// What hooks answer on their own, and the bodies of Config.ErrorHandler, the
// document cannot know. Each call makes it anew. The error is encoding/json's.
func (a *Auth) OpenAPIDocument() ([]byte, error) { return json.Marshal(a.document()) }

// contract is what a built-in route promises.
type contract struct {
	id       string
	summary  string
	detail   string                            // what the summary leaves out
	offered  func(*kind) bool                  // nil: by every kind
	security func(*Auth, *kind) []object       // nil: open to all
	body     func(*Auth, *kind) (object, bool) // its schema, and whether there must be one; nil: none
	status   int                               // when all is well
	answer   func(*kind) object                // schema of the body then; nil: none
	cookies  bool                              // it sets or clears cookies
	ours     bool                              // tokens that have no session here are refused
	hooked   bool                              // a hook of the application may refuse with an error of its own
	refusals []*Error                          // besides those that follow from the rest
}

func (r contract) offeredBy(k *kind) bool { return r.offered == nil || r.offered(k) }

func (k *kind) opensRegistration() bool { return k.register != nil }

func (k *kind) hasPageServers() bool { return k.cookies.everywhere }

func (k *kind) hasPasswords() bool { return k.Password != nil }

// object of JSON; its members are written in the order of their names.
type object = map[string]any

func (a *Auth) document() object {
	paths, schemas, schemes, tags := object{}, commonSchemas(a.errorHandler == nil), object{}, []object{}
	for _, k := range a.kinds {
		schemas[k.Name] = schemaOf(k.Model)
		tags = append(tags, object{"name": k.Name, "description": "Accounts of the kind " + k.Name + "."})
		a.describeSchemes(k, schemes)
		for _, route := range builtIns {
			if !route.offeredBy(k) || len(a.mounted) == 0 {
				continue
			}
			path := k.cookies.routes + strings.ReplaceAll(route.path, ":id", "{id}")
			paths[path] = object{strings.ToLower(route.method): a.operation(route, k)}
		}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": a.service.Tokens.Issuer, "version": "1", "description": "Sign-in and sessions, for each kind of account.",
			// Linters want both; what an application states of its own, it adds to the document.
			"contact": object{"name": a.service.Tokens.Issuer},
			"license": object{"name": "The terms of the operator", "identifier": "LicenseRef-Operator"},
		},
		"servers":    []object{{"url": "/", "description": "The host of this document."}},
		"tags":       tags,
		"paths":      paths,
		"components": object{"schemas": schemas, "securitySchemes": schemes},
	}
}

func (a *Auth) operation(route builtIn, k *kind) object {
	operation := object{
		"operationId": k.Name + "." + route.id, "summary": route.summary, "description": route.detail, "tags": []string{k.Name},
		"responses": a.responses(route, k), "security": []object{},
	}
	if route.security != nil {
		operation["security"] = route.security(a, k)
	}
	if strings.Contains(route.path, ":id") {
		operation["parameters"] = []object{{"name": "id", "in": "path", "required": true, "schema": text(1, 0)}}
	}
	if route.body != nil {
		schema, required := route.body(a, k)
		operation["requestBody"] = object{"required": required, "content": jsonOf(schema)}
	}
	return operation
}

func (a *Auth) responses(route builtIn, k *kind) object {
	good := object{"description": "Done."}
	if route.answer != nil {
		good["content"] = jsonOf(route.answer(k))
	}
	if route.cookies {
		good["headers"] = object{"Set-Cookie": object{
			"description": "The cookies " + k.cookies.access + " and " + k.cookies.refresh + ", for clients that take their tokens so; a sign-in also marks the browser by " + k.cookies.device + ".",
			"schema":      object{"type": "string"},
		}}
	}
	responses := object{strconv.Itoa(route.status): good}
	refusals := route.allRefusals()
	if route.ours && (len(a.service.Tokens.Issuers) > 0 || a.service.Old.InUse()) {
		refusals = append(refusals, errNoSession)
	}
	for status, refusals := range byStatus(refusals) {
		responses[strconv.Itoa(status)] = a.refused(refusals)
	}
	if route.hooked {
		responses["default"] = object{"description": "What the application's own hook answers.", "content": jsonOf(ref("Error"))}
	}
	return responses
}

// allRefusals adds those that every route of its sort has.
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

func byStatus(refusals []*Error) map[int][]*Error {
	sorted := map[int][]*Error{}
	for _, e := range refusals {
		sorted[e.Status] = append(sorted[e.Status], e)
	}
	return sorted
}

// refused describes the answers of one status.
func (a *Auth) refused(refusals []*Error) object {
	codes, sentences, headers := []string{}, []string{}, object{"Cache-Control": header("no-store")}
	for _, e := range refusals {
		codes, sentences = append(codes, e.Code), append(sentences, e.Code+": "+e.Description)
		if e.Status == fiber.StatusUnauthorized {
			// As Go writes it: case has no meaning here, but a generator warns of it.
			headers["Www-Authenticate"] = header("Bearer, with an error where a token came (RFC 6750 §3)")
		}
		if e == ErrRateLimited || e == ErrUnavailable {
			headers[fiber.HeaderRetryAfter] = header("seconds")
		}
	}
	answer := object{"description": strings.Join(sentences, " "), "headers": headers}
	if a.errorHandler == nil {
		narrowed := objectOf(object{"error": object{"type": "string", "enum": slices.Compact(slices.Sorted(slices.Values(codes)))}})
		answer["content"] = jsonOf(object{"allOf": []object{ref("Error"), narrowed}})
	}
	return answer
}

func header(description string) object {
	return object{"description": description, "schema": object{"type": "string"}}
}

func jsonOf(schema object) object {
	return object{fiber.MIMEApplicationJSON: object{"schema": schema}}
}

func ref(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }

func commonSchemas(ownErrors bool) object {
	failed := object{"description": "An error of the application's own shape."}
	if ownErrors {
		failed = objectOf(object{
			"error": text(1, 0), "error_description": text(0, 0),
			"fields": object{"type": "object", "additionalProperties": object{"type": "string"}},
		}, "error", "error_description")
	}
	return object{
		"Error":       failed,
		"Tokens":      objectOf(tokenMembers(), "token_type", "expires_in"),
		"SessionInfo": schemaFor[SessionInfo](),
	}
}

func tokenMembers() object {
	return object{
		"access_token": text(1, 0), "token_type": object{"type": "string", "enum": []string{"Bearer"}},
		"expires_in": object{"type": "integer", "minimum": 0}, "refresh_token": text(1, 0),
	}
}

// objectOf is the schema of an object; further members are of no meaning.
func objectOf(properties object, required ...string) object {
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// text is the schema of a string; a most of 0 means without end.
func text(least, most int) object {
	schema := object{"type": "string"}
	if least > 0 {
		schema["minLength"] = least
	}
	if most > 0 {
		schema["maxLength"] = most
	}
	return schema
}

// What the routes take.

func registrationForm(a *Auth, k *kind) (object, bool) {
	properties := object{
		k.Identity.Name: text(1, accounts.MaxIdentityBytes), "password": text(a.service.Hasher.MinLength(), password.MaxLength), "transport": a.transports(),
	}
	for _, field := range k.Fillable {
		properties[field.Name] = schemaOf(field.StructField.Type)
	}
	return objectOf(properties, k.Identity.Name, "password"), true
}

func loginForm(a *Auth, k *kind) (object, bool) {
	return objectOf(object{
		k.Identity.Name: text(1, accounts.MaxIdentityBytes), "password": text(0, password.MaxLength), "unlock_token": text(0, 0), "transport": a.transports(),
	}, k.Identity.Name, "password"), true
}

func refreshForm(a *Auth, _ *kind) (object, bool) {
	if !slices.Contains(a.transport, TransportBody) {
		return objectOf(object{}), false
	}
	return objectOf(object{"refresh_token": text(0, 0)}), false
}

func exchangeForm(*Auth, *kind) (object, bool) {
	return objectOf(object{"refresh_token": text(0, 0)}, "refresh_token"), true
}

func passwordForm(a *Auth, _ *kind) (object, bool) {
	return objectOf(object{
		"current_password": text(0, password.MaxLength), "password": text(a.service.Hasher.MinLength(), password.MaxLength),
	}, "current_password", "password"), true
}

func (a *Auth) transports() object {
	return object{"type": "string", "enum": a.transport, "default": a.transport[0]}
}

// What they answer.

func theTokens(*kind) object { return ref("Tokens") }

func theAccount(k *kind) object { return ref(k.Name) }

func theSessions(*kind) object { return object{"type": "array", "items": ref("SessionInfo")} }

// registered has no tokens if Entity.Allow lets the account wait. One object
// whose tokens may be missing says less than a choice of two, but generators of
// clients understand it.
func registered(k *kind) object {
	members := tokenMembers()
	members["entity"] = ref(k.Name)
	return objectOf(members, "entity")
}

// Who may ask. A list is of alternatives; an empty object is open to all.

func byAccessToken(a *Auth, k *kind) (ways []object) {
	for _, scheme := range a.schemes(k) {
		ways = append(ways, object{scheme.name: []string{}})
	}
	return ways
}

func byRefreshToken(_ *Auth, k *kind) []object {
	both := object{cookieScheme(k.cookies.access).name: []string{}, cookieScheme(k.cookies.refresh).name: []string{}}
	return []object{both, {}}
}

func byEitherToken(a *Auth, k *kind) []object {
	return append(byAccessToken(a, k), byRefreshToken(a, k)...)
}

func (a *Auth) describeSchemes(k *kind, schemes object) {
	for _, scheme := range append(a.schemes(k), cookieScheme(k.cookies.access), cookieScheme(k.cookies.refresh)) {
		schemes[scheme.name] = scheme.object
	}
}

// schemes are those of access tokens, never none: without one a route would
// read as open to all.
func (a *Auth) schemes(k *kind) (schemes []scheme) {
	for _, e := range a.extractor.links() {
		if s := e.scheme(k); s.object != nil {
			schemes = append(schemes, s)
		}
	}
	if len(schemes) == 0 {
		schemes = append(schemes, scheme{"token", object{
			"type": "http", "scheme": "bearer",
			"description": "An access token. This server does not take it from a header, but from where OpenAPI has no word for.",
		}})
	}
	return schemes
}

// scheme is a security scheme by its name.
type scheme struct {
	name   string
	object object
}

// scheme is the one for an extractor, zero for those that OpenAPI has no word for.
func (e Extractor) scheme(k *kind) scheme {
	switch e.source {
	case SourceAuthHeader:
		name := strings.ToLower(e.key)
		if name == "bearer" {
			return scheme{name, object{"type": "http", "scheme": name}}
		}
		// Generators know no scheme that is not registered with IANA.
		return scheme{componentName(name), object{
			"type": "apiKey", "in": "header", "name": fiber.HeaderAuthorization, "description": "The value is " + e.key + ", a space and the access token.",
		}}
	case SourceHeader:
		return apiKey("header", e.key)
	case SourceQuery:
		return apiKey("query", e.key)
	case SourceCookie:
		return cookieScheme(cmp.Or(e.key, k.cookies.access))
	}
	return scheme{}
}

func cookieScheme(name string) scheme { return apiKey("cookie", name) }

func apiKey(in, name string) scheme {
	return scheme{componentName(in + "." + name), object{"type": "apiKey", "in": in, "name": name}}
}

// componentName has none but the characters that names of components may have.
func componentName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}
