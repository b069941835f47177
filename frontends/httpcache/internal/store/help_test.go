package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/rfc9111"
)

const key = "https://example.org/a?b"

// cacheBytes is how much the caches in memory hold.
const cacheBytes = 64 << 20

// newCache returns a cache in memory.
func newCache(t testing.TB) *core.Cache {
	t.Helper()
	b, err := memory.New(memory.Options{MaxBytes: cacheBytes})
	if err != nil {
		t.Fatal(err)
	}
	return overTiers(t, core.Tier{Name: "memory", Backend: b})
}

func overTiers(t testing.TB, tiers ...core.Tier) *core.Cache {
	t.Helper()
	c, err := core.New(core.Options{Tiers: tiers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// open returns a Store over a cache in memory, changed by fn.
func open(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	o := store.Options{}
	for _, fn := range change {
		fn(&o)
	}
	if o.Cache == nil {
		o.Cache = newCache(t)
	}
	s, err := store.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// meta returns what a response with the fields, which are names and values in turn, is stored with.
func meta(fields ...string) *store.Meta {
	h := http.Header{"Content-Type": {"text/plain"}, "Etag": {`"v1"`}, "Date": {"Sat, 21 Nov 2026 21:00:00 GMT"}}
	for i := 0; i < len(fields); i += 2 {
		h.Set(fields[i], fields[i+1])
	}
	return &store.Meta{
		Status: http.StatusOK, Header: h, Keep: time.Hour,
		Freshness: rfc9111.Freshness{Received: time.Now().UnixNano(), Lifetime: time.Minute},
	}
}

// body returns n bytes that are others for each seed.
func body(seed uint64, n int) []byte {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(s).Read(b)
	return b
}

// put stores a body in one go.
func put(t testing.TB, s *store.Store, key string, req http.Header, m *store.Meta, data []byte) *store.Response {
	t.Helper()
	f := s.Begin(t.Context(), key, req, m, int64(len(data)))
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	r, err := f.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// want demands that a request selects a response with the body.
func want(t testing.TB, s *store.Store, key string, req http.Header, data []byte) *store.Response {
	t.Helper()
	r, miss := s.Lookup(t.Context(), key, req)
	if r == nil {
		t.Fatalf("Lookup(%q, %v) = miss %d, want %d bytes", key, req, miss, len(data))
	}
	if got := read(t, r); !bytes.Equal(got, data) {
		t.Fatalf("Lookup(%q, %v) has %d bytes, want %d others", key, req, len(got), len(data))
	}
	return r
}

func wantMiss(t testing.TB, s *store.Store, req http.Header, why store.Miss) {
	t.Helper()
	if r, miss := s.Lookup(t.Context(), key, req); r != nil || miss != why {
		t.Fatalf("Lookup(%q, %v) = %v, %d, want miss %d", key, req, r, miss, why)
	}
}

// read returns the whole body of a response.
func read(t testing.TB, r *store.Response) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := r.WriteRange(t.Context(), &b, 0, r.Size())
	if err != nil || n != r.Size() {
		t.Fatalf("WriteRange = %d, %v, want %d", n, err, r.Size())
	}
	return b.Bytes()
}

// follow reads a fill's reader to its end.
func follow(ctx context.Context, r *store.Reader) ([]byte, error) {
	defer r.Close()
	var b []byte
	for {
		data, err := r.Next(ctx)
		b = append(b, data...)
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

// user returns the header of a request of one of many users.
func user(i int) http.Header { return http.Header{"X-User": {strconv.Itoa(i)}} }
