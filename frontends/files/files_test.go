package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/rfc9110"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise is n bytes that can't be compressed.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// TestVariants asks for a file in each coding: every one is made once, has a strong tag of its own and is the file.
func TestVariants(t *testing.T) {
	content := text(20_000)
	s := serve(t, Options{Encodings: []string{"br", "zstd", "gzip", "deflate"}}, "app.js", content)
	tags := make(map[string]string)
	for _, coding := range []string{"", "br", "zstd", "gzip", "deflate"} {
		for range 3 {
			r := s.get("/app.js", "Accept-Encoding", coding)
			if r.StatusCode != 200 || r.Header.Get("Content-Encoding") != coding {
				t.Fatalf("%q: status %d, Content-Encoding %q", coding, r.StatusCode, r.Header.Get("Content-Encoding"))
			}
			if decode(t, coding, r.body) != content {
				t.Fatalf("%q: the body is not the file", coding)
			}
			etag := r.Header.Get("Etag")
			if other, taken := tags[etag]; taken && other != coding || etag != tag([]byte(r.body)) {
				t.Errorf("%q: ETag %s, which %q has, too, or which is no hash of the body", coding, etag, other)
			}
			tags[etag] = coding
			if coding != "" && len(r.body) >= len(content) {
				t.Errorf("%q: %d bytes, no less than %d", coding, len(r.body), len(content))
			}
			for name, want := range map[string]string{
				"Vary": "Accept-Encoding", "Last-Modified": pastHeader, "Content-Type": "text/javascript; charset=utf-8",
				"Content-Length": fmt.Sprint(len(r.body)), "Accept-Ranges": "bytes", "Cache-Control": "",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%q: %s: %q, want %q", coding, name, got, want)
				}
			}
			head := s.ask("HEAD", "/app.js", "Accept-Encoding", coding)
			for _, name := range []string{"Etag", "Content-Length", "Content-Type", "Content-Encoding", "Vary"} { // RFC 9110, 9.3.2
				if head.body != "" || head.Header.Get(name) != r.Header.Get(name) {
					t.Errorf("%q: HEAD has %s: %q, want as GET, %q", coding, name, head.Header.Get(name), r.Header.Get(name))
				}
			}
		}
	}
	if st := s.Stats(); len(tags) != 5 || st.Compressions != 4 || st.Misses != 5 || st.Hits != 25 {
		t.Errorf("%d tags, %+v, want 5, 4 compressions, 5 misses and 25 hits", len(tags), st)
	}
}

// TestNotWorthIt: what is small, or compressed already, or grows, comes as it is.
func TestNotWorthIt(t *testing.T) {
	s := serve(t, Options{},
		"small.css", text(511), "image.png", text(4000), "noise.txt", noise(4000), "exact.css", text(512), "empty.txt", "")
	for path, want := range map[string]struct{ coding, vary string }{
		"/small.css": {"", ""}, "/image.png": {"", ""}, "/noise.txt": {"", "Accept-Encoding"}, "/exact.css": {"br", "Accept-Encoding"},
		"/empty.txt": {"", ""},
	} {
		for range 2 {
			r := s.get(path, "Accept-Encoding", "gzip, br, zstd")
			if r.StatusCode != 200 || r.Header.Get("Content-Encoding") != want.coding || r.Header.Get("Vary") != want.vary {
				t.Errorf("%s: status %d, Content-Encoding %q, Vary %q, want %+v", path, r.StatusCode,
					r.Header.Get("Content-Encoding"), r.Header.Get("Vary"), want)
			}
		}
	}
	if n := s.Stats().Compressions; n != 4 {
		t.Errorf("%d compressions, want 4: one of exact.css, and each coding of noise.txt tried once", n)
	}
}

