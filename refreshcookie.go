package fiberjwt

import (
	"bytes"
	"cmp"
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/auth"
)

// Which refresh cookie counts, if a browser sends several or one that was planted.

// refreshCookie returns the value of the cookie: the one of the session that the access
// cookie names. A sibling domain, or a script of another path, can plant more of its name,
// even valid ones of an account of its own. Only this host can set the access cookie.
func (a *Auth) refreshCookie(ctx context.Context, c *fiber.Ctx, k *kind) (string, error) {
	values := cookieValues(c, k.cookies.refresh)
	if len(values) == 0 {
		return "", errNoRefreshToken
	}
	if err := a.checkUnsafeOrigin(c); err != nil {
		return "", err
	}
	access, _ := cookieValue(c, k.cookies.access)
	sid := auth.NamedSession(access)
	if sid == nil {
		return "", errLoneRefresh // both are set at once, and this one lives as long
	}
	best, others := newest(values, k, sid)
	if best != "" || len(others) == 0 {
		return cmp.Or(best, borrow(values[0])), nil // the latter to be refused as it is
	}
	return a.refreshCookieBeside(ctx, k, sid, others)
}

// refreshCookieBeside the access cookie of another session counts if both are of one
// account: an answer that was late has brought back the access cookie of a session that a
// sign-in has replaced.
func (a *Auth) refreshCookieBeside(ctx context.Context, k *kind, sid []byte, others [][]byte) (string, error) {
	only, err := onlyOne(others)
	if err != nil {
		return "", err
	}
	other, _, _ := k.RefreshSession(only)
	same, err := a.service.OneAccount(ctx, k.Kind, sid, other)
	if err == nil && !same {
		err = errLoneRefresh
	}
	return only, err
}

// newest is the latest generation of a session among the values of refresh cookies, "" if
// there is none. others are valid ones of other sessions.
func newest(values [][]byte, k *kind, sid []byte) (best string, others [][]byte) {
	latest := uint32(0)
	for _, value := range values {
		of, generation, ok := k.RefreshSession(borrow(value))
		switch {
		case !ok:
		case !bytes.Equal(of, sid):
			others = append(others, value)
		case best == "" || generation > latest:
			best, latest = borrow(value), generation
		}
	}
	return best, others
}
