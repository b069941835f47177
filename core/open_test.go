package core_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/edgecache/edgecache/backends/file"
	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// openTiers returns a cache of a memory tier over one of files, and the memory.
func openTiers(t *testing.T, hooks ...core.Hook) (*core.Cache, *memory.Backend) {
	t.Helper()
	near, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	far, err := file.New(file.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := core.New(core.Options{
		Tiers: []core.Tier{{Name: "memory", Backend: near}, {Name: "file", Backend: far}}, Hooks: hooks,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, near
}

func contents(t *testing.T, f *core.ValueFile) string {
	t.Helper()
	defer func() { _ = f.File.Close() }()
	b, err := io.ReadAll(io.NewSectionReader(f.File, f.Offset, f.Size))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGetFile(t *testing.T) {
	c, near := openTiers(t)
	space := c.Namespace("n")
	if err := space.Set(t.Context(), "k", []byte("value"), core.EntryOptions{Flags: 7}); err != nil {
		t.Fatal(err)
	}
	if e, f, err := space.GetFile(t.Context(), "k"); f != nil || err != nil || string(e.Value) != "value" {
		t.Errorf("GetFile of what is in memory = %v, %v, %v", e, f, err)
	}
	if err := near.Clear(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	e, f, err := space.GetFile(t.Context(), "k")
	if err != nil || f == nil || e.Value != nil || e.Flags != 7 {
		t.Fatalf("GetFile = %v, %v, %v", e, f, err)
	}
	if got := contents(t, f); got != "value" {
		t.Errorf("the file has %q", got)
	}
	if _, err := near.Get(t.Context(), "n:k"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the memory has a copy: %v", err)
	}
	if _, _, err := space.GetFile(t.Context(), "absent"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("GetFile of nothing = %v", err)
	}
	if s := c.Stats(); s.Tiers[1].Hits != 1 {
		t.Errorf("the files had %d hits", s.Tiers[1].Hits)
	}
}

// reading is a hook that looks at what was read.
type reading struct{ value string }

func (h *reading) Spec() core.HookSpec {
	return core.HookSpec{Name: "reading", After: core.Ops(core.OpGet)}
}

func (h *reading) Before(context.Context, *core.Command, *core.Result) error { return nil }

func (h *reading) After(_ context.Context, _ *core.Command, res *core.Result) error {
	h.value = string(res.Entry.Value)
	return nil
}

func TestGetFileWithHook(t *testing.T) {
	h := &reading{}
	c, near := openTiers(t, h)
	_ = c.Set(t.Context(), "k", []byte("value"), core.EntryOptions{})
	_ = near.Clear(t.Context(), "")
	if e, f, err := c.GetFile(t.Context(), "k"); f != nil || err != nil || string(e.Value) != "value" || h.value != "value" {
		t.Errorf("GetFile = %v, %v, %v; the hook saw %q", e, f, err, h.value)
	}
}

// weightOf is what a tier holds once it has seen to all that was written.
func weightOf(t *testing.T, b *memory.Backend) int64 {
	t.Helper()
	if _, err := b.Evict(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, n := b.Size()
	return n
}

func TestKeepDecoded(t *testing.T) {
	c, near := openTiers(t)
	space := c.Namespace("n")
	_ = space.Set(t.Context(), "k", []byte("value"), core.EntryOptions{Decoded: "d", DecodedWeight: 1000})
	heavy := weightOf(t, near)
	_ = near.Clear(t.Context(), "")
	e, err := space.GetEntry(t.Context(), "k")
	if err != nil || e.Decoded() != nil {
		t.Fatalf("GetEntry = %v, %v", e, err)
	}
	key := []byte("k")
	space.KeepDecoded(string(key), e, "d", 1000)
	got, err := space.GetEntry(t.Context(), "k")
	if err != nil || got.Decoded() != "d" || got.DecodedWeight() != 1000 || string(got.Value) != "value" || e.Decoded() != nil {
		t.Errorf("GetEntry = %v, %v", got, err)
	}
	if n := weightOf(t, near); n != heavy {
		t.Errorf("it weighs %d, want %d", n, heavy)
	}
	_ = space.Set(t.Context(), "k", []byte("other"), core.EntryOptions{})
	space.KeepDecoded("k", got, "d", 1000)
	if got, err = space.GetEntry(t.Context(), "k"); err != nil || got.Decoded() != nil || string(got.Value) != "other" {
		t.Errorf("an entry took the place of a later one: %v, %v", got, err)
	}
}
