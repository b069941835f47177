package plugins

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// TestFeatures asks a guest what ec_init was told.
func TestFeatures(t *testing.T) {
	for _, test := range []struct {
		needs []string
		want  int64
	}{
		{[]string{"log"}, 0},
		{[]string{"kv"}, hostabi.FeatureKV},
		{[]string{"trace", "value"}, hostabi.FeatureTrace | hostabi.FeatureValue},
		{[]string{"value", "kv", "metrics", "trace", "clock"}, 15},
	} {
		s := newScript(test.needs...)
		s.keep(hostabi.ExportInit, []byte{0x20, 1}, hostabi.I64)
		s.code[hostabi.ExportInit] = append(s.code[hostabi.ExportInit], 0x41, 0)
		if got := s.run(t, &core.Command{Op: core.OpGet, Key: "k"}, 1); got[0] != test.want {
			t.Errorf("with %q: features %b, want %b", test.needs, got[0], test.want)
		}
	}
}

// TestGrantedFunctionsOutsideMemory gives every region of every function to the host where the guest has no memory.
func TestGrantedFunctionsOutsideMemory(t *testing.T) {
	good := map[string][]any{
		hostabi.HostValueRead:    {0, "to"},
		hostabi.HostValueWrite:   {"value"},
		hostabi.HostKVGet:        {"key", "to"},
		hostabi.HostKVSet:        {"key", "value", 0},
		hostabi.HostKVCAS:        {"key", "old", "new", 0},
		hostabi.HostKVAdd:        {"key", 1, 0},
		hostabi.HostKVDelete:     {"key"},
		hostabi.HostMetricDefine: {hostabi.MetricCounter, "name"},
		hostabi.HostSpanAttr:     {"key", "value"},
	}
	for function, args := range good {
		for i, arg := range args {
			if _, ok := arg.(string); !ok {
				continue
			}
			for _, bad := range []region2{
				{scriptEnd, 1},
				{scriptEnd - 1, 2},
				{0, scriptEnd + 1},
				{0xffffffff, 1},
				{1, 0xffffffff},
				{scriptData, 0x80000000},
				{scriptEnd + 1, 0},
				{scriptData, 0xfffffffe},
			} {
				s := newScript("value", "kv", "metrics", "trace")
				changed := slices.Clone(args)
				changed[i] = bad
				if function == hostabi.HostKVCAS && i == 1 && int32(bad.length) == hostabi.KVNone {
					continue // expects no entry: the address has no meaning
				}
				s.call(hostabi.ExportBefore, function, changed...)
				s.fails(t, core.OpSet, fmt.Sprintf("called %s with %d bytes at %d, outside its memory of %d",
					function, bad.length, bad.address, scriptEnd))
			}
		}
	}
}

// TestGrantedFunctionsAllocateNothing calls those that hot paths are made of.
func TestGrantedFunctionsAllocateNothing(t *testing.T) {
	s := newScript("value", "kv", "metrics", "trace")
	const before = hostabi.ExportBefore
	s.call(before, hostabi.HostValueRead, 1, region2{scriptFree, 100})
	s.call(before, hostabi.HostKVSet, "state", "of a length that stays, as that of most is", 60_000)
	s.call(before, hostabi.HostKVGet, "state", region2{scriptFree, 100})
	s.call(before, hostabi.HostKVGet, "a key that nobody has ever set, which is also rather long", region2{scriptFree, 100})
	s.call(before, hostabi.HostKVCAS, "state", "something else", "new", 0)
	s.call(before, hostabi.HostKVAdd, "calls", 1, 60_000)
	for kind, name := range []string{"c", "g", "h"} {
		s.call(before, hostabi.HostMetricDefine, kind, name)
	}
	s.call(before, hostabi.HostCounterAdd, 0, 1)
	s.call(before, hostabi.HostGaugeSet, 1, 1)
	s.call(before, hostabi.HostHistRecord, 2, 1)
	s.call(before, hostabi.HostSpanAttr, "key", strings.Repeat("nobody traces this", 10))
	s.reply()
	h, _ := newHost(t)
	p := load(t, h, s.source())
	c := hookedCache(t, p.Hook())
	var cmd core.Command
	var res core.Result
	value := []byte("value")
	allocs := testing.AllocsPerRun(1000, func() {
		cmd.Op, cmd.Key, cmd.Value = core.OpSet, "k", value
		if err := c.Do(context.Background(), &cmd, &res); err != nil {
			t.Fatal(err)
		}
	})
	if n := p.Stats(); allocs != 0 || len(n.Failures) > 0 || n.KVEntries != 2 {
		t.Errorf("%v allocations, %+v", allocs, n)
	}
}

// TestAGuestThatTalksHidesNothing floods the log and fails: why it failed must be in the log.
func TestAGuestThatTalksHidesNothing(t *testing.T) {
	s := newScript("log")
	for range 1000 {
		s.call(hostabi.ExportBefore, hostabi.HostLog, hostabi.LogError, "blah")
	}
	s.trap(hostabi.ExportBefore)
	h, l := newHost(t)
	p := load(t, h, s.source())
	if err := before(t, p, &core.Command{Op: core.OpGet, Key: "k"}, new(core.Result)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(l.String(), "blah"); n < logBurst || n > logBurst+10 {
		t.Errorf("%d lines of the guest, want about %d", n, logBurst)
	}
	if !strings.Contains(l.String(), "ec_before: trap: unreachable") {
		t.Errorf("the failure is not in the log: %s", l)
	}
}
