package core_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/redis"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

// long is a lease that no test lives to see the end of.
const long = 10 * time.Minute

// mustLock takes a lock that must be free soon.
func mustLock(t *testing.T, c *core.Cache, key string, lease time.Duration) *core.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l, err := c.Lock(ctx, key, lease)
	if err != nil {
		t.Fatalf("Lock(%q) = %v", key, err)
	}
	return l
}

func wantLocked(t *testing.T, c *core.Cache, key string) {
	t.Helper()
	l, err := c.TryLock(t.Context(), key, long)
	if l != nil || !errors.Is(err, core.ErrLocked) {
		t.Errorf("TryLock(%q) of a lock that is held = %v, %v; want ErrLocked", key, l, err)
	}
}

func wantOver(t *testing.T, l *core.Lease) {
	t.Helper()
	select {
	case <-l.Done():
	case <-time.After(patience):
		t.Fatal("Done is open though the lease is over")
	}
}

func TestLock(t *testing.T) {
	onStores(t, func(t *testing.T, open func() *core.Cache) {
		a, b := open(), open()
		t.Run("exclusion", func(t *testing.T) { testExclusion(t, a, b) })
		t.Run("owner only", func(t *testing.T) { testOwnerOnly(t, a, b) })
		t.Run("takeover", func(t *testing.T) { testTakeover(t, a, b) })
		t.Run("cancelled", func(t *testing.T) { testCancelledWaiters(t, a, b) })
		t.Run("extend", func(t *testing.T) { testExtend(t, a, b) })
		t.Run("lock or wait", func(t *testing.T) { testLockOrWait(t, a, b) })
		t.Run("fence", func(t *testing.T) { testFence(t, a, b) })
	})
}

// testExclusion counts in a way that loses counts where two are at it.
func testExclusion(t *testing.T, a, b *core.Cache) {
	const goroutines = 100
	ctx := t.Context()
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for i := range goroutines {
		c := a
		if i%2 == 1 {
			c = b
		}
		wg.Go(func() {
			l, err := c.Lock(ctx, "count", long)
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			n := 0
			if e, err := c.GetAuthority(ctx, "count"); err == nil {
				n, _ = strconv.Atoi(string(e.Value))
			}
			if err := c.Set(ctx, "count", strconv.AppendInt(nil, int64(n+1), 10), core.EntryOptions{}); err != nil {
				t.Error(err)
			}
			inside.Add(-1)
			if err := l.Release(ctx); err != nil {
				t.Errorf("Release = %v", err)
			}
		})
	}
	wg.Wait()
	e, err := a.GetAuthority(ctx, "count")
	if err != nil || string(e.Value) != strconv.Itoa(goroutines) || most.Load() != 1 {
		t.Errorf("count %v, %v, with %d at once; want %d, one at a time", e, err, most.Load(), goroutines)
	}
}

