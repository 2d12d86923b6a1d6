// Package openapi writes an OpenAPI 3.1 document from a description of operations.
// It knows the format of such documents, but not the routes of fiberjwt.
package openapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Object is a JSON object. encoding/json writes its members in the order of their names.
type Object = map[string]any

// Document describes an API.
type Document struct {
	// Title is the name of the API and of its contact.
	Title string
	// Tags are the groups of operations. The name of a tag is also the name of a schema.
	Tags []Tag
	// Schemas are the schemas of the components, by name.
	Schemas Object
	// Schemes are the ways to authenticate.
	Schemes []Scheme
	// Operations may be in any order. Each path has one operation.
	Operations []Operation
	// PlainErrors is true if refusals have a body that the document cannot describe.
	PlainErrors bool
}

// Tag is a group of operations.
type Tag struct{ Name, Description string }

// Operation is one method of one path.
type Operation struct {
	ID, Summary, Detail string
	Tag                 string
	Method              string
	// Path has its parameters in braces, as in OpenAPI. Parameters are their names.
	Path       string
	Parameters []string
	// Security lists the alternative ways to authenticate, each by the names of schemes. An
	// empty Object allows requests without credentials. If Security is nil, the operation is
	// open.
	Security []Object
	// Body is the schema of the request body, nil if the operation reads no body.
	Body         Object
	BodyRequired bool
	// Status and Answer describe a successful response. Answer is nil if it has no body.
	Status int
	Answer Object
	// Cookies says which cookies a successful response sets, "" if it sets none.
	Cookies string
	// Refusals are the error responses.
	Refusals []Refusal
	// Default describes other possible responses, "" if there are none.
	Default string
}

// Refusal is an error response.
type Refusal struct {
	Status            int
	Code, Description string
	RetryAfter        bool // the response has a Retry-After header
}

// Object returns the document as JSON.
func (d Document) Object() Object {
	paths, schemes, tags := Object{}, Object{}, []Object{}
	for _, tag := range d.Tags {
		tags = append(tags, Object{"name": tag.Name, "description": tag.Description})
	}
	for _, scheme := range d.Schemes {
		schemes[scheme.Name] = scheme.Object
	}
	for _, o := range d.Operations {
		paths[o.Path] = Object{strings.ToLower(o.Method): d.operation(o)}
	}
	return Object{
		"openapi": "3.1.0",
		"info": Object{
			"title": d.Title, "version": "1", "description": "Sign-in and sessions, for each kind of account.",
			// Linters require a contact and a license. An application can replace them in the
			// document.
			"contact": Object{"name": d.Title},
			"license": Object{"name": "The terms of the operator", "identifier": "LicenseRef-Operator"},
		},
		"servers":    []Object{{"url": "/", "description": "The host of this document."}},
		"tags":       tags,
		"paths":      paths,
		"components": Object{"schemas": d.Schemas, "securitySchemes": schemes},
	}
}

func (d Document) operation(o Operation) Object {
	operation := Object{
		"operationId": o.ID, "summary": o.Summary, "description": o.Detail, "tags": []string{o.Tag},
		"responses": d.responses(o), "security": []Object{},
	}
	if o.Security != nil {
		operation["security"] = o.Security
	}
	var parameters []Object
	for _, name := range o.Parameters {
		parameters = append(parameters, Object{"name": name, "in": "path", "required": true, "schema": Text(1, 0)})
	}
	if parameters != nil {
		operation["parameters"] = parameters
	}
	if o.Body != nil {
		operation["requestBody"] = Object{"required": o.BodyRequired, "content": jsonContent(o.Body)}
	}
	return operation
}

func (d Document) responses(o Operation) Object {
	success := Object{"description": "Done."}
	if o.Answer != nil {
		success["content"] = jsonContent(o.Answer)
	}
	if o.Cookies != "" {
		success["headers"] = Object{"Set-Cookie": header(o.Cookies)}
	}
	responses := Object{strconv.Itoa(o.Status): success}
	byStatus := map[int][]Refusal{}
	for _, refusal := range o.Refusals {
		byStatus[refusal.Status] = append(byStatus[refusal.Status], refusal)
	}
	for status, refusals := range byStatus {
		responses[strconv.Itoa(status)] = d.refused(refusals)
	}
	if o.Default != "" {
		responses["default"] = Object{"description": o.Default, "content": jsonContent(Ref("Error"))}
	}
	return responses
}

// refused describes the error responses with one status.
func (d Document) refused(refusals []Refusal) Object {
	codes, sentences, headers := []string{}, []string{}, Object{"Cache-Control": header("no-store")}
	for _, refusal := range refusals {
		codes, sentences = append(codes, refusal.Code), append(sentences, refusal.Code+": "+refusal.Description)
		if refusal.Status == http.StatusUnauthorized {
			// The name is spelled as Go does. Header names are case-insensitive, but a generator of
			// clients warns of another spelling.
			headers["Www-Authenticate"] = header("Bearer, with an error code if the request has a token (RFC 6750 §3)")
		}
		if refusal.RetryAfter {
			headers["Retry-After"] = header("seconds")
		}
	}
	answer := Object{"description": strings.Join(sentences, " "), "headers": headers}
	if !d.PlainErrors {
		narrowed := ObjectOf(Object{"error": Object{"type": "string", "enum": slices.Compact(slices.Sorted(slices.Values(codes)))}})
		answer["content"] = jsonContent(Object{"allOf": []Object{Ref("Error"), narrowed}})
	}
	return answer
}

func header(description string) Object {
	return Object{"description": description, "schema": Object{"type": "string"}}
}

func jsonContent(schema Object) Object {
	return Object{"application/json": Object{"schema": schema}}
}

// Scheme is a security scheme and its name among the components.
type Scheme struct {
	Name   string
	Object Object
}

// AuthScheme returns the security scheme for tokens in the Authorization header, after the
// name of an authentication scheme such as Bearer.
func AuthScheme(scheme string) Scheme {
	name := strings.ToLower(scheme)
	if name == "bearer" {
		return Scheme{name, Object{"type": "http", "scheme": name}}
	}
	// Generators of clients do not know schemes that are not registered with IANA.
	return Scheme{componentName(name), Object{
		"type": "apiKey", "in": "header", "name": "Authorization", "description": "The value is " + scheme + ", a space and the access token.",
	}}
}

// ValueScheme returns the security scheme for tokens that are the whole value of a header, a
// query parameter or a cookie. in is "header", "query" or "cookie".
func ValueScheme(in, name string) Scheme {
	return Scheme{componentName(in + "." + name), Object{"type": "apiKey", "in": in, "name": name}}
}

// OtherScheme returns the security scheme for tokens in a place that OpenAPI cannot describe.
func OtherScheme() Scheme {
	return Scheme{"token", Object{
		"type": "http", "scheme": "bearer",
		"description": "An access token. This server reads it from a place that OpenAPI cannot describe, and not from a header.",
	}}
}

// componentName replaces the characters that OpenAPI does not allow in names of components.
func componentName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}
