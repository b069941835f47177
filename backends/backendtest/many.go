package backendtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgecache/edgecache/core"
)

func testGetMany(s *suite) {
	g, ctx := ability[core.BatchGetter](s), s.Context()
	var keys []string
	want := make(map[string]*core.Entry)
	for i := range 1000 {
		k := fmt.Sprint("key", i)
		keys = append(keys, k)
		if i%3 != 0 {
			want[k] = &core.Entry{Value: []byte(fmt.Sprint("value", i)), Version: uint64(i)}
			s.set(k, want[k])
		}
	}
	for _, k := range s.strangeKeys() {
		keys = append(keys, k)
		want[k] = &core.Entry{Value: []byte("of " + k), Expires: in(time.Hour)}
		s.set(k, want[k])
	}
	keys = append(keys, "key1", "key0", "key1")
	out := make([]*core.Entry, len(keys))
	if err := g.GetMany(ctx, keys, out); err != nil {
		s.Fatalf("GetMany = %v", err)
	}
	for i, k := range keys {
		if e := want[k]; e != nil {
			s.wantEntry(k, out[i], e)
		} else if out[i] != nil {
			s.Errorf("GetMany brought %q for %q, which is absent", out[i].Value, k)
		}
	}
}

func testSetMany(s *suite) {
	b, ctx := ability[core.BatchSetter](s), s.Context()
	var keys []string
	var entries []*core.Entry
	for i := range 1000 {
		keys = append(keys, fmt.Sprint("key", i))
		entries = append(entries, &core.Entry{Value: []byte(fmt.Sprint("value", i)), Flags: uint32(i), Version: uint64(i)})
	}
	for i, k := range s.strangeKeys() {
		keys = append(keys, k)
		entries = append(entries, &core.Entry{Value: []byte("of " + k), Expires: in(time.Duration(i+1) * time.Hour)})
	}
	s.set("gone", value("v"))
	keys, entries = append(keys, "twice", "gone", "twice"), append(entries, value("one"), &core.Entry{Expires: 1}, value("two"))
	errs := make([]error, len(keys))
	if err := errors.Join(b.SetMany(ctx, keys, entries, errs), errors.Join(errs...)); err != nil {
		s.Fatalf("SetMany = %v", err)
	}
	for i, k := range keys[:len(keys)-3] {
		s.wantEntry(k, s.get(k), entries[i])
	}
	s.wantMiss("gone")
	s.wantValue("twice", "two", false)
}

func testDeleteMany(s *suite) {
	d, ctx := ability[core.BatchDeleter](s), s.Context()
	var keys []string
	for i := range 1000 {
		k := fmt.Sprint("key", i)
		keys = append(keys, k)
		if i%3 != 0 {
			s.set(k, value("v"))
		}
	}
	strange := s.strangeKeys()
	for _, k := range strange {
		s.set(k, value("v"))
	}
	s.set("stays", value("v"))
	found := make([]bool, len(keys)+len(strange))
	if err := d.DeleteMany(ctx, slices.Concat(keys, strange), found); err != nil {
		s.Fatalf("DeleteMany = %v", err)
	}
	for i, ok := range found {
		if want := i >= len(keys) || i%3 != 0; ok != want {
			s.Errorf("DeleteMany found %v for key %d, want %v", ok, i, want)
		}
	}
	for _, k := range slices.Concat(keys, strange) {
		s.wantMiss(k)
	}
	s.wantValue("stays", "v", false)

	s.set("twice", value("v"))
	found = make([]bool, 2)
	if err := d.DeleteMany(ctx, []string{"twice", "twice"}, found); err != nil || !found[0] {
		s.Errorf("DeleteMany of a key given twice = %v, %v", found, err)
	}
}

