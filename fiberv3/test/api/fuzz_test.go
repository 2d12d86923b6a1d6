// Code generated from ../../../test/api/fuzz_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// The fuzz targets check what must hold for every input: without a valid token no request is accepted, no response is 5xx,
// every 401 has a challenge, and no response contains a part of the token. The other tests run only the seeds.

// newFuzzWorld is a small world for a fuzz target, in which ann is signed in. Her tokens are the same in every process of
// the fuzzer.
func newFuzzWorld(f *testing.F, queries *queryCounter) (w *world, ann tokens) {
	f.Helper()
	ctx := context.Background()
	conn, err := sql.Open("sqlite3", "file:"+filepath.Join(f.TempDir(), "fuzz.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	require.NoError(f, err)
	db := bun.NewDB(conn, sqlitedialect.New()).WithQueryHook(queries)
	f.Cleanup(func() { require.NoError(f, db.Close()) })
	_, err = db.NewCreateTable().Model((*User)(nil)).Exec(ctx)
	require.NoError(f, err)
	require.NoError(f, fiberjwt.Migrate(ctx, db))
	_, err = db.NewInsert().Model(&User{Email: "ann@example.com", PasswordHash: "none"}).Exec(ctx)
	require.NoError(f, err)
	rid := []byte("twenty bytes of rid.")
	_, err = db.ExecContext(ctx, `INSERT INTO fiberjwt_sessions
		(sid, kind, subject, gen, prev, issued, idle_until, ends, auth_time, created, address, agent)
		VALUES (?, 'users', '1', 0, -1, ?, ?, ?, ?, ?, '', '')`, sum(rid)[:16], noon*1000, (noon+86400)*1000, (noon+86400)*1000, noon*1000, noon*1000)
	require.NoError(f, err)

	w = &world{db: db, clock: &clock{now: time.Unix(noon, 0).UTC()}, log: &bytes.Buffer{}}
	w.app = fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	w.auth, err = fiberjwt.Open(fiberjwt.Config{
		DB: db, Secret: []byte(testSecret), Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{}}, Routes: w.app.Group("/auth"),
		Extractor: fiberjwt.Chain(fiberjwt.FromAuthHeader("Bearer"), fiberjwt.FromCookie(""), fiberjwt.FromTicket("ticket")),
		Now:       w.clock.Now, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		ReadTimeout: patience, WriteTimeout: patience,
	})
	require.NoError(f, err)
	w.app.Use(w.auth.Handler())
	w.app.Get("/any", fiberjwt.As(func(c fiber.Ctx, _ *User) error { return c.SendString("users:1") }))

	mint := outsider{testSecret}
	ann.Access = mint.token("users", plainClaims("users", "1").set("sid", `"`+segment(string(sum(rid)[:16]))+`"`).String())
	head := append([]byte{1, mint.derive("fiberjwt/v1/id", 6)[0], sum([]byte("fiberjwt/v1/kind/users"))[0], 0, 0, 0, 0, 0}, rid...)
	ann.Refresh = "fjr_" + segment(string(append(head, tag(mint.derive("fiberjwt/v1/refresh/users", 32), head)...)))
	return w, ann
}

// seedTokens returns variants of a valid token: all hostile payloads, headers and forms of the tables.
func seedTokens(f *testing.F, good string) (seeds []string) {
	f.Helper()
	mint, claims, parts := outsider{testSecret}, claimsOf(f, good), strings.Split(good, ".")
	for _, test := range hostilePayloads {
		seeds = append(seeds, mint.token("users", test.payload(claims)))
	}
	for _, test := range hostileHeaders {
		seeds = append(seeds, mint.sign(mint.key("users"), test.header(mint.header("users")), claims.String()))
	}
	for _, test := range append(hostileForms, formsForVerifyOnly[:len(formsForVerifyOnly)-2]...) {
		seeds = append(seeds, test.form(parts[0], parts[1], parts[2]))
	}
	return seeds
}

func FuzzAccessToken(f *testing.F) {
	w, ann := newFuzzWorld(f, &queryCounter{})
	verifier := newVerifier(f, func(cfg *fiberjwt.Config) { cfg.Now = w.clock.Now })
	// Some seeds are valid. No other input may be.
	good := map[*fiberjwt.Auth]map[string]bool{w.auth: {}, verifier.auth: {}}
	seeds := append(seedTokens(f, ann.Access), ann.Access, outsider{testSecret}.token("robots", plainClaims("robots", "1").String()))
	for _, token := range seeds {
		f.Add(token)
		for auth, known := range good {
			_, err := auth.Verify(context.Background(), token)
			known[token] = err == nil
		}
	}
	require.True(f, good[w.auth][ann.Access])
	require.True(f, good[verifier.auth][ann.Access])
	f.Fuzz(func(t *testing.T, token string) {
		for auth, known := range good {
			s, err := auth.Verify(context.Background(), token)
			if err == nil {
				require.True(t, known[token], "a forged token was accepted: %q", token)
				require.NotNil(t, s)
				continue
			}
			var refusal *fiberjwt.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, 401, refusal.Status, "%q: %v", token, err)
			require.Equal(t, "invalid_token", refusal.Code)
			for _, part := range strings.Split(token, ".") {
				if len(part) >= 16 {
					require.NotContains(t, err.Error(), part)
				}
			}
		}
		require.LessOrEqual(t, storedKeys(verifier.auth), 258, "the verifier must not keep keys for the kinds of all forged tokens")
	})
}

