// Code generated from ../extract.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"unsafe"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// The values of [Session].Source.
const (
	sourceAuthHeader = "auth header"
	sourceHeader     = "header"
	sourceCookie     = "cookie"
	sourceQuery      = "query"
	sourceForm       = "form"
	sourceParam      = "param"
	sourceCustom     = "custom"
	sourceTicket     = "ticket"
)

// Extractor takes a token from a request. Make one with a From… function, and combine several
// with [Chain]. An Extractor is an immutable value and safe for concurrent use. The zero value
// takes no token; as [Config].Extractor it stands for the default.
type Extractor struct {
	source string
	key    string                          // name of the header, cookie or parameter; the scheme for sourceAuthHeader
	custom func(fiber.Ctx) (string, error) // in place of the function for source
	chain  []Extractor
}

// Chain tries extractors in order. The first one that finds a credential decides. If that
// credential is not valid, the next source is not tried, and the request counts as one with
// an invalid token. Put the source that clients set on purpose, such as a header, before a
// source that browsers send automatically, such as a cookie.
func Chain(extractors ...Extractor) Extractor {
	return Extractor{chain: append([]Extractor{}, extractors...)}
}

// FromAuthHeader reads the header "Authorization: <scheme> <token>" (RFC 6750 §2.1). The
// scheme is compared without case. An empty scheme means Bearer. A header with another scheme
// is ignored, so a client can also send Basic credentials for a proxy.
func FromAuthHeader(scheme string) Extractor {
	return Extractor{source: sourceAuthHeader, key: cmp.Or(scheme, "Bearer")}
}

// FromHeader reads a header whose whole value is the token.
func FromHeader(name string) Extractor { return Extractor{source: sourceHeader, key: name} }

// FromCookie reads a cookie. If name is empty, it reads the access cookie of every kind, so one
// browser can be signed in as several kinds at once. Without Config.Entities there are no
// access cookies, so name must be set, for example to "__Host-Http-users".
//
// Browsers send cookies automatically, also with requests that another site starts. Therefore
// fiberjwt applies the CSRF check to tokens from cookies. If it fails, the error is [ErrCSRF].
func FromCookie(name string) Extractor { return Extractor{source: sourceCookie, key: name} }

// FromQuery reads a query parameter of GET and HEAD requests. Other methods are ignored.
//
// Prefer any other source. Addresses are stored in logs and browser histories and are sent in
// Referer headers, and an attacker who reads one of these gets the token (RFC 9700 §4.3.2). If
// the request has a token, the response has "Cache-Control: private, no-store" and
// "Referrer-Policy: no-referrer". That does not keep the token out of logs.
func FromQuery(name string) Extractor { return Extractor{source: sourceQuery, key: name} }

// FromForm reads a field of an application/x-www-form-urlencoded body (RFC 6750 §2.2) of at
// most 16 KiB. It does not read streamed bodies, or bodies of GET and HEAD requests.
func FromForm(name string) Extractor { return Extractor{source: sourceForm, key: name} }

// FromParam reads a parameter of the route that the middleware is registered on, as in
// app.Use("/feeds/:token", …). The token is part of the address, with the risks that
// [FromQuery] describes. The response gets the same headers.
func FromParam(name string) Extractor { return Extractor{source: sourceParam, key: name} }

// FromCustom calls find, a function of the application, to get the token. name is not used; it
// describes the source to readers of the code.
//
// find returns "" if the request has no credential. If find returns an error, the request is
// refused: with 401, with 503 if the error means that a service did not answer, or with the
// response of an *Error. find runs inside the request and is called concurrently. If it panics,
// the response is 500.
//
// fiberjwt assumes that browsers do not send this value automatically, so it does not apply the
// CSRF check. If find reads a cookie, another site can send requests in the name of the user:
// use [FromCookie] for cookies.
func FromCustom(name string, find func(c fiber.Ctx) (string, error)) Extractor {
	return Extractor{source: sourceCustom, key: name, custom: find}
}

