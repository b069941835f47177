package httpcache_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

// TestNothingLeaksBetweenClients has answers that are one client's alone come where something is stored already, or not.
func TestNothingLeaksBetweenClients(t *testing.T) {
	private := func(h http.Header) { h.Set("Set-Cookie", "session=secret"); h.Set("Cache-Control", "max-age=60") }
	tests := []struct {
		name   string
		method string // of the request that brings what is private
		lines  []string
		status int
		header func(http.Header)
	}{
		{"cookie of a 200", http.MethodGet, nil, 200, private},
		{"cookie of a 304", http.MethodGet, nil, 304, private},
		{"cookie of a HEAD", http.MethodHead, nil, 200, private},
		{"no-store of a 304", http.MethodGet, nil, 304, func(h http.Header) { h.Set("Cache-Control", "no-store, max-age=60") }},
		{"private of a 304", http.MethodGet, nil, 304, func(h http.Header) { h.Set("Cache-Control", "private, max-age=60") }},
		{"private of a 200", http.MethodGet, nil, 200, func(h http.Header) { h.Set("Cache-Control", "private, max-age=60") }},
		{"authorization", http.MethodGet, []string{"Authorization: Basic eDp5"}, 200, func(h http.Header) { h.Set("Cache-Control", "max-age=60") }},
		{"authorization of a 304", http.MethodGet, []string{"Authorization: Basic eDp5"}, 304, func(h http.Header) { h.Set("Cache-Control", "max-age=60") }},
		{"cookie without freshness", http.MethodGet, []string{"Cookie: a=b"}, 200, func(h http.Header) { h.Set("Last-Modified", lastModified) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, secret := true, false
				h := newCache(t, httpcache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Etag", `"a"`)
					switch {
					case first:
						w.Header().Set("Cache-Control", "max-age=1")
						_, _ = io.WriteString(w, "public")
					case secret && tt.status == 304 && r.Header.Get("If-None-Match") == "":
						w.Header().Set("Cache-Control", "no-store")
						_, _ = io.WriteString(w, "secret")
					case secret:
						w.Header().Set("Etag", `"a"`)
						tt.header(w.Header())
						w.Header().Set("X-Secret", "1")
						w.WriteHeader(tt.status)
						if tt.status == 200 {
							_, _ = io.WriteString(w, "secret")
						}
					default:
						w.Header().Set("Cache-Control", "no-store")
						_, _ = io.WriteString(w, "others")
					}
				}))
				ask(t.Context(), h, http.MethodGet, "http://h/a")
				first, secret = false, true
				time.Sleep(10 * time.Second)
				ask(t.Context(), h, tt.method, "http://h/a", tt.lines...)
				secret = false
				w := ask(t.Context(), h, http.MethodGet, "http://h/a")
				if strings.Contains(w.Body.String(), "secret") || w.Header().Get("Set-Cookie") != "" || w.Header().Get("X-Secret") != "" {
					t.Errorf("another client gets %q with %v", w.Body, w.Header())
				}
				if cs := w.Header().Get("Cache-Status"); strings.Contains(cs, "hit") {
					t.Errorf("Cache-Status = %q, want the origin asked", cs)
				}
			})
		})
	}
}

func TestProfileRFCStoresCookies(t *testing.T) {
	for profile, want := range map[httpcache.Profile]int64{httpcache.Safe: 2, httpcache.RFC: 1} {
		o := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Set-Cookie", "a=b")
		})
		s := serve(t, newCache(t, httpcache.Options{Profile: profile}).Proxy(o.forwarder()))
		get(t, s, "/a")
		get(t, s, "/a")
		if o.requests.Load() != want {
			t.Errorf("%v: %d requests, want %d", profile, o.requests.Load(), want)
		}
	}
}
