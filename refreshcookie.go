package fiberjwt

import (
	"bytes"
	"cmp"
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Which refresh cookie counts, where a browser sends several or one that was
// planted.

// refreshCookie gives the value of the cookie: the one of the session that the
// access cookie names. A sibling domain, or a script of another path, can plant
// more of its name, even good ones of an account of its own; nobody but this
// host can set the access cookie.
func (a *Auth) refreshCookie(ctx context.Context, c *fiber.Ctx, k *kind) (string, error) {
	values := cookieValues(c, k.cookies.refresh)
	if len(values) == 0 {
		return "", errNoRefreshToken
	}
	if err := a.checkUnsafeOrigin(c); err != nil {
		return "", err
	}
	sid := sessionOfCookie(c, k)
	if sid == nil {
		return "", errLoneRefresh // both are set at once, and this one lives as long
	}
	best, others := newest(values, k, sid)
	if best != "" || len(others) == 0 {
		return cmp.Or(best, borrow(values[0])), nil // the latter to be refused as it is
	}
	return a.refreshCookieBeside(ctx, k, sid, others)
}

// refreshCookieBeside the access cookie of another session counts if both are of
// one account: an answer that was late has brought back the access cookie of a
// session that a sign-in has replaced.
func (a *Auth) refreshCookieBeside(ctx context.Context, k *kind, sid []byte, others [][]byte) (string, error) {
	only, err := onlyOne(others)
	if err != nil {
		return "", err
	}
	named, _, err := a.store.Living(ctx, k.Name, sid, a.now().UnixMilli())
	if err != nil {
		return "", err
	}
	parsed, _ := k.refresh.Parse(only)
	theirs, _, err := a.store.Living(ctx, k.Name, parsed.SessionID(), a.now().UnixMilli())
	if err == nil && (named.SID == nil || named.Subject != theirs.Subject) {
		err = errLoneRefresh
	}
	return only, err
}

// newest is the latest generation of a session among the values of refresh
// cookies, "" if there is none; others are good ones of other sessions.
func newest(values [][]byte, k *kind, sid []byte) (best string, others [][]byte) {
	generation := uint32(0)
	for _, value := range values {
		parsed, ok := k.refresh.Parse(borrow(value))
		switch {
		case !ok:
		case !bytes.Equal(parsed.SessionID(), sid):
			others = append(others, value)
		case best == "" || parsed.Generation > generation:
			best, generation = borrow(value), parsed.Generation
		}
	}
	return best, others
}

// sessionOfCookie is the session that the access cookie names, nil if it names
// none. Its signature is not asked for: the key may be retired by now, and all
// that comes of it is which refresh token is tried.
func sessionOfCookie(c *fiber.Ctx, k *kind) []byte {
	access, _ := cookieValue(c, k.cookies.access)
	claims, err := token.Read(access)
	if err != nil {
		return nil
	}
	sid, _ := session.ParseID(claims.SessionID)
	return sid
}
