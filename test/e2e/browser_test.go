// Package e2e drives the client and the example's page in a real browser.
package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for a page.
const patience = time.Minute

// chromium is one process for all tests. Each test has a separate browser context,
// which has separate cookies, storage and locks.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop context.CancelFunc
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	stopFirefox()
	os.Exit(code)
}

func startChromium() {
	path := os.Getenv("FIBERJWT_CHROMIUM")
	if path == "1" {
		path = "chromium"
	}
	chromium.ctx, chromium.stop = chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path),
		chromedp.IgnoreCertErrors,
		chromedp.WSURLReadTimeout(patience),
		chromedp.NoSandbox, // Chromium has no sandbox for root
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("disable-background-timer-throttling", true),
	))
	chromium.err = chromedp.Do(chromium.ctx)
}

// profile is the browser of one user.
type profile struct {
	t   *testing.T
	ctx context.Context
}

// newProfile skips the test if FIBERJWT_CHROMIUM is not set.
func newProfile(t *testing.T) *profile {
	t.Helper()
	if os.Getenv("FIBERJWT_CHROMIUM") == "" {
		t.Skip("set FIBERJWT_CHROMIUM=1, or to the path of a Chromium, to run this test")
	}
	chromium.once.Do(startChromium)
	require.NoError(t, chromium.err)
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return &profile{t: t, ctx: ctx}
}

// cookies returns the cookies of sign-ins by name, without the device cookie, which
// outlives them.
func (p *profile) cookies() map[string]*network.Cookie {
	found := p.allCookies()
	maps.DeleteFunc(found, func(name string, _ *network.Cookie) bool { return strings.HasSuffix(name, "-device") })
	return found
}

// allCookies returns all cookies of the profile by name.
func (p *profile) allCookies() map[string]*network.Cookie {
	p.t.Helper()
	c := chromedp.FromContext(p.ctx)
	answer, err := cdp.Call(p.ctx, c.Browser, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: c.BrowserContextID})
	require.NoError(p.t, err)
	found := map[string]*network.Cookie{}
	for _, cookie := range answer.Cookies {
		found[cookie.Name] = cookie
	}
	return found
}

// tab is a tab of a profile.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string // uncaught exceptions, and requests that a policy blocked
}

// recordFault is called for each event of the tab.
func (b *tab) recordFault(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, event.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if event.Entry.Source == log.EntrySourceSecurity || event.Entry.Source == log.EntrySourceJavascript {
			b.faults = append(b.faults, event.Entry.Text)
		}
	}
}

// requireQuiet fails the test if a script failed or a policy blocked one.
func (b *tab) requireQuiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.faults, "a script failed, or a policy blocked one")
}

// requireBlocked waits until the policy has blocked this many requests, and forgets
// them.
func (b *tab) requireBlocked(requests int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.faults) == requests
	}, patience, 10*time.Millisecond, "the browser did not report %d blocked requests", requests)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

// tab opens a tab. The scripts in before run before the scripts of each page.
func (p *profile) tab(before ...string) *tab {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithNewWindow(true))
	p.t.Cleanup(cancel)
	b := &tab{t: p.t, ctx: ctx}
	p.t.Cleanup(b.requireQuiet)
	require.NoError(p.t, chromedp.Listen(ctx, b.recordFault))
	call(b, log.Enable, cdp.Empty{})
	for _, script := range before {
		call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	}
	return b
}

func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, command, params)
	})
	require.NoError(b.t, err, command.Method)
	return result
}

func (b *tab) visit(url string) *tab {
	b.t.Helper()
	b.must(chromedp.Navigate(url))
	return b
}

// eval runs JavaScript, waits for the promise and returns its value. An exception
// fails the test.
func eval[T any](b *tab, script string, args ...any) T {
	b.t.Helper()
	value, err := try[T](b, script, args...)
	require.NoError(b.t, err, script)
	return value
}

// try is eval for a script that may fail.
func try[T any](b *tab, script string, args ...any) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](fmt.Sprintf(script, args...), awaited))
}

func awaited(p *runtime.EvaluateParams) {
	yes := true
	p.AwaitPromise, p.UserGesture = &yes, &yes
}

// run is eval for a script whose result is not needed.
func (b *tab) run(script string, args ...any) {
	b.t.Helper()
	eval[chromedp.Void](b, script, args...)
}

// wait waits until a condition, or the promise it returns, is true.
func (b *tab) wait(condition string, args ...any) {
	b.t.Helper()
	until(b.t, b.shoot, fmt.Sprintf(condition, args...), func(condition string) (bool, error) {
		return try[bool](b, "%s", "(async () => !!await ("+condition+"))()")
	})
}

// until waits until holds returns true for a condition. If that does not happen, it
// saves a screenshot and fails the test.
func until(t *testing.T, shoot func(name string), condition string, holds func(condition string) (bool, error)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, err := holds(condition)
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			shoot("failed")
			require.FailNow(t, "the condition did not become true", "%s (%v)", condition, err)
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// shoot saves a screenshot of the whole page.
func (b *tab) shoot(name string) {
	b.t.Helper()
	savePicture(b.t, name, func() []byte {
		whole := true
		return call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole}).Data
	})
}

// savePicture saves a picture if FIBERJWT_SCREENSHOTS names a folder.
func savePicture(t *testing.T, name string, take func() []byte) {
	t.Helper()
	folder := os.Getenv("FIBERJWT_SCREENSHOTS")
	if folder == "" {
		return
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.Base(t.Name())+"-"+name+".png"), take(), 0o644))
}

// click clicks with the mouse, so the element must be visible.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.must(chromedp.Click(chromedp.CSS(selector)))
}

// enter clears a field and types into it.
func (b *tab) enter(selector, text string) {
	b.t.Helper()
	b.run(`document.querySelector(%q).value = ''`, selector)
	b.must(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press types keys into the element that has the focus.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.must(chromedp.KeyEvent(keys))
}

func (b *tab) must(step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, step); err != nil {
		require.NoError(b.t, err)
	}
}

// text returns the visible text of an element.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, `document.querySelector(%q)?.innerText ?? ''`, selector)
}

// look sets the width and the colours of the page, light or dark, and waits for the
// width.
func (b *tab) look(width int64, colours string) {
	b.t.Helper()
	b.must(chromedp.EmulateViewport(width, 900))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	b.wait(`innerWidth === %d`, width)
}

// version returns the version of the browser, for the log.
func (b *tab) version() string {
	return call(b, browser.GetVersion, cdp.Empty{}).Product
}
