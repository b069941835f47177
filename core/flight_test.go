package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// TestCollapse sends a hundred readers after one cold key.
func TestCollapse(t *testing.T) {
	far := newFar(t)
	gate := make(chan struct{})
	far.onGet = func(context.Context) error { <-gate; return nil }
	o := twoTiers(t, far)
	o.Tiers[1].Limits.Timeout = time.Minute
	c := newCache(t, o)
	if err := c.Set(context.Background(), "k", []byte("v"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	dropNear(t, o)
	var wg sync.WaitGroup
	for i := range 100 {
		ctx := context.Background()
		if i%2 == 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithCancel(ctx)
			defer cancel()
		}
		wg.Go(func() {
			if v, err := c.Get(ctx, "k"); err != nil || string(v) != "v" {
				t.Errorf("Get = %q, %v", v, err)
			}
		})
	}
	waitFor(t, "all readers to join", func() bool { return c.Stats().Collapsed == 99 })
	close(gate)
	wg.Wait()
	if n := far.gets.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
	if s := c.Stats(); s.Hits != 100 || s.Tiers[1].Hits != 1 {
		t.Errorf("%d hits, %d of the far tier, want 100 and 1", s.Hits, s.Tiers[1].Hits)
	}
}

// dropNear takes the key k from the near tier, as if evicted.
func dropNear(t *testing.T, o core.Options) {
	t.Helper()
	if _, err := o.Tiers[0].Backend.Delete(context.Background(), "k"); err != nil {
		t.Fatal(err)
	}
}

// TestLeaderGoesAway cancels the reader whose load the others wait for, and one of those.
func TestLeaderGoesAway(t *testing.T) {
	far := newFar(t)
	gate, begun := make(chan struct{}), make(chan struct{}, 10)
	far.onGet = func(ctx context.Context) error {
		begun <- struct{}{}
		<-gate
		return ctx.Err()
	}
	o := twoTiers(t, far)
	o.Tiers[1].Limits.Timeout = time.Minute
	c := newCache(t, o)
	if err := c.Set(context.Background(), "k", []byte("v"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	dropNear(t, o)
	get := func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() { _, err := c.Get(ctx, "k"); done <- err }()
		return done
	}
	leaderCtx, cancelLeader := context.WithCancel(context.Background())
	leader := get(leaderCtx)
	<-begun
	impatientCtx, cancelImpatient := context.WithCancel(context.Background())
	impatient, patient := get(impatientCtx), get(context.Background())
	waitFor(t, "both to join", func() bool { return c.Stats().Collapsed == 2 })
	cancelLeader()
	if err := <-leader; !errors.Is(err, context.Canceled) {
		t.Errorf("leader: %v, want context canceled", err)
	}
	cancelImpatient()
	if err := <-impatient; !errors.Is(err, context.Canceled) {
		t.Errorf("impatient waiter: %v, want context canceled", err)
	}
	close(gate)
	if err := <-patient; err != nil {
		t.Errorf("patient waiter: %v", err)
	}
	if len(begun) != 0 {
		t.Error("a second load was begun")
	}
}

// TestNoStaleFill stops a load between its read and its fill, changes the key, and lets the load go on.
func TestNoStaleFill(t *testing.T) {
	ctx := context.Background()
	changes := map[string]func(c *core.Cache) error{
		"set":    func(c *core.Cache) error { return c.Set(ctx, "k", []byte("new"), core.EntryOptions{}) },
		"delete": func(c *core.Cache) error { _, err := c.Delete(ctx, "k"); return err },
		"append": func(c *core.Cache) error { _, err := c.Append(ctx, "k", []byte("+"), core.EntryOptions{}); return err },
		"many":   func(c *core.Cache) error { _, err := c.DeleteMany(ctx, []string{"k", "l"}); return err },
		"clear":  func(c *core.Cache) error { return c.Clear(ctx) },
	}
	for name, change := range changes {
		for _, many := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/many=%t", name, many), func(t *testing.T) {
				far := newFar(t)
				gate, begun := make(chan struct{}), make(chan struct{}, 1)
				var stopped atomic.Bool
				far.onGet = func(context.Context) error {
					if !stopped.Swap(true) {
						begun <- struct{}{}
						<-gate
					}
					return nil
				}
				o := twoTiers(t, far)
				o.Tiers[1].Limits.Timeout = time.Minute
				c := newCache(t, o)
				if err := c.Set(ctx, "k", []byte("old"), core.EntryOptions{}); err != nil {
					t.Fatal(err)
				}
				dropNear(t, o)
				done := make(chan error, 1)
				go func() {
					var err error
					if many {
						_, err = c.GetMany(ctx, []string{"k"})
					} else {
						_, err = c.Get(ctx, "k")
					}
					done <- err
				}()
				<-begun
				if err := change(c); err != nil {
					t.Fatal(err)
				}
				want, wantErr := far.Backend.Get(ctx, "k")
				check := func(when string) {
					t.Helper()
					v, err := c.Get(ctx, "k")
					if !errors.Is(err, wantErr) || wantErr == nil && string(v) != string(want.Value) {
						t.Errorf("%s: Get = %q, %v, want %v, %v", when, v, err, want, wantErr)
					}
				}
				check("while the old load is under way")
				close(gate)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				check("after the old load has ended")
			})
		}
	}
}

