package plugins

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

const (
	inBefore = hostabi.ExportBefore
	inAfter  = hostabi.ExportAfter
)

func TestValueRead(t *testing.T) {
	for _, test := range []struct {
		name           string
		cmd            core.Command
		offset, length int
		want           string
	}{
		{"whole", core.Command{Op: core.OpSet, Value: []byte("hello")}, 0, 100, "hello"},
		{"part", core.Command{Op: core.OpAppend, Value: []byte("hello")}, 1, 3, "ell"},
		{"rest", core.Command{Op: core.OpCompareAndSwap, Value: []byte("hello")}, 3, 100, "lo"},
		{"nothing", core.Command{Op: core.OpSet, Value: []byte("hello")}, 0, 0, ""},
		{"at the end", core.Command{Op: core.OpSet, Value: []byte("hello")}, 5, 100, ""},
		{"beyond the end", core.Command{Op: core.OpSet, Value: []byte("hello")}, -1, 100, ""},
		{"empty", core.Command{Op: core.OpSet}, 0, 100, ""},
		{"of a read", core.Command{Op: core.OpGet, Value: []byte("no")}, 0, 100, ""},
		{"of a delete", core.Command{Op: core.OpDelete, Value: []byte("no")}, 0, 100, ""},
	} {
		s := newScript("value")
		to := s.room(104)
		s.call(inBefore, hostabi.HostValueRead, test.offset, region2{to, uint32(test.length)})
		test.cmd.Key = "k"
		s.run(t, &test.cmd, 0)
		if n := numbers(test.cmd.Key)[13]; n != int64(len(test.want)) || test.cmd.Key[:n] != test.want || test.cmd.Key[n] != 0 {
			t.Errorf("%s: %d bytes %q, want %q", test.name, n, test.cmd.Key[:100], test.want)
		}
	}
}

// TestValueWrite writes values ahead of a write, and ends in different ways.
func TestValueWrite(t *testing.T) {
	patch := hostabi.AppendPatch(nil, hostabi.FieldValue, []byte("patched"))
	for _, test := range []struct {
		name  string
		op    core.Op
		end   func(s *script)
		wrote int64
		want  string // the value then
		kept  bool   // Decoded is
	}{
		{"go on", core.OpSet, func(s *script) { s.end(inBefore, hostabi.ActionNone, scriptBuf, 0) }, 1, "new", false},
		{"key", core.OpReplace, func(s *script) { s.reply() }, 1, "new", false},
		{"ext with a value", core.OpSet, func(s *script) {
			s.data = append(s.data, patch...)
			s.end(inBefore, hostabi.ActionExt, scriptData+uint32(len(s.data)-len(patch)), uint32(len(patch)))
		}, 1, "patched", false},
		{"ext without", core.OpSet, func(s *script) { s.end(inBefore, hostabi.ActionExt, scriptBuf, 0) }, 1, "new", false},
		{"trap", core.OpSet, func(s *script) { s.trap(inBefore) }, 1, "old", true},
		{"bad action", core.OpSet, func(s *script) { s.end(inBefore, 77, scriptBuf, 0) }, 1, "old", true},
		{"bad patch", core.OpSet, func(s *script) { s.end(inBefore, hostabi.ActionExt, scriptResults, 3) }, 1, "old", true},
		{"respond to a write", core.OpSet, func(s *script) { s.end(inBefore, hostabi.ActionRespond, scriptResults, 3) }, 1, "old", true},
		{"read", core.OpGet, func(s *script) { s.reply() }, 0, "old", true},
	} {
		s := newScript("value")
		to := s.room(8)
		s.call(inBefore, hostabi.HostValueWrite, "a first and longer value")
		s.call(inBefore, hostabi.HostValueWrite, "new")
		s.call(inBefore, hostabi.HostValueRead, 0, region2{to, 8})
		test.end(s)
		h, l := newHost(t)
		p := load(t, h, s.source())
		old := []byte("old")
		cmd := core.Command{Op: test.op, Key: "k", Value: old, Decoded: 1}
		if err := before(t, p, &cmd, new(core.Result)); err != nil {
			t.Fatal(err)
		}
		if string(cmd.Value) != test.want || (cmd.Decoded != nil) != test.kept || string(old) != "old" {
			t.Errorf("%s: value %q, decoded %v, want %q: %s", test.name, cmd.Value, cmd.Decoded, test.want, l)
		}
		if cmd.Key == "k" {
			continue
		}
		got := numbers(cmd.Key)
		if want := []int64{test.wrote, test.wrote, 3 * test.wrote}; !slices.Equal(got[1:], want) {
			t.Errorf("%s: calls returned %d, want %d", test.name, got[1:], want)
		}
	}
}

