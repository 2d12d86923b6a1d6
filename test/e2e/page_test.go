package e2e_test

import (
	"bufio"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// example is the example of this repository, running as a separate process.
type example struct {
	t    *testing.T
	base string
	db   string
}

var buildExample = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "fiberjwt-e2e")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(folder, "example")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "../../example"
	build.Stderr = os.Stderr
	return binary, build.Run()
})

func startExample(t *testing.T) *example {
	t.Helper()
	binary, err := buildExample()
	require.NoError(t, err)
	x := &example{t: t, db: filepath.Join(t.TempDir(), "example.db")}
	process := exec.Command(binary)
	process.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "SECRET=kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0", "DATABASE_URL="+x.db, "ACCESS_TTL=")
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	lines := bufio.NewScanner(out)
	for x.base == "" && lines.Scan() {
		x.base = regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text())
	}
	require.NotEmpty(t, x.base)
	return x
}

// page opens the page of the example.
func (x *example) page(p *profile, before ...string) *tab {
	x.t.Helper()
	b := p.tab(before...)
	b.look(1200, "light")
	b.visit(x.base + "/")
	b.settled()
	return b
}

const (
	user    = `[data-kind="users"].panel `
	teacher = `[data-kind="teachers"].panel `
)

// settled is true when every panel knows whether it is signed in, and no request is
// running.
const settled = `document.querySelectorAll('.panel').length === 2 && [...document.querySelectorAll('.panel')].every(panel =>
	panel.querySelector('.state').textContent !== '…' && panel.getAttribute('aria-busy') === 'false')`

func (b *tab) settled() {
	b.t.Helper()
	b.wait(settled)
}

// says waits for a message in a panel, at the top or next to a button.
func (b *tab) says(panel, message string) {
	b.t.Helper()
	b.wait(said, panel+".message", message)
}

// said is true when one of the elements is visible and contains the text.
const said = `[...document.querySelectorAll(%q)].some(element => element.checkVisibility() && element.textContent.includes(%q))`

// fault waits for the message next to a field.
func (b *tab) fault(field, sentence string) {
	b.t.Helper()
	b.wait(`(input => input.getAttribute('aria-invalid') === 'true' && document.activeElement === input &&
		input.closest('.field').querySelector('.fault:not([hidden])')?.textContent === %[2]q)(document.querySelector(%[1]q))`, field, sentence)
}

func (b *tab) createUser(email string) {
	b.t.Helper()
	b.click(user + `.tabs label:nth-of-type(2)`)
	b.enter(user+`.register [name="email"]`, email)
	b.enter(user+`.register [name="full_name"]`, "Ann Archer")
	b.enter(user+`.register [name="password"]`, password)
	b.click(user + `.register .main`)
	b.wait(`document.querySelector(%q)`, user[:len(user)-1]+".signed-in .account dd")
	b.settled()
}

func (b *tab) createTeacher(login string) {
	b.t.Helper()
	b.click(teacher + `.tabs label:nth-of-type(2)`)
	b.enter(teacher+`.register [name="login"]`, login)
	b.enter(teacher+`.register [name="name"]`, "Toby Teach")
	b.enter(teacher+`.register [name="password"]`, password)
	b.click(teacher + `.register .main`)
	b.wait(`document.querySelector(%q)`, teacher[:len(teacher)-1]+".signed-in .account dd")
	b.settled()
}

func (b *tab) signInAs(email, password string) {
	b.t.Helper()
	b.enter(user+`.login [name="email"]`, email)
	b.enter(user+`.login [name="password"]`, password)
	b.click(user + `.login .main`)
}

func (b *tab) writeNote(as, text string) {
	b.t.Helper()
	if as != "" {
		b.click(`.writer label[data-kind="` + as + `"]`)
	}
	b.enter(`#notes textarea`, text)
	b.click(`#notes .main`)
	b.wait(`document.querySelector('#notes .list li .text')?.textContent === %q`, text)
	b.wait(said, "#notes .message", "Note added.")
}

