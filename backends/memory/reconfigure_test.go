package memory

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/core"
)

func TestReconfigure(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to string
		room     int64 // of the new one, in entries; 0 is enough
	}{
		{"larger", Default, Default, 0},
		{"smaller", Default, Default, 20},
		{"another policy", Default, "lru", 0},
		{"another policy and smaller", Default, "lru", 20},
		{"to the default", "lru", Default, 0},
		{"to the default and smaller", "fifo", Default, 20},
		{"smaller by policy", "lru", "lru", 20},
		{"that can't tell the order", "s3fifo", "fifo", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, Options{MaxBytes: 1 << 20, Policy: native(t, tt.from), Lossless: true})
			const n = 100
			for i := range n {
				if err := b.Set(t.Context(), fmt.Sprintf("%03d", i), &core.Entry{Value: make([]byte, 1000), Version: uint64(i)}); err != nil {
					t.Fatal(err)
				}
			}
			o := Options{MaxBytes: 2 << 20, Policy: native(t, tt.to)}
			if tt.room > 0 {
				o.MaxBytes, o.MaxEntryBytes = tt.room*(1000+overhead+3), 2000
			}
			if err := b.Reconfigure(o); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Evict(t.Context()); err != nil {
				t.Fatal(err)
			}
			entries, bytes := b.Size()
			if tt.room == 0 && entries != n || tt.room > 0 && (entries > tt.room || entries < tt.room/2) || bytes > o.MaxBytes {
				t.Errorf("%d entries of %d bytes, room for %d", entries, bytes, tt.room)
			}
			if tt.room > 0 && b.Evictions() != n-entries {
				t.Errorf("%d are counted as evicted", b.Evictions())
			}
			if name, _ := b.EvictionPolicy(); name != tt.to {
				t.Errorf("the policy is %s, want %s", name, tt.to)
			}
			for i := range n {
				if e, err := b.Get(t.Context(), fmt.Sprintf("%03d", i)); err == nil && e.Version != uint64(i) {
					t.Errorf("key %d has version %d", i, e.Version)
				}
			}
			big := &core.Entry{Value: make([]byte, 3000)}
			if err := b.Set(t.Context(), "big", big); (tt.room > 0) != errors.Is(err, core.ErrTooLarge) {
				t.Errorf("Set of a large entry = %v", err)
			}
		})
	}
}

func TestReconfigureErrors(t *testing.T) {
	b := open(t, Options{})
	_ = b.Set(t.Context(), "k", &core.Entry{Value: []byte("v")})
	if err := b.Reconfigure(Options{MaxBytes: -1}); err == nil {
		t.Error("a negative size was taken")
	}
	bad := &Policy{Name: "bad", New: native(t, "lru").New}
	bad.Ghosts = -1
	if e, err := b.Get(t.Context(), "k"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get = %v, %v", e, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Reconfigure(Options{}); !errors.Is(err, core.ErrClosed) {
		t.Errorf("Reconfigure after Close = %v", err)
	}
}

// listing calls listed once its policy has told its order.
type listing struct {
	store
	listed func()
}

func (s *listing) ranked(list func(key string, e *core.Entry) bool) bool {
	ok := s.store.ranked(list)
	s.listed()
	return ok
}

// TestReconfigureWhileWritten has a key come that the policy does not know of when it tells its order: its first write began
// before Reconfigure and is through only after that.
func TestReconfigureWhileWritten(t *testing.T) {
	for _, tt := range []struct{ from, to string }{{Default, "lru"}, {"lru", Default}, {"lifo", "s3fifo"}, {"s3fifo", "lru"}} {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			b := open(t, Options{Policy: native(t, tt.from)})
			_ = b.Set(t.Context(), "other", &core.Entry{Value: []byte("v")})
			begun, listed, through := make(chan struct{}), make(chan struct{}), make(chan error)
			h := *b.open.Load()
			h.store = &listing{h.store, func() {
				close(listed)
				if err := <-through; err != nil {
					t.Errorf("Update = %v", err)
				}
			}}
			b.open.Store(&h)
			go func() {
				_, err := b.Update(t.Context(), "new", func(*core.Entry) (*core.Entry, error) {
					close(begun)
					<-listed
					return &core.Entry{Value: []byte("w")}, nil
				})
				through <- err
			}()
			<-begun
			if err := b.Reconfigure(Options{Policy: native(t, tt.to)}); err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]string{"other": "v", "new": "w"} {
				if e, err := b.Get(t.Context(), key); err != nil || string(e.Value) != want {
					t.Errorf("Get of %s = %v, %v, want %s", key, e, err, want)
				}
			}
		})
	}
}

// TestReconfigureUnderTraffic counts while policies and sizes change: no increment is lost or done twice, no delete undone,
// and nothing that stays is missed.
func TestReconfigureUnderTraffic(t *testing.T) {
	b := open(t, Options{Policy: native(t, "lru")})
	ctx := t.Context()
	for i := range 500 {
		_ = b.Set(ctx, fmt.Sprint("stays", i), &core.Entry{Value: []byte("v")})
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	counts := make([]atomic.Int64, 4)
	for g := range 4 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				n := i % len(counts)
				if _, err := b.Increment(ctx, fmt.Sprint("count", n), 1, 0); err != nil {
					t.Errorf("Increment = %v", err)
				}
				counts[n].Add(1)
				own, want := fmt.Sprint("own", g, i%7), fmt.Sprint(i)
				_ = b.Set(ctx, own, &core.Entry{Value: []byte(want)})
				if e, err := b.Get(ctx, own); err != nil || string(e.Value) != want {
					t.Errorf("Get after Set = %v, %v, want %s", e, err, want)
				}
				if found, err := b.Delete(ctx, own); !found || err != nil {
					t.Errorf("Delete = %v, %v", found, err)
				}
				if e, err := b.Get(ctx, own); !errors.Is(err, core.ErrNotFound) {
					t.Errorf("Get after Delete = %v, %v", e, err)
				}
				if _, err := b.Get(ctx, fmt.Sprint("stays", i%500)); err != nil {
					t.Errorf("Get of what stays = %v", err)
				}
			}
		})
	}
	for range 10 {
		for _, policy := range []string{Default, "lru", "s3fifo", "lru", Default, Default} {
			if err := b.Reconfigure(Options{MaxBytes: 32 << 20, Policy: native(t, policy)}); err != nil {
				t.Error(err)
			}
		}
	}
	stop.Store(true)
	wg.Wait()
	for i := range counts {
		e, err := b.Get(ctx, fmt.Sprint("count", i))
		if err != nil || string(e.Value) != strconv.FormatInt(counts[i].Load(), 10) {
			t.Errorf("count%d = %v, %v, want %d", i, e, err, counts[i].Load())
		}
	}
	keys, _, err := b.Scan(ctx, 0, "own", "", 0)
	if len(keys) != 0 || err != nil {
		t.Errorf("deleted keys are back: %q, %v", keys, err)
	}
	if keys, _, _ := b.Scan(ctx, 0, "stays", "", 0); len(slices.Compact(keys)) != 500 {
		t.Errorf("%d of 500 keys stayed", len(keys))
	}
}
