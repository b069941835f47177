package core_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// plusOne is an update that counts, from an absent key's 0.
func plusOne(old *core.Entry) ([]byte, error) {
	n := 0
	if old != nil {
		var err error
		if n, err = strconv.Atoi(string(old.Value[1:])); err != nil {
			return nil, err
		}
	}
	return strconv.AppendInt([]byte("n"), int64(n+1), 10), nil
}

func TestUpdate(t *testing.T) {
	onStores(t, func(t *testing.T, open func() *core.Cache) {
		a, b := open(), open()
		t.Run("none is lost", func(t *testing.T) { testUpdatesCount(t, a, b) })
		t.Run("conflicts", func(t *testing.T) { testUpdateConflicts(t, a, b) })
		t.Run("if value", func(t *testing.T) { testIfValue(t, a, b) })
	})
}

func testUpdatesCount(t *testing.T, a, b *core.Cache) {
	const goroutines, rounds = 8, 10
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range goroutines {
		c := a
		if i%2 == 1 {
			c = b
		}
		wg.Go(func() {
			for range rounds {
				if err := c.Update(ctx, "n", plusOne, core.EntryOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if e, err := a.GetAuthority(ctx, "n"); err != nil || string(e.Value) != "n"+strconv.Itoa(goroutines*rounds) {
		t.Errorf("the key holds %v, %v; want n%d", e, err, goroutines*rounds)
	}
}

// testUpdateConflicts lets another write between the read and the write of an Update.
func testUpdateConflicts(t *testing.T, a, b *core.Cache) {
	ctx, opts := t.Context(), core.EntryOptions{TTL: time.Hour, Jitter: -1}
	for name, interfere := range map[string]func() error{
		"create": func() error { return b.Add(ctx, "k", []byte("theirs"), opts) },
		"write":  func() error { return b.Set(ctx, "k", []byte("theirs, too"), opts) },
		"delete": func() error { _, err := b.Delete(ctx, "k"); return err },
	} {
		if name == "create" {
			if _, err := a.Delete(ctx, "k"); err != nil {
				t.Fatal(err)
			}
		} else if err := a.Set(ctx, "k", []byte("old"), opts); err != nil {
			t.Fatal(err)
		}
		calls := 0
		err := a.Update(ctx, "k", func(*core.Entry) ([]byte, error) {
			if calls++; calls == 1 {
				if err := interfere(); err != nil {
					t.Error(err)
				}
			}
			return []byte("ours " + strconv.Itoa(calls)), nil
		}, opts)
		e, getErr := b.GetAuthority(ctx, "k")
		if err != nil || getErr != nil || string(e.Value) != "ours 2" {
			t.Errorf("Update with a %s between = %v; the key holds %v, %v; want what the second call made", name, err, e, getErr)
		}
		if ttl, err := b.TTL(ctx, "k"); err != nil || ttl > time.Hour+time.Second || ttl < time.Hour-time.Minute {
			t.Errorf("TTL = %v, %v; want that of the Update", ttl, err)
		}
	}

	refused := errors.New("refused")
	err := a.Update(ctx, "k", func(*core.Entry) ([]byte, error) { return []byte("bad"), refused }, opts)
	if e, getErr := b.GetAuthority(ctx, "k"); err != refused || getErr != nil || string(e.Value) != "ours 2" { //nolint:errorlint // the contract
		t.Errorf("Update whose function fails = %v; the key holds %v, %v", err, e, getErr)
	}
	cancelled, cancel := context.WithCancel(ctx)
	err = a.Update(cancelled, "k", func(*core.Entry) ([]byte, error) {
		defer cancel()
		return []byte("bad"), b.Set(ctx, "k", []byte("theirs"), opts)
	}, opts)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update that is cancelled = %v, want Canceled", err)
	}
}

// testIfValue checks the condition that locks rest on.
func testIfValue(t *testing.T, a, b *core.Cache) {
	ctx := t.Context()
	do := func(op core.Op, value string, want core.Outcome) {
		t.Helper()
		cmd := core.Command{Op: op, Key: "v", Flags: core.FlagIfValue, Value: []byte(value), TTL: time.Minute, Jitter: -1}
		var res core.Result
		if err := a.Do(ctx, &cmd, &res); err != nil || res.Outcome != want {
			t.Errorf("%v if the value is %q: %v, %v; want %v", op, value, res.Outcome, err, want)
		}
	}
	do(core.OpDelete, "x", core.OutcomeMiss)
	do(core.OpExpire, "", core.OutcomeMiss)
	if err := b.Set(ctx, "v", []byte("x"), core.EntryOptions{TTL: time.Hour, Jitter: -1}); err != nil {
		t.Fatal(err)
	}
	do(core.OpDelete, "y", core.OutcomeNotStored)
	do(core.OpDelete, "", core.OutcomeNotStored)
	do(core.OpExpire, "xx", core.OutcomeNotStored)
	if left, err := b.TTL(ctx, "v"); err != nil || left < 59*time.Minute {
		t.Errorf("TTL after an Expire that did not take place = %v, %v", left, err)
	}
	do(core.OpExpire, "x", core.OutcomeHit)
	if left, err := b.TTL(ctx, "v"); err != nil || left > time.Minute+time.Second {
		t.Errorf("TTL after Expire = %v, %v, want a minute", left, err)
	}
	do(core.OpDelete, "x", core.OutcomeHit)
	do(core.OpDelete, "x", core.OutcomeMiss)
}

// TestUpdateGivesUp lets a hook see to it that no write takes place.
func TestUpdateGivesUp(t *testing.T) {
	o := oneTier(t)
	tries := 0
	o.Hooks = []core.Hook{&testHook{
		spec: core.HookSpec{Name: "h", Before: core.Ops(core.OpAdd)},
		before: func(_ *core.Command, res *core.Result) error {
			tries++
			res.Outcome = core.OutcomeNotStored
			return nil
		},
	}}
	c := newCache(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := c.Update(ctx, "k", plusOne, core.EntryOptions{})
	if !errors.Is(err, core.ErrConflict) || !errors.Is(err, context.DeadlineExceeded) || tries < 2 {
		t.Errorf("Update = %v after %d tries, want ErrConflict", err, tries)
	}
}

// TestVersionsGrow has another node, whose clock is ahead, write a key: this one's updates must not repeat its versions.
func TestVersionsGrow(t *testing.T) {
	b := newMemory(t)
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "memory", Backend: b}}})
	ctx := t.Context()
	version := uint64(time.Now().Add(time.Hour).UnixMilli())<<16 | 7
	if err := b.Set(ctx, "k", &core.Entry{Value: []byte("1"), Version: version}); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(token uint64) error{
		"CompareAndSwap": func(token uint64) error { return c.CompareAndSwap(ctx, "k", token, []byte("2"), core.EntryOptions{}) },
		"Append":         func(uint64) error { _, err := c.Append(ctx, "k", []byte("0"), core.EntryOptions{}); return err },
		"Update": func(uint64) error {
			return c.Update(ctx, "k", func(*core.Entry) ([]byte, error) { return nil, nil }, core.EntryOptions{})
		},
	} {
		before, err := c.GetAuthority(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		if err := write(before.Token()); err != nil {
			t.Fatalf("%s = %v", name, err)
		}
		if after, err := c.GetAuthority(ctx, "k"); err != nil || after.Version <= before.Version {
			t.Errorf("%s made version %x of %x", name, after.Version, before.Version)
		}
	}
	last := &core.Entry{Value: []byte("1"), Version: math.MaxUint64}
	if err := b.Set(ctx, "k", last); err != nil {
		t.Fatal(err)
	}
	if err := c.CompareAndSwap(ctx, "k", last.Token(), nil, core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	if e, err := c.GetAuthority(ctx, "k"); err != nil || e.Version == 0 {
		t.Errorf("after the last version: %+v, %v", e, err)
	}
}