// TestNotAcceptable refuses clients that take none of the codings there are (RFC 9110, sections 12.5.3 and 15.5.7).
func TestNotAcceptable(t *testing.T) {
	s := serve(t, Options{Encodings: []string{"gzip"}, MaxFileBytes: 10_000}, "a.css", text(4000), "a.png", noise(4000), "large.bin", noise(20_000))
	for _, c := range []struct {
		path, accepted string
		status         int
	}{
		{"/a.css", "gzip, identity;q=0", 200},
		{"/a.css", "br, identity;q=0", 406},
		{"/a.css", "*;q=0", 406},
		{"/a.png", "gzip, *;q=0", 406},
		{"/large.bin", "gzip, *;q=0", 406},
		{"/a.css", "br", 200},
	} {
		if r := s.get(c.path, "Accept-Encoding", c.accepted); r.StatusCode != c.status || c.status == 406 && r.Header.Get("Vary") == "" {
			t.Errorf("%s with Accept-Encoding: %s: status %d, Vary %q, want %d", c.path, c.accepted, r.StatusCode, r.Header.Get("Vary"), c.status)
		}
	}
}

// TestSidecars: files that were compressed beforehand are used where they are no older.
func TestSidecars(t *testing.T) {
	s := serve(t, Options{MaxFileBytes: 10_000},
		"a.css", text(4000), "a.css.br", "brotli!", "a.css.gz", "gzip!",
		"image.png", noise(1000), "image.png.zst", "zstd!",
		"old.css", text(4000), "old.css.br", "stale",
		"large.js", text(20_000), "large.js.br", "brotli!")
	must(t, os.Chtimes(filepath.Join(s.options.Root, "old.css.br"), past(), past().Add(-time.Second)))
	s.wait("the sidecar is noticed to be old", func() bool {
		return s.get("/old.css", "Accept-Encoding", "br").body != "stale"
	})
	for _, c := range []struct{ path, accepted, coding, body string }{
		{"/a.css", "br, gzip", "br", "brotli!"},
		{"/a.css", "gzip", "gzip", "gzip!"},
		{"/image.png", "br, zstd, gzip", "zstd", "zstd!"},
		{"/large.js", "br, gzip", "br", "brotli!"},
		{"/large.js", "gzip", "", text(20_000)},
		{"/a.css.br", "", "", "brotli!"},
	} {
		r := s.get(c.path, "Accept-Encoding", c.accepted)
		if r.Header.Get("Content-Encoding") != c.coding || r.body != c.body {
			t.Errorf("%s with %q: %q %.20q, want %q %.20q", c.path, c.accepted, r.Header.Get("Content-Encoding"), r.body, c.coding, c.body)
		}
		if r.Header.Get("Last-Modified") != pastHeader {
			t.Errorf("%s: Last-Modified %q, want the file's own", c.path, r.Header.Get("Last-Modified"))
		}
	}
	if r := s.get("/large.js"); r.Header.Get("Vary") != "Accept-Encoding" {
		t.Error("a large file that is there in another coding: no Vary")
	}
}

// TestTypes finds the media type by the name, else by the first bytes.
func TestTypes(t *testing.T) {
	s := serve(t, Options{Types: map[string]string{".Foo": "application/x-foo", ".css": "text/x-css"}},
		"a.HTML", "x", "a.foo", "x", "a.css", "x", "a.woff2", "x", "a.webmanifest", "{}", "page", "<!doctype html><p>x", "pixel", "GIF89a...", "data", "\x00\x01",
		"empty", "")
	for path, want := range map[string]string{
		"/a.HTML": "text/html; charset=utf-8", "/a.foo": "application/x-foo", "/a.css": "text/x-css", "/a.woff2": "font/woff2",
		"/a.webmanifest": "application/manifest+json", "/page": "text/html; charset=utf-8", "/pixel": "image/gif",
		"/data": "application/octet-stream", "/empty": "text/plain; charset=utf-8",
	} {
		if got := s.get(path).Header.Get("Content-Type"); got != want {
			t.Errorf("%s: Content-Type %q, want %q", path, got, want)
		}
	}
}

