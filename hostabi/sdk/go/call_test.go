package edgecache

import (
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/edgecache/edgecache/hostabi"
)

// place puts a key with its header into the call buffer, as a host does.
func place(t *testing.T, g *guest, h hostabi.Header, key, namespace string) {
	t.Helper()
	h.NamespaceLen = uint32(len(namespace))
	if !g.call.reserve(BufKey + len(key) + len(namespace)) {
		t.Fatalf("no room for a key of %d bytes", len(key))
	}
	clear(g.call.buf[:BufKey])
	h.Put(g.call.buf)
	copy(g.call.buf[BufKey+copy(g.call.buf[BufKey:], key):], namespace)
}

func newGuest(p Plugin) *guest {
	g := &guest{call: Call{buf: room[:]}}
	g.register(p)
	return g
}

// result decodes an action and its bytes, as a host does.
func result(g *guest, a Action) (hostabi.Action, string) {
	d := hostabi.DecodeAction(uint64(a))
	return d, string(g.call.buf[d.Offset : d.Offset+d.Length])
}

func TestBefore(t *testing.T) {
	long := strings.Repeat("k", 60_000)
	for name, test := range map[string]struct {
		key    string
		before func(c *Call) Action
		code   uint8
		want   string
	}{
		"continue": {"key", func(*Call) Action { return Continue }, ActionNone, ""},
		"miss":     {"key", func(*Call) Action { return Miss }, ActionMiss, ""},
		"in place": {"key", func(c *Call) Action {
			c.Key()[0] = 'K'
			return c.ReplaceKey(c.Key())
		}, ActionKey, "Key"},
		"out":      {"key", func(c *Call) Action { return c.ReplaceKey(append(append(c.Out(), "v1:"...), c.Key()...)) }, ActionKey, "v1:key"},
		"part":     {"a:key", func(c *Call) Action { return c.ReplaceKey(c.Key()[2:]) }, ActionKey, "key"},
		"empty":    {"key", func(c *Call) Action { return c.ReplaceKey(nil) }, ActionKey, ""},
		"heap":     {"key", func(c *Call) Action { return c.Respond([]byte("value of " + string(c.Key()))) }, ActionRespond, "value of key"},
		"constant": {"key", func(c *Call) Action { return c.Deny("no") }, ActionDeny, "no"},
		"long reason": {
			"key", func(c *Call) Action { return c.Deny(strings.Repeat("a", 1023) + "é") },
			ActionDeny, strings.Repeat("a", 1023),
		},
		"long key": {long, func(c *Call) Action { return c.ReplaceKey(append(append(c.Out(), "v1:"...), c.Key()...)) }, ActionKey, "v1:" + long},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(Plugin{Before: test.before})
			place(t, g, hostabi.Header{}, test.key, "shop/carts")
			a, b := result(g, g.before(OpGet, int32(len(test.key)), 0, 0, 0))
			if err := a.CheckBefore(); err != nil || a.Code != test.code || b != test.want {
				t.Errorf("action %v %.80q (%v), want %d %.80q", a, b, err, test.code, test.want)
			}
		})
	}
}

