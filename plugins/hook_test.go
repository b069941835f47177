package plugins

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/edgecache/edgecache/core"
)

func TestBefore(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	for _, test := range []struct {
		key     string
		wantKey string
		outcome core.Outcome
		value   string
		err     string // with core.ErrRejected
	}{
		{key: "pass:x", wantKey: "pass:x"},
		{key: "up:abc\x00\xffxyz", wantKey: "UP:ABC\x00\xffXYZ"},
		{key: "respond:hello", wantKey: "respond:hello", outcome: core.OutcomeHit, value: "hello"},
		{key: "respond:", wantKey: "respond:", outcome: core.OutcomeHit},
		{key: "miss:x", wantKey: "miss:x", outcome: core.OutcomeBypass},
		{key: "deny:not\nyou", wantKey: "deny:not\nyou", err: "rejected by plugin actor: not you"},
		{key: "deny:", wantKey: "deny:", err: "rejected by plugin actor"},
		{key: "ext:x", wantKey: "patched"},
		{key: "args:", wantKey: "1000010"},
		{key: "clock:", wantKey: "y"},
		{key: "hash:", wantKey: string(binary.LittleEndian.AppendUint64(nil, xxhash.Sum64String("hash:")))},
		{key: "", wantKey: ""},
	} {
		cmd, res := core.Command{Op: core.OpGet, Key: test.key}, core.Result{}
		err := before(t, p, &cmd, &res)
		if (test.err == "") != (err == nil) || err != nil && (err.Error() != test.err || !errors.Is(err, core.ErrRejected)) {
			t.Errorf("Before(%q) = %v, want %q", test.key, err, test.err)
		}
		if cmd.Key != test.wantKey || res.Outcome != test.outcome {
			t.Errorf("Before(%q): key %q, outcome %v, want %q, %v", test.key, cmd.Key, res.Outcome, test.wantKey, test.outcome)
		}
		if test.outcome == core.OutcomeHit && string(res.Entry.Value) != test.value {
			t.Errorf("Before(%q): value %q, want %q", test.key, res.Entry.Value, test.value)
		}
	}
}

func TestBeforeWrites(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	for _, test := range []struct {
		ttl  time.Duration
		want string
	}{
		{0, "3300010"},
		{1500 * time.Microsecond, "3300010"},
		{3 * time.Second, "3330010"},
		{2*time.Second + 1, "3320010"},
		{core.NoExpiry, "33b0010"},
		{core.KeepTTL, "33c0010"},
	} {
		cmd, res := core.Command{Op: core.OpSet, Key: "args", Value: []byte("abc"), TTL: test.ttl}, core.Result{}
		if err := before(t, p, &cmd, &res); err != nil || cmd.Key != test.want {
			t.Errorf("ttl %v: guest was told %q, %v, want %q", test.ttl, cmd.Key, err, test.want)
		}
	}
	value := []byte("old")
	cmd, res := core.Command{Op: core.OpSet, Key: "ext", Value: value, TTL: time.Hour, Decoded: 1}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil {
		t.Fatal(err)
	}
	if cmd.Key != "patched" || string(cmd.Value) != "new" || cmd.TTL != 1500*time.Millisecond || cmd.Decoded != nil {
		t.Errorf("patched command: %q %q %v %v", cmd.Key, cmd.Value, cmd.TTL, cmd.Decoded)
	}
	if string(value) != "old" {
		t.Errorf("the caller's value was changed to %q", value)
	}
}

func TestBatch(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	cmd := core.Command{Op: core.OpGetMany, Keys: []string{"pass", "up:a", "respond:1", "deny:no", "miss", "args", "trap", "up:b"}}
	var res core.Result
	if err := before(t, p, &cmd, &res); err != nil {
		t.Fatal(err)
	}
	want := []string{"pass", "UP:A", "respond:1", "deny:no", "miss", "2001580", "trap", "UP:B"}
	for i, w := range want {
		if cmd.Keys[i] != w {
			t.Errorf("key %d = %q, want %q", i, cmd.Keys[i], w)
		}
	}
	outcomes := []core.Outcome{0, 0, core.OutcomeHit, core.OutcomeDenied, core.OutcomeBypass, 0, 0, 0}
	for i, w := range outcomes {
		if res.Items[i].Outcome != w {
			t.Errorf("outcome %d = %v, want %v", i, res.Items[i].Outcome, w)
		}
	}
	if err := res.Items[3].Err; !errors.Is(err, core.ErrRejected) {
		t.Errorf("denied key has error %v", err)
	}
}

