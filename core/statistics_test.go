package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

func TestStatsControl(t *testing.T) {
	c := newCache(t, oneTier(t))
	ctx := t.Context()
	fillKeys(t, c, "k")
	read := func(hits, misses int) {
		for range hits {
			_, _ = c.Get(ctx, "k")
		}
		for range misses {
			_, _ = c.GetMany(ctx, []string{"none"})
		}
	}
	want := func(what string, hits, misses uint64) {
		t.Helper()
		s := c.Stats()
		if s.Hits != hits || s.Misses != misses || s.Accesses() != hits+misses || s.Tiers[0].Hits != hits || s.Tiers[0].Misses != misses {
			t.Errorf("%s: %d hits, %d misses, of the tier %+v, want %d and %d", what, s.Hits, s.Misses, s.Tiers[0], hits, misses)
		}
		if s.Tiers[0].Entries != 1 {
			t.Errorf("%s: %d entries", what, s.Tiers[0].Entries)
		}
	}
	read(3, 1)
	want("begin", 3, 1)
	c.PauseStats()
	c.PauseStats()
	read(10, 10)
	want("paused", 3, 1)
	if !c.StatsPaused() {
		t.Error("StatsPaused = false")
	}
	c.ResumeStats()
	c.ResumeStats()
	want("resumed", 3, 1)
	read(1, 1)
	want("after a pause", 4, 2)
	c.ResetStats()
	want("reset", 0, 0)
	if s := c.Stats(); s.Total() != 0 {
		t.Errorf("after a reset there are %d commands", s.Total())
	}
	read(2, 0)
	want("after a reset", 2, 0)
	c.PauseStats()
	read(5, 5)
	c.ResetStats() // cacheout's disable is a pause and a reset
	read(5, 5)
	want("off", 0, 0)
	c.ResumeStats()
	read(1, 0)
	want("on again", 1, 0)
}

func TestStatsRates(t *testing.T) {
	b, err := memory.New(memory.Options{MaxBytes: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "memory", Backend: b}}})
	if s := c.Stats(); s.HitRate() != 0 || s.MissRate() != 0 || s.EvictionRate() != 0 {
		t.Error("rates of nothing are not 0")
	}
	fillKeys(t, c, "k")
	for range 3 {
		_, _ = c.Get(t.Context(), "k")
	}
	_, _ = c.Get(t.Context(), "none")
	if s := c.Stats(); s.HitRate() != 0.75 || s.MissRate() != 0.25 {
		t.Errorf("rates %v and %v, want 3/4 and 1/4", s.HitRate(), s.MissRate())
	}
	for i := range 1000 {
		_ = c.Set(t.Context(), fmt.Sprint(i), make([]byte, 200), core.EntryOptions{})
	}
	if _, err := c.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := c.Stats()
	if n := s.Evictions(); n == 0 || s.EvictionRate() != float64(n)/4 || s.Tiers[0].Entries+int64(n) != 1001 {
		t.Errorf("%d evictions, a rate of %v, %d entries", n, s.EvictionRate(), s.Tiers[0].Entries)
	}
}

// TestStatsUnderTraffic has no count go backwards or under zero.
func TestStatsUnderTraffic(t *testing.T) {
	c := newCache(t, oneTier(t))
	fillKeys(t, c, "k")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5000 {
				_, _ = c.Get(context.Background(), "k")
			}
		})
	}
	wg.Go(func() {
		for range 200 {
			c.PauseStats()
			c.ResetStats()
			c.ResumeStats()
			if s := c.Stats(); s.Hits > 20000 {
				t.Errorf("%d hits", s.Hits)
			}
		}
	})
	wg.Wait()
}

