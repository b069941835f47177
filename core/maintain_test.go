package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/backends/null"
	"github.com/edgecache/edgecache/core"
)

// withPolicy returns the options of a cache in memory that evicts by that policy.
func withPolicy(tb testing.TB, name string) core.Options {
	tb.Helper()
	var policy *memory.Policy
	if name != memory.Default {
		var err error
		if policy, err = memory.Native(name); err != nil {
			tb.Fatal(err)
		}
	}
	b, err := memory.New(memory.Options{MaxBytes: 1 << 20, Policy: policy, Lossless: true})
	if err != nil {
		tb.Fatal(err)
	}
	return core.Options{Tiers: []core.Tier{{Name: "memory", Backend: b}}}
}

func TestPop(t *testing.T) {
	for _, tt := range []struct{ policy, order string }{ // after a, b, c are set and b is read twice, a once
		{"fifo", "a b c"},
		{"lifo", "c b a"},
		{"lru", "c b a"},
		{"mru", "a b c"},
		{"lfu", "c a b"},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			c := newCache(t, withPolicy(t, tt.policy))
			fillKeys(t, c, "a", "b", "c")
			for _, k := range []string{"b", "b", "a"} {
				_, _ = c.Get(t.Context(), k)
			}
			var got []string
			for {
				key, e, err := c.Pop(t.Context())
				if errors.Is(err, core.ErrNotFound) {
					break
				}
				if err != nil || string(e.Value) != key {
					t.Fatalf("Pop = %q, %v, %v", key, e, err)
				}
				got = append(got, key)
			}
			if order := strings.Join(got, " "); order != tt.order {
				t.Errorf("popped %s, want %s", order, tt.order)
			}
		})
	}
}

// TestPopEach has every entry popped once, by many at a time, from each policy that can tell, with near copies gone, too.
func TestPopEach(t *testing.T) {
	for _, policy := range []string{memory.Default, "random", "lru", "sieve", "slru", "clock", "lfuda"} {
		t.Run(policy, func(t *testing.T) {
			o := withPolicy(t, policy)
			o.Tiers = slices.Concat([]core.Tier{{Name: "near", Backend: newMemory(t)}}, o.Tiers)
			c := newCache(t, o)
			ns := c.Namespace("ns")
			for i := range 300 {
				fillKeys(t, ns, fmt.Sprint(i))
			}
			fillKeys(t, c, "other")
			var mu sync.Mutex
			popped := make(map[string]int)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for {
						key, _, err := ns.Pop(t.Context())
						if errors.Is(err, core.ErrNotFound) {
							return
						}
						if err != nil && !errors.Is(err, core.ErrConflict) {
							t.Errorf("Pop = %v", err)
							return
						}
						mu.Lock()
						if err == nil {
							popped[key]++
						}
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			for key, n := range popped {
				if n != 1 {
					t.Errorf("%s was popped %d times", key, n)
				}
				if _, err := ns.Get(t.Context(), key); !errors.Is(err, core.ErrNotFound) {
					t.Errorf("%s is still there: %v", key, err)
				}
			}
			if len(popped) != 300 {
				t.Errorf("%d were popped, want 300", len(popped))
			}
			if _, err := c.Get(t.Context(), "other"); err != nil {
				t.Errorf("a key of another namespace: %v", err)
			}
		})
	}
}

func TestPopRefused(t *testing.T) {
	c := newCache(t, withPolicy(t, "s3fifo"))
	fillKeys(t, c, "k")
	if _, _, err := c.Pop(t.Context()); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("Pop by a policy that can't tell = %v", err)
	}
	c = newCache(t, twoTiers(t, newFar(t)))
	if _, _, err := c.Pop(t.Context()); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("Pop from a store that can't tell = %v", err)
	}
	o := withPolicy(t, "lru")
	o.Hooks = []core.Hook{&testHook{spec: core.HookSpec{Name: "hook", Before: core.Ops(core.OpDelete)}, before: func(*core.Command, *core.Result) error {
		return core.ErrRejected
	}}}
	c = newCache(t, o)
	fillKeys(t, c, "k")
	if _, _, err := c.Pop(t.Context()); !errors.Is(err, core.ErrRejected) {
		t.Errorf("Pop that a hook refuses = %v", err)
	}
	if _, err := c.Get(t.Context(), "k"); err != nil {
		t.Errorf("an entry that was not popped: %v", err)
	}
}

// TestPopExpired has expired entries neither popped nor in the way.
func TestPopExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, withPolicy(t, "fifo"))
		_ = c.Set(t.Context(), "expired", nil, core.EntryOptions{TTL: time.Second})
		fillKeys(t, c, "live")
		time.Sleep(1010 * time.Millisecond)
		if key, _, err := c.Pop(t.Context()); key != "live" || err != nil {
			t.Errorf("Pop = %q, %v", key, err)
		}
		if _, _, err := c.Pop(t.Context()); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("Pop = %v", err)
		}
	})
}