// TestPaths asks for what is there and what is not.
func TestPaths(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret.txt"), "secret")
	root := filepath.Join(t.TempDir(), "www")
	write(t, filepath.Join(root, "..", "www-secret.txt"), "secret")
	for name, content := range map[string]string{
		"index.html": "home", "sub/index.html": "sub", "bare/a.txt": "a", "a b%.txt": "blank", ".env": "secret", ".git/config": "secret",
		".well-known/security.txt": "well", ".well-known/.x": "secret", "sub/.hidden/a.txt": "secret", "a:b/c.txt": "c", "error.log": "log",
		"app.bak": "bak", "x/index.html/y.txt": "y",
	} {
		write(t, filepath.Join(root, name), content)
	}
	must(t, os.Symlink("sub", filepath.Join(root, "within")))
	must(t, os.Symlink(outside, filepath.Join(root, "escape")))
	must(t, os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(root, "escape.txt")))
	must(t, os.Symlink("../www-secret.txt", filepath.Join(root, "up.txt")))
	must(t, os.Symlink("loop", filepath.Join(root, "loop")))
	must(t, syscall.Mkfifo(filepath.Join(root, "pipe"), 0o644))
	s := serve(t, Options{Root: root})
	for path, want := range map[string]string{ // a body, a status, or a status and where to
		"/": "home", "/index.html": "home", "/sub/": "sub", "/sub/index.html": "sub", "/a%20b%25.txt": "blank",
		"/sub": "301 sub/", "/sub?a=1&b": "301 sub/?a=1&b", "/a%3Ab": "301 ./a:b/", "/within": "301 within/", "/within/": "sub",
		"/bare": "301 bare/", "/bare/": "403", "/none/": "404", "/none": "404", "/a.txt/": "404", "/index.html/": "404",
		"/index.html/x": "404", "/x/": "404",
		"/.env": "404", "/.git/config": "404", "/.well-known/security.txt": "well", "/.well-known/.x": "404", "/sub/.hidden/a.txt": "404",
		"/sub/../.env": "404", "/../www-secret.txt": "404", "/%2e%2e/www-secret.txt": "404", "/sub/..%2f..%2fwww-secret.txt": "404",
		"/sub//index.html": "404", "/./index.html": "404", "/%00": "404", "/a%00b": "404",
		"/..%5cwww-secret.txt": "404", "/escape/secret.txt": "404", "/escape": "404", "/escape/": "404",
		"/escape.txt": "404", "/up.txt": "404", "/loop": "404", "/pipe": "404", "/" + strings.Repeat("x", 300): "404",
		"/" + strings.Repeat("x/", 3000): "404", "/error.log": "log", "/app.bak": "bak",
	} {
		for range 2 {
			r := s.get(path)
			got := r.body
			if r.StatusCode != 200 {
				got = strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, r.Header.Get("Location")))
			}
			if got != want {
				t.Errorf("%.60s: %q, want %q", path, got, want)
			}
		}
	}
	if s.get("/error.log").Header.Get("Etag") == "" || s.Stats().Errors != 0 {
		t.Errorf("no tag of what is not cached, or errors: %+v", s.Stats())
	}
	if keys, err := s.cache.Keys(context.Background(), "*error.log*"); err != nil || len(keys) > 0 {
		t.Errorf("what is ignored is cached: %q, %v", keys, err)
	}
}

// TestNames takes paths that net/http's own client would not send.
func TestNames(t *testing.T) {
	h := &Handler{options: Options{Index: "index.html"}}
	for path, want := range map[string]string{
		"": "index.html", "/": "index.html", "/a": "a", "a": "a", "/a/": "a/index.html", "//": "", "//a": "", "//evil.example/..": "",
		"/..": "", "/../": "", "/.": "", "/./": "", "/a/.": "", "/a/..": "", "/a//": "", "/a\x00": "", `/..\a`: "", "/.well-known/x": ".well-known/x",
		"/.well-known": "", "/a/.well-known/x": "", "/a\xff": "",
	} {
		if got, _, ok := h.name(path); ok != (want != "") || ok && got != want {
			t.Errorf("name(%q) = %q, %v, want %q", path, got, ok, want)
		}
	}
}

