package main

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// worstInput compares the dearest request that is refused with an accepted one, by the
// default Config.
func worstInput(b *bench) (outcome, error) {
	o, err := b.byDefault()
	if err != nil {
		return outcome{}, err
	}
	requests, err := hostile(o)
	if err != nil {
		return outcome{}, err
	}
	accepted, err := headCase(o.app, "accepted", "Authorization: Bearer "+o.signedIn[0].Tokens.AccessToken, fiber.StatusOK)
	if err != nil {
		return outcome{}, err
	}
	cases := []measure.Case{accepted}
	for _, r := range requests {
		c, err := headCase(o.app, r.name, r.header, fiber.StatusUnauthorized)
		if err != nil {
			return outcome{}, err
		}
		cases = append(cases, c)
	}
	result, err := b.plan.Run(cases...)
	if err != nil {
		return outcome{}, err
	}
	slices.SortFunc(cases[1:], func(a, b measure.Case) int { return cmp.Compare(result.Cost(b.Name), result.Cost(a.Name)) })
	return outcomeOf(result, measure.Over(cases[1].Name, "accepted"), cases[:1+shown]), nil
}

// shown is how many of the dearest requests the table has.
const shown = 5

// maxHeader is how long the head of a request may be in Fiber's default configuration.
const maxHeader = 4096

// headCase is a case of requests with these lines in the header. All must have the same
// status.
func headCase(app *fiber.App, name, lines string, status int) (measure.Case, error) {
	raw := "GET / HTTP/1.1\r\nHost: app.example.com\r\n" + lines + "\r\n\r\n"
	if len(raw) > maxHeader {
		return measure.Case{}, fmt.Errorf("%s: the head has %d bytes", name, len(raw))
	}
	header := new(fasthttp.RequestHeader)
	if err := header.Read(bufio.NewReaderSize(strings.NewReader(raw), maxHeader)); err != nil {
		return measure.Case{}, fmt.Errorf("%s: %w", name, err)
	}
	client := drive.NewFiber(app, "GET", "/").Expect(status)
	return measure.Case{Name: name, Run: measure.Each(func() error { return client.Head(header) })}, nil
}

type hostileRequest struct{ name, header string }

// hostile returns requests by which an attacker tries to make the server work. The attacker
// knows how tokens look, and has some that were valid.
func hostile(o *ours) ([]hostileRequest, error) {
	valid := o.signedIn[0].Tokens.AccessToken
	expired, err := issueWith(func(c *token.Claims) { c.ExpiresAt, c.IssuedAt = c.IssuedAt-60, c.IssuedAt-600 })
	if err != nil {
		return nil, err
	}
	ended, err := issueWith(func(*token.Claims) {}) // no session has its random ID
	if err != nil {
		return nil, err
	}
	header, rest, _ := strings.Cut(valid, ".")
	start := len("GET / HTTP/1.1\r\nHost: app.example.com\r\n") + len("\r\n\r\n")
	room := maxHeader - start - len("Authorization: Bearer ")
	longest := min(room, token.MaxBytes)
	keyID, _ := base64.RawURLEncoding.DecodeString(header)
	invented := segment(strings.Replace(string(keyID), ".users", ".zzzzz", 1))
	unknown := segment(`{"alg":"HS256","kid":"AAAAAAAA.users","typ":"at+jwt"}`)
	signature := valid[strings.LastIndexByte(valid, '.')+1:]
	filled := func(header string) string {
		return header + "." + strings.Repeat("A", (longest-len(header)-len(signature)-2)/4*4) + "." + signature
	}
	object := segment(`{` + strings.Repeat(`"a":0,`, 450) + `"b":0}`)
	bearer := func(token string) string { return "Authorization: Bearer " + token }
	cookie := "__Host-Http-users="
	return []hostileRequest{
		{"no token", "Accept: */*"},
		{"forged", bearer(fixture.Forge(valid))},
		{"forged, longest", bearer(filled(header))},
		{"forged, many claims", bearer(header + "." + object + "." + signature)},
		{"unknown secret", bearer(unknown + "." + rest)},
		{"unknown secret, longest", bearer(filled(unknown))},
		{"invented kind", bearer(invented + "." + rest)},
		{"invented kind, longest", bearer(filled(invented))},
		{"alg none", bearer(segment(`{"alg":"none","typ":"at+jwt"}`) + "." + rest)},
		{"long header", bearer(segment(`{`+strings.Repeat(`"a":0,`, 440)+`"alg":"HS256"}`) + "." + rest)},
		{"garbage", bearer(strings.Repeat("A", room))},
		{"garbage with dots", bearer(strings.Repeat("A.", room/2))},
		{"garbage at the end", bearer(strings.Repeat("A", longest-1) + "~")},
		{"expired", bearer(expired)},
		{"ended session", bearer(ended)},
		{"forged cookie", "Cookie: " + cookie + fixture.Forge(valid)},
		{"many cookies", "Cookie: " + strings.Repeat("a=b; ", 700) + cookie + fixture.Forge(valid)},
		{"many cookies of the kind", "Cookie: " + strings.Repeat(cookie+"a.b.c; ", 155) + cookie + "a.b.c"},
		{"many forged cookies", "Cookie: " + strings.Repeat(cookie+fixture.Forge(valid)+"; ", 10) + "a=b"},
		{"many headers", strings.TrimSuffix(strings.Repeat("Authorization: a\r\n", 215), "\r\n")},
		{"many forged tokens", strings.TrimSuffix(strings.Repeat(bearer(fixture.Forge(valid))+"\r\n", 10), "\r\n")},
		{"another scheme", "Authorization: Basic " + strings.Repeat("A", room)},
	}, nil
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// issueWith returns a validly signed token whose claims are changed.
func issueWith(change func(*token.Claims)) (string, error) {
	c := fixture.Claims("1")
	change(&c)
	c.AuthTime = min(c.AuthTime, time.Now().Unix())
	return fixture.Issuer(nil).Issue(c, token.Shape{}, nil)
}