func TestPageWorksFromRegistrationToSignOut(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.shoot("01-signed-out")
	require.Equal(t, "Signed out", b.text(user+".state"))

	b.click(user + `.login .main`)
	b.fault(user+`.login [name="email"]`, "Enter an email address.")
	b.click(user + `.tabs label:nth-of-type(2)`)
	b.enter(user+`.register [name="email"]`, "ann@example.com")
	b.enter(user+`.register [name="password"]`, "password")
	b.click(user + `.register .main`)
	b.wait(`document.querySelector(%q)?.textContent`, user+`.register [data-field="password"] .fault:not([hidden])`)
	b.shoot("02-fault-next-to-the-field")

	b.createUser("ann@example.com")
	require.Contains(t, b.text(user+".account"), "ann@example.com")
	require.Contains(t, b.text(user+".sessions"), "this device")
	b.shoot("03-user")
	b.createTeacher("toby")
	require.Equal(t, "Toby Teach", b.text(teacher+"h2"))

	b.writeNote("users", "Buy hay")
	b.writeNote("teachers", "Mark the essays")
	b.shoot("04-both-with-notes")
	b.visit(x.base + "/").settled()
	require.Contains(t, b.text("#notes .list"), "Buy hay", "the reload lost a session")
	require.Contains(t, b.text("#notes .list"), "Mark the essays")

	b.click(user + ".logout")
	b.says(user, "You are signed out.")
	b.wait(`!document.querySelector('#notes .list').textContent.includes('Buy hay')`)
	require.Contains(t, b.text("#notes .list"), "Mark the essays", "the end of one kind's session ended the other's")
	b.signInAs("ann@example.com", "wrong pony")
	b.fault(user+`.login [name="password"]`, "Incorrect email or password.")
	b.signInAs("ann@example.com", password)
	b.wait(`document.querySelector('#notes .list').textContent.includes('Buy hay')`)
	b.settled()

	b.click(user + ".logout-all")
	b.says(user, "here and everywhere else")
	b.click(teacher + ".sessions button")
	b.says(teacher, "You ended the session of this device.")
	b.wait(`document.querySelector('#notes').hidden`)
	b.shoot("05-signed-out")
	require.Empty(t, p.cookies())
}

func TestPageListsAndEndsSessions(t *testing.T) {
	x := startExample(t)
	b, other := x.page(newProfile(t)), x.page(newProfile(t))
	b.createUser("ann@example.com")
	other.signInAs("ann@example.com", password)
	other.wait(`document.querySelectorAll(%q).length === 2`, user+".sessions li")
	b.visit(x.base + "/").settled()
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(%q).length`, user+".sessions .here"))
	b.shoot("1-two-sessions")
	b.click(user + ".sessions li:nth-child(2) button")
	b.says(user, "The session has ended.")
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(%q).length`, user+".sessions li"))

	other.click(user + ".secret")
	other.says(user, "This session has ended. Sign in again.")
	require.NotContains(t, other.text("body"), "ann@example.com")
	other.shoot("2-ended-elsewhere")
}

func TestPageChangesThePassword(t *testing.T) {
	x := startExample(t)
	b, other := x.page(newProfile(t)), x.page(newProfile(t))
	b.createUser("ann@example.com")
	other.signInAs("ann@example.com", password)
	other.wait(`document.querySelector(%q)`, user+".sessions .here")

	const current, next = user + `form.password [name="current_password"]`, user + `form.password [name="password"]`
	b.click(user + "summary")
	b.enter(current, "wrong pony")
	b.enter(next, "two ponies for the trip")
	b.click(user + "form.password .main")
	b.fault(current, "Incorrect password.")
	b.shoot("1-wrong")
	b.enter(current, password)
	b.click(user + "form.password .main")
	b.says(user, "Password changed.")
	b.shoot("2-changed")

	other.click(user + ".secret")
	other.says(user, "This session has ended.")
	other.signInAs("ann@example.com", "two ponies for the trip")
	other.wait(`document.querySelector(%q)`, user+".sessions .here")
}

// age makes the last password check of every session an hour older.
func (x *example) age() {
	x.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+x.db+"?_pragma=busy_timeout(10000)")
	require.NoError(x.t, err)
	defer func() { require.NoError(x.t, db.Close()) }()
	_, err = db.Exec("UPDATE fiberjwt_sessions SET auth_time = auth_time - 3600000")
	require.NoError(x.t, err)
}

// openProof makes the page ask for the password again.
func (x *example) openProof(b *tab) {
	x.t.Helper()
	x.age()
	b.run(`fetch('/auth/users/refresh', { method: 'POST' }).then(r => r.text())`) // the new token has the older auth_time
	b.click(user + ".secret")
	b.wait(`document.querySelector('#proof').open && document.activeElement.name === 'password'`)
}