func TestDotFiles(t *testing.T) {
	s := serve(t, Options{DotFiles: true}, ".env", "shown")
	if r := s.get("/.env"); r.body != "shown" {
		t.Errorf("status %d %q", r.StatusCode, r.body)
	}
}

// TestMethods: GET and HEAD alone (RFC 9110, section 15.5.6).
func TestMethods(t *testing.T) {
	s := serve(t, Options{}, "a.txt", "x")
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405, "PUT": 405, "DELETE": 405, "PATCH": 405, "TRACE": 405} {
		r := s.ask(method, "/a.txt")
		if r.StatusCode != want || want != 200 && r.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: status %d, Allow %q, want %d", method, r.StatusCode, r.Header.Get("Allow"), want)
		}
	}
}

func TestForbidden(t *testing.T) {
	s := serve(t, Options{})
	w := httptest.NewRecorder()
	s.fail(w, httptest.NewRequest(http.MethodGet, "/a.txt", nil), "a.txt", false, &fs.PathError{Op: "open", Path: "a.txt", Err: syscall.EACCES})
	if w.Code != http.StatusForbidden {
		t.Errorf("permission denied: status %d, want 403", w.Code)
	}
}

// TestUnreadable takes a file's permissions away, which its last bytes must not outlive.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("everything is permitted to root")
	}
	s := serve(t, Options{}, "a.txt", "x")
	must(t, os.Chmod(filepath.Join(s.options.Root, "a.txt"), 0))
	s.wait("the file is forbidden", func() bool { return s.get("/a.txt").StatusCode == 403 })
}

// TestPrefix: behind http.StripPrefix, redirects stay below the prefix.
func TestPrefix(t *testing.T) {
	s := serve(t, Options{}, "sub/index.html", "sub", "index.html", "home")
	s.server.Config.Handler = http.StripPrefix("/static", s.Handler)
	for path, want := range map[string]string{"/static/": "home", "/static/sub/": "sub", "/static/sub": "301 sub/"} {
		r := s.get(path)
		if got := r.body; got != want && fmt.Sprint(r.StatusCode, " ", r.Header.Get("Location")) != want {
			t.Errorf("%s: %d %q, want %q", path, r.StatusCode, got, want)
		}
	}
}

// TestLarge: large files are read for each request and never cached.
func TestLarge(t *testing.T) {
	content := noise(300_000)
	s := serve(t, Options{MaxFileBytes: 100_000}, "large.bin", content)
	first := s.get("/large.bin")
	for range 3 {
		if r := s.get("/large.bin", "Accept-Encoding", "gzip"); r.body != content || r.Header.Get("Etag") != first.Header.Get("Etag") {
			t.Fatalf("%d bytes, ETag %s", len(r.body), r.Header.Get("Etag"))
		}
	}
	etag := first.Header.Get("Etag")
	if strings.HasPrefix(etag, "W/") {
		t.Errorf("ETag %s of an old file is weak", etag)
	}
	if r := s.get("/large.bin", "Range", "bytes=-5", "If-Range", etag); r.StatusCode != 206 || r.body != content[len(content)-5:] {
		t.Errorf("status %d", r.StatusCode)
	}
	if r := s.get("/large.bin", "If-None-Match", etag); r.StatusCode != 304 {
		t.Errorf("status %d, want 304", r.StatusCode)
	}
	must(t, os.WriteFile(filepath.Join(s.options.Root, "new.bin"), []byte(content), 0o644))
	if r := s.get("/new.bin"); !strings.HasPrefix(r.Header.Get("Etag"), "W/") || r.body != content {
		t.Errorf("ETag %s of a file that has just changed is not weak", r.Header.Get("Etag"))
	}
	if _, err := s.cache.Get(context.Background(), key("large.bin", rfc9110.Identity)); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a large file is cached: %v", err)
	}
}