// FuzzSignedClaims signs the payload with the right key. encoding/json must read an accepted payload in the same way.
func FuzzSignedClaims(f *testing.F) {
	w := newVerifier(f)
	mint := outsider{testSecret}
	claims := plainClaims("users", "1")
	f.Add(claims.String())
	for _, test := range hostilePayloads {
		f.Add(test.payload(claims))
	}
	f.Fuzz(func(t *testing.T, payload string) {
		s, err := w.auth.Verify(context.Background(), mint.token("users", payload))
		if err != nil {
			var refusal *fiberjwt.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, 401, refusal.Status, "%q: %v", payload, err)
			return
		}
		require.True(t, utf8.ValidString(payload))
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(payload), &members), "%q", payload)
		for name, got := range map[string]string{"sub": s.Subject, "kind": s.Kind, "sid": s.ID, "jti": s.TokenID, "iss": "fiberjwt"} {
			var want string
			require.NoError(t, json.Unmarshal(members[name], &want))
			require.Equal(t, want, got, "%s of %q", name, payload)
			require.NotEmpty(t, got)
		}
		for name, got := range map[string]time.Time{"exp": s.ExpiresAt, "iat": s.IssuedAt, "auth_time": s.AuthTime} {
			want, err := strconv.ParseFloat(string(members[name]), 64)
			require.NoError(t, err, "%s of %q", name, payload)
			require.Equal(t, int64(want), got.Unix(), "%s of %q", name, payload)
		}
		require.Equal(t, "users", s.Kind)
		require.Greater(t, s.ExpiresAt.Unix()+5, int64(noon), "an expired token was accepted")
		require.LessOrEqual(t, s.ExpiresAt.Sub(s.IssuedAt), 24*time.Hour)
	})
}

// requireHarmless checks what must hold for every response. Only a header with the valid token may get 200.
func requireHarmless(t *testing.T, w *world, a answer, sent, good string) {
	t.Helper()
	require.Less(t, a.Status, 500, "%q: %s", sent, a.Body)
	require.NotContains(t, w.log.String(), "level=ERROR", "%q was logged as an error of the server", sent)
	if a.Status == 200 {
		require.Contains(t, sent, good, "%q was accepted", sent)
		require.Equal(t, "users:1", a.Body)
		return
	}
	require.NotContains(t, a.Body, "users:1")
	if a.Status == 401 {
		require.Regexp(t, `^Bearer( error="invalid_token")?$`, a.Header.Get("WWW-Authenticate"))
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	}
	require.Empty(t, a.Header.Get("Set-Cookie"))
	if !strings.HasPrefix(a.Body, `{"error"`) {
		return // the HTTP server could not parse the request, and answered it
	}
	require.Contains(t, []int{400, 401, 403}, a.Status)
	for _, part := range strings.FieldsFunc(sent, func(r rune) bool { return strings.ContainsRune(".; =,", r) }) {
		if len(part) >= 24 {
			require.NotContains(t, a.Body, part)
		}
	}
}

func FuzzAuthorizationHeader(f *testing.F) {
	w := newVerifier(f)
	good := outsider{testSecret}.token("users", plainClaims("users", "1").String())
	for _, token := range seedTokens(f, good) {
		if _, err := w.auth.Verify(context.Background(), token); err != nil { // some seeds are valid without accounts
			f.Add("Bearer " + token)
		}
	}
	for _, value := range []string{"Bearer " + good, "", "Bearer", "bearer ", "Basic x", "Bearer a b", "Bearer\t" + good, "Bearer " + good + ", Basic x", good, "Bearer  " + good, "\x00", "Bearer \xff"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\n") {
			return // a line feed ends the header
		}
		answers := raw(t, w.app, request("GET", "/any", "Authorization: "+value), getWith("/any", good))
		require.NotEmpty(t, answers)
		requireHarmless(t, w, answers[0], value, good)
		if len(answers) == 1 { // the server closed the connection, which only these statuses allow
			require.Contains(t, []int{400, 431}, answers[0].Status, "the server closed the connection after %q", value)
			answers = append(answers, raw(t, w.app, getWith("/any", good))...)
		}
		require.Equal(t, "users:1", answers[1].Body, "the request after %q got a wrong response", value)
	})
}