// TestNeverBackwards hammers few keys with writers, deleters, readers and a clearer. A value is its key's counter at the
// time of the write; a read must never bring one below what was last written, and complete, when the read began.
func TestNeverBackwards(t *testing.T) {
	far := newFar(t)
	far.yields = 3
	o := twoTiers(t, far)
	o.Tiers[1].Limits.Timeout = time.Minute
	c := newCache(t, o)
	const keys = 4
	var last [keys]atomic.Int64 // the greatest value whose write is complete
	ctx := context.Background()
	stop := time.After(time.Second)
	done := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(fn func(rng *rand.Rand)) {
		seed := rand.Uint64()
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for {
				select {
				case <-done:
					return
				default:
					fn(rng)
				}
			}
		})
	}
	for k := range keys {
		key, next := strconv.Itoa(k), int64(0)
		loop(func(rng *rand.Rand) {
			next++
			value := strconv.AppendInt(nil, next, 10)
			var err error
			switch rng.IntN(6) {
			case 0:
				if _, err = c.Delete(ctx, key); err == nil {
					err = c.Add(ctx, key, value, core.EntryOptions{})
				}
			case 1:
				err = c.SetMany(ctx, []string{key}, [][]byte{value}, core.EntryOptions{})
			case 2:
				next++
				if err = c.Set(ctx, key, value, core.EntryOptions{}); err == nil {
					_, err = c.Increment(ctx, key, 1, core.EntryOptions{})
				}
			default:
				err = c.Set(ctx, key, value, core.EntryOptions{})
			}
			if err != nil {
				t.Errorf("write: %v", err)
			}
			last[k].Store(next)
		})
	}
	for range 4 {
		loop(func(rng *rand.Rand) {
			k := rng.IntN(keys)
			low := last[k].Load()
			var v []byte
			var err error
			if rng.IntN(2) == 0 {
				v, err = c.Get(ctx, strconv.Itoa(k))
			} else {
				var vs [][]byte
				if vs, err = c.GetMany(ctx, []string{strconv.Itoa(k)}); err == nil {
					v = vs[0]
				}
			}
			if v == nil || errors.Is(err, core.ErrNotFound) {
				return
			}
			if n, _ := core.ParseInt(v); n < low {
				t.Errorf("key %d: read %s, %v after %d was written", k, v, err, low)
			}
		})
	}
	loop(func(rng *rand.Rand) {
		_, _ = o.Tiers[0].Backend.Delete(ctx, strconv.Itoa(rng.IntN(keys))) // as if evicted
	})
	<-stop
	close(done)
	wg.Wait()
}

// TestWaitingWriter gives up with its context.
func TestWaitingWriter(t *testing.T) {
	far := newFar(t)
	gate := make(chan struct{})
	begun := make(chan struct{})
	o := twoTiers(t, blockingSet{farStore: far, begun: begun, gate: gate})
	o.Tiers[1].Limits.Timeout = time.Minute
	c := newCache(t, o)
	first := make(chan error, 1)
	go func() { first <- c.Set(context.Background(), "k", []byte("1"), core.EntryOptions{}) }()
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Set(ctx, "k", []byte("2"), core.EntryOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("second writer: %v, want context canceled", err)
	}
	close(gate)
	if err := <-first; err != nil {
		t.Errorf("first writer: %v", err)
	}
}

// blockingSet blocks its first Set until gate is closed.
type blockingSet struct {
	*farStore
	begun, gate chan struct{}
}

func (b blockingSet) Set(ctx context.Context, key string, e *core.Entry) error {
	b.begun <- struct{}{}
	<-b.gate
	return b.farStore.Set(ctx, key, e)
}
