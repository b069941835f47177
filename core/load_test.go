package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// counted is a loader that counts its calls.
type counted struct {
	calls atomic.Int64
	gate  chan struct{} // if not nil, calls wait until it is closed
	err   error
}

func (c *counted) load(_ context.Context, key string) (string, error) {
	n := c.calls.Add(1)
	if c.gate != nil {
		<-c.gate
	}
	return fmt.Sprintf("%s %d", key, n), c.err
}

func strs(tb testing.TB, o core.Options) *core.Typed[string] {
	tb.Helper()
	return newTyped[string](tb, newCache(tb, o), core.TypedOptions{})
}

// loadingCaches are caches of all shapes.
func loadingCaches(tb testing.TB) map[string]*core.Typed[string] {
	one := strs(tb, oneTier(tb))
	remote := core.Options{Tiers: []core.Tier{{Name: "far", Backend: newFar(tb), Remote: true, System: "test"}}}
	return map[string]*core.Typed[string]{
		"one tier":  one,
		"namespace": newTyped[string](tb, one.Cache().Namespace("a", "b"), core.TypedOptions{}),
		"remote":    strs(tb, remote),
		"two tiers": strs(tb, twoTiers(tb, newFar(tb))),
	}
}

// TestLoadOnce sends a hundred goroutines after one cold key, again and again.
func TestLoadOnce(t *testing.T) {
	for name, c := range loadingCaches(t) {
		t.Run(name, func(t *testing.T) {
			for round := range 20 {
				key, l := "k"+strconv.Itoa(round), &counted{}
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						v, err := c.GetOrLoad(t.Context(), key, l.load, core.LoadOptions{Background: round%2 == 1})
						if err != nil || v != key+" 1" {
							t.Errorf("GetOrLoad = %q, %v", v, err)
						}
					})
				}
				wg.Wait()
				if n := l.calls.Load(); n != 1 {
					t.Fatalf("%d calls, want 1", n)
				}
			}
			if s := c.Cache().Stats(); s.Loads.Calls == 0 || s.Loads.Troubles != 0 {
				t.Errorf("%+v", s.Loads)
			}
		})
	}
}

