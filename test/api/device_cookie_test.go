package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

const deviceCookie = "__Secure-users-device"

// clientsWorld is an application with the user ann. It takes the address of a client from X-Real-IP.
func clientsWorld(t *testing.T, configure ...func(*fiberjwt.Config)) *world {
	t.Helper()
	w := quickWorld(t, append(configure, withoutRoutes)...)
	w.mounted(fiber.New(behindProxy("X-Real-IP")))
	w.addUser("ann@example.com")
	return w
}

// signInFrom sends the right password from an address. more are further members of the body, as name, value pairs.
func (w *world) signInFrom(address, identity string, more ...string) answer {
	w.t.Helper()
	return w.guess(address, identity, testPassword, more...)
}

// guess is signInFrom with any password.
func (w *world) guess(address, identity, password string, more ...string) answer {
	w.t.Helper()
	return w.do("POST", "/auth/users/login", loginBody(identity, password, more...), "X-Real-IP", address)
}

// loginBody is the body of a login. more are further members, as name, value pairs.
func loginBody(identity, password string, more ...string) string {
	body := strings.TrimSuffix(credentials("users", identity, password), "}")
	for i := 0; i < len(more); i += 2 {
		body += fmt.Sprintf(`,%q:%q`, more[i], more[i+1])
	}
	return body + "}"
}

// guessUntilThrottled guesses ann's password from ever new addresses until the library refuses three guesses in a row.
func (w *world) guessUntilThrottled() {
	w.t.Helper()
	for i, refused := 0, 0; refused < 3; i++ {
		a := w.guess(fmt.Sprintf("192.0.%d.%d", 2+i>>8, i&0xff), "ann@example.com", newPassword)
		if a.Status == 429 {
			refused++
			continue
		}
		requireRefusal(w.t, a, 401, "invalid_credentials")
		refused = 0
		w.clock.Advance(2 * time.Second)
	}
	requireRefusal(w.t, w.signInFrom("198.51.100.99", "ann@example.com"), 429, "rate_limited", "the throttle must also refuse the right password from an unknown address")
}

// enterFrom signs the browser in by cookie from an address.
func (b *browser) enterFrom(address, identity string) answer {
	b.w.t.Helper()
	return b.do("POST", "/auth/users/login", loginBody(identity, testPassword, "transport", "cookie"), "X-Real-IP", address)
}

func TestDeviceCookieIsSecureHttpOnlyAndStrict(t *testing.T) {
	w := clientsWorld(t)
	b := w.browser()
	require.Equal(t, 200, b.enterFrom("198.51.100.1", "ann@example.com").Status)
	cookie := b.mark[deviceCookie]
	require.NotNil(t, cookie)
	require.Equal(t, []any{"/auth/users", "", true, true, http.SameSiteStrictMode, 180 * 24 * 3600},
		[]any{cookie.Path, cookie.Domain, cookie.Secure, cookie.HttpOnly, cookie.SameSite, cookie.MaxAge})
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	require.NoError(t, err)
	require.NotContains(t, string(text), "ann@example.com")
	require.Equal(t, 204, b.do("POST", "/auth/users/logout", "").Status)
	require.Equal(t, cookie, b.mark[deviceCookie], "the device cookie must outlive the session")

	w = clientsWorld(t, func(cfg *fiberjwt.Config) { cfg.Cookie.Insecure = true })
	b = w.browser()
	require.Equal(t, 200, b.enterFrom("198.51.100.1", "ann@example.com").Status)
	require.NotNil(t, b.mark["users-device"])
	require.False(t, b.mark["users-device"].Secure)
}

func TestSignInWithoutCookiesSetsNoDeviceCookie(t *testing.T) {
	w := clientsWorld(t)
	require.Empty(t, w.signInFrom("198.51.100.1", "ann@example.com").Header.Values("Set-Cookie"))
}

func TestKnownBrowserSignsInDuringGuessingAttack(t *testing.T) {
	for name, enter := range map[string]func(*browser) answer{
		"by login":    func(b *browser) answer { return b.enterFrom("198.51.100.1", "ann@example.com") },
		"by Login[T]": func(b *browser) answer { return b.do("POST", "/oauth", "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := clientsWorld(t, func(cfg *fiberjwt.Config) { cfg.Public = []string{"POST /oauth"} })
			w.app.Post("/oauth", func(c *fiber.Ctx) error {
				_, err := fiberjwt.Login(c, stored[User](w), fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie})
				return err
			})
			known, unknown := w.browser(), w.browser()
			require.Equal(t, 200, enter(known).Status)
			w.guessUntilThrottled()
			for i := range 30 { // a new address each time, as a mobile device has
				require.Equal(t, 200, known.enterFrom(fmt.Sprintf("203.0.113.%d", i), "ann@example.com").Status)
				w.clock.Advance(time.Minute)
			}
			w.guessUntilThrottled()
			require.Equal(t, 429, unknown.enterFrom("203.0.113.100", "ann@example.com").Status)
		})
	}
}

