package core_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// sampled remembers what it was told.
type sampled struct {
	spec   core.ObserverSpec
	events []core.Event
}

func (o *sampled) Spec() core.ObserverSpec     { return o.spec }
func (o *sampled) Observe(events []core.Event) { o.events = append(o.events, events...) }

func TestSamplerNeedsASample(t *testing.T) {
	o := oneTier(t)
	defer o.Tiers[0].Backend.Close()
	o.Sampler = &sampled{}
	if _, err := core.New(o); err == nil {
		t.Error("an observer without a sample is taken")
	}
}

func TestSampler(t *testing.T) {
	o := &sampled{spec: core.ObserverSpec{Name: "sampled", Ops: core.Ops(core.OpGet, core.OpGetMany, core.OpSet, core.OpDelete), Sample: new(atomic.Uint64)}}
	options := oneTier(t)
	options.Sampler = o
	c := newCache(t, options)
	ctx := t.Context()
	set := func(key, value string) {
		t.Helper()
		if err := c.Namespace("ns").Set(ctx, key, []byte(value), core.EntryOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	set("a", "1234")
	if _, err := c.Namespace("ns").GetMany(ctx, []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exists(ctx, "a"); err != nil { // not asked for
		t.Fatal(err)
	}
	c.Flush()
	keys, err := c.Keys(ctx, "*")
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	prefix := len(keys[0]) - 1 // of the namespace, as stored
	want := []core.Event{
		{Op: uint8(core.OpSet), Size: uint32(prefix + 5), Result: uint8(core.OutcomeStored) | 1<<4},
		{Op: uint8(core.OpGetMany), Size: uint32(prefix + 5), Result: uint8(core.OutcomeHit) | 1<<4},
		{Op: uint8(core.OpGetMany), Size: uint32(prefix + 1), Result: uint8(core.OutcomeMiss)},
	}
	if len(o.events) != len(want) {
		t.Fatalf("events %+v, want %d", o.events, len(want))
	}
	for i, ev := range o.events {
		if ev.KeyHash == 0 || ev.Op != want[i].Op || ev.Size != want[i].Size || ev.Result != want[i].Result {
			t.Errorf("event %d: %+v, want %+v", i, ev, want[i])
		}
	}
	if o.events[0].KeyHash != o.events[1].KeyHash || o.events[1].KeyHash == o.events[2].KeyHash {
		t.Errorf("hashes of a, a, b: %x, %x, %x", o.events[0].KeyHash, o.events[1].KeyHash, o.events[2].KeyHash)
	}
}

// TestSampleOfKeys reads many keys, by the short way and by hooks' way: the observer is told of those in the sample, twice,
// and of no others.
func TestSampleOfKeys(t *testing.T) {
	mask := new(atomic.Uint64)
	mask.Store(7)
	o := &sampled{spec: core.ObserverSpec{Name: "sampled", Ops: core.Ops(core.OpGet), Sample: mask}}
	options := oneTier(t)
	options.Sampler = o
	c := newCache(t, options)
	const keys = 8000
	for range 2 {
		for i := range keys {
			_, _ = c.Get(t.Context(), fmt.Sprint(i)) // misses
		}
		all := &sampled{spec: core.ObserverSpec{Name: "all", Ops: core.AllOps}}
		if err := c.SetHooks(nil, []core.Observer{all}); err != nil { // the sampler stays
			t.Fatal(err)
		}
	}
	c.Flush()
	times := make(map[uint64]int)
	for _, ev := range o.events {
		if ev.KeyHash&7 != 0 {
			t.Fatalf("hash %x is not in the sample", ev.KeyHash)
		}
		times[ev.KeyHash]++
	}
	for h, n := range times {
		if n != 2 {
			t.Fatalf("hash %x was told %d times, want 2", h, n)
		}
	}
	if n := len(times); n < keys/8-250 || n > keys/8+250 {
		t.Errorf("%d keys of %d are in a sample of one in 8", n, keys)
	}
}