// TestLoadCounts: a hit is one hit and a miss one miss.
func TestLoadCounts(t *testing.T) {
	for name, c := range loadingCaches(t) {
		t.Run(name, func(t *testing.T) {
			before := c.Cache().Stats()
			l := &counted{}
			for range 3 {
				if _, err := c.GetOrLoad(t.Context(), "k", l.load, core.LoadOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			s := c.Cache().Stats()
			if s.Hits-before.Hits != 2 || s.Misses-before.Misses != 1 || s.Loads.Calls-before.Loads.Calls != 1 {
				t.Errorf("%d hits, %d misses, %d calls, want 2, 1, 1", s.Hits-before.Hits, s.Misses-before.Misses, s.Loads.Calls-before.Loads.Calls)
			}
		})
	}
}

// TestLoadLeaderGoesAway cancels the caller whose call the others wait for, and one of those, and then all.
func TestLoadLeaderGoesAway(t *testing.T) {
	c := strs(t, oneTier(t))
	gate, begun, ended := make(chan struct{}), make(chan struct{}, 10), make(chan error, 10)
	load := func(ctx context.Context, _ string) (string, error) {
		begun <- struct{}{}
		select {
		case <-gate:
			return "v", nil
		case <-ctx.Done():
			ended <- ctx.Err()
			return "", ctx.Err()
		}
	}
	get := func(ctx context.Context, o core.LoadOptions) <-chan error {
		done := make(chan error, 1)
		go func() { _, err := c.GetOrLoad(ctx, "k", load, o); done <- err }()
		return done
	}
	joined := func(n uint64) {
		t.Helper()
		waitFor(t, "others to join", func() bool { return c.Cache().Stats().Loads.Joined == n })
	}
	leaderCtx, cancelLeader := context.WithCancel(t.Context())
	leader := get(leaderCtx, core.LoadOptions{})
	<-begun
	otherCtx, cancelOther := context.WithCancel(t.Context())
	other := get(otherCtx, core.LoadOptions{})
	joined(1)
	cancelLeader()
	if err := <-leader; !errors.Is(err, context.Canceled) {
		t.Errorf("leader: %v, want context canceled", err)
	}
	cancelOther() // the last one: the loader's context ends
	if err := <-other; !errors.Is(err, context.Canceled) {
		t.Errorf("other: %v, want context canceled", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("loader: %v, want context canceled", err)
	}
	// With a Timeout it goes on for whoever comes next.
	leaderCtx, cancelLeader = context.WithCancel(t.Context())
	leader = get(leaderCtx, core.LoadOptions{Timeout: time.Minute})
	<-begun
	cancelLeader()
	<-leader
	patient := get(t.Context(), core.LoadOptions{})
	joined(2)
	close(gate)
	if err := <-patient; err != nil {
		t.Errorf("patient: %v", err)
	}
	if len(begun)+len(ended) != 0 {
		t.Error("there was another call")
	}
	short := func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }
	if _, err := c.GetOrLoad(t.Context(), "short", short, core.LoadOptions{Timeout: time.Millisecond}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a loader that takes too long: %v, want deadline exceeded", err)
	}
}

// TestLoadFails has all who wait get the one call's error, panic or end.
func TestLoadFails(t *testing.T) {
	boom := errors.New("boom")
	for name, tc := range map[string]struct {
		fail func()
		err  error
		want []error
	}{
		"error":       {func() {}, boom, []error{boom}},
		"panic":       {func() { panic("boom") }, nil, []error{core.ErrLoad}},
		"panic error": {func() { panic(boom) }, nil, []error{core.ErrLoad, boom}},
		"goexit":      {runtime.Goexit, nil, []error{core.ErrLoad}},
	} {
		t.Run(name, func(t *testing.T) {
			c := strs(t, oneTier(t))
			var calls atomic.Int64
			gate := make(chan struct{})
			load := func(context.Context, string) (string, error) {
				calls.Add(1)
				<-gate
				tc.fail()
				return "", tc.err
			}
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					_, err := c.GetOrLoad(t.Context(), "k", load, core.LoadOptions{})
					for _, want := range tc.want {
						if !errors.Is(err, want) {
							t.Errorf("%v, want %v", err, want)
						}
					}
				})
			}
			waitFor(t, "all to join", func() bool { return c.Cache().Stats().Loads.Joined == 99 })
			close(gate)
			wg.Wait()
			if n := calls.Load(); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
			if s := c.Cache().Stats().Loads; s.Failures != 1 {
				t.Errorf("%d failures, want 1", s.Failures)
			}
			if _, err := c.Get(t.Context(), "k"); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("a failure was kept: %v", err)
			}
		})
	}
}

func TestLoadPanicSays(t *testing.T) {
	c := strs(t, oneTier(t))
	_, err := c.GetOrLoad(t.Context(), "k", func(context.Context, string) (string, error) { panic("boom") }, core.LoadOptions{})
	pe, ok := errors.AsType[*core.PanicError](err)
	if !ok || pe.Value != "boom" || !bytes.Contains(pe.Stack, []byte("TestLoadPanicSays")) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("%v, want a PanicError with the value and where", err)
	}
}

// TestLoadNegative remembers that there is nothing.
func TestLoadNegative(t *testing.T) {
	for name, c := range loadingCaches(t) {
		t.Run(name, func(t *testing.T) {
			ctx, l := t.Context(), &counted{err: fmt.Errorf("no row: %w", core.ErrNotFound)}
			load := func(o core.LoadOptions) {
				t.Helper()
				if _, err := c.GetOrLoad(ctx, "k", l.load, o); !errors.Is(err, core.ErrNotFound) {
					t.Errorf("GetOrLoad: %v, want ErrNotFound", err)
				}
			}
			load(core.LoadOptions{})
			load(core.LoadOptions{NegativeTTL: time.Minute})
			load(core.LoadOptions{NegativeTTL: time.Minute})
			load(core.LoadOptions{})
			if n := l.calls.Load(); n != 2 {
				t.Errorf("%d calls, want 2: the second is remembered", n)
			}
			// To everybody else the key is not there.
			if v, err := c.Get(ctx, "k"); !errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrDecode) {
				t.Errorf("Get = %q, %v, want a plain miss", v, err)
			}
			if v, err := c.Cache().Get(ctx, "k"); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("Cache.Get = %q, %v, want ErrNotFound", v, err)
			}
			if vs, err := c.Cache().GetMany(ctx, []string{"k"}); err != nil || vs[0] != nil {
				t.Errorf("Cache.GetMany = %q, %v, want a miss", vs, err)
			}
			if _, err := c.Cache().GetAuthority(ctx, "k"); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("GetAuthority: %v, want ErrNotFound", err)
			}
			if err := c.Add(ctx, "k", "added", core.EntryOptions{}); err != nil {
				t.Errorf("Add: %v", err)
			}
			if v, err := c.GetOrLoad(ctx, "k", l.load, core.LoadOptions{}); err != nil || v != "added" {
				t.Errorf("after Add: %q, %v", v, err)
			}
		})
	}
}

