package httpcache_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache"
)

func TestLifetimes(t *testing.T) {
	long := time.Now().Add(-100 * time.Hour).UTC().Format(http.TimeFormat)
	tests := []struct {
		name    string
		options httpcache.Options
		status  int
		header  map[string]string
		ttl     string // "" where it is not stored
	}{
		{"nothing said", httpcache.Options{}, 200, nil, ""},
		{"default", httpcache.Options{DefaultTTL: time.Minute}, 200, nil, "60"},
		{"default of a 404", httpcache.Options{DefaultTTL: time.Minute}, 404, nil, "60"},
		{"default of a 500", httpcache.Options{DefaultTTL: time.Minute}, 500, nil, ""},
		{"default before no-store", httpcache.Options{DefaultTTL: time.Minute}, 200, map[string]string{"Cache-Control": "no-store"}, ""},
		{"default before max-age", httpcache.Options{DefaultTTL: time.Minute}, 200, map[string]string{"Cache-Control": "max-age=5"}, "5"},
		{"default before expired", httpcache.Options{DefaultTTL: time.Minute}, 200, map[string]string{"Expires": "0", "Etag": `"x"`}, "0"},
		{"most", httpcache.Options{MaxTTL: time.Minute}, 200, map[string]string{"Cache-Control": "max-age=500"}, "60"},
		{"least", httpcache.Options{MinTTL: time.Minute}, 200, map[string]string{"Cache-Control": "max-age=5"}, "60"},
		{"least before no-cache", httpcache.Options{MinTTL: time.Minute}, 200, map[string]string{"Cache-Control": "no-cache", "Etag": `"x"`}, "0"},
		{"heuristic", httpcache.Options{}, 200, map[string]string{"Last-Modified": long}, "36000"},
		{"heuristic of 400", httpcache.Options{Profile: httpcache.RFC}, 400, map[string]string{"Last-Modified": long, "Cache-Control": "public"}, ""},
		{"explicit of 400", httpcache.Options{}, 400, map[string]string{"Cache-Control": "max-age=5"}, "5"},
		{"431", httpcache.Options{}, 431, map[string]string{"Last-Modified": long, "Cache-Control": "public"}, ""},
		{"status that is not wanted", httpcache.Options{Statuses: []int{200}}, 404, map[string]string{"Cache-Control": "max-age=5"}, ""},
		{"route", httpcache.Options{Routes: []httpcache.Route{{Path: "/a", TTL: time.Minute}}}, 200, map[string]string{"Cache-Control": "max-age=5"}, "60"},
		{"route without freshness", httpcache.Options{Routes: []httpcache.Route{{Path: "/a", TTL: time.Minute}}}, 200, nil, "60"},
		{"route before private", httpcache.Options{Routes: []httpcache.Route{{Path: "/a", TTL: time.Minute}}}, 200, map[string]string{"Cache-Control": "private"}, ""},
		{"private cache", httpcache.Options{Private: true}, 200, map[string]string{"Cache-Control": "private, max-age=5"}, "5"},
		{"private cache and s-maxage", httpcache.Options{Private: true}, 200, map[string]string{"Cache-Control": "s-maxage=50, max-age=5"}, "5"},
		{"age", httpcache.Options{}, 200, map[string]string{"Cache-Control": "max-age=50", "Age": "20"}, "30"},
		{"targeted", httpcache.Options{}, 200, map[string]string{"Cache-Control": "no-store", "Cdn-Cache-Control": "max-age=7"}, "7"},
		{"other targets", httpcache.Options{Targets: []string{"My-Cache-Control"}}, 200, map[string]string{"My-Cache-Control": "max-age=7", "Cdn-Cache-Control": "no-store"}, "7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newCache(t, tt.options).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, "x")
			}))
			w := ask(t.Context(), h, http.MethodGet, "http://h/a")
			cs := w.Header().Get("Cache-Status")
			if stored := strings.Contains(cs, "stored; ttl="+tt.ttl); stored != (tt.ttl != "") || strings.Contains(cs, "stored") != stored {
				t.Errorf("Cache-Status = %q, want a ttl of %q", cs, tt.ttl)
			}
		})
	}
}

func TestKeptForValidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &changing{cacheControl: "max-age=10"}
		h := newCache(t, httpcache.Options{Keep: time.Minute}).Handler(o)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(60 * time.Second)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		time.Sleep(80 * time.Second)
		ask(t.Context(), h, http.MethodGet, "http://h/a")
		if n, matched := o.counts(); n != 3 || matched != 1 {
			t.Errorf("%d of %d requests were validations, want the first one, within a minute of being stale", matched, n)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	cache, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: mustMemory(t)}}})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	for name, o := range map[string]httpcache.Options{
		"Cache is nil":    {},
		"Profile 7":       {Cache: cache, Profile: 7},
		`Name "a b"`:      {Cache: cache, Name: "a b"},
		"MaxObject":       {Cache: cache, MaxObject: -1},
		"times to live":   {Cache: cache, MaxTTL: -1},
		"LockAge":         {Cache: cache, LockAge: -1},
		"MinTTL 2s":       {Cache: cache, MinTTL: 2 * time.Second, MaxTTL: time.Second},
		`Compress: codin`: {Cache: cache, Compress: httpcache.CompressOptions{Codings: []string{"rot13"}}},
	} {
		if c, err := httpcache.New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error = %v", name, err)
			if c != nil {
				_ = c.Close()
			}
		}
	}
}

func mustMemory(t testing.TB) *memory.Backend {
	t.Helper()
	tier, err := memory.New(memory.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return tier
}

func TestParseProfile(t *testing.T) {
	for _, p := range []httpcache.Profile{httpcache.Safe, httpcache.RFC} {
		if got, err := httpcache.ParseProfile(p.String()); got != p || err != nil {
			t.Errorf("ParseProfile(%q) = %v, %v", p, got, err)
		}
	}
	if _, err := httpcache.ParseProfile("bold"); err == nil {
		t.Error("bold is taken for a profile")
	}
}
