package backendtest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgecache/edgecache/core"
)

// rangeKeys are keys near each other, and with characters that patterns have.
func rangeKeys() []string {
	return []string{
		"a", "a/", "a/b", "a/b/c", "a/b%", "ab", "ab/c", "a.", "a0", "A/b", "a%/b", "a_/b", "ax/b", "a*/b", "a[b]/c", "b",
	}
}

// testDeleteRange takes ranges out and compares with what the order of bytes says.
func testDeleteRange(s *suite) {
	d, ctx := ability[core.RangeDeleter](s), s.Context()
	for _, r := range []struct{ from, to string }{
		{"a/", "a0"}, {"a%/", "a%0"}, {"a_/", "a_0"}, {"a*/", "a*0"}, {"a", "a"}, {"b", "a"}, {"a", "b"}, {"ax", ""}, {"", ""},
	} {
		keys := rangeKeys()
		for _, k := range keys {
			s.set(k, value("v"))
		}
		want := int64(0)
		inside := func(k string) bool { return k >= r.from && (r.to == "" || k < r.to) }
		for _, k := range keys {
			if inside(k) {
				want++
			}
		}
		if n, err := d.DeleteRange(ctx, r.from, r.to); n != want || err != nil {
			s.Errorf("DeleteRange(%q, %q) = %d, %v, want %d", r.from, r.to, n, err, want)
		}
		for _, k := range keys {
			if inside(k) {
				s.wantMiss(k)
			} else {
				s.wantValue(k, "v", false)
			}
		}
	}
}

// testDeleteExpired asks until the expired are gone: a store may keep its timers by the second.
func testDeleteExpired(s *suite) {
	d, ctx := ability[core.ExpiredDeleter](s), s.Context()
	s.set("stays", &core.Entry{Value: []byte("v"), Expires: in(time.Hour)})
	s.set("for ever", value("v"))
	for _, k := range []string{"x", "y", "z"} {
		s.set(k, &core.Entry{Value: []byte("v"), Expires: in(max(s.Resolution, 10*time.Millisecond))})
	}
	size, sizes := s.Backend.(core.Sizer)
	s.eventually(10*time.Second, "the expired are gone", func() bool {
		if _, err := d.DeleteExpired(ctx); err != nil {
			s.Fatalf("DeleteExpired = %v", err)
		}
		if _, err := s.Get(ctx, "x"); !errors.Is(err, core.ErrNotFound) {
			return false
		}
		if !sizes {
			return true
		}
		n, _ := size.Size()
		return n == 2
	})
	s.wantValue("stays", "v", true)
	s.wantValue("for ever", "v", false)
	for _, k := range []string{"x", "y", "z"} {
		s.wantMiss(k)
	}
}

// testVictim takes out what the store says would go, until nothing is left.
func testVictim(s *suite) {
	p, ctx := ability[core.Popper](s), s.Context()
	if key, err := p.Victim(ctx, ""); !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrUnsupported) {
		s.Fatalf("Victim of an empty store = %q, %v", key, err)
	}
	for _, k := range []string{"a:1", "a:2", "ab:1", "b", "a"} {
		s.set(k, value("v"))
	}
	var got []string
	for {
		key, err := p.Victim(ctx, "a:")
		switch {
		case errors.Is(err, core.ErrUnsupported):
			s.Skip("the policy does not tell")
		case errors.Is(err, core.ErrNotFound):
			if slices.Sort(got); !slices.Equal(got, []string{"a:1", "a:2"}) {
				s.Errorf("the victims below a: were %q", got)
			}
			if key, err = p.Victim(ctx, ""); err != nil || strings.HasPrefix(key, "a:") {
				s.Errorf("Victim = %q, %v", key, err)
			}
			return
		case err != nil || len(got) > 2:
			s.Fatalf("Victim = %q, %v, after %q", key, err, got)
		}
		s.wantValue(key, "v", false)
		if _, err := s.Delete(ctx, key); err != nil {
			s.Fatal(err)
		}
		got = append(got, key)
	}
}

func testPeek(s *suite) {
	p, ctx := ability[core.Peeker](s), s.Context()
	if e, err := p.Peek(ctx, "k"); e != nil || !errors.Is(err, core.ErrNotFound) {
		s.Errorf("Peek of nothing = %v, %v", e, err)
	}
	want := &core.Entry{Value: []byte("v"), Expires: in(time.Hour)}
	s.set("k", want)
	e, err := p.Peek(ctx, "k")
	if err != nil {
		s.Fatalf("Peek = %v", err)
	}
	s.wantEntry("k", e, want)
	s.set("k", &core.Entry{Value: []byte("v"), Expires: in(max(s.Resolution, 10*time.Millisecond))})
	s.eventually(10*time.Second, "the entry has expired to Peek", func() bool {
		_, err := p.Peek(ctx, "k")
		return errors.Is(err, core.ErrNotFound)
	})
}

func testInspect(s *suite) {
	i, ctx := ability[core.Inspector](s), s.Context()
	for _, k := range []string{"a", "b", "c"} {
		s.set(k, value("value"))
	}
	s.eventually(10*time.Second, "Inspect counts three entries", func() bool {
		info, err := i.Inspect(ctx)
		if err != nil || info.Name == "" {
			s.Fatalf("Inspect = %+v, %v", info, err)
		}
		return (info.Entries == 3 || info.Entries == -1) && (info.Bytes >= 15 || info.Bytes == -1)
	})
}