// TestLoadOvertaken changes the key while its loader runs: what it then returns is handed to who waited, and not kept.
func TestLoadOvertaken(t *testing.T) {
	ctx := context.Background()
	changes := map[string]func(c *core.Typed[string]) error{
		"delete":      func(c *core.Typed[string]) error { _, err := c.Delete(ctx, "k"); return err },
		"delete many": func(c *core.Typed[string]) error { _, err := c.Cache().DeleteMany(ctx, []string{"k"}); return err },
		"clear":       func(c *core.Typed[string]) error { return c.Cache().Clear(ctx) },
		"set":         func(c *core.Typed[string]) error { return c.Set(ctx, "k", "set", core.EntryOptions{}) },
		"set many": func(c *core.Typed[string]) error {
			return c.SetMap(ctx, map[string]string{"k": "set"}, core.EntryOptions{})
		},
	}
	for name, c := range loadingCaches(t) {
		for change, do := range changes {
			for _, many := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/many=%t", name, change, many), func(t *testing.T) {
					if _, err := c.Delete(ctx, "k"); err != nil {
						t.Fatal(err)
					}
					l := &counted{gate: make(chan struct{})}
					done := make(chan string, 1)
					go func() { done <- loadOne(c, l, many) }()
					waitFor(t, "the call", func() bool { return l.calls.Load() == 1 })
					if err := do(c); err != nil {
						t.Fatal(err)
					}
					want, fresh := "set", &counted{}
					if !strings.HasPrefix(change, "set") {
						want = "k 1"
					}
					if v := loadOne(c, fresh, many); v != want {
						t.Errorf("who comes after the change gets %q, want %q", v, want)
					}
					close(l.gate)
					if v := <-done; v != "k 1" {
						t.Errorf("who waited got %q", v)
					}
					if v, err := c.Get(ctx, "k"); err != nil || v != want {
						t.Errorf("kept: %q, %v, want %q", v, err, want)
					}
					if n := fresh.calls.Load(); want == "set" && n != 0 || want != "set" && n != 1 {
						t.Errorf("%d fresh calls", n)
					}
				})
			}
		}
	}
}

// loadOne loads k alone or as one of many.
func loadOne(c *core.Typed[string], l *counted, many bool) string {
	if !many {
		v, err := c.GetOrLoad(context.Background(), "k", l.load, core.LoadOptions{})
		if err != nil {
			return err.Error()
		}
		return v
	}
	vs, err := c.GetOrLoadMany(context.Background(), []string{"k"}, l.loadMany, core.LoadOptions{})
	if err != nil {
		return err.Error()
	}
	return vs["k"]
}

func (c *counted) loadMany(ctx context.Context, missing []string) (map[string]string, error) {
	values := make(map[string]string)
	for _, key := range missing {
		var err error
		if values[key], err = c.load(ctx, key); err != nil {
			return values, err
		}
	}
	return values, nil
}

// TestLoadReadWriteOff has the options that keep a call from the cache.
func TestLoadReadWriteOff(t *testing.T) {
	ctx := t.Context()
	c, l := strs(t, oneTier(t)), &counted{}
	for i, tc := range []struct {
		o    core.LoadOptions
		want string
		kept string
	}{
		{core.LoadOptions{NoWrite: true}, "k 1", ""},
		{core.LoadOptions{}, "k 2", "k 2"},
		{core.LoadOptions{NoWrite: true}, "k 2", "k 2"},
		{core.LoadOptions{NoRead: true}, "k 3", "k 3"},
		{core.LoadOptions{NoRead: true, NoWrite: true}, "k 4", "k 3"},
	} {
		if v, err := c.GetOrLoad(ctx, "k", l.load, tc.o); err != nil || v != tc.want {
			t.Errorf("%d: %q, %v, want %q", i, v, err, tc.want)
		}
		if vs, err := c.GetOrLoadMany(ctx, []string{"many"}, loadFixed(tc.want), tc.o); err != nil || vs["many"] != tc.want {
			t.Errorf("%d: many: %q, %v, want %q", i, vs, err, tc.want)
		}
		if v, _, err := c.Lookup(ctx, "k"); err != nil || v != tc.kept {
			t.Errorf("%d: kept %q, %v, want %q", i, v, err, tc.kept)
		}
	}
}

