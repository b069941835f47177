package core_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// heard is a listener that writes down what it is told.
type heard struct {
	lines []string
	l     *core.Listening
}

func listen(c *core.Cache, old bool) *heard {
	h := &heard{}
	h.l = c.Listen(core.Listener{
		Old:   old,
		OnGet: func(key string, e *core.Entry) { h.add("get %s %s", key, text(e)) },
		OnSet: func(key string, e, old *core.Entry) { h.add("set %s %s, was %s", key, text(e), text(old)) },
		OnDelete: func(key string, e *core.Entry, cause core.Cause) {
			h.add("delete %s %s, %s", key, text(e), cause)
		},
	})
	return h
}

func (h *heard) add(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

func text(e *core.Entry) string {
	if e == nil {
		return "-"
	}
	return string(e.Value)
}

// want stops the listener and compares.
func (h *heard) want(t *testing.T, lines ...string) {
	t.Helper()
	h.l.Stop()
	h.l.Stop()
	if !slices.Equal(h.lines, lines) {
		t.Errorf("heard %q\nwant %q", h.lines, lines)
	}
	if n := h.l.Lost(); n != 0 {
		t.Errorf("%d were lost", n)
	}
}

func TestListen(t *testing.T) {
	ctx, opts := context.Background(), core.EntryOptions{}
	setups := map[string]func(t *testing.T) core.Options{
		"one tier":    func(t *testing.T) core.Options { return oneTier(t) },
		"two tiers":   func(t *testing.T) core.Options { return twoTiers(t, newMemory(t)) },
		"no Notifier": func(t *testing.T) core.Options { return twoTiers(t, newFar(t)) },
	}
	for _, tt := range []struct {
		name string
		old  bool
		run  func(c *core.Cache)
		want []string
	}{
		{"get", false, func(c *core.Cache) { _, _ = c.Get(ctx, "a"); _, _ = c.Get(ctx, "none") }, []string{"get a 1", "get none -"}},
		{"peek", false, func(c *core.Cache) { _, _ = c.Peek(ctx, "a") }, nil},
		{"exists and ttl", false, func(c *core.Cache) { _, _ = c.Exists(ctx, "a"); _, _ = c.TTL(ctx, "a") }, nil},
		{"get many", false, func(c *core.Cache) { _, _ = c.GetMany(ctx, []string{"a", "n", "b"}) }, []string{"get a 1", "get n -", "get b 2"}},
		{"set", false, func(c *core.Cache) { _ = c.Set(ctx, "a", []byte("x"), opts) }, []string{"set a x, was -"}},
		{
			"set with old", true, func(c *core.Cache) { _ = c.Set(ctx, "a", []byte("x"), opts); _ = c.Set(ctx, "n", []byte("y"), opts) },
			[]string{"delete a 1, replaced", "set a x, was 1", "set n y, was -"},
		},
		{"add", true, func(c *core.Cache) { _ = c.Add(ctx, "a", []byte("x"), opts); _ = c.Add(ctx, "n", []byte("y"), opts) }, []string{"set n y, was -"}},
		{"replace", true, func(c *core.Cache) { _ = c.Replace(ctx, "a", []byte("x"), opts); _ = c.Replace(ctx, "n", nil, opts) }, []string{"delete a 1, replaced", "set a x, was 1"}},
		{"set many", true, func(c *core.Cache) { _ = c.SetMany(ctx, []string{"a", "n"}, [][]byte{[]byte("x"), []byte("y")}, opts) }, []string{"set a x, was -", "set n y, was -"}},
		{"append", false, func(c *core.Cache) { _, _ = c.Append(ctx, "a", []byte("x"), opts) }, []string{"set a 1x, was -"}},
		{"increment", false, func(c *core.Cache) { _, _ = c.Increment(ctx, "a", 4, opts) }, []string{"set a 5, was -"}},
		{"delete", false, func(c *core.Cache) { _, _ = c.Delete(ctx, "a"); _, _ = c.Delete(ctx, "n") }, []string{"delete a -, deleted"}},
		{"delete with old", true, func(c *core.Cache) { _, _ = c.Delete(ctx, "a") }, []string{"delete a 1, deleted"}},
		{"get and delete", false, func(c *core.Cache) { _, _ = c.GetDelete(ctx, "a") }, []string{"delete a 1, deleted"}},
		{"delete many", false, func(c *core.Cache) { _, _ = c.DeleteMany(ctx, []string{"a", "n", "b"}) }, []string{"delete a -, deleted", "delete b -, deleted"}},
		{"delete tree", false, func(c *core.Cache) { _, _ = c.DeleteTree(ctx, "tree") }, []string{"delete tree/x -, deleted"}},
		{
			"a failed condition", true, func(c *core.Cache) { _ = c.CompareAndSwap(ctx, "a", 1, nil, opts) }, nil,
		},
	} {
		for setup, options := range setups {
			t.Run(tt.name+"/"+setup, func(t *testing.T) {
				c := newCache(t, options(t))
				_ = c.Set(ctx, "a", []byte("1"), opts)
				_ = c.Set(ctx, "b", []byte("2"), opts)
				_ = c.Set(ctx, "tree/x", []byte("3"), opts)
				h := listen(c, tt.old)
				tt.run(c)
				h.want(t, tt.want...)
				tt.run(c) // heard no more
			})
		}
	}
}

// TestListenCauses has every cause come about in the memory tier, for each of its stores.
func TestListenCauses(t *testing.T) {
	for _, policy := range []string{memory.Default, "lru", "fifo", "s3fifo"} {
		t.Run(policy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { listenCauses(t, policy) })
		})
	}
}

