// Code generated from ../../../test/api/ticket_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/legacy"
)

// newTicketWorld has films for users, and a route that issues tickets:
// /ticket?path=…&ttl=…&kind=….
func newTicketWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*fiberjwt.Config){func(cfg *fiberjwt.Config) {
		cfg.Extractor = fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie(""), fiberjwt.FromTicket("ticket"))
	}}, configure...)...)
	film := fiberjwt.As(func(c fiber.Ctx, u *User) error { return c.SendString(u.Email + " " + c.Params("id")) })
	w.app.Get("/films/:id", film)
	w.app.Post("/films/:id", film)
	w.app.Get("/fresh/films", fiberjwt.Fresh(24*time.Hour), func(c fiber.Ctx) error { return c.SendString("fresh") })
	w.app.Get("/ticket", func(c fiber.Ctx) error {
		ttl, _ := time.ParseDuration(c.Query("ttl"))
		ticket, err := fiberjwt.Ticket(c, c.Query("path"), ttl, strings.Split(c.Query("kind", "users"), ",")...)
		if err != nil {
			return err
		}
		return c.SendString(ticket)
	})
	return w
}

func (w *world) ticket(access, path, ttl string) string {
	w.t.Helper()
	a := w.get("/ticket?ttl="+ttl+"&path="+url.QueryEscape(path), access)
	require.Equal(w.t, 200, a.Status, a.Body)
	return a.Body
}

func TestTicketOpensOnePathForReading(t *testing.T) {
	w := newTicketWorld(t)
	access := w.register("users", "ann@example.com").Access
	ticket := w.ticket(access, "/films/7.mp4", "")
	require.Regexp(t, `^fjt_[A-Za-z0-9_-]{80,120}$`, ticket)

	a := w.do("GET", "/films/7.mp4?t=30&ticket="+ticket, "")
	require.Equal(t, 200, a.Status, a.Body)
	require.Equal(t, "ann@example.com 7.mp4", a.Body)
	require.Equal(t, "private, no-store", a.Header.Get("Cache-Control"))
	require.Equal(t, "no-referrer", a.Header.Get("Referrer-Policy"))
	require.Equal(t, 200, w.do("HEAD", "/films/7.mp4?ticket="+ticket, "").Status)

	for _, other := range []string{"/films/8.mp4", "/films/7.MP4", "/films/7.mp4/", "//films/7.mp4", "/films/7%2Emp4", "/any", "/auth/users/me", "/auth/users/sessions"} {
		a := w.do("GET", other+"?ticket="+ticket, "")
		require.Equal(t, 401, a.Status, other)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		require.Equal(t, "no-referrer", a.Header.Get("Referrer-Policy"))
	}
	require.Equal(t, "no_token", w.do("POST", "/films/7.mp4?ticket="+ticket, "").Code(t), "a ticket must not allow another method")
}

func TestTicketsAndOtherTokensAreNotInterchangeable(t *testing.T) {
	w := newTicketWorld(t)
	ann := w.register("users", "ann@example.com")
	ticket := w.ticket(ann.Access, "/films/7.mp4", "")
	require.Equal(t, "invalid_token", w.get("/films/7.mp4", ticket).Code(t))
	require.Equal(t, "invalid_token", w.do("GET", "/films/7.mp4", "", "Cookie", "__Host-Http-users="+ticket).Code(t))
	require.Equal(t, "session_ended", w.refresh("users", ticket).Code(t))
	_, err := w.auth.Verify(t.Context(), ticket)
	require.ErrorIs(t, err, fiberjwt.ErrTokenMalformed)
	_, err = confirm.Check(t.Context(), w.auth, ticket)
	require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
	once, err := confirm.Token(w.auth, stored[User](w))
	require.NoError(t, err)
	for _, other := range []string{ann.Access, ann.Refresh, once} {
		require.Equal(t, "invalid_token", w.do("GET", "/films/7.mp4?ticket="+other, "").Code(t))
	}
	without := newWorld(t, func(cfg *fiberjwt.Config) { cfg.DB, cfg.Now = w.db, w.clock.Now })
	require.Equal(t, "no_token", without.do("GET", "/any?ticket="+ticket, "").Code(t), "a ticket must be ignored unless Config.Extractor reads it")
}