func TestDeleteExpired(t *testing.T) {
	for _, policy := range []string{"lru", "s3fifo", memory.Default} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, withPolicy(t, policy))
				for i := range 10 {
					_ = c.Set(t.Context(), fmt.Sprint("x", i), nil, core.EntryOptions{TTL: 50 * time.Millisecond})
				}
				fillKeys(t, c, "for ever")
				_ = c.Set(t.Context(), "later", nil, core.EntryOptions{TTL: time.Hour})
				time.Sleep(60 * time.Millisecond)
				n, err := c.DeleteExpired(t.Context())
				if err != nil || policy != memory.Default && n != 10 {
					t.Errorf("DeleteExpired = %d, %v", n, err)
				}
				time.Sleep(3 * time.Second) // the default policy's janitor comes once a second
				if n, err := c.DeleteExpired(t.Context()); n != 0 || err != nil {
					t.Errorf("DeleteExpired once more = %d, %v", n, err)
				}
				if s := c.Stats().Tiers[0]; s.Entries != 2 || s.Evictions != 0 {
					t.Errorf("the tier has %+v", s)
				}
			})
		})
	}
}

// TestEvict has what expired go first, and what never expires is not taken for expired.
func TestEvict(t *testing.T) {
	for _, policy := range []string{"lru", "fifo", memory.Default} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, withPolicy(t, policy)) // of 1 MiB
				put := func(name string, ttl time.Duration) {
					for i := range 30 {
						_ = c.Set(t.Context(), fmt.Sprint(name, i), make([]byte, 15_000), core.EntryOptions{TTL: ttl})
					}
				}
				put("for ever", core.NoExpiry)
				put("expires", time.Second)
				time.Sleep(5 * time.Second)
				put("next", core.NoExpiry) // only fits where the expired were
				if _, err := c.Evict(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := c.Stats().Tiers[0]
				if s.Entries != 60 || s.Evictions != 0 {
					t.Errorf("%d entries are left and %d were evicted, want 60 and 0", s.Entries, s.Evictions)
				}
				put("more", core.NoExpiry)
				_, _ = c.Evict(t.Context())
				if s := c.Stats().Tiers[0]; s.Bytes > 1<<20 || s.Evictions == 0 || s.Entries+s.Evictions != 90 {
					t.Errorf("beyond the bound the tier has %+v", s)
				}
			})
		})
	}
}

func TestGetDelete(t *testing.T) {
	for setup, c := range matchSetups(t) {
		t.Run(setup, func(t *testing.T) {
			fillKeys(t, c, "k")
			_, _ = c.Get(t.Context(), "k")
			if v, err := c.GetDelete(t.Context(), "k"); string(v) != "k" || err != nil {
				t.Errorf("GetDelete = %q, %v", v, err)
			}
			if v, err := c.GetDelete(t.Context(), "k"); v != nil || !errors.Is(err, core.ErrNotFound) {
				t.Errorf("GetDelete of nothing = %q, %v", v, err)
			}
			if _, err := c.Get(t.Context(), "k"); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("Get = %v", err)
			}
		})
	}
}

// TestPeek has the policy, the counts and the near tier learn nothing.
func TestPeek(t *testing.T) {
	o := withPolicy(t, "lru")
	near := newMemory(t)
	o.Tiers = slices.Concat([]core.Tier{{Name: "near", Backend: near}}, o.Tiers)
	watcher := &countingObserver{spec: core.ObserverSpec{Name: "watcher", Ops: core.AllOps}}
	o.Observers = []core.Observer{watcher}
	c := newCache(t, o)
	fillKeys(t, c, "old", "new")
	if _, err := near.Delete(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	before := c.Stats()
	c.Flush()
	seen := watcher.keys
	for range 10 {
		if e, err := c.Peek(t.Context(), "old"); err != nil || string(e.Value) != "old" {
			t.Fatalf("Peek = %v, %v", e, err)
		}
	}
	if e, err := c.Peek(t.Context(), "none"); e != nil || !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Peek of nothing = %v, %v", e, err)
	}
	c.Flush()
	after := c.Stats()
	if after.Total() != before.Total() || after.Tiers[1].Hits != before.Tiers[1].Hits || watcher.keys != seen {
		t.Errorf("the counts went from %+v to %+v, observers saw %d more", before, after, watcher.keys-seen)
	}
	if _, err := near.Get(t.Context(), "old"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the near tier has a copy: %v", err)
	}
	if key, _, err := c.Pop(t.Context()); key != "old" || err != nil {
		t.Errorf("Pop = %q, %v: peeking counted", key, err)
	}
}