func listenCauses(t *testing.T, policy string) {
	ctx := context.Background()
	o := memory.Options{MaxBytes: 1 << 16}
	if policy != memory.Default {
		p, err := memory.Native(policy)
		if err != nil {
			t.Fatal(err)
		}
		o.Policy = p
	}
	b, err := memory.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: b}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	causes := make(map[core.Cause][]string)
	l := c.Listen(core.Listener{Old: true, Queue: 1 << 14, OnDelete: func(key string, e *core.Entry, cause core.Cause) {
		if e == nil || string(e.Value[:1]) != "v" {
			t.Errorf("%s %v without its entry", key, cause)
		}
		causes[cause] = append(causes[cause], key)
	}})
	set := func(key string, ttl time.Duration) { _ = c.Set(ctx, key, []byte("v"+key), core.EntryOptions{TTL: ttl}) }
	set("expired", time.Second)
	time.Sleep(10 * time.Second)
	_, _ = c.DeleteExpired(ctx)
	set("replaced", 0)
	set("replaced", 0)
	_, _ = c.Delete(ctx, "replaced")
	set("popped", 0)
	if key, _, err := c.Pop(ctx); err != nil {
		set("popped", 0)
		t.Logf("Pop = %q, %v", key, err)
	}
	set("cleared", 0)
	if err := c.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		_ = c.Set(ctx, fmt.Sprint("k", i), append([]byte("v"), make([]byte, 100)...), core.EntryOptions{})
	}
	_, _ = c.Evict(ctx)
	l.Stop()
	want := map[core.Cause][]string{
		core.CauseExpired: {"expired"}, core.CauseReplaced: {"replaced"}, core.CauseDeleted: {"replaced"},
		core.CausePopped: {"popped"}, core.CauseCleared: {"cleared"},
	}
	if policy == "s3fifo" { // does not tell what goes next
		want[core.CauseCleared], want[core.CausePopped] = []string{"cleared", "popped"}, nil
		want[core.CauseReplaced] = []string{"replaced", "popped"}
	}
	for cause, keys := range want {
		slices.Sort(causes[cause])
		slices.Sort(keys)
		if !slices.Equal(causes[cause], keys) {
			t.Errorf("%v: %q, want %q", cause, causes[cause], keys)
		}
	}
	entries, _ := b.Size()
	if n := int64(len(causes[core.CauseEvicted])); n == 0 || n != b.Evictions() || n+entries != 2000 {
		t.Errorf("%d were evicted and %d stayed, %d are counted as evicted", n, entries, b.Evictions())
	}
	if l.Lost() != 0 {
		t.Errorf("%d were lost", l.Lost())
	}
}

