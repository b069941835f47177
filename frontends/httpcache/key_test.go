package httpcache

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"
)

func TestKey(t *testing.T) {
	tests := []struct{ name, target, host, want string }{
		{"plain", "/a/b?c=d", "Example.COM", "http://example.com/a/b?c=d"},
		{"port stays", "/", "example.com:80", "http://example.com:80/"},
		{"case of the path", "/A%2fb", "h", "http://h/A%2fb"},
		{"dots and slashes", "//a/../b/%2e%2e", "h", "http://h//a/../b/%2e%2e"},
		{"empty query", "/a?", "h", "http://h/a?"},
		{"escaped query", "/a?b=%20&c=d?e", "h", "http://h/a?b=%20&c=d?e"},
		{"absolute form", "http://h/a?b", "h", "http://h/a?b"},
		{"absolute form without a path", "http://h", "h", "http://h/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", tt.target, nil)
			r.Host, r.TLS = tt.host, nil
			if got := string(appendKey(nil, scheme(r), host(r), target(r))); got != tt.want {
				t.Errorf("key = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestKeyFollowsRewrites(t *testing.T) {
	r := httptest.NewRequest("GET", "/a/b?c", nil)
	r.URL.Path = "/b" // as http.StripPrefix does
	if got := target(r); got != "/b?c" {
		t.Errorf("target = %q, want what is forwarded", got)
	}
	r.URL.RawQuery = ""
	if got := target(r); got != "/b" {
		t.Errorf("target = %q, want what is forwarded", got)
	}
}

func TestSchemeIsTheConnections(t *testing.T) {
	r := httptest.NewRequest("GET", "https://h/", nil)
	r.TLS = nil
	if got := scheme(r); got != "http" {
		t.Errorf("scheme = %q, want http whatever the target says", got)
	}
	r.TLS = &tls.ConnectionState{}
	if got := scheme(r); got != "https" {
		t.Errorf("scheme = %q, want https", got)
	}
}

func TestKeyAllocatesNothing(t *testing.T) {
	r := httptest.NewRequest("GET", "/a/b?c=d", nil)
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { buf = appendKey(buf[:0], scheme(r), host(r), target(r)) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