func TestValueWriteOfNothing(t *testing.T) {
	s := newScript("value")
	s.call(inBefore, hostabi.HostValueWrite, "")
	cmd := core.Command{Op: core.OpSet, Key: "k", Value: []byte("old")}
	if got := s.run(t, &cmd, 1); got[0] != 1 || cmd.Value == nil || len(cmd.Value) != 0 {
		t.Errorf("value_write = %d, value %q", got[0], cmd.Value)
	}
}

// TestValuesOfMany has the guest put each value of a command on many in front of the same text.
func TestValuesOfMany(t *testing.T) {
	s := newScript("value")
	at := s.room(8)
	s.call(inBefore, hostabi.HostValueRead, 0, region2{at, 2})
	s.call(inBefore, hostabi.HostValueWrite, region2{at, 8})
	s.end(inBefore, hostabi.ActionNone, scriptBuf, 0)
	h, l := newHost(t)
	cmd := core.Command{Op: core.OpSetMany, Keys: []string{"a", "b", "c"}, Values: [][]byte{[]byte("11"), []byte("22"), []byte("33")}}
	if err := before(t, load(t, h, s.source()), &cmd, new(core.Result)); err != nil {
		t.Fatal(err)
	}
	for i, v := range cmd.Values {
		if want := strings.Repeat(fmt.Sprint(i+1), 2) + "\x00\x00\x00\x00\x00\x00"; string(v) != want {
			t.Errorf("value %d is %q, want %q: %s", i, v, want, l)
		}
	}
}

// TestValueAfter reads and writes the value of a hit, which others see at the same time.
func TestValueAfter(t *testing.T) {
	entry := func() *core.Entry {
		return &core.Entry{Value: []byte("stored"), Expires: 5, Version: 6, Flags: 7, Codec: 8}
	}
	for _, test := range []struct {
		name string
		item core.Item
		end  func(s *script)
		want string // the value, "" for no entry
	}{
		{"hit", core.Item{Outcome: core.OutcomeHit, Entry: entry()}, func(s *script) { s.end(inAfter, hostabi.ActionNone, scriptBuf, 0) }, "new"},
		{"old value of a write", core.Item{Outcome: core.OutcomeStored, Entry: entry()}, func(s *script) { s.end(inAfter, hostabi.ActionNone, scriptBuf, 0) }, "new"},
		{"miss", core.Item{Outcome: core.OutcomeMiss}, func(s *script) { s.end(inAfter, hostabi.ActionNone, scriptBuf, 0) }, ""},
		{"respond", core.Item{Outcome: core.OutcomeHit, Entry: entry()}, func(s *script) { s.end(inAfter, hostabi.ActionRespond, scriptResults, 6) }, "stored"},
		{"trap", core.Item{Outcome: core.OutcomeHit, Entry: entry()}, func(s *script) { s.trap(inAfter) }, "stored"},
		{"bad action", core.Item{Outcome: core.OutcomeHit, Entry: entry()}, func(s *script) { s.end(inAfter, hostabi.ActionDeny, scriptBuf, 0) }, "stored"},
	} {
		s := newScript("value")
		s.call(inAfter, hostabi.HostValueRead, 0, region2{s.room(8), 8})
		s.call(inAfter, hostabi.HostValueWrite, "new")
		test.end(s)
		h, l := newHost(t)
		p := load(t, h, s.source())
		shared := test.item.Entry
		res := core.Result{Item: test.item}
		cmd := core.Command{Op: core.OpGet, Key: "k", Namespace: &core.Namespace{}, Cookies: make([]uint64, 1)}
		if err := p.Hook().After(t.Context(), &cmd, &res); err != nil {
			t.Fatal(err)
		}
		if shared != nil && string(shared.Value) != "stored" {
			t.Errorf("%s: the shared entry has become %q", test.name, shared.Value)
		}
		e := res.Entry
		if test.want == "" && e == nil {
			continue
		}
		if e == nil || string(e.Value) != test.want || e.Expires != 5 || e.Version != 6 || e.Flags != 7 || e.Codec != 8 {
			t.Errorf("%s: %+v, want %q: %s", test.name, e, test.want, l)
		}
	}
}

