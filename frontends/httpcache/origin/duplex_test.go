package origin

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestDuplexConnections sends a request whose body does not come to its end, with another request in what is left of it: that
// must not be answered.
func TestDuplexConnections(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body    string
		handler http.HandlerFunc
		closes  bool
	}{
		"read":      {"1234567890", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }, false},
		"not read":  {"123", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no") }, true},
		"no answer": {"123", func(http.ResponseWriter, *http.Request) {}, true},
		"status":    {"123", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, true},
		"half read": {"123", func(w http.ResponseWriter, r *http.Request) { _, _ = io.CopyN(w, r.Body, 2) }, true},
		"informed":  {"1234567890", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); _, _ = io.Copy(w, r.Body) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(Duplex(tt.handler))
			defer s.Close()
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"+tt.body)
			in := bufio.NewReader(c)
			res, err := http.ReadResponse(in, nil)
			for err == nil && res.StatusCode == http.StatusEarlyHints {
				res, err = http.ReadResponse(in, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.Close != tt.closes {
				t.Errorf("the answer ends the connection: %v, want %v: %v", res.Close, tt.closes, res.Header)
			}
		})
	}
}
