package core_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// square is a function with a name of its own.
func square(_ context.Context, n int) (int, error) { return n * n, nil }

func newMemo[A, T any](
	tb testing.TB, c *core.Cache, fn func(context.Context, A) (T, error), o core.MemoOptions[A, T],
) *core.Memo[A, T] {
	tb.Helper()
	m, err := core.Memoize(newTyped[T](tb, c, core.TypedOptions{}), fn, o)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func newMemoMany[A comparable, T any](
	tb testing.TB, c *core.Cache, fn func(context.Context, []A) (map[A]T, error), o core.MemoOptions[A, T],
) *core.MemoMany[A, T] {
	tb.Helper()
	m, err := core.MemoizeMany(newTyped[T](tb, c, core.TypedOptions{}), fn, o)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestMemoize(t *testing.T) {
	ctx := t.Context()
	cache := newCache(t, oneTier(t))
	var calls int
	m := newMemo(t, cache, func(_ context.Context, n int) (string, error) { calls++; return fmt.Sprint(n, " ", calls), nil },
		core.MemoOptions[int, string]{Name: "numbers", Load: core.LoadOptions{EntryOptions: core.EntryOptions{TTL: time.Minute}}})
	is := func(got string, err error, want string) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	call := func(o core.CallOptions, want string) {
		t.Helper()
		v, err := m.Call(ctx, 7, o)
		is(v, err, want)
	}
	call(core.CallOptions{}, "7 1")
	call(core.CallOptions{}, "7 1")
	call(core.CallOptions{NoRead: true, NoWrite: true}, "7 2")
	call(core.CallOptions{}, "7 1")
	call(core.CallOptions{NoRead: true}, "7 3")
	call(core.CallOptions{}, "7 3")
	v, err := m.Uncached(ctx, 7)
	is(v, err, "7 4")
	key, err := m.Key(7)
	is(key, err, "numbers:7;")
	b, err := cache.Get(ctx, key)
	is(string(b), err, "7 3")
	if ttl, err := cache.TTL(ctx, key); err != nil || ttl > time.Minute || ttl < 59*time.Second {
		t.Errorf("TTL = %v, %v", ttl, err)
	}
	for _, want := range []bool{true, false} {
		if found, err := m.Invalidate(ctx, 7); found != want || err != nil {
			t.Errorf("Invalidate = %t, %v, want %t", found, err, want)
		}
	}
	call(core.CallOptions{Background: true}, "7 5")
	call(core.CallOptions{}, "7 5")
}

// TestMemoizeOnce sends a hundred goroutines after one cold result.
func TestMemoizeOnce(t *testing.T) {
	var calls atomic.Int64
	m := newMemo(t, newCache(t, oneTier(t)), func(_ context.Context, s string) (string, error) { calls.Add(1); return s, nil },
		core.MemoOptions[string, string]{Name: "once"})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if v, err := m.Get(t.Context(), "a"); err != nil || v != "a" {
				t.Errorf("Get = %q, %v", v, err)
			}
		})
	}
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// TestMemoizeLease has processes that share a store call a function once between them.
func TestMemoizeLease(t *testing.T) {
	far := newFar(t)
	t.Cleanup(func() { _ = far.Close() })
	var calls atomic.Int64
	fn := func(context.Context, int) (int64, error) { return calls.Add(1), nil }
	var wg sync.WaitGroup
	for range 3 {
		m := newMemo(t, newCache(t, twoTiers(t, keptOpen{far})), fn,
			core.MemoOptions[int, int64]{Name: "leased", Load: core.LoadOptions{Lease: 2 * time.Second}})
		for range 10 {
			wg.Go(func() {
				if v, err := m.Get(t.Context(), 1); err != nil || v != 1 {
					t.Errorf("Get = %d, %v", v, err)
				}
			})
		}
	}
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// TestMemoizeNil keeps nil, zero and, if asked, absent results, and no errors.
func TestMemoizeNil(t *testing.T) {
	ctx := t.Context()
	cache := newCache(t, oneTier(t))
	boom := errors.New("boom")
	for name, tc := range map[string]struct {
		v    *user
		err  error
		neg  time.Duration
		want int
	}{
		"nil":                {nil, nil, 0, 1},
		"zero":               {&user{}, nil, 0, 1},
		"error":              {nil, boom, time.Minute, 3},
		"absent":             {nil, core.ErrNotFound, 0, 3},
		"absent, remembered": {nil, core.ErrNotFound, time.Minute, 1},
	} {
		var calls int
		m := newMemo(t, cache, func(context.Context, int) (*user, error) { calls++; return tc.v, tc.err },
			core.MemoOptions[int, *user]{Name: name, Load: core.LoadOptions{NegativeTTL: tc.neg}})
		for range 3 {
			if v, err := m.Get(ctx, 1); !reflect.DeepEqual(v, tc.v) || !errors.Is(err, tc.err) {
				t.Errorf("%s: Get = %v, %v", name, v, err)
			}
		}
		if calls != tc.want {
			t.Errorf("%s: %d calls, want %d", name, calls, tc.want)
		}
	}
}

func TestMemoizeSkip(t *testing.T) {
	ctx := t.Context()
	var calls int
	m := newMemo(t, newCache(t, oneTier(t)), func(_ context.Context, n int) (int, error) { calls++; return n, nil },
		core.MemoOptions[int, int]{Name: "skip", Skip: func(arg, result int) bool { return arg == result && result > 1 }})
	for range 2 {
		for n := range 3 {
			if v, err := m.Get(ctx, n); err != nil || v != n {
				t.Errorf("Get(%d) = %d, %v", n, v, err)
			}
		}
	}
	if calls != 4 {
		t.Errorf("%d calls, want 4: 2 is never kept", calls)
	}
}

// TestMemoizeBroken calls functions whose cache is broken, or whose arguments have no key.
func TestMemoizeBroken(t *testing.T) {
	ctx := t.Context()
	far := newFar(t)
	far.broken.Store(true)
	cache := newCache(t, core.Options{Tiers: []core.Tier{{Name: "far", Backend: far, Remote: true}}})
	m := newMemo(t, cache, square, core.MemoOptions[int, int]{})
	many := newMemoMany(t, cache, squares, core.MemoOptions[int, int]{})
	for range 2 {
		if v, err := m.Get(ctx, 3); err != nil || v != 9 {
			t.Errorf("Get = %d, %v", v, err)
		}
		if vs, err := many.Get(ctx, []int{3}); err != nil || vs[3] != 9 {
			t.Errorf("Get = %v, %v", vs, err)
		}
	}
	odd := newMemo(t, cache, func(context.Context, any) (int, error) { return 1, nil }, core.MemoOptions[any, int]{Name: "odd"})
	if v, err := odd.Get(ctx, make(chan int)); err != nil || v != 1 {
		t.Errorf("a channel as an argument: %d, %v", v, err)
	}
	if _, err := odd.Invalidate(ctx, make(chan int)); err == nil {
		t.Error("Invalidate of arguments without a key: no error")
	}
	if n := cache.Stats().Loads.Troubles; n < 5 {
		t.Errorf("%d troubles, want those", n)
	}
}

func squares(_ context.Context, ns []int) (map[int]int, error) {
	results := make(map[int]int)
	for _, n := range ns {
		results[n] = n * n
	}
	return results, nil
}

// TestMemoizeMany gives the function what is missing.
func TestMemoizeMany(t *testing.T) {
	ctx := t.Context()
	var asked [][]int
	m := newMemoMany(t, newCache(t, oneTier(t)), func(ctx context.Context, ns []int) (map[int]int, error) {
		asked = append(asked, ns)
		results, err := squares(ctx, ns)
		results[10] = 100 // nobody asked for it
		delete(results, 5)
		return results, err
	}, core.MemoOptions[int, int]{Name: "many", Skip: func(n, _ int) bool { return n == 3 }})
	get := func(want map[int]int, args ...int) {
		t.Helper()
		if got, err := m.Get(ctx, args); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Get(%v) = %v, %v, want %v", args, got, err, want)
		}
	}
	get(map[int]int{})
	get(map[int]int{1: 1, 2: 4, 10: 100}, 1, 2, 1)
	get(map[int]int{1: 1, 10: 100}, 1, 10)
	get(map[int]int{2: 4, 3: 9, 10: 100}, 2, 3, 5)
	get(map[int]int{3: 9, 10: 100}, 3)
	if _, err := m.Invalidate(ctx, 1); err != nil {
		t.Error(err)
	}
	get(map[int]int{1: 1, 10: 100}, 1)
	if got, err := m.Call(ctx, []int{1}, core.CallOptions{NoRead: true, NoWrite: true}); err != nil || got[1] != 1 {
		t.Errorf("Call = %v, %v", got, err)
	}
	if got, err := m.Uncached(ctx, []int{4}); err != nil || got[4] != 16 {
		t.Errorf("Uncached = %v, %v", got, err)
	}
	if want := [][]int{{1, 2}, {3, 5}, {3}, {1}, {1}, {4}}; !reflect.DeepEqual(asked, want) {
		t.Errorf("the function was asked for %v, want %v", asked, want)
	}
}