func TestBatchFailingClosed(t *testing.T) {
	h, _ := newHost(t)
	src := actorSource()
	src.Grants.Failure = "closed"
	p := load(t, h, src)
	cmd, res := core.Command{Op: core.OpGetMany, Keys: []string{"up:a", "trap", "up:b"}}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil {
		t.Fatal(err)
	}
	if i := res.Items[1]; i.Outcome != core.OutcomeError || !errors.Is(i.Err, core.ErrPlugin) {
		t.Errorf("trapped key: %v, %v", i.Outcome, i.Err)
	}
	if cmd.Keys[0] != "UP:A" || cmd.Keys[2] != "UP:B" {
		t.Errorf("keys %q", cmd.Keys)
	}
}

// TestNamespaces goes through a cache, which is what numbers namespaces.
func TestNamespaces(t *testing.T) {
	h, _ := newHost(t)
	store := newStore()
	shop := newCacheOver(t, store, load(t, h, actorSource())).Namespace("shop")
	for key, want := range map[string]string{
		"ns:a:1":     "a:ns:a:1",
		"ns:a%2Fb:1": "a%2Fb:ns:a%2Fb:1",
		"ns::1":      "ns::1",
		"args":       "shop:3100011shop",
		"badns":      "shop:badns",
	} {
		clear(store.entries)
		if err := shop.Set(t.Context(), key, []byte("v"), core.EntryOptions{}); err != nil {
			t.Fatal(err)
		}
		if len(store.entries) != 1 || store.entries[want] == nil {
			t.Errorf("%q was stored as %v, want %q", key, slices.Collect(maps.Keys(store.entries)), want)
		}
	}
}

func TestNamespacesOfBatches(t *testing.T) {
	h, _ := newHost(t)
	c := newCache(t, load(t, h, actorSource()))
	for _, test := range []struct {
		keys    []string
		wantErr error
	}{
		{[]string{"ns:a:1", "ns:a:2"}, nil},
		{[]string{"ns:a:1", "respond:x", "ns:a:2"}, nil},
		{[]string{"ns:a:1", "ns:b:2"}, core.ErrRejected},
		{[]string{"ns:a:1", "pass"}, core.ErrRejected},
		{[]string{"pass", "ns:a:1"}, core.ErrRejected},
	} {
		cmd, res := core.Command{Op: core.OpGetMany, Keys: test.keys}, core.Result{}
		if err := c.Do(t.Context(), &cmd, &res); !errors.Is(err, test.wantErr) {
			t.Errorf("%q: %v, want %v", test.keys, err, test.wantErr)
		}
	}
}

func TestAfter(t *testing.T) {
	h, _ := newHost(t)
	c := newCache(t, load(t, h, actorSource()))
	ctx := t.Context()
	if err := c.Set(ctx, "cookie", []byte("value"), core.EntryOptions{}); err != nil {
		t.Fatal(err)
	}
	v, err := c.Get(ctx, "cookie")
	if err != nil || string(v) != "after:115" { // hit, nearest tier, 5 bytes
		t.Errorf("Get = %q, %v", v, err)
	}
	cmd, res := core.Command{Op: core.OpGetMany, Keys: []string{"cookie", "cookie:none", "cookie"}}, core.Result{}
	if err := c.Do(ctx, &cmd, &res); err != nil {
		t.Fatal(err)
	}
	if string(res.Items[0].Entry.Value) != "after:115" || res.Items[1].Outcome != core.OutcomeMiss {
		t.Errorf("items %+v", res.Items)
	}
	for _, key := range []string{"aftertrap", "afterdeny"} { // failing open
		if _, err := c.Get(ctx, key); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("Get(%q) = %v", key, err)
		}
	}
}

