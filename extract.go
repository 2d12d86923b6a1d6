package fiberjwt

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

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

// Extractor takes a token from a request. Make one with a From… function and
// join several with [Chain]. It is a value, immutable and safe for concurrent
// use; the zero value takes no token.
type Extractor struct {
	source string
	key    string // name of the header, cookie, parameter …; a scheme for sourceAuthHeader
	custom func(*fiber.Ctx) (string, error)
	chain  []Extractor
}

// Chain asks extractors in order; the first that finds a credential decides,
// and if that one is no good the request is refused: nothing falls through to
// a later source.
func Chain(extractors ...Extractor) Extractor {
	return Extractor{chain: append([]Extractor{}, extractors...)}
}

// FromAuthHeader reads "Authorization: <scheme> <token>" (RFC 6750 §2.1). The
// scheme is compared without case; an empty one means Bearer. A header with
// another scheme is no credential, so that Basic for a proxy passes by.
func FromAuthHeader(scheme string) Extractor {
	return Extractor{source: sourceAuthHeader, key: cmp.Or(scheme, "Bearer")}
}

// FromHeader reads a header whose whole value is the token.
func FromHeader(name string) Extractor { return Extractor{source: sourceHeader, key: name} }

// FromCookie reads a cookie. With an empty name it reads the access cookie of
// every kind, so that one browser can be signed in as several kinds at once; a
// Config without Entities has none and must name it, as in "__Host-Http-users".
// Tokens from cookies are guarded against CSRF.
func FromCookie(name string) Extractor { return Extractor{source: sourceCookie, key: name} }

// FromQuery reads a query parameter, of GET and HEAD requests only. Addresses
// end up in logs, histories and Referer headers (RFC 9700 §4.3.2): prefer any
// other source. The answer is marked private, not to be stored, without referrer.
func FromQuery(name string) Extractor { return Extractor{source: sourceQuery, key: name} }

// FromForm reads a field of an application/x-www-form-urlencoded body (RFC
// 6750 §2.2) of at most 16 KiB. Streamed bodies and those of GET and HEAD are
// not read.
func FromForm(name string) Extractor { return Extractor{source: sourceForm, key: name} }

// FromParam reads a parameter of the route that the middleware is registered
// on, as in app.Use("/feeds/:token", …). The cautions of [FromQuery] hold.
func FromParam(name string) Extractor { return Extractor{source: sourceParam, key: name} }

// FromCustom asks a function of yours. It returns "" when the request has no
// credential; an error refuses the request, with 401 unless it is an *Error.
// It is taken for something that no browser sends by itself: a function that
// reads a cookie goes without the guard against CSRF, use [FromCookie].
func FromCustom(name string, find func(c *fiber.Ctx) (string, error)) Extractor {
	return Extractor{source: sourceCustom, key: name, custom: find}
}

// problems says what is set wrongly.
func (e Extractor) problems() (problems []string) {
	if len(e.chain) > 0 {
		for _, link := range e.chain {
			problems = append(problems, link.problems()...)
		}
		return problems
	}
	switch {
	case e.source == "":
		return []string{"Config.Extractor is an empty Extractor or Chain: use FromAuthHeader and its like"}
	case e.source == sourceCustom && e.custom == nil:
		return []string{"Config.Extractor: FromCustom has no function"}
	case e.key == "" && e.source != sourceCookie && e.source != sourceCustom:
		return []string{"Config.Extractor: the extractor for " + e.source + " has no name"}
	case e.source == sourceCookie && e.key != "" && !httpToken(e.key), e.source == sourceHeader && !httpToken(e.key),
		e.source == sourceAuthHeader && !httpToken(e.key):
		return []string{"Config.Extractor: the name for " + e.source + " has characters that no HTTP token has (RFC 9110 §5.6.2)"}
	}
	return nil
}

// httpToken: RFC 9110 §5.6.2.
func httpToken(s string) bool {
	for i := range len(s) {
		b := s[i]
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, b) >= 0 {
			return false
		}
	}
	return s != ""
}

// headers are those that the token may come in, for Vary.
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

// Header is the first header that e reads a token from, and what stands in front
// of the token in it: "Authorization" and "Bearer ", say. name is "" if e reads
// none. Clients and tests can be told by it how to sign requests in.
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

// links are the extractors that e is made of.
func (e Extractor) links() (links []Extractor) {
	if e.source != "" {
		return []Extractor{e}
	}
	for _, link := range e.chain {
		links = append(links, link.links()...)
	}
	return links
}

