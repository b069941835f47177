package abitest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// config checks ec_init: what it is given, and what comes of its refusal and its failure.
func (k *kit) config(t *testing.T) {
	const config = `{"a": ["1", 2, null]}`
	g := k.load(t, config, nil)
	if got := ask(t, g, "config"); got != config {
		t.Errorf("the configuration was %q, want %q", got, config)
	}
	var features uint64
	for _, f := range []struct {
		capability string
		bit        uint64
	}{
		{"value", hostabi.FeatureValue},
		{"kv", hostabi.FeatureKV},
		{"metrics", hostabi.FeatureMetrics},
		{"trace", hostabi.FeatureTrace},
	} {
		if slices.Contains(k.grants, f.capability) {
			features |= f.bit
		}
	}
	if got := ask(t, g, "features"); got != strconv.FormatUint(features, 10) {
		t.Errorf("features are %s, want %d", got, features)
	}
	long := `{"long":"` + strings.Repeat("x", 20000) + `"}`
	if got := ask(t, k.load(t, long, nil), "config"); got != long[:1024] {
		t.Errorf("a configuration of %d bytes begins with %.80q", len(long), got)
	}
	if _, err := k.host.Load(t, k.plugin(t, `{"refuse":"not with me"}`, nil)); !contains(err, "not with me") {
		t.Errorf("a configuration that the guest refuses: Load = %v", err)
	}
	if _, err := k.host.Load(t, k.plugin(t, `{"trap":1}`, nil)); err == nil {
		t.Error("a guest that traps in ec_init is loaded")
	}
}

// keys checks action key in all lengths.
func (k *kit) keys(t *testing.T) {
	g := k.load(t, "", nil)
	for _, test := range []struct{ key, want string }{
		{"pass", "pass"},
		{"pass:", "pass:"},
		{"", ""},
		{":", ":"},
		{"unknown:x", "unknown:x"},
		{"passes:x", "passes:x"},
		{"upper:abc\x00\xff xyz", "UPPER:ABC\x00\xff XYZ"},
		{"upper:", "UPPER:"},
		{"cut:x", "x"},
		{"cut:\x00:\xff", "\x00:\xff"},
		{"cut:", ""},
		{"long:1", "x"},
		{"long:0", ""},
		{"long:300", strings.Repeat("x", 300)},
		{"long:5000", strings.Repeat("x", 5000)},
		{"long:65535", strings.Repeat("x", 65535)},
		{"long:65536", strings.Repeat("x", 65536)},
		{"long:", "long:"},
		{"long:-1", "long:-1"},
		{"long:65537", "long:65537"},
	} {
		wantSent(t, strconv.Quote(test.key), do(t, g, hostabi.OpGet, test.key, ""), test.want)
	}
	for _, op := range []uint8{
		hostabi.OpSet, hostabi.OpAdd, hostabi.OpReplace, hostabi.OpAppend, hostabi.OpPrepend, hostabi.OpExists, hostabi.OpTTL,
		hostabi.OpExpire, hostabi.OpDelete,
	} {
		wantSent(t, hostabi.OpName(op), do(t, g, op, "upper:a", "v"), "UPPER:A")
	}
}

