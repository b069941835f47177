package backendtest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

func testUpdate(s *suite) {
	u, ctx := ability[core.Updater](s), s.Context()
	var seen []string
	update := func(next func(old *core.Entry) (*core.Entry, error)) (*core.Entry, error) {
		return u.Update(ctx, "k", func(old *core.Entry) (*core.Entry, error) {
			if old == nil {
				seen = append(seen, "absent")
			} else {
				seen = append(seen, string(old.Value))
			}
			return next(old)
		})
	}
	put := func(e *core.Entry) func(*core.Entry) (*core.Entry, error) {
		return func(*core.Entry) (*core.Entry, error) { return e, nil }
	}
	same := func(old *core.Entry) (*core.Entry, error) { return old, nil }

	if e, err := update(same); e != nil || err != nil {
		s.Errorf("Update that leaves an absent key = %v, %v; want nil, nil", e, err)
	}
	s.wantMiss("k")
	first := &core.Entry{Value: []byte("one"), Flags: 7, Version: 9, Expires: in(time.Hour)}
	if e, err := update(put(first)); err != nil {
		s.Errorf("Update that creates = %v", err)
	} else {
		s.wantEntry("k", e, first)
	}
	s.wantEntry("k", s.get("k"), first)
	if e, err := update(same); err != nil {
		s.Errorf("Update that leaves the entry = %v", err)
	} else {
		s.wantEntry("k", e, first)
	}
	s.wantEntry("k", s.get("k"), first)
	refuse := errors.New("refused")
	if _, err := update(func(*core.Entry) (*core.Entry, error) { return value("bad"), refuse }); err != refuse { //nolint:errorlint // the contract
		s.Errorf("Update whose fn fails = %v, want fn's error itself", err)
	}
	s.wantEntry("k", s.get("k"), first)
	if _, err := update(put(value("two"))); err != nil {
		s.Errorf("Update that replaces = %v", err)
	}
	s.wantValue("k", "two", false)
	if e, err := update(put(nil)); e != nil || err != nil {
		s.Errorf("Update that deletes = %v, %v; want nil, nil", e, err)
	}
	s.wantMiss("k")
	if e, err := update(put(nil)); e != nil || err != nil {
		s.Errorf("Update that deletes an absent key = %v, %v; want nil, nil", e, err)
	}
	if got, want := fmt.Sprint(seen), "[absent absent one one one two absent]"; got != want {
		s.Errorf("fn saw %s, want %s", got, want)
	}
}

func testUpdateExpiry(s *suite) {
	u, ctx := ability[core.Updater](s), s.Context()
	expires := in(time.Hour)
	s.set("k", &core.Entry{Value: []byte("v"), Expires: expires})
	_, err := u.Update(ctx, "k", func(old *core.Entry) (*core.Entry, error) {
		s.wantExpires("k", old, expires)
		return &core.Entry{Value: []byte("w"), Expires: old.Expires}, nil
	})
	if err != nil {
		s.Fatal(err)
	}
	s.wantExpires("k", s.get("k"), expires)

	if e, err := u.Update(ctx, "k", func(*core.Entry) (*core.Entry, error) {
		return &core.Entry{Value: []byte("x"), Expires: 1}, nil
	}); e != nil || err != nil {
		s.Errorf("Update to an expired entry = %v, %v; want nil, nil", e, err)
	}
	s.wantMiss("k")

	s.set("short", &core.Entry{Value: []byte("v"), Expires: in(s.short())})
	s.wantGone("short", s.short())
	if _, err := u.Update(ctx, "short", func(old *core.Entry) (*core.Entry, error) {
		if old != nil {
			s.Error("fn saw an expired entry")
		}
		return nil, nil
	}); err != nil {
		s.Error(err)
	}
}

func testUpdateAtomic(s *suite) {
	const goroutines, rounds = 8, 40
	u := ability[core.Updater](s)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for done := 0; done < rounds; {
				_, err := u.Update(s.Context(), "k", func(old *core.Entry) (*core.Entry, error) {
					n := 0
					if old != nil {
						n, _ = strconv.Atoi(string(old.Value[2:]))
					}
					return value(fmt.Sprint("n=", n+1)), nil
				})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, core.ErrConflict):
					s.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.wantValue("k", fmt.Sprint("n=", goroutines*rounds), false)
}

