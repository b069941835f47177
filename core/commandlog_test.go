package core_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
)

func TestCommandLog(t *testing.T) {
	var out bytes.Buffer
	o := oneTier(t)
	o.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.LogCommands = true
	c := newCache(t, o)
	if err := c.SetHooks(nil, nil); err != nil { // it stays
		t.Fatal(err)
	}
	ctx := t.Context()
	_ = c.Namespace("ns").Set(ctx, "k", []byte("secret"), core.EntryOptions{})
	_, _ = c.Get(ctx, "none")
	_, _ = c.DeleteMany(ctx, []string{"a", "b"})
	_, _ = c.DeleteMany(ctx, nil)
	_, _ = c.Raw(ctx, "x")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{
		"op=set namespace=ns key=k outcome=stored tier=1 seconds=",
		"op=get key=none outcome=miss tier=0 seconds=",
		"op=delete_many key=a keys=2 outcome=miss tier=0 seconds=",
		"op=delete_many outcome=none tier=0",
		`op=raw key="" outcome=error tier=0 seconds=`,
	} {
		if i >= len(lines) || !strings.Contains(lines[i], "level=DEBUG msg=command "+want) {
			t.Errorf("line %d of %q, want %q", i, lines, want)
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("values are logged")
	}
}

// TestCommandLogIsFree has it cost nothing where nothing would be logged.
func TestCommandLogIsFree(t *testing.T) {
	var out bytes.Buffer
	o := oneTier(t)
	o.Logger, o.LogCommands = slog.New(slog.NewTextHandler(&out, nil)), true
	c := newCache(t, o)
	fillKeys(t, c, "k")
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, "k") }); n != 0 || out.Len() > 0 {
		t.Errorf("%v allocations, logged %q", n, out.String())
	}
}
