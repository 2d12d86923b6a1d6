package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// try clicks the button of a demo and waits for its verdict.
func (b *tab) try(name, verdict string) {
	b.t.Helper()
	b.click(`[data-try="` + name + `"] button`)
	b.wait(said, `[data-try="`+name+`"] .message`, verdict)
}

// inView is true when the element is on the screen.
const inView = `(({ top, bottom }) => top >= 0 && bottom <= innerHeight + 1)(document.querySelector(%q).getBoundingClientRect())`

// wrongKindLogged is true when the log of the page has the refusal.
const wrongKindLogged = `[...document.querySelectorAll('#log tbody tr')].some(({ innerText }) => /GET\s+\/api\/users\/me\s+403\s+wrong_kind/.test(innerText))`

func TestPageShowsWrongKindRefusal(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.try("kind", "Sign in as a teacher first.")
	b.createUser("ann@example.com")
	b.createTeacher("toby")
	b.try("kind", "The token is valid, but not on a users’ route.")
	b.shoot("1-refused")
	require.Contains(t, b.text(`[data-try="kind"] .steps`), "403 wrong_kind")
	require.True(t, eval[bool](b, wrongKindLogged))
	b.visit(x.base + "/").settled()
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(%q).length`, teacher+".sessions li"), "the session of the demo did not end")
}

func TestPageShowsExpiryInTwoTabs(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.try("expiry", "Sign in first")
	b.createUser("ann@example.com")
	other := x.page(p)
	b.try("expiry", "nothing failed")
	b.shoot("1-expired")
	require.Contains(t, b.text(`[data-try="expiry"] .steps`), "2 tabs asked 3 times each")
	// There are two refreshes if a busy tab does not notice the other's in time. Both
	// succeed.
	require.Regexp(t, `Refreshes: [12]\. Failed requests: 0\.`, b.text(`[data-try="expiry"] .steps`))
	other.wait(said, `[data-try="expiry"] .message`, "nothing failed")
	require.Equal(t, b.text(`[data-try="expiry"] .steps`), other.text(`[data-try="expiry"] .steps`))
	require.Contains(t, b.text("#log"), "invalid_token", "no request had an expired token")
	require.Contains(t, b.text("#log"), "other tab")
	b.click(user + ".sessions button")
	b.says(user, "You ended the session of this device.") // the list contains the current session
}

func TestPageOpensSecondTabItself(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.createUser("ann@example.com")
	b.try("expiry", "nothing failed")
	require.Contains(t, b.text(`[data-try="expiry"] .steps`), "2 tabs asked 3 times each")
	targets, err := chromedp.Targets(b.ctx)
	require.NoError(t, err)
	pages := 0
	for _, target := range targets {
		if target.URL == x.base+"/" {
			pages++
		}
	}
	require.Equal(t, 2, pages)
}

func TestPageShowsStolenTokenEndingSession(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.try("theft", "Sign in first")
	b.createTeacher("toby")
	b.try("theft", "The session has ended for both.")
	b.shoot("1-ended")
	require.Equal(t, []string{"200", "200", "401 session_revoked", "401 invalid_token", "401 session_revoked"},
		eval[[]string](b, `[...document.querySelectorAll('[data-try="theft"] .steps code')].map(({ innerText }) => innerText)`))
	b.visit(x.base + "/").settled()
	require.Equal(t, "Toby Teach", b.text(teacher+"h2"), "the session of the panel ended")
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(%q).length`, teacher+".sessions li"))
}

func TestMessagesScrollIntoViewOnPhone(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.createTeacher("toby")
	b.must(chromedp.EmulateViewport(360, 640))
	b.try("kind", "The token is valid")
	require.True(t, eval[bool](b, inView, `[data-try="kind"] .message`))
	b.click(teacher + ".secret")
	b.says(teacher, "within the last five minutes")
	require.True(t, eval[bool](b, inView, teacher+".safe-answer .message"))
	b.click(teacher + ".logout")
	b.says(teacher, "You are signed out.")
	require.True(t, eval[bool](b, inView, teacher+"> .message"))
}

// collectErrors collects the errors in the console of a tab.
func (b *tab) collectErrors() *[]string {
	b.t.Helper()
	errors := new([]string)
	require.NoError(b.t, chromedp.Listen(b.ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if event, ok := event.(*log.EventEntryAdded); ok && event.Entry.Level == log.EntryLevelError {
			*errors = append(*errors, event.Entry.Text+" "+event.Entry.URL)
		}
	}))
	return errors
}

