package httpcache_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache"
)

// prose is a compressible text of n bytes that begins with a word.
func prose(word string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%s %d has %d bytes. ", word, i, i*i*7919)
	}
	return b.String()[:n]
}

// decoded undoes a content coding.
func decoded(t *testing.T, coding, body string) string {
	t.Helper()
	var from io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "br":
		from = brotli.NewReader(from)
	case "gzip":
		from, err = gzip.NewReader(from)
	case "zstd":
		from, err = zstd.NewReader(from)
	}
	if err != nil {
		t.Fatalf("%s: %v", coding, err)
	}
	b, err := io.ReadAll(from)
	if err != nil {
		t.Fatalf("%s: %v", coding, err)
	}
	return string(b)
}

func compressing(codings ...string) httpcache.Options {
	return httpcache.Options{Compress: httpcache.CompressOptions{Codings: codings}}
}

// text answers with a text for the path, as the query wants it.
func text(w http.ResponseWriter, r *http.Request) {
	h, q := w.Header(), r.URL.Query()
	h.Set("Cache-Control", "max-age=60")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Etag", `"`+strings.Trim(r.URL.Path, "/")+`"`)
	for name, values := range q {
		if http.CanonicalHeaderKey(name) == name {
			h.Del(name)
			for _, v := range values {
				if v != "" {
					h.Add(name, v)
				}
			}
		}
	}
	size, status := 20_000, 200
	if n, err := strconv.Atoi(q.Get("size")); err == nil {
		size = n
	}
	if n, err := strconv.Atoi(q.Get("status")); err == nil {
		status = n
	}
	body := prose(r.URL.Path+r.Header.Get("Accept-Language"), size)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// coded asks until the answer comes in a coding.
func coded(t *testing.T, s *httptest.Server, path, coding string, lines ...string) (a answer) {
	t.Helper()
	eventually(t, func() bool {
		a = get(t, s, path, append(lines, "Accept-Encoding: "+coding)...)
		return a.Header.Get("Content-Encoding") == coding
	})
	return a
}

// TestCompress has each coding made once, with a tag and a length of its own, and everything else as the origin has it.
func TestCompress(t *testing.T) {
	for _, size := range []int{1 << 10, 20_000, 64 << 10, 400_000} { // inline, and in segments
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			o := newOrigin(t, text)
			c := newCache(t, compressing("br", "zstd", "gzip"))
			s := serve(t, c.Proxy(o.forwarder()))
			path := "/a?size=" + strconv.Itoa(size)
			plain := get(t, s, path)
			if plain.Header.Get("Content-Encoding") != "" || plain.Header.Get("Vary") != "Accept-Encoding" || plain.Header.Get("Etag") != `"a"` {
				t.Errorf("the first answer: %v", plain.Header)
			}
			for _, coding := range []string{"br", "zstd", "gzip"} {
				a := coded(t, s, path, coding)
				if decoded(t, coding, a.body) != plain.body || len(a.body) >= len(plain.body) {
					t.Fatalf("%s: %d bytes that are not the origin's %d", coding, len(a.body), len(plain.body))
				}
				for name, want := range map[string]string{
					"Etag": `"a-` + coding + `"`, "Content-Length": strconv.Itoa(len(a.body)), "Vary": "Accept-Encoding",
					"Content-Type": plain.Header.Get("Content-Type"), "Cache-Control": "max-age=60", "Edgecache-Coded-Of": "",
				} {
					if got := a.Header.Get(name); got != want {
						t.Errorf("%s: %s: %q, want %q", coding, name, got, want)
					}
				}
				if !strings.HasPrefix(a.cacheStatus(), "edgecache; hit") {
					t.Errorf("%s: %s", coding, a.cacheStatus())
				}
				head := do(t, s, "HEAD", path, "", "Accept-Encoding: "+coding)
				for _, name := range []string{"Etag", "Content-Length", "Content-Encoding", "Content-Type", "Vary"} { // RFC 9110, 9.3.2
					if head.Header.Get(name) != a.Header.Get(name) {
						t.Errorf("%s: HEAD has %s: %q, want as GET, %q", coding, name, head.Header.Get(name), a.Header.Get(name))
					}
				}
			}
			if a := get(t, s, path, "Accept-Encoding: identity"); a.body != plain.body || a.Header.Get("Etag") != `"a"` {
				t.Errorf("identity: %v", a.Header)
			}
			if a := get(t, s, path, "Accept-Encoding: gzip;q=0.5, br;q=0.9"); a.Header.Get("Content-Encoding") != "br" {
				t.Errorf("weights: %v", a.Header)
			}
			if n, fetches := c.Stats().Compressions, o.requests.Load(); n != 3 || fetches != 1 {
				t.Errorf("%d compressions and %d fetches, want 3 and 1", n, fetches)
			}
		})
	}
}

