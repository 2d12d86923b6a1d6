// Code generated from ../handlers.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/clientip"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/session"
)

// handleRegister stores an account and starts its first session. If one of the two fails,
// neither is stored.
func (a *Auth) handleRegister(c fiber.Ctx, k *kind) error {
	body, err := readForm(c)
	if err != nil {
		return err
	}
	transport, err := a.transportOf(c, body)
	if err != nil {
		return err
	}
	a.logs.dropped(c.Context(), k, body)
	account, password, err := a.newAccount(k, body)
	if err != nil {
		return err
	}
	p, entity, err := a.service.Register(c.Context(), k.Kind, auth.Registration{
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

// newAccount returns the row of a registration, with the identity and the columns that
// clients may fill, and its password, which is not hashed yet. The error lists the invalid
// fields, or is one of Entity.Canonical.
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

// handleLogin verifies a password and starts a session. A wrong password and an unknown
// account get the same response after the same time, so that clients cannot find out which
// accounts exist.
func (a *Auth) handleLogin(c fiber.Ctx, k *kind) error {
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
	p, err := a.service.SignIn(c.Context(), k.Kind, auth.Credentials{Identity: identity, Password: password, Unlock: unlock}, a.clientOf(c, k))
	if err != nil {
		a.emitRefused(c, event.Event{Type: event.LoginRefused, Kind: k.Name, Subject: p.Subject}, err)
		return err
	}
	a.emit(c, eventOf(p, event.Login, k))
	return c.JSON(a.respondNewSession(c, k, p, LoginOptions{Transport: transport}))
}

// handleRefresh returns the new tokens in the way that the refresh token was sent: in the
// body or in cookies. Otherwise a script could turn a session in cookies into tokens that
// it can read.
func (a *Auth) handleRefresh(c fiber.Ctx, k *kind) error {
	ctx, cancel := context.WithTimeout(c.Context(), a.refreshTimeout)
	defer cancel()
	raw, transport, err := a.presentedRefresh(ctx, c, k)
	var p auth.Pair
	if err == nil {
		p, err = a.service.Refresh(ctx, k.Kind, raw)
	}
	if err != nil {
		// Keep the cookies: another tab may have received a valid one by now.
		a.emitRefused(c, eventOf(p, event.RefreshRefused, k), err)
		return err
	}
	a.emit(c, eventOf(p, event.Refresh, k))
	return c.JSON(a.respondTokens(c, k, p, transport))
}

// handleExchange returns an access token and does not rotate the refresh token. It is for
// servers that receive a refresh token and cannot return a new one, such as a server that
// renders a page before the client in the browser runs. It does not read cookies, because a
// script in the browser could then read an access token in the response.
func (a *Auth) handleExchange(c fiber.Ctx, k *kind) error {
	body, err := readForm(c)
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	raw := body.required("refresh_token", wrong)
	if err := wrongFields(wrong); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), a.refreshTimeout)
	defer cancel()
	p, err := a.service.Exchange(ctx, k.Kind, raw)
	if err != nil {
		a.emitRefused(c, eventOf(p, event.RefreshRefused, k), err)
		return err
	}
	a.emit(c, eventOf(p, event.Exchange, k))
	return c.JSON(tokensOf(p))
}

// presentedRefresh returns the refresh token of the body or, if the body has none, of the
// cookie, and the transport for the response.
func (a *Auth) presentedRefresh(ctx context.Context, c fiber.Ctx, k *kind) (string, Transport, error) {
	raw, ok, err := a.refreshInBody(c)
	if ok || err != nil {
		return raw, TransportBody, err
	}
	raw, err = a.refreshCookie(ctx, c, k)
	return raw, TransportCookie, err
}

// refreshInBody returns the refresh token of the body; ok is false if there is none. The
// body may be empty.
func (a *Auth) refreshInBody(c fiber.Ctx) (raw string, ok bool, err error) {
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
		err = wrongFields(map[string]string{"refresh_token": "is accepted only as a cookie"})
	}
	return raw, err == nil, err
}

// handleLogout ends the session of the access token or the refresh token. Both may have
// expired. Without Config.OnEvent, it saves the query that finds out whether the session was
// still active.
func (a *Auth) handleLogout(c fiber.Ctx, k *kind) error {
	return a.endSessions(c, k, event.Logout, func(sid []byte) (bool, error) {
		if a.onEvent == nil {
			return a.service.Sessions.Revoke(c.Context(), sid, k.Name, "", a.now().UnixMilli())
		}
		return a.service.Sessions.RevokeLiving(c.Context(), sid, k.Name, a.now().UnixMilli())
	})
}

// handleLogoutAll ends every session of the account, if the session of the request is still
// active.
func (a *Auth) handleLogoutAll(c fiber.Ctx, k *kind) error {
	return a.endSessions(c, k, event.LogoutAll, func(sid []byte) (bool, error) {
		return a.service.EndAll(c.Context(), k.Kind, sid)
	})
}

