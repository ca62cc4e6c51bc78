//go:build unix

package ui_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// pollEvery is the time between two looks at a page.
const pollEvery = 100 * time.Millisecond

// pageTimeout bounds the wait for one page; a busy machine may take long to draw it.
const pageTimeout = 90 * time.Second

// width and height are those of the pictures.
const (
	width  = 1440
	height = 900
)

// browser is one tab of a headless Chromium.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string
	out  string // directory for pictures
}

// open starts a Chromium with nothing of the user's in it.
func open(t *testing.T, program, base, out string) *browser {
	t.Helper()
	flags := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(width, height), chromedp.Headless,
		chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(pageTimeout),
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return &browser{t, ctx, base, out}
}

// show opens a page, waits until all of texts are on it, and takes its picture. It gives the text of the page.
func (b *browser) show(name, address string, texts ...string) string {
	b.t.Helper()
	// Pages of MLflow differ in what follows "#" only, which would not load them anew.
	b.do("open "+address, chromedp.Steps(chromedp.Navigate("about:blank"), chromedp.Navigate(b.base+address)))
	return b.await(name, texts...)
}

// await waits until all of texts are on the page that is open, and takes its picture.
func (b *browser) await(name string, texts ...string) string {
	b.t.Helper()
	var text string
	missing := texts
	for deadline := time.Now().Add(pageTimeout); len(missing) > 0 && time.Now().Before(deadline); time.Sleep(pollEvery) {
		text = run(b, "read "+name, chromedp.Evaluate[string]("document.body.innerText"))
		missing = lacking(text, texts)
	}
	b.picture(name)
	if len(missing) > 0 {
		b.t.Fatalf("page %s lacks %q; it says:\n%s", name, missing, text)
	}
	return text
}

func lacking(text string, texts []string) (missing []string) {
	for _, want := range texts {
		if !strings.Contains(text, want) {
			missing = append(missing, want)
		}
	}
	return missing
}

// until waits until a JavaScript expression is true.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(pageTimeout); !run(b, what, chromedp.Evaluate[bool]("Boolean("+expression+")")); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			b.picture("failed")
			b.t.Fatalf("%s: still not so after %s: %s", what, pageTimeout, expression)
		}
	}
}

func (b *browser) picture(name string) {
	b.t.Helper()
	png := run(b, "picture of "+name, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(b.out, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) do(what string, action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, what, action)
}

// run runs an action, which must end in time and without error.
func run[T any](b *browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return got
}
