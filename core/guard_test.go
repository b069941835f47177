package core_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/core"
)

// stub is a far tier whose Get is a function.
type stub struct {
	core.Backend
	get func(ctx context.Context) (*core.Entry, error)
}

func (s *stub) Get(ctx context.Context, _ string) (*core.Entry, error) { return s.get(ctx) }
func (s *stub) Close() error                                           { return nil }

// TestBreaker walks through closed, open and half-open on the bubble's clock.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, broken := 0, true
		far := &stub{get: func(context.Context) (*core.Entry, error) {
			calls++
			if broken {
				return nil, core.ErrUnavailable
			}
			return nil, core.ErrNotFound
		}}
		c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "far", Backend: far, Remote: true, Limits: core.Limits{
			BreakerFailures: 3, BreakerPause: time.Second,
		}}}})
		get := func(want error, wantCalls int, state string) {
			t.Helper()
			_, err := c.Get(context.Background(), "k")
			if !errors.Is(err, want) || calls != wantCalls {
				t.Errorf("Get: %v after %d calls, want %v after %d", err, calls, want, wantCalls)
			}
			if got := c.Stats().Tiers[0].Breaker; got != state {
				t.Errorf("breaker is %s, want %s", got, state)
			}
		}
		get(core.ErrUnavailable, 1, "closed")
		get(core.ErrUnavailable, 2, "closed")
		time.Sleep(11 * time.Second) // the bubble's clock: too far apart to be one row
		get(core.ErrUnavailable, 3, "closed")
		get(core.ErrUnavailable, 4, "closed")
		get(core.ErrUnavailable, 5, "open")
		get(core.ErrUnavailable, 5, "open")
		time.Sleep(time.Second)
		get(core.ErrUnavailable, 6, "open") // the probe fails: twice the pause
		time.Sleep(time.Second)
		get(core.ErrUnavailable, 6, "open")
		time.Sleep(time.Second)
		broken = false
		get(core.ErrNotFound, 7, "closed")
		get(core.ErrNotFound, 8, "closed")
	})
}

// TestDeadline bounds a tier that does not answer, and tells its slowness from the caller's hurry.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &stub{get: func(ctx context.Context) (*core.Entry, error) { <-ctx.Done(); return nil, ctx.Err() }}
		c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "far", Backend: far, Remote: true}}})
		start := time.Now()
		_, err := c.Get(context.Background(), "k")
		if !errors.Is(err, core.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want ErrTimeout and DeadlineExceeded", err)
		}
		if d := time.Since(start); d != 250*time.Millisecond {
			t.Errorf("took %v, want 250ms", d)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		for range 20 {
			if _, err := c.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want DeadlineExceeded", err)
			}
		}
		if s := c.Stats().Tiers[0]; s.Breaker != "closed" || s.Failures != 1 {
			t.Errorf("breaker %s after %d failures, want closed after 1: callers in a hurry tell nothing", s.Breaker, s.Failures)
		}
	})
}

// TestConcurrencyCap lets no more calls through than allowed.
func TestConcurrencyCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := 0
		var mu sync.Mutex
		far := &stub{get: func(ctx context.Context) (*core.Entry, error) {
			mu.Lock()
			under++
			if under > 2 {
				t.Errorf("%d calls under way", under)
			}
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			under--
			mu.Unlock()
			return nil, ctx.Err()
		}}
		c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "far", Backend: far, Remote: true, Limits: core.Limits{MaxConcurrent: 2}}}})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if _, err := c.Get(context.Background(), string(rune('a'+i))); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			})
		}
		wg.Wait()
	})
}

// TestPanickingClient keeps the process alive.
func TestPanickingClient(t *testing.T) {
	far := &stub{get: func(context.Context) (*core.Entry, error) { panic("makeslice: len out of range") }}
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "far", Backend: far, Remote: true}}})
	if _, err := c.Get(context.Background(), "k"); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
}