// arguments checks what ec_before is called with.
func (k *kit) arguments(t *testing.T) {
	g := k.load(t, "", nil)
	for _, test := range []struct {
		c    Command
		want string
	}{
		{Command{Op: hostabi.OpGet}, "op=1 key=6 value=0 ttl=0 flags=0 ns= batch=0/1"},
		{Command{Op: hostabi.OpGet, Namespace: "shop"}, "op=1 key=6 value=0 ttl=0 flags=0 ns=shop batch=0/1"},
		{Command{Op: hostabi.OpDelete, Namespace: "shop/carts"}, "op=15 key=6 value=0 ttl=0 flags=0 ns=shop/carts batch=0/1"},
		{Command{Op: hostabi.OpSet, Value: "abc"}, "op=3 key=6 value=3 ttl=0 flags=0 ns= batch=0/1"},
		{Command{Op: hostabi.OpSet, Value: "", TTL: 1500}, "op=3 key=6 value=0 ttl=1500 flags=0 ns= batch=0/1"},
		{Command{Op: hostabi.OpSet, Value: "a", TTL: hostabi.TTLNone}, "op=3 key=6 value=1 ttl=-1 flags=0 ns= batch=0/1"},
		{Command{Op: hostabi.OpSet, Value: "a", TTL: hostabi.TTLKeep}, "op=3 key=6 value=1 ttl=-2 flags=0 ns= batch=0/1"},
		{Command{Op: hostabi.OpAdd, Value: "a", TTL: 90 * 24 * 3600 * 1000}, "op=5 key=6 value=1 ttl=7776000000 flags=0 ns= batch=0/1"},
		{Command{Op: hostabi.OpExists}, "op=12 key=6 value=0 ttl=0 flags=0 ns= batch=0/1"},
	} {
		test.c.Keys = []string{"args:x"}
		wantSent(t, fmt.Sprintf("%+v", test.c), send(t, g, test.c)[0], "args "+test.want)
	}
	for op, value := range map[uint8]string{hostabi.OpGetMany: "", hostabi.OpSetMany: "abc", hostabi.OpDeleteMany: ""} {
		r := send(t, g, Command{Op: op, Namespace: "shop", Keys: []string{"args", "pass", "args:xyz"}, Value: value})
		for i, key := range []string{"args", "", "args:xyz"} {
			if key == "" {
				continue
			}
			want := fmt.Sprintf("args op=%d key=%d value=%d ttl=0 flags=%d ns=shop batch=%d/3", op, len(key), len(value), hostabi.CallBatch, i)
			wantSent(t, hostabi.OpName(op), r[i], want)
		}
	}
}

// answers checks the actions respond, deny and miss.
func (k *kit) answers(t *testing.T) {
	g := k.load(t, "", nil)
	for _, value := range []string{"hello", "", "\x00\xff", strings.Repeat("v", 50000)} {
		if got := ask(t, g, "respond:"+value); got != value {
			t.Errorf("respond with %.80q became %.80q", value, got)
		}
	}
	for _, op := range []uint8{hostabi.OpGet, hostabi.OpSet, hostabi.OpDelete} {
		for _, reason := range []string{"not you", "", "ünïcode", strings.Repeat("r", 1024)} {
			item := do(t, g, op, "deny:"+reason, "v")
			if item.Outcome != hostabi.OutcomeDenied || !strings.Contains(item.Err, reason) || item.Sent != nil {
				t.Errorf("%s denied with %.80q became %+v", hostabi.OpName(op), reason, item)
			}
		}
	}
	set(t, g, "", "pass", "v")
	for _, op := range []uint8{hostabi.OpGet, hostabi.OpSet} {
		item := do(t, g, op, "miss", "v")
		if item.Outcome == hostabi.OutcomeHit || item.Outcome == hostabi.OutcomeDenied || item.Outcome == hostabi.OutcomeError || item.Sent != nil {
			t.Errorf("%s with action miss became %+v", hostabi.OpName(op), item)
		}
	}
}

// patches checks action ext.
func (k *kit) patches(t *testing.T) {
	g := k.load(t, "", nil)
	write := func(namespace, key string, ttl int64) Sent {
		t.Helper()
		item := send(t, g, Command{Op: hostabi.OpSet, Namespace: namespace, Keys: []string{key}, Value: "old", TTL: ttl})[0]
		if item.Sent == nil {
			t.Fatalf("set %q did not get to the tier: %s", key, item.Err)
		}
		return *item.Sent
	}
	for _, test := range []struct {
		namespace, key string
		ttl            int64
		want           Sent
	}{
		{"", "ttl:5000", 0, Sent{"", "ttl:5000", "old", 5000}},
		{"", "ttl:1", 60000, Sent{"", "ttl:1", "old", 1}},
		{"", "ttl:0", 60000, Sent{"", "ttl:0", "old", hostabi.TTLDefault}},
		{"", "ttl:-1", 60000, Sent{"", "ttl:-1", "old", hostabi.TTLNone}},
		{"", "ttl:-2", 60000, Sent{"", "ttl:-2", "old", hostabi.TTLKeep}},
		{"", "value:new", 0, Sent{"", "value:new", "new", 0}},
		{"", "value:", 0, Sent{"", "value:", "", 0}},
		{"", "ns:a/b", 0, Sent{"a/b", "ns:a/b", "old", 0}},
		{"shop", "ns:a", 0, Sent{"a", "ns:a", "old", 0}},
		{"shop", "ns:", 0, Sent{"", "ns:", "old", 0}},
		{"shop", "ext:new key", 0, Sent{"ext", "new key", "old", 90000}},
		{"shop", "last:one", 0, Sent{"shop", "one", "old", 0}},
	} {
		if got := write(test.namespace, test.key, test.ttl); got != test.want {
			t.Errorf("set %q in %q went to the tier as %+v, want %+v", test.key, test.namespace, got, test.want)
		}
	}
	wantSent(t, "a ttl for get", do(t, g, hostabi.OpGet, "ttl:5000", ""), "ttl:5000")
}

