package abitest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgecache/edgecache/hostabi"
)

// log checks that what is enabled is logged, at its level, and what is not is not.
func (k *kit) log(t *testing.T) {
	k.need(t, "log")
	g := k.load(t, "", nil)
	reader, ok := g.(LogReader)
	if !ok {
		t.Skip("the host does not let its log be seen")
	}
	for level := hostabi.LogDebug; level <= hostabi.LogError; level++ {
		reader.Log()
		text := fmt.Sprintf("level %d, with a comma", level)
		do(t, g, hostabi.OpGet, fmt.Sprintf("log:%d,%s", level, text), "")
		enabled := ask(t, g, fmt.Sprintf("log-enabled:%d", level))
		lines := reader.Log()
		switch {
		case enabled == "0" && len(lines) == 0:
		case enabled == "1" && len(lines) == 1 && lines[0] == Line{level, text}:
		default:
			t.Errorf("level %d, enabled %s: logged %+v", level, enabled, lines)
		}
	}
	if ask(t, g, "log-enabled:3") != "1" {
		t.Error("errors are not logged")
	}
}

// clock checks that the clocks run, and that one of them is the world's.
func (k *kit) clock(t *testing.T) {
	k.need(t, "clock")
	g := k.load(t, "", nil)
	var last int64
	for range 3 {
		begin := time.Now().UnixNano()
		var now, a, b int64
		if n, err := fmt.Sscanf(ask(t, g, "clock"), "%d %d %d", &now, &a, &b); n != 3 || err != nil {
			t.Fatal(err)
		}
		if now < begin || now > time.Now().UnixNano() {
			t.Errorf("now_ns is %d, which is not the time", now)
		}
		if a < last || b < a {
			t.Errorf("mono_ns went from %d to %d and %d", last, a, b)
		}
		last = b
	}
}

// random checks that random bytes are as many as asked for, and not the same again.
func (k *kit) random(t *testing.T) {
	k.need(t, "rng")
	g := k.load(t, "", nil)
	for _, n := range []int{0, 1, 32, hostabi.MaxRandom} {
		a, b := ask(t, g, "random:"+strconv.Itoa(n)), ask(t, g, "random:"+strconv.Itoa(n))
		if len(a) != n || len(b) != n || n >= 32 && a == b {
			t.Errorf("random:%d gave %.80q and %.80q", n, a, b)
		}
	}
}

// hash checks hash64 against values of XXH64.
func (k *kit) hash(t *testing.T) {
	g := k.load(t, "", nil)
	for text, want := range map[string]string{
		"":                             "ef46db3751d8e999",
		"a":                            "d24ec4f1a98c6e5b",
		"abc":                          "44bc2cf5ad770999",
		strings.Repeat("edgecache", 9): "68b3b9f0e973a621",
	} {
		if got := ask(t, g, "hash:"+text); got != want {
			t.Errorf("hash64 of %q is %s, want %s", text, got, want)
		}
	}
}

// value checks reading and replacing of values.
func (k *kit) value(t *testing.T) {
	k.need(t, "value")
	g := k.load(t, "", nil)
	const value = "hello world"
	for _, test := range []struct {
		op              uint8
		key             string
		wantKey, stored string
	}{
		{hostabi.OpSet, "value-at:0,100", value, value},
		{hostabi.OpSet, "value-at:6,3", "wor", value},
		{hostabi.OpAdd, "value-at:10,10", "d", value},
		{hostabi.OpSet, "value-at:11,5", "", value},
		{hostabi.OpSet, "value-at:4294967295,5", "", value},
		{hostabi.OpSet, "value-at:3,0", "", value},
		{hostabi.OpSet, "value-put:new", "1", "new"},
		{hostabi.OpSet, "value-put:", "1", ""},
		{hostabi.OpSet, "value-add:!", "value-add:!", value + "!"},
		{hostabi.OpAppend, "value-add:!", "value-add:!", value + "!"},
		{hostabi.OpGet, "value-put:x", "0", ""},
		{hostabi.OpGet, "value-at:0,5", "", ""},
		{hostabi.OpDelete, "value-put:x", "0", ""},
	} {
		item := do(t, g, test.op, test.key, value)
		wantSent(t, test.key, item, test.wantKey)
		if item.Sent != nil && item.Sent.Value != test.stored {
			t.Errorf("%s %q: %q was written, want %q", hostabi.OpName(test.op), test.key, item.Sent.Value, test.stored)
		}
	}
	for i, item := range send(t, g, Command{Op: hostabi.OpSetMany, Keys: []string{"value-add:1", "pass", "value-add:2"}, Value: value}) {
		if want := value + []string{"1", "", "2"}[i]; item.Sent == nil || item.Sent.Value != want {
			t.Errorf("set_many: key %d: %+v, want the value %q", i, item, want)
		}
	}
	set(t, g, "", "after-reverse:a", "abcde")
	set(t, g, "", "after-reverse:b", "")
	if item := do(t, g, hostabi.OpGet, "after-reverse:a", ""); item.Value != "edcba" {
		t.Errorf("what was read became %q", item.Value)
	}
	r := send(t, g, Command{Op: hostabi.OpGetMany, Keys: []string{"after-reverse:a", "after-reverse:b", "after-reverse:none"}})
	if r[0].Value != "edcba" || r[1].Value != "" || r[2].Outcome != hostabi.OutcomeMiss {
		t.Errorf("get_many: %+v", r)
	}
}