func TestPageAsksForPasswordOnFreshRoutes(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.createUser("ann@example.com")
	b.createTeacher("toby")
	b.click(user + ".secret")
	b.says(user, "within the last five minutes")

	x.openProof(b)
	b.shoot("1-dialog")
	b.press(kb.Escape)
	b.wait(`!document.querySelector('#proof').open`)
	b.settled()
	require.Empty(t, b.text(user+".safe-answer"), "no message after a cancelled confirmation")

	b.click(user + ".secret")
	b.wait(`document.querySelector('#proof').open`)
	b.press("wrong pony" + kb.Enter)
	b.fault(`#proof [name="password"]`, "Incorrect password.")
	b.shoot("2-wrong")
	b.enter(`#proof [name="password"]`, password+kb.Enter)
	b.says(user, "within the last five minutes")
	require.False(t, eval[bool](b, `document.querySelector('#proof').open`))
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(%q).length`, user+".sessions li"), "the previous session did not end")
	require.Equal(t, "Toby Teach", b.text(teacher+"h2"))
}

func TestPageFollowsAnotherTab(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	one, other := x.page(p), x.page(p)
	one.createUser("ann@example.com")
	other.wait(`document.querySelector(%q)?.textContent.includes('ann@example.com')`, user+".account")
	other.settled()
	other.shoot("1-signed-in")
	one.writeNote("", "Buy hay")
	one.click(user + ".logout")
	other.says(user, "This session has ended.")
	other.shoot("2-signed-out")
	require.NotContains(t, other.text("body"), "ann@example.com")
	other.wait(`document.querySelector('#notes').hidden`)
	require.Empty(t, eval[string](other, `document.querySelector('#notes .list').textContent`))
}

func TestRemoteSignOutKeepsKeyboardFocus(t *testing.T) {
	for name, on := range map[string]func(x *example, b *tab){
		"on a button":   func(_ *example, b *tab) { b.run(`document.querySelector(%q).focus()`, user+".secret") },
		"in the notes":  func(_ *example, b *tab) { b.run(`document.querySelector('#notes textarea').focus()`) },
		"in the dialog": func(x *example, b *tab) { x.openProof(b) },
	} {
		t.Run(name, func(t *testing.T) {
			x, p := startExample(t), newProfile(t)
			one, other := x.page(p), x.page(p)
			one.createUser("ann@example.com")
			other.wait(`document.querySelector(%q)`, user+".sessions .here")
			other.settled()
			on(x, other)
			one.click(user + ".logout")
			other.says(user, "This session has ended.")
			other.run(`new Promise(requestAnimationFrame)`) // by then a hidden element has lost the focus
			other.wait(`document.activeElement.matches(%q)`, user+"h2")
		})
	}
}

func TestLateWrongPasswordDoesNotMarkTheNext(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p, `{
		const ask = fetch;
		window.fetch = async (input, init) => {
			const response = await ask(input, init);
			if (String(input).endsWith('/login')) await new Promise(done => { window.release = done; });
			return response;
		};
	}`)
	b.createUser("ann@example.com")
	x.openProof(b)
	b.press("wrong pony" + kb.Enter)
	b.wait(`window.release`)
	b.press(kb.Escape)
	b.wait(`!document.querySelector('#proof').open`)
	b.run(`release()`)
	b.wait(`!document.querySelector('#proof [aria-disabled]')`)
	b.click(user + ".secret")
	b.wait(`document.querySelector('#proof').open`)
	require.Empty(t, eval[string](b, `document.querySelector('#proof .fault').textContent`))
}

func TestPageIgnoresAnswersAfterSignOut(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	one := x.page(p)
	other := x.page(p, `const get = globalThis.fetch; globalThis.fetch = async (input, init) => {
		const response = await get(input, init);
		if (window.slow && String(input).endsWith('/me') && response.ok) await new Promise(done => { window.release = done; });
		return response;
	};`)
	other.run(`window.slow = true`)
	one.createUser("ann@example.com")
	other.wait(`window.release`)
	one.click(user + ".logout")
	one.says(user, "You are signed out.")
	other.says(user, "This session has ended.")
	other.run(`(release(), new Promise(done => setTimeout(done, 100)))`)
	other.settled()
	require.Equal(t, "Signed out", other.text(user+".state"))
	require.NotContains(t, other.text("body"), "ann@example.com")
}

func TestPageShowsNoEndMessageToNewVisitor(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.visit(x.base + "/api/public").back()
	b.settled()
	require.Empty(t, b.text(user+"> .message"))
	b.visit(x.base + "/").settled()
	b.createTeacher("toby")
	b.visit(x.base + "/").settled()
	require.Equal(t, "Signed out", b.text(user+".state"))
	require.Empty(t, b.text(user+"> .message"), "the page shows a message for another kind")
}

func TestPageWorksByKeyboardAlone(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	focus := func(selector string) {
		t.Helper()
		for range 40 {
			if eval[bool](b, `document.activeElement.matches(%q)`, selector) {
				return
			}
			b.press(kb.Tab)
		}
		require.Fail(t, "the keyboard does not reach the element", selector)
	}
	focus(user + ".tabs input")
	require.NotEqual(t, "none", eval[string](b, `getComputedStyle(document.activeElement.nextElementSibling).outlineStyle`), "the focus is not visible")
	b.shoot("1-focus")
	b.press(kb.ArrowRight)
	focus(user + `.register [name="email"]`)
	require.NotEqual(t, "none", eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`), "the focus is not visible")
	b.press("ann@example.com" + kb.Tab + "Ann" + kb.Tab + password + kb.Enter)
	b.wait(`document.activeElement.matches(%q)`, user+"h2")
	b.settled()
	focus(user + ".logout")
	b.press(kb.Enter)
	b.says(user, "You are signed out.")
	require.Equal(t, "email", eval[string](b, `document.activeElement.name`))
	b.press("ann@example.com" + kb.Tab + password + kb.Enter)
	b.wait(`document.activeElement.matches(%q) && document.querySelector(%q)`, user+"h2", user+".sessions .here")
	focus(`#notes textarea`)
	b.press("by keyboard" + kb.Tab)
	focus(`#notes .main`)
	b.press(" ")
	b.wait(`document.querySelector('#notes .list').textContent.includes('by keyboard') && !document.querySelector('#notes [aria-disabled]')`)
	require.True(t, eval[bool](b, `document.activeElement.matches('#notes .main')`), "the focus is lost")
}