// endSessions calls end for each session that the request belongs to, and clears the
// cookies. It does not clear them if the request comes from another site; such a request
// gets here only if it has no cookies. A request without any session is answered 204 too.
func (a *Auth) endSessions(c fiber.Ctx, k *kind, what event.Type, end func(sid []byte) (ended bool, err error)) error {
	leaving, err := a.sessionsToEnd(c, k)
	if err != nil {
		return err
	}
	for _, p := range leaving {
		if p.SID == nil && what == event.LogoutAll {
			return errNoSession // a 204 would claim that the sessions of another issuer have ended
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

// handleMe returns the account as JSON.
func (a *Auth) handleMe(c fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	entity, err := k.entity(c, s.Account)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, jsonType)
	return c.Send(entity)
}

// handleSessions lists the active sessions of the account.
func (a *Auth) handleSessions(c fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	infos, err := a.listSessions(c.Context(), k.Name, s.Subject)
	if err != nil {
		return err
	}
	for i := range infos {
		infos[i].Current = infos[i].ID == s.ID
	}
	return c.JSON(infos)
}

// handleEndSession ends one session of the account, which the path names.
func (a *Auth) handleEndSession(c fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	sid, ok := session.ParseID(c.Params("id"))
	if !ok {
		return ErrNotFound
	}
	found, err := a.service.Sessions.Revoke(c.Context(), sid, k.Name, s.Subject, a.now().UnixMilli())
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
func (a *Auth) handlePassword(c fiber.Ctx, k *kind) error {
	s, err := a.signedIn(c, k)
	if err != nil {
		return err
	}
	if s.sid == nil { // the token is from another issuer, which has the password
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
	name, err := a.service.ChangePassword(c.Context(), k.Kind, s.verified(), current, password, a.clientOf(c, k))
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

// signedIn authenticates a request to a built-in route and returns its session of the kind
// k. The routes are registered above the middleware, so this is not done yet. It does not
// read the cookies of other kinds.
func (a *Auth) signedIn(c fiber.Ctx, k *kind) (*Session, error) {
	r := request{auth: a}
	if err := r.authenticate(c, []*kind{k}); err != nil {
		return nil, err
	}
	if s := r.session(k.Name); s != nil {
		return s, nil
	}
	err := r.missing(k.Name)
	if len(r.sessions) > 0 {
		a.emitDenied(c, r.sessions[0], err)
	}
	return nil, err
}

// sessionsToEnd returns the sessions that a logout request belongs to. These are the
// sessions of the cookies, and the session of an access token, which may have expired. If
// there is no access token with a session, the session of the refresh token in the body is
// used. The list is empty if the request has no token.
//
// A token of another issuer has no session that can be ended. A pair without SID stands for
// such a token, if the request belongs to no session.
func (a *Auth) sessionsToEnd(c fiber.Ctx, k *kind) ([]auth.Pair, error) {
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

// sessionOfAccessToken returns the session of the first valid access token that has one in
// the store. If no token has one, who is empty, and ok says whether there was a valid token.
func (a *Auth) sessionOfAccessToken(c fiber.Ctx, k *kind) (who auth.Pair, ok bool, err error) {
	found, err := a.extractor.find(nil, c, []*kind{k})
	if err != nil && refusal(err).Status != fiber.StatusUnauthorized {
		return auth.Pair{}, false, err
	}
	for _, presented := range found {
		if presented.problem != nil {
			continue
		}
		if presented.source == sourceCookie { // a cookie with any name, not only with the kind's
			if err := a.checkUnsafeOrigin(c); err != nil {
				return auth.Pair{}, false, err
			}
		}
		p, found := a.service.HeldSession(c.Context(), k.Kind, presented.token)
		if p.SID != nil {
			return p, true, nil
		}
		ok = ok || found
	}
	return auth.Pair{}, ok, nil
}

// sessionsInCookies returns the sessions of the cookies of a kind. The access cookie and the
// refresh cookie may belong to different sessions, for two reasons. Usually browsers send
// the refresh cookie to the built-in routes only. And a late response can restore an older
// value of either cookie.
func (a *Auth) sessionsInCookies(c fiber.Ctx, k *kind) (held []auth.Pair) {
	if access, _ := cookieValue(c, k.cookies.access); access != "" {
		if p, _ := a.service.HeldSession(c.Context(), k.Kind, access); p.SID != nil {
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

// addSession appends p to held, unless held has its session already.
func addSession(held []auth.Pair, p auth.Pair) []auth.Pair {
	if slices.ContainsFunc(held, func(other auth.Pair) bool { return bytes.Equal(other.SID, p.SID) }) {
		return held
	}
	return append(held, p)
}

// address returns the address of the client, or "" if it is not known.
func address(c fiber.Ctx) string {
	if ip, ok := clientAddress(c); ok {
		return ip.String()
	}
	return ""
}

// networkOf returns the Place of a request with the fields that follow from the address of
// the client. It is empty if the address is not known. All such clients then share one limit
// of failed sign-ins, and none is recognized by its network.
func (a *Auth) networkOf(c fiber.Ctx) throttle.Place {
	ip, ok := clientAddress(c)
	if !ok {
		a.logs.noAddress(c)
		return throttle.Place{}
	}
	return throttle.Place{Network: clientip.Network(ip), Site: clientip.Site(ip)}
}

// clientOf returns what is known about the client that sent a sign-in request.
func (a *Auth) clientOf(c fiber.Ctx, k *kind) auth.Client {
	return auth.Client{Address: address(c), Agent: agent(c), Network: a.networkOf(c), Device: k.device(c)}
}