// TestValueThroughACache stores in one form and gives back another.
func TestValueThroughACache(t *testing.T) {
	s := newScript("value")
	s.call(inBefore, hostabi.HostValueWrite, "inside")
	s.end(inBefore, hostabi.ActionNone, scriptBuf, 0)
	s.call(inAfter, hostabi.HostValueWrite, "outside")
	s.end(inAfter, hostabi.ActionNone, scriptBuf, 0)
	h, _ := newHost(t)
	store := newStore()
	c := newCacheOver(t, store, load(t, h, s.source()))
	if err := c.Set(t.Context(), "k", []byte("value"), core.EntryOptions{TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v, err := c.Get(t.Context(), "k")
		if err != nil || string(v) != "outside" || string(store.entries["k"].Value) != "inside" {
			t.Fatalf("Get = %q, %v, stored %+v", v, err, store.entries["k"])
		}
	}
}

// TestNoValueOutsideOfHooks calls where there is no command, right after one.
func TestNoValueOutsideOfHooks(t *testing.T) {
	s := newScript("value", "trace")
	at := s.room(8)
	for _, export := range []string{hostabi.ExportInit, hostabi.ExportStats, inBefore} {
		s.call(export, hostabi.HostValueRead, 0, region2{at, 8})
		s.call(export, hostabi.HostValueWrite, "x")
		s.call(export, hostabi.HostSpanAttr, "key", "value")
	}
	s.code[hostabi.ExportInit] = append(s.code[hostabi.ExportInit], 0x41, 0)
	s.code[hostabi.ExportStats] = append(s.code[hostabi.ExportStats], 0x42, 0)
	s.reply()
	h, l := newHost(t)
	src := s.source()
	src.Manifest = bytes.Replace(src.Manifest, []byte(`"needs"`), []byte(`"stateful":true,"needs"`), 1)
	p := load(t, h, src)
	for range 2 {
		cmd := core.Command{Op: core.OpSet, Key: "k", Value: []byte("value")}
		if err := before(t, p, &cmd, new(core.Result)); err != nil {
			t.Fatal(err)
		}
		if got, want := numbers(cmd.Key)[1:], []int64{0, 0, 0, 0, 5, 1}; !slices.Equal(got, want) {
			t.Errorf("in init, stats and before: %d, want %d: %s", got, want, l)
		}
		if _, err := p.Report(); err != nil {
			t.Fatal(err)
		}
	}
	p.current.Load().hooks.each(func(in *instance) {
		if in.scope.cmd != nil {
			t.Error("the instance holds on to a command")
		}
	})
}

// TestPureGuestsThatWriteAreNotRemembered calls the same key until it would be.
func TestPureGuestsThatWriteAreNotRemembered(t *testing.T) {
	s := newScript("value")
	s.call(inBefore, hostabi.HostValueWrite, "new")
	s.end(inBefore, hostabi.ActionNone, scriptBuf, 0)
	h, _ := newHost(t)
	src := s.source()
	src.Manifest = bytes.Replace(src.Manifest, []byte(`"needs"`), []byte(`"pure":true,"needs"`), 1)
	p := load(t, h, src)
	for range 4 {
		cmd := core.Command{Op: core.OpSet, Key: "k", Value: []byte("old"), Namespace: pureNamespace}
		if err := before(t, p, &cmd, new(core.Result)); err != nil || string(cmd.Value) != "new" {
			t.Errorf("value %q, %v", cmd.Value, err)
		}
	}
}

// traced runs a command in a trace and returns the attributes of its span that the plugin set.
func traced(t *testing.T, p *Plugin, cmd *core.Command) map[string]string {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	c, err := core.New(core.Options{
		Tiers: []core.Tier{{Name: "map", Backend: newStore()}}, Hooks: []core.Hook{p.Hook()}, TracerProvider: provider,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, root := provider.Tracer("test").Start(t.Context(), "root")
	if err := c.Do(ctx, cmd, new(core.Result)); err != nil {
		t.Fatal(err)
	}
	root.End()
	if cmd.Traced() {
		t.Error("the command is traced beyond its end")
	}
	found := make(map[string]string)
	for _, span := range recorder.Ended() {
		for _, a := range span.Attributes() {
			if strings.HasPrefix(string(a.Key), "edgecache.plugin.") {
				if !strings.HasPrefix(span.Name(), "command ") {
					t.Errorf("span %q has attribute %s", span.Name(), a.Key)
				}
				found[string(a.Key)] = a.Value.AsString()
			}
		}
	}
	return found
}

func TestSpanAttributes(t *testing.T) {
	s := newScript("trace")
	s.call(inBefore, hostabi.HostSpanAttr, "tenant", "acme")
	s.call(inBefore, hostabi.HostSpanAttr, "tenant", "other")
	s.call(inBefore, hostabi.HostSpanAttr, "long", strings.Repeat("é", 200))
	s.call(inBefore, hostabi.HostSpanAttr, "bad", "a\xffb\xc3")
	s.end(inBefore, hostabi.ActionNone, scriptBuf, 0)
	for i := range hostabi.MaxSpanAttrs + 1 {
		s.call(inAfter, hostabi.HostSpanAttr, fmt.Sprint(i), "")
	}
	s.end(inAfter, hostabi.ActionNone, scriptBuf, 0)
	h, l := newHost(t)
	p := load(t, h, s.source())
	for range 2 { // the limit is one for each call
		got := traced(t, p, &core.Command{Op: core.OpGet, Key: "k"})
		want := map[string]string{"tenant": "other", "long": strings.Repeat("é", 128), "bad": "a\uFFFDb\uFFFD"}
		for i := range hostabi.MaxSpanAttrs {
			want[fmt.Sprint(i)] = ""
		}
		for key, value := range want {
			if v, ok := got["edgecache.plugin.script."+key]; !ok || v != value {
				t.Errorf("%s = %q, %v, want %q", key, v, ok, value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d attributes, want %d: %s", len(got), len(want), l)
		}
	}
}

func TestBadSpanAttributes(t *testing.T) {
	for _, key := range []string{"", "Key", "a key", ".key", strings.Repeat("k", 65)} {
		s := newScript("trace")
		s.call(inBefore, hostabi.HostSpanAttr, key, "value")
		s.fails(t, core.OpGet, "called span_attr with name ")
	}
}

func TestSpanValue(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		strings.Repeat("a", 256):              strings.Repeat("a", 256),
		strings.Repeat("a", 257):              strings.Repeat("a", 256),
		strings.Repeat("a", 255) + "é":        strings.Repeat("a", 255),
		strings.Repeat("a", 254) + "é":        strings.Repeat("a", 254) + "é",
		strings.Repeat("a", 253) + "😀":        strings.Repeat("a", 253),
		strings.Repeat("a", 253) + "\xff\xff": strings.Repeat("a", 253) + "\uFFFD",
		strings.Repeat("a", 254) + "\xff":     strings.Repeat("a", 254),
		strings.Repeat("\xff", 10_000):        "\uFFFD",
	} {
		if got := spanValue([]byte(in)); got != want {
			t.Errorf("spanValue(%q) = %q, want %q", in, got, want)
		}
	}
}

// BenchmarkScope is what capability value costs a guest that does nothing, and what value_read costs.
func BenchmarkScope(b *testing.B) {
	for _, bench := range []struct {
		name, needs string
		reads       int
	}{{"log", "log", 0}, {"value", "value", 0}, {"read 32", "value", 1}, {"read 32 twice", "value", 2}} {
		s := newScript(bench.needs)
		for range bench.reads {
			s.call(inBefore, hostabi.HostValueRead, 0, region2{scriptFree, 32})
		}
		s.end(inBefore, hostabi.ActionNone, scriptBuf, 0)
		h, _ := newHost(b)
		hook := load(b, h, s.source()).Hook()
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			cmd := core.Command{Op: core.OpSet, Key: "k", Value: make([]byte, 32), Namespace: pureNamespace, Cookies: make([]uint64, 1)}
			var res core.Result
			for b.Loop() {
				if err := hook.Before(context.Background(), &cmd, &res); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzSpanValue gives a guest's bytes to a span: what gets there is text of a limited length.
func FuzzSpanValue(f *testing.F) {
	for _, s := range []string{"", "plain", strings.Repeat("é", 200), strings.Repeat("a", 254) + "\xff", strings.Repeat("\xf0\x9f", 200)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := spanValue(b)
		if len(got) > hostabi.MaxSpanValue || !utf8.ValidString(got) {
			t.Errorf("spanValue(%q) = %q", b, got)
		}
		if utf8.Valid(b) && !strings.HasPrefix(string(b), got) || utf8.Valid(b) && len(b) <= hostabi.MaxSpanValue && got != string(b) {
			t.Errorf("spanValue(%q) = %q", b, got)
		}
	})
}