func testIncrement(s *suite) {
	c, ctx := ability[core.Counter](s), s.Context()
	for _, step := range []struct{ delta, want int64 }{
		{5, 5},
		{1, 6},
		{0, 6},
		{-4, 2},
		{-5, -3},
		{-7, -10},
		{4, -6},
		{16, 10},
		{-1, 9},
		{90, 99},
		{1, 100},
		{-1, 99},
		{-90, 9},
		{1<<62 - 9, 1 << 62},
		{-1 << 62, 0},
		{math.MinInt64, math.MinInt64},
		{math.MaxInt64, -1},
	} {
		if n, err := c.Increment(ctx, "n", step.delta, 0); n != step.want || err != nil {
			s.Fatalf("Increment by %d = %d, %v; want %d", step.delta, n, err, step.want)
		}
		s.wantValue("n", strconv.FormatInt(step.want, 10), false)
	}
	for _, start := range []string{"10", "0", "-5", "9", "9223372036854775806", "-9223372036854775808"} {
		s.set("n", value(start))
		from, _ := strconv.ParseInt(start, 10, 64)
		if n, err := c.Increment(ctx, "n", 1, 0); n != from+1 || err != nil {
			s.Errorf("Increment of %s = %d, %v", start, n, err)
		}
	}
	s.set("flags", &core.Entry{Value: []byte("7"), Flags: 3, Version: 4})
	if n, err := c.Increment(ctx, "flags", 1, 0); n != 8 || err != nil {
		s.Errorf("Increment of an entry with flags = %d, %v; want 8", n, err)
	}
	s.wantValue("flags", "8", false)
	if n, err := c.Increment(ctx, "absent", 0, 0); n != 0 || err != nil {
		s.Errorf("Increment of an absent key by 0 = %d, %v", n, err)
	}
	s.wantValue("absent", "0", false)
}

func testIncrementErrors(s *suite) {
	c, ctx := ability[core.Counter](s), s.Context()
	values := []string{"", "a", "1.5", "1a", "--1", "-", "+", "0x10", "9223372036854775808", "99999999999999999999999", "\x00", "\xec"}
	if !s.LooseNumbers {
		values = append(values, " 1", "1 2", "1 ", "-9223372036854775809", "18446744073709551615")
	}
	for _, v := range values {
		s.set("k", value(v))
		_, err := c.Increment(ctx, "k", 1, 0)
		s.wantError(err, core.ErrNotInteger, "Increment of %q", v)
		s.wantValue("k", v, false)
	}
	for _, o := range []struct {
		from  string
		delta int64
	}{
		{"9223372036854775807", 1},
		{"9223372036854775800", 8},
		{"1", math.MaxInt64},
		{"-9223372036854775808", -1},
		{"-2", math.MaxInt64 * -1},
		{"-1", math.MinInt64},
	} {
		s.set("k", value(o.from))
		_, err := c.Increment(ctx, "k", o.delta, 0)
		s.wantError(err, core.ErrOverflow, "Increment of %s by %d", o.from, o.delta)
		s.wantValue("k", o.from, false)
	}
}

func testIncrementExpiry(s *suite) {
	s = s.numbers()
	c, ctx := ability[core.Counter](s), s.Context()
	expires, other := in(time.Hour), in(10*time.Hour)
	add := func(key string, delta, expires int64) {
		s.Helper()
		if _, err := c.Increment(ctx, key, delta, expires); err != nil {
			s.Fatalf("Increment(%q) = %v", key, err)
		}
	}
	s.set("k", &core.Entry{Value: []byte("1"), Expires: expires})
	add("k", 1, 0)
	add("k", 1, other)
	s.wantExpires("k", s.get("k"), expires)
	add("k", -10, other)
	add("k", -1, 0)
	s.wantExpires("k", s.get("k"), expires)

	add("new", 1, expires)
	s.wantExpires("new", s.get("new"), expires)
	add("below", -1, expires)
	s.wantExpires("below", s.get("below"), expires)
	s.set("never", value("1"))
	add("never", 1, expires)
	s.wantExpires("never", s.get("never"), 0)

	d := s.short()
	add("short", 41, in(d))
	s.wantGone("short", d)
	if n, err := c.Increment(ctx, "short", 1, 0); n != 1 || err != nil {
		s.Errorf("Increment of an expired number = %d, %v; want 1", n, err)
	}
	s.wantExpires("short", s.get("short"), 0)
}

func testIncrementAtomic(s *suite) {
	const goroutines, rounds = 8, 60
	c := ability[core.Counter](s)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for done := 0; done < rounds; {
				_, err := c.Increment(s.Context(), "n", int64(g+1), 0)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, core.ErrConflict):
					s.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.wantValue("n", strconv.Itoa(rounds*goroutines*(goroutines+1)/2), false)
}

