package httpcache_test

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

const lastModified = "Mon, 02 Jan 2006 15:04:05 GMT"

// tagged is an origin of a body with validators.
func tagged(body, cacheControl string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", cacheControl)
		h.Set("Etag", `"v1"`)
		h.Set("Last-Modified", lastModified)
		h.Set("Content-Type", "text/plain")
		h.Set("X-Other", "x")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
	}
}

func TestConditionsAreAnsweredFromTheCache(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  int
	}{
		{"same tag", []string{`If-None-Match: "v1"`}, 304},
		{"weak compare", []string{`If-None-Match: W/"v1"`}, 304},
		{"one of several", []string{`If-None-Match: "x", "v1"`}, 304},
		{"any", []string{`If-None-Match: *`}, 304},
		{"other tag", []string{`If-None-Match: "v2"`}, 200},
		{"same date", []string{"If-Modified-Since: " + lastModified}, 304},
		{"later date", []string{"If-Modified-Since: Mon, 02 Jan 2006 15:04:06 GMT"}, 304},
		{"earlier date", []string{"If-Modified-Since: Mon, 02 Jan 2006 15:04:04 GMT"}, 200},
		{"no date", []string{"If-Modified-Since: yesterday"}, 200},
		{"tag before date", []string{`If-None-Match: "v2"`, "If-Modified-Since: " + lastModified}, 200},
		{"tag before earlier date", []string{`If-None-Match: "v1"`, "If-Modified-Since: Mon, 02 Jan 2006 15:04:04 GMT"}, 304},
	}
	o := newOrigin(t, tagged("hello", "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	get(t, s, "/a")
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, tt := range tests {
			t.Run(method+" "+tt.name, func(t *testing.T) {
				a := do(t, s, method, "/a", "", tt.lines...)
				if a.StatusCode != tt.want {
					t.Fatalf("status = %d, want %d", a.StatusCode, tt.want)
				}
				if !strings.HasPrefix(a.cacheStatus(), "edgecache; hit") || a.Header.Get("Etag") != `"v1"` || a.Header.Get("Age") == "" {
					t.Errorf("header = %v, want a hit with its ETag and Age", a.Header)
				}
				if a.StatusCode == 304 && (a.body != "" || a.Header.Get("Cache-Control") == "" || a.Header.Get("X-Other") != "") {
					t.Errorf("304 with %q and %v", a.body, a.Header)
				}
			})
		}
	}
	if o.requests.Load() != 1 {
		t.Errorf("%d requests, want 1", o.requests.Load())
	}
}

func TestConditionsOfAMissStayHere(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
			if v := r.Header.Get(name); v != "" {
				t.Errorf("the origin gets %s: %s", name, v)
			}
		}
		tagged("hello", "max-age=60")(w, r)
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	if a := get(t, s, "/a", `If-None-Match: "v1"`); a.StatusCode != 304 || !strings.Contains(a.cacheStatus(), "fwd-status=200; stored") {
		t.Errorf("%d %q, want 304 after all of it was fetched", a.StatusCode, a.cacheStatus())
	}
	if a := get(t, s, "/a"); a.body != "hello" || o.requests.Load() != 1 {
		t.Errorf("%q after %d requests, want it stored", a.body, o.requests.Load())
	}
}