// problems says what is set wrongly.
func (e Extractor) problems() (problems []fault.Problem) {
	if len(e.chain) > 0 {
		for _, link := range e.chain {
			problems = append(problems, link.problems()...)
		}
		return problems
	}
	wrong := func(reason, hint string) []fault.Problem {
		return []fault.Problem{fault.NewProblem("Config.Extractor", reason, hint)}
	}
	switch {
	case e.source == "":
		return wrong("is an empty Extractor or Chain", "use FromAuthHeader or another function that makes one")
	case e.source == sourceCustom && e.custom == nil:
		return wrong("FromCustom has no function", "give one that finds the token")
	case e.key == "" && e.source != sourceCookie && e.source != sourceCustom:
		return wrong("the extractor for "+e.source+" has no name", "give the name that it reads")
	case e.source == sourceCookie && e.key != "" && !httpToken(e.key), e.source == sourceHeader && !httpToken(e.key),
		e.source == sourceAuthHeader && !httpToken(e.key):
		return wrong("the name for "+e.source+" has characters that no HTTP token has (RFC 9110 §5.6.2)", "use letters, digits and \"-\"")
	}
	return nil
}

// httpToken reports whether s is a token in the sense of RFC 9110 §5.6.2.
func httpToken(s string) bool {
	for i := range len(s) {
		b := s[i]
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, b) >= 0 {
			return false
		}
	}
	return s != ""
}

// headers returns the names of the headers that a token may come in, for Vary.
func (e Extractor) headers() (names []string) {
	for _, link := range e.chain {
		names = append(names, link.headers()...)
	}
	switch e.source {
	case sourceAuthHeader:
		names = append(names, fiber.HeaderAuthorization)
	case sourceHeader:
		names = append(names, e.key)
	case sourceCookie:
		names = append(names, fiber.HeaderCookie)
	}
	return names
}

// Header returns the name of the first header that e reads a token from, and the text before
// the token in that header: for example "Authorization" and "Bearer ". name is "" if e reads no
// header. Clients and tests can use it to sign requests in.
func (e Extractor) Header() (name, before string) {
	for _, link := range e.links() {
		switch link.source {
		case sourceAuthHeader:
			return fiber.HeaderAuthorization, link.key + " "
		case sourceHeader:
			return link.key, ""
		}
	}
	return "", ""
}

// links returns the extractors that e consists of.
func (e Extractor) links() (links []Extractor) {
	if e.source != "" {
		return []Extractor{e}
	}
	for _, link := range e.chain {
		links = append(links, link.links()...)
	}
	return links
}

// readsOwnCookies reports whether e reads the access cookies of the kinds.
func (e Extractor) readsOwnCookies() bool {
	return slices.ContainsFunc(e.links(), func(link Extractor) bool { return link.source == sourceCookie && link.key == "" })
}

// credential is a token that a request presents. The string token is borrowed from the request.
type credential struct {
	token   string
	source  string
	kind    *kind // the kind whose access cookie it was; nil for every other source
	problem error // why the cookie has no usable token, for instance two different values
}

// find appends the credentials of the first extractor that has any to found, which is empty.
// That is one credential, or one for each kind if the extractor reads the access cookies of the
// kinds.
func (e Extractor) find(found []credential, c fiber.Ctx, kinds []*kind) ([]credential, error) {
	for _, link := range e.chain {
		if found, err := link.find(found, c, kinds); err != nil || len(found) > 0 {
			return found, err
		}
	}
	if e.source == sourceCookie && e.key == "" {
		return appendCookies(found, c, kinds), nil
	}
	token, err := e.take(c)
	if err != nil || token == "" {
		return nil, err
	}
	return append(found, credential{token: token, source: e.source}), nil
}

// appendCookies appends one credential for each kind that has an access cookie. It does not
// return an error: a problem with the cookie of one kind must not affect another kind.
func appendCookies(found []credential, c fiber.Ctx, kinds []*kind) []credential {
	for _, k := range kinds {
		token, err := cookieValue(c, k.cookies.access)
		if token != "" || err != nil {
			found = append(found, credential{token: token, source: sourceCookie, kind: k, problem: err})
		}
	}
	return found
}

func (e Extractor) take(c fiber.Ctx) (string, error) {
	if e.custom != nil {
		return e.takeCustom(c)
	}
	switch e.source {
	case sourceAuthHeader:
		return takeScheme(c, e.key)
	case sourceHeader:
		return onlyOne(c.Request().Header.PeekAll(e.key))
	case sourceCookie:
		return cookieValue(c, e.key)
	case sourceQuery, sourceTicket:
		return e.takeQuery(c)
	case sourceForm:
		return e.takeForm(c)
	case sourceParam:
		setNoStore(c)
		return c.Params(e.key), nil
	}
	return "", nil
}