func testEmptyBatches(s *suite) {
	ctx := s.Context()
	if g, ok := s.Backend.(core.BatchGetter); ok {
		if err := g.GetMany(ctx, nil, nil); err != nil {
			s.Errorf("GetMany of nothing = %v", err)
		}
	}
	if b, ok := s.Backend.(core.BatchSetter); ok {
		if err := b.SetMany(ctx, nil, nil, nil); err != nil {
			s.Errorf("SetMany of nothing = %v", err)
		}
	}
	if d, ok := s.Backend.(core.BatchDeleter); ok {
		if err := d.DeleteMany(ctx, nil, nil); err != nil {
			s.Errorf("DeleteMany of nothing = %v", err)
		}
	}
}

// scan pages through the keys and returns how often each came. It fails when that takes very many pages.
func (s *suite) scan(c core.Scanner, prefix, match string, count int, between func()) map[string]int {
	s.Helper()
	seen := make(map[string]int)
	var cursor uint64
	for range 100_000 {
		keys, next, err := c.Scan(s.Context(), cursor, prefix, match, count)
		if err != nil {
			s.Fatalf("Scan(%d, %q, %q, %d) = %v", cursor, prefix, match, count, err)
		}
		for _, k := range keys {
			seen[k]++
		}
		if next == 0 {
			return seen
		}
		if count <= 0 {
			s.Fatalf("Scan of all keys returned the cursor %d", next)
		}
		cursor = next
		between()
	}
	s.Fatal("Scan does not end")
	return nil
}

func (s *suite) wantScan(c core.Scanner, prefix, match string, count int, want []string) {
	s.Helper()
	seen := s.scan(c, prefix, match, count, func() {})
	var got []string
	for k := range seen {
		got = append(got, k)
	}
	want = slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("Scan of %q with %q by %d brought\n%.2000q, want\n%.2000q", prefix, match, count, got, want)
	}
}

func testScanPages(s *suite) {
	c := ability[core.Scanner](s)
	s.wantScan(c, "", "", 10, nil)
	s.wantScan(c, "", "", 0, nil)
	keys := s.strangeKeys()
	for i := range 300 {
		keys = append(keys, fmt.Sprint("key", i))
	}
	for _, k := range keys {
		s.set(k, value("v"))
	}
	for _, count := range []int{0, -1, 1, 7, 100, 1 << 20} {
		s.wantScan(c, "", "", count, keys)
	}
	var walked []string
	for k, err := range core.ScanAll(s.Context(), c, "", "") {
		if err != nil {
			s.Fatal(err)
		}
		walked = append(walked, k)
	}
	slices.Sort(walked)
	slices.Sort(keys)
	if walked = slices.Compact(walked); !slices.Equal(walked, keys) {
		s.Errorf("ScanAll brought %d keys of %d", len(walked), len(keys))
	}
}

func testScanSelects(s *suite) {
	c := ability[core.Scanner](s)
	keys := []string{
		"a:1", "a:2", "a:22", "a:", "a", "ab:1", "ab", "b:1", "A:1", "a*:1", "a*:2", "a[b]:1", "a?:1", "a\\:1", "a::1", "a:*", "a:[x]",
		"a:x\ny", "\x00:1",
	}
	for _, k := range keys {
		s.set(k, value("v"))
	}
	for _, q := range []struct {
		prefix, match string
		want          []string
	}{
		{"a:", "", []string{"a:1", "a:2", "a:22", "a:", "a::1", "a:*", "a:[x]", "a:x\ny"}},
		{"a:", "*", []string{"a:1", "a:2", "a:22", "a:", "a::1", "a:*", "a:[x]", "a:x\ny"}},
		{"a:", "?", []string{"a:1", "a:2", "a:*"}},
		{"a:", "2*", []string{"a:2", "a:22"}},
		{"a:", "[12]", []string{"a:1", "a:2"}},
		{"a:", "[^1]", []string{"a:2", "a:*"}},
		{"a:", "[0-1]", []string{"a:1"}},
		{"a:", "\\*", []string{"a:*"}},
		{"a:", "\\[x]", []string{"a:[x]"}},
		{"a:", "x*y", []string{"a:x\ny"}},
		{"a:", "nothing", nil},
		{"a*:", "", []string{"a*:1", "a*:2"}},
		{"a*:", "2", []string{"a*:2"}},
		{"a[b]:", "", []string{"a[b]:1"}},
		{"a?:", "*", []string{"a?:1"}},
		{"a\\:", "1", []string{"a\\:1"}},
		{"ab", "", []string{"ab", "ab:1"}},
		{"\x00:", "*", []string{"\x00:1"}},
		{"", "a*:?", []string{"a:1", "a:2", "ab:1", "a*:1", "a*:2", "a[b]:1", "a?:1", "a\\:1", "a::1", "a:*"}},
		{"", "*", keys},
		{"zzz", "", nil},
	} {
		for _, count := range []int{0, 2} {
			s.wantScan(c, q.prefix, q.match, count, q.want)
		}
	}
	s.set("a:short", &core.Entry{Value: []byte("v"), Expires: in(s.short())})
	s.wantGone("a:short", s.short())
	s.wantScan(c, "a:sh", "", 0, nil)
}