func TestCall(t *testing.T) {
	g := newGuest(Plugin{Before: func(c *Call) Action {
		i, n := c.Position()
		if c.Op() != OpSetMany || string(c.Key()) != "key" || string(c.Namespace()) != "shop" || c.NamespaceID() != 7 ||
			i != 1 || n != 3 || c.ValueLen() != 5 || c.TTL() != TTLKeep || !c.Many() {
			t.Errorf("%v %q %q %d %d/%d %d %d %v", c.Op(), c.Key(), c.Namespace(), c.NamespaceID(), i, n, c.ValueLen(), c.TTL(), c.Many())
		}
		c.SetCookie(1 << 63)
		return Continue
	}, After: func(c *Call) Action {
		if c.Outcome() != OutcomeHit || c.Tier() != 2 || c.Elapsed() != 9 || c.ValueLen() != 4 || c.Cookie() != 1<<63 {
			t.Errorf("%v %d %d %d %#x", c.Outcome(), c.Tier(), c.Elapsed(), c.ValueLen(), c.Cookie())
		}
		return c.Respond([]byte("other"))
	}})
	place(t, g, hostabi.Header{NamespaceID: 7, BatchIndex: 1, BatchLen: 3}, "key", "shop")
	a := hostabi.DecodeAction(uint64(g.before(OpSetMany, 3, 5, TTLKeep, CallBatch)))
	if !a.Cookie || a.Code != ActionNone {
		t.Errorf("before: %+v", a)
	}
	b, text := result(g, g.after(OpGet, 3, OutcomeHit|2<<TierShift, 9, 4))
	if b.Cookie || b.Code != ActionRespond || text != "other" {
		t.Errorf("after: %+v %q", b, text)
	}
}

func TestPatch(t *testing.T) {
	g := newGuest(Plugin{Before: func(c *Call) Action {
		c.Patch().TTL(1) // forgotten by the next
		return c.Patch().Key([]byte("new")).TTL(TTLNone).Value([]byte("v")).Namespace(nil).Action()
	}})
	place(t, g, hostabi.Header{}, "key", "")
	a, b := result(g, g.before(OpSet, 3, 1, 0, 0))
	if a.Code != ActionExt {
		t.Fatalf("%+v", a)
	}
	var got []string
	for p, err := range hostabi.Patches([]byte(b)) {
		if err != nil {
			t.Fatal(err)
		}
		data := string(p.Data)
		if p.Field == FieldTTL && p.TTL() == TTLNone {
			data = "none"
		}
		got = append(got, data)
	}
	if s := strings.Join(got, " "); s != "new none v " {
		t.Errorf("patches %q", s)
	}
}

