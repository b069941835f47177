package store_test

import (
	"net/http"
	"runtime"
	"testing"
	"unsafe"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

// TestLookupAllocatesNothing looks up by a key that is a view of a buffer that changes.
func TestLookupAllocatesNothing(t *testing.T) {
	if race {
		t.Skip("the race detector allocates")
	}
	s := open(t)
	req := http.Header{"Accept-Encoding": {"gzip, br"}, "X-User": {"1"}}
	put(t, s, "plain", req, meta(), []byte("a"))
	put(t, s, "varies", req, meta("Vary", "Accept-Encoding, X-User"), []byte("b"))
	for _, key := range []string{"plain", "varies", "absent"} {
		buf := []byte(key)
		view := unsafe.String(&buf[0], len(buf))
		allocs := testing.AllocsPerRun(200, func() {
			if r, _ := s.Lookup(t.Context(), view, req); (r == nil) != (key == "absent") {
				t.Errorf("Lookup(%q) = %v", view, r)
			}
		})
		if allocs != 0 {
			t.Errorf("Lookup(%q) allocates %v times", key, allocs)
		}
	}
}

// TestLookupKeepsNoKey changes the memory of a key after lookups that had to go to a farther tier.
func TestLookupKeepsNoKey(t *testing.T) {
	near, far := newMemory(t), newMemory(t)
	far.Name = "far"
	s := open(t, func(o *store.Options) { o.Cache = overTiers(t, near, far) })
	for _, m := range []*store.Meta{meta(), meta("Vary", "X-User")} {
		put(t, s, "one", user(1), m, []byte("1"))
		put(t, s, "two", user(1), m, []byte("2"))
		if err := near.Backend.(core.Clearer).Clear(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		buf := []byte("one")
		for range 3 {
			copy(buf, "one")
			want(t, s, unsafe.String(&buf[0], 3), user(1), []byte("1"))
			copy(buf, "two")
			want(t, s, unsafe.String(&buf[0], 3), user(1), []byte("2"))
		}
	}
}

// TestLanguage has a variant answer those who want its language above all others.
func TestLanguage(t *testing.T) {
	s := open(t)
	accept := func(v string) http.Header { return http.Header{"Accept-Language": {v}} }
	put(t, s, key, accept("en, de"), meta("Vary", "Accept-Language", "Content-Language", "de"), []byte("hallo"))
	want(t, s, key, accept("en, de"), []byte("hallo"))
	want(t, s, key, accept("de, fr;q=0.5"), []byte("hallo"))
	wantMiss(t, s, accept("fr, de;q=0.5"), store.MissVary)
	wantMiss(t, s, nil, store.MissVary)
}

// TestWeight measures what responses take in memory and compares that with what the memory tier counts of them.
func TestWeight(t *testing.T) {
	if race {
		t.Skip("the race detector takes memory of its own")
	}
	const n = 20_000
	for _, arrive := range []string{"written", "from a farther tier"} {
		t.Run(arrive, func(t *testing.T) {
			b, err := memory.New(memory.Options{MaxBytes: 512 << 20})
			if err != nil {
				t.Fatal(err)
			}
			tiers := []core.Tier{{Name: "memory", Backend: b}}
			var far *memory.Backend
			if arrive != "written" {
				if far, err = memory.New(memory.Options{MaxBytes: 512 << 20}); err != nil {
					t.Fatal(err)
				}
				tiers = append(tiers, core.Tier{Name: "far", Backend: copying{far}})
			}
			s := open(t, func(o *store.Options) { o.Cache = overTiers(t, tiers...) })
			before := heap()
			keys := make([]string, n)
			for i := range keys {
				keys[i] = key + string(rune(i+1000))
				m := meta("Cache-Control", "max-age=60", "Server", "origin", "X-One", "1", "X-Two", "2", "Last-Modified", "x", "Vary", "")
				put(t, s, keys[i], nil, m, body(uint64(i), 1000))
			}
			if far != nil {
				_ = b.Clear(t.Context(), "")
				before = heap()
				for _, k := range keys {
					want(t, s, k, nil, read(t, must(s.Lookup(t.Context(), k, nil))))
				}
			}
			took := int64(heap() - before)
			_, counted := b.Size()
			runtime.KeepAlive(s)
			t.Logf("%d responses take %d bytes each, %d are counted", n, took/n, counted/n)
			if took > counted+counted/10 {
				t.Errorf("%d bytes are taken, %d counted", took, counted)
			}
		})
	}
}

func must(r *store.Response, _ store.Miss) *store.Response { return r }

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
