package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// TestRestart closes the backend and opens it again: everything is there, with what was not committed before.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "a b%c?d#e.db")
	b := open(t, Options{Path: path, BatchDelay: time.Hour})
	expires := time.Now().Add(time.Hour).UnixNano()
	want := &core.Entry{Value: []byte("v"), Expires: expires, Version: 7, Flags: 8, Codec: 9}
	for i := range 1000 {
		set(t, b, fmt.Sprint("k", i), want)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v, want it for its user alone", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("%q are left, want the database alone", left)
	}
	b = open(t, Options{Path: path})
	if entries, _ := b.Size(); entries != 1000 {
		t.Errorf("%d entries, want 1000", entries)
	}
	e, err := b.Get(t.Context(), "k999")
	if err != nil || string(e.Value) != "v" || e.Expires != expires || e.Version != 7 || e.Flags != 8 || e.Codec != 9 {
		t.Errorf("Get = %+v, %v, want %+v", e, err, want)
	}
}

// TestReadsSeeWhatIsNotCommitted has nothing committed before the end.
func TestReadsSeeWhatIsNotCommitted(t *testing.T) {
	b := open(t, Options{BatchDelay: time.Hour})
	set(t, b, "k", value("one"))
	set(t, b, "k", value("two"))
	set(t, b, "gone", &core.Entry{Expires: 1})
	if n, _ := rows(t, b); n != 0 {
		t.Fatalf("%d rows are committed", n)
	}
	if e, err := b.Get(t.Context(), "k"); err != nil || string(e.Value) != "two" {
		t.Errorf("Get = %v, %v", e, err)
	}
	out := make([]*core.Entry, 2)
	if err := b.GetMany(t.Context(), []string{"k", "gone"}, out); err != nil || out[0] == nil || out[1] != nil {
		t.Errorf("GetMany = %v, %v", out, err)
	}
	if keys, _, err := b.Scan(t.Context(), 0, "", "", 0); err != nil || !slices.Equal(keys, []string{"k"}) {
		t.Errorf("Scan = %q, %v", keys, err)
	}
	if n, _ := rows(t, b); n != 1 {
		t.Errorf("%d rows after Scan, want 1: what is pending is committed", n)
	}
}

// TestBackpressure has writers wait for commits that can't go on.
func TestBackpressure(t *testing.T) {
	b := open(t, Options{BatchSize: 4, BatchDelay: time.Hour})
	db := b.db
	if err := db.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = b.Set(ctx, fmt.Sprint(n), value("v"))
	}
	if !errors.Is(err, context.DeadlineExceeded) || n > 9 {
		t.Errorf("%d writes came through, the last with %v; want a wait after two batches of 4", n, err)
	}
	<-db.writing
	set(t, b, "k", value("v"))
}

// TestWaits has Set return when the value is committed.
func TestWaits(t *testing.T) {
	b := open(t, Options{BatchDelay: -1})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				set(t, b, fmt.Sprint(g, ":", i), value("v"))
			}
		})
	}
	wg.Wait()
	if n, _ := rows(t, b); n != 160 {
		t.Errorf("%d rows when all have returned, want 160", n)
	}
	run(t, b, "PRAGMA max_page_count = 1")
	big := value(strings.Repeat("x", 100_000))
	if err := b.Set(t.Context(), "k", big); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Set without space = %v, want ErrUnavailable", err)
	}
	if has(t, b, "k") {
		t.Error("the value is there all the same")
	}
}

// TestPatternsInKeys has keys that LIKE and GLOB would take for patterns.
func TestPatternsInKeys(t *testing.T) {
	ctx := t.Context()
	keys := []string{"a%b", "a_b", "axb", "a%", "a", "A%b", "a%b/c", "a\x00", "100%", "%", "_", "a*", "a[b]", "a\\%b"}
	b := open(t, Options{})
	for _, k := range keys {
		set(t, b, k, value("of "+k))
	}
	for _, k := range keys {
		if e, err := b.Get(ctx, k); err != nil || string(e.Value) != "of "+k {
			t.Errorf("Get(%q) = %v, %v", k, e, err)
		}
	}
	for prefix, want := range map[string][]string{
		"a%": {"a%", "a%b", "a%b/c"}, "a_": {"a_b"}, "%": {"%"}, "_": {"_"}, "a[": {"a[b]"}, "a%b/": {"a%b/c"},
	} {
		got, _, err := b.Scan(ctx, 0, prefix, "", 0)
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("Scan(%q) = %q, %v, want %q", prefix, got, err, want)
		}
	}
	from, to := core.PrefixRange("a%b")
	if n, err := b.DeleteRange(ctx, from, to); n != 2 || err != nil {
		t.Errorf("DeleteRange of a%%b = %d, %v, want 2", n, err)
	}
	if has(t, b, "a%b/c") || !has(t, b, "axb") || !has(t, b, "a_b") || !has(t, b, "a%") {
		t.Error("DeleteRange has deleted others")
	}
}