func FuzzCookieHeader(f *testing.F) {
	w, ann := newFuzzWorld(f, &queryCounter{})
	for _, token := range append(seedTokens(f, ann.Access), ann.Access, ann.Refresh) {
		f.Add("__Host-Http-users="+token, "same-origin", "")
	}
	good := "__Host-Http-users=" + ann.Access
	for _, value := range []string{"", ";", "=", "=;=", good + "; " + good, good + "; __Host-Http-users=x", "__Host-Http-users", `__Host-Http-users="` + ann.Access + `"`, good + "; $Version=1", strings.Repeat("a=b; ", 300) + good} {
		f.Add(value, "", "https://example.com")
		f.Add(value, "cross-site", "https://evil.example")
	}
	f.Fuzz(func(t *testing.T, cookie, site, origin string) {
		if strings.Contains(cookie+site+origin, "\n") {
			return
		}
		lines := []string{"Cookie: " + cookie, "Sec-Fetch-Site: " + site, "Origin: " + origin}
		answers := raw(t, w.app, request("GET", "/any", lines...), request("POST", "/any", append(lines, "Content-Length: 0")...))
		require.NotEmpty(t, answers)
		requireHarmless(t, w, answers[0], cookie, ann.Access)
		if len(answers) == 2 { // no route accepts POST, so this request must not succeed
			require.Contains(t, []int{400, 401, 403, 404, 405}, answers[1].Status, "%q, %q, %q", cookie, site, origin)
			require.Empty(t, answers[1].Header.Get("Set-Cookie"))
		}
	})
}

func FuzzRefreshToken(f *testing.F) {
	queries := &queryCounter{}
	w, ann := newFuzzWorld(f, queries)
	for _, token := range hostileRefreshTokens(ann.Refresh) {
		f.Add(token)
	}
	f.Add(ann.Refresh)
	f.Add(ann.Access)
	f.Fuzz(func(t *testing.T, token string) {
		body, err := json.Marshal(map[string]string{"refresh_token": token})
		require.NoError(t, err)
		before := queries.n.Load()
		text := "POST /auth/users/refresh HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + string(body)
		a := raw(t, w.app, text)
		require.Len(t, a, 1)
		requireRefreshHarmless(t, w, a[0], token, ann.Refresh, queries.n.Load()-before)

		// The same by cookie.
		if strings.ContainsAny(token, "\n") {
			return
		}
		byCookie := func(access, refresh string) []answer {
			return raw(t, w.app, request("POST", "/auth/users/refresh", "Cookie: "+userCookie+"="+access+"; "+refreshCookie+"="+refresh,
				"Sec-Fetch-Site: same-origin", "Content-Length: 0"))
		}
		for _, a := range byCookie(token, ann.Refresh) { // the access cookie only names the session, and may be anything
			require.Contains(t, []int{200, 400, 401, 413, 431}, a.Status, "%q: %s", token, a.Body)
		}
		before = queries.n.Load()
		a = byCookie(ann.Access, token)
		require.Len(t, a, 1)
		if !strings.Contains(token, ann.Refresh) { // the token may be the valid one, followed by a semicolon and other cookies
			requireRefreshHarmless(t, w, a[0], token, ann.Refresh, queries.n.Load()-before)
		}
	})
}

// requireRefreshHarmless checks the response to a refresh token. The token of ann is too new to be rotated, so it stays valid.
func requireRefreshHarmless(t *testing.T, w *world, a answer, token, good string, queries int64) {
	t.Helper()
	for line := range strings.Lines(w.log.String()) { // a changed key identifier causes a hint, once a minute
		require.Contains(t, line, "a refresh token is signed with a secret or key that this process does not have", "after %q", token)
	}
	if token == good {
		require.Equal(t, 200, a.Status, a.Body)
		return
	}
	require.Contains(t, []int{400, 401, 413}, a.Status, "%q: %s", token, a.Body)
	require.Zero(t, queries, "%q reached the database", token)
	require.Empty(t, a.Header.Get("Set-Cookie"))
	if a.Status == 401 {
		require.Equal(t, "Bearer", a.Header.Get("WWW-Authenticate"))
	}
	if len(token) >= 24 && strings.HasPrefix(a.Body, `{"error"`) {
		require.NotContains(t, a.Body, token)
	}
}

// FuzzDeviceCookie checks that only a cookie that the server issued makes a device known.
func FuzzDeviceCookie(f *testing.F) {
	w, _ := newFuzzWorld(f, &queryCounter{})
	const account = "users\x00ann@example.com"
	ours := markDevice(w.auth, account)
	require.NotEmpty(f, deviceOf(w.auth, ours, account))
	require.Empty(f, deviceOf(w.auth, ours, "users\x00bob@example.com"))
	// Each process of the fuzzer issues another cookie, and all are valid. So a seed contains no whole cookie: the input
	// replaces what follows the first bytes.
	for _, rest := range []string{"", "A", ours[40:60], strings.Repeat("A", 63), "AQ", "\x00", "\n"} {
		f.Add(uint8(len(ours)-4), rest)
		f.Add(uint8(0), rest)
		f.Add(uint8(len(ours)), rest+"A")
	}
	onOneLine := strings.NewReplacer("\r", "", "\n", "") // the base64 decoder ignores line breaks, which a header cannot contain
	f.Fuzz(func(t *testing.T, keep uint8, rest string) {
		value := ours[:min(int(keep), len(ours))] + rest
		if onOneLine.Replace(value) != ours {
			require.Empty(t, deviceOf(w.auth, value, account), "%q", value)
		}
	})
}