func testOwnerOnly(t *testing.T, a, b *core.Cache) {
	ctx := t.Context()
	l := mustLock(t, a, "owned", long)
	wantLocked(t, a, "owned")
	wantLocked(t, b, "owned")
	if other := mustLock(t, b, "other", long); other.Token() == l.Token() || l.Token() == "" {
		t.Errorf("two leases have the tokens %q and %q", l.Token(), other.Token())
	}
	if _, err := a.Get(ctx, "owned"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Get of a locked key = %v, want ErrNotFound", err)
	}
	held, err := b.Namespace("locks").GetAuthority(ctx, "owned")
	if err != nil || string(held.Value) != l.Token() {
		t.Errorf("the store has %v, %v; want the token", held, err)
	}
	if err := l.Release(ctx); err != nil {
		t.Errorf("Release = %v", err)
	}
	wantOver(t, l)
	if err := l.Release(ctx); !errors.Is(err, core.ErrLockLost) {
		t.Errorf("second Release = %v, want ErrLockLost", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	again := mustLock(t, b, "owned", long)
	cancel()
	if err := again.Release(cancelled); err != nil {
		t.Errorf("Release with a cancelled context = %v", err)
	}
	if err := mustLock(t, a, "owned", long).Release(ctx); err != nil {
		t.Errorf("Release = %v", err)
	}
}

// testTakeover lets a lease run out, and another have the lock.
func testTakeover(t *testing.T, a, b *core.Cache) {
	ctx := t.Context()
	old := mustLock(t, a, "left", 30*time.Millisecond)
	l := mustLock(t, b, "left", long)
	wantOver(t, old)
	for what, err := range map[string]error{"Release": old.Release(ctx), "Extend": old.Extend(ctx, long)} {
		if !errors.Is(err, core.ErrLockLost) {
			t.Errorf("%s of a lease that ran out = %v, want ErrLockLost", what, err)
		}
	}
	if _, err := old.Fence(ctx); !errors.Is(err, core.ErrLockLost) {
		t.Errorf("Fence of a lease that ran out = %v, want ErrLockLost", err)
	}
	wantLocked(t, a, "left")
	if err := l.Release(ctx); err != nil {
		t.Errorf("Release of the lease that took over = %v", err)
	}

	cleared := mustLock(t, a, "cleared", long)
	if _, err := b.Namespace("locks").Delete(ctx, "cleared"); err != nil {
		t.Fatal(err)
	}
	if err := cleared.Extend(ctx, long); !errors.Is(err, core.ErrLockLost) {
		t.Errorf("Extend of a lock that was deleted = %v, want ErrLockLost", err)
	}
	wantOver(t, cleared)
}

func testCancelledWaiters(t *testing.T, a, b *core.Cache) {
	l := mustLock(t, a, "busy", long)
	for name, c := range map[string]*core.Cache{"here": a, "elsewhere": b} {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := c.Lock(ctx, "busy", long)
			failed <- err
		}()
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := <-failed; !errors.Is(err, core.ErrLocked) || !errors.Is(err, context.Canceled) {
			t.Errorf("Lock that was cancelled %s = %v, want ErrLocked and Canceled", name, err)
		}
		if _, err := c.LockOrWait(ctx, "busy", long); !errors.Is(err, context.Canceled) {
			t.Errorf("LockOrWait that was cancelled %s = %v, want Canceled", name, err)
		}
	}
	if err := l.Release(t.Context()); err != nil {
		t.Errorf("Release = %v", err)
	}
	if err := mustLock(t, b, "busy", long).Release(t.Context()); err != nil {
		t.Errorf("Release after waiters went away = %v", err)
	}
}

func testExtend(t *testing.T, a, b *core.Cache) {
	ctx := t.Context()
	l := mustLock(t, a, "kept", patience)
	if err := l.Extend(ctx, long); err != nil {
		t.Fatalf("Extend = %v", err)
	}
	left, err := b.Namespace("locks").TTL(ctx, "kept")
	if err != nil || left < long-time.Minute || left > long+time.Second {
		t.Errorf("TTL of an extended lock = %v, %v; want %v", left, err, long)
	}
	if err := l.Extend(ctx, 20*time.Millisecond); err != nil {
		t.Fatalf("Extend to less = %v", err)
	}
	wantOver(t, l)
	if err := mustLock(t, b, "kept", long).Release(ctx); err != nil {
		t.Errorf("Release = %v", err)
	}
	for _, lease := range []time.Duration{0, -1, core.KeepTTL} {
		if _, err := a.Lock(ctx, "kept", lease); !errors.Is(err, core.ErrBadTTL) {
			t.Errorf("Lock for %d = %v, want ErrBadTTL", lease, err)
		}
		if err := l.Extend(ctx, lease); !errors.Is(err, core.ErrBadTTL) {
			t.Errorf("Extend by %d = %v, want ErrBadTTL", lease, err)
		}
	}
}

// testLockOrWait checks that losers go on when the winner is done, or after the time of a lease.
func testLockOrWait(t *testing.T, a, b *core.Cache) {
	ctx := t.Context()
	for name, c := range map[string]*core.Cache{"here": a, "elsewhere": b} {
		l, err := a.LockOrWait(ctx, "work", long)
		if err != nil {
			t.Fatalf("LockOrWait of a free lock = %v", err)
		}
		const wait = 50 * time.Millisecond
		begin := time.Now()
		_, err = c.LockOrWait(ctx, "work", wait)
		if took := time.Since(begin); err != core.ErrLocked || took < wait || took > patience { //nolint:errorlint // the contract
			t.Errorf("LockOrWait %s = %v after %v, want ErrLocked after %v", name, err, took, wait)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				switch l, err := c.LockOrWait(ctx, "work", long); {
				case err == nil: // it came after the release
					_ = l.Release(ctx)
				case err != core.ErrLocked: //nolint:errorlint // the contract
					t.Errorf("LockOrWait %s = %v, want ErrLocked", name, err)
				}
			})
		}
		time.AfterFunc(20*time.Millisecond, func() { _ = l.Release(ctx) })
		wg.Wait()
	}
}

