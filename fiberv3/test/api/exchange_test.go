// Code generated from ../../../test/api/exchange_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/event"
	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// exchange sends a refresh token to the route that returns an access token without rotation.
func (w *world) exchange(kind, token string) answer {
	w.t.Helper()
	return w.do("POST", "/auth/"+kind+"/token", `{"refresh_token":"`+token+`"}`)
}

// pagesWorld is an application with a page server, which gets the refresh cookie and exchanges its value.
func pagesWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	return quickWorld(t, append([]func(*fiberjwt.Config){withPages}, configure...)...)
}

func withPages(cfg *fiberjwt.Config) { cfg.Cookie.RefreshEverywhere = true }

func TestExchangeRouteNeedsRefreshEverywhere(t *testing.T) {
	w := quickWorld(t)
	w.addUser("ann@example.com")
	requireRefusal(t, w.exchange("users", w.enter("users", 1).Refresh), 404, "not_found")
	_, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret), Transports: []fiberjwt.Transport{fiberjwt.TransportBody},
		Cookie: fiberjwt.Cookie{RefreshEverywhere: true}})
	require.ErrorContains(t, err, "Config.Cookie.RefreshEverywhere")
}

// sessionRow returns all columns that describe the state of the only session.
func (w *world) sessionRow() string {
	w.t.Helper()
	return w.text(`SELECT gen || '|' || prev || '|' || issued || '|' || idle_until || '|' || ends || '|' || coalesce(revoked, '') || '|' || auth_time FROM fiberjwt_sessions`)
}

func TestExchangeIssuesAccessTokenWithoutRotation(t *testing.T) {
	w := pagesWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	row, proved := w.sessionRow(), w.clock.Now().Unix()
	for range 4 {
		w.clock.Advance(20 * time.Minute) // a refresh would rotate
		a := w.exchange("users", pair.Refresh)
		require.Equal(t, 200, a.Status, a.Body)
		require.ElementsMatch(t, []string{"access_token", "token_type", "expires_in"}, keysOf(a.JSON(t)))
		require.Empty(t, a.Header.Values("Set-Cookie"))
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		access := w.tokensOf(a).Access
		require.Equal(t, 200, w.get("/users/me", access).Status)
		require.Contains(t, claimsOf(t, access).String(), fmt.Sprintf(`"auth_time":%d`, proved))
		require.Equal(t, row, w.sessionRow())
	}
	require.NotEmpty(t, w.tokensOf(w.refresh("users", pair.Refresh)).Refresh, "a refresh must still rotate the token after exchanges")
}

func TestExchangeDoesNotExtendSession(t *testing.T) {
	w := pagesWorld(t, func(cfg *fiberjwt.Config) {
		cfg.Entities[0] = fiberjwt.Entity[User]{AccessTTL: 20 * time.Minute, IdleTTL: time.Hour, SessionTTL: 70 * time.Minute}
	})
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	for range 3 {
		w.clock.Advance(19 * time.Minute)
		require.Equal(t, 200, w.exchange("users", pair.Refresh).Status)
	}
	w.clock.Advance(3*time.Minute - time.Millisecond)
	require.Equal(t, 200, w.exchange("users", pair.Refresh).Status, "the session ended too early")
	w.clock.Advance(time.Millisecond)
	requireRefusal(t, w.exchange("users", pair.Refresh), 401, "session_ended")

	pair = w.enter("users", 1)
	w.clock.Advance(55 * time.Minute)
	pair = w.tokensOf(w.refresh("users", pair.Refresh))
	expires := w.exchange("users", pair.Refresh).JSON(t)["expires_in"]
	require.EqualValues(t, 15*60, expires, "the access token must expire with its session")
}

func TestReplacedTokenIsExchangedOnlyInGracePeriod(t *testing.T) {
	w := pagesWorld(t)
	w.addUser("ann@example.com")
	parent := w.enter("users", 1).Refresh
	w.clock.Advance(20 * time.Minute)
	child := w.tokensOf(w.refresh("users", parent)).Refresh
	row := w.sessionRow()
	for _, age := range []time.Duration{0, 29 * time.Second, 31 * time.Second, time.Minute - time.Millisecond} {
		a := w.at(age, func() answer { return w.exchange("users", parent) })
		require.Equal(t, 200, a.Status, "%v: %s", age, a.Body)
	}
	w.clock.Advance(time.Minute)
	for range 3 {
		a := w.exchange("users", parent)
		requireRefusal(t, a, 401, "refresh_required")
		require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
	}
	require.Equal(t, row, w.sessionRow(), "an exchange must not change the session")
	require.Equal(t, 200, w.exchange("users", child).Status)
	require.NotEmpty(t, w.tokensOf(w.refresh("users", parent)).Refresh, "a client that lost the response to its refresh must still get the new token")
}

