package fiberjwt

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/session"
)

// handleRegister stores an account and signs it in, both or neither.
func (a *Auth) handleRegister(c *fiber.Ctx, k *kind) error {
	body, err := readForm(c)
	if err != nil {
		return err
	}
	transport, err := a.transportOf(c, body)
	if err != nil {
		return err
	}
	a.logs.dropped(c.UserContext(), k, body)
	account, password, err := a.newAccount(k, body)
	if err != nil {
		return err
	}
	p, entity, err := a.service.Register(c.UserContext(), k.Kind, auth.Registration{
		Account: account, Password: password,
		Hook:   func(account any) error { return registerError(k.register(c, account)) },
		Encode: func(account any) ([]byte, error) { return k.entity(c, account) },
	}, a.clientOf(c, k))
	if err != nil {
		a.emitRefused(c, event.Event{Type: event.RegisterRefused, Kind: k.Name}, err)
		return err
	}
	a.emit(c, eventOf(p, event.Register, k))
	answer := struct {
		*Tokens
		Entity json.RawMessage `json:"entity"`
	}{Entity: entity}
	if p.Access != "" {
		tokens := a.respondNewSession(c, k, p, LoginOptions{Transport: transport})
		answer.Tokens = &tokens
	}
	return c.Status(fiber.StatusCreated).JSON(answer)
}

// newAccount is the row that a registration asks for, as far as it may, and the password
// that it is to have.
func (a *Auth) newAccount(k *kind, body form) (account any, password string, err error) {
	account, wrong := k.New(), map[string]string{}
	identity, err := body.newIdentity(k, wrong)
	if err != nil {
		return nil, "", err
	}
	k.SetText(account, k.Identity, identity)
	password = body.required("password", wrong)
	a.service.Judge(password, identity, wrong)
	a.service.Fill(k.Kind, account, body, wrong)
	return account, password, wrongFields(wrong)
}

// handleLogin answers the same, after the same time, whatever was wrong.
func (a *Auth) handleLogin(c *fiber.Ctx, k *kind) error {
	body, err := readForm(c)
	if err != nil {
		return err
	}
	transport, err := a.transportOf(c, body)
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	identity := body.identity(k, wrong)
	password := body.password("password", wrong)
	unlock := body.optional("unlock_token", wrong)
	if err := wrongFields(wrong); err != nil {
		return err
	}
	p, err := a.service.SignIn(c.UserContext(), k.Kind, auth.Credentials{Identity: identity, Password: password, Unlock: unlock}, a.clientOf(c, k))
	if err != nil {
		a.emitRefused(c, event.Event{Type: event.LoginRefused, Kind: k.Name, Subject: p.Subject}, err)
		return err
	}
	a.emit(c, eventOf(p, event.Login, k))
	return c.JSON(a.respondNewSession(c, k, p, LoginOptions{Transport: transport}))
}

// handleRefresh answers the way the token came, so that no script can turn a
// session in cookies into tokens that it can read.
func (a *Auth) handleRefresh(c *fiber.Ctx, k *kind) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), a.refreshTimeout)
	defer cancel()
	raw, transport, err := a.presentedRefresh(ctx, c, k)
	var p auth.Pair
	if err == nil {
		p, err = a.service.Refresh(ctx, k.Kind, raw)
	}
	if err != nil {
		// The cookies stay: another tab may hold a good one by now.
		a.emitRefused(c, eventOf(p, event.RefreshRefused, k), err)
		return err
	}
	a.emit(c, eventOf(p, event.Refresh, k))
	return c.JSON(a.respondTokens(c, k, p, transport))
}

// handleExchange is for servers that were handed a refresh token and cannot hand
// another one back, as one that renders a page ahead of the browser's client. It
// takes no cookie: a script that could send one would read the answer.
func (a *Auth) handleExchange(c *fiber.Ctx, k *kind) error {
	body, err := readForm(c)
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	raw := body.required("refresh_token", wrong)
	if err := wrongFields(wrong); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), a.refreshTimeout)
	defer cancel()
	p, err := a.service.Exchange(ctx, k.Kind, raw)
	if err != nil {
		a.emitRefused(c, eventOf(p, event.RefreshRefused, k), err)
		return err
	}
	a.emit(c, eventOf(p, event.Exchange, k))
	return c.JSON(tokensOf(p))
}