// disabledAnswers are what commands say that are switched off.
func disabledAnswers(t *testing.T, c *core.Cache) {
	t.Helper()
	ctx, opts, v := t.Context(), core.EntryOptions{}, []byte("v")
	check := func(what string, ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
	_, err := c.Get(ctx, "k")
	check("get misses", errors.Is(err, core.ErrNotFound), nil)
	values, err := c.GetMany(ctx, []string{"k", "l"})
	check("get many misses", values[0] == nil && values[1] == nil, err)
	check("set", true, c.Set(ctx, "k", v, opts))
	check("add", true, c.Add(ctx, "k", v, opts))
	check("replace", true, c.Replace(ctx, "n", v, opts))
	check("set many", true, c.SetMany(ctx, []string{"k"}, [][]byte{v}, opts))
	check("clear", true, c.Clear(ctx))
	found, err := c.Delete(ctx, "k")
	check("delete finds nothing", !found, err)
	n, err := c.DeleteMany(ctx, []string{"k"})
	check("delete many finds nothing", n == 0, err)
	found, err = c.Exists(ctx, "k")
	check("exists", !found, err)
	found, err = c.Expire(ctx, "k", 1)
	check("expire", !found, err)
	n, err = c.Increment(ctx, "n", 5, opts)
	check("increment is 1", n == 1, err)
	n, err = c.Decrement(ctx, "n", 5, opts)
	check("decrement is 1", n == 1, err)
	n, err = c.Append(ctx, "k", v, opts)
	check("append", n == 1, err)
	_, err = c.TTL(ctx, "k")
	check("ttl", errors.Is(err, core.ErrNotFound), nil)
	keys, err := c.Keys(ctx, "*")
	check("keys", len(keys) == 0, err)
	raw, err := c.Raw(ctx, "get", "k")
	check("raw", raw == nil, err)
	_, err = c.GetDelete(ctx, "k")
	check("get and delete", errors.Is(err, core.ErrNotFound), nil)
	_, _, err = c.Pop(ctx)
	check("pop", errors.Is(err, core.ErrNotFound), nil)
	n, err = c.DeleteTree(ctx, "k")
	check("delete tree", n == 0, err)
	n, err = c.DeleteMatch(ctx, core.Matcher{Prefix: "k"})
	check("delete match", n == 0, err)
	_, err = c.Peek(ctx, "k")
	check("peek misses", errors.Is(err, core.ErrNotFound), nil)
}

func TestDisabled(t *testing.T) {
	for setup := range matchSetups(t) {
		t.Run(setup, func(t *testing.T) {
			c := matchSetups(t)[setup]
			fillKeys(t, c, "k")
			c.SetDisabled(core.AllOps)
			disabledAnswers(t, c.Namespace("below"))
			disabledAnswers(t, c)
			if c.Disabled() != core.AllOps {
				t.Errorf("Disabled = %b", c.Disabled())
			}
			if s := c.Stats(); s.Commands[core.OpSet][core.OutcomeBypass] != 2 {
				t.Errorf("sets ended as %v", s.Commands[core.OpSet])
			}
			c.SetDisabled(0)
			if v, err := c.Get(t.Context(), "k"); err != nil || string(v) != "k" {
				t.Errorf("on again, Get = %q, %v: the store was touched", v, err)
			}
		})
	}
}

// TestDisabledOptions is of a cache that is off from the beginning, which no hook sees.
func TestDisabledOptions(t *testing.T) {
	o := oneTier(t)
	calls := 0
	o.Hooks = []core.Hook{&testHook{spec: allOps("hook"), before: func(*core.Command, *core.Result) error { calls++; return nil }}}
	o.Disabled = core.AllOps
	c := newCache(t, o)
	disabledAnswers(t, c)
	if err := c.SetHooks(o.Hooks, nil); err != nil {
		t.Fatal(err)
	}
	disabledAnswers(t, c)
	if calls != 0 {
		t.Errorf("a hook was called %d times", calls)
	}
}

// TestDisabledOps switches single commands.
func TestDisabledOps(t *testing.T) {
	c := newCache(t, oneTier(t))
	fillKeys(t, c, "k")
	c.SetDisabled(core.Ops(core.OpSet, core.OpDelete))
	if err := c.Set(t.Context(), "k", []byte("other"), core.EntryOptions{}); err != nil {
		t.Errorf("Set = %v", err)
	}
	if found, err := c.Delete(t.Context(), "k"); found || err != nil {
		t.Errorf("Delete = %v, %v", found, err)
	}
	if v, err := c.Get(t.Context(), "k"); err != nil || string(v) != "k" {
		t.Errorf("Get = %q, %v", v, err)
	}
	if err := c.Add(t.Context(), "l", []byte("v"), core.EntryOptions{}); err != nil {
		t.Error(err)
	}
	if n, err := c.DeleteMany(t.Context(), []string{"k", "l"}); n != 2 || err != nil {
		t.Errorf("DeleteMany = %d, %v", n, err)
	}
}