func TestSignedOutPageLogsNoErrors(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := p.tab()
	errors := b.collectErrors()
	b.visit(x.base + "/").settled()
	require.Empty(t, *errors)
	b.createTeacher("toby")
	b.visit(x.base + "/").settled()
	b.run(`fetch('/api/me').then(() => fetch('/auth/users/me'))`) // a 401, which shows that errors are collected
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(*errors) == 1
	}, patience, 10*time.Millisecond)
}

func TestPasswordsCanBeShown(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	const field = user + `.login [name="password"]`
	b.enter(field, "wrong pony")
	require.Equal(t, "Show password", eval[string](b, `document.querySelector(%q).ariaLabel`, user+".login .show"))
	b.click(user + ".login .show")
	require.Equal(t, "text", eval[string](b, `document.querySelector(%q).type`, field))
	require.Equal(t, "Hide password", eval[string](b, `document.querySelector(%q).ariaLabel`, user+".login .show"))
	b.shoot("1-shown")
	b.enter(user+`.login [name="email"]`, "ann@example.com")
	b.click(user + ".login .main")
	b.fault(field, "Incorrect email or password.")
	require.Equal(t, "password", eval[string](b, `document.querySelector(%q).type`, field), "the password is still visible after the form was sent")
}

func TestInvalidFieldIsRedInFocus(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	for _, colours := range []string{"light", "dark"} {
		b.look(1200, colours)
		b.click(user + ".login .main")
		b.fault(user+`.login [name="email"]`, "Enter an email address.")
		require.True(t, eval[bool](b, `(({ outlineColor, outlineStyle, borderTopColor }, fault) =>
			outlineStyle === 'solid' && outlineColor === fault && borderTopColor === fault)(
			getComputedStyle(document.activeElement), getComputedStyle(document.querySelector(%q)).color)`, user+".login .fault"))
	}
}

func TestHiddenPanelStartsNoRequest(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.createUser("ann@example.com")
	b.createTeacher("toby")
	b.run(`{ const ask = fetch; window.asked = []; window.fetch = (input, init) => { asked.push(String(input)); return ask(input, init); }; }`)
	b.click(user + ".logout")
	b.says(user, "You are signed out.")
	b.settled()
	require.Empty(t, eval[[]string](b, `asked.filter(url => !url.endsWith('/logout'))`))
}

// try clicks the button of a demo and waits for its verdict.
func (b *foxTab) try(name, verdict string) {
	b.t.Helper()
	b.click(`[data-try="` + name + `"] button`)
	b.wait(said, `[data-try="`+name+`"] .message`, verdict)
}

func TestPageDemosWorkInFirefox(t *testing.T) {
	p, x := newFox(t), startExample(t)
	b := p.page(x)
	b.try("kind", "Sign in as a teacher first.")
	b.click(teacher + `.tabs label:nth-of-type(2)`)
	b.enter(teacher+`.register [name="login"]`, "toby")
	b.enter(teacher+`.register [name="password"]`, password)
	b.click(teacher + `.register .show`)
	require.Equal(t, "text", foxEval[string](b, `document.querySelector(%q).type`, teacher+`.register [name="password"]`))
	b.click(teacher + `.register .main`)
	b.wait(`document.querySelector(%q)`, teacher+".sessions .here")
	b.settled()

	b.try("kind", "The token is valid, but not on a users’ route.")
	require.True(t, foxEval[bool](b, wrongKindLogged))
	b.try("theft", "The session has ended for both.")
	require.True(t, foxEval[bool](b, inView, `[data-try="theft"] .message`))
	other := p.page(x)
	b.try("expiry", "nothing failed")
	require.Contains(t, b.text(`[data-try="expiry"] .steps`), "2 tabs asked 3 times each")
	// There are two refreshes if a busy tab does not notice the other's in time. Both
	// succeed.
	require.Regexp(t, `Refreshes: [12]\. Failed requests: 0\.`, b.text(`[data-try="expiry"] .steps`))
	other.wait(said, `[data-try="expiry"] .message`, "nothing failed")
	b.shoot("1-tried")
}
