package origin

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestWhatComesIsSent: clients get what has come while the origin is silent, whether it says how much there is or not.
func TestWhatComesIsSent(t *testing.T) {
	for name, header := range map[string]http.Header{
		"known length":   {"Content-Length": {"10"}},
		"unknown length": {},
		"events":         {"Content-Length": {"10"}, "Content-Type": {"Text/Event-Stream; charset=utf-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			more := make(chan struct{})
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), header)
				w.WriteHeader(http.StatusOK)
				for range 2 {
					_ = http.NewResponseController(w).Flush()
					<-more
					_, _ = io.WriteString(w, "12345")
				}
			})
			client := frontend(t, forwarder(t, Options{}, url))
			q, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, client.URL, http.NoBody)
			res, err := client.Client().Do(q) // returns with the header, before the origin has more
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			in, part := bufio.NewReader(res.Body), make([]byte, 5)
			for range 2 {
				more <- struct{}{}
				if _, err := io.ReadFull(in, part); err != nil || string(part) != "12345" {
					t.Fatalf("%q, %v, want what has come", part, err)
				}
			}
			if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v, want the end", rest, err)
			}
		})
	}
}

// TestFieldsOfOneHop: what is for one connection alone goes no further, in either direction.
func TestFieldsOfOneHop(t *testing.T) {
	const list = "Connection,Keep-Alive,Proxy-Connection,Proxy-Authenticate,Proxy-Authorization,Te,Trailer,Upgrade,X-Named,X-Stays"
	names := strings.Split(list, ",")
	set := func(h http.Header) {
		for _, name := range names {
			h.Set(name, "x")
		}
		h.Set("Connection", "keep-alive, x-named")
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		got := make(chan http.Header, 1)
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got <- r.Header
			set(w.Header())
		})
		client := frontend(t, forwarder(t, Options{}, url))
		q, _ := http.NewRequestWithContext(t.Context(), method, client.URL, http.NoBody)
		set(q.Header)
		for _, upgrade := range []string{"Te", "Upgrade"} { // these go another way
			q.Header.Del(upgrade)
		}
		res, _, err := do(t, q)
		if err != nil {
			t.Fatal(err)
		}
		for what, h := range map[string]http.Header{"request": await(t, "the request", got), "answer": res.Header} {
			left := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(h[name]) == 0 })
			if !slices.Equal(left, []string{"X-Stays"}) {
				t.Errorf("%s: the %s has %q", method, what, left)
			}
		}
	}
}
