package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// TestLifetimesOfDays renews for more than a day: no part of it is lost.
func TestLifetimesOfDays(t *testing.T) {
	c := newCache(t, twoTiers(t, newFar(t)))
	const long = 3*24*time.Hour + time.Hour
	if err := c.Set(t.Context(), "k", []byte("v"), core.EntryOptions{TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetRenew(t.Context(), "k", long); err != nil {
		t.Fatal(err)
	}
	if ttl, err := c.TTL(t.Context(), "k"); err != nil || ttl > long || ttl < long-time.Minute {
		t.Errorf("TTL = %v, %v, want %v", ttl, err, long)
	}
}

// TestClearForgetsExpiry writes a key that was cleared again: the end of the one before it is not its own.
func TestClearForgetsExpiry(t *testing.T) {
	c := newCache(t, oneTier(t))
	ctx := t.Context()
	short := core.EntryOptions{TTL: 50 * time.Millisecond}
	_ = c.Set(ctx, "k", []byte("old"), short)
	if err := c.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	_ = c.Set(ctx, "k", []byte("new"), core.EntryOptions{})
	_ = c.Set(ctx, "later", nil, short)
	waitFor(t, "a later entry to expire", func() bool {
		_, err := c.Get(ctx, "later")
		return errors.Is(err, core.ErrNotFound)
	})
	if v, err := c.Get(ctx, "k"); err != nil || string(v) != "new" {
		t.Errorf("Get = %q, %v, want what was written after Clear", v, err)
	}
}

// slowHook takes as long as the command may.
type slowHook struct{}

func (slowHook) Spec() core.HookSpec { return core.HookSpec{Name: "slow", Before: core.AllOps} }

func (slowHook) Before(ctx context.Context, _ *core.Command, _ *core.Result) error {
	<-ctx.Done()
	return nil
}

func (slowHook) After(context.Context, *core.Command, *core.Result) error { return nil }

// TestTimeoutIncludesHooks gives a command a time that its hook uses up: no tier is asked any more.
func TestTimeoutIncludesHooks(t *testing.T) {
	far := newFar(t)
	c := newCache(t, core.Options{
		Tiers: []core.Tier{{Name: "far", Backend: far, Remote: true}}, Hooks: []core.Hook{slowHook{}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get = %v, want DeadlineExceeded", err)
	}
}

// TestSetManyTellsWhichFailed has one value that the store can't hold among others.
func TestSetManyTellsWhichFailed(t *testing.T) {
	b, err := memory.New(memory.Options{MaxBytes: 4 << 20, MaxEntryBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "memory", Backend: b}}})
	err = c.SetMany(t.Context(), []string{"a", "large", "b"}, [][]byte{[]byte("1"), make([]byte, 20_000), []byte("2")}, core.EntryOptions{})
	batch, ok := errors.AsType[*core.BatchError](err)
	if !ok || !slices.Equal(batch.Keys, []string{"large"}) || !errors.Is(err, core.ErrTooLarge) || batch.Wanted != 3 {
		t.Fatalf("SetMany = %v, want a BatchError with the one that is too large", err)
	}
	if v, err := c.GetMany(t.Context(), []string{"b", "large", "a"}); err != nil || string(v[0]) != "2" || v[1] != nil || string(v[2]) != "1" {
		t.Errorf("GetMany = %q, %v, want the others", v, err)
	}
}