type point struct {
	X, Y any
	note string
}

// TestMemoKeys has arguments that are equal, and others that are not.
func TestMemoKeys(t *testing.T) {
	cache := newCache(t, oneTier(t))
	now := time.Now()
	seven, other7, nine := 7, 7, 9
	for name, tc := range map[string]struct {
		a, b  any
		same  bool // of untyped keys
		typed bool // of typed ones
	}{
		"equal":                 {point{1, "a", "n"}, point{1, "a", "n"}, true, true},
		"other field":           {point{1, "a", "n"}, point{1, "b", "n"}, false, false},
		"other unexported":      {point{1, "a", "n"}, point{1, "a", "m"}, false, false},
		"1 and 1.0":             {1, 1.0, true, false},
		"1 and 1.5":             {1, 1.5, false, false},
		"1 and true":            {1, true, false, false},
		"1 and a text":          {1, "1", false, false},
		"int and uint8":         {7, uint8(7), true, false},
		"0 and nil":             {0, nil, false, false},
		"an empty text and nil": {"", nil, false, false},
		"maps in any order":     {map[string]int{"a": 1, "b": 2}, map[string]int{"b": 2, "a": 1}, true, true},
		"other maps":            {map[string]int{"a": 1, "b": 2}, map[string]int{"a": 2, "b": 1}, false, false},
		"pointers to equals":    {&seven, &other7, true, true},
		"pointers to others":    {&seven, &nine, false, false},
		"split differently":     {[]string{"ab", "c"}, []string{"a", "bc"}, false, false},
		"looks like two":        {[]string{"a", "b"}, []string{"a1:b"}, false, false},
		"nested":                {[]any{[]any{1}, 2}, []any{[]any{1, 2}}, false, false},
		"long and equal":        {strings.Repeat("a", 100), strings.Repeat("a", 100), true, true},
		"long and other":        {strings.Repeat("a", 100), strings.Repeat("a", 101), false, false},
		"times":                 {now, now.Round(0), true, true},
		"other times":           {now, now.Add(1), false, false},
		"complex":               {complex(1, 2), complex(2, 1), false, false},
		"whole floats":          {1e18, int64(1e18), true, false},
		"great floats":          {1e300, 1e301, false, false},
	} {
		for _, typed := range []bool{false, true} {
			m := newMemo(t, cache, func(context.Context, any) (int, error) { return 0, nil },
				core.MemoOptions[any, int]{Name: "f", TypedKeys: typed})
			a, errA := m.Key(tc.a)
			b, errB := m.Key(tc.b)
			want := tc.same
			if typed {
				want = tc.typed
			}
			if errA != nil || errB != nil || (a == b) != want {
				t.Errorf("%s, typed=%t: %q and %q, %v, %v: equal: want %t", name, typed, a, b, errA, errB, want)
			}
			if len(a) > 120 {
				t.Errorf("%s: a key of %d bytes", name, len(a))
			}
		}
	}
}