func (e Extractor) takeQuery(c fiber.Ctx) (string, error) {
	if !isGetOrHead(c) {
		return "", nil
	}
	token, err := onlyOne(c.RequestCtx().QueryArgs().PeekMulti(e.key))
	if token != "" || err != nil {
		setNoStore(c)
	}
	return token, err
}

func (e Extractor) takeForm(c fiber.Ctx) (string, error) {
	// Multipart forms are not read: fasthttp decompresses them, so a small request of
	// an anonymous client could use much memory.
	if isGetOrHead(c) || mediaType(c) != fiber.MIMEApplicationForm {
		return "", nil
	}
	if c.Request().IsBodyStream() || len(c.Request().Body()) > maxFormBytes {
		return "", nil // a large body costs an anonymous client little, and parsing it costs the server much
	}
	return onlyOne(c.Request().PostArgs().PeekMulti(e.key))
}

func (e Extractor) takeCustom(c fiber.Ctx) (token string, err error) {
	err = fault.Recover(func() (err error) {
		token, err = e.custom(c)
		return err
	})
	if err == nil || hookAnswer(err) != nil || errors.Is(err, fault.ErrSetup) {
		return token, err
	}
	if fault.IsUnavailable(err) {
		return "", fault.Unavailable(err)
	}
	return "", withCause(ErrTokenMalformed, err)
}

// takeScheme reads the Authorization headers with one scheme. RFC 9110 §11.4: the scheme is
// compared without case, and one or more spaces and one token follow.
func takeScheme(c fiber.Ctx, scheme string) (string, error) {
	var only sole
	for _, header := range c.Request().Header.PeekAll(fiber.HeaderAuthorization) {
		name, value, _ := bytes.Cut(header, []byte(" "))
		if !strings.EqualFold(borrow(name), scheme) {
			continue
		}
		value = bytes.Trim(value, " ")
		if len(value) == 0 || bytes.IndexByte(value, ' ') >= 0 {
			return "", token.ErrMalformed
		}
		only.add(value)
	}
	return only.result()
}

// sole takes the values of a source that may have only one. If two values differ, the error is
// ErrInvalidRequest (RFC 6750 §3.1): if the server took the first value, an attacker who can
// add a value could replace the token of the client.
type sole struct {
	value  []byte
	found  bool
	differ bool
}

func (s *sole) add(value []byte) {
	switch {
	case !s.found:
		s.value, s.found = value, true
	case !bytes.Equal(value, s.value):
		s.differ = true
	}
}

// result returns the only value, or "" if there is none.
func (s *sole) result() (string, error) {
	if s.differ {
		return "", ErrInvalidRequest
	}
	return borrow(s.value), nil
}

// onlyOne returns the only one of values by the rule of sole.
func onlyOne(values [][]byte) (string, error) {
	var only sole
	for _, value := range values {
		only.add(value)
	}
	return only.result()
}

// cookieValue returns the value of a cookie by the rule of sole.
func cookieValue(c fiber.Ctx, name string) (string, error) {
	var only sole
	visitCookies(c, name, only.add)
	return only.result()
}

// cookieValues returns the values of all cookies with the name that are not empty.
func cookieValues(c fiber.Ctx, name string) (values [][]byte) {
	visitCookies(c, name, func(value []byte) { values = append(values, value) })
	return values
}

// visitCookies calls visit with the values of all cookies with the name that are not empty.
func visitCookies(c fiber.Ctx, name string, visit func(value []byte)) {
	c.Request().Header.VisitAllCookie(func(key, value []byte) {
		if string(key) == name && len(value) > 0 {
			visit(value)
		}
	})
}

func isGetOrHead(c fiber.Ctx) bool {
	return c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead
}

// setNoStore keeps the response out of caches, and the address of the request, which has a
// token, out of Referer headers.
func setNoStore(c fiber.Ctx) {
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
}

// mediaType returns the media type of the body in lower case and without parameters.
func mediaType(c fiber.Ctx) string {
	name, _, _ := strings.Cut(borrow(c.Request().Header.ContentType()), ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// borrow returns bytes of a request as a string without a copy. The string is valid until the
// request ends: clone it if it has to live longer.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// lend returns the bytes of a string without a copy, for a function that does not change them.
func lend(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
