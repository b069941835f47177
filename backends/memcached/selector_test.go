package memcached

import (
	"fmt"
	"slices"
	"testing"
)

func selectorOf(t *testing.T, names ...string) *selector {
	t.Helper()
	b, err := Open(names, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b.servers
}

// TestKeysMoveLittle adds a server to others: it takes its share of the keys, evenly from all, and no other key moves.
func TestKeysMoveLittle(t *testing.T) {
	const keys = 20_000
	var names []string
	for i := range 9 {
		names = append(names, fmt.Sprintf("cache%d.example:11211", i))
	}
	before, after := selectorOf(t, names[:8]...), selectorOf(t, names...)
	shares, moved := make(map[string]int), 0
	for i := range keys {
		k := fmt.Sprint("key:", i)
		from, to := before.pick(k).addr, after.pick(k).addr
		shares[to.name]++
		if from == to {
			continue
		}
		moved++
		if to.name != names[8] {
			t.Fatalf("%q moved from %s to %s, which were both there before", k, from, to)
		}
	}
	for name, n := range shares {
		if n < keys/9*8/10 || n > keys/9*12/10 {
			t.Errorf("%s has %d keys of %d, want about a ninth", name, n, keys)
		}
	}
	t.Logf("%d of %d keys moved", moved, keys)
}

func TestOrderOfServersDoesNotMatter(t *testing.T) {
	names := []string{"a:1", "b:1", "c:1", "/run/d.sock"}
	one := selectorOf(t, names...)
	slices.Reverse(names)
	other := selectorOf(t, names...)
	for i := range 1000 {
		k := fmt.Sprint(i)
		if a, b := one.pick(k).addr, other.pick(k).addr; a != b {
			t.Fatalf("%q lies on %s or on %s", k, a, b)
		}
		if addr, err := one.PickServer(k); addr != one.pick(k).addr || err != nil {
			t.Fatalf("the clients disagree about %q: %v, %v", k, addr, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for _, servers := range [][]string{
		nil, {""}, {":11211"}, {"a:1", "a:1"}, {"a", "a:11211"}, {"a:1:2"}, {"memcached://a:1"}, {"run/a.sock:"},
	} {
		if b, err := Open(servers, Options{}); err == nil {
			_ = b.Close()
			t.Errorf("Open(%q) took it", servers)
		}
	}
}