// TestListenClear is of a store that can't tell what it cleared.
func TestListenClear(t *testing.T) {
	c := newCache(t, twoTiers(t, newFar(t)))
	fillKeys(t, c, "a")
	h := listen(c, false)
	if err := c.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(t, "delete  -, cleared")
}

func TestListenNamespaces(t *testing.T) {
	c := newCache(t, oneTier(t))
	shop, carts := c.Namespace("shop"), c.Namespace("shop", "carts")
	root, inShop, inCarts := listen(c, false), listen(shop, false), listen(carts, false)
	fillKeys(t, c, "k")
	fillKeys(t, shop, "k")
	fillKeys(t, carts, "k")
	if err := shop.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	inShop.want(t, "set k k, was -", "delete k k, cleared")
	inCarts.want(t, "set k k, was -", "delete k k, cleared")
	root.l.Stop()
	if len(root.lines) != 5 || root.lines[2] != "set shop/carts:k k, was -" {
		t.Errorf("the root heard %q", root.lines)
	}
}

// TestListenHooks has hooks replaced under listeners, and what hooks answer is nothing that happened to keys.
func TestListenHooks(t *testing.T) {
	c := newCache(t, oneTier(t))
	h, other := listen(c, false), listen(c, false)
	if err := c.SetHooks([]core.Hook{&testHook{spec: allOps("listener"), before: func(cmd *core.Command, res *core.Result) error {
		if cmd.Op == core.OpGet {
			res.Outcome = core.OutcomeMiss
		} else {
			cmd.Key = "rewritten"
		}
		return nil
	}}}, nil); err != nil {
		t.Fatal(err)
	}
	fillKeys(t, c, "k")
	_, _ = c.Get(t.Context(), "k")
	h.want(t, "set rewritten k, was -")
	other.want(t, "set rewritten k, was -")
}

// TestListenLost fills the queue of a listener that does not come on.
func TestListenLost(t *testing.T) {
	c := newCache(t, oneTier(t))
	begun, goOn := make(chan bool), make(chan bool)
	calls := 0
	l := c.Listen(core.Listener{Queue: 2, OnSet: func(string, *core.Entry, *core.Entry) {
		if calls++; calls == 1 {
			begun <- true
			<-goOn
		}
	}})
	fillKeys(t, c, "1")
	<-begun
	fillKeys(t, c, "2", "3", "4", "5", "6")
	close(goOn)
	l.Stop()
	if calls != 3 || l.Lost() != 3 {
		t.Errorf("%d calls, %d lost, want 3 and 3", calls, l.Lost())
	}
}

// TestListenCalls has a listener call the cache, and Close end it.
func TestListenCalls(t *testing.T) {
	c, err := core.New(oneTier(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Listen(core.Listener{OnGet: func(key string, e *core.Entry) {
		if e == nil {
			_ = c.Set(context.Background(), key, []byte("found"), core.EntryOptions{})
		}
	}})
	_, _ = c.Get(t.Context(), "k")
	waitFor(t, "the listener to set the key", func() bool {
		_, err := c.Peek(t.Context(), "k")
		return err == nil
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestListenIsFreeWithout has the hit path as it was after a listener has gone.
func TestListenIsFreeWithout(t *testing.T) {
	c := newCache(t, oneTier(t))
	fillKeys(t, c, "k")
	listen(c, true).l.Stop()
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, "k") }); n != 0 {
		t.Errorf("%v allocations for a hit", n)
	}
}