// presentedRefresh finds the refresh token: in the body, or else in the cookie.
func (a *Auth) presentedRefresh(ctx context.Context, c *fiber.Ctx, k *kind) (string, Transport, error) {
	raw, ok, err := a.refreshInBody(c)
	if ok || err != nil {
		return raw, TransportBody, err
	}
	raw, err = a.refreshCookie(ctx, c, k)
	return raw, TransportCookie, err
}

func (a *Auth) refreshInBody(c *fiber.Ctx) (raw string, ok bool, err error) {
	body, err := readOptionalForm(c)
	if err != nil {
		return "", false, err
	}
	value, ok := body["refresh_token"]
	if !ok {
		return "", false, nil
	}
	raw, isText := value.Text()
	switch {
	case !isText:
		err = wrongFields(map[string]string{"refresh_token": "must be a string"})
	case !slices.Contains(a.transport, TransportBody):
		err = wrongFields(map[string]string{"refresh_token": "is taken from the cookie only"})
	}
	return raw, err == nil, err
}

// handleLogout ends the session of the access or the refresh token, expired or not.
func (a *Auth) handleLogout(c *fiber.Ctx, k *kind) error {
	return a.endSessions(c, k, event.Logout, func(sid []byte) (bool, error) {
		if a.onEvent == nil {
			return a.service.Sessions.Revoke(c.UserContext(), sid, k.Name, "", a.now().UnixMilli())
		}
		return a.service.Sessions.RevokeLiving(c.UserContext(), sid, k.Name, a.now().UnixMilli())
	})
}

// handleLogoutAll ends every session of the account, if the one that asks is
// still alive.
func (a *Auth) handleLogoutAll(c *fiber.Ctx, k *kind) error {
	return a.endSessions(c, k, event.LogoutAll, func(sid []byte) (bool, error) {
		return a.service.EndAll(c.UserContext(), k.Kind, sid)
	})
}