func testSetIf(s *suite) {
	c, ctx := ability[core.ConditionalSetter](s), s.Context()
	s.wantError(c.SetIf(ctx, "k", value("v"), core.IfPresent), core.ErrNotFound, "SetIf present on an absent key")
	s.wantMiss("k")
	first := &core.Entry{Value: []byte("one"), Flags: 5, Version: 6, Expires: in(time.Hour)}
	if err := c.SetIf(ctx, "k", first, core.IfAbsent); err != nil {
		s.Errorf("SetIf absent on an absent key = %v", err)
	}
	s.wantEntry("k", s.get("k"), first)
	s.wantError(c.SetIf(ctx, "k", value("two"), core.IfAbsent), core.ErrExists, "SetIf absent on a key")
	s.wantEntry("k", s.get("k"), first)
	if err := c.SetIf(ctx, "k", value("three"), core.IfPresent); err != nil {
		s.Errorf("SetIf present on a key = %v", err)
	}
	s.wantValue("k", "three", false)

	if err := c.SetIf(ctx, "k", &core.Entry{Expires: 1}, core.IfPresent); err != nil {
		s.Errorf("SetIf to an expired entry = %v", err)
	}
	s.wantMiss("k")

	d := s.short()
	s.set("short", &core.Entry{Value: []byte("v"), Expires: in(d)})
	s.wantGone("short", d)
	s.wantError(c.SetIf(ctx, "short", value("v"), core.IfPresent), core.ErrNotFound, "SetIf present on an expired key")
	if err := c.SetIf(ctx, "short", value("v"), core.IfAbsent); err != nil {
		s.Errorf("SetIf absent on an expired key = %v", err)
	}
	s.wantValue("short", "v", false)
}

func testSetIfRace(s *suite) {
	c := ability[core.ConditionalSetter](s)
	for round := range 10 {
		key := fmt.Sprint("k", round)
		var winner atomic.Int64
		var wins atomic.Int32
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				switch err := c.SetIf(s.Context(), key, value(fmt.Sprint(g)), core.IfAbsent); {
				case err == nil:
					wins.Add(1)
					winner.Store(int64(g))
				case !errors.Is(err, core.ErrExists):
					s.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			s.Errorf("%d callers won SetIf, want one", wins.Load())
		}
		s.wantValue(key, fmt.Sprint(winner.Load()), false)
	}
}

func testExpire(s *suite) {
	x, ctx := ability[core.Expirer](s), s.Context()
	expire := func(key string, expires int64, want bool) {
		s.Helper()
		if found, err := x.Expire(ctx, key, expires); found != want || err != nil {
			s.Errorf("Expire(%q) = %v, %v; want %v", key, found, err, want)
		}
	}
	expire("absent", in(time.Hour), false)
	expire("absent", 0, false)
	s.wantMiss("absent")

	first := &core.Entry{Value: []byte("v"), Flags: 1, Codec: 2, Version: 3}
	s.set("k", first)
	for _, d := range []time.Duration{time.Hour, 10 * time.Hour, time.Minute, 45 * 24 * time.Hour} {
		expires := in(d)
		expire("k", expires, true)
		s.wantEntry("k", s.get("k"), first.Until(expires))
	}
	expire("k", 0, true)
	s.wantEntry("k", s.get("k"), first)
	expire("k", 0, true)
	expire("k", time.Now().Add(-time.Second).UnixNano(), true)
	s.wantMiss("k")
	expire("k", in(time.Hour), false)

	d := s.short()
	s.set("k", value("v"))
	s.set("persisted", &core.Entry{Value: []byte("v"), Expires: in(d)})
	expire("persisted", 0, true)
	expire("k", in(d), true)
	s.wantGone("k", d)
	expire("k", in(time.Hour), false)
	s.wantValue("persisted", "v", false)

	if c, ok := s.Backend.(core.Counter); ok {
		expires := in(time.Hour)
		if _, err := c.Increment(ctx, "n", 5, 0); err != nil {
			s.Fatal(err)
		}
		expire("n", expires, true)
		s.numbers().wantExpires("n", s.get("n"), expires)
		if n, err := c.Increment(ctx, "n", 1, 0); n != 6 || err != nil {
			s.Errorf("Increment after Expire = %d, %v; want 6", n, err)
		}
	}
}
