package httpcache_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache"
)

func TestTransport(t *testing.T) {
	o := newOrigin(t, tagged(strings.Repeat("0123456789", 50_000), "private, max-age=60"))
	for _, private := range []bool{true, false} {
		client := &http.Client{Transport: newCache(t, httpcache.Options{Private: private}).Transport(o.Client().Transport)}
		before := o.requests.Load()
		for range 3 {
			res, err := client.Get(o.URL + "/a")
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			if err != nil || len(b) != 500_000 || res.ContentLength != 500_000 || res.StatusCode != 200 || res.Request == nil {
				t.Fatalf("%d bytes of %d (%v), want all", len(b), res.ContentLength, err)
			}
			_ = res.Body.Close()
		}
		want := int64(3)
		if private {
			want = 1
		}
		if n := o.requests.Load() - before; n != want {
			t.Errorf("private %v: %d requests, want %d", private, n, want)
		}
	}
}

func TestTransportOfOtherMethods(t *testing.T) {
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("Trailer", "X-End")
		_, _ = w.Write(b)
		w.Header().Set("X-End", "1")
	})
	client := &http.Client{Transport: newCache(t, httpcache.Options{}).Transport(nil)}
	res, err := client.Post(o.URL+"/a", "text/plain", strings.NewReader("data"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(b) != "data" || res.Header.Get("X-Method") != "POST" || res.Trailer.Get("X-End") != "1" {
		t.Errorf("%q, %v, trailer %v", b, res.Header, res.Trailer)
	}
	head, err := client.Head(o.URL + "/a")
	if err != nil {
		t.Fatal(err)
	}
	_ = head.Body.Close()
	if head.Header.Get("X-Method") != "HEAD" {
		t.Errorf("HEAD: %v", head.Header)
	}
}

func TestTransportErrors(t *testing.T) {
	boom := errors.New("boom")
	var fail error
	o := newOrigin(t, tagged("hello", "max-age=0"))
	next := roundTrip(func(r *http.Request) (*http.Response, error) {
		if fail != nil {
			return nil, fail
		}
		return o.Client().Transport.RoundTrip(r)
	})
	client := &http.Client{Transport: newCache(t, httpcache.Options{}).Transport(next)}
	fail = boom
	if res, err := client.Get(o.URL + "/a"); !errors.Is(err, boom) {
		_ = res.Body.Close()
		t.Errorf("error = %v, want the next one's", err)
	}
	fail = nil
	for i := range 2 { // at the second time it is stale
		res, err := client.Get(o.URL + "/a")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(b) != "hello" || i == 1 && !strings.Contains(res.Header.Get("Cache-Status"), "origin-unreachable") {
			t.Errorf("%q %q", b, res.Header.Get("Cache-Status"))
		}
		fail = boom
	}
}

// roundTrip makes a round tripper of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransportOfACancelledRequest(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	next := roundTrip(func(r *http.Request) (*http.Response, error) {
		close(asked)
		<-r.Context().Done()
		close(ended)
		return nil, r.Context().Err()
	})
	client := &http.Client{Transport: newCache(t, httpcache.Options{}).Transport(next)}
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://h/a", nil)
	go func() { <-asked; cancel() }()
	if res, err := client.Do(r); !errors.Is(err, context.Canceled) {
		_ = res.Body.Close()
		t.Errorf("error = %v, want that it was cancelled", err)
	}
	<-ended
}

func TestTransportOfABrokenBody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 50\r\n\r\nhello")
		_ = c.Close()
	}()
	client := &http.Client{Transport: newCache(t, httpcache.Options{}).Transport(&http.Transport{DisableKeepAlives: true}), Timeout: time.Minute}
	res, err := client.Get("http://" + l.Addr().String() + "/a")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("half a body is taken for all of it")
	}
}

func TestTransportLeavesTheRequestAlone(t *testing.T) {
	o := newOrigin(t, tagged("hello", "max-age=60"))
	rt := newCache(t, httpcache.Options{}).Transport(o.Client().Transport)
	r, _ := http.NewRequestWithContext(t.Context(), "", o.URL+"/a", nil)
	r.Method, r.Header = "", nil
	for range 2 {
		res, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	if r.Method != "" || r.Header != nil || o.requests.Load() != 1 {
		t.Errorf("request = %+v after %d requests", r, o.requests.Load())
	}
}
