package fiberjwt

import (
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// Tickets are for addresses that a browser fetches by itself and that take no
// header, as in <video src="/films/7.mp4?ticket=…">.

// Ticket gives a ticket for GET and HEAD requests of one path, in the name of
// the session that this request is signed in with, of one of kinds or without
// them the first. Config.Extractor must have [FromTicket]; the ticket goes into
// the query parameter that it names. path is the whole one as this server gets
// it, behind whatever a proxy takes away, in the spelling of browsers
// ("/films/%C3%B6"); it has no query, of which other parameters are free.
//
// Every use is checked like an access token: it ends with the session, and what
// Allow refuses is refused. It is no access token anywhere else, never [Fresh],
// and has no claims: where a handler lets less happen because of a claim, it must
// ask for the claim and refuse who has none. ttl is at most 24 hours, 0 is 5 minutes; a player fetches a film in
// many requests, so give it time to be watched. A handler that is reached by a
// ticket may make further ones, for the parts of a playlist; they do not live
// longer than the first.
//
// The error is ErrNoToken if the request is not signed in so, ErrForbidden if it
// is by a token of [Issuer] or [OldTokens], which has no session that a ticket
// could end with, or ErrSetup.
func Ticket(c *fiber.Ctx, path string, ttl time.Duration, kinds ...string) (string, error) {
	text, err := ticketOf(c, path, ttl, kinds)
	return text, face(err)
}

func ticketOf(c *fiber.Ctx, path string, ttl time.Duration, kinds []string) (string, error) {
	if requestOf(c) == nil {
		return "", errNoMiddleware
	}
	if !browserPath(path) || ttl < 0 || ttl > token.MaxLife {
		return "", fault.Setupf("Ticket: %q is not a path as browsers write it, without a query, or the ttl, %v, not between 0 and 24 h", path, ttl)
	}
	err := error(ErrNoToken)
	for a, s := range visible(c) {
		switch {
		case len(kinds) > 0 && !slices.Contains(kinds, s.Kind):
		case s.sid == nil:
			err = errNoSession
		default:
			return a.ticket(s, path, ttl)
		}
	}
	return "", err
}

// browserPath: a browser sends these bytes as they are, and nothing else in a path.
func browserPath(path string) bool {
	for i := range len(path) {
		if b := path[i]; b <= ' ' || b >= 0x7f || strings.IndexByte("\"#<>?\\`{}", b) >= 0 {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

func (a *Auth) ticket(s *Session, path string, ttl time.Duration) (string, error) {
	if !slices.ContainsFunc(a.extractor.links(), func(e Extractor) bool { return e.source == SourceTicket }) {
		return "", fault.Setup("Ticket: Config.Extractor has no FromTicket, so nothing would read it")
	}
	var until time.Time
	if s.Source == SourceTicket {
		until = s.ExpiresAt
	}
	return a.service.Ticket(s.verified(), path, ttl, until), nil
}

// FromTicket reads a [Ticket] from a query parameter, of GET and HEAD requests
// only. The answer is marked private, not to be stored, without referrer. Where
// browsers have cookies too, put it in front of FromCookie in the [Chain]: the
// first source that has a credential decides.
func FromTicket(name string) Extractor { return Extractor{source: SourceTicket, key: name} }