// kv checks the entries that are the plugin's own.
func (k *kit) kv(t *testing.T) {
	k.need(t, "kv")
	g := k.load(t, "", nil)
	for _, step := range [][2]string{
		{"kv-get:a,10", "-1="},
		{"kv-delete:a", "-1"},
		{"kv-set:a,1,0", "0"},
		{"kv-get:a,10", "1=1"},
		{"kv-get:a,0", "1="},
		{"kv-set:a,hello,0", "0"},
		{"kv-get:a,3", "5=hel"},
		{"kv-set:empty,,0", "0"},
		{"kv-get:empty,5", "0="},
		{"kv-cas:a,nope,x,0", "-3"},
		{"kv-cas:a,hello,x,0", "0"},
		{"kv-cas:a,-,y,0", "-3"},
		{"kv-cas:b,-,y,0", "0"},
		{"kv-cas:none,x,y,0", "-3"},
		{"kv-cas:empty,,full,0", "0"},
		{"kv-get:b,5", "1=y"},
		{"kv-get:empty,5", "4=full"},
		{"kv-delete:a", "0"},
		{"kv-get:a,5", "-1="},
		{"kv-add:n,5,0", "5"},
		{"kv-add:n,-7,0", "-2"},
		{"kv-get:n,0", "8="},
		{"kv-add:b,1,0", strconv.Itoa(hostabi.KVFailed)},
		{"kv-fill:1024,65536", "0"},
		{"kv-fill:1025,1", "-2"},
		{"kv-fill:1,65537", "-2"},
	} {
		if got := ask(t, g, step[0]); got != step[1] {
			t.Errorf("%s: %s, want %s", step[0], got, step[1])
		}
	}
	k.kvShared(t, g)
	kvEnds(t, g)
}

// kvShared has all instances add to one number.
func (k *kit) kvShared(t *testing.T, g Guest) {
	t.Helper()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				g.Do(Command{Op: hostabi.OpGet, Keys: []string{"kv-add:shared,1,0"}})
			}
		})
	}
	all.Wait()
	if got := ask(t, g, "kv-add:shared,0,0"); got != "800" {
		t.Errorf("800 additions made %s", got)
	}
	if other := k.load(t, "", nil); ask(t, other, "kv-get:shared,0") != "-1=" {
		t.Error("another plugin sees the entries")
	}
}

// kvEnds waits for entries to expire.
func kvEnds(t *testing.T, g Guest) {
	t.Helper()
	ask(t, g, "kv-set:brief,x,20")
	until(t, "an entry set for 20 ms is still there", func() bool { return ask(t, g, "kv-get:brief,1") == "-1=" })
	// The time to live counts from the first addition, so that it ends under additions, too.
	last := 0
	until(t, "a number that was added to for 50 ms does not begin anew", func() bool {
		n, err := strconv.Atoi(ask(t, g, "kv-add:window,1,50"))
		if err != nil {
			t.Fatal(err)
		}
		before := last
		last = n
		return n <= before
	})
	for _, key := range []string{"kv-set:long,x,3600000", "kv-set:ever,x,0", "kv-set:never,x,-1"} {
		ask(t, g, key)
	}
	for _, key := range []string{"long", "ever", "never"} {
		if got := ask(t, g, "kv-get:"+key+",1"); got != "1=x" {
			t.Errorf("the entry %s is %s", key, got)
		}
	}
}

// until fails after some seconds in which done did not come true.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Error(what)
			return
		}
	}
}

// metrics checks that what the guest defines and counts can be seen.
func (k *kit) metrics(t *testing.T) {
	k.need(t, "metrics")
	g := k.load(t, "", nil)
	if n, again := ask(t, g, "metrics"), ask(t, g, "metric-again"); n != "3" || again != "1" {
		t.Errorf("%s metrics were defined, want 3; the same again: %s, want 1", n, again)
	}
	if n := ask(t, k.load(t, `{"metrics":100}`, nil), "metrics"); n != strconv.Itoa(hostabi.MaxMetrics) {
		t.Errorf("of 103 metrics %s were defined, want %d", n, hostabi.MaxMetrics)
	}
	reader, ok := g.(MetricReader)
	if !ok {
		t.Skip("the host does not let metrics be seen")
	}
	for _, key := range []string{"count:5", "count:2", "gauge:7", "gauge:-3", "hist:100", "hist:0", "hist:11"} {
		wantSent(t, key, do(t, g, hostabi.OpGet, key, ""), key)
	}
	got := reader.Metrics()
	for name, want := range map[string]Metric{
		"calls": {Kind: hostabi.MetricCounter, Value: 7},
		"level": {Kind: hostabi.MetricGauge, Value: -3},
		"times": {Kind: hostabi.MetricHistogram, Count: 3, Sum: 111},
	} {
		if got[name] != want {
			t.Errorf("metric %s is %+v, want %+v", name, got[name], want)
		}
	}
}

// trace checks attributes of the span.
func (k *kit) trace(t *testing.T) {
	k.need(t, "trace")
	g := k.load(t, "", nil)
	wantSent(t, "span", do(t, g, hostabi.OpGet, "span:color,red, or blue", ""), "span:color,red, or blue")
	reader, ok := g.(SpanReader)
	if !ok {
		t.Skip("the host does not let spans be seen")
	}
	if got := reader.SpanAttributes(); len(got) != 1 || got["color"] != "red, or blue" {
		t.Errorf("the attributes are %q", got)
	}
	do(t, g, hostabi.OpGet, "span:long,"+strings.Repeat("v", 300), "")
	if got := reader.SpanAttributes()["long"]; got != strings.Repeat("v", hostabi.MaxSpanValue) {
		t.Errorf("an attribute of 300 bytes became %d", len(got))
	}
}