// loadFixed loads v for every key.
func loadFixed(v string) func(context.Context, []string) (map[string]string, error) {
	return func(_ context.Context, missing []string) (map[string]string, error) {
		values := make(map[string]string)
		for _, key := range missing {
			values[key] = v
		}
		return values, nil
	}
}

// TestLoadBackground hands the value out while its write hangs, and closes after that.
func TestLoadBackground(t *testing.T) {
	far := newFar(t)
	begun, gate := make(chan struct{}, 1), make(chan struct{})
	o := core.Options{Tiers: []core.Tier{{Name: "far", Backend: blockingSet{far, begun, gate}, Remote: true}}}
	o.Tiers[0].Limits.Timeout = time.Minute
	c, err := core.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l := &counted{}
	values := newTyped[string](t, c, core.TypedOptions{})
	for range 3 { // those who come while it is written get it, too
		if v, err := values.GetOrLoad(t.Context(), "k", l.load, core.LoadOptions{Background: true}); err != nil || v != "k 1" {
			t.Errorf("GetOrLoad = %q, %v", v, err)
		}
	}
	<-begun
	closed := make(chan error)
	go func() { closed <- c.Close() }()
	select {
	case <-closed:
		t.Error("Close did not wait for the write")
	case gate <- struct{}{}:
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if far.sets.Load() != 1 || l.calls.Load() != 1 {
		t.Errorf("%d writes, %d calls, want one of each", far.sets.Load(), l.calls.Load())
	}
}

// TestLoadCacheBroken loads through a cache that can neither read nor write.
func TestLoadCacheBroken(t *testing.T) {
	far := newFar(t)
	far.broken.Store(true)
	var log bytes.Buffer
	o := core.Options{
		Tiers:  []core.Tier{{Name: "far", Backend: far, Remote: true}},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	c, l := strs(t, o), &counted{}
	for i := range 3 {
		want := fmt.Sprint("secret ", i+1)
		if v, err := c.GetOrLoad(t.Context(), "secret", l.load, core.LoadOptions{}); err != nil || v != want {
			t.Errorf("GetOrLoad = %q, %v, want %q", v, err, want)
		}
	}
	if vs, err := c.GetOrLoadMany(t.Context(), []string{"a", "b"}, l.loadMany, core.LoadOptions{}); err != nil || len(vs) != 2 {
		t.Errorf("GetOrLoadMany = %v, %v", vs, err)
	}
	if s := c.Cache().Stats().Loads; s.Troubles != 8 {
		t.Errorf("%d troubles, want 8: a read and a write, four times", s.Troubles)
	}
	if text := log.String(); !strings.Contains(text, "cache failed") || strings.Contains(text, "secret") {
		t.Errorf("the log should tell of it without keys: %s", text)
	}
}

// TestLoadUnserialisable returns a value that the cache can't keep.
func TestLoadUnserialisable(t *testing.T) {
	for _, o := range []core.TypedOptions{{}, {AutoClone: true}} {
		c := newTyped[any](t, newCache(t, oneTier(t)), o)
		ch := make(chan int)
		if v, err := c.GetOrLoad(t.Context(), "k", func(context.Context, string) (any, error) { return ch, nil }, core.LoadOptions{}); err != nil || v != ch {
			t.Errorf("GetOrLoad = %v, %v, want the channel", v, err)
		}
		if s := c.Cache().Stats().Loads; s.Troubles != 1 {
			t.Errorf("%d troubles, want 1", s.Troubles)
		}
	}
}

// TestLoadSharing changes what those who waited for one load got.
func TestLoadSharing(t *testing.T) {
	for name, tc := range map[string]struct {
		o      core.TypedOptions
		shared bool
	}{
		"shared": {core.TypedOptions{}, true}, "AutoClone": {core.TypedOptions{AutoClone: true}, false},
	} {
		t.Run(name+"/by decoding", func(t *testing.T) { loadShared[map[string]int](t, tc.o, tc.shared, map[string]int{}) })
		t.Run(name+"/by Clone", func(t *testing.T) { loadShared[user](t, tc.o, tc.shared, user{Tags: map[string]int{}}) })
	}
}

func loadShared[T any](t *testing.T, o core.TypedOptions, shared bool, value T) {
	t.Helper()
	c := newTyped[T](t, newCache(t, oneTier(t)), o)
	gate, results := make(chan struct{}), make(chan T, 2)
	for range 2 {
		go func() {
			v, err := c.GetOrLoad(context.Background(), "k", func(context.Context, string) (T, error) { <-gate; return value, nil }, core.LoadOptions{})
			if err != nil {
				t.Error(err)
			}
			results <- v
		}()
	}
	waitFor(t, "the other to join", func() bool { return c.Cache().Stats().Loads.Joined == 1 })
	close(gate)
	tags := func(v any) map[string]int {
		if u, ok := v.(user); ok {
			return u.Tags
		}
		return v.(map[string]int)
	}
	a, b := tags(<-results), tags(<-results)
	a["x"] = 1
	if (b["x"] == 1) != shared {
		t.Errorf("shared: %t, want %t", !shared, shared)
	}
}

// TestLoadNil keeps a nil that was loaded.
func TestLoadNil(t *testing.T) {
	var calls int
	users, anys := newTyped[*user](t, newCache(t, oneTier(t)), core.TypedOptions{}), newTyped[any](t, newCache(t, oneTier(t)), core.TypedOptions{})
	for range 2 {
		if v, err := users.GetOrLoad(t.Context(), "k", func(context.Context, string) (*user, error) { calls++; return nil, nil }, core.LoadOptions{}); err != nil || v != nil {
			t.Errorf("GetOrLoad = %v, %v", v, err)
		}
		if v, err := anys.GetOrLoad(t.Context(), "k", func(context.Context, string) (any, error) { calls++; return nil, nil }, core.LoadOptions{}); err != nil || v != nil {
			t.Errorf("GetOrLoad = %v, %v", v, err)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls, want one for each", calls)
	}
}

// TestLoadBytes is GetOrLoad of the cache itself.
func TestLoadBytes(t *testing.T) {
	ctx := t.Context()
	c := newCache(t, oneTier(t))
	load := func(_ context.Context, key string) ([]byte, error) { return []byte("of " + key), nil }
	for range 2 {
		if v, err := c.GetOrLoad(ctx, "k", load, core.LoadOptions{}); err != nil || string(v) != "of k" {
			t.Errorf("GetOrLoad = %q, %v", v, err)
		}
	}
	many := func(_ context.Context, missing []string) (map[string][]byte, error) {
		return map[string][]byte{"l": []byte(strings.Join(missing, ","))}, nil
	}
	want := map[string][]byte{"k": []byte("of k"), "l": []byte("l,m")}
	if vs, err := c.GetOrLoadMany(ctx, []string{"k", "l", "m"}, many, core.LoadOptions{}); err != nil || !reflect.DeepEqual(vs, want) {
		t.Errorf("GetOrLoadMany = %q, %v, want %q", vs, err, want)
	}
}

// TestLoadMany gives the loader what is missing, each key once.
func TestLoadMany(t *testing.T) {
	for name, c := range loadingCaches(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if err := c.Set(ctx, "there", "set", core.EntryOptions{}); err != nil {
				t.Fatal(err)
			}
			var asked [][]string
			load := func(ctx context.Context, missing []string) (map[string]string, error) {
				asked = append(asked, missing)
				return map[string]string{"a": "A", "more": "M"}, ctx.Err()
			}
			get := func(want map[string]string, keys ...string) {
				t.Helper()
				if vs, err := c.GetOrLoadMany(ctx, keys, load, core.LoadOptions{NegativeTTL: time.Minute}); err != nil || !reflect.DeepEqual(vs, want) {
					t.Errorf("GetOrLoadMany(%q) = %q, %v, want %q", keys, vs, err, want)
				}
			}
			get(map[string]string{"there": "set", "a": "A", "more": "M"}, "a", "there", "b", "a")
			get(map[string]string{"a": "A", "more": "M"}, "a", "b", "more") // b is known not to be
			get(map[string]string{})
			if want := [][]string{{"a", "b"}}; !reflect.DeepEqual(asked, want) {
				t.Errorf("the loader was asked for %q, want %q", asked, want)
			}
		})
	}
}

// TestLoadManyAndOne has batches and single loads of the same keys at once: each key is loaded once.
func TestLoadManyAndOne(t *testing.T) {
	for name, c := range loadingCaches(t) {
		t.Run(name, func(t *testing.T) {
			for round := range 10 {
				keys := make([]string, 7)
				var calls [7]atomic.Int64
				index := make(map[string]int)
				for i := range keys {
					keys[i] = fmt.Sprintf("%d/%d", round, i)
					index[keys[i]] = i
				}
				one := func(ctx context.Context, key string) (string, error) { calls[index[key]].Add(1); return key, ctx.Err() }
				many := func(ctx context.Context, missing []string) (map[string]string, error) {
					values := make(map[string]string)
					for _, key := range missing {
						values[key], _ = one(ctx, key)
					}
					return values, ctx.Err()
				}
				var wg sync.WaitGroup
				for i := range 40 {
					wg.Go(func() {
						if i%2 == 0 {
							if v, err := c.GetOrLoad(t.Context(), keys[i%7], one, core.LoadOptions{}); err != nil || v != keys[i%7] {
								t.Errorf("GetOrLoad = %q, %v", v, err)
							}
							return
						}
						part := keys[i%5 : i%5+3]
						vs, err := c.GetOrLoadMany(t.Context(), part, many, core.LoadOptions{})
						if err != nil || len(vs) != 3 || vs[part[0]] != part[0] {
							t.Errorf("GetOrLoadMany(%q) = %q, %v", part, vs, err)
						}
					})
				}
				wg.Wait()
				for i := range calls {
					if n := calls[i].Load(); n != 1 {
						t.Errorf("key %d was loaded %d times, want once", i, n)
					}
				}
			}
		})
	}
}

// TestLoadManyFails returns what was found with the error.
func TestLoadManyFails(t *testing.T) {
	c := strs(t, oneTier(t))
	if err := c.Set(t.Context(), "there", "set", core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	vs, err := c.GetOrLoadMany(t.Context(), []string{"there", "a", "b"}, (&counted{err: boom}).loadMany, core.LoadOptions{})
	if !errors.Is(err, boom) || !reflect.DeepEqual(vs, map[string]string{"there": "set"}) {
		t.Errorf("GetOrLoadMany = %q, %v", vs, err)
	}
	panics := func(context.Context, []string) (map[string]string, error) { panic("boom") }
	if _, err := c.GetOrLoadMany(t.Context(), []string{"a"}, panics, core.LoadOptions{}); !errors.Is(err, core.ErrLoad) {
		t.Errorf("a panic: %v, want ErrLoad", err)
	}
}

// TestLoadLease has two processes, which share a store, after one cold key.
func TestLoadLease(t *testing.T) {
	far := newFar(t)
	process := func() *core.Typed[string] { return strs(t, twoTiers(t, keptOpen{far})) }
	t.Cleanup(func() { _ = far.Close() })
	l, processes := &counted{gate: make(chan struct{})}, []*core.Typed[string]{process(), process(), process()}
	var wg sync.WaitGroup
	for _, p := range processes {
		for range 10 {
			wg.Go(func() {
				if v, err := p.GetOrLoad(t.Context(), "k", l.load, core.LoadOptions{Lease: time.Minute}); err != nil || v != "k 1" {
					t.Errorf("GetOrLoad = %q, %v", v, err)
				}
			})
		}
	}
	waitFor(t, "one to load", func() bool { return l.calls.Load() == 1 })
	close(l.gate)
	wg.Wait()
	if n := l.calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	// The lease was given back, and one that nobody gives back lasts as long as it says.
	if v, err := processes[0].GetOrLoad(t.Context(), "k", l.load, core.LoadOptions{Lease: time.Minute, NoRead: true}); err != nil || v != "k 2" {
		t.Errorf("NoRead: %q, %v", v, err)
	}
	stuck := &counted{gate: make(chan struct{})}
	go func() {
		_, _ = processes[0].GetOrLoad(context.Background(), "stuck", stuck.load, core.LoadOptions{Lease: 50 * time.Millisecond})
	}()
	waitFor(t, "the stuck one", func() bool { return stuck.calls.Load() == 1 })
	if v, err := processes[1].GetOrLoad(t.Context(), "stuck", l.load, core.LoadOptions{Lease: 50 * time.Millisecond}); err != nil || v != "stuck 3" {
		t.Errorf("after the lease: %q, %v", v, err)
	}
	close(stuck.gate)
}

// keptOpen is a store that outlives its caches.
type keptOpen struct{ *farStore }

func (keptOpen) Close() error { return nil }
