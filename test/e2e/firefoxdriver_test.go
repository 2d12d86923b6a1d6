package e2e_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/stretchr/testify/require"
)

// firefox is one process for all tests, driven by WebDriver BiDi
// (https://w3c.github.io/webdriver-bidi/), which Firefox implements. Each test has a
// separate user context, which has separate cookies, storage and locks.
var firefox struct {
	once    sync.Once
	err     error
	process *exec.Cmd
	folder  string

	mu   sync.Mutex
	conn *websocket.Conn
	id   int // of the last command
}

// firefoxSettings resolve every host to this machine.
const firefoxSettings = `user_pref("network.dns.forceResolve", "127.0.0.1");
user_pref("ui.prefersReducedMotion", 1);
`

func startFirefox() error {
	path := os.Getenv("FIBERJWT_FIREFOX")
	if path == "1" {
		path = "firefox-esr"
	}
	var err error
	if firefox.folder, err = os.MkdirTemp("", "firefox"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(firefox.folder, "user.js"), []byte(firefoxSettings), 0o600); err != nil {
		return err
	}
	firefox.process = exec.Command(path, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", firefox.folder)
	firefox.process.Env = append(os.Environ(), "HOME="+firefox.folder, "LANG=en_US.UTF-8")
	out, err := firefox.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := firefox.process.Start(); err != nil {
		return err
	}
	address := ""
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		address = regexp.MustCompile(`ws://[0-9.:]+`).FindString(lines.Text())
	}
	if address == "" {
		return errors.Join(errors.New("firefox did not print its address"), lines.Err())
	}
	go func() {
		for lines.Scan() { // otherwise Firefox blocks on a full pipe
		}
	}()
	if firefox.conn, _, err = websocket.DefaultDialer.Dial(address+"/session", nil); err != nil {
		return err
	}
	_, err = bidi[struct{}]("session.new", fields{"capabilities": fields{"alwaysMatch": fields{"acceptInsecureCerts": true}}})
	return err
}

func stopFirefox() {
	if firefox.process == nil || firefox.process.Process == nil {
		return
	}
	if firefox.conn != nil {
		_, _ = bidi[struct{}]("browser.close", fields{})
	}
	kill := time.AfterFunc(patience, func() { _ = firefox.process.Process.Kill() })
	_ = firefox.process.Wait()
	kill.Stop()
	_ = os.RemoveAll(firefox.folder)
}

type fields = map[string]any

// bidi sends a command and returns its result.
func bidi[R any](method string, params fields) (result R, _ error) {
	firefox.mu.Lock()
	defer firefox.mu.Unlock()
	firefox.id++
	if err := firefox.conn.WriteJSON(fields{"id": firefox.id, "method": method, "params": params}); err != nil {
		return result, err
	}
	for {
		var answer struct {
			ID      int
			Error   string
			Message string
			Result  json.RawMessage
		}
		if err := errors.Join(firefox.conn.SetReadDeadline(time.Now().Add(patience)), firefox.conn.ReadJSON(&answer)); err != nil {
			return result, err
		}
		if answer.ID != firefox.id {
			continue // an event
		}
		if answer.Error != "" {
			return result, fmt.Errorf("%s: %s: %s", method, answer.Error, answer.Message)
		}
		return result, json.Unmarshal(answer.Result, &result)
	}
}

// fox is the Firefox of one user.
type fox struct {
	t       *testing.T
	context string
}

// newFox skips the test if FIBERJWT_FIREFOX is not set.
func newFox(t *testing.T) *fox {
	t.Helper()
	if os.Getenv("FIBERJWT_FIREFOX") == "" {
		t.Skip("set FIBERJWT_FIREFOX=1, or to the path of a Firefox, to run this test")
	}
	firefox.once.Do(func() { firefox.err = startFirefox() })
	require.NoError(t, firefox.err)
	p := &fox{t: t}
	p.context = mustBidi[struct{ UserContext string }](t, "browser.createUserContext", fields{}).UserContext
	t.Cleanup(func() { mustBidi[struct{}](t, "browser.removeUserContext", fields{"userContext": p.context}) })
	return p
}

// mustBidi is bidi for a command that must not fail.
func mustBidi[R any](t *testing.T, method string, params fields) R {
	t.Helper()
	result, err := bidi[R](method, params)
	require.NoError(t, err)
	return result
}

// foxCookie is a cookie that Firefox stores.
type foxCookie struct {
	Name, Domain, Path, SameSite string
	Value                        struct{ Value string }
	Secure, HTTPOnly             bool
	Expiry                       int64
}

