package memory

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/edgecache/edgecache/core"
)

// saved returns what a backend with n entries persists, and where the records begin.
func saved(t testing.TB, n int) (stream []byte, begins []int) {
	t.Helper()
	b := open(t, Options{Policy: native(t, "fifo")})
	for i := range n {
		e := &core.Entry{Value: fmt.Appendf(nil, "value %d", i), Flags: uint32(i)}
		if err := b.Set(t.Context(), fmt.Sprint("key", i), e); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if got, err := b.Persist(t.Context(), &out); got != int64(n) || err != nil {
		t.Fatalf("Persist = %d, %v", got, err)
	}
	for at := len(streamMagic); at < out.Len(); {
		begins = append(begins, at)
		length := binary.LittleEndian.Uint32(out.Bytes()[at:])
		if length == endMark {
			length = 8
		}
		at += recordHead + int(length)
	}
	return out.Bytes(), begins
}

// TestRestoreDamaged changes every byte of a stream, and ends it everywhere: what is whole before comes back, never anything
// that was not there, and the error says where.
func TestRestoreDamaged(t *testing.T) {
	const n = 4
	stream, begins := saved(t, n)
	check := func(t *testing.T, what string, damaged []byte, at int) {
		t.Helper()
		b := open(t, Options{})
		got, err := b.Restore(t.Context(), bytes.NewReader(damaged))
		record := -1
		for i, begin := range begins {
			if at >= begin {
				record = i
			}
		}
		if !errors.Is(err, core.ErrDecode) || got != int64(max(record, 0)) {
			t.Errorf("%s at %d: Restore = %d, %v, want %d entries and an error", what, at, got, err, max(record, 0))
		}
		if where := fmt.Sprintf("record %d, at byte %d:", record, begins[max(record, 0)]); record >= 0 && !bytes.Contains([]byte(err.Error()), []byte(where)) {
			t.Errorf("%s at %d: the error is %q, want one with %q", what, at, err, where)
		}
		for i := range n {
			e, err := b.Get(t.Context(), fmt.Sprint("key", i))
			if err == nil && (string(e.Value) != fmt.Sprint("value ", i) || e.Flags != uint32(i)) {
				t.Errorf("%s at %d: key%d has %q", what, at, i, e.Value)
			}
		}
		_ = b.Close()
	}
	for at := range stream {
		changed := bytes.Clone(stream)
		changed[at] ^= 0x10
		check(t, "another byte", changed, at)
		check(t, "the end", stream[:at], at)
	}
}

func TestRestoreForms(t *testing.T) {
	stream, begins := saved(t, 3)
	other := bytes.Clone(stream)
	other[len(streamMagic)-1] = 9
	long := bytes.Clone(stream)
	binary.LittleEndian.PutUint32(long[begins[1]:], math.MaxUint32-1)
	missing := slices.Concat(stream[:begins[1]], stream[begins[2]:])
	for name, tt := range map[string]struct {
		stream  []byte
		entries int64
		says    string
	}{
		"another version": {other, 0, "form 9 is not known"},
		"a long record":   {long, 1, "its length can't be right"},
		"a missing one":   {missing, 2, "there are records missing"},
		"nothing":         {nil, 0, "this is no saved memory tier"},
		"other data":      {[]byte("SQLite format 3\x00"), 0, "this is no saved memory tier"},
	} {
		b := open(t, Options{})
		n, err := b.Restore(t.Context(), bytes.NewReader(tt.stream))
		if n != tt.entries || !errors.Is(err, core.ErrDecode) || !bytes.Contains([]byte(err.Error()), []byte(tt.says)) {
			t.Errorf("%s: Restore = %d, %v, want %d and %q", name, n, err, tt.entries, tt.says)
		}
	}
	failing := io.MultiReader(bytes.NewReader(stream[:begins[1]]), iotest.ErrReader(io.ErrClosedPipe))
	if n, err := open(t, Options{}).Restore(t.Context(), failing); n != 1 || !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, core.ErrDecode) {
		t.Errorf("a reader that fails: Restore = %d, %v", n, err)
	}
}