// at sends one request with the clock moved by d.
func (w *world) at(d time.Duration, send func() answer) answer {
	w.clock.Advance(d)
	defer w.clock.Advance(-d)
	return send()
}

func TestExchangeOfReusedTokenEndsSession(t *testing.T) {
	var seen eventRecorder
	w := pagesWorld(t, seen.listen)
	w.addUser("ann@example.com")
	first := w.enter("users", 1)
	latest := first
	for range 2 {
		w.clock.Advance(20 * time.Minute)
		latest = w.tokensOf(w.refresh("users", latest.Refresh))
	}
	seen.take()
	a := w.exchange("users", first.Refresh)
	requireRefusal(t, a, 401, "session_revoked")
	require.Equal(t, event.Reuse, seen.one(t, a).Type)
	require.Equal(t, 401, w.get("/users/me", latest.Access).Status)
	requireRefusal(t, w.exchange("users", latest.Refresh), 401, "session_revoked", "an exchange must be refused like a refresh")
	requireRefusal(t, w.refresh("users", latest.Refresh), 401, "session_revoked")
}

func TestExchangeWorksAfterStoreLostRotation(t *testing.T) {
	w := pagesWorld(t)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	w.clock.Advance(20 * time.Minute)
	child := w.tokensOf(w.refresh("users", pair.Refresh)).Refresh
	w.sql(`UPDATE fiberjwt_sessions SET gen = 0, prev = -1`) // as after a failover that lost the rotation
	row := w.sessionRow()
	require.Equal(t, 200, w.exchange("users", child).Status)
	require.Equal(t, row, w.sessionRow(), "only a refresh may repair the row")
}

func TestExchangeChecksSessionAccountAndAllow(t *testing.T) {
	for name, end := range map[string]func(w *world, p tokens){
		"after a logout":       func(w *world, p tokens) { w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+p.Access) },
		"of a deleted account": func(w *world, _ tokens) { w.sql(`DELETE FROM users`) },
		"of a banned account":  func(w *world, _ tokens) { w.sql(`UPDATE users SET full_name = 'banned'`) },
	} {
		w := pagesWorld(t, func(cfg *fiberjwt.Config) {
			cfg.Entities[0] = fiberjwt.Entity[User]{Allow: func(_ context.Context, u *User) error {
				if u.FullName == "banned" {
					return fiberjwt.ErrForbidden
				}
				return nil
			}}
		})
		w.addUser("ann@example.com")
		pair := w.enter("users", 1)
		require.Equal(t, 200, w.exchange("users", pair.Refresh).Status, name)
		end(w, pair)
		requireRefusal(t, w.exchange("users", pair.Refresh), 401, "session_ended", name)
	}
}

// A script on the page can send the cookies, and must not be able to read a token in the response.
func TestExchangeIgnoresCookies(t *testing.T) {
	w := pagesWorld(t, func(cfg *fiberjwt.Config) { cfg.Transports = []fiberjwt.Transport{fiberjwt.TransportCookie} })
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	refresh := b.jar[userCookie+".refresh"].Value
	for _, site := range []string{"same-origin", "none", "cross-site", ""} {
		b.site = site
		for body, status := range map[string]int{"": 415, "{}": 422, `{"refresh_token":null}`: 422, `{"refresh_token":""}`: 401} {
			a := b.do("POST", "/auth/users/token", body)
			require.Equal(t, status, a.Status, "%q %q: %s", site, body, a.Body)
			require.NotContains(t, a.Body, "access_token")
			require.Empty(t, a.Header.Values("Set-Cookie"))
		}
	}
	require.Equal(t, 200, w.exchange("users", refresh).Status, "a page server sends the value of the cookie in the body")
}

func TestExchangeOfForgedTokenCostsNoQuery(t *testing.T) {
	watched := &queries{}
	w := pagesWorld(t, watched.watch)
	w.addUser("ann@example.com")
	w.addTeacher("ann")
	pair, teacher := w.enter("users", 1), w.enter("teachers", 1)
	watched.reset()
	for name, token := range map[string]string{
		"a forged tag":            pair.Refresh[:len(pair.Refresh)-14] + strings.Repeat("A", 14),
		"a token of another kind": teacher.Refresh,
		"an access token":         pair.Access,
		"an empty token":          "",
	} {
		requireRefusal(t, w.exchange("users", token), 401, "session_ended", name)
		require.Zero(t, watched.reset(), "%s cost a query", name)
	}
	require.Equal(t, 200, w.exchange("users", pair.Refresh).Status)
	require.EqualValues(t, 2, watched.reset(), "a valid exchange must read the session and the account, and no more")
}