// TestExistsLeavesNoTrace has neither the policy nor the counts of lookups learn of Exists and TTL.
func TestExistsLeavesNoTrace(t *testing.T) {
	c := newCache(t, withPolicy(t, "lru"))
	fillKeys(t, c, "old", "new")
	before := c.Stats()
	if found, err := c.Exists(t.Context(), "old"); !found || err != nil {
		t.Errorf("Exists = %v, %v", found, err)
	}
	if ttl, err := c.TTL(t.Context(), "old"); ttl != core.NoExpiry || err != nil {
		t.Errorf("TTL = %v, %v", ttl, err)
	}
	if s := c.Stats(); s.Hits != before.Hits || s.Misses != before.Misses || s.Tiers[0].Hits != before.Tiers[0].Hits {
		t.Errorf("it counted: %+v", s.Tiers[0])
	}
	if key, _, err := c.Pop(t.Context()); key != "old" || err != nil {
		t.Errorf("Pop = %q, %v: it was taken for a use", key, err)
	}
}

func TestInspect(t *testing.T) {
	c := newCache(t, twoTiers(t, newMemory(t)))
	fillKeys(t, c, "a", "b")
	infos := c.Inspect(t.Context())
	if len(infos) != 2 {
		t.Fatalf("Inspect = %+v", infos)
	}
	waitFor(t, "otter has weighed what was written", func() bool {
		infos = c.Inspect(t.Context())
		return infos[0].Bytes > 0 && infos[1].Bytes > 0
	})
	for i, name := range []string{"memory", "far"} {
		info := infos[i]
		if info.Tier != name || info.Name != "memory (tinylfu)" || info.Entries != 2 || info.Bytes < 4 || !info.Approximate || info.Err != nil {
			t.Errorf("Inspect of %s = %+v", name, info)
		}
	}
	far := newFar(t)
	c = newCache(t, twoTiers(t, far))
	if info := c.Inspect(t.Context())[1]; info.Name != "test" || info.Entries != -1 || info.Bytes != -1 || info.Err != nil {
		t.Errorf("Inspect of a store that can't tell = %+v", info)
	}
	c = newCache(t, core.Options{Tiers: []core.Tier{{Name: "null", Backend: null.New()}}})
	if info := c.Inspect(t.Context())[0]; info.Name != "Null" || info.Entries != 0 || info.Bytes != 0 || info.Approximate {
		t.Errorf("Inspect of null = %+v", info)
	}
}

func TestPersist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, oneTier(t))
		fillKeys(t, c, "a", "b")
		_ = c.Set(t.Context(), "ends", []byte("v"), core.EntryOptions{TTL: time.Minute})
		_ = c.Set(t.Context(), "soon", []byte("v"), core.EntryOptions{TTL: 10 * time.Second})
		_ = c.Set(t.Context(), "expired", []byte("v"), core.EntryOptions{TTL: time.Second})
		time.Sleep(2 * time.Second)
		var saved bytes.Buffer
		if n, err := c.Persist(t.Context(), &saved); n != 4 || err != nil {
			t.Fatalf("Persist = %d, %v", n, err)
		}
		time.Sleep(28 * time.Second)
		other := newCache(t, oneTier(t))
		fillKeys(t, other, "a")
		if n, err := other.Restore(t.Context(), &saved); n != 2 || err != nil {
			t.Fatalf("Restore = %d, %v", n, err)
		}
		if got := allKeys(t, other); !slices.Equal(got, []string{"a", "b", "ends"}) {
			t.Errorf("restored %q", got)
		}
		if ttl, err := other.TTL(t.Context(), "ends"); ttl != 30*time.Second || err != nil {
			t.Errorf("TTL = %v, %v, want what is left", ttl, err)
		}
	})
}

// TestPersistUnsupported is of caches in which the memory tier holds copies only.
func TestPersistUnsupported(t *testing.T) {
	c := newCache(t, twoTiers(t, newFar(t)))
	if _, err := c.Persist(t.Context(), new(bytes.Buffer)); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("Persist = %v", err)
	}
	if _, err := c.Restore(t.Context(), new(bytes.Buffer)); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("Restore = %v", err)
	}
	if err := c.Commit(t.Context()); err != nil {
		t.Errorf("Commit = %v", err)
	}
}

// flusher holds back until Flush.
type flusher struct {
	core.Backend
	flushed int
}

func (f *flusher) Flush(context.Context) error {
	f.flushed++
	return nil
}

func TestCommit(t *testing.T) {
	f := &flusher{Backend: newMemory(t)}
	c := newCache(t, twoTiers(t, f))
	if err := c.Commit(t.Context()); err != nil || f.flushed != 1 {
		t.Errorf("Commit = %v, flushed %d times", err, f.flushed)
	}
}