// TestCollapse: those who ask for the same body at the same time wait for one that is made.
func TestCollapse(t *testing.T) {
	s := serve(t, Options{}, "a.js", text(500_000))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if r := s.get("/a.js", "Accept-Encoding", "br"); r.StatusCode != 200 || decode(t, "br", r.body) != text(500_000) {
				t.Errorf("status %d", r.StatusCode)
			}
		})
	}
	wg.Wait()
	if n := s.Stats().Compressions; n != 1 {
		t.Errorf("%d compressions, want 1", n)
	}
}

// TestEntries: what the cache has can be read by another process, which looks at the disk itself.
func TestEntries(t *testing.T) {
	s := serve(t, Options{}, "a.css", text(4000))
	s.get("/a.css", "Accept-Encoding", "gzip")
	ctx := context.Background()
	for _, k := range []string{"a.css", key("a.css", rfc9110.Gzip)} {
		value, err := s.cache.Get(ctx, k)
		must(t, err)
		must(t, s.cache.Set(ctx, k, value, core.EntryOptions{})) // without what it was decoded to
	}
	if r := s.get("/a.css", "Accept-Encoding", "gzip"); decode(t, "gzip", r.body) != text(4000) {
		t.Error("not the file")
	}
	if st := s.Stats(); st.Compressions != 1 || st.Hits != 1 {
		t.Errorf("%+v, want a hit without another compression", st)
	}
	must(t, s.cache.Set(ctx, key("a.css", rfc9110.Gzip), []byte("damaged"), core.EntryOptions{}))
	if r := s.get("/a.css", "Accept-Encoding", "gzip"); decode(t, "gzip", r.body) != text(4000) {
		t.Error("not the file")
	}
}

// TestCacheFails: files are served without the cache.
func TestCacheFails(t *testing.T) {
	cache := newCache(t)
	s := serve(t, Options{Cache: cache}, "a.css", text(4000))
	must(t, cache.Close())
	for range 2 {
		if r := s.get("/a.css", "Accept-Encoding", "gzip"); decode(t, "gzip", r.body) != text(4000) {
			t.Error("not the file")
		}
	}
	if s.Stats().Unkept == 0 {
		t.Error("what could not be kept is not counted")
	}
}

func TestBadOptions(t *testing.T) {
	cache, root := newCache(t), t.TempDir()
	for want, o := range map[string]Options{
		"Root is empty":     {Cache: cache},
		"Cache is nil":      {Root: root},
		"no name of a file": {Root: root, Cache: cache, Index: "../x"},
		"must not be":       {Root: root, Cache: cache, MaxFileBytes: -1},
		"syntax error":      {Root: root, Cache: cache, Ignore: []string{"["}},
		"is not offered":    {Root: root, Cache: cache, Encodings: []string{"lzma"}},
		"more than one":     {Root: root, Cache: cache, CacheControl: "a\r\nb"},
		"no such file":      {Root: filepath.Join(root, "none"), Cache: cache},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) = %v, want %q", o, err, want)
		}
	}
}

// discard is a client that keeps nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// TestHitDoesNotAllocate: a hit costs no memory beside what net/http takes.
func TestHitDoesNotAllocate(t *testing.T) {
	s := serve(t, Options{CacheControl: "max-age=60"}, "a/b.css", text(4000))
	q, err := http.NewRequest(http.MethodGet, "/a/b.css", nil)
	must(t, err)
	q.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	w := &discard{header: make(http.Header, 16)}
	s.ServeHTTP(w, q)
	n := testing.AllocsPerRun(1000, func() {
		clear(w.header)
		s.ServeHTTP(w, q)
	})
	if n > 0 || w.status != 200 {
		t.Errorf("a hit allocates %v times, status %d", n, w.status)
	}
}

func FuzzDecodeBody(f *testing.F) {
	for _, content := range []string{"", "hello"} {
		value, _, err := assemble([]byte(content), &trailer{Type: "text/plain", Coding: "gzip", Tag: tag([]byte(content)), Time: past()})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, value []byte) {
		b, err := decodeBody(value)
		if err != nil {
			return
		}
		if b.data != nil && (b.ETag != tag(b.data) || b.size != int64(len(b.data))) {
			t.Fatalf("decodeBody(%q) = %+v", value, b)
		}
	})
}