func TestIfMatchGoesToTheOrigin(t *testing.T) {
	o := newOrigin(t, tagged("hello", "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	if a := get(t, s, "/a", `If-Match: "v2"`); a.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("status = %d, want the origin's 412", a.StatusCode)
	}
}

func TestHeadFromGet(t *testing.T) {
	o := newOrigin(t, tagged("hello", "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	if a := do(t, s, http.MethodHead, "/a", ""); a.StatusCode != 200 || o.requests.Load() != 1 {
		t.Errorf("HEAD of nothing stored = %d, want the origin's", a.StatusCode)
	}
	get(t, s, "/a")
	a := do(t, s, http.MethodHead, "/a", "")
	if a.ContentLength != 5 || a.body != "" || o.requests.Load() != 2 || !strings.Contains(a.cacheStatus(), "hit") {
		t.Errorf("HEAD: length %d, body %q, %q, want the stored header", a.ContentLength, a.body, a.cacheStatus())
	}
}

func TestRanges(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 40<<10/16*16) // 640 KiB: segments
	for _, body := range []string{"0123456789", large} {
		size := int64(len(body))
		tests := []struct {
			lines         []string
			status        int
			from, to      int64
			contentLength int64
		}{
			{[]string{"Range: bytes=0-1"}, 206, 0, 2, 2},
			{[]string{"Range: bytes=3-"}, 206, 3, size, size - 3},
			{[]string{"Range: bytes=-4"}, 206, size - 4, size, 4},
			{[]string{fmt.Sprintf("Range: bytes=0-%d", size+5)}, 206, 0, size, size},
			{[]string{fmt.Sprintf("Range: bytes=%d-", size)}, 416, 0, 0, 0},
			{[]string{"Range: lines=1-2"}, 200, 0, size, size},
			{[]string{"Range: bytes=2-1"}, 200, 0, size, size},
			{[]string{"Range: bytes=0-1", `If-Range: "v1"`}, 206, 0, 2, 2},
			{[]string{"Range: bytes=0-1", `If-Range: W/"v1"`}, 200, 0, size, size},
			{[]string{"Range: bytes=0-1", `If-Range: "v2"`}, 200, 0, size, size},
			{[]string{"Range: bytes=1-3,2-5"}, 206, 1, 6, 5}, // they overlap
			{[]string{"Range: bytes=" + strings.Repeat("0-1,", 100)}, 200, 0, size, size},
		}
		o := newOrigin(t, tagged(body, "max-age=60"))
		s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
		get(t, s, "/a")
		for _, tt := range tests {
			t.Run(fmt.Sprint(size, tt.lines)[:20], func(t *testing.T) {
				a := get(t, s, "/a", tt.lines...)
				if a.StatusCode != tt.status || a.ContentLength != tt.contentLength || a.body != body[tt.from:tt.to] {
					t.Errorf("%v = %d of %d bytes, want %d of %d", tt.lines, a.StatusCode, a.ContentLength, tt.status, tt.contentLength)
				}
				want := ""
				switch tt.status {
				case 206:
					want = fmt.Sprintf("bytes %d-%d/%d", tt.from, tt.to-1, size)
				case 416:
					want = fmt.Sprintf("bytes */%d", size)
				}
				if got := a.Header.Get("Content-Range"); got != want {
					t.Errorf("Content-Range = %q, want %q", got, want)
				}
			})
		}
		if o.requests.Load() != 1 {
			t.Errorf("%d requests, want 1", o.requests.Load())
		}
	}
}

func TestMultipartRanges(t *testing.T) {
	o := newOrigin(t, tagged("0123456789", "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	get(t, s, "/a")
	a := get(t, s, "/a", "Range: bytes=0-1, 8-")
	_, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || a.StatusCode != 206 || a.ContentLength != int64(len(a.body)) {
		t.Fatalf("%d %v, %d bytes, want 206 in parts", a.StatusCode, a.Header, len(a.body))
	}
	m := multipart.NewReader(strings.NewReader(a.body), params["boundary"])
	for _, want := range []string{"01 bytes 0-1/10 text/plain", "89 bytes 8-9/10 text/plain"} {
		p, err := m.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(p)
		if got := string(b) + " " + p.Header.Get("Content-Range") + " " + p.Header.Get("Content-Type"); got != want {
			t.Errorf("part = %q, want %q", got, want)
		}
	}
}

func TestRangeOfAMiss(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	tests := []struct {
		name, ask, origin string // the Range that the origin gets
		from, to          int
	}{
		{"aligned", "bytes=300000-300009", "bytes=262144-524287", 300000, 300010},
		{"open", "bytes=1000000-", "bytes=786432-", 1000000, 1 << 20},
		{"suffix", "bytes=-5", "bytes=-5", 1<<20 - 5, 1 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := make(chan string, 1)
			o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				asked <- r.Header.Get("Range")
				tagged(body, "max-age=60")(w, r)
			})
			s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
			for i := range 2 {
				a := get(t, s, "/a", "Range: "+tt.ask)
				if want := fmt.Sprintf("bytes %d-%d/%d", tt.from, tt.to-1, len(body)); a.StatusCode != 206 || a.Header.Get("Content-Range") != want {
					t.Fatalf("%d %q, want 206 %q", a.StatusCode, a.Header.Get("Content-Range"), want)
				}
				if a.body != body[tt.from:tt.to] || a.ContentLength != int64(tt.to-tt.from) {
					t.Fatalf("%d bytes, want those asked for", len(a.body))
				}
				if hit := strings.Contains(a.cacheStatus(), "hit"); hit != (i == 1) {
					t.Errorf("Cache-Status %d = %q", i, a.cacheStatus())
				}
			}
			if got := <-asked; got != tt.origin {
				t.Errorf("the origin is asked for %q, want %q", got, tt.origin)
			}
		})
	}
}

