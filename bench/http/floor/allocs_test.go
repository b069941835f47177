package main

import (
	"bufio"
	"net"
	"net/http"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache"
	"github.com/edgecache/edgecache/frontends/httpcache/guard"
)

// more is how many allocations a hit may have beyond those of net/http alone.
const more = 4

// TestAllocationsOfAHit holds the handlers of edgecache proxy against net/http alone, over a connection: only the server
// allocates there.
func TestAllocationsOfAHit(t *testing.T) {
	bare := serving(t, &http.Server{Handler: Objects()}, nil)
	cache := caching(t)
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	inner := cache.Handler(Objects())
	guarded := &http.Server{Handler: g.Handler(inner)}
	g.Server(guarded)
	for _, object := range []string{"/1k", "/64k"} {
		floor := allocations(t, bare, object)
		for name, addr := range map[string]string{
			"cache":         serving(t, &http.Server{Handler: inner}, nil),
			"guarded cache": serving(t, guarded, func(ln net.Listener) net.Listener { return g.Listen(guarded, ln, nil, nil) }),
		} {
			if n := allocations(t, addr, object); n > floor+more {
				t.Errorf("%s: %s: %v allocations, net/http alone has %v: %v more, want at most %v", object, name, n, floor, n-floor, more)
			} else {
				t.Logf("%s: %s: %v allocations, net/http alone has %v", object, name, n, floor)
			}
		}
	}
}

func caching(t *testing.T) *httpcache.Cache {
	backend, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	cache, err := httpcache.New(httpcache.Options{Cache: kept.Namespace("http")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close() })
	return cache
}

// serving starts a server, behind a listener that wrap makes, if any, and returns its address.
func serving(t *testing.T, s *http.Server, wrap func(net.Listener) net.Listener) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if wrap != nil {
		ln = wrap(ln)
	}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	return addr
}

// allocations counts those of a request for an object that is stored. The client has none.
func allocations(t *testing.T, addr, object string) float64 {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := []byte("GET " + object + " HTTP/1.1\r\nHost: example.com\r\nUser-Agent: allocs\r\nAccept: */*\r\n\r\n")
	in := bufio.NewReaderSize(c, 128<<10)
	size := map[string]int{"/1k": 1 << 10, "/64k": 64 << 10}[object]
	ask := func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if err := answer(in, size); err != nil {
			t.Fatal(err)
		}
	}
	ask() // stores it
	return testing.AllocsPerRun(2000, ask)
}

// answer reads an answer with a body of size bytes.
func answer(in *bufio.Reader, size int) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			_, err := in.Discard(size)
			return err
		}
	}
}
