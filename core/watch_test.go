package core_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/edgecache/edgecache/core"
)

func TestWatch(t *testing.T) {
	ctx := context.Background()
	c := newCache(t, oneTier(t))
	watcher := &countingObserver{spec: core.ObserverSpec{Name: "watcher", Ops: core.Ops(core.OpGet)}}
	stop, err := c.Watch(watcher)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Watch(watcher); err == nil {
		t.Error("two watchers of one name were taken")
	}
	_, _ = c.Get(ctx, "k")
	other := &countingObserver{spec: core.ObserverSpec{Name: "other", Ops: core.AllOps}}
	if err := c.SetHooks(nil, []core.Observer{other}); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Get(ctx, "k")
	_ = c.Set(ctx, "k", nil, core.EntryOptions{})
	stop()
	stop()
	if watcher.keys != 2 {
		t.Errorf("the watcher saw %d keys when it was stopped, want 2", watcher.keys)
	}
	_, _ = c.Get(ctx, "k")
	c.Flush()
	if watcher.keys != 2 || other.keys != 3 {
		t.Errorf("the watcher saw %d keys and the observer %d, want 2 and 3", watcher.keys, other.keys)
	}
}

// TestWatchUnderTraffic has every command between two turns of watching seen by the watchers exactly.
func TestWatchUnderTraffic(t *testing.T) {
	const goroutines, each = 16, 500
	c := newCache(t, oneTier(t))
	always := &countingObserver{spec: core.ObserverSpec{Name: "always", Ops: core.AllOps}}
	stop, err := c.Watch(always)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				_, _ = c.Get(context.Background(), "k")
			}
		})
	}
	for range 50 {
		brief := &countingObserver{spec: core.ObserverSpec{Name: "brief", Ops: core.AllOps}}
		end, err := c.Watch(brief)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetHooks(nil, nil); err != nil {
			t.Fatal(err)
		}
		end()
	}
	wg.Wait()
	stop()
	if always.keys != goroutines*each {
		t.Errorf("the watcher saw %d keys, want %d", always.keys, goroutines*each)
	}
}

// TestKeyHash has events carry the hash that the options ask for, of the key and what the store has before it.
func TestKeyHash(t *testing.T) {
	o := oneTier(t)
	o.KeyHash = func(prefix, key string) uint64 { return uint64(10*len(prefix) + len(key)) }
	seen := &countingObserver{spec: core.ObserverSpec{Name: "seen", Ops: core.AllOps, KeyHash: true}}
	o.Observers = []core.Observer{seen}
	c := newCache(t, o)
	_, _ = c.Get(context.Background(), "abc")
	_, _ = c.Namespace("ns").GetMany(context.Background(), []string{"a", "ab"})
	c.Flush()
	got := make([]uint64, 0, len(seen.events))
	for i := range seen.events {
		got = append(got, seen.events[i].KeyHash)
	}
	if want := []uint64{3, 31, 32}; !slices.Equal(got, want) {
		t.Errorf("hashes %d, want %d", got, want)
	}
}