// cookies returns the cookies of sign-ins by name, without the device cookie, which
// outlives them.
func (p *fox) cookies() map[string]foxCookie {
	found := p.allCookies()
	maps.DeleteFunc(found, func(name string, _ foxCookie) bool { return strings.HasSuffix(name, "-device") })
	return found
}

// allCookies returns all cookies of the user by name.
func (p *fox) allCookies() map[string]foxCookie {
	p.t.Helper()
	partition := fields{"type": "storageKey", "userContext": p.context}
	found := map[string]foxCookie{}
	for _, cookie := range mustBidi[struct{ Cookies []foxCookie }](p.t, "storage.getCookies", fields{"partition": partition}).Cookies {
		found[cookie.Name] = cookie
	}
	return found
}

// foxTab is a tab of a Firefox.
type foxTab struct {
	t       *testing.T
	context string
}

// tab opens a tab at an address.
func (p *fox) tab(url string) *foxTab {
	p.t.Helper()
	b := &foxTab{t: p.t}
	b.context = mustBidi[struct{ Context string }](p.t, "browsingContext.create", fields{"type": "tab", "userContext": p.context}).Context
	b.command("browsingContext.setViewport", fields{"viewport": fields{"width": 1200, "height": 900}})
	b.visit(url)
	return b
}

// command sends a command for the tab.
func (b *foxTab) command(method string, params fields) {
	b.t.Helper()
	params["context"] = b.context
	mustBidi[struct{}](b.t, method, params)
}

func (b *foxTab) visit(url string) {
	b.t.Helper()
	b.command("browsingContext.navigate", fields{"url": url, "wait": "complete"})
}

// foxTry runs JavaScript, waits for the promise and returns its value.
func foxTry[T any](b *foxTab, script string, args ...any) (value T, _ error) {
	answer, err := bidi[struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}]("script.evaluate", fields{
		"expression":   "(async () => JSON.stringify(await (" + fmt.Sprintf(script, args...) + ")) ?? 'null')()",
		"awaitPromise": true, "userActivation": true, "target": fields{"context": b.context},
	})
	if err != nil {
		return value, err
	}
	if fault := answer.ExceptionDetails.Text; fault != "" {
		return value, errors.New(fault)
	}
	return value, json.Unmarshal([]byte(answer.Result.Value), &value)
}

// foxEval is foxTry for a script that must not fail.
func foxEval[T any](b *foxTab, script string, args ...any) T {
	b.t.Helper()
	value, err := foxTry[T](b, script, args...)
	require.NoError(b.t, err, script)
	return value
}

// wait waits until a condition is true.
func (b *foxTab) wait(condition string, args ...any) {
	b.t.Helper()
	until(b.t, b.shoot, fmt.Sprintf(condition, args...), func(condition string) (bool, error) {
		return foxTry[bool](b, "%s", "!!("+condition+")")
	})
}

// click clicks with the mouse, so the element must be visible.
func (b *foxTab) click(selector string) {
	b.t.Helper()
	at := foxEval[[]int](b, `(element => {
		element.scrollIntoView({ block: 'center' });
		const { x, y, width, height } = element.getBoundingClientRect();
		return [x + width / 2, y + height / 2].map(Math.round);
	})(document.querySelector(%q))`, selector)
	b.act("pointer", []fields{
		{"type": "pointerMove", "x": at[0], "y": at[1]}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0},
	})
}

// enter clicks into an empty field and types.
func (b *foxTab) enter(selector, text string) {
	b.t.Helper()
	b.click(selector)
	var keys []fields
	for _, key := range text {
		keys = append(keys, fields{"type": "keyDown", "value": string(key)}, fields{"type": "keyUp", "value": string(key)})
	}
	b.act("key", keys)
}

func (b *foxTab) act(device string, actions []fields) {
	b.t.Helper()
	b.command("input.performActions", fields{"actions": []fields{{"type": device, "id": device, "actions": actions}}})
}

// text returns the visible text of an element.
func (b *foxTab) text(selector string) string {
	b.t.Helper()
	return foxEval[string](b, `document.querySelector(%q)?.innerText ?? ''`, selector)
}

// shoot saves a screenshot of the whole page.
func (b *foxTab) shoot(name string) {
	b.t.Helper()
	savePicture(b.t, name, func() []byte {
		shot := mustBidi[struct{ Data string }](b.t, "browsingContext.captureScreenshot", fields{"context": b.context, "origin": "document"})
		picture, err := base64.StdEncoding.DecodeString(shot.Data)
		require.NoError(b.t, err)
		return picture
	})
}
