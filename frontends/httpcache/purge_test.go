package httpcache_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// counted answers with the number of the request for just this target, and with what the query says: tags and so on.
func counted(t *testing.T) *origin {
	t.Helper()
	var seen atomic.Int64
	return newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "max-age=60, stale-while-revalidate=60")
		q := r.URL.Query()
		if v := q.Get("vary"); v != "" {
			h.Set("Vary", v)
		}
		if v := q.Get("key"); v != "" {
			h.Set("Surrogate-Key", v)
		}
		if v := q.Get("tag"); v != "" {
			h.Set("Cache-Tag", v)
		}
		_, _ = fmt.Fprint(w, seen.Add(1))
	})
}

// bearer is who may purge in tests.
const bearer = "Authorization: Bearer secret"

func withToken() httpcache.Options {
	return httpcache.Options{Purge: httpcache.PurgeOptions{Token: "secret"}}
}

func TestPurgeMethod(t *testing.T) {
	paths := []string{"/blog/1?key=a%20b", "/blog/2?tag=b,c", "/shop/1?key=c", "/shop/%7Eme?x=%20", "/shop/1"}
	for name, c := range map[string]struct {
		path  string
		lines []string
		gone  string // which of paths
	}{
		"url":                    {"/shop/1", nil, "4"},
		"url with a query":       {"/shop/1?key=c", nil, "2"},
		"url with escapes":       {"/shop/%7Eme?x=%20", nil, "3"},
		"url that is not there":  {"/none", nil, ""},
		"prefix":                 {"/blog/", []string{"Edgecache-Purge: prefix"}, "01"},
		"prefix of no folder":    {"/shop/1", []string{"Edgecache-Purge: prefix"}, "24"},
		"tag":                    {"/", []string{"Surrogate-Key: b"}, "01"},
		"tags":                   {"/", []string{"Cache-Tag: a, c"}, "012"},
		"tag, not the URL":       {"/shop/1", []string{"Xkey: a"}, "0"},
		"tag that is not there":  {"/", []string{"Surrogate-Key: z"}, ""},
		"everything":             {"/", []string{"Edgecache-Purge: all"}, "01234"},
		"said to be hard":        {"/shop/1", []string{"Edgecache-Purge: hard"}, "4"},
		"another host's":         {"/shop/1", []string{"Host: other.example"}, ""},
		"tags and everything":    {"/", []string{"Surrogate-Key: b", "Edgecache-Purge: all"}, "01234"},
		"host in another case":   {"/shop/1", []string{"Host: SITE.example"}, "4"},
		"two words in one field": {"/blog/", []string{"Edgecache-Purge: hard, prefix"}, "01"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, newCache(t, withToken()).Proxy(counted(t).forwarder()))
			before := make([]string, len(paths))
			for i, p := range paths {
				before[i] = get(t, s, p, "Host: site.example").body
			}
			r := do(t, s, "PURGE", c.path, "", append([]string{"Host: site.example", bearer}, c.lines...)...)
			if r.StatusCode != 200 || !strings.Contains(r.body, `"shared":true`) || r.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("PURGE: %d %s %v", r.StatusCode, r.body, r.Header)
			}
			for i, p := range paths {
				now := get(t, s, p, "Host: site.example")
				if gone := strings.ContainsRune(c.gone, rune('0'+i)); gone != (now.body != before[i]) {
					t.Errorf("%s: gone is %v (%s), want %v", p, !gone, now.cacheStatus(), gone)
				}
				if again := get(t, s, p, "Host: site.example"); again.body != now.body {
					t.Errorf("%s: not stored again: %s", p, again.cacheStatus())
				}
			}
		})
	}
}

func TestSoftPurge(t *testing.T) {
	for name, lines := range map[string][]string{
		"url": nil, "tag": {"Surrogate-Key: a"}, "prefix": {"Edgecache-Purge: prefix"}, "all": {"Edgecache-Purge: all"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, newCache(t, withToken()).Proxy(counted(t).forwarder()))
			get(t, s, "/x?key=a")
			if r := do(t, s, "PURGE", "/x?key=a", "", append(lines, bearer, "Edgecache-Purge: soft")...); r.StatusCode != 200 {
				t.Fatalf("PURGE: %d %s", r.StatusCode, r.body)
			}
			r := get(t, s, "/x?key=a")
			if r.body != "1" || !strings.Contains(r.cacheStatus(), "stale-while-revalidate") {
				t.Errorf("%s with %s, want what was stored, while it is validated", r.body, r.cacheStatus())
			}
			eventually(t, func() bool { return get(t, s, "/x?key=a").body == "2" })
		})
	}
}

