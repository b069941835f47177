package origin

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestForwardedFields(t *testing.T) {
	t.Parallel()
	lies := http.Header{
		"X-Forwarded-For": {"1.1.1.1", "2.2.2.2"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"},
		"Forwarded": {"for=1.1.1.1"}, "X-Original-Url": {"/admin"}, "X-Rewrite-Url": {"/admin"}, "X-Http-Method-Override": {"DELETE"},
		"X-Forwarded-Prefix": {"/x"}, "X-Real-Ip": {"1.1.1.1"}, "Connection": {"X-Secret"}, "X-Secret": {"s"}, "Keep-Alive": {"5"},
		"Proxy-Authorization": {"p"}, "Te": {"trailers, deflate"}, "Accept": {"text/html"}, "Via": {"1.0 fred"},
	}
	gone := []string{
		"X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Forwarded-Prefix", "X-Real-Ip", "X-Secret", "Keep-Alive",
		"Proxy-Authorization", "Connection", "Upgrade", "User-Agent",
	}
	for name, tt := range map[string]struct {
		from                           string
		forwardedFor, host, proto, all string
	}{
		"untrusted": {"192.0.2.1:55", "192.0.2.1", "a.example:81", "http", `for=192.0.2.1;host="a.example:81";proto=http`},
		"trusted": {
			"10.1.2.3:55", "1.1.1.1, 2.2.2.2, 10.1.2.3", "evil.example", "https",
			`for=1.1.1.1, for=10.1.2.3;host="a.example:81";proto=http`,
		},
		"mapped": {
			"[::ffff:10.1.2.3]:55", "1.1.1.1, 2.2.2.2, ::ffff:10.1.2.3", "evil.example", "https",
			`for=1.1.1.1, for="[::ffff:10.1.2.3]";host="a.example:81";proto=http`,
		},
		"v6":      {"[2001:db8::1]:55", "2001:db8::1", "a.example:81", "http", `for="[2001:db8::1]";host="a.example:81";proto=http`},
		"no port": {"", "", "a.example:81", "http", `for=unknown;host="a.example:81";proto=http`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan *http.Request, 1)
			f := forwarder(t, Options{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
				serve(t, func(_ http.ResponseWriter, r *http.Request) { got <- r }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.example:81/", http.NoBody)
			r.Header, r.RemoteAddr = lies.Clone(), tt.from
			if err := f.Forward(httptest.NewRecorder(), r); err != nil {
				t.Fatal(err)
			}
			q := await(t, "the request", got)
			for field, want := range map[string]string{
				"X-Forwarded-For": tt.forwardedFor, "X-Forwarded-Host": tt.host, "X-Forwarded-Proto": tt.proto, "Forwarded": tt.all,
				"Accept": "text/html", "Te": "trailers",
			} {
				if given := q.Header[field]; len(given) != 1 || given[0] != want {
					t.Errorf("%s: %q, want %q", field, given, want)
				}
			}
			for _, field := range gone {
				if q.Header[field] != nil {
					t.Errorf("%s: %q is passed on", field, q.Header[field])
				}
			}
			if via := q.Header["Via"]; len(via) != 2 || via[0] != "1.0 fred" || via[1] != "1.1 "+f.via {
				t.Errorf("Via: %q", via)
			}
			if q.Host != "a.example:81" {
				t.Errorf("Host: %q", q.Host)
			}
		})
	}
}

func TestHostPolicy(t *testing.T) {
	t.Parallel()
	for as, want := range map[string]func(url string) string{
		"":             func(string) string { return "a.example" },
		HostOfOrigin:   func(url string) string { return url[len("http://"):] },
		"b.example:80": func(string) string { return "b.example:80" },
	} {
		got := make(chan string, 1)
		url := serve(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Host })
		f := forwarder(t, Options{Routes: []Route{{Origins: []Origin{{URL: url, Host: as}}}}})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.example/", http.NoBody)
		if err := f.Forward(httptest.NewRecorder(), r); err != nil {
			t.Fatal(err)
		}
		if host := await(t, "the request", got); host != want(url) {
			t.Errorf("host %q for %q, want %q", host, as, want(url))
		}
	}
}

func TestMaxForwards(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"3": "2", "1": "0", "x": "x", "": "", "99999999999": "99999999999"} {
		got := make(chan string, 1)
		f := forwarder(t, Options{}, serve(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Max-Forwards") }))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodTrace, "/", http.NoBody)
		r.Header.Set("Max-Forwards", given)
		if err := f.Forward(httptest.NewRecorder(), r); err != nil {
			t.Fatal(err)
		}
		if left := await(t, "the request", got); left != want {
			t.Errorf("Max-Forwards %q becomes %q, want %q", given, left, want)
		}
	}
}