func TestAllocations(t *testing.T) {
	g := newGuest(Plugin{Before: func(c *Call) Action {
		if c.Op() == OpSet {
			return c.Patch().TTL(5).Action()
		}
		return c.ReplaceKey(append(append(c.Out(), "v1:"...), c.Key()...))
	}, Stats: func(r *Rows) { r.Add(AllOps, NamespaceAll, 1, 2) }})
	place(t, g, hostabi.Header{}, "key", "")
	if n := testing.AllocsPerRun(100, func() {
		g.before(OpGet, 3, 0, 0, 0)
		g.before(OpSet, 3, 0, 0, 0)
		g.stats()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReserve(t *testing.T) {
	c := Call{buf: room[:]}
	first := address(c.buf)
	for _, step := range []struct {
		size  int
		ok    bool
		moved bool
	}{{MinBuf, true, false}, {firstFrame, true, false}, {largeFrame + 1, false, false}, {firstFrame + 1, true, true}, {largeFrame, true, true}} {
		if ok := c.reserve(step.size); ok != step.ok || (address(c.buf) != first) != step.moved {
			t.Errorf("reserve(%d) = %v, moved %v", step.size, ok, address(c.buf) != first)
		}
	}
}

func TestInit(t *testing.T) {
	for name, test := range map[string]struct {
		plugin *Plugin
		config string
		want   string
	}{
		"no plugin":        {nil, "{}", "no plugin is registered: call edgecache.Register from an init function"},
		"no configuration": {&Plugin{}, " {} ", ""},
		"unwanted":         {&Plugin{}, `{"a":1}`, "the plugin takes no configuration"},
		"refused":          {&Plugin{Init: func(b []byte) error { return textError("bad " + string(b)) }}, "{}", "bad {}"},
		"nothing to say":   {&Plugin{Init: func([]byte) error { return textError("") }}, "{}", "error without a text"},
		"not UTF-8":        {&Plugin{Init: func([]byte) error { return textError("\xff") }}, "{}", "\uFFFD"},
		"long":             {&Plugin{Init: func([]byte) error { return textError(strings.Repeat("é", 600)) }}, "{}", strings.Repeat("é", 512)},
	} {
		t.Run(name, func(t *testing.T) {
			g := &guest{call: Call{buf: room[:]}}
			if test.plugin != nil {
				g.register(*test.plugin)
			}
			copy(g.call.buf[BufKey:], test.config)
			n := g.init(int32(len(test.config)), FeatureKV)
			if g.features != FeatureKV {
				t.Errorf("features %b", g.features)
			}
			if got := string(g.call.buf[BufKey : BufKey+n]); got != test.want {
				t.Errorf("init says %q, want %q", got, test.want)
			}
		})
	}
}

type textError string

func (e textError) Error() string { return string(e) }

// TestMissing calls what the plugin does not have, as a manifest that lists too much makes a host do.
func TestMissing(t *testing.T) {
	g := newGuest(Plugin{})
	for field, call := range map[string]func(){
		"Before": func() { g.before(OpGet, 0, 0, 0, 0) }, "After": func() { g.after(OpGet, 0, 0, 0, 0) },
		"Observe": func() { g.observe(1) }, "Stats": func() { g.stats() },
	} {
		func() {
			defer func() {
				if text := panicText(recover()); !strings.Contains(text, "Plugin."+field+" is nil") || !strings.Contains(text, "goroutine") {
					t.Errorf("%s: %q", field, text)
				}
			}()
			call()
		}()
	}
	g.plugin.Idle()
}

func TestNames(t *testing.T) {
	for op := range Op(OpCount + 2) {
		if op.String() != hostabi.OpName(uint8(op)) {
			t.Errorf("operation %d is %q, want %q", op, op, hostabi.OpName(uint8(op)))
		}
	}
	if s := Outcome(OutcomeNotStored).String() + Outcome(15).String(); s != "not_storedunknown" {
		t.Errorf("outcomes %q", s)
	}
}

func TestEventLayout(t *testing.T) {
	want := hostabi.Event{
		KeyHash: 1, Time: 2, Elapsed: 3, ValueSize: 4, TTL: 5, Namespace: 6,
		Op: OpGetMany | EventContinued, Result: OutcomeHit | 3<<TierShift,
	}
	if size := unsafe.Sizeof(Event{}); size != EventSize {
		t.Fatalf("an event has %d bytes, want %d", size, EventSize)
	}
	e := *(*Event)(unsafe.Pointer(unsafe.SliceData(want.Append(nil)))) // as it stands in memory
	if e.KeyHash != 1 || e.Time != 2 || e.Elapsed != 3 || e.ValueSize != 4 || e.TTL != 5 || e.NamespaceID != 6 ||
		e.Op() != OpGetMany || !e.Continued() || e.Outcome() != OutcomeHit || e.Tier() != 3 {
		t.Errorf("%+v", e)
	}
}

func TestRows(t *testing.T) {
	g := newGuest(Plugin{Stats: func(r *Rows) {
		r.Add(AllOps, NamespaceAll, 9)
		r.Add(OpGet, 7, 8)
	}})
	for range 2 {
		r := g.stats()
		want := []uint64{NamespaceAll << LabelNamespace, 9, OpGet | 7<<LabelNamespace, 8}
		if r.count() != 2 || !slices.Equal(r.slots, want) {
			t.Errorf("%d rows %x, want %x", r.count(), r.slots, want)
		}
	}
	g.plugin.Stats = func(*Rows) {}
	if n := g.stats().count(); n != 0 {
		t.Errorf("%d rows", n)
	}
	for v, want := range map[uint64]int{0: 0, 1: 1, 2: 2, 3: 2, 4: 3, 1 << 38: 39, 1 << 63: 39} {
		if got := Bucket(v); got != want {
			t.Errorf("Bucket(%d) = %d, want %d", v, got, want)
		}
	}
}