func TestTicketIsCheckedLikeAccessToken(t *testing.T) {
	for name, end := range map[string]func(*world, string){
		"logout": func(w *world, access string) {
			require.Equal(w.t, 204, w.do("POST", "/auth/users/logout", "", "Authorization", "Bearer "+access).Status)
		},
		"the account was deleted": func(w *world, _ string) {
			_, err := w.db.NewDelete().Model((*User)(nil)).Where("id = 1").Exec(context.Background())
			require.NoError(w.t, err)
		},
		"Allow refuses": func(w *world, _ string) {
			_, err := w.db.NewUpdate().Model((*User)(nil)).Set("disabled = ?", true).Where("id = 1").Exec(context.Background())
			require.NoError(w.t, err)
		},
		"the ticket expired": func(w *world, _ string) { w.clock.Advance(5 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTicketWorld(t, func(cfg *fiberjwt.Config) {
				cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User], Allow: func(_ context.Context, u *User) error {
					if u.Disabled {
						return fiberjwt.ErrForbidden
					}
					return nil
				}}}
			})
			access := w.register("users", "ann@example.com").Access
			ticket := w.ticket(access, "/films/7.mp4", "")
			w.clock.Advance(4*time.Minute + 59*time.Second)
			require.Equal(t, 200, w.do("GET", "/films/7.mp4?ticket="+ticket, "").Status)
			w.clock.Advance(-4*time.Minute - 59*time.Second)
			end(w, access)
			require.Equal(t, "invalid_token", w.do("GET", "/films/7.mp4?ticket="+ticket, "").Code(t))
		})
	}
}

func TestTicketOutlivesItsAccessToken(t *testing.T) {
	w := newTicketWorld(t)
	ticket := w.ticket(w.register("users", "ann@example.com").Access, "/films/7.mp4", "3h")
	w.clock.Advance(2 * time.Hour)
	require.Equal(t, 200, w.do("GET", "/films/7.mp4?ticket="+ticket, "").Status, "the ticket must be valid for its own TTL")
}

func TestTicketIsNeverFreshAndCannotBeExtended(t *testing.T) {
	w := newTicketWorld(t)
	access := w.register("users", "ann@example.com").Access
	ticket := w.ticket(access, "/fresh/films", "")
	require.Equal(t, 200, w.get("/fresh/films", access).Status)
	require.Equal(t, "insufficient_user_authentication", w.do("GET", "/fresh/films?ticket="+ticket, "").Code(t))

	playlist := w.ticket(access, "/ticket", "10m")
	w.clock.Advance(9 * time.Minute)
	a := w.do("GET", "/ticket?ttl=1h&path=/films/7.mp4&ticket="+playlist, "")
	require.Equal(t, 200, a.Status, a.Body)
	part := a.Body
	require.Equal(t, 200, w.do("GET", "/films/7.mp4?ticket="+part, "").Status)
	w.clock.Advance(time.Minute)
	require.Equal(t, 401, w.do("GET", "/films/7.mp4?ticket="+part, "").Status)
}

func TestTicketWithFlippedBitIsRefused(t *testing.T) {
	w := newTicketWorld(t)
	ticket := w.ticket(w.register("users", "ann@example.com").Access, "/films/7.mp4", "")
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(ticket, "fjt_"))
	require.NoError(t, err)
	queries := &contextChecker{}
	w.db.AddQueryHook(queries)
	for bit := range 8 * len(raw) {
		raw[bit/8] ^= 1 << (bit % 8)
		a := w.do("GET", "/films/7.mp4?ticket=fjt_"+base64.RawURLEncoding.EncodeToString(raw), "")
		require.Equal(t, 401, a.Status, "bit %d", bit)
		raw[bit/8] ^= 1 << (bit % 8)
	}
	require.Empty(t, queries.without, "a forged ticket must not cause a query")
	require.Equal(t, 400, w.do("GET", "/films/7.mp4?ticket="+ticket+"&ticket=fjt_other", "").Status)
}

func TestSessionSourceNamesTicket(t *testing.T) {
	w := newTicketWorld(t)
	w.app.Get("/source", func(c fiber.Ctx) error {
		s, _ := fiberjwt.SessionOf(c)
		var claim string
		return c.SendString(fmt.Sprint(s.Source, " ", s.Kind, " ", s.Subject, " ", s.AuthTime.IsZero(), " ", s.Claim("sub", &claim)))
	})
	ticket := w.ticket(w.register("users", "ann@example.com").Access, "/source", "")
	require.Equal(t, "ticket users 1 true false", w.do("GET", "/source?ticket="+ticket, "").Body)
}

