package core_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// TestCommands runs every method over one tier and over two: they must not differ.
func TestCommands(t *testing.T) {
	for _, setup := range []struct {
		name string
		open func(t *testing.T) core.Options
	}{
		{"one tier", func(t *testing.T) core.Options { return oneTier(t) }},
		{"two tiers", func(t *testing.T) core.Options { return twoTiers(t, newFar(t)) }},
		{"far only", func(t *testing.T) core.Options {
			return core.Options{Tiers: []core.Tier{{Name: "far", Backend: newFar(t), Remote: true}}}
		}},
	} {
		t.Run(setup.name, func(t *testing.T) {
			for _, ns := range []string{"root", "namespace"} {
				t.Run(ns, func(t *testing.T) {
					c := newCache(t, setup.open(t))
					if ns != "root" {
						c = c.Namespace("shop", "carts")
					}
					testCommands(t, c)
				})
			}
		})
	}
}

func testCommands(t *testing.T, c *core.Cache) {
	ctx := context.Background()
	var none core.EntryOptions
	wantErr := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
	}
	wantValue := func(key, want string) {
		t.Helper()
		if got, err := c.Get(ctx, key); err != nil || string(got) != want {
			t.Errorf("Get(%q) = %q, %v, want %q", key, got, err, want)
		}
	}

	_, err := c.Get(ctx, "k")
	wantErr("Get of an absent key", err, core.ErrNotFound)
	wantErr("Replace of an absent key", c.Replace(ctx, "k", []byte("x"), none), core.ErrNotFound)
	wantErr("Set", c.Set(ctx, "k", []byte("one"), none), nil)
	wantValue("k", "one")
	wantErr("Add of a present key", c.Add(ctx, "k", []byte("x"), none), core.ErrExists)
	wantErr("Add", c.Add(ctx, "k2", []byte("two"), none), nil)
	wantErr("Replace", c.Replace(ctx, "k2", []byte("deux"), none), nil)
	wantValue("k2", "deux")
	binary := string([]byte{0, 1, '\r', '\n', 0xff, ' ', '*'})
	wantErr("Set of a binary key", c.Set(ctx, binary, []byte(binary), none), nil)
	wantValue(binary, binary)
	wantErr("Set of nothing", c.Set(ctx, "empty", nil, none), nil)
	wantValue("empty", "")

	e, err := c.GetAuthority(ctx, "k")
	wantErr("GetAuthority", err, nil)
	wantErr("CompareAndSwap", c.CompareAndSwap(ctx, "k", e.Token(), []byte("swapped"), none), nil)
	wantValue("k", "swapped")
	wantErr("CompareAndSwap again", c.CompareAndSwap(ctx, "k", e.Token(), []byte("x"), none), core.ErrConflict)
	wantErr("CompareAndSwap of nothing", c.CompareAndSwap(ctx, "none", 1, nil, none), core.ErrNotFound)

	n, err := c.Append(ctx, "k", []byte("!"), none)
	if n != 8 || err != nil {
		t.Errorf("Append = %d, %v, want 8", n, err)
	}
	if n, err = c.Prepend(ctx, "k", []byte("re-"), none); n != 11 || err != nil {
		t.Errorf("Prepend = %d, %v, want 11", n, err)
	}
	wantValue("k", "re-swapped!")
	for _, step := range []struct{ delta, want int64 }{{5, 5}, {-7, -2}, {math.MaxInt64, math.MaxInt64 - 2}} {
		if n, err = c.Increment(ctx, "n", step.delta, none); n != step.want || err != nil {
			t.Errorf("Increment by %d = %d, %v, want %d", step.delta, n, err, step.want)
		}
	}
	_, err = c.Increment(ctx, "n", 3, none)
	wantErr("Increment past the end", err, core.ErrOverflow)
	_, err = c.Decrement(ctx, "n", math.MinInt64, none)
	wantErr("Decrement by the least", err, core.ErrOverflow)
	if n, err = c.Decrement(ctx, "n", math.MaxInt64, none); n != -2 || err != nil {
		t.Errorf("Decrement = %d, %v, want -2", n, err)
	}
	wantValue("n", "-2")
	_, err = c.Increment(ctx, "k", 1, none)
	wantErr("Increment of text", err, core.ErrNotInteger)

	testTTL(t, c)
	testMany(t, c)
}

