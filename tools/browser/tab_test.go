package browser

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// load is an answer as the browser saw it.
type load struct {
	path   string
	status int64 // on the wire: 304 where the browser has the body
	cached bool  // by the browser itself, which did not ask
	cache  string
	ranged string
}

// tab is one tab of a browser with a cache of its own, which is empty at first.
type tab struct {
	ctx context.Context

	mu    sync.Mutex
	loads map[network.RequestID]*load
	order []*load
}

// browse starts the browser. It does not talk to anybody but the page.
func browse(t *testing.T) context.Context {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// open opens a tab as a new user of the browser.
func open(browser context.Context, t *testing.T) *tab {
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &tab{ctx: ctx, loads: map[network.RequestID]*load{}}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventResponseReceived:
		l := b.load(e.RequestID)
		if u, err := url.Parse(e.Response.URL); err == nil {
			l.path = u.Path
		}
		l.cached = l.cached || e.Response.FromDiskCache
		l.cache = field(e.Response.Headers, "Cache-Status")
		if l.status == 0 {
			l.status = e.Response.Status
		}
	case *network.EventResponseReceivedExtraInfo:
		l := b.load(e.RequestID)
		l.status, l.ranged = e.StatusCode, field(e.Headers, "Content-Range")
	case *network.EventRequestServedFromCache:
		b.load(e.RequestID).cached = true
	}
}

func (b *tab) load(id network.RequestID) *load {
	if b.loads[id] == nil {
		b.loads[id] = new(load)
		b.order = append(b.order, b.loads[id])
	}
	return b.loads[id]
}

func field(headers network.Headers, name string) string {
	for key, value := range headers {
		if text, ok := value.(string); ok && strings.EqualFold(key, name) {
			return text
		}
	}
	return ""
}

// step is something that a tab does.
type step = chromedp.Action[chromedp.Void]

// run lets the tab act, and returns what it loaded meanwhile.
func (b *tab) run(t *testing.T, steps ...step) map[string][]load {
	t.Helper()
	b.mu.Lock()
	b.loads, b.order = map[network.RequestID]*load{}, nil
	b.mu.Unlock()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	loaded := map[string][]load{}
	for _, l := range b.order {
		loaded[l.path] = append(loaded[l.path], *l)
	}
	return loaded
}

// number is the value of an expression in the page.
func (b *tab) number(t *testing.T, expression string) int {
	t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](expression))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
