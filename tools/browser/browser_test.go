package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// what the page consists of.
var assets = []string{"/style.css", "/script.js", "/picture.png"}

func TestPage(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("EDGECACHE_REQUIRE_BROWSER") != "" {
			t.Fatal(err)
		}
		t.Skip("chromium is not installed: run \"make browser\"")
	}
	s := newSite()
	origin := httptest.NewServer(s)
	defer origin.Close()
	url, admin := proxy(t, origin.URL)
	browser := browse(t)
	first := open(browser, t)

	t.Run("a first visit", func(t *testing.T) {
		loaded := first.run(t, visit(url))
		for _, path := range append(assets, "/") {
			only(t, loaded, path, http.StatusOK, "fwd=uri-miss", false)
		}
	})
	t.Run("another visitor is served from the cache", func(t *testing.T) {
		loaded := open(browser, t).run(t, visit(url))
		for _, path := range append(assets, "/") {
			only(t, loaded, path, http.StatusOK, "hit", false)
			if n, _ := s.seen(path); n != 1 {
				t.Errorf("the origin was asked for %s %d times, want 1", path, n)
			}
		}
	})
	t.Run("a second visit asks for the page alone, which is not modified", func(t *testing.T) {
		loaded := first.run(t, visit(url))
		for _, path := range assets {
			only(t, loaded, path, http.StatusOK, "", true)
		}
		only(t, loaded, "/", http.StatusNotModified, "hit", false)
	})
	t.Run("a stale page is validated at the origin", func(t *testing.T) {
		asked, before := s.seen("/")
		loaded := first.run(t, chromedp.Sleep(3*time.Second), visit(url)) // s-maxage is 2
		only(t, loaded, "/", http.StatusNotModified, "fwd=stale", false)
		if n, notModified := s.seen("/"); n != asked+1 || notModified != before+1 {
			t.Errorf("the origin was asked %d times and answered 304 to %d, want once both", n-asked, notModified-before)
		}
	})
	t.Run("seeking asks for ranges", func(t *testing.T) {
		first.run(t, seek(60)) // what the cache does not have it stores now
		loaded := open(browser, t).run(t, visit(url), seek(400), seek(60))
		ranged := 0
		for _, l := range loaded["/sound.wav"] {
			if l.status == http.StatusPartialContent && strings.HasPrefix(l.ranged, "bytes ") {
				ranged++
			}
		}
		if ranged < 2 {
			t.Errorf("%d answers are partial, want at least two: %+v", ranged, loaded["/sound.wav"])
		}
	})
	t.Run("what was purged is new", func(t *testing.T) {
		s.change()
		before, after := open(browser, t), open(browser, t)
		before.run(t, visit(url))
		if version := before.number(t, "window.version"); version != 1 {
			t.Fatalf("version %d before the purge, want 1", version)
		}
		purge(t, admin, "site")
		loaded := after.run(t, visit(url))
		if version := after.number(t, "window.version"); version != 2 {
			t.Errorf("version %d after the purge, want 2", version)
		}
		for _, path := range append(assets, "/") {
			only(t, loaded, path, http.StatusOK, "fwd=", false)
		}
	})
}

// visit goes to the page and waits until all of it is there.
func visit(url string) step {
	return chromedp.Steps(chromedp.Navigate(url+"/"), until(`document.readyState == "complete" && sound.readyState > 0`))
}

// seek moves in the sound and waits until there is something to hear.
func seek(second int) step {
	return chromedp.Steps(
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf("sound.preload = 'auto'; sound.currentTime = %d", second)),
		until("!sound.seeking && sound.readyState >= 2"),
	)
}

// until waits for a condition of the page's.
func until(condition string) step {
	return chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingTimeout(10*time.Second))
}

// only checks the one answer for a path.
func only(t *testing.T, loaded map[string][]load, path string, status int64, cache string, cached bool) {
	t.Helper()
	if len(loaded[path]) != 1 {
		t.Errorf("%s was loaded %d times, want once: %+v", path, len(loaded[path]), loaded[path])
		return
	}
	l := loaded[path][0]
	if l.status != status || l.cached != cached || !strings.Contains(l.cache, cache) {
		t.Errorf("%s: %+v, want status %d, Cache-Status with %q, from the browser's own cache: %v", path, l, status, cache, cached)
	}
}