// eventually waits until cond holds.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !cond(); {
		if time.Now().After(deadline) {
			t.Fatal("it has not happened in 30 s")
		}
		<-tick.C
	}
}

// TestPurgeVariants: a purge of a URL is one of all that was stored under it.
func TestPurgeVariants(t *testing.T) {
	s := serve(t, newCache(t, withToken()).Proxy(counted(t).forwarder()))
	const path = "/v?vary=Accept-Language"
	langs := []string{"Accept-Language: en", "Accept-Language: de", "Accept-Language: fr"}
	var before []string
	for _, l := range langs {
		before = append(before, get(t, s, path, l).body)
	}
	do(t, s, "PURGE", path, "", bearer, langs[0])
	for i, l := range langs {
		if r := get(t, s, path, l); r.body == before[i] {
			t.Errorf("%s is still there: %s", l, r.cacheStatus())
		}
	}
}

func TestPurgeIsRefused(t *testing.T) {
	loopback, elsewhere := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")
	for name, c := range map[string]struct {
		o      httpcache.PurgeOptions
		line   string
		status int
	}{
		"switched off":           {httpcache.PurgeOptions{}, bearer, 405},
		"token":                  {httpcache.PurgeOptions{Token: "secret"}, bearer, 200},
		"no token":               {httpcache.PurgeOptions{Token: "secret"}, "X: y", 401},
		"wrong token":            {httpcache.PurgeOptions{Token: "secret"}, bearer + "s", 401},
		"empty token":            {httpcache.PurgeOptions{Token: "secret"}, "Authorization: Bearer ", 401},
		"token of another kind":  {httpcache.PurgeOptions{Token: "secret"}, "Authorization: Basic secret", 401},
		"network":                {httpcache.PurgeOptions{Clients: []netip.Prefix{elsewhere, loopback}}, "X: y", 200},
		"another network":        {httpcache.PurgeOptions{Clients: []netip.Prefix{elsewhere}}, "X: y", 403},
		"another network, token": {httpcache.PurgeOptions{Clients: []netip.Prefix{elsewhere}, Token: "secret"}, bearer, 200},
		"said by a header":       {httpcache.PurgeOptions{Clients: []netip.Prefix{elsewhere}}, "X-Forwarded-For: 192.0.2.1", 403},
		"network, wrong token":   {httpcache.PurgeOptions{Clients: []netip.Prefix{loopback}, Token: "secret"}, bearer + "s", 200},
	} {
		t.Run(name, func(t *testing.T) {
			o := counted(t)
			s := serve(t, newCache(t, httpcache.Options{Purge: c.o}).Proxy(o.forwarder()))
			get(t, s, "/x")
			r := do(t, s, "PURGE", "/x", "", c.line)
			if r.StatusCode != c.status || r.StatusCode >= 400 != strings.Contains(r.body, `"error"`) {
				t.Errorf("%d %s, want %d", r.StatusCode, r.body, c.status)
			}
			if r.StatusCode == 401 && r.Header.Get("Www-Authenticate") != "Bearer" {
				t.Errorf("401 without WWW-Authenticate: %v", r.Header)
			}
			if want := map[bool]string{true: "2", false: "1"}[c.status == 200]; get(t, s, "/x").body != want {
				t.Errorf("purged is not %v", c.status == 200)
			}
		})
	}
	t.Run("nonsense", func(t *testing.T) {
		s := serve(t, newCache(t, withToken()).Proxy(counted(t).forwarder()))
		if r := do(t, s, "PURGE", "/x", "", bearer, "Edgecache-Purge: gently"); r.StatusCode != 400 || !strings.Contains(r.body, "gently") {
			t.Errorf("%d %s, want 400", r.StatusCode, r.body)
		}
	})
}

