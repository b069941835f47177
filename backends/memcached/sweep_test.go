package memcached

import (
	"testing"

	"github.com/edgecache/edgecache/core"
)

// TestSweep deletes by rule and by namespace over two real servers.
func TestSweep(t *testing.T) {
	b := open(t, start(t, 2), Options{})
	c, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memcached", Backend: b, Remote: true, Limits: core.Limits{Timeout: slow}}}})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	ctx := t.Context()
	for _, ns := range []string{"a", "ab"} {
		for _, k := range []string{"tree", "tree/x", "treee", "user:1", "user:2", "other"} {
			must(t, c.Namespace(ns).Set(ctx, k, []byte(k), core.EntryOptions{}))
		}
	}
	a := c.Namespace("a")
	if n, err := a.DeleteMatch(ctx, core.Matcher{Glob: "user:*"}); n != 2 || err != nil {
		t.Errorf("DeleteMatch = %d, %v", n, err)
	}
	if n, err := a.DeleteTree(ctx, "tree"); n != 2 || err != nil {
		t.Errorf("DeleteTree = %d, %v", n, err)
	}
	if n, err := a.Len(ctx); n != 2 || err != nil {
		t.Errorf("Len = %d, %v", n, err)
	}
	must(t, a.Clear(ctx))
	for ns, want := range map[string]int64{"a": 0, "ab": 6} {
		if n, err := c.Namespace(ns).Len(ctx); n != want || err != nil {
			t.Errorf("namespace %s has %d keys, %v, want %d", ns, n, err, want)
		}
	}
}