func testTTL(t *testing.T, c *core.Cache) {
	ctx := context.Background()
	wantTTL := func(least, most time.Duration) {
		t.Helper()
		if ttl, err := c.TTL(ctx, "t"); err != nil || ttl < least || ttl > most {
			t.Errorf("TTL = %v, %v, want %v to %v", ttl, err, least, most)
		}
	}
	set := func(key string, ttl time.Duration) {
		t.Helper()
		if err := c.Set(ctx, key, []byte("1"), core.EntryOptions{TTL: ttl}); err != nil {
			t.Fatalf("Set with %v: %v", ttl, err)
		}
	}
	set("t", time.Hour)
	wantTTL(59*time.Minute, time.Hour)
	set("t", core.KeepTTL)
	wantTTL(59*time.Minute, time.Hour)
	if _, err := c.Increment(ctx, "t", 1, core.EntryOptions{TTL: time.Second}); err != nil {
		t.Errorf("Increment: %v", err)
	}
	wantTTL(59*time.Minute, time.Hour)
	for _, step := range []struct{ ttl, min, max time.Duration }{
		{10 * time.Minute, 9 * time.Minute, 10 * time.Minute},
		{core.KeepTTL, 9 * time.Minute, 10 * time.Minute},
		{core.NoExpiry, core.NoExpiry, core.NoExpiry},
	} {
		if ok, err := c.Expire(ctx, "t", step.ttl); !ok || err != nil {
			t.Errorf("Expire with %v = %t, %v", step.ttl, ok, err)
		}
		wantTTL(step.min, step.max)
	}
	set("t", time.Hour)
	set("t", core.DefaultTTL)
	wantTTL(core.NoExpiry, core.NoExpiry)
	if ok, err := c.Expire(ctx, "absent", time.Second); ok || err != nil {
		t.Errorf("Expire of an absent key = %t, %v", ok, err)
	}
	if _, err := c.TTL(ctx, "absent"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("TTL of an absent key: %v", err)
	}
	if err := c.Set(ctx, "t", nil, core.EntryOptions{TTL: -5}); !errors.Is(err, core.ErrBadTTL) {
		t.Errorf("Set with a negative TTL: %v", err)
	}
	set("short", 30*time.Millisecond)
	waitFor(t, "the entry to expire", func() bool {
		_, err := c.Get(ctx, "short")
		return errors.Is(err, core.ErrNotFound)
	})
	for _, k := range []string{"t"} {
		if ok, err := c.Exists(ctx, k); !ok || err != nil {
			t.Errorf("Exists(%q) = %t, %v", k, ok, err)
		}
		for _, want := range []bool{true, false} {
			if ok, err := c.Delete(ctx, k); ok != want || err != nil {
				t.Errorf("Delete(%q) = %t, %v, want %t", k, ok, err, want)
			}
		}
		if ok, err := c.Exists(ctx, k); ok || err != nil {
			t.Errorf("Exists(%q) after Delete = %t, %v", k, ok, err)
		}
	}
}

func testMany(t *testing.T, c *core.Cache) {
	ctx := context.Background()
	if err := c.Clear(ctx); err != nil {
		t.Fatalf("Clear: %v", err)
	}
	keys := []string{"a", "b", "c"}
	if err := c.SetMany(ctx, keys, [][]byte{[]byte("1"), {}, []byte("3")}, core.EntryOptions{TTL: time.Hour}); err != nil {
		t.Fatalf("SetMany: %v", err)
	}
	if err := c.SetMany(ctx, keys, nil, core.EntryOptions{}); err == nil {
		t.Error("SetMany with keys and no values succeeded")
	}
	got, err := c.GetMany(ctx, []string{"c", "x", "b", "a", "a"})
	if err != nil {
		t.Fatalf("GetMany: %v", err)
	}
	for i, want := range []string{"3", "", "", "1", "1"} {
		if string(got[i]) != want || (got[i] == nil) != (i == 1) {
			t.Errorf("GetMany[%d] = %q (nil: %t), want %q", i, got[i], got[i] == nil, want)
		}
	}
	listed, err := c.Keys(ctx, "[ab]")
	slices.Sort(listed)
	if err != nil || !slices.Equal(listed, keys[:2]) {
		t.Errorf("Keys = %q, %v, want %q", listed, err, keys[:2])
	}
	if n, err := c.Len(ctx); n != 3 || err != nil {
		t.Errorf("Len = %d, %v, want 3", n, err)
	}
	if n, err := c.DeleteMany(ctx, []string{"a", "x", "c"}); n != 2 || err != nil {
		t.Errorf("DeleteMany = %d, %v, want 2", n, err)
	}
	if listed, err = c.Keys(ctx, "*"); err != nil || !slices.Equal(listed, []string{"b"}) {
		t.Errorf("Keys = %q, %v, want b", listed, err)
	}
}

