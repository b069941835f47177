package redis_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

// TestSweep deletes by rule through a cache with a near tier over a real server: what is beside the rule stays.
func TestSweep(t *testing.T) {
	s := testserver.Redis(t)
	near, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := core.New(core.Options{Tiers: []core.Tier{
		{Name: "memory", Backend: near},
		{Name: "redis", Backend: open(t, s.URL(), redis.Options{Timeout: slow}), Remote: true, System: "redis", Limits: core.Limits{Timeout: slow}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ctx := t.Context()
	a := c.Namespace("a")
	fill := func() {
		for _, ns := range []string{"a", "ab", "a*"} {
			for _, k := range []string{"tree", "tree/x", "tree/x/y", "tree_", "tree%/x", "treee", "user:1", "user:2"} {
				must(t, c.Namespace(ns).Set(ctx, k, []byte(k), core.EntryOptions{}))
			}
		}
		for i := range 2000 {
			must(t, a.Set(ctx, fmt.Sprint("page/", i), nil, core.EntryOptions{}))
		}
	}
	fill()
	for _, tt := range []struct {
		name string
		do   func() (int64, error)
		want int64
	}{
		{"nothing", func() (int64, error) { return a.DeleteMatch(ctx, core.Matcher{Glob: "none*"}) }, 0},
		{"glob", func() (int64, error) { return a.DeleteMatch(ctx, core.Matcher{Glob: "user:?"}) }, 2},
		{"tree", func() (int64, error) { return a.DeleteTree(ctx, "tree") }, 3},
		{"tree with a percent sign", func() (int64, error) { return a.DeleteTree(ctx, "tree%") }, 1},
		{"many pages", func() (int64, error) { return a.DeleteTree(ctx, "page") }, 2000},
	} {
		if n, err := tt.do(); n != tt.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", tt.name, n, err, tt.want)
		}
	}
	for ns, want := range map[string]int64{"a": 2, "ab": 8, "a*": 8} {
		if n, err := c.Namespace(ns).Len(ctx); n != want || err != nil {
			t.Errorf("namespace %s has %d keys, %v, want %d", ns, n, err, want)
		}
	}
	if _, err := a.Get(ctx, "tree"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a near copy is left: %v", err)
	}
	must(t, c.Namespace("a*").Clear(ctx))
	if n, err := c.Namespace("ab").Len(ctx); n != 8 || err != nil {
		t.Errorf("after Clear of a* namespace ab has %d keys, %v", n, err)
	}
	if v, err := a.GetDelete(ctx, "treee"); string(v) != "treee" || err != nil {
		t.Errorf("GetDelete = %q, %v", v, err)
	}
	if info := c.Inspect(ctx)[1]; info.Name != "redis" || info.Entries != -1 || info.Bytes != -1 || info.Err != nil {
		t.Errorf("Inspect = %+v", info)
	}
}