func testFence(t *testing.T, a, b *core.Cache) {
	ctx, last := t.Context(), uint64(0)
	for i, c := range []*core.Cache{a, b, a, a, b} {
		l := mustLock(t, c, "fenced", long)
		for range 2 {
			n, err := l.Fence(ctx)
			if err != nil || n <= last {
				t.Errorf("lease %d: Fence = %d, %v; want more than %d", i, n, err, last)
			}
			last = n
		}
		if err := l.Release(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestLockOwnerKilled kills the process that holds a lock: another has it when the lease is over, and not before.
func TestLockOwnerKilled(t *testing.T) {
	const lease = 500 * time.Millisecond
	s := testserver.Redis(t)
	owner := exec.Command(os.Args[0], "-test.run=^TestLockOwner$")
	owner.Env = append(os.Environ(), "EDGECACHE_TEST_LOCK_AT="+s.URL(), "EDGECACHE_TEST_LEASE="+lease.String())
	out, err := owner.StdoutPipe()
	if err == nil {
		err = owner.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "locked\n" {
		t.Fatalf("the owner says %q, %v", line, err)
	}
	b, err := redis.Open(s.URL(), redis.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "redis", Backend: b, Remote: true, Limits: core.Limits{Timeout: patience}}}})
	locks := c.Namespace("locks")
	held, err := locks.GetEntry(t.Context(), "k")
	if err != nil {
		t.Fatalf("the lock of the other process: %v", err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	l := mustLock(t, c, "k", long)
	if now := time.Now().UnixNano(); now < held.Expires-int64(5*time.Millisecond) { // Redis counts in milliseconds
		t.Errorf("the dead owner's lock was taken %v early", time.Duration(held.Expires-now))
	}
	if err := l.Release(t.Context()); err != nil {
		t.Errorf("Release = %v", err)
	}
}

// TestLockOwner is the process that TestLockOwnerKilled kills.
func TestLockOwner(t *testing.T) {
	url := os.Getenv("EDGECACHE_TEST_LOCK_AT")
	if url == "" {
		t.Skip("a part of TestLockOwnerKilled")
	}
	lease, err := time.ParseDuration(os.Getenv("EDGECACHE_TEST_LEASE"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := redis.Open(url, redis.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "redis", Backend: b, Remote: true, Limits: core.Limits{Timeout: patience}}}})
	mustLock(t, c, "k", lease)
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	<-t.Context().Done()
}

// spoiler is a store whose updates take place, but are not acknowledged while it is on.
type spoiler struct {
	core.Backend
	core.Updater
	on atomic.Bool
}

func (s *spoiler) Update(ctx context.Context, key string, fn func(*core.Entry) (*core.Entry, error)) (*core.Entry, error) {
	e, err := s.Updater.Update(ctx, key, fn)
	if err == nil && s.on.CompareAndSwap(true, false) {
		return nil, core.ErrUnavailable
	}
	return e, err
}

// TestLockOfUnknownFate takes a lock whose answer is lost. It must not stay for the whole lease.
func TestLockOfUnknownFate(t *testing.T) {
	b := newMemory(t)
	s := &spoiler{Backend: b, Updater: b.(core.Updater)}
	c := newCache(t, core.Options{Tiers: []core.Tier{{Name: "memory", Backend: s}}})
	s.on.Store(true)
	if _, err := c.Lock(t.Context(), "k", long); !errors.Is(err, core.ErrUnavailable) {
		t.Fatalf("Lock = %v, want ErrUnavailable", err)
	}
	l := mustLock(t, c, "k", long)
	s.on.Store(true)
	if err := l.Release(t.Context()); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Release = %v, want ErrUnavailable", err)
	}
	wantOver(t, l)
}

// TestLockPassesHooks checks that a lock's commands pass the hooks, and that what these change of them holds.
func TestLockPassesHooks(t *testing.T) {
	var seen []string
	var before func(cmd *core.Command, res *core.Result) error
	hook := &testHook{
		spec:   core.HookSpec{Name: "h", Before: core.AllOps, After: core.AllOps},
		before: func(cmd *core.Command, res *core.Result) error { return before(cmd, res) },
		after: func(cmd *core.Command, res *core.Result) error {
			seen = append(seen, fmt.Sprint(cmd.Op, " ", cmd.Namespace.Path(), ":", cmd.Key, " ", res.Outcome))
			return nil
		},
	}
	o := oneTier(t)
	o.Hooks = []core.Hook{hook}
	c := newCache(t, o).Namespace("shop")
	ctx := t.Context()

	before = func(cmd *core.Command, _ *core.Result) error {
		if cmd.Op == core.OpAdd {
			cmd.Value, cmd.TTL = append([]byte("changed "), cmd.Value...), time.Hour
		}
		return nil
	}
	l := mustLock(t, c, "k", time.Minute)
	wantLocked(t, c, "k")
	if left, err := c.Namespace("locks").TTL(ctx, "k"); err != nil || left < time.Hour-time.Minute {
		t.Errorf("TTL of a lock = %v, %v; want what the hook made it", left, err)
	}
	if err := errors.Join(l.Extend(ctx, time.Minute), l.Release(ctx)); err != nil {
		t.Errorf("Extend and Release of a value that the hook changed = %v", err)
	}
	want := "[add shop/locks:k stored ttl shop/locks:k hit expire shop/locks:k hit delete shop/locks:k hit]"
	if got := fmt.Sprint(seen); got != want {
		t.Errorf("the hook saw %s, want %s", got, want)
	}

	for _, outcome := range []core.Outcome{core.OutcomeBypass, core.OutcomeDenied} {
		before = func(_ *core.Command, res *core.Result) error { //nolint:unparam // a hook's form
			res.Outcome = outcome
			return nil
		}
		if _, err := c.Lock(ctx, "k", long); !errors.Is(err, core.ErrRejected) {
			t.Errorf("Lock that a hook keeps from the store (%v) = %v, want ErrRejected", outcome, err)
		}
	}
}

// TestLockPolls counts how often a waiter asks the store for a lock that another process holds.
func TestLockPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		o := oneTier(t)
		o.Hooks = []core.Hook{&testHook{
			spec:   core.HookSpec{Name: "h", Before: core.Ops(core.OpAdd)},
			before: func(*core.Command, *core.Result) error { asked++; return nil },
		}}
		c := newCache(t, o)
		if err := c.Namespace("locks").Set(t.Context(), "k", []byte("another's"), core.EntryOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Lock(ctx, "k", long); !errors.Is(err, core.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock = %v, want ErrLocked and DeadlineExceeded", err)
		}
		if asked < 1000/75 || asked > 1000/25+5 {
			t.Errorf("asked %d times in a second, want every 5 to 50 ms", asked)
		}
	})
}

// TestLockInOrder lets goroutines of one process have a lock in the order in which they came.
func TestLockInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, oneTier(t))
		first := mustLock(t, c, "k", long)
		var order []int
		for i := range 10 {
			go func() {
				l, err := c.Lock(t.Context(), "k", long)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				_ = l.Release(t.Context())
			}()
			synctest.Wait()
		}
		if err := first.Release(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := fmt.Sprint(order); got != "[0 1 2 3 4 5 6 7 8 9]" {
			t.Errorf("order %s", got)
		}
	})
}
