package resp

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// newCache returns a cache with one memory tier.
func newCache(t testing.TB, o core.Options) *core.Cache {
	t.Helper()
	backend, err := memory.New(memory.Options{MaxBytes: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	o.Tiers = []core.Tier{{Name: "memory", Backend: backend}}
	cache, err := core.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cache.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return cache
}

// start serves cache on a free port until the test ends.
func start(t testing.TB, cache *core.Cache, o Options) (*Server, string) {
	t.Helper()
	s, err := New(cache, o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, ln.Addr().String()
}