// TestFailingFarTier reads on without it, and lets no write be half done in silence.
func TestFailingFarTier(t *testing.T) {
	ctx := context.Background()
	far := newFar(t)
	c := newCache(t, twoTiers(t, far))
	if err := c.Set(ctx, "k", []byte("v"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	far.broken.Store(true)
	if v, err := c.Get(ctx, "k"); err != nil || string(v) != "v" {
		t.Errorf("near copy: %q, %v", v, err)
	}
	if _, err := c.Get(ctx, "other"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a read past a failing tier: %v, want a miss", err)
	}
	if got, err := c.GetMany(ctx, []string{"k", "other"}); err != nil || string(got[0]) != "v" || got[1] != nil {
		t.Errorf("GetMany past a failing tier: %q, %v", got, err)
	}
	s := c.Stats().Tiers[1]
	if s.Errors == 0 || s.Misses < s.Errors {
		t.Errorf("far tier: %+v, want counted misses", s)
	}
	if err := c.Set(ctx, "k", []byte("new"), core.EntryOptions{}); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("a write to a failing tier: %v", err)
	}
	if _, err := c.Get(ctx, "k"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("after a write of unknown fate: %v, want a miss", err)
	}
}

// TestNearTTL holds the rule min(cap, what is left).
func TestNearTTL(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name           string
		ttl, max, want time.Duration
	}{
		{"cap below the entry's", time.Hour, time.Minute, time.Minute},
		{"entry's below the cap", time.Second, time.Minute, time.Second},
		{"no cap", time.Hour, 0, time.Hour},
		{"no expiry", core.NoExpiry, time.Minute, time.Minute},
		{"neither", core.NoExpiry, 0, core.NoExpiry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := twoTiers(t, newFar(t))
			o.Tiers[0].MaxTTL = tt.max
			c := newCache(t, o)
			if err := c.Set(ctx, "k", nil, core.EntryOptions{TTL: tt.ttl}); err != nil {
				t.Fatal(err)
			}
			for _, when := range []string{"after the write", "after a fill"} {
				e, err := o.Tiers[0].Backend.Get(ctx, "k")
				if err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				got := e.TTL(time.Now())
				if tt.want == core.NoExpiry && got != core.NoExpiry || tt.want > 0 && (got > tt.want || got < tt.want-time.Second) {
					t.Errorf("%s: near TTL %v, want %v", when, got, tt.want)
				}
				dropNear(t, o)
				if _, err := c.Get(ctx, "k"); err != nil {
					t.Fatal(err)
				}
			}
			if ttl, err := c.TTL(ctx, "k"); err != nil || tt.ttl > 0 && ttl > tt.ttl || tt.ttl < 0 && ttl != core.NoExpiry {
				t.Errorf("TTL = %v, %v, want the authority's", ttl, err)
			}
		})
	}
}

// halfBatch is a far tier of two servers, of which the one for keys that begin with x has failed.
type halfBatch struct{ *farStore }

func (h halfBatch) GetMany(ctx context.Context, keys []string, out []*core.Entry) error {
	for i, key := range keys {
		if key[0] != 'x' {
			out[i], _ = h.Get(ctx, key)
		}
	}
	return core.ErrUnavailable
}

// TestHalfABatch takes what one of several servers has answered.
func TestHalfABatch(t *testing.T) {
	ctx := context.Background()
	o := twoTiers(t, halfBatch{newFar(t)})
	c := newCache(t, o)
	for _, key := range []string{"k", "x"} {
		if err := c.Set(ctx, key, []byte("v"), core.EntryOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Tiers[0].Backend.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.GetMany(ctx, []string{"x", "k"})
	if err != nil || got[0] != nil || string(got[1]) != "v" {
		t.Errorf("GetMany = %q, %v, want a miss and v", got, err)
	}
	if s := c.Stats().Tiers[1]; s.Hits != 1 || s.Misses != 1 || s.Errors != 1 {
		t.Errorf("far tier: %+v, want a hit, a miss and an error", s)
	}
}

// TestErrorIsAnAnswer hands on what a far store says, in contrast to its silence.
func TestErrorIsAnAnswer(t *testing.T) {
	wrongType := errors.New("WRONGTYPE Operation against a key holding the wrong kind of value")
	far := &stub{get: func(context.Context) (*core.Entry, error) { return nil, wrongType }}
	c := newCache(t, twoTiers(t, far))
	_, err := c.Get(context.Background(), "list")
	var oe *core.OpError
	if !errors.Is(err, wrongType) || !errors.As(err, &oe) || oe.Tier != "far" {
		t.Errorf("Get = %v, want the store's error", err)
	}
}