func TestFailures(t *testing.T) {
	for _, test := range []struct{ key, kind, text string }{
		{"trap", "trap", "unreachable"},
		{"outside", "memory", "out of bounds memory access"},
		{"divide", "trap", "integer divide by zero"},
		{"shadow", "memory", "out of bounds memory access"},
		{"stack", "fuel", "it used up 1000000 units"},
		{"farkey", "protocol", "outside its memory"},
		{"longkey", "protocol", "outside its memory"},
		{"badaction", "protocol", "unknown action 77"},
		{"badtext", "protocol", "not UTF-8"},
		{"badpatch", "protocol", "patch"},
		{"noneargs", "protocol", "returned none with an offset or a length"},
		{"badlog", "protocol", "called log with 100 bytes"},
		{"badrandom", "protocol", "100000 random bytes"},
	} {
		t.Run(test.key, func(t *testing.T) {
			h, l := newHost(t)
			other := load(t, h, Source{Name: "other", Wasm: actor, Manifest: []byte(actorManifest)})
			src := actorSource(`"memory_pages"`, `"failure": "closed", "memory_pages"`)
			p := load(t, h, src)
			cmd, res := core.Command{Op: core.OpGet, Key: test.key}, core.Result{}
			err := before(t, p, &cmd, &res)
			var guest *GuestError
			if !errors.As(err, &guest) || !errors.Is(err, core.ErrPlugin) {
				t.Fatalf("Before = %v", err)
			}
			if guest.Kind.String() != test.kind || !strings.Contains(guest.Error(), test.text) || strings.Contains(guest.Error(), "\n") ||
				!strings.HasPrefix(guest.Error(), "plugin actor: ec_before: ") {
				t.Errorf("error %q, want kind %s and %q", guest, test.kind, test.text)
			}
			if cmd.Key != test.key || res.Outcome != core.OutcomeNone {
				t.Errorf("the command was changed: %q %v", cmd.Key, res.Outcome)
			}
			if !strings.Contains(l.String(), "plugin failed") {
				t.Error("nothing was logged")
			}
			for _, p := range []*Plugin{p, other} {
				cmd.Key = "up:still works"
				if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "UP:STILL WORKS" {
					t.Errorf("afterwards: %q, %v", cmd.Key, err)
				}
			}
			if s := p.Stats(); s.Failures[test.kind] != 1 || other.Stats().Failures[test.kind] != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestFailingOpen(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	cmd, res := core.Command{Op: core.OpGet, Key: "trap"}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "trap" || res.Outcome != core.OutcomeNone {
		t.Errorf("Before = %v, key %q, outcome %v", err, cmd.Key, res.Outcome)
	}
}

func TestMemoryBomb(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	cmd, res := core.Command{Op: core.OpGet, Key: "bomb"}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "8" { // the manifest's memory_pages
		t.Errorf("grew to %q pages, %v", cmd.Key, err)
	}
	if s := p.Stats(); s.MemoryBytes > 2*8*65536 || len(s.Failures) != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestLongKeys(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource())
	for _, n := range []int{900, 5000, 8192, 8193, 65536, 65537, 1 << 20} {
		key := "up:" + strings.Repeat("a", n-3)
		want := strings.ToUpper(key)
		if n > 8192 { // the guest has no room
			want = key
		}
		cmd, res := core.Command{Op: core.OpGet, Key: key}, core.Result{}
		if err := before(t, p, &cmd, &res); err != nil || cmd.Key != want {
			t.Errorf("key of %d bytes: %.20q, %v", n, cmd.Key, err)
		}
	}
	if s := p.Stats(); s.Refused != 4 || len(s.Failures) != 0 {
		t.Errorf("stats %+v", s)
	}
	src := actorSource()
	src.Grants.Failure = "closed"
	closed := load(t, h, src)
	cmd, res := core.Command{Op: core.OpGet, Key: strings.Repeat("a", 8193)}, core.Result{}
	if err := before(t, closed, &cmd, &res); !errors.Is(err, core.ErrBadKey) {
		t.Errorf("Before = %v", err)
	}
	// Neither is it a failure that the guest makes a key too long.
	cmd.Key = "bigkey"
	if err := before(t, closed, &cmd, &res); !errors.Is(err, core.ErrBadKey) || cmd.Key != "bigkey" {
		t.Errorf("Before = %v, key %.20q", err, cmd.Key)
	}
	if s := closed.Stats(); s.Refused != 2 || len(s.Failures) != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestBreaker(t *testing.T) {
	h, l := newHost(t)
	p := load(t, h, actorSource())
	cmd, res := core.Command{Op: core.OpGet}, core.Result{}
	for range breakerFailures {
		cmd.Key = "trap"
		if err := before(t, p, &cmd, &res); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Key = "up:a"
	if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "up:a" {
		t.Errorf("the guest was called: %q, %v", cmd.Key, err)
	}
	if s := p.Stats(); s.Breaker != "open" || s.Skipped != 1 {
		t.Errorf("stats %+v", s)
	}
	if !strings.Contains(l.String(), "left out for a while") {
		t.Error("nothing was logged")
	}
	p.current.Load().breaker.until.Store(1) // the pause is over
	if s := p.Stats(); s.Breaker != "half-open" {
		t.Errorf("breaker is %s", s.Breaker)
	}
	if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "UP:A" {
		t.Errorf("the probe: %q, %v", cmd.Key, err)
	}
	if s := p.Stats(); s.Breaker != "closed" {
		t.Errorf("breaker is %s", s.Breaker)
	}
}

func TestPure(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource(`["before", "after", "observe"]`, `["before"]`, `"memory_pages"`, `"pure": true, "memory_pages"`))
	for _, test := range []struct {
		key, want string
		calls     uint64 // in ten rounds
	}{
		{"up:a", "UP:A", 2},
		{"pass", "pass", 2},
		{"ext", "patched", 10},
		{"up:" + strings.Repeat("a", memoMaxKey), "UP:" + strings.Repeat("A", memoMaxKey), 10},
	} {
		was := p.Stats().Calls
		for range 10 {
			cmd, res := core.Command{Op: core.OpGet, Key: test.key, Namespace: pureNamespace}, core.Result{}
			if err := before(t, p, &cmd, &res); err != nil || cmd.Key != test.want {
				t.Fatalf("%q became %q, %v", test.key, cmd.Key, err)
			}
		}
		if n := p.Stats().Calls - was; n != test.calls {
			t.Errorf("%.10q: %d calls, want %d", test.key, n, test.calls)
		}
	}
}

var pureNamespace = new(core.Namespace)

func TestCapabilitiesOfOps(t *testing.T) {
	h, _ := newHost(t)
	for ops, want := range map[string]core.OpMask{
		`["*"]`:          core.AllOps &^ core.Ops(core.OpClear, core.OpKeys, core.OpRaw),
		`["get","keys"]`: core.Ops(core.OpGet, core.OpKeys),
	} {
		p := load(t, h, actorSource(`["*"]`, ops))
		if s := p.Hook().Spec(); s.Before != want || s.After != want || s.Name != "actor" {
			t.Errorf("ops %s: spec %+v", ops, s)
		}
	}
	p := load(t, h, actorSource())
	if s := p.Observer().Spec(); s.Ops != core.AllOps || !s.Clock || s.KeyHash {
		t.Errorf("spec %+v", s)
	}
	if load(t, h, actorSource(`["before", "after", "observe"]`, `["before"]`)).Observer() != nil ||
		load(t, h, actorSource(`["before", "after", "observe"]`, `["observe"]`)).Hook() != nil {
		t.Error("a plugin is what it did not ask to be")
	}
}

func TestGuestLog(t *testing.T) {
	h, l := newHost(t)
	p := load(t, h, actorSource())
	for range 1000 {
		cmd, res := core.Command{Op: core.OpGet, Key: "log:hi\xff there"}, core.Result{}
		if err := before(t, p, &cmd, &res); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Count(l.String(), "plugin says")
	if lines == 0 || lines > 2*logBurst || !strings.Contains(l.String(), "there") || !strings.Contains(l.String(), "plugin=actor") {
		t.Errorf("%d lines: %.300s", lines, l)
	}
}

func TestWaiting(t *testing.T) {
	h, _ := newHost(t)
	p := load(t, h, actorSource(`"memory_pages"`, `"stateful": true, "memory_pages"`))
	pool := p.current.Load().hooks
	in, err := pool.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		cmd := core.Command{Op: core.OpGet, Key: "pass", Namespace: pureNamespace, Cookies: []uint64{0}}
		done <- p.Hook().Before(ctx, &cmd, new(core.Result))
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for pool.waiters.Load() == 0 {
		<-tick.C
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Before = %v", err)
	}
	pool.release(in)
}