// TestMemoKeyTypes tells functions of the same name apart by their arguments' types, if asked to.
func TestMemoKeyTypes(t *testing.T) {
	cache := newCache(t, oneTier(t))
	for typed, same := range map[bool]bool{false: true, true: false} {
		ints := newMemo(t, cache, square, core.MemoOptions[int, int]{Name: "f", TypedKeys: typed})
		floats := newMemo(t, cache, func(context.Context, float64) (int, error) { return 0, nil },
			core.MemoOptions[float64, int]{Name: "f", TypedKeys: typed})
		a, _ := ints.Key(1)
		b, err := floats.Key(1.0)
		if err != nil || (a == b) != same {
			t.Errorf("typed=%t: %q and %q, %v", typed, a, b, err)
		}
	}
}

func TestMemoKeyOwn(t *testing.T) {
	cache := newCache(t, oneTier(t))
	m := newMemo(t, cache, func(context.Context, chan int) (int, error) { return 1, nil },
		core.MemoOptions[chan int, int]{Name: "f", Key: func(chan int) string { return "a channel" }})
	if key, err := m.Key(nil); err != nil || key != "f:a channel" {
		t.Errorf("Key = %q, %v", key, err)
	}
	named := newMemo(t, cache.Namespace("site"), square, core.MemoOptions[int, int]{})
	if key, err := named.Key(2); err != nil || !strings.HasSuffix(key, "core_test.square:2;") {
		t.Errorf("Key = %q, %v, want the function's name", key, err)
	}
}