// testScanWhileWriting demands that the keys that stay are found, whatever else is written between pages, and by scans
// that begin at different times.
func testScanWhileWriting(s *suite) {
	c, ctx := ability[core.Scanner](s), s.Context()
	var stay []string
	for i := range 400 {
		stay = append(stay, fmt.Sprint("stays", i))
		s.set(stay[i], value("v"))
	}
	n := 0
	churn := func() {
		for range 5 {
			s.set(fmt.Sprint("comes", n), value("v"))
			if n >= 20 {
				if _, err := s.Delete(ctx, fmt.Sprint("comes", n-20)); err != nil {
					s.Error(err)
				}
			}
			s.set(stay[n%len(stay)], value("w"))
			n++
		}
	}
	for range 8 {
		stay = append(stay, fmt.Sprint("stays", len(stay)))
		s.set(stay[len(stay)-1], value("v"))
		seen := s.scan(c, "", "", 30, churn)
		for _, k := range stay {
			if seen[k] == 0 {
				s.Errorf("Scan has not found %q, which was there all the while", k)
			}
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var cursor uint64
			seen := make(map[string]bool)
			for {
				keys, next, err := c.Scan(ctx, cursor, "stays", "", 20)
				if err != nil {
					s.Error(err)
					return
				}
				for _, k := range keys {
					seen[k] = true
				}
				if cursor = next; next == 0 {
					break
				}
			}
			if len(seen) != len(stay) {
				s.Errorf("one of several scans found %d keys of %d", len(seen), len(stay))
			}
		})
	}
	wg.Wait()
}

func testClear(s *suite) {
	c, ctx := ability[core.Clearer](s), s.Context()
	keys := []string{"a:1", "a:2", "a:\n", "a:" + strings.Repeat("x", 100), "a", "ab:1", "b:1", "A:1", "a*:1", "a*:2", "a?:1", "aa:1", ""}
	for _, prefix := range []string{"a:", "a*:", "a?:", "a\\", "nothing", "a:\n"} {
		for _, k := range keys {
			s.set(k, value("v"))
		}
		if err := c.Clear(ctx, prefix); err != nil {
			s.Fatalf("Clear(%q) = %v", prefix, err)
		}
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) {
				s.wantMiss(k)
			} else {
				s.wantValue(k, "v", false)
			}
		}
	}
}

func testClearAll(s *suite) {
	c, ctx := ability[core.Clearer](s), s.Context()
	keys := s.strangeKeys()
	for i := range 2000 {
		keys = append(keys, fmt.Sprint("key", i))
	}
	for _, k := range keys {
		s.set(k, value("v"))
	}
	if err := c.Clear(ctx, ""); err != nil {
		s.Fatalf("Clear = %v", err)
	}
	for _, k := range keys {
		s.wantMiss(k)
	}
	s.set("k", value("v"))
	s.wantValue("k", "v", false)
}