// batches checks what a command on many keys makes of the actions for each.
func (k *kit) batches(t *testing.T) {
	g := k.load(t, "", nil)
	set(t, g, "", "pass", "v")
	keys := []string{"pass", "upper:a", "respond:1", "deny:no", "miss", "trap", "cut:pass", "unknown"}
	r := send(t, g, Command{Op: hostabi.OpGetMany, Keys: keys})
	for i, want := range []struct {
		outcome uint8
		value   string
		sent    string
	}{
		{hostabi.OutcomeHit, "v", "pass"},
		{hostabi.OutcomeMiss, "", "UPPER:A"},
		{hostabi.OutcomeHit, "1", ""},
		{hostabi.OutcomeDenied, "", ""},
		{hostabi.OutcomeBypass, "", ""},
		{hostabi.OutcomeMiss, "", "trap"},
		{hostabi.OutcomeHit, "v", "pass"},
		{hostabi.OutcomeMiss, "", "unknown"},
	} {
		got := r[i]
		if got.Outcome != want.outcome || got.Value != want.value || (got.Sent != nil) != (want.sent != "") {
			t.Errorf("get_many: %q became %+v, want %+v", keys[i], got, want)
		} else if got.Sent != nil {
			wantSent(t, "get_many: "+keys[i], got, want.sent)
		}
	}
	r = send(t, g, Command{Op: hostabi.OpSetMany, Keys: []string{"ttl:5000", "ttl:3000", "pass", "ttl:4000"}, Value: "v"})
	for _, item := range r {
		if item.Sent == nil || item.Sent.TTL != 3000 {
			t.Errorf("set_many with several times to live: %+v, want the shortest", item)
		}
	}
	for _, test := range []struct {
		keys []string
		ok   bool
	}{
		{[]string{"ns:a", "ns:a"}, true},
		{[]string{"ns:a", "respond:x", "ns:a"}, true},
		{[]string{"ns:a", "ns:b"}, false},
		{[]string{"ns:a", "pass"}, false},
		{[]string{"pass", "ns:a"}, false},
	} {
		for i, item := range send(t, g, Command{Op: hostabi.OpGetMany, Keys: test.keys}) {
			moved := item.Sent != nil && item.Sent.Namespace == "a" || strings.HasPrefix(test.keys[i], "respond:")
			if moved != test.ok || test.ok == (item.Outcome == hostabi.OutcomeDenied) {
				t.Errorf("get_many of %q: %q became %+v", test.keys, test.keys[i], item)
			}
		}
	}
}

const cookie = "0123456789abcdef"

