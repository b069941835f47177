package edgecache_test

import (
	"net/url"
	"testing"

	"github.com/edgecache/edgecache"
)

func TestResponseKey(t *testing.T) {
	for _, tt := range []struct{ method, url, want string }{
		{"GET", "https://shop/a", "GET /a"},
		{"get", "/a?b=2&a=1", "GET /a?a=1&b=2"},
		{"GET", "/a?a=1&b=2", "GET /a?a=1&b=2"},
		{"GET", "/a?b=2&a=1&b=1", "GET /a?a=1&b=2&b=1"},
		{"HEAD", "/a%2Fb?", "HEAD /a%2Fb"},
		{"GET", "/?q=a+b%26", "GET /?q=a+b%26"},
		{"GET", "/?q=%zz&a", "GET /?q=%zz&a"},
		{"GET", "/#part", "GET /"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := edgecache.ResponseKey(tt.method, u); got != tt.want {
			t.Errorf("ResponseKey(%s, %s) = %q, want %q", tt.method, tt.url, got, tt.want)
		}
	}
}

func TestCacheableStatus(t *testing.T) {
	for status, want := range map[int]bool{
		199: false, 200: true, 204: true, 299: true, 300: false, 301: true, 302: false, 304: false, 307: false, 308: true, 404: false, 500: false,
	} {
		if got := edgecache.CacheableStatus(status); got != want {
			t.Errorf("CacheableStatus(%d) = %v, want %v", status, got, want)
		}
	}
}