func TestDeleteRange(t *testing.T) {
	ctx := t.Context()
	b := open(t, Options{JanitorInterval: -1})
	for i := range 2500 {
		set(t, b, fmt.Sprintf("in/%04d", i), value("v"))
	}
	set(t, b, "in/expired", &core.Entry{Value: []byte("v"), Expires: soon()})
	set(t, b, "out", value("v"))
	set(t, b, "\xff\xff", value("v"))
	waitExpired(t, b, "in/expired")
	if n, err := b.DeleteRange(ctx, "in/", "in0"); n != 2500 || err != nil {
		t.Errorf("DeleteRange = %d, %v, want 2500", n, err)
	}
	if n, _ := rows(t, b); n != 2 {
		t.Errorf("%d rows are left, want 2", n)
	}
	if n, err := b.DeleteRange(ctx, "\xff", ""); n != 1 || err != nil {
		t.Errorf("DeleteRange without an end = %d, %v, want 1", n, err)
	}
	var told []string
	b.Notify(func(key string, _ *core.Entry, cause core.Cause) { told = append(told, fmt.Sprint(key, " ", cause)) })
	if n, err := b.DeleteRange(ctx, "", ""); n != 1 || err != nil || !slices.Equal(told, []string{"out cleared"}) {
		t.Errorf("DeleteRange of all = %d, %v and tells %q", n, err, told)
	}
}

// TestClearGivesSpaceBack has the file shrink.
func TestClearGivesSpaceBack(t *testing.T) {
	b := open(t, Options{})
	for i := range 2000 {
		set(t, b, fmt.Sprint(i), value(strings.Repeat("x", 1000)))
	}
	if n, err := b.DeleteRange(t.Context(), "", ""); n != 2000 || err != nil {
		t.Errorf("DeleteRange = %d, %v, want 2000", n, err)
	}
	info, err := os.Stat(b.opts.Path)
	if err != nil || info.Size() > 64<<10 {
		t.Errorf("the file has %d bytes after Clear, %v", info.Size(), err)
	}
}

// TestScanNarrow pages through few keys among many, and through many among more.
func TestScanNarrow(t *testing.T) {
	b := open(t, Options{})
	for i := range 3 * maxLooked {
		set(t, b, fmt.Sprintf("%c:%d", 'a'+i%2, i), value("v"))
		if i%100 == 0 {
			set(t, b, fmt.Sprint("few:", i), value("v"))
		}
	}
	for prefix, want := range map[string]int{"a:": 3 * maxLooked / 2, "few:": 3*maxLooked/100 + 1, "none": 0} {
		seen := map[string]bool{}
		for key, err := range core.ScanAll(t.Context(), b, prefix, "*") {
			if err != nil {
				t.Fatal(err)
			}
			if seen[key] || !strings.HasPrefix(key, prefix) {
				t.Fatalf("%q came twice or is none of %q", key, prefix)
			}
			seen[key] = true
		}
		if len(seen) != want {
			t.Errorf("%d keys of %q, want %d", len(seen), prefix, want)
		}
	}
	if keys, next, err := b.Scan(t.Context(), 1<<63, "", "", 10); keys != nil || next != 0 || err != nil {
		t.Errorf("Scan from a cursor of nobody's = %q, %d, %v", keys, next, err)
	}
}