func TestBrowserIsKnownAfterRegistering(t *testing.T) {
	w := clientsWorld(t)
	w.sql("DELETE FROM users")
	b := w.browser()
	b.register("users", "ann@example.com")
	w.guessUntilThrottled()
	require.Equal(t, 200, b.enterFrom("203.0.113.1", "ann@example.com").Status)
}

func TestStolenDeviceCookieIsThrottledSeparately(t *testing.T) {
	w := clientsWorld(t)
	b := w.browser()
	require.Equal(t, 200, b.enterFrom("198.51.100.1", "ann@example.com").Status)
	w.guessUntilThrottled()
	guess := func(i int) int {
		return b.do("POST", "/auth/users/login", loginBody("ann@example.com", newPassword), "X-Real-IP", fmt.Sprintf("203.0.113.%d", i)).Status
	}
	for i := range 5 {
		require.Equal(t, 401, guess(i))
	}
	require.Equal(t, 429, guess(5))
	require.Equal(t, 200, w.signInFrom("198.51.100.1", "ann@example.com").Status, "the owner must get in from a known address")
}

func TestDeviceCookieCoversOnlyItsAccounts(t *testing.T) {
	w := clientsWorld(t)
	w.addUser("bob@example.com")
	bobs := w.browser()
	require.Equal(t, 200, bobs.enterFrom("203.0.113.1", "bob@example.com").Status)
	w.guessUntilThrottled()
	require.Equal(t, 429, bobs.enterFrom("203.0.113.2", "ann@example.com").Status)

	good := bobs.mark[deviceCookie].Value
	for i := range good {
		forged := good[:i] + string(good[i]^1) + good[i+1:]
		bobs.mark[deviceCookie].Value = forged
		if bobs.enterFrom("203.0.113.3", "ann@example.com").Status != 429 {
			t.Fatalf("a device cookie was accepted although its byte %d was changed", i)
		}
	}
	for _, forged := range []string{"", "A", strings.Repeat("A", 3000), good + good, good[:len(good)-8], "%00", "=" + good} {
		bobs.mark[deviceCookie].Value = forged
		require.Equal(t, 429, bobs.enterFrom("203.0.113.4", "ann@example.com").Status, forged)
	}
}

func TestDeviceCookieRemembersSixAccounts(t *testing.T) {
	w := clientsWorld(t)
	shared := w.browser()
	require.Equal(t, 200, shared.enterFrom("203.0.113.1", "ann@example.com").Status)
	for i := range 6 {
		name := fmt.Sprintf("child%d@example.com", i)
		w.addUser(name)
		require.Equal(t, 200, shared.enterFrom("203.0.113.1", name).Status)
		known := shared.mark[deviceCookie].Value
		w.guessUntilThrottled()
		if i < 5 {
			require.Equal(t, 200, shared.enterFrom(fmt.Sprintf("203.0.113.%d", 10+i), "ann@example.com").Status, "%d accounts signed in after ann", i+1)
		} else {
			shared.mark[deviceCookie].Value = known
			require.Equal(t, 200, shared.enterFrom("203.0.113.16", name).Status)
		}
	}
	require.LessOrEqual(t, len(shared.mark[deviceCookie].Value), 160)
}

func TestDeviceCookieSurvivesSecretRotation(t *testing.T) {
	w := clientsWorld(t)
	b := w.browser()
	require.Equal(t, 200, b.enterFrom("198.51.100.1", "ann@example.com").Status)
	next := clientsWorld(t, func(cfg *fiberjwt.Config) {
		cfg.OldSecrets, cfg.Secret = []keys.Secret{cfg.Secret}, []byte("xQ3vL8mT1cY6rK0bW5nZ2hF9dS4gJ7pA")
	})
	next.guessUntilThrottled()
	b.w = next
	require.Equal(t, 200, b.enterFrom("203.0.113.1", "ann@example.com").Status)
	next.guessUntilThrottled()
	require.Equal(t, 200, b.enterFrom("203.0.113.2", "ann@example.com").Status, "the device cookie that the new secret issued must work")
}
