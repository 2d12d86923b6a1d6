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

// patience with whatever a page is to do.
const patience = time.Minute

// chromium is one process for all tests; each test has a browser context, with
// cookies, storage and locks of its own.
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
		chromedp.NoSandbox, // root has none
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("disable-background-timer-throttling", true),
	))
	chromium.err = chromedp.Do(chromium.ctx)
}

// profile is a browser of one person.
type profile struct {
	t   *testing.T
	ctx context.Context
}

// newProfile skips the test without Chromium.
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

// cookies of sign-ins by name. The mark of the device outlives them.
func (p *profile) cookies() map[string]*network.Cookie {
	found := p.allCookies()
	maps.DeleteFunc(found, func(name string, _ *network.Cookie) bool { return strings.HasSuffix(name, "-device") })
	return found
}

// allCookies of the profile by name.
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

// tab of a profile.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string // uncaught exceptions, and what a policy blocked
}

func (b *tab) hear(event any) {
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

// requireQuiet: no script failed, and no policy stopped one.
func (b *tab) requireQuiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.faults, "a script failed, or a policy stopped one")
}

// requireBlocked: a policy stopped this many requests, and was right.
func (b *tab) requireBlocked(requests int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.faults) == requests
	}, patience, 10*time.Millisecond, "the browser does not say that it blocked %d", requests)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

// tab opens a tab; before is run ahead of each of its pages.
func (p *profile) tab(before ...string) *tab {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithNewWindow(true))
	p.t.Cleanup(cancel)
	b := &tab{t: p.t, ctx: ctx}
	p.t.Cleanup(b.requireQuiet)
	require.NoError(p.t, chromedp.Listen(ctx, b.hear))
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

// eval runs JavaScript and waits for the promise that it gives; what it throws
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

// run is eval for a script without a result.
func (b *tab) run(script string, args ...any) {
	b.t.Helper()
	eval[chromedp.Void](b, script, args...)
}

// wait until a condition holds, or its promise does.
func (b *tab) wait(condition string, args ...any) {
	b.t.Helper()
	until(b.t, b.shoot, fmt.Sprintf(condition, args...), func(condition string) (bool, error) {
		return try[bool](b, "%s", "(async () => !!await ("+condition+"))()")
	})
}

// until holds gives true for a condition; a picture of what is there instead is kept.
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
			require.FailNow(t, "it does not come true", "%s (%v)", condition, err)
		}
		time.Sleep(15 * time.Millisecond)
	}
}

// shoot keeps a screenshot of the whole page.
func (b *tab) shoot(name string) {
	b.t.Helper()
	keep(b.t, name, func() []byte {
		whole := true
		return call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole}).Data
	})
}

// keep a picture, if the environment names a folder for them.
func keep(t *testing.T, name string, take func() []byte) {
	t.Helper()
	folder := os.Getenv("FIBERJWT_SCREENSHOTS")
	if folder == "" {
		return
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.Base(t.Name())+"-"+name+".png"), take(), 0o644))
}

// click, as with the mouse: the element must be there to be hit.
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

// press keys, whatever has the focus.
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

// text of an element as it is seen.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, `document.querySelector(%q)?.innerText ?? ''`, selector)
}

// look sets the size of the page and its colours, light or dark, and waits for
// the size.
func (b *tab) look(width int64, colours string) {
	b.t.Helper()
	b.must(chromedp.EmulateViewport(width, 900))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	b.wait(`innerWidth === %d`, width)
}

// version of the browser, for the figures.
func (b *tab) version() string {
	return call(b, browser.GetVersion, cdp.Empty{}).Product
}