// TestFlagOld asks writes for what was there before them.
func TestFlagOld(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]core.Options{"one tier": oneTier(t), "two tiers": twoTiers(t, newFar(t))} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t, o)
			var res core.Result
			do := func(cmd core.Command) *core.Result {
				t.Helper()
				cmd.Flags |= core.FlagOld
				if err := c.Do(ctx, &cmd, &res); err != nil {
					t.Fatalf("%v: %v", cmd.Op, err)
				}
				return &res
			}
			if r := do(core.Command{Op: core.OpSet, Key: "k", Value: []byte("1")}); r.Entry != nil {
				t.Errorf("first set: old entry %q", r.Entry.Value)
			}
			if r := do(core.Command{Op: core.OpSet, Key: "k", Value: []byte("2"), TTL: time.Hour}); string(r.Entry.Value) != "1" {
				t.Errorf("second set: old value %q, want 1", r.Entry.Value)
			}
			r := do(core.Command{Op: core.OpAdd, Key: "k", Value: []byte("3")})
			if r.Outcome != core.OutcomeNotStored || string(r.Entry.Value) != "2" {
				t.Errorf("add: %v, old value %q, want not_stored and 2", r.Outcome, r.Entry.Value)
			}
			r = do(core.Command{Op: core.OpExpire, Key: "k", TTL: core.NoExpiry})
			if r.Outcome != core.OutcomeHit || string(r.Entry.Value) != "2" {
				t.Errorf("expire: %v, entry %q", r.Outcome, r.Entry.Value)
			}
			if ttl, _ := c.TTL(ctx, "k"); ttl != core.NoExpiry {
				t.Errorf("TTL after persist = %v", ttl)
			}
			if r = do(core.Command{Op: core.OpDelete, Key: "k"}); r.Outcome != core.OutcomeHit || string(r.Entry.Value) != "2" {
				t.Errorf("delete: %v, entry %q", r.Outcome, r.Entry.Value)
			}
			if r = do(core.Command{Op: core.OpDelete, Key: "k"}); r.Outcome != core.OutcomeMiss || r.Entry != nil {
				t.Errorf("second delete: %v, entry %v", r.Outcome, r.Entry)
			}
		})
	}
}

// TestBorrowed overwrites the memory of a command's keys and values after Do.
func TestBorrowed(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]core.Options{"one tier": oneTier(t), "two tiers": twoTiers(t, newFar(t))} {
		t.Run(name, func(t *testing.T) {
			root := newCache(t, o)
			for _, c := range []*core.Cache{root, root.Namespace("n")} {
				buf := []byte("key1val1")
				var res core.Result
				cmd := core.Command{Flags: core.FlagBorrowed}
				run := func(op core.Op) {
					t.Helper()
					copy(buf, "key1val1")
					cmd.Op, cmd.Key, cmd.Value, cmd.Delta = op, unsafeString(buf[:4]), buf[4:], 1
					cmd.Keys, cmd.Values = []string{cmd.Key}, [][]byte{cmd.Value}
					if err := c.Do(ctx, &cmd, &res); err != nil && !errors.Is(err, core.ErrNotInteger) {
						t.Fatalf("%v: %v", op, err)
					}
					copy(buf, "********")
				}
				for _, op := range []core.Op{core.OpSet, core.OpAdd, core.OpReplace, core.OpSetMany, core.OpGet, core.OpGetMany} {
					run(op)
					if v, err := c.Get(ctx, "key1"); err != nil || string(v) != "val1" {
						t.Fatalf("after %v: Get = %q, %v, want val1", op, v, err)
					}
				}
				run(core.OpAppend)
				if v, _ := c.Get(ctx, "key1"); string(v) != "val1val1" {
					t.Errorf("after append: %q", v)
				}
				run(core.OpDelete)
				if n, _ := c.Len(ctx); n != 0 {
					t.Errorf("%d keys are left", n)
				}
				run(core.OpIncrement)
				if v, _ := c.Get(ctx, "key1"); string(v) != "1" {
					t.Errorf("after increment: %q", v)
				}
				_ = c.Clear(ctx)
			}
		})
	}
}

