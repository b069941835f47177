package store_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/edgecache/edgecache/backends/file"
	"github.com/edgecache/edgecache/backends/memcached"
	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/internal/testserver"
)

// copying is a backend that gives out copies, as one in another process does.
type copying struct{ *memory.Backend }

func (c copying) Get(ctx context.Context, key string) (*core.Entry, error) {
	e, err := c.Backend.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return &core.Entry{Value: bytes.Clone(e.Value), Expires: e.Expires, Version: e.Version, Flags: e.Flags, Codec: e.Codec}, nil
}

func newFile(t testing.TB, dir string) core.Tier {
	t.Helper()
	b, err := file.New(file.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return core.Tier{Name: "file", Backend: b}
}

func newMemory(t testing.TB) core.Tier {
	t.Helper()
	b, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return core.Tier{Name: "memory", Backend: b}
}

// TestTiers stores over each farther tier, and reads what it has with an empty memory.
func TestTiers(t *testing.T) {
	far := map[string]func(t *testing.T) func() core.Tier{
		"file": func(t *testing.T) func() core.Tier {
			dir := t.TempDir()
			return func() core.Tier { return newFile(t, dir) }
		},
		"redis": func(t *testing.T) func() core.Tier {
			addr := testserver.Redis(t).Addr()
			return func() core.Tier {
				b, err := redis.Open("redis://"+addr, redis.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return core.Tier{Name: "redis", Backend: b, Remote: true, System: "redis"}
			}
		},
		"memcached": func(t *testing.T) func() core.Tier {
			addr := testserver.Memcached(t).Addr()
			return func() core.Tier {
				b, err := memcached.Open([]string{addr}, memcached.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return core.Tier{Name: "memcached", Backend: b, Remote: true, System: "memcached"}
			}
		},
	}
	for name, make := range far {
		t.Run(name, func(t *testing.T) {
			tier := make(t)
			run := func(fn func(s *store.Store)) {
				c, err := core.New(core.Options{Tiers: []core.Tier{newMemory(t), tier()}})
				if err != nil {
					t.Fatal(err)
				}
				s := open(t, func(o *store.Options) { o.Cache = c })
				fn(s)
				_ = s.Close()
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			run(func(s *store.Store) {
				for i, n := range sizes {
					put(t, s, fmt.Sprint(key, n), nil, meta(), body(uint64(i), n))
					put(t, s, key, user(i), meta("Vary", "X-User"), body(uint64(i), n))
				}
			})
			run(func(s *store.Store) {
				for i, n := range sizes {
					r := want(t, s, fmt.Sprint(key, n), nil, body(uint64(i), n))
					want(t, s, key, user(i), body(uint64(i), n))
					want(t, s, key, user(i), body(uint64(i), n))
					if _, err := s.Freshen(t.Context(), r, meta("X-New", "1")); err != nil {
						t.Error(err)
					}
				}
				_, _ = s.Delete(t.Context(), key)
			})
			run(func(s *store.Store) {
				for i, n := range sizes {
					if r := want(t, s, fmt.Sprint(key, n), nil, body(uint64(i), n)); r.Get("X-New") != "1" {
						t.Errorf("it is not fresher: %q", r.Head())
					}
					wantMiss(t, s, user(i), store.MissURI)
				}
				if n := s.DecodeErrors(); n != 0 {
					t.Errorf("%d frames were damaged", n)
				}
			})
		})
	}
}

// countingConn counts the bytes that come by way of ReadFrom with a file, for which the system has sendfile.
type countingConn struct {
	net.Conn
	sent *int64
}

func (c countingConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.Conn.(io.ReaderFrom).ReadFrom(r)
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			*c.sent += n
		}
	}
	return n, err
}

type countingListener struct {
	net.Listener
	sent *int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c, l.sent}, nil
}

// TestSendfile serves a large body from the tier of files through net/http: the connection gets the files themselves.
func TestSendfile(t *testing.T) {
	near := newMemory(t)
	c := overTiers(t, near, newFile(t, t.TempDir()))
	s := open(t, func(o *store.Options) { o.Cache = c })
	data := body(1, 5*store.SegmentSize+17)
	put(t, s, key, nil, meta(), data)
	if err := near.Backend.(core.Clearer).Clear(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r, _ := s.Lookup(q.Context(), key, q.Header)
		r.CopyHeader(w.Header())
		if _, err := r.WriteRange(q.Context(), w, 0, r.Size()); err != nil {
			t.Error(err)
		}
	}))
	var sent int64
	srv.Listener = countingListener{srv.Listener, &sent}
	srv.Start()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	srv.Close()
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("the client got %d bytes, %v", len(got), err)
	}
	if sent < int64(len(data))-store.SegmentSize {
		t.Errorf("%d of %d bytes went from file to connection", sent, len(data))
	}
}
