package keyscan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// store is a list of keys.
type store []string

func numbered(n int) store {
	s := make(store, n)
	for i := range s {
		s[i] = fmt.Sprintf("key:%08d", i)
	}
	return s
}

func (s store) keys() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, k := range s {
			if !yield(k, nil) {
				return
			}
		}
	}
}

func wantAll(t *testing.T, got []string, want store) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the scan brought %d keys, want each of %d once", len(got), len(want))
	}
}

// TestWithoutWindows forgets the windows between pages: the cursor alone must do.
func TestWithoutWindows(t *testing.T) {
	s, keys := New(), numbered(5000)
	var got []string
	for cursor := uint64(0); ; {
		page, next, err := s.Page(t.Context(), keys.keys(), cursor, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
		if cursor = next; next == 0 {
			break
		}
		s.Clear()
	}
	wantAll(t, got, keys)
}

// TestOverWindows scans more keys than a window has, in more scans than have windows.
func TestOverWindows(t *testing.T) {
	s, keys := New(), numbered(3*windowKeys)
	var cursors [maxWindows + 3]uint64
	var got [len(cursors)][]string
	for scanning := true; scanning; {
		scanning = false
		for i := range cursors {
			if got[i] != nil && cursors[i] == 0 {
				continue
			}
			page, next, err := s.Page(t.Context(), keys.keys(), cursors[i], "", "", 5000)
			if err != nil {
				t.Fatal(err)
			}
			got[i], cursors[i], scanning = append(got[i], page...), next, true
			if n := len(s.windows); n > maxWindows {
				t.Fatalf("%d windows are kept, want %d at most", n, maxWindows)
			}
		}
	}
	for i := range got {
		wantAll(t, got[i], keys)
	}
	if n := len(s.windows); n != 0 {
		t.Errorf("%d windows are left when all scans have ended", n)
	}
}

// TestWindowsAreNotConfused begins a scan while another of the same pattern is under way: it must not be served from
// that one's keys, which are older.
func TestWindowsAreNotConfused(t *testing.T) {
	s, keys := New(), numbered(1000)
	_, first, err := s.Page(t.Context(), keys.keys(), 0, "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, "a key that came later")
	var got []string
	for cursor := uint64(0); ; {
		page, next, err := s.Page(t.Context(), keys.keys(), cursor, "", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
		if cursor = next; next == 0 {
			break
		}
		if _, first, err = s.Page(t.Context(), store{}.keys(), first, "", "", 1); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(keys)
	wantAll(t, got, keys)
}

// TestForeignCursors makes up cursors: whatever a client sends, there is an answer.
func TestForeignCursors(t *testing.T) {
	s, keys := New(), numbered(100)
	for _, cursor := range []uint64{1, 1<<windowBits - 1, 1 << windowBits, 1 << 63, 1<<64 - 1} {
		if _, _, err := s.Page(t.Context(), keys.keys(), cursor, "", "", 10); err != nil {
			t.Errorf("Page(%d) = %v", cursor, err)
		}
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	keys := func(yield func(string, error) bool) { _ = yield("a", nil) && yield("", broken) }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, count := range []int{0, 1} {
		if _, _, err := New().Page(t.Context(), keys, 0, "", "", count); !errors.Is(err, broken) {
			t.Errorf("Page by %d = %v, want the store's error", count, err)
		}
		if _, _, err := New().Page(ctx, numbered(1).keys(), 0, "", "", count); !errors.Is(err, context.Canceled) {
			t.Errorf("Page by %d = %v, want the context's error", count, err)
		}
	}
}

// TestEqualHashesComeTogether parts keys neither at the end of a page nor at that of a window.
func TestEqualHashesComeTogether(t *testing.T) {
	var keys []hashed
	for i := range 100 {
		keys = append(keys, hashed{hash: uint64(i/10 + 1), key: fmt.Sprint(i)})
	}
	if n := len(nearest(slices.Clone(keys), 25)); n != 30 {
		t.Errorf("nearest 25 are %d keys, want the 30 of three hashes", n)
	}
	w := &window{keys: keys, end: 77}
	if page, next := w.page(1, 5); len(page) != 10 || next != 2 {
		t.Errorf("a page of 5 has %d keys and goes on at %d, want 10 and 2", len(page), next)
	}
	if page, next := w.page(10, 5); len(page) != 10 || next != 77 {
		t.Errorf("the last page has %d keys and goes on at %d, want 10 and the window's end", len(page), next)
	}
}
