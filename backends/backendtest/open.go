package backendtest

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/edgecache/edgecache/core"
)

// testOpenValue has values read from open files, also after they are gone.
func testOpenValue(s *suite) {
	o := ability[core.ValueOpener](s)
	for _, n := range []int{0, 1, 100_000} {
		e := &core.Entry{Value: bytes.Repeat([]byte("v"), n), Version: 5, Flags: 3, Codec: 2, Expires: in(time.Hour)}
		s.set("k", e)
		for range 2 {
			f := s.openValue(o, "k")
			if f.Entry.Value != nil || f.Entry.Flags != e.Flags || f.Entry.Version != e.Version || f.Entry.Codec != e.Codec || f.Entry.Expires != e.Expires {
				s.Errorf("OpenValue has %+v, want %+v without the value", f.Entry, e)
			}
			s.wantFile(f, e.Value)
		}
	}
	replaced := s.openValue(o, "k")
	s.set("k", value("another"))
	deleted := s.openValue(o, "k")
	if found, err := s.Delete(s.Context(), "k"); !found || err != nil {
		s.Fatalf("Delete = %v, %v", found, err)
	}
	s.wantFile(replaced, bytes.Repeat([]byte("v"), 100_000))
	s.wantFile(deleted, []byte("another"))
	for _, key := range []string{"k", "absent"} {
		if f, err := o.OpenValue(s.Context(), key); !errors.Is(err, core.ErrNotFound) {
			s.Errorf("OpenValue of nothing = %v, %v", f, err)
		}
	}
}

func (s *suite) openValue(o core.ValueOpener, key string) *core.ValueFile {
	s.Helper()
	f, err := o.OpenValue(s.Context(), key)
	if err != nil {
		s.Fatalf("OpenValue(%q) = %v", key, err)
	}
	return f
}

// wantFile demands that the file has the value, from wherever its position is, and closes it.
func (s *suite) wantFile(f *core.ValueFile, want []byte) {
	s.Helper()
	defer func() { _ = f.File.Close() }()
	_, err := f.File.Seek(f.Offset, io.SeekStart)
	got, readErr := io.ReadAll(io.LimitReader(f.File, f.Size))
	if err = errors.Join(err, readErr); err != nil || !bytes.Equal(got, want) {
		s.Errorf("the file has %d bytes, %v, want %d", len(got), err, len(want))
	}
}

// testSwap has an entry replaced by another form of itself, and only that.
func testSwap(s *suite) {
	w := ability[core.Swapper](s)
	s.set("k", value("a"))
	old := s.get("k")
	next := value("a")
	next.SetDecoded("form")
	if w.Swap("absent", old, next) || w.Swap("k", value("a"), next) || !w.Swap("k", old, next) || w.Swap("k", old, next) {
		s.Error("Swap does not go by the very entry")
	}
	if got := s.get("k"); got != next {
		s.Errorf("Get = %v", got)
	}
	s.set("k", &core.Entry{Value: []byte("b"), Expires: in(time.Hour)})
	if w.Swap("k", next, old) {
		s.Error("Swap overwrites what was written later")
	}
	s.wantValue("k", "b", true)
}