func TestExchangeEmitsExchangeEvent(t *testing.T) {
	var seen eventRecorder
	w := pagesWorld(t, seen.listen)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	id := w.onlySession("users", "1").ID
	seen.take()
	a := w.exchange("users", pair.Refresh)
	require.Equal(t, event.Event{Type: event.Exchange, Kind: "users", Subject: "1", SessionID: id, Address: "0.0.0.0"}, seen.one(t, a))
	a = w.exchange("users", "fjr_nonsense")
	require.Equal(t, event.Event{Type: event.RefreshRefused, Kind: "users", Reason: "session_ended", Address: "0.0.0.0"}, seen.one(t, a))
	w.clock.Advance(20 * time.Minute)
	w.refresh("users", pair.Refresh)
	w.clock.Advance(time.Minute)
	seen.take()
	a = w.exchange("users", pair.Refresh)
	require.Equal(t, event.Event{Type: event.RefreshRefused, Kind: "users", Subject: "1", SessionID: id, Reason: "refresh_required", Address: "0.0.0.0"}, seen.one(t, a))
}

// With RefreshEverywhere, a page server gets the refresh cookie with each request, and can call the API although the access
// token has expired.
func TestPageServerExchangesBrowserCookie(t *testing.T) {
	w := pagesWorld(t)
	w.addUser("ann@example.com")
	b := w.browser()
	b.enter("users", 1)
	w.clock.Advance(11 * time.Minute)
	require.Equal(t, 401, b.do("GET", "/users/me", "").Status)
	require.Equal(t, "/", b.jar[userCookie+".refresh"].Path, "the browser must send the refresh cookie to every page")
	access := w.tokensOf(w.exchange("users", b.jar[userCookie+".refresh"].Value)).Access
	require.Equal(t, 200, w.get("/users/me", access).Status)

	require.Equal(t, 200, b.do("POST", "/auth/users/refresh", "").Status, "the refresh token of the browser must still be valid")
	require.Equal(t, 200, b.do("GET", "/users/me", "").Status)
}

func TestRefreshEverywhereSetsRootCookiePath(t *testing.T) {
	for name, test := range map[string]struct {
		insecure bool
		prefix   string
	}{"secure": {false, "__Host-Http-"}, "insecure": {true, ""}} {
		w := quickWorld(t, func(cfg *fiberjwt.Config) {
			cfg.Cookie = fiberjwt.Cookie{RefreshEverywhere: true, Insecure: test.insecure}
		})
		w.addUser("ann@example.com")
		w.addTeacher("bob")
		user, teacher := w.browser(), w.browser()
		teacher.jar = user.jar
		user.enter("users", 1)
		teacher.enter("teachers", 1)
		for _, kind := range []string{"users", "teachers"} {
			cookie := user.jar[test.prefix+kind+".refresh"]
			require.NotNil(t, cookie, name)
			require.Equal(t, []any{"/", "", http.SameSiteStrictMode, !test.insecure, true},
				[]any{cookie.Path, cookie.Domain, cookie.SameSite, cookie.Secure, cookie.HttpOnly}, name)
		}
		w.clock.Advance(20 * time.Minute)
		require.Equal(t, 200, user.do("POST", "/auth/users/refresh", "").Status)
		require.Equal(t, 204, user.do("POST", "/auth/users/logout", "").Status)
		require.ElementsMatch(t, []string{test.prefix + "teachers", test.prefix + "teachers.refresh"}, slices.Collect(maps.Keys(user.jar)), "the cookies of the other kind must stay")
		require.Equal(t, 200, user.do("POST", "/auth/teachers/refresh", "").Status)
		require.Equal(t, 200, user.do("GET", "/teachers/me", "").Status)
	}
}

func TestExchangeGets503IfStoreFails(t *testing.T) {
	w, f := troubledWorld(t, withPages)
	w.addUser("ann@example.com")
	pair := w.enter("users", 1)
	f.set(errors.New("marker: connection refused"), false, "")
	a := w.exchange("users", pair.Refresh)
	requireRefusal(t, a, 503, "temporarily_unavailable")
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	f.set(nil, false, "")
	require.Equal(t, 200, w.exchange("users", pair.Refresh).Status)
}