// TestNotCompressed asks for what must stay as it is.
func TestNotCompressed(t *testing.T) {
	for name, c := range map[string]struct {
		path, line string
		varies     bool
	}{
		"small":                      {"/a?size=1023", "", false},
		"large":                      {"/a?size=100001", "", false},
		"an image":                   {"/a?Content-Type=image/png", "", false},
		"coded by the origin":        {"/a?Content-Encoding=gzip", "", false},
		"no-transform":               {"/a?Cache-Control=max-age%3D60,+No-Transform", "", false},
		"no-transform by the client": {"/a", "Cache-Control: no-transform", true},
		"a digest of the bytes":      {"/a?Content-Digest=sha-256%3D:x:", "", false},
		"another status":             {"/a?status=404", "", false},
		"a range":                    {"/a", "Range: bytes=0-", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := compressing("br", "gzip")
			o.Compress.MaxBytes = 100_000
			cache := newCache(t, o)
			s := serve(t, cache.Proxy(newOrigin(t, text).forwarder()))
			lines := []string{"Accept-Encoding: br, gzip"}
			if c.line != "" {
				lines = append(lines, c.line)
				coded(t, s, c.path, "br") // there is one
			}
			want := get(t, s, c.path, "Accept-Encoding: identity")
			for range 3 {
				a := get(t, s, c.path, lines...)
				if a.body != want.body || a.Header.Get("Content-Encoding") != want.Header.Get("Content-Encoding") {
					t.Fatalf("%d bytes, %v", len(a.body), a.Header)
				}
				if varies := a.Header.Get("Vary") != ""; varies != c.varies {
					t.Errorf("Vary %q, want some: %v", a.Header.Get("Vary"), c.varies)
				}
			}
			if n := cache.Stats().Compressions; c.line == "" && n != 0 {
				t.Errorf("%d compressions, want none", n)
			}
		})
	}
	t.Run("switched off", func(t *testing.T) {
		s := serve(t, newCache(t, httpcache.Options{}).Proxy(newOrigin(t, text).forwarder()))
		for range 3 {
			if a := get(t, s, "/a", "Accept-Encoding: br"); a.Header.Get("Vary") != "" || a.Header.Get("Content-Encoding") != "" {
				t.Fatalf("%v", a.Header)
			}
		}
	})
	t.Run("futile", func(t *testing.T) {
		noise := make([]byte, 20_000)
		for i, x := 0, uint32(1); i < len(noise); i++ {
			x = x*1664525 + 1013904223
			noise[i] = byte(x >> 24)
		}
		o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write(noise)
		})
		c := newCache(t, compressing("br"))
		s := serve(t, c.Proxy(o.forwarder()))
		get(t, s, "/a")
		eventually(t, func() bool { get(t, s, "/a", "Accept-Encoding: br"); return c.Stats().Compressions == 1 })
		for range 20 {
			if a := get(t, s, "/a", "Accept-Encoding: br"); a.body != string(noise) {
				t.Fatal("not the origin's bytes")
			}
		}
		if n := c.Stats().Compressions; n != 1 {
			t.Errorf("%d compressions, want 1", n)
		}
	})
}