func TestRangeOfASmallMissFetchesAll(t *testing.T) {
	o := newOrigin(t, tagged("0123456789", "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	if a := get(t, s, "/a", "Range: bytes=2-3"); a.StatusCode != 206 || a.body != "23" {
		t.Fatalf("%d %q, want 206 of two bytes", a.StatusCode, a.body)
	}
	if a := get(t, s, "/a"); a.StatusCode != 200 || a.body != "0123456789" || o.requests.Load() != 1 {
		t.Errorf("%d %q after %d requests, want all of it stored", a.StatusCode, a.body, o.requests.Load())
	}
}

func TestPartsAreCompleted(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	var asked []string
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
		tagged(body, "max-age=60")(w, r)
	})
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	steps := []struct {
		ask, origin string
		from, to    int
	}{
		{"Range: bytes=0-9", "bytes=0-262143 ", 0, 10},
		{"Range: bytes=200000-300000", `bytes=262144-524287 "v1"`, 200000, 300001},
		{"X: whole", `bytes=524288- "v1"`, 0, 1 << 20},
		{"X: whole", "", 0, 1 << 20},
		{"Range: bytes=1-", "", 1, 1 << 20},
	}
	for _, step := range steps {
		asked = nil
		a := get(t, s, "/a", step.ask)
		if a.body != body[step.from:step.to] {
			t.Fatalf("%s: %d bytes, want %d", step.ask, len(a.body), step.to-step.from)
		}
		if got := strings.Join(asked, ", "); got != step.origin {
			t.Errorf("%s: the origin is asked for %q, want %q", step.ask, got, step.origin)
		}
	}
}

func TestRangeNotStoredIsCut(t *testing.T) {
	o := newOrigin(t, tagged(strings.Repeat("0123456789", 10), "no-store"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	for range 2 { // at the second time it is known
		a := get(t, s, "/a", "Range: bytes=12-14")
		if a.StatusCode != 206 || a.body != "234" || a.Header.Get("Content-Range") != "bytes 12-14/100" || a.ContentLength != 3 {
			t.Errorf("%d %q %v, want three bytes", a.StatusCode, a.body, a.Header)
		}
	}
}

// TestLargeMissWithACondition has the client answered before the body, which then nobody reads, has come.
func TestLargeMissWithACondition(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 256<<10) // 4 MiB: more than is fetched for nobody
	o := newOrigin(t, tagged(body, "max-age=60"))
	s := serve(t, newCache(t, httpcache.Options{}).Proxy(o.forwarder()))
	for range 20 {
		if a := get(t, s, "/a", `If-None-Match: "v1"`); a.StatusCode != 304 {
			t.Fatalf("status = %d, want 304", a.StatusCode)
		}
	}
	if a := get(t, s, "/a"); a.body != body {
		t.Errorf("%d bytes, want all", len(a.body))
	}
}