func TestPageControlsHaveAccessibleNames(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.requireNames()
	b.createUser("ann@example.com")
	b.click(user + "summary")
	b.requireNames()
}

// requireNames fails the test if a control has no accessible name.
func (b *tab) requireNames() {
	b.t.Helper()
	tree := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	used := 0
	for _, node := range tree.Nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		switch role := string(node.Role.Value); role {
		case `"button"`, `"textbox"`, `"radio"`, `"link"`, `"region"`, `"dialog"`:
			used++
			require.NotNil(b.t, node.Name, role)
			require.NotEqual(b.t, `""`, string(node.Name.Value), role)
		}
	}
	require.Greater(b.t, used, 8)
}

func TestPageFitsEveryScreen(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	shoot := func(name string) {
		for _, colours := range []string{"light", "dark"} {
			for _, width := range []int64{320, 360, 768, 1280} {
				b.look(width, colours)
				require.LessOrEqual(t, eval[int64](b, `document.documentElement.scrollWidth`), width, "%s: the page scrolls sideways at a width of %d", name, width)
				if width != 320 {
					b.shoot(name + "-" + colours + "-" + map[int64]string{360: "narrow", 768: "middle", 1280: "wide"}[width])
				}
			}
		}
		b.look(1200, "light")
	}
	shoot("out")
	b.createUser("someone.with.a.very.long.name.indeed@a-rather-long-domain-name.example.com")
	b.createTeacher("toby")
	b.writeNote("teachers", "Mark the essays\nand the tests")
	b.writeNote("users", "Buy hay, oats and a very_long_word_that_has_no_place_to_break_and_goes_on_and_on_and_on_and_on_and_on")
	shoot("in")
}

// back goes back like the button of the browser. There is no load event for a page from
// the cache.
func (b *tab) back() {
	b.t.Helper()
	b.run(`void setTimeout(() => history.back())`)
	b.wait(`location.pathname === '/'`)
}

func TestBackForwardCacheShowsNothingPrivate(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.createUser("ann@example.com")
	b.writeNote("", "Buy hay")
	b.run(`window.mark = 'the same page'; addEventListener('pageshow', ({ persisted }) => { window.shown = { persisted, text: document.body.innerText }; });`)
	b.visit(x.base + "/api/public")
	b.run(`fetch('/auth/users/logout', { method: 'POST' })`)
	b.back()
	b.settled()
	require.Equal(t, "the same page", eval[string](b, `window.mark ?? 'a new one'`), "the cache was not used, so this test proves nothing")
	require.NotContains(t, eval[string](b, `window.shown.text`), "ann@example.com", "the page showed the account before it checked the session")
	require.NotContains(t, eval[string](b, `window.shown.text`), "Buy hay")
	require.Equal(t, "Signed out", b.text(user+".state"))
	require.NotContains(t, eval[string](b, `document.documentElement.outerHTML`), "ann@example.com")
	require.NotContains(t, eval[string](b, `document.documentElement.outerHTML`), "Buy hay")
	b.shoot("1-nothing-private")
}

func TestBackForwardCacheShowsSignedInUser(t *testing.T) {
	x, p := startExample(t), newProfile(t)
	b := x.page(p)
	b.createUser("ann@example.com")
	b.run(`window.mark = 'the same page'`)
	b.visit(x.base + "/api/public").back()
	b.wait(`document.querySelector(%q)?.textContent.includes('ann@example.com')`, user+".account")
	require.Equal(t, "the same page", eval[string](b, `window.mark ?? 'a new one'`))
	b.shoot("1-still-signed-in")
}