// TestCodedConditions asks for coded bodies on conditions and in ranges.
func TestCodedConditions(t *testing.T) {
	s := serve(t, newCache(t, compressing("br", "gzip")).Proxy(newOrigin(t, text).forwarder()))
	get(t, s, "/a")
	br := coded(t, s, "/a", "br")
	tag := br.Header.Get("Etag")
	for name, c := range map[string]struct {
		lines  []string
		status int
		etag   string
		body   string
	}{
		"the coded tag":                {[]string{"Accept-Encoding: br", "If-None-Match: " + tag}, 304, tag, ""},
		"the coded tag, weakly":        {[]string{"Accept-Encoding: br", "If-None-Match: W/" + tag}, 304, tag, ""},
		"the plain tag":                {[]string{"Accept-Encoding: br", `If-None-Match: "a"`}, 304, `"a"`, ""},
		"the plain tag, identity":      {[]string{"Accept-Encoding: identity", `If-None-Match: "a"`}, 304, `"a"`, ""},
		"the coded tag, identity":      {[]string{"Accept-Encoding: identity", "If-None-Match: " + tag}, 200, `"a"`, prose("/a", 20_000)},
		"another tag":                  {[]string{"Accept-Encoding: br", `If-None-Match: "b"`}, 200, tag, br.body},
		"a range of what it has":       {[]string{"Accept-Encoding: br", "Range: bytes=10-", "If-Range: " + tag}, 206, tag, br.body[10:]},
		"a range of the plain one":     {[]string{"Accept-Encoding: br", "Range: bytes=10-19", `If-Range: "a"`}, 206, `"a"`, prose("/a", 20_000)[10:20]},
		"a range of whatever":          {[]string{"Accept-Encoding: br", "Range: bytes=10-19"}, 206, `"a"`, prose("/a", 20_000)[10:20]},
		"a range of another coding":    {[]string{"Accept-Encoding: gzip", "Range: bytes=10-19", "If-Range: " + tag}, 200, `"a"`, prose("/a", 20_000)},
		"a range beyond the coded one": {[]string{"Accept-Encoding: br", "Range: bytes=19000-", "If-Range: " + tag}, 416, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := get(t, s, "/a", c.lines...)
			if a.StatusCode != c.status || a.Header.Get("Etag") != c.etag || a.body != c.body {
				t.Errorf("%d, ETag %s, %d bytes; want %d, %s, %d bytes", a.StatusCode, a.Header.Get("Etag"), len(a.body), c.status, c.etag, len(c.body))
			}
			if a.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("Vary %q", a.Header.Get("Vary"))
			}
		})
	}
}

// TestCodedFields: tags that can't be told apart are left out, weak ones stay weak, and Vary is completed.
func TestCodedFields(t *testing.T) {
	s := serve(t, newCache(t, compressing("gzip")).Proxy(newOrigin(t, text).forwarder()))
	for path, want := range map[string]struct{ etag, vary string }{
		"/w?Etag=W/%22x%22":               {`W/"x-gzip"`, "Accept-Encoding"},
		"/n?Etag=":                        {"", "Accept-Encoding"},
		"/o?Etag=x":                       {"", "Accept-Encoding"},
		"/v?Vary=Accept-Language":         {`"v-gzip"`, "Accept-Language, Accept-Encoding"},
		"/e?Vary=accept-encoding":         {`"e-gzip"`, "accept-encoding"},
		"/c?Vary=Cookie,+Accept-Encoding": {`"c-gzip"`, "Cookie, Accept-Encoding"},
	} {
		get(t, s, path)
		a := coded(t, s, path, "gzip")
		if got := strings.Join(a.Header.Values("Vary"), ", "); got != want.vary || a.Header.Get("Etag") != want.etag {
			t.Errorf("%s: ETag %s, Vary %q; want %s, %q", path, a.Header.Get("Etag"), got, want.etag, want.vary)
		}
	}
}

// TestCodedVariants: the coded body is that of the variant.
func TestCodedVariants(t *testing.T) {
	s := serve(t, newCache(t, compressing("br")).Proxy(newOrigin(t, text).forwarder()))
	const path = "/v?Vary=Accept-Language"
	for range 2 {
		for _, lang := range []string{"en", "de", "fr"} {
			get(t, s, path, "Accept-Language: "+lang)
			a := coded(t, s, path, "br", "Accept-Language: "+lang)
			if decoded(t, "br", a.body) != prose("/v"+lang, 20_000) {
				t.Errorf("%s gets another language", lang)
			}
		}
	}
}

