// Package openapi writes an OpenAPI 3.1 document from a description of operations.
// It knows the shape of such documents, and nothing of the routes that they describe.
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
	// Tags group operations; a Tag's name is also the name of a schema.
	Tags []Tag
	// Schemas of components by name.
	Schemas Object
	// Schemes are the ways to authenticate.
	Schemes []Scheme
	// Operations in any order; each path has one.
	Operations []Operation
	// PlainErrors: refusals have a body that the document cannot describe.
	PlainErrors bool
}

// Tag is a group of operations.
type Tag struct{ Name, Description string }

// Operation is one method of one path.
type Operation struct {
	ID, Summary, Detail string
	Tag                 string
	Method              string
	// Path as OpenAPI writes it, with parameters in braces; Parameters has their names.
	Path       string
	Parameters []string
	// Security lists alternatives, each by the names of schemes. An empty Object
	// allows requests without any. nil means that the operation is open.
	Security []Object
	// Body is the schema of the request, nil if the operation reads none.
	Body         Object
	BodyRequired bool
	// Status and Answer are those of success; Answer is nil if there is no body.
	Status int
	Answer Object
	// Cookies says which cookies a success sets, "" if none.
	Cookies string
	// Refusals are the other answers.
	Refusals []Refusal
	// Default says what else may be answered, "" if nothing.
	Default string
}

// Refusal is an answer with an error in its body.
type Refusal struct {
	Status            int
	Code, Description string
	RetryAfter        bool // has a Retry-After header
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
			// Linters require both. An application that has its own adds them to the document.
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

// refused describes the answers of one status.
func (d Document) refused(refusals []Refusal) Object {
	codes, sentences, headers := []string{}, []string{}, Object{"Cache-Control": header("no-store")}
	for _, refusal := range refusals {
		codes, sentences = append(codes, refusal.Code), append(sentences, refusal.Code+": "+refusal.Description)
		if refusal.Status == http.StatusUnauthorized {
			// In Go's spelling: the case of a header's name has no meaning, but a generator of clients warns of another.
			headers["Www-Authenticate"] = header("Bearer, with an error where a token came (RFC 6750 §3)")
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

// AuthScheme is for tokens in the Authorization header, after the name of a scheme.
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

// ValueScheme is for tokens that are the whole value of a "header", "query" parameter or "cookie".
func ValueScheme(in, name string) Scheme {
	return Scheme{componentName(in + "." + name), Object{"type": "apiKey", "in": in, "name": name}}
}

// OtherScheme is for tokens that come in a way for which OpenAPI has no word.
func OtherScheme() Scheme {
	return Scheme{"token", Object{
		"type": "http", "scheme": "bearer",
		"description": "An access token. This server reads it from a place that OpenAPI cannot describe, and not from a header.",
	}}
}

// componentName replaces the characters that names of components cannot have.
func componentName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}
