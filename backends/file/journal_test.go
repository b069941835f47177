package file

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/edgecache/edgecache/core"
)

func sampleJournal() ([]byte, []record) {
	records := []record{
		{opened, "a boot", 0, 0}, {put, "", 52, 0}, {put, "key", 1 << 40, math.MaxInt64}, {remove, "key", 0, 0}, {closed, "", 0, 0},
	}
	data := []byte(indexMagic)
	for _, r := range records {
		data = appendRecord(data, r)
	}
	return data, records
}

func replayed(data []byte) ([]record, error) {
	var got []record
	err := replay(data, func(r record) { got = append(got, r) })
	return got, err
}

// TestJournalBytes holds the format still.
func TestJournalBytes(t *testing.T) {
	got := appendRecord(nil, record{put, "key", 2, 3})
	want := "\xb2\x69\xe4\x4b" + "\x01" + "\x03\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00" + "key"
	if string(got) != want {
		t.Errorf("appendRecord =\n%x, want\n%x", got, want)
	}
}

func TestReplay(t *testing.T) {
	data, want := sampleJournal()
	if got, err := replayed(data); err != nil || !slices.Equal(got, want) {
		t.Errorf("replay = %v, %v, want %v", got, err, want)
	}
	for bit := range len(data) * 8 {
		data[bit/8] ^= 1 << (bit % 8)
		if got, err := replayed(data); !errors.Is(err, core.ErrDecode) || len(got) > 0 && !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("bit %d flipped: replay = %v, %v", bit, got, err)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
	for n := range data {
		if got, err := replayed(data[:n]); len(got) == len(want) || err != nil && !errors.Is(err, core.ErrDecode) {
			t.Fatalf("cut to %d bytes: replay = %v, %v", n, got, err)
		}
	}
}

func FuzzReplay(f *testing.F) {
	data, _ := sampleJournal()
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add([]byte(indexMagic))
	f.Add(appendRecord([]byte(indexMagic), record{kind: 9, key: "unknown"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		again := []byte(indexMagic)
		err := replay(data, func(r record) { again = appendRecord(again, r) })
		if err != nil && !errors.Is(err, core.ErrDecode) {
			t.Fatalf("unexpected error %v", err)
		}
		if err == nil && !bytes.Equal(again, data) {
			t.Fatal("the records do not encode to what they were read from")
		}
	})
}

// onDisk returns what the journal on the disk says is there.
func onDisk(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, indexName))
	if err != nil {
		t.Fatal(err)
	}
	sizes := make(map[string]int64)
	if err := replay(data, func(r record) {
		switch r.kind {
		case put:
			sizes[r.key] = r.size
		case remove:
			delete(sizes, r.key)
		case opened, closed:
		}
	}); err != nil {
		t.Fatal(err)
	}
	return sizes
}

// TestRewriteWhileWriting demands that a journal that is written anew while others append has it all.
func TestRewriteWhileWriting(t *testing.T) {
	b := mustOpen(t, Options{Dir: t.TempDir()})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 150 {
				key := fmt.Sprint(g, "-", i%40)
				if i%5 == 4 {
					if _, err := b.Delete(t.Context(), key); err != nil {
						t.Error(err)
					}
				} else if err := b.Set(t.Context(), key, &core.Entry{Value: make([]byte, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		if err := b.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	got := onDisk(t, b.options.Dir)
	entries, _ := b.Size()
	if int64(len(got)) != entries {
		t.Errorf("the journal has %d entries, want %d", len(got), entries)
	}
	for it, err := range b.items(t.Context()) {
		if err != nil || got[it.key] != it.size {
			t.Errorf("the journal says that %q takes %d bytes, want %d (%v)", it.key, got[it.key], it.size, err)
		}
	}
}

// TestJournalStaysShort writes the same few keys so often that the janitor must write the journal anew.
func TestJournalStaysShort(t *testing.T) {
	dir := t.TempDir()
	b := mustOpen(t, Options{Dir: dir})
	e := &core.Entry{Value: []byte("v")}
	for i := range minRecords + 200 {
		if err := b.Set(t.Context(), fmt.Sprint(i%10), e); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the journal to be written anew", func() bool { return !b.journal.long(10) })
	if got := onDisk(t, dir); len(got) != 10 {
		t.Errorf("the journal has %d entries, want 10", len(got))
	}
}
