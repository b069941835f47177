package memory

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/maypok86/otter/v2"
	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// native returns the policy of that name, nil for Default.
func native(t testing.TB, name string) *Policy {
	t.Helper()
	if name == Default {
		return nil
	}
	p, err := Native(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// withEach runs a test with Default and two others, the one told of hits at once.
func withEach(t *testing.T, run func(t *testing.T, o Options)) {
	t.Helper()
	for _, name := range []string{Default, "lru", "s3fifo"} {
		t.Run(name, func(t *testing.T) { run(t, Options{Policy: native(t, name), Lossless: name == "lru"}) })
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{MaxBytes: -1}, {MaxEntryBytes: -1}} {
		if b, err := New(o); err == nil {
			_ = b.Close()
			t.Errorf("New(%+v) accepted a negative size", o)
		}
	}
}

// drained has the policy told of everything.
func drained(b *Backend) {
	if s, ok := b.open.Load().store.(*policyStore); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drain()
	}
}

func key(i int) string { return fmt.Sprintf("key:%012d", i) }

func heap() int64 {
	debug.FreeOSMemory() // collects twice as far as it matters: what is left is reachable
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestOverhead holds what entries are counted as against what they take from the heap.
func TestOverhead(t *testing.T) {
	for _, size := range []int{0, 10, 64, 100, 700, 1000, 4096} {
		for _, policy := range []string{Default, "lru"} {
			t.Run(fmt.Sprint(policy, size), func(t *testing.T) { overheadOf(t, policy, size) })
		}
	}
}

func overheadOf(t *testing.T, policy string, size int) {
	const n = 50_000
	before := heap()
	b := open(t, Options{MaxBytes: 1 << 29, Policy: native(t, policy)})
	if policy != Default {
		before = heap() // what the policy has for each number is there from the beginning
	}
	for i := range n {
		e := &core.Entry{Value: make([]byte, size), Expires: time.Now().Add(time.Hour).UnixNano()}
		if err := b.Set(context.Background(), key(i), e); err != nil {
			t.Fatal(err)
		}
	}
	taken := heap() - before
	entries, weight := b.Size()
	t.Logf("%d entries: %d bytes each on the heap, counted as %d", entries, taken/n, weight/entries)
	if entries != n || weight < taken || weight > 2*taken {
		t.Errorf("%d entries of %d counted as %d bytes take %d", entries, n, weight, taken)
	}
	runtime.KeepAlive(b)
}

// TestLimitHolds writes ten times the limit from 64 goroutines and looks at what the table holds all the while.
func TestLimitHolds(t *testing.T) { withEach(t, limitHolds) }

func limitHolds(t *testing.T, o Options) {
	const limit, writers = 8 << 20, 64
	o.MaxBytes = limit
	for _, size := range []int{100, 1000, 20_000, 500_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			before := heap()
			b := open(t, o)
			if o.Policy != nil {
				before = heap() // what the policy has for each number is there from the beginning
			}
			each := weight(key(0), &core.Entry{Value: make([]byte, size)})
			var peak atomic.Int64
			var fill sync.WaitGroup
			for w := range writers {
				fill.Go(func() {
					for i := range 10 * limit / size / writers {
						if err := b.Set(t.Context(), key(w<<32|i), &core.Entry{Value: make([]byte, size)}); err != nil {
							t.Error(err)
						}
						entries, _ := b.Size()
						if held := entries * each; held > peak.Load() {
							peak.Store(held)
						}
					}
				})
			}
			fill.Wait()
			drained(b)
			taken := heap() - before
			_, counted := b.Size()
			t.Logf("peak %d, in the end %d of %d, on the heap %d", peak.Load(), counted, limit, taken)
			if counted > limit || peak.Load() > limit+b.open.Load().options.slack()+writers*each || taken > limit*11/10 {
				t.Error("the limit does not hold")
			}
			if b.Evictions() == 0 {
				t.Error("nothing was counted as evicted")
			}
			runtime.KeepAlive(b)
		})
	}
}

func TestTooLarge(t *testing.T) { withEach(t, tooLarge) }

func tooLarge(t *testing.T, o Options) {
	ctx := context.Background()
	o.MaxBytes, o.MaxEntryBytes = 1<<20, 1<<16
	b := open(t, o)
	small, large := &core.Entry{Value: []byte("v")}, &core.Entry{Value: make([]byte, 1<<16)}
	for i := range 100 {
		_ = b.Set(ctx, key(i), small)
	}
	if err := b.Set(ctx, key(0), large); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("Set = %v, want ErrTooLarge", err)
	}
	if _, err := b.Get(ctx, key(0)); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the former value is still served: %v", err)
	}
	_, err := b.Update(ctx, key(1), func(*core.Entry) (*core.Entry, error) { return large, nil })
	if !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("Update = %v, want ErrTooLarge", err)
	}
	if entries, _ := b.Size(); entries != 99 {
		t.Errorf("%d entries are left of 99", entries)
	}
	if e, err := b.Get(ctx, key(1)); e != small {
		t.Errorf("Update that failed changed the entry: %v, %v", e, err)
	}
}

func TestGetAllocatesNothing(t *testing.T) { withEach(t, getAllocatesNothing) }

func getAllocatesNothing(t *testing.T, o Options) {
	ctx := context.Background()
	b := open(t, o)
	_ = b.Set(ctx, "k", &core.Entry{Value: []byte("v"), Expires: time.Now().Add(time.Hour).UnixNano()})
	for _, k := range []string{"k", "absent"} {
		if n := testing.AllocsPerRun(1000, func() { _, _ = b.Get(ctx, k) }); n != 0 {
			t.Errorf("Get(%q) allocates %v times", k, n)
		}
	}
}