// readsOwnCookies: e reads the access cookies of the kinds.
func (e Extractor) readsOwnCookies() bool {
	return slices.ContainsFunc(e.links(), func(link Extractor) bool { return link.source == sourceCookie && link.key == "" })
}

// credential is a token as presented. token is borrowed from the request.
type credential struct {
	token   string
	source  string
	kind    *kind // the kind whose cookie it was, nil for any other source
	problem error // why there is no token after all
}

// find gives the credentials of the first extractor that has any: one, or from
// the cookies of the kinds one for each.
func (e Extractor) find(c *fiber.Ctx, kinds []*kind) ([]credential, error) {
	for _, link := range e.chain {
		if found, err := link.find(c, kinds); err != nil || len(found) > 0 {
			return found, err
		}
	}
	if e.source == sourceCookie && e.key == "" {
		return findCookies(c, kinds), nil
	}
	token, err := e.take(c)
	if err != nil || token == "" {
		return nil, err
	}
	return []credential{{token: token, source: e.source}}, nil
}

// findCookies keeps the kinds apart: what is wrong with the cookie of one is
// no problem of another.
func findCookies(c *fiber.Ctx, kinds []*kind) (found []credential) {
	for _, k := range kinds {
		token, err := cookieValue(c, k.cookies.access)
		if token != "" || err != nil {
			found = append(found, credential{token: token, source: sourceCookie, kind: k, problem: err})
		}
	}
	return found
}

func (e Extractor) take(c *fiber.Ctx) (string, error) {
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
	case sourceCustom:
		return e.takeCustom(c)
	}
	return "", nil
}

func (e Extractor) takeQuery(c *fiber.Ctx) (string, error) {
	if !isGetOrHead(c) {
		return "", nil
	}
	token, err := onlyOne(c.Context().QueryArgs().PeekMulti(e.key))
	if token != "" || err != nil {
		setNoStore(c)
	}
	return token, err
}

func (e Extractor) takeForm(c *fiber.Ctx) (string, error) {
	// Multipart forms are left alone: reading one inflates what an anonymous
	// client sent.
	if isGetOrHead(c) || mediaType(c) != fiber.MIMEApplicationForm {
		return "", nil
	}
	if c.Request().IsBodyStream() || len(c.Request().Body()) > maxFormBytes {
		return "", nil // parsing costs an anonymous client nothing, and us much
	}
	return onlyOne(c.Request().PostArgs().PeekMulti(e.key))
}

func (e Extractor) takeCustom(c *fiber.Ctx) (token string, err error) {
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

// takeScheme reads the Authorization headers of one scheme: RFC 9110 §11.4,
// the scheme without case, one space or more, one token.
func takeScheme(c *fiber.Ctx, scheme string) (string, error) {
	var values [][]byte
	for _, header := range c.Request().Header.PeekAll(fiber.HeaderAuthorization) {
		name, value, _ := bytes.Cut(header, []byte(" "))
		if !strings.EqualFold(borrow(name), scheme) {
			continue
		}
		value = bytes.Trim(value, " ")
		if len(value) == 0 || bytes.IndexByte(value, ' ') >= 0 {
			return "", token.ErrMalformed
		}
		values = append(values, value)
	}
	return onlyOne(values)
}

// onlyOne gives the one value, "" for none. Two that differ are 400 (RFC 6750
// §3.1): a server that takes the first can be made to take an attacker's.
func onlyOne(values [][]byte) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	for _, value := range values[1:] {
		if !bytes.Equal(value, values[0]) {
			return "", ErrInvalidRequest
		}
	}
	return borrow(values[0]), nil
}

// cookieValue gives the value of a cookie under the rule of onlyOne.
func cookieValue(c *fiber.Ctx, name string) (string, error) {
	return onlyOne(cookieValues(c, name))
}

func cookieValues(c *fiber.Ctx, name string) (values [][]byte) {
	c.Request().Header.VisitAllCookie(func(key, value []byte) {
		if string(key) == name && len(value) > 0 {
			values = append(values, value)
		}
	})
	return values
}

func isGetOrHead(c *fiber.Ctx) bool {
	return c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead
}

// setNoStore keeps an answer whose address has a token out of caches and
// Referer headers.
func setNoStore(c *fiber.Ctx) {
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
}

// mediaType is the type of the body without parameters, in lower case.
func mediaType(c *fiber.Ctx) string {
	name, _, _ := strings.Cut(borrow(c.Request().Header.ContentType()), ";")
	return strings.ToLower(strings.TrimSpace(name))
}