// TestNamespaces keeps neighbours, parents and children apart.
func TestNamespaces(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]core.Options{"one tier": oneTier(t), "two tiers": twoTiers(t, newFar(t))} {
		t.Run(name, func(t *testing.T) {
			root := newCache(t, o)
			spaces := map[string]*core.Cache{}
			for _, parts := range [][]string{{"a"}, {"ab"}, {"a", "b"}, {"a/b"}, {"a:b"}, {"a%2Fb"}, {""}, {"", ""}, {"a", ""}, {"*"}, {"[a]"}} {
				c := root.Namespace(parts...)
				if spaces[c.Path()] != nil {
					t.Fatalf("Namespace(%q) has a path that another has: %q", parts, c.Path())
				}
				spaces[c.Path()] = c
			}
			fill := func() {
				for path, c := range spaces {
					if err := c.Set(ctx, "b:x", []byte(path), core.EntryOptions{}); err != nil {
						t.Fatal(err)
					}
					if err := c.Set(ctx, "x", []byte(path), core.EntryOptions{}); err != nil {
						t.Fatal(err)
					}
				}
			}
			fill()
			for path, c := range spaces {
				if v, err := c.Get(ctx, "x"); err != nil || string(v) != path {
					t.Errorf("in %q: Get = %q, %v", path, v, err)
				}
				keys, err := c.Keys(ctx, "")
				slices.Sort(keys)
				if err != nil || !slices.Equal(keys, []string{"b:x", "x"}) {
					t.Errorf("in %q: Keys = %q, %v", path, keys, err)
				}
			}
			for path, c := range spaces {
				fill()
				if err := c.Clear(ctx); err != nil {
					t.Fatal(err)
				}
				for other, d := range spaces {
					_, err := d.Get(ctx, "x")
					cleared := other == path || strings.HasPrefix(other, path+"/")
					if errors.Is(err, core.ErrNotFound) != cleared {
						t.Errorf("after Clear of %q, in %q: %v", path, other, err)
					}
				}
			}
			if err := root.Clear(ctx); err != nil {
				t.Fatal(err)
			}
			if n, _ := root.Len(ctx); n != 0 {
				t.Errorf("%d keys are left after Clear of the root", n)
			}
		})
	}
}

// TestLimits refuses what is too large, with an error that says so.
func TestLimits(t *testing.T) {
	o := oneTier(t)
	o.MaxKey, o.MaxValue = 8, 4
	c := newCache(t, o)
	ctx := context.Background()
	if err := c.Set(ctx, "123456789", nil, core.EntryOptions{}); !errors.Is(err, core.ErrBadKey) {
		t.Errorf("long key: %v", err)
	}
	if _, err := c.Get(ctx, "123456789"); !errors.Is(err, core.ErrBadKey) {
		t.Errorf("long key: %v", err)
	}
	if err := c.Set(ctx, "k", []byte("12345"), core.EntryOptions{}); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("long value: %v", err)
	}
	if _, err := c.Append(ctx, "k", []byte("123"), core.EntryOptions{}); err != nil {
		t.Errorf("append: %v", err)
	}
	if _, err := c.Append(ctx, "k", []byte("45"), core.EntryOptions{}); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("append past the limit: %v", err)
	}
	err := c.SetMany(ctx, []string{"a", "123456789"}, [][]byte{[]byte("1"), []byte("2")}, core.EntryOptions{})
	var be *core.BatchError
	if !errors.As(err, &be) || !slices.Equal(be.Keys, []string{"123456789"}) || !errors.Is(err, core.ErrBadKey) {
		t.Errorf("SetMany with a long key: %v", err)
	}
	if v, err := c.Get(ctx, "a"); err != nil || string(v) != "1" {
		t.Errorf("the other key of the batch: %q, %v", v, err)
	}
	var oe *core.OpError
	if err := c.Do(ctx, &core.Command{Op: 99}, &core.Result{}); !errors.As(err, &oe) || !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("unknown operation: %v", err)
	}
}

// TestHitAllocatesNothing guards the hit path: Get, and Do with a command that is reused.
func TestHitAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	root := newCache(t, oneTier(t))
	two := newCache(t, twoTiers(t, newFar(t)))
	if err := two.Set(ctx, "k", nil, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	many, got := core.Command{Op: core.OpGetMany, Keys: []string{"k", "k"}, Flags: core.FlagBorrowed}, core.Result{}
	if n := testing.AllocsPerRun(1000, func() { _ = two.Do(ctx, &many, &got) }); n != 0 {
		t.Errorf("a batch that hits the nearer of two tiers allocates %v times", n)
	}
	for _, c := range []*core.Cache{root, root.Namespace("n")} {
		if err := c.Set(ctx, "k", []byte("v"), core.EntryOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, "k") }); n != 0 {
			t.Errorf("in %q: a hit allocates %v times", c.Path(), n)
		}
		var cmd core.Command
		var res core.Result
		if n := testing.AllocsPerRun(1000, func() {
			cmd.Op, cmd.Key = core.OpGet, "k"
			_ = c.Do(ctx, &cmd, &res)
		}); n != 0 {
			t.Errorf("in %q: Do allocates %v times", c.Path(), n)
		}
		keys := []string{"k", "none"}
		if n := testing.AllocsPerRun(1000, func() {
			cmd.Op, cmd.Keys = core.OpGetMany, keys
			_ = c.Do(ctx, &cmd, &res)
		}); n != 0 {
			t.Errorf("in %q: Do on many keys allocates %v times", c.Path(), n)
		}
	}
}

