package memory

import (
	"errors"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
)

func TestSetBounds(t *testing.T) {
	b := open(t, Options{MaxBytes: 4 << 20})
	const n = 1000
	for i := range n {
		_ = b.Set(t.Context(), key(i), &core.Entry{Value: make([]byte, 1000), Version: uint64(i)})
	}
	for _, c := range []struct {
		bytes  int64
		policy string
		want   string // the policy at work then
	}{
		{0, "", Default}, {8 << 20, "", Default}, {0, "lru", "lru"}, {2 << 20, "", "lru"}, {4 << 20, "sieve", "sieve"}, {0, Default, Default},
	} {
		if err := b.SetBounds(t.Context(), c.bytes, c.policy); err != nil {
			t.Fatalf("SetBounds(%d, %q): %v", c.bytes, c.policy, err)
		}
		if name, failure := b.EvictionPolicy(); name != c.want || failure != nil {
			t.Errorf("after SetBounds(%d, %q) the policy is %q, %v", c.bytes, c.policy, name, failure)
		}
		for i := range n {
			if e, err := b.Get(t.Context(), key(i)); err != nil || e.Version != uint64(i) {
				t.Fatalf("after SetBounds(%d, %q), Get(%d) = %+v, %v", c.bytes, c.policy, i, e, err)
			}
		}
	}
	if err := b.SetBounds(t.Context(), 1<<20, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, bytes := b.Size(); bytes > 1<<20 || entries < n/2 {
		t.Errorf("after shrinking there are %d entries of %d bytes", entries, bytes)
	}
	if err := b.Set(t.Context(), "large", &core.Entry{Value: make([]byte, 300<<10)}); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("Set of more than a quarter: %v, want ErrTooLarge", err)
	}
}

func TestSetBoundsErrors(t *testing.T) {
	b := open(t, Options{MaxBytes: 1 << 20, Policy: native(t, "lru")})
	for _, c := range []struct {
		bytes        int64
		policy, want string
	}{
		{0, "nonesuch", "no policy is called"},
		{0, "opt", "knows the future"},
		{-1, "", "must not be negative"},
		{2 << 20, "slru:segments=x", "segments"},
	} {
		if err := b.SetBounds(t.Context(), c.bytes, c.policy); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("SetBounds(%d, %q): %v, want one with %q", c.bytes, c.policy, err, c.want)
		}
	}
	if name, _ := b.EvictionPolicy(); name != "lru" || b.open.Load().options.MaxBytes != 1<<20 {
		t.Errorf("policy after errors = %q of %d bytes", name, b.open.Load().options.MaxBytes)
	}
	_ = b.Close()
	if err := b.SetBounds(t.Context(), 2<<20, ""); !errors.Is(err, core.ErrClosed) {
		t.Errorf("SetBounds after Close: %v, want ErrClosed", err)
	}
}