func TestPurgeCall(t *testing.T) {
	c := newCache(t, httpcache.Options{})
	s := serve(t, c.Proxy(counted(t).forwarder()))
	ask := func() string { return get(t, s, "/a?b=%2F", "Host: Site.example").body }
	last := ask()
	for _, p := range []httpcache.PurgeRequest{
		{URLs: []string{"http://SITE.example/a?b=%2F#c"}},
		{Prefixes: []string{"HTTP://Site.Example/a?b=%2F"}},
		{URLs: []string{"http://x.example/"}, All: true},
	} {
		if err := c.Purge(t.Context(), p); err != nil {
			t.Fatalf("Purge(%+v) = %v", p, err)
		}
		now := ask()
		if now == last {
			t.Errorf("Purge(%+v) has not purged", p)
		}
		last = now
	}
	for _, p := range []httpcache.PurgeRequest{
		{},
		{Soft: true},
		{URLs: []string{"/a"}},
		{URLs: []string{"ftp://h/a"}},
		{URLs: []string{"http://h/%zz"}},
		{Tags: []string{""}},
		{Prefixes: []string{""}},
		{Tags: []string{strings.Repeat("x", 10_000)}},
		{URLs: []string{"http://site.example/a?b=%2F", "http:///a"}},
	} {
		if err := c.Purge(t.Context(), p); !errors.Is(err, httpcache.ErrBadPurge) {
			t.Errorf("Purge(%.60v) = %v, want ErrBadPurge", p, err)
		}
	}
	if now := ask(); now != last {
		t.Error("a bad request has purged")
	}
	if n := c.Stats().Purged; n != 4 {
		t.Errorf("%d names purged, want 4", n)
	}
}

// TestPurgeWhileFilling: what was asked for before a purge is for those who asked before it.
func TestPurgeWhileFilling(t *testing.T) {
	for name, p := range map[string]httpcache.PurgeRequest{
		"tag": {Tags: []string{"a"}}, "all": {All: true}, "softly": {Tags: []string{"a"}, Soft: true}, "url": {URLs: []string{"http://site.example/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			var fetches atomic.Int64
			half := make(chan struct{})
			o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
				n := fmt.Sprint(fetches.Add(1))
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("Surrogate-Key", "a")
				_, _ = io.WriteString(w, n+strings.Repeat(".", 100_000))
				if n == "1" {
					_ = http.NewResponseController(w).Flush()
					<-half
				}
				_, _ = io.WriteString(w, n)
			})
			c := newCache(t, httpcache.Options{})
			s := serve(t, c.Proxy(o.forwarder()))
			old := make(chan answer, 1)
			go func() { old <- get(t, s, "/x", "Host: site.example") }()
			eventually(t, func() bool { return c.Stats().Filling == 1 })
			if err := c.Purge(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if r := get(t, s, "/x", "Host: site.example"); r.body[:1] != "2" || r.body[len(r.body)-1:] != "2" {
					t.Errorf("after the purge: %.1s of %s", r.body, r.cacheStatus())
				}
			}
			close(half)
			if r := <-old; r.body[:1] != "1" || r.body[len(r.body)-1:] != "1" || r.err != nil {
				t.Errorf("the client of before the purge got %.1s, %v", r.body, r.err)
			}
			eventually(t, func() bool { return c.Stats().Filling == 0 })
			if r := get(t, s, "/x", "Host: site.example"); r.body[:1] != "2" {
				t.Errorf("after both have ended: %.1s of %s", r.body, r.cacheStatus())
			}
			if n := fetches.Load(); n != 2 {
				t.Errorf("%d fetches, want 2", n)
			}
		})
	}
}

// TestTransportLeavesPurgeAlone: for a client PURGE is a method like any other.
func TestTransportLeavesPurgeAlone(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Method) })
	client := http.Client{Transport: newCache(t, withToken()).Transport(nil)}
	q, err := http.NewRequestWithContext(t.Context(), "PURGE", o.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if b, err := io.ReadAll(r.Body); string(b) != "PURGE" || err != nil {
		t.Errorf("%d %q, %v; want the origin's answer", r.StatusCode, b, err)
	}
}

func FuzzPurgeMethod(f *testing.F) {
	f.Add("soft, prefix", "a b", "/x?y")
	f.Add("all", "", "*")
	f.Add(",", "a,,b", "//")
	o := withToken()
	c := newCache(f, o)
	h := c.Handler(http.NotFoundHandler())
	f.Fuzz(func(t *testing.T, purge, tags, path string) {
		r := httptest.NewRequest("PURGE", "/", nil)
		r.URL.Path, r.RequestURI = path, path
		r.Header = http.Header{"Authorization": {"Bearer secret"}, "Edgecache-Purge": {purge}, "Surrogate-Key": {tags}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