// after checks ec_after: what it is called with, cookies, and that it can replace what was read.
func (k *kit) after(t *testing.T) {
	g := k.load(t, "", nil)
	for _, key := range []string{"tell:a", "cookie:a", "after-respond:new", "after-respond:", "after-elapsed", "pass"} {
		set(t, g, "", key, "12345")
	}
	set(t, g, "shop", "tell:b", "1")
	told := func(key, result, value, cookie, ns, batch string) string {
		return "after op=1 key=" + key + " result=" + result + " value=" + value + " cookie=" + cookie + " ns=" + ns + " batch=" + batch
	}
	const none = "0000000000000000"
	for _, test := range []struct{ namespace, key, want string }{
		{"", "pass", "12345"},
		{"", "tell:a", told("tell:a", "17", "5", none, "", "0/1")},
		{"shop", "tell:b", told("tell:b", "17", "1", none, "shop", "0/1")},
		{"", "cut:tell:a", told("tell:a", "17", "5", none, "", "0/1")},
		{"", "cookie:a", told("cookie:a", "17", "5", cookie, "", "0/1")},
		{"", "cookie-key:a", told("cookie:a", "17", "5", cookie, "", "0/1")},
		{"", "cookie-respond:abc", told("cookie-respond:abc", "1", "3", cookie, "", "0/1")},
		{"", "tell:a", told("tell:a", "17", "5", none, "", "0/1")},
		{"", "after-respond:new", "new"},
		{"", "after-respond:", ""},
	} {
		r := send(t, g, Command{Op: hostabi.OpGet, Namespace: test.namespace, Keys: []string{test.key}})
		if r[0].Outcome != hostabi.OutcomeHit || r[0].Value != test.want {
			t.Errorf("get %q: %+v, want %q", test.key, r[0], test.want)
		}
	}
	if ns, err := strconv.ParseUint(do(t, g, hostabi.OpGet, "after-elapsed", "").Value, 10, 64); err != nil || ns > 60e9 {
		t.Errorf("the command took %d ns: %v", ns, err)
	}
	if item := do(t, g, hostabi.OpGet, "after-respond:none", ""); item.Outcome != hostabi.OutcomeMiss {
		t.Errorf("a key that is not there became %+v", item)
	}
	keys := []string{"tell:a", "cookie:a", "pass", "cookie-key:a", "cookie:none", "tell:a"}
	r := send(t, g, Command{Op: hostabi.OpGetMany, Keys: keys})
	for i, want := range []string{
		told("tell:a", "17", "5", none, "", "0/6"), told("cookie:a", "17", "5", cookie, "", "1/6"), "12345",
		told("cookie:a", "17", "5", cookie, "", "3/6"), "", told("tell:a", "17", "5", none, "", "5/6"),
	} {
		if want = strings.Replace(want, "op=1", "op=2", 1); r[i].Value != want {
			t.Errorf("get_many: %q became %+v, want %q", keys[i], r[i], want)
		}
	}
}

// buffers checks calls around the sizes at which buffers must grow.
func (k *kit) buffers(t *testing.T) {
	enough := func(m *hostabi.Manifest) { m.Fuel = 100e6 }
	open, closed := k.load(t, "", enough), k.load(t, "", func(m *hostabi.Manifest) { failingClosed(m); enough(m) })
	for _, g := range []Guest{open, closed} {
		for _, n := range []int{900, hostabi.MinBuf - hostabi.BufKey, hostabi.MinBuf, 4032, 4033, 900, 20000, 65536, 10} {
			key := "upper:" + strings.Repeat("a", n-len("upper:"))
			wantSent(t, fmt.Sprintf("a key of %d bytes", n), do(t, g, hostabi.OpGet, key, ""), strings.ToUpper(key))
		}
	}
	// A key and a namespace's path that are longer together than any buffer does without the guest, or fails.
	tooLong := Command{Op: hostabi.OpGet, Namespace: "shop", Keys: []string{"upper:" + strings.Repeat("a", 65536-len("upper:"))}}
	wantSent(t, "a key that is too long", send(t, open, tooLong)[0], tooLong.Keys[0])
	if item := send(t, closed, tooLong)[0]; item.Outcome != hostabi.OutcomeError || item.Sent != nil {
		t.Errorf("a key that is too long, failing closed: %+v", item)
	}
	r := send(t, open, Command{Op: hostabi.OpGet, Namespace: "shop", Keys: []string{"args:" + strings.Repeat("x", 65000)}})
	wantSent(t, "a long key in a namespace", r[0], "args op=1 key=65005 value=0 ttl=0 flags=0 ns=shop batch=0/1")
}