// TestExpiryIsPrompt polls keys with different times to live: none ends early, none is served 50 ms late.
func TestExpiryIsPrompt(t *testing.T) { withEach(t, expiryIsPrompt) }

func expiryIsPrompt(t *testing.T, o Options) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		begin := time.Now()
		for ms := 1; ms <= 200; ms++ {
			expires := begin.Add(time.Duration(ms) * time.Millisecond).UnixNano()
			_ = b.Set(t.Context(), key(ms), &core.Entry{Value: []byte("v"), Expires: expires})
		}
		for poll := time.NewTicker(500 * time.Microsecond); time.Since(begin) < 250*time.Millisecond; <-poll.C {
			for ms := 1; ms <= 200; ms++ {
				e, err := b.Get(t.Context(), key(ms))
				late := time.Since(begin) - time.Duration(ms)*time.Millisecond
				if err != nil && late < 0 || err == nil && late > resolution || err == nil && e == nil {
					t.Fatalf("%v after its end the entry of %d ms reads %v, %v", late, ms, e, err)
				}
			}
		}
	})
}

// TestLifetimeAfterClockStep sets an entry after the wall clock has left otter's behind, as on a device that learns the
// time late.
func TestLifetimeAfterClockStep(t *testing.T) {
	wall := time.Now().UnixNano()
	e := otter.Entry[string, *core.Entry]{
		Value:          &core.Entry{Expires: wall + int64(time.Minute)},
		SnapshotAtNano: wall - int64(1000*time.Hour),
	}
	if d := lifetime(e); d < 59*time.Second || d > time.Minute {
		t.Errorf("lifetime = %v, want a minute", d)
	}
	e.Value = &core.Entry{Expires: 1}
	if d := lifetime(e); d <= 0 {
		t.Errorf("lifetime of an expired entry = %v: otter takes that for no expiry", d)
	}
}

func TestExpireKeepsDecoded(t *testing.T) { withEach(t, expireKeepsDecoded) }

func expireKeepsDecoded(t *testing.T, o Options) {
	b := open(t, o)
	e := &core.Entry{Value: []byte("v")}
	e.SetDecoded(42)
	_ = b.Set(t.Context(), "k", e)
	if ok, err := b.Expire(t.Context(), "k", time.Now().Add(time.Hour).UnixNano()); !ok || err != nil {
		t.Fatalf("Expire = %v, %v", ok, err)
	}
	got, err := b.Get(t.Context(), "k")
	if err != nil || got.Decoded() != 42 || got.Expires == 0 || &got.Value[0] != &e.Value[0] {
		t.Errorf("after Expire the entry is %+v, %v; want the same value and its decoded form", got, err)
	}
}

// TestSharesEntries says that nothing is copied.
func TestSharesEntries(t *testing.T) { withEach(t, sharesEntries) }

func sharesEntries(t *testing.T, o Options) {
	b := open(t, o)
	e := &core.Entry{Value: []byte("v")}
	_ = b.Set(t.Context(), "k", e)
	if got, _ := b.Get(t.Context(), "k"); got != e {
		t.Error("Get returned another entry than Set got")
	}
	if got, _ := b.Update(t.Context(), "k", func(old *core.Entry) (*core.Entry, error) { return old, nil }); got != e {
		t.Error("Update returned another entry than Set got")
	}
}

// TestUseWhileClosing closes under traffic.
func TestUseWhileClosing(t *testing.T) { withEach(t, useWhileClosing) }

func useWhileClosing(t *testing.T, o Options) {
	o.MaxBytes = 1 << 20
	b := open(t, o)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				err := b.Set(t.Context(), key(g<<32|i), &core.Entry{Value: make([]byte, 1000)})
				_, _ = b.Get(t.Context(), key(i))
				if errors.Is(err, core.ErrClosed) {
					return
				}
			}
		})
	}
	for b.Evictions() < 10_000 {
		runtime.Gosched()
	}
	for range 2 {
		wg.Go(func() { _ = b.Close() })
	}
	wg.Wait()
}

func BenchmarkGet(b *testing.B) {
	m := open(b, Options{})
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = key(i)
		_ = m.Set(b.Context(), keys[i], &core.Entry{Value: make([]byte, 256), Expires: time.Now().Add(time.Hour).UnixNano()})
	}
	ctx := b.Context()
	var backend core.Backend = m
	b.Run("backend", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, _ = backend.Get(ctx, keys[i&1023])
		}
	})
	b.Run("otter", func(b *testing.B) {
		c := m.open.Load().otter.cache
		for i := 0; b.Loop(); i++ {
			_, _ = c.GetIfPresent(keys[i&1023])
		}
	})
}

// BenchmarkSet writes keys of which a third fits.
func BenchmarkSet(b *testing.B) {
	e := &core.Entry{Value: make([]byte, 256), Expires: time.Now().Add(time.Hour).UnixNano()}
	keys := make([]string, 1<<18)
	for i := range keys {
		keys[i] = key(i)
	}
	for _, name := range []string{Default, "lru", "s3fifo"} {
		b.Run(name, func(b *testing.B) {
			m := open(b, Options{MaxBytes: 64 << 20, Policy: native(b, name)})
			ctx := b.Context()
			b.ReportAllocs()
			var next atomic.Uint64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = m.Set(ctx, keys[next.Add(1)*0x9e3779b97f4a7c15>>46], e)
				}
			})
		})
	}
}

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) core.Backend { return open(t, Options{}) })
}
