package file

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// TestOpenValueProves has files damaged that no read has been at: none is handed out.
func TestOpenValueProves(t *testing.T) {
	for name, damage := range map[string]func(data []byte) []byte{
		"value":  func(data []byte) []byte { data[len(data)-1] ^= 1; return data },
		"head":   func(data []byte) []byte { data[offFlags] ^= 1; return data },
		"cut":    func(data []byte) []byte { return data[:len(data)-1] },
		"longer": func(data []byte) []byte { return append(data, 0) },
		"empty":  func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			b, err := New(Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = b.Close() }()
			if err := b.Set(t.Context(), "k", &core.Entry{Value: bytes.Repeat([]byte("v"), 1000)}); err != nil {
				t.Fatal(err)
			}
			path := b.folder.path(b.hash("k"))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if f, err := b.OpenValue(t.Context(), "k"); !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrDecode) {
				t.Errorf("OpenValue = %v, %v", f, err)
			}
			if n := b.DecodeErrors(); n != 1 {
				t.Errorf("%d files were damaged", n)
			}
			if n, _ := b.Size(); n != 0 {
				t.Error("it is still there")
			}
		})
	}
}

// TestOpenValueProvesOnce reads a file's value once, and again after it was written.
func TestOpenValueProvesOnce(t *testing.T) {
	b, err := New(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	for _, v := range []string{"one", "two"} {
		if err := b.Set(t.Context(), "k", &core.Entry{Value: []byte(v)}); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if got := b.index.at(b.hash("k")).proven.Load() != 0; got != (i > 0) {
				t.Errorf("before reading %d of %q: proven is %v", i, v, got)
			}
			f, err := b.OpenValue(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			_ = f.File.Close()
		}
	}
}