// failures checks what a guest does wrong, under both failure policies.
func (k *kit) failures(t *testing.T) {
	for _, test := range []struct {
		name string
		op   uint8
		key  string
	}{
		{"trap", hostabi.OpGet, "trap"},
		{"unknown action", hostabi.OpGet, "raw:4d00000000000000"},
		{"key far behind the buffer", hostabi.OpGet, "raw:017fffff0000000a"},
		{"key of 4 GiB", hostabi.OpGet, "raw:01000040ffffffff"},
		{"nothing with a length", hostabi.OpGet, "raw:0000000000000011"},
		{"miss with a length", hostabi.OpGet, "raw:0400004000000001"},
		{"reason that is not UTF-8", hostabi.OpGet, "raw:0300005400000001\xff"},
		{"reason of 1,025 bytes", hostabi.OpGet, "raw:0300005400000401" + strings.Repeat("r", 1025)},
		{"patch list that ends in a header", hostabi.OpGet, "raw:0500005400000003\x01\x05\x00"},
		{"patch that is longer than its list", hostabi.OpGet, "raw:0500005400000006\x01\x09\x00\x00\x00x"},
		{"ttl of 7 bytes", hostabi.OpSet, "raw:050000540000000c\x02\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
		{"ttl of -3", hostabi.OpSet, "ttl:-3"},
		{"namespace that is none", hostabi.OpGet, "ns:a//b"},
		{"value for a read", hostabi.OpGet, "value:x"},
		{"respond to a write", hostabi.OpSet, "respond:x"},
		{"trap after", hostabi.OpGet, "after-trap"},
		{"key after", hostabi.OpGet, "after-raw:0100004000000001"},
		{"deny after", hostabi.OpGet, "after-raw:0300004000000001"},
		{"respond after a miss", hostabi.OpGet, "after-raw:0200004000000001"},
	} {
		t.Run(test.name, func(t *testing.T) {
			open := k.load(t, "", nil)
			item := do(t, open, test.op, test.key, "v")
			if item.Outcome == hostabi.OutcomeError || item.Outcome == hostabi.OutcomeDenied {
				t.Errorf("failing open: %+v", item)
			}
			wantSent(t, "failing open", item, test.key)
			closed := k.load(t, "", failingClosed)
			if item := do(t, closed, test.op, test.key, "v"); item.Outcome != hostabi.OutcomeError || item.Err == "" {
				t.Errorf("failing closed: %+v", item)
			}
			for _, g := range []Guest{open, closed} {
				wantSent(t, "afterwards", do(t, g, hostabi.OpGet, "upper:a", ""), "UPPER:A")
			}
		})
	}
}

// manifests checks that a manifest's words are heard.
func (k *kit) manifests(t *testing.T) {
	onlyBefore := func(m *hostabi.Manifest) { m.Hooks, m.Stats = []string{hostabi.HookBefore}, nil }
	for _, test := range []struct {
		name   string
		change func(*hostabi.Manifest)
		op     uint8
		key    string
		want   string
	}{
		{"an operation that is named", func(m *hostabi.Manifest) { m.Ops = []string{"get"} }, hostabi.OpGet, "upper:a", "UPPER:A"},
		{"one that is not", func(m *hostabi.Manifest) { m.Ops = []string{"get"} }, hostabi.OpSet, "upper:a", "upper:a"},
		{"only before", onlyBefore, hostabi.OpGet, "upper:a", "UPPER:A"},
		{"only after", func(m *hostabi.Manifest) { m.Hooks = []string{hostabi.HookAfter} }, hostabi.OpGet, "upper:a", "upper:a"},
		{"only observe", func(m *hostabi.Manifest) { m.Hooks = []string{hostabi.HookObserve} }, hostabi.OpGet, "upper:a", "upper:a"},
		{"pure", func(m *hostabi.Manifest) { onlyBefore(m); m.Pure = true }, hostabi.OpGet, "upper:a", "UPPER:A"},
		{"stateful", func(m *hostabi.Manifest) { m.Stateful = true }, hostabi.OpGet, "upper:a", "UPPER:A"},
		{"a prefix that fits", func(m *hostabi.Manifest) { onlyBefore(m); m.Keys = []string{"x", "upper:a"} }, hostabi.OpGet, "upper:ab", "UPPER:AB"},
		{"prefixes that do not", func(m *hostabi.Manifest) { onlyBefore(m); m.Keys = []string{"x", "upper:a"} }, hostabi.OpGet, "upper:b", "upper:b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := k.load(t, "", test.change)
			for range 3 {
				wantSent(t, test.key, do(t, g, test.op, test.key, "v"), test.want)
			}
		})
	}
	t.Run("without a grant", func(t *testing.T) {
		for _, capability := range k.grants {
			p := k.plugin(t, "", nil)
			p.Grants = slices.DeleteFunc(slices.Clone(k.grants), func(c string) bool { return c == capability })
			if _, err := k.host.Load(t, p); !contains(err, capability) {
				t.Errorf("without a grant of %s: Load = %v", capability, err)
			}
		}
	})
}
