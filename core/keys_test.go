package core_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// keysOf returns the keys as they are stored, sorted.
func keysOf(t *testing.T, c *core.Cache) []string {
	t.Helper()
	keys, err := c.Keys(t.Context(), "*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

func TestKeyBuilder(t *testing.T) {
	o := oneTier(t)
	o.Hooks = []core.Hook{core.NewKeyBuilder("lower", func(dst []byte, namespace, key string) []byte {
		if namespace != "" {
			dst = append(dst, "in-"+namespace+"-"...)
		}
		return append(dst, strings.ToLower(key)...)
	})}
	c := newCache(t, o)
	ctx := t.Context()
	users := c.Namespace("users")
	if err := users.Set(ctx, "ANNA", []byte("1"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetMany(ctx, []string{"A", "B"}, [][]byte{[]byte("a"), []byte("b")}, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := keysOf(t, c), []string{"a", "b", "users:in-users-anna"}; !slices.Equal(got, want) {
		t.Errorf("keys = %q, want %q", got, want)
	}
	if v, err := c.GetMany(ctx, []string{"b", "a", "C"}); err != nil || string(v[0]) != "b" || string(v[1]) != "a" || v[2] != nil {
		t.Errorf("GetMany = %q, %v", v, err)
	}
	if n, err := users.Increment(ctx, "Anna", 1, core.EntryOptions{}); err != nil || n != 2 {
		t.Errorf("Increment = %d, %v, want 2", n, err)
	}
	if found, err := c.Exists(ctx, "A"); err != nil || !found {
		t.Errorf("Exists = %v, %v", found, err)
	}
	if n, err := c.DeleteMany(ctx, []string{"A", "b"}); err != nil || n != 2 {
		t.Errorf("DeleteMany = %d, %v", n, err)
	}
}

// TestKeyBuilderCalledEachTime is a prefix that is a function: it is asked with every command.
func TestKeyBuilderCalledEachTime(t *testing.T) {
	var tenant atomic.Value
	tenant.Store("red:")
	o := oneTier(t)
	o.Hooks = []core.Hook{core.NewKeyBuilder("tenant", func(dst []byte, _, key string) []byte {
		return append(append(dst, tenant.Load().(string)...), key...)
	})}
	c := newCache(t, o)
	_ = c.Set(t.Context(), "k", []byte("r"), core.EntryOptions{})
	tenant.Store("blue:")
	if _, err := c.Get(t.Context(), "k"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get under another prefix: %v, want ErrNotFound", err)
	}
	_ = c.Set(t.Context(), "k", []byte("b"), core.EntryOptions{})
	if got, want := keysOf(t, c), []string{"blue:k", "red:k"}; !slices.Equal(got, want) {
		t.Errorf("keys = %q, want %q", got, want)
	}
}

func TestConfigHash(t *testing.T) {
	hash := func(parts ...any) string {
		t.Helper()
		h, err := core.ConfigHash(parts...)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	config := map[string]any{"b": 1, "a": []string{"x"}}
	same := hash("v1", []byte{1, 2}, config)
	if again := hash("v1", []byte{1, 2}, map[string]any{"a": []string{"x"}, "b": 1}); again != same || len(same) != 32 {
		t.Errorf("the same parts give %q and %q", same, again)
	}
	seen := map[string]bool{same: true}
	for _, parts := range [][]any{
		{}, {""}, {"", ""}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {1}, {"1"}, {nil}, {"v2", []byte{1, 2}, config}, {"v1", []byte{1, 3}, config},
	} {
		h := hash(parts...)
		if seen[h] {
			t.Errorf("%v has the hash of other parts", parts)
		}
		seen[h] = true
	}
	if _, err := core.ConfigHash(func() {}); err == nil || !strings.Contains(err.Error(), "part 1") {
		t.Errorf("hash of a function: %v", err)
	}

	// With a plugin's digest in the namespace, another plugin misses everything.
	c := newCache(t, oneTier(t))
	before, after := c.Namespace(hash("plugin", []byte("digest 1"))), c.Namespace(hash("plugin", []byte("digest 2")))
	_ = before.Set(t.Context(), "k", []byte("v"), core.EntryOptions{})
	if _, err := after.Get(t.Context(), "k"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get after the plugin changed: %v, want ErrNotFound", err)
	}
	if v, err := before.Get(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("Get as before = %q, %v", v, err)
	}
}