// TestPersistFails has the writer fail at every place.
func TestPersistFails(t *testing.T) {
	b := open(t, Options{})
	for i := range 2000 {
		_ = b.Set(t.Context(), fmt.Sprint(i), &core.Entry{Value: make([]byte, 100)})
	}
	for _, room := range []int64{0, 1, 1000, streamBuffer, 3 * streamBuffer} {
		w := &shortWriter{room: room}
		if _, err := b.Persist(t.Context(), w); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("with room for %d bytes, Persist = %v", room, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Persist(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("Persist = %v", err)
	}
}

type shortWriter struct{ room int64 }

func (w *shortWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > w.room {
		return 0, io.ErrShortWrite
	}
	w.room -= int64(len(p))
	return len(p), nil
}

// TestPersistOrder restores what several policies had into smaller caches, and has the rest leave in the order of before.
func TestPersistOrder(t *testing.T) {
	for _, policy := range []string{"fifo", "lru", "lifo", "mru", "sieve"} {
		t.Run(policy, func(t *testing.T) {
			b := open(t, Options{Policy: native(t, policy), Lossless: true})
			for i := range 20 {
				_ = b.Set(t.Context(), fmt.Sprintf("%02d", i), &core.Entry{Value: make([]byte, 1000)})
			}
			want := order(t, b)
			var out bytes.Buffer
			if _, err := b.Persist(t.Context(), &out); err != nil {
				t.Fatal(err)
			}
			for _, room := range []int64{20, 7} {
				small := open(t, Options{MaxBytes: room * (1000 + overhead + 2), MaxEntryBytes: 2000, Policy: native(t, policy)})
				n, err := small.Restore(t.Context(), bytes.NewReader(out.Bytes()))
				if n != room || err != nil {
					t.Errorf("Restore = %d, %v, want %d", n, err, room)
				}
				if got := order(t, small); !slices.Equal(got, want[len(want)-int(room):]) {
					t.Errorf("the victims are %q, want %q", got, want[len(want)-int(room):])
				}
			}
		})
	}
}

// order returns the keys in the order in which they would be evicted.
func order(t *testing.T, b *Backend) (keys []string) {
	t.Helper()
	if !b.open.Load().ranked(func(key string, _ *core.Entry) bool { keys = append(keys, key); return true }) {
		t.Fatal("the policy does not tell")
	}
	return keys
}

// FuzzRestore reads anything.
func FuzzRestore(f *testing.F) {
	stream, begins := saved(f, 3)
	f.Add(stream)
	f.Add(stream[:begins[2]])
	f.Add([]byte(streamMagic))
	f.Add(slices.Concat([]byte(streamMagic), bytes.Repeat([]byte{0xff}, 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, out := open(t, Options{MaxBytes: 1 << 20, Policy: native(t, "fifo")}), new(bytes.Buffer)
		n, _ := in.Restore(t.Context(), bytes.NewReader(data))
		if entries, _ := in.Size(); entries != n {
			t.Fatalf("Restore = %d, but %d are there", n, entries)
		}
		wrote, err := in.Persist(t.Context(), out)
		if wrote > n || err != nil {
			t.Fatalf("Persist = %d, %v, after %d were restored", wrote, err, n)
		}
		again := open(t, Options{MaxBytes: 1 << 20})
		if m, err := again.Restore(t.Context(), out); m > wrote || err != nil {
			t.Fatalf("what was persisted: Restore = %d, %v, of %d", m, err, wrote)
		}
		_, _ = in.Close(), again.Close()
	})
}

// TestPersistBig is no test of speed: it shows that large values and many entries go through.
func TestPersistBig(t *testing.T) {
	b := open(t, Options{MaxBytes: 64 << 20})
	for i := range 5000 {
		_ = b.Set(t.Context(), fmt.Sprint(i), &core.Entry{Value: bytes.Repeat([]byte{byte(i)}, i), Expires: core.Deadline(time.Now(), time.Hour)})
	}
	_ = b.Set(t.Context(), "big", &core.Entry{Value: make([]byte, 10<<20)})
	var out bytes.Buffer
	n, err := b.Persist(t.Context(), &out)
	if n != 5001 || err != nil {
		t.Fatalf("Persist = %d, %v", n, err)
	}
	other := open(t, Options{MaxBytes: 64 << 20})
	if n, err := other.Restore(t.Context(), iotest.HalfReader(&out)); n != 5001 || err != nil {
		t.Fatalf("Restore = %d, %v", n, err)
	}
	for i := range 5000 {
		e, err := other.Get(t.Context(), fmt.Sprint(i))
		if err != nil || len(e.Value) != i || i > 0 && e.Value[i-1] != byte(i) {
			t.Fatalf("Get(%d) = %v, %v", i, e, err)
		}
	}
}