func TestTicketRefusesInvalidArguments(t *testing.T) {
	w := newTicketWorld(t)
	access := w.register("users", "ann@example.com").Access
	for query, status := range map[string]int{
		"path=films":                  500,
		"path=":                       500,
		"path=/films/7&ttl=25h":       500,
		"path=/films/7&ttl=-1s":       500,
		"path=/films/7%3Fq=1":         500,
		"path=/films/7%23x":           500,
		"path=/films/%C3%B6":          500,
		"path=/films/a%20b":           500,
		"path=/films%5C7":             500,
		"path=/films/7&kind=pupils":   401,
		"path=/films/7&kind=teachers": 401,
	} {
		require.Equal(t, status, w.get("/ticket?"+query, access).Status, query)
	}
	require.Equal(t, 200, w.get("/ticket?path=/films/7&ttl=24h", access).Status)
	require.Equal(t, 200, w.get("/ticket?path=/films/7&kind=teachers,users", access).Status)
	require.Equal(t, 200, w.do("GET", "/films/%C3%B6?ticket="+w.ticket(access, "/films/%C3%B6", ""), "").Status)

	unread := newTicketWorld(t, func(cfg *fiberjwt.Config) { cfg.Extractor = fiberjwt.FromAuthHeader("Bearer") })
	require.Equal(t, 500, unread.get("/ticket?path=/films/7", unread.register("users", "ann@example.com").Access).Status)
}

// Nor is it logged: a client with an old token could fill the log.
func TestOldTokenGetsNoTicket(t *testing.T) {
	w := newTicketWorld(t, func(cfg *fiberjwt.Config) {
		cfg.OldTokens = legacy.Tokens{Secret: []byte(oldSecret), Until: cfg.Now().Add(time.Hour), Kind: "users"}
	})
	w.register("users", "ann@example.com")
	a := w.get("/ticket?path=/films/7", oldToken(fmt.Sprintf(`{"sub":"1","exp":%d}`, w.unixIn(time.Minute))))
	require.Equal(t, 403, a.Status, a.Body)
	require.Empty(t, w.log.String())
}

// FuzzSealedBytes gives arbitrary bytes a valid tag. They must be refused without an
// error of the server.
func FuzzSealedBytes(f *testing.F) {
	var queries queryCounter
	w, _ := newFuzzWorld(f, &queries)
	mint := outsider{testSecret}
	head := "\x01" + string(mint.derive("fiberjwt/v1/id", 6)[:1])
	f.Add([]byte(head+strings.Repeat("\x00", 5+32)+"\x05users1"), true)
	f.Add([]byte(head+"\x00\xff\xff\xff\xff"+strings.Repeat("x", 32)+"\xffusers1"), true)
	f.Add([]byte(head+"\x00\xff\xff\xff\xff"+strings.Repeat("x", 32)+"\x05users"+strings.Repeat("1", 300)), true)
	f.Add([]byte(head+"\x00\xff\xff\xff\xff"+strings.Repeat("x", 32)+"\x05users1"), false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, body []byte, ticket bool) {
		w.t = t
		w.log.Reset()
		prefix, label := "fjo_", "fiberjwt/v1/once/users/confirm-email/fiberjwt"
		if ticket {
			prefix, label = "fjt_", "fiberjwt/v1/ticket/users/fiberjwt"
		}
		token := prefix + segment(string(append(body, tag(mint.derive(label, 32), body)...)))
		_, err := confirm.Redeem(t.Context(), w.auth, token)
		require.ErrorIs(t, err, fiberjwt.ErrOneTimeToken)
		require.Equal(t, 401, w.do("GET", "/any?ticket="+token, "").Status)
		require.Empty(t, w.log.String())
	})
}

func TestTicketHasDocumentedFormat(t *testing.T) {
	w := newTicketWorld(t)
	access := w.register("users", "ann@example.com").Access
	mint := outsider{testSecret}
	key := mint.derive("fiberjwt/v1/ticket/users/fiberjwt", 32)
	s, err := w.auth.Verify(t.Context(), access)
	require.NoError(t, err)
	sid, err := base64.RawURLEncoding.DecodeString(s.ID)
	require.NoError(t, err)
	expires := w.clock.Now().Add(time.Minute).Unix()
	body := append([]byte{1, mint.derive("fiberjwt/v1/id", 6)[0], 0, byte(expires >> 24), byte(expires >> 16), byte(expires >> 8), byte(expires)}, sid...)
	body = append(body, tag(key, []byte("\x00/films/7.mp4"))...)
	body = append(body, "\x05users1"...)
	ticket := "fjt_" + segment(string(append(body, tag(key, body)...)))
	require.Equal(t, "ann@example.com 7.mp4", w.do("GET", "/films/7.mp4?ticket="+ticket, "").Body)
}
