package fiberjwt //nolint:revive // its comment is in doc.go, which is generated

import (
	"cmp"
	"errors"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/extractors"
)

// sources are the names of the sources of Fiber's extractors.
var sources = map[extractors.Source]string{
	extractors.SourceHeader:     sourceHeader,
	extractors.SourceAuthHeader: sourceAuthHeader,
	extractors.SourceForm:       sourceForm,
	extractors.SourceQuery:      sourceQuery,
	extractors.SourceParam:      sourceParam,
	extractors.SourceCookie:     sourceCookie,
	extractors.SourceCustom:     sourceCustom,
}

// FromExtractor takes the token with an extractor of Fiber, for an application that has one for
// several middlewares. Its Source must be true: fiberjwt applies the CSRF check to tokens from
// cookies, and keeps responses to requests with a token in the address out of caches. A chain is
// tried by the rule of [Chain].
//
// The functions of this package are stricter than those of package extractors. For example,
// [FromForm] reads no multipart forms, which cost the server much.
func FromExtractor(e extractors.Extractor) Extractor {
	if len(e.Chain) > 0 {
		links := make([]Extractor, len(e.Chain))
		for i, link := range e.Chain {
			links[i] = FromExtractor(link)
		}
		return Chain(links...)
	}
	if e.Extract == nil {
		return Extractor{}
	}
	source, key := cmp.Or(sources[e.Source], sourceCustom), e.Key
	switch {
	case source == sourceAuthHeader && e.AuthScheme == "":
		source, key = sourceHeader, fiber.HeaderAuthorization
	case source == sourceAuthHeader:
		key = e.AuthScheme
	case source == sourceCookie && key == "": // the empty name means the cookies of the kinds
		return Extractor{}
	}
	return Extractor{source: source, key: key, custom: func(c fiber.Ctx) (string, error) {
		return extract(c, e, source)
	}}
}

// extract returns what e finds, or "" if that is nothing. Its result is that of the function for
// source as far as caches and equal names are concerned.
func extract(c fiber.Ctx, e extractors.Extractor, source string) (string, error) {
	inAddress := source == sourceQuery || source == sourceParam
	if source == sourceQuery && !isGetOrHead(c) {
		return "", nil
	}
	if source == sourceCookie {
		if _, err := cookieValue(c, e.Key); err != nil {
			return "", err
		}
	}
	token, err := e.Extract(c)
	if errors.Is(err, extractors.ErrNotFound) {
		return "", nil
	}
	if inAddress {
		setNoStore(c)
	}
	return token, err
}
