package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/codec"
	"github.com/edgecache/edgecache/internal/testserver"
)

type account struct{ Name string }

// TestTyped has the codec's number travel with the value, numbers stay numbers, and processes share a lease.
func TestTyped(t *testing.T) {
	ctx := t.Context()
	url := testserver.Redis(t).URL()
	open := func() *core.Cache {
		b, err := redis.Open(url, redis.Options{Timeout: slow})
		if err != nil {
			t.Fatal(err)
		}
		tier := core.Tier{Name: "redis", Backend: b, Remote: true, System: "redis"}
		tier.Limits.Timeout = slow
		c, err := core.New(core.Options{Tiers: []core.Tier{tier}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	cache := open()
	accounts, err := core.NewTyped[account](cache, core.TypedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := accounts.Set(ctx, "a", account{"ann"}, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if v, err := accounts.Get(ctx, "a"); err != nil || v.Name != "ann" {
		t.Errorf("Get = %+v, %v", v, err)
	}
	if e, err := cache.GetEntry(ctx, "a"); err != nil || e.Codec != codec.IDJSON {
		t.Errorf("GetEntry = %+v, %v, want the codec of JSON", e, err)
	}
	// What another program writes, as text or JSON.
	if _, err := cache.Raw(ctx, "SET", "raw", "plain text"); err != nil {
		t.Fatal(err)
	}
	raw, err := core.NewTyped[any](cache, core.TypedOptions{Codec: codec.JSON{Raw: true}})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := raw.Get(ctx, "raw"); err != nil || v != "plain text" {
		t.Errorf("raw: %#v, %v", v, err)
	}
	if _, err := accounts.Get(ctx, "raw"); !errors.Is(err, core.ErrNotFound) || !errors.Is(err, core.ErrDecode) {
		t.Errorf("raw as an account: %v, want a miss that is ErrDecode", err)
	}
	t.Run("numbers", func(t *testing.T) { numbers(t, cache) })
	t.Run("absent", func(t *testing.T) { absent(t, cache) })
	t.Run("lease", func(t *testing.T) { lease(t, open) })
}

func numbers(t *testing.T, cache *core.Cache) {
	ctx := t.Context()
	n, err := core.NewTyped[int](cache, core.TypedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Set(ctx, "n", 41, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Raw(ctx, "INCR", "n"); err != nil {
		t.Errorf("INCR by another program: %v", err)
	}
	if v, err := n.Get(ctx, "n"); err != nil || v != 42 {
		t.Errorf("Get = %d, %v, want 42", v, err)
	}
}

func absent(t *testing.T, cache *core.Cache) {
	ctx := t.Context()
	var calls int
	load := func(context.Context, string) ([]byte, error) { calls++; return nil, core.ErrNotFound }
	for range 3 {
		if _, err := cache.GetOrLoad(ctx, "none", load, core.LoadOptions{NegativeTTL: time.Minute}); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("GetOrLoad: %v, want ErrNotFound", err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
	if err := cache.Add(ctx, "none", []byte("v"), core.EntryOptions{}); err != nil {
		t.Errorf("Add: %v", err)
	}
}

func lease(t *testing.T, open func() *core.Cache) {
	var calls atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		c := open()
		for range 10 {
			wg.Go(func() {
				v, err := c.GetOrLoad(t.Context(), "leased", func(context.Context, string) ([]byte, error) {
					return fmt.Append(nil, calls.Add(1)), nil
				}, core.LoadOptions{Lease: time.Minute})
				if err != nil || string(v) != "1" {
					t.Errorf("GetOrLoad = %q, %v", v, err)
				}
			})
		}
	}
	wg.Wait()
	if keys, err := open().Keys(t.Context(), "leased*"); err != nil || strings.Join(keys, ",") != "leased" {
		t.Errorf("keys %q, %v: the lease should be given back", keys, err)
	}
}