// TestCodedFollows: a coded body goes on with a response that is freshened, and not with one that is replaced.
func TestCodedFollows(t *testing.T) {
	var version atomic.Int64
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		v := fmt.Sprint(version.Load() / 2) // every second one is the same
		h := w.Header()
		h.Set("Cache-Control", "max-age=60")
		h.Set("Content-Type", "text/plain")
		h.Set("Etag", `"`+v+`"`)
		h.Set("X-Version", fmt.Sprint(version.Load()))
		if r.Header.Get("If-None-Match") == `"`+v+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, prose(v, 20_000))
	})
	c := newCache(t, compressing("br"))
	s := serve(t, c.Proxy(o.forwarder()))
	for i := range int64(6) {
		version.Store(i)
		now := get(t, s, "/a", "Cache-Control: no-cache", "Accept-Encoding: br")
		if got := decoded(t, now.Header.Get("Content-Encoding"), now.body); got != prose(fmt.Sprint(i/2), 20_000) {
			t.Fatalf("version %d: %.20q", i, got)
		}
		a := coded(t, s, "/a", "br")
		if decoded(t, "br", a.body) != prose(fmt.Sprint(i/2), 20_000) || a.Header.Get("X-Version") != fmt.Sprint(i) {
			t.Errorf("version %d: X-Version %s", i, a.Header.Get("X-Version"))
		}
	}
	if n := c.Stats().Compressions; n != 3 {
		t.Errorf("%d compressions of 3 bodies", n)
	}
	t.Run("purged", func(t *testing.T) {
		version.Store(8)
		if err := c.Purge(t.Context(), httpcache.PurgeRequest{All: true}); err != nil {
			t.Fatal(err)
		}
		get(t, s, "/a", "Accept-Encoding: br")
		if a := coded(t, s, "/a", "br"); decoded(t, "br", a.body) != prose("4", 20_000) {
			t.Error("not what the origin has now")
		}
	})
}

// TestCompressHammer asks for few texts that change, in all codings at once, and checks every body.
func TestCompressHammer(t *testing.T) {
	var version atomic.Int64
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Surrogate-Key", "all")
		_, _ = io.WriteString(w, prose(fmt.Sprintf("%s-%d-", r.URL.Path, version.Load()), 80_000))
	})
	c := newCache(t, compressing("br", "gzip", "zstd"))
	s := serve(t, c.Proxy(o.forwarder()))
	done := make(chan struct{})
	for g := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 60 {
				path, coding := fmt.Sprint("/", i%3), []string{"br", "gzip", "zstd", "identity"}[(g+i)%4]
				low := version.Load()
				a := get(t, s, path, "Accept-Encoding: "+coding)
				body := decoded(t, a.Header.Get("Content-Encoding"), a.body)
				word, _, _ := strings.Cut(body, " ")
				var v int64
				if _, err := fmt.Sscanf(word, path+"-%d-", &v); err != nil || v < low || body != prose(word, 80_000) {
					t.Errorf("%s in %s: version %q, not before %d", path, coding, word, low)
					return
				}
				if i%20 == 19 {
					_ = c.Purge(t.Context(), httpcache.PurgeRequest{Tags: []string{"all"}})
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
}

func TestCompressOptions(t *testing.T) {
	backend, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tier, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tier.Close() }()
	for _, o := range []httpcache.CompressOptions{
		{Codings: []string{"deflate"}}, {Codings: []string{"identity"}}, {Codings: []string{"lzma"}}, {MinBytes: -1}, {MinBytes: 10, MaxBytes: 9},
	} {
		full := httpcache.Options{Cache: tier, Compress: o}
		if c, err := httpcache.New(full); err == nil {
			t.Errorf("%+v: no error", o)
			_ = c.Close()
		}
	}
}

// BenchmarkCodedHit delivers a coded body of 20 kB that is there.
func BenchmarkCodedHit(b *testing.B) {
	h := newCache(b, compressing("br")).Handler(http.HandlerFunc(text))
	r := httptest.NewRequest(http.MethodGet, "/a", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	w := &sink{header: http.Header{}}
	for w.header.Get("Content-Encoding") == "" {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// sink is a ResponseWriter that forgets bodies.
type sink struct {
	header http.Header
	bytes.Buffer
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