// testPersist writes a store and reads it into another.
func testPersist(s *suite) {
	p, ctx := ability[core.Persister](s), s.Context()
	want := map[string]*core.Entry{}
	for i, k := range s.strangeKeys() {
		want[k] = &core.Entry{Value: []byte("of " + k), Flags: uint32(i), Codec: uint8(i), Version: uint64(i)}
	}
	want["ends"] = &core.Entry{Value: []byte("v"), Expires: in(time.Hour)}
	want["empty"] = &core.Entry{}
	for k, e := range want {
		s.set(k, e)
	}
	s.set("soon", &core.Entry{Value: []byte("v"), Expires: in(max(s.Resolution, 10*time.Millisecond))})
	s.eventually(10*time.Second, "the entry has expired", func() bool {
		_, err := s.Get(ctx, "soon")
		return errors.Is(err, core.ErrNotFound)
	})
	var saved bytes.Buffer
	if n, err := p.Persist(ctx, &saved); n != int64(len(want)) || err != nil {
		s.Fatalf("Persist = %d, %v, want %d", n, err, len(want))
	}
	for k := range want {
		if _, err := s.Delete(ctx, k); err != nil {
			s.Fatal(err)
		}
	}
	s.set("ends", value("newer"))
	if n, err := p.Restore(ctx, &saved); n != int64(len(want)-1) || err != nil {
		s.Fatalf("Restore = %d, %v, want %d", n, err, len(want)-1)
	}
	s.wantValue("ends", "newer", false)
	delete(want, "ends")
	for k, e := range want {
		s.wantEntry(k, s.get(k), e)
	}
	if n, err := p.Restore(ctx, strings.NewReader("nonsense")); n != 0 || !errors.Is(err, core.ErrDecode) {
		s.Errorf("Restore of nonsense = %d, %v", n, err)
	}
}

// testFlush only has it that Flush does no harm: what it is for takes a process that ends.
func testFlush(s *suite) {
	f, ctx := ability[core.Flusher](s), s.Context()
	s.set("k", value("v"))
	if err := f.Flush(ctx); err != nil {
		s.Fatalf("Flush = %v", err)
	}
	s.wantValue("k", "v", false)
}

// testNotify has every entry that goes by itself told of once, and those that commands delete not at all.
func testNotify(s *suite) {
	n, ctx := ability[core.Notifier](s), s.Context()
	var mu sync.Mutex
	told := map[string]core.Cause{}
	n.Notify(func(key string, e *core.Entry, cause core.Cause) {
		mu.Lock()
		defer mu.Unlock()
		if before := told[key]; before != 0 {
			s.Errorf("%q was told of twice: %v, %v", key, before, cause)
		}
		if e == nil || string(e.Value) != "v" {
			s.Errorf("%q was told of with %v", key, e)
		}
		told[key] = cause
	})
	has := func(key string) bool {
		mu.Lock()
		defer mu.Unlock()
		return told[key] != 0
	}
	s.set("expires", &core.Entry{Value: []byte("v"), Expires: in(max(s.Resolution, 10*time.Millisecond))})
	s.set("deleted", value("v"))
	s.set("replaced", value("v"))
	s.set("replaced", value("w"))
	if _, err := s.Delete(ctx, "deleted"); err != nil {
		s.Fatal(err)
	}
	if d, ok := s.Backend.(core.ExpiredDeleter); ok {
		s.eventually(10*time.Second, "the expired entry was told of", func() bool {
			_, err := d.DeleteExpired(ctx)
			return err != nil || has("expires")
		})
	}
	if c, ok := s.Backend.(core.Clearer); ok {
		s.set("a:1", value("v"))
		s.set("a:2", value("v"))
		if err := c.Clear(ctx, "a:"); err != nil {
			s.Fatal(err)
		}
		s.eventually(10*time.Second, "the cleared were told of", func() bool { return has("a:1") && has("a:2") })
	}
	n.Notify(nil)
	mu.Lock()
	defer mu.Unlock()
	for key, want := range map[string]core.Cause{"expires": core.CauseExpired, "a:1": core.CauseCleared, "a:2": core.CauseCleared} {
		if got := told[key]; got != want && got != 0 {
			s.Errorf("%q was told of as %v, want %v", key, got, want)
		}
		delete(told, key)
	}
	if len(told) > 0 {
		s.Errorf("told of, too: %v", told)
	}
}

// sweepAll is callAll for the abilities of this file.
func (s *suite) sweepAll(ctx context.Context, errs map[string]error) {
	b := s.Backend
	if d, ok := b.(core.RangeDeleter); ok {
		_, errs["DeleteRange"] = d.DeleteRange(ctx, "k", "l")
	}
	if d, ok := b.(core.ExpiredDeleter); ok {
		_, errs["DeleteExpired"] = d.DeleteExpired(ctx)
	}
	if e, ok := b.(core.Evictor); ok {
		_, errs["Evict"] = e.Evict(ctx)
	}
	if p, ok := b.(core.Popper); ok {
		if _, err := p.Victim(ctx, ""); !errors.Is(err, core.ErrUnsupported) {
			errs["Victim"] = err
		}
	}
	if p, ok := b.(core.Peeker); ok {
		_, errs["Peek"] = p.Peek(ctx, "k")
	}
	if i, ok := b.(core.Inspector); ok {
		_, errs["Inspect"] = i.Inspect(ctx)
	}
	if f, ok := b.(core.Flusher); ok {
		errs["Flush"] = f.Flush(ctx)
	}
	if p, ok := b.(core.Persister); ok {
		var saved bytes.Buffer
		if _, errs["Persist"] = p.Persist(ctx, &saved); errs["Persist"] != nil {
			saved.Reset()
		}
		if _, err := p.Restore(ctx, &saved); !errors.Is(err, core.ErrDecode) {
			errs["Restore"] = err
		}
	}
}