// endSessions ends what the request is from and clears the cookies, unless another
// site sent a request that carries none. A request that is not signed in is fine.
func (a *Auth) endSessions(c *fiber.Ctx, k *kind, what event.Type, end func(sid []byte) (ended bool, err error)) error {
	leaving, err := a.sessionsToEnd(c, k)
	if err != nil {
		return err
	}
	for _, p := range leaving {
		if p.SID == nil && what == event.LogoutAll {
			return errNoSession // it would say that what it cannot find has ended
		}
		if p.SID == nil {
			continue
		}
		ended, err := end(p.SID)
		if err != nil {
			return err
		}
		if ended {
			a.emit(c, eventOf(p, what, k))
		}
	}
	if a.checkUnsafeOrigin(c) == nil {
		k.cookies.clear(c)
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// handleMe answers the account.
func (a *Auth) handleMe(c *fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	entity, err := k.entity(c, s.Account)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(entity)
}

// handleSessions lists the living sessions of the account.
func (a *Auth) handleSessions(c *fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	infos, err := a.listSessions(c.UserContext(), k.Name, s.Subject)
	if err != nil {
		return err
	}
	for i := range infos {
		infos[i].Current = infos[i].ID == s.ID
	}
	return c.JSON(infos)
}

// handleEndSession ends one session of the account.
func (a *Auth) handleEndSession(c *fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	sid, ok := session.ParseID(c.Params("id"))
	if !ok {
		return ErrNotFound
	}
	found, err := a.service.Sessions.Revoke(c.UserContext(), sid, k.Name, s.Subject, a.now().UnixMilli())
	if err != nil {
		return err
	}
	if !found {
		return ErrNotFound
	}
	a.emit(c, event.Event{Type: event.Revoke, Kind: k.Name, Subject: s.Subject, SessionID: session.ID(sid)})
	if c.Params("id") == s.ID && s.Source == sourceCookie {
		k.cookies.clear(c)
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// handlePassword changes the password and ends every other session.
func (a *Auth) handlePassword(c *fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	if s.sid == nil { // of another issuer, who has the password
		return errNoSession
	}
	body, err := readForm(c)
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	current, password := body.password("current_password", wrong), body.required("password", wrong)
	a.service.Judge(password, k.Text(s.Account, k.Identity), wrong)
	if err := wrongFields(wrong); err != nil {
		return err
	}
	name, err := a.service.ChangePassword(c.UserContext(), k.Kind, s.verified(), current, password, a.clientOf(c, k))
	if err != nil {
		a.emitRefused(c, s.event(event.PasswordRefused), err)
		return err
	}
	if s.Source == sourceCookie {
		k.markDevice(c, name, a.now())
	}
	a.emit(c, s.event(event.Password))
	return c.SendStatus(fiber.StatusNoContent)
}

// signedIn is the session of a request to a built-in route, which stands above
// the middleware. The cookies of other kinds are none of its business.
func (a *Auth) signedIn(c *fiber.Ctx, k *kind) (*Session, error) {
	r, err := a.authenticate(c, []*kind{k})
	if err != nil {
		return nil, err
	}
	if s := r.session(k.Name); s != nil {
		return s, nil
	}
	err = r.missing(k.Name)
	if len(r.sessions) > 0 {
		a.emitDenied(c, r.sessions[0], err)
	}
	return nil, err
}

// sessionsToEnd finds the sessions that a request to log out is from: those of the
// cookies, and that of an access token, which may have expired, or else of a
// refresh token; none if by neither. A token of another issuer has no session to
// end: it is told only where there is nothing else.
func (a *Auth) sessionsToEnd(c *fiber.Ctx, k *kind) ([]auth.Pair, error) {
	if k.cookies.sentWith(c) {
		if err := a.checkUnsafeOrigin(c); err != nil {
			return nil, err
		}
	}
	held := a.sessionsInCookies(c, k)
	who, signedIn, err := a.sessionOfAccessToken(c, k)
	if err != nil {
		return nil, err
	}
	if who.SID != nil {
		return addSession(held, who), nil
	}
	raw, _, err := a.refreshInBody(c)
	if err != nil {
		return nil, err
	}
	if sid, _, ok := k.RefreshSession(raw); ok {
		held = addSession(held, auth.Pair{SID: sid})
	}
	if len(held) == 0 && signedIn {
		held = append(held, who)
	}
	return held, nil
}

// leavingByAccess prefers a token that has a session here; ok is true for others too.
func (a *Auth) sessionOfAccessToken(c *fiber.Ctx, k *kind) (who auth.Pair, ok bool, err error) {
	found, err := a.extractor.find(c, []*kind{k})
	if err != nil && refusal(err).Status != fiber.StatusUnauthorized {
		return auth.Pair{}, false, err
	}
	for _, presented := range found {
		if presented.problem != nil {
			continue
		}
		if presented.source == sourceCookie { // of whatever name
			if err := a.checkUnsafeOrigin(c); err != nil {
				return auth.Pair{}, false, err
			}
		}
		p, found := a.service.HeldSession(c.UserContext(), k.Kind, presented.token)
		if p.SID != nil {
			return p, true, nil
		}
		ok = ok || found
	}
	return auth.Pair{}, ok, nil
}

// sessionsInCookies are the sessions of the cookies of a kind. The access cookie may
// be of another one than the refresh cookie: that one comes along to the built-in
// routes only, as a rule, and an answer that is late can bring back either.
func (a *Auth) sessionsInCookies(c *fiber.Ctx, k *kind) (held []auth.Pair) {
	if access, _ := cookieValue(c, k.cookies.access); access != "" {
		if p, _ := a.service.HeldSession(c.UserContext(), k.Kind, access); p.SID != nil {
			held = append(held, p)
		}
	}
	for _, refresh := range cookieValues(c, k.cookies.refresh) {
		if sid, _, ok := k.RefreshSession(borrow(refresh)); ok {
			held = addSession(held, auth.Pair{SID: sid})
		}
	}
	return held
}

// addSession adds a session that is not there yet.
func addSession(held []auth.Pair, p auth.Pair) []auth.Pair {
	if slices.ContainsFunc(held, func(other auth.Pair) bool { return bytes.Equal(other.SID, p.SID) }) {
		return held
	}
	return append(held, p)
}