// TestJitter spreads the ends of entries written together, and never lengthens a life.
func TestJitter(t *testing.T) {
	ctx := context.Background()
	o := oneTier(t)
	o.TTL, o.Jitter = time.Hour, 0.5
	c := newCache(t, o)
	ends := map[time.Duration]bool{}
	for i := range 50 {
		key := string(rune('a' + i))
		if err := c.Set(ctx, key, nil, core.EntryOptions{}); err != nil {
			t.Fatal(err)
		}
		ttl, err := c.TTL(ctx, key)
		if err != nil || ttl > time.Hour || ttl < 29*time.Minute {
			t.Fatalf("TTL = %v, %v, want half an hour to an hour", ttl, err)
		}
		ends[ttl.Round(time.Minute)] = true
	}
	if len(ends) < 10 {
		t.Errorf("50 entries end in %d different minutes", len(ends))
	}
	if err := c.Set(ctx, "k", nil, core.EntryOptions{Jitter: -1}); err != nil {
		t.Fatal(err)
	}
	if ttl, _ := c.TTL(ctx, "k"); ttl < time.Hour-time.Second {
		t.Errorf("TTL without jitter = %v", ttl)
	}
	if err := c.Set(ctx, "k", nil, core.EntryOptions{Jitter: 2}); !errors.Is(err, core.ErrBadTTL) {
		t.Errorf("Set with a jitter of 2: %v", err)
	}
	if _, err := core.New(core.Options{Tiers: o.Tiers, Jitter: -1}); err == nil {
		t.Error("New took a negative jitter")
	}
}

// TestGetRenew slides the expiry of what expires, in all tiers.
func TestGetRenew(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]core.Options{"one tier": oneTier(t), "two tiers": twoTiers(t, newFar(t))} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t, o)
			if _, err := c.GetRenew(ctx, "none", time.Hour); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("GetRenew of an absent key: %v", err)
			}
			if _, err := c.GetRenew(ctx, "none", 0); !errors.Is(err, core.ErrBadTTL) {
				t.Errorf("GetRenew for nothing: %v", err)
			}
			for key, ttl := range map[string]time.Duration{"ends": time.Minute, "stays": core.NoExpiry} {
				if err := c.Set(ctx, key, []byte("v"), core.EntryOptions{TTL: ttl}); err != nil {
					t.Fatal(err)
				}
				if v, err := c.GetRenew(ctx, key, time.Hour); err != nil || string(v) != "v" {
					t.Errorf("GetRenew(%q) = %q, %v", key, v, err)
				}
				got, err := c.TTL(ctx, key)
				if err != nil || ttl > 0 && got < 59*time.Minute || ttl < 0 && got != core.NoExpiry {
					t.Errorf("TTL(%q) = %v, %v", key, got, err)
				}
			}
			if s := c.Stats(); s.Hits != 2 || s.Misses != 1 {
				t.Errorf("%d hits and %d misses, want 2 and 1", s.Hits, s.Misses)
			}
		})
	}
}

// TestDecoded keeps the decoded form beside the bytes, through copies with another expiry, until the value changes.
func TestDecoded(t *testing.T) {
	ctx := context.Background()
	o := twoTiers(t, newFar(t))
	c := newCache(t, o)
	if err := c.Set(ctx, "k", []byte("1"), core.EntryOptions{TTL: time.Hour, Decoded: 1}); err != nil {
		t.Fatal(err)
	}
	e, err := c.GetEntry(ctx, "k")
	if err != nil || e.Decoded() != 1 {
		t.Fatalf("decoded form %v, %v, want 1", e.Decoded(), err)
	}
	if near, _ := o.Tiers[0].Backend.Get(ctx, "k"); near != e || near.TTL(time.Now()) > time.Minute {
		t.Errorf("the near tier has %+v, want a copy that ends within a minute", near)
	}
	if err := c.Set(ctx, "k", []byte("2"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if e, err = c.GetEntry(ctx, "k"); err != nil || e.Decoded() != nil {
		t.Errorf("after another write: decoded form %v, %v", e.Decoded(), err)
	}
	e.SetDecoded("two")
	if again, _ := c.GetEntry(ctx, "k"); again.Decoded() != "two" {
		t.Errorf("decoded form %v, want what the reader left", again.Decoded())
	}
}