func TestRaw(t *testing.T) {
	ctx := t.Context()
	b := open(t, Options{})
	keys := []string{"a%b", "a_b", "axb", "Axb", "ab", "a\x00b", "x*y", "x?y", "x[y]", "日本"}
	fill := func() {
		for _, k := range keys {
			set(t, b, k, value("v"))
		}
	}
	fill()
	for pattern, want := range map[string][]string{
		"a%b":   {"a\x00b", "a%b", "a_b", "ab", "axb"},
		"a_b":   {"a\x00b", "a%b", "a_b", "axb"},
		`a\%b`:  {"a%b"},
		`a\_b`:  {"a_b"},
		"a":     nil,
		"ab":    {"ab"},
		"%":     keys,
		"x*y":   {"x*y"},
		"%*%":   {"x*y"},
		"%[y]":  {"x[y]"},
		"_[y]":  {"x[y]"},
		"%?%":   {"x?y"},
		`%\`:    nil,
		"%本":    {"日本"},
		"none%": nil,
	} {
		got, err := b.Raw(ctx, "KEYS LIKE", pattern)
		found, _ := got.([]string)
		want = slices.Clone(want)
		slices.Sort(found)
		if slices.Sort(want); err != nil || !slices.Equal(found, want) {
			t.Errorf("KEYS LIKE %q = %q, %v, want %q", pattern, found, err, want)
		}
		n, err := b.Raw(ctx, "delete", "like", []byte(pattern))
		if err != nil || n != int64(len(want)) {
			t.Errorf("DELETE LIKE %q = %v, %v, want %d", pattern, n, err, len(want))
		}
		fill()
	}
	if lines, err := b.Raw(ctx, "CHECK"); err != nil || fmt.Sprint(lines) != "[ok]" {
		t.Errorf("CHECK = %v, %v", lines, err)
	}
	for _, args := range [][]any{
		nil, {""}, {"DROP TABLE entries"}, {"DELETE FROM entries"}, {"DELETE LIKE"}, {"KEYS LIKE", "a", "b"}, {"CHECK", "x"}, {1, 2, 3},
	} {
		if got, err := b.Raw(ctx, args...); !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("Raw(%q) = %v, %v, want ErrUnsupported", args, got, err)
		}
	}
}

// TestTwoBackends has two share a file, as two processes do.
func TestTwoBackends(t *testing.T) {
	ctx := t.Context()
	a := open(t, Options{JanitorInterval: -1})
	b := open(t, Options{Path: a.opts.Path})
	set(t, a, "k", value("v"))
	flush(t, a)
	if !has(t, b, "k") {
		t.Error("one does not see what the other has committed")
	}
	const rounds = 50
	var wg sync.WaitGroup
	for _, backend := range []*Backend{a, b} {
		for range 2 {
			wg.Go(func() {
				for range rounds {
					if _, err := backend.Increment(ctx, "n", 1, 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if e, err := a.Get(ctx, "n"); err != nil || string(e.Value) != fmt.Sprint(4*rounds) {
		t.Errorf("the sum = %v, %v, want %d", e, err, 4*rounds)
	}
	for i := range 10 {
		set(t, b, fmt.Sprint("b", i), value("v"))
	}
	flush(t, b)
	if err := a.recount(ctx); err != nil {
		t.Fatal(err)
	}
	if entries, _ := a.Size(); entries != 12 {
		t.Errorf("one counts %d entries after the other has written, want 12", entries)
	}
}

// TestLocked waits for another's transaction in vain.
func TestLocked(t *testing.T) {
	a := open(t, Options{})
	set(t, a, "k", value("v"))
	flush(t, a)
	run(t, a, "PRAGMA busy_timeout = 1")
	other, err := dial(a.opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Increment(t.Context(), "n", 1, 0); !errors.Is(err, core.ErrUnavailable) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Increment = %v, want ErrUnavailable and who is to blame", err)
	}
	if !has(t, a, "k") {
		t.Error("reads don't go on")
	}
	if _, err := other.exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	wantWorking(t, a)
}

func TestInspect(t *testing.T) {
	b := open(t, Options{})
	set(t, b, "k", value("v"))
	info, err := b.Inspect(t.Context())
	if err != nil || info.Entries != 1 || info.Bytes < pageSize || info.Approximate || info.Name != "sqlite "+b.opts.Path {
		t.Errorf("Inspect = %+v, %v", info, err)
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no path":      {},
		"MaxBytes":     {Path: Memory, MaxBytes: 1},
		"MaxBytes < 0": {Path: Memory, MaxBytes: -1},
		"MaxEntries":   {Path: Memory, MaxEntries: -1},
		"BatchSize":    {Path: Memory, BatchSize: -1},
		"Sync":         {Path: Memory, Sync: 3},
	} {
		if b, err := New(o); err == nil {
			_ = b.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

// TestClosed has every other method refuse.
func TestClosed(t *testing.T) {
	ctx := t.Context()
	b := open(t, Options{})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Peek":          func() error { _, err := b.Peek(ctx, "k"); return err },
		"Expiry":        func() error { _, err := b.Expiry(ctx, "k"); return err },
		"Flush":         func() error { return b.Flush(ctx) },
		"DeleteRange":   func() error { _, err := b.DeleteRange(ctx, "a", "b"); return err },
		"DeleteAll":     func() error { _, err := b.DeleteRange(ctx, "", ""); return err },
		"DeleteExpired": func() error { _, err := b.DeleteExpired(ctx); return err },
		"Evict":         func() error { _, err := b.Evict(ctx); return err },
		"Victim":        func() error { _, err := b.Victim(ctx, ""); return err },
		"Inspect":       func() error { _, err := b.Inspect(ctx); return err },
		"Raw":           func() error { _, err := b.Raw(ctx, "CHECK"); return err },
	} {
		if err := call(); !errors.Is(err, core.ErrClosed) {
			t.Errorf("%s after Close = %v, want ErrClosed", name, err)
		}
	}
}
