package sqlite

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// filled returns the bytes of a database with keys 0 to n-1 and values that name them.
func filled(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cache.db")
	b := open(t, Options{Path: path})
	for i := range n {
		if err := b.Set(t.Context(), fmt.Sprint(i), &core.Entry{Value: []byte(valueOf(fmt.Sprint(i), 0))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantNothingWrong reads all keys, of which any may be missing, writes and reads again.
func wantNothingWrong(t *testing.T, b *Backend, n int) (hits int) {
	t.Helper()
	for i := range n {
		key := fmt.Sprint(i)
		e, err := b.Get(t.Context(), key)
		switch {
		case err == nil && string(e.Value) != valueOf(key, 0):
			t.Errorf("Get(%q) = %.40q, a wrong value", key, e.Value)
		case err == nil:
			hits++
		case !errors.Is(err, core.ErrNotFound):
			t.Errorf("Get(%q) = %v", key, err)
		}
	}
	if err := b.Set(t.Context(), "new", &core.Entry{Value: []byte("v")}); err != nil {
		t.Errorf("Set = %v", err)
	}
	if err := b.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v", err)
	}
	if e, err := b.Get(t.Context(), "new"); err != nil || string(e.Value) != "v" {
		t.Errorf("Get of what was just set = %v, %v", e, err)
	}
	return hits
}

func aside(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + ".corrupt-*Z")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestDamagedFile opens files that are no whole database any more: they are kept aside, and an empty cache starts.
func TestDamagedFile(t *testing.T) {
	const n = 300
	whole := filled(t, n)
	flip := func(from, to int) []byte {
		data := bytes.Clone(whole)
		for i := from; i < to; i++ {
			data[i] ^= 0xff
		}
		return data
	}
	for name, data := range map[string][]byte{
		"half":        whole[:len(whole)/2],
		"a page":      whole[:pageSize],
		"some bytes":  whole[:50],
		"no magic":    flip(0, 16),
		"page size":   flip(16, 18),
		"schema":      flip(100, 400),
		"zeros":       make([]byte, len(whole)),
		"other pages": append(bytes.Clone(whole[:pageSize]), bytes.Repeat([]byte{0x5a}, len(whole)-pageSize)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cache.db")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			b := open(t, Options{Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if hits := wantNothingWrong(t, b, n); hits != 0 {
				t.Errorf("%d hits, want an empty cache", hits)
			}
			found := aside(t, path)
			if len(found) != 1 {
				t.Fatalf("%q are put aside, want one file", found)
			}
			if kept, err := os.ReadFile(found[0]); err != nil || len(kept) < len(data) {
				t.Errorf("%d bytes are kept aside of %d, %v", len(kept), len(data), err)
			}
			if !strings.Contains(log.String(), "damaged") || !strings.Contains(log.String(), found[0]) {
				t.Errorf("the log does not say what happened: %s", log.String())
			}
		})
	}
}

// TestFlippedBytes damages any byte: no value is wrong, and the cache works.
func TestFlippedBytes(t *testing.T) {
	const n, rounds = 120, 150
	whole := filled(t, n)
	random := rand.New(rand.NewPCG(7, 7))
	path := filepath.Join(t.TempDir(), "cache.db")
	refused := 0
	for range rounds {
		data := bytes.Clone(whole)
		for range 1 + random.IntN(8) {
			data[random.IntN(len(data))] ^= byte(1 + random.IntN(255))
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := New(Options{Path: path})
		if err != nil {
			if refused++; !errors.Is(err, errForeign) && !errors.Is(err, errNewer) && !isCorrupt(err) {
				t.Errorf("New = %v", err)
			}
			continue
		}
		wantNothingWrong(t, b, n)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if refused > rounds/10 {
		t.Errorf("%d of %d files were refused", refused, rounds)
	}
}

// TestDamageWhileOpen damages the file below an open backend.
func TestDamageWhileOpen(t *testing.T) {
	const n = 3000
	path := filepath.Join(t.TempDir(), "cache.db")
	if err := os.WriteFile(path, filled(t, n), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, Options{Path: path})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-2*pageSize), 2*pageSize); err != nil {
		t.Fatal(err)
	}
	wantNothingWrong(t, b, n)
	if found := aside(t, path); len(found) != 1 {
		t.Errorf("%q are put aside, want one file", found)
	}
	if entries, _ := b.Size(); entries != 1 {
		t.Errorf("%d entries, want the one that was set since", entries)
	}
}

// TestDamagedRow damages what SQLite does not look at: the envelope does.
func TestDamagedRow(t *testing.T) {
	b := open(t, Options{})
	for _, k := range []string{"a", "b"} {
		if err := b.Set(t.Context(), k, &core.Entry{Value: []byte("value of " + k)}); err != nil {
			t.Fatal(err)
		}
	}
	for name, query := range map[string]string{
		"other key's": "UPDATE entries SET data = (SELECT data FROM entries WHERE key = x'62') WHERE key = x'61'",
		"text":        "UPDATE entries SET data = 'value' WHERE key = x'61'",
		"no envelope": "UPDATE entries SET data = x'010203' WHERE key = x'61'",
	} {
		before := b.DecodeErrors()
		if err := b.commit(t.Context(), func(t *tx) error {
			_, err := t.exec(query)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if e, err := b.Get(t.Context(), "a"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: Get = %v, %v, want a miss", name, e, err)
		}
		if b.DecodeErrors() != before+1 {
			t.Errorf("%s: the miss is not counted as damage", name)
		}
	}
	if e, err := b.Get(t.Context(), "b"); err != nil || string(e.Value) != "value of b" {
		t.Errorf("Get of the other key = %v, %v", e, err)
	}
}

// TestOtherFiles refuses files of others and leaves them as they are.
func TestOtherFiles(t *testing.T) {
	text := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(text, []byte("These are notes.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	database := func(queries ...string) string {
		path := filepath.Join(t.TempDir(), "other.db")
		c, err := dial(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, q := range queries {
			if _, err := c.exec(q, []driver.Value(nil)...); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"text":     {text, errForeign},
		"database": {database("CREATE TABLE users(name TEXT)"), errForeign},
		"marked":   {database("PRAGMA application_id = 7"), errForeign},
		"newer": {
			database(fmt.Sprintf("PRAGMA application_id = %d", applicationID), "PRAGMA user_version = 2"),
			errNewer,
		},
	} {
		before, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{Path: c.path}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: New = %v, want %v and the path", name, err, c.want)
		}
		if after, err := os.ReadFile(c.path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the file has changed, %v", name, err)
		}
	}
}