func generic[T any](_ context.Context, v T) (T, error) { return v, nil }

type service struct{ base int }

func (s service) add(_ context.Context, n int) (int, error) { return s.base + n, nil }

func TestMemoizeRefuses(t *testing.T) {
	ints := newTyped[int](t, newCache(t, oneTier(t)), core.TypedOptions{})
	for name, fn := range map[string]func(context.Context, int) (int, error){
		"literal": func(context.Context, int) (int, error) { return 0, nil }, "bound method": service{1}.add, "generic": generic[int],
	} {
		if _, err := core.Memoize(ints, fn, core.MemoOptions[int, int]{}); err == nil || !strings.Contains(err.Error(), "give a Name") {
			t.Errorf("%s without a name: %v", name, err)
		}
	}
	if _, err := core.Memoize(nil, square, core.MemoOptions[int, int]{}); err == nil {
		t.Error("no Typed: no error")
	}
	type private struct{ _ time.Time }
	for name, err := range map[string]error{
		"channel":    refusal[chan int](ints),
		"function":   refusal[[]func()](ints),
		"map of one": refusal[map[string]chan int](ints),
		"hidden":     refusal[private](ints),
	} {
		if err == nil || !strings.Contains(err.Error(), "give a Key") {
			t.Errorf("%s as an argument: %v", name, err)
		}
	}
}

func refusal[A any](ints *core.Typed[int]) error {
	_, err := core.Memoize(ints, func(context.Context, A) (int, error) { return 0, nil }, core.MemoOptions[A, int]{Name: "f"})
	return err
}

// TestMemoKeyDeep has arguments that go on for ever.
func TestMemoKeyDeep(t *testing.T) {
	type ring struct{ Next *ring }
	m := newMemo(t, newCache(t, oneTier(t)), func(context.Context, *ring) (int, error) { return 1, nil },
		core.MemoOptions[*ring, int]{Name: "f"})
	r := &ring{}
	if _, err := m.Key(&ring{Next: r}); err != nil {
		t.Error(err)
	}
	r.Next = r
	if _, err := m.Key(r); err == nil {
		t.Error("a ring has a key")
	}
	if v, err := m.Get(t.Context(), r); err != nil || v != 1 {
		t.Errorf("Get = %d, %v", v, err)
	}
}

// TestMemoKeyPlain holds the keys of plain arguments to what reflection makes of them.
func TestMemoKeyPlain(t *testing.T) {
	type text string
	type number int64
	cache := newCache(t, oneTier(t))
	strs := newMemo(t, cache, func(context.Context, string) (int, error) { return 0, nil }, core.MemoOptions[string, int]{Name: "f"})
	texts := newMemo(t, cache, func(context.Context, text) (int, error) { return 0, nil }, core.MemoOptions[text, int]{Name: "f"})
	for n := range 80 {
		s := strings.Repeat("x", n)
		a, _ := strs.Key(s)
		if b, err := texts.Key(text(s)); err != nil || a != b {
			t.Errorf("%d bytes: %q and %q, %v", n, a, b, err)
		}
	}
	ints := newMemo(t, cache, square, core.MemoOptions[int, int]{Name: "f"})
	numbers := newMemo(t, cache, func(context.Context, number) (int, error) { return 0, nil }, core.MemoOptions[number, int]{Name: "f"})
	for _, n := range []int{0, -1, 1 << 40} {
		a, _ := ints.Key(n)
		if b, err := numbers.Key(number(n)); err != nil || a != b {
			t.Errorf("%d: %q and %q, %v", n, a, b, err)
		}
	}
}
