// Package abitest checks hosts of guests, and SDKs for guests, by one guest that does what keys ask for: README.md says
// what that is. Run loads it into a host, sends commands and compares what comes of them with docs/ABI.md.
package abitest

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// Host is what is tested, or what SDKs are tested by.
type Host interface {
	// Load loads a plugin and puts it in front of an empty cache with one tier, which is in memory and keeps what it is
	// given. Plugin and cache end with t. The error is that of the host which refuses the plugin.
	Load(t *testing.T, p Plugin) (Guest, error)
}

// Plugin is what a host is asked to load.
type Plugin struct {
	Wasm []byte
	// Manifest is a manifest beside the module, which wins over the one inside. nil is none.
	Manifest []byte
	// Config is the configuration, JSON. "" is none.
	Config string
	// Grants are the capabilities that an operator grants, beside those that everyone gets.
	Grants []string
}

// Guest is a loaded plugin and its cache. Do is safe for concurrent use; the others are called when no command is under way.
type Guest interface {
	// Do sends a command through the cache.
	Do(c Command) Result
	// Report returns what the guest has counted, all events being handed over before. The row of all comes first.
	Report() ([]Row, error)
}

// LogReader is a Guest whose log can be read.
type LogReader interface {
	// Log returns the lines that the guest wrote since the last call.
	Log() []Line
}

// MetricReader is a Guest whose metrics can be read.
type MetricReader interface {
	// Metrics returns what the guest defined, by name.
	Metrics() map[string]Metric
}

// SpanReader is a Guest whose commands are traced.
type SpanReader interface {
	// SpanAttributes returns the attributes that the guest gave the last command's span, by the guest's own keys.
	SpanAttributes() map[string]string
}

// Command is a command to send.
type Command struct {
	Op uint8 // one of the Op constants
	// Namespace is the path, "" for the root.
	Namespace string
	// Keys is one key, unless Op is on many.
	Keys []string
	// Value is what a write writes, to each of its keys.
	Value string
	// TTL is in milliseconds, or a TTL constant.
	TTL int64
}

// Result is what came of the keys, in their order. A command that was refused or failed as a whole has the same for each.
type Result []Item

// Item is what came of a key.
type Item struct {
	// Outcome is one of the Outcome constants: denied, if the plugin refused; error, if it failed.
	Outcome uint8
	// Value is what was read.
	Value string
	// Err is the error's text where the outcome is denied or error.
	Err string
	// Sent is what went to the tier, nil if the key did not get there.
	Sent *Sent
}

// Sent is a key as it is when all plugins had their say.
type Sent struct {
	Namespace, Key string
	Value          string // of writes
	TTL            int64  // milliseconds or a TTL constant
}

// Row is a row of statistics.
type Row struct {
	Op        uint8  // 0 is all
	Namespace uint16 // NamespaceAll is all
	Columns   map[string]Column
}

// Column is a figure of one of the kinds.
type Column struct {
	Count   uint64
	Ratio   float64  // of kinds mean and ratio
	Buckets []uint64 // of kind log2
}

// Line is a line of the log.
type Line struct {
	Level int // one of the Log constants
	Text  string
}

// Metric is a metric as it is.
type Metric struct {
	Kind  int   // one of the Metric constants
	Value int64 // of a counter or a gauge
	// Count and Sum are a histogram's.
	Count, Sum uint64
}

// Run runs all checks. What the guest does not need is not asked of the host, and what the host's Guest does not let see is
// skipped.
func Run(t *testing.T, host Host, wasm []byte) {
	t.Helper()
	k := &kit{host: host, wasm: wasm}
	k.readManifest(t)
	for _, check := range []struct {
		name string
		run  func(*kit, *testing.T)
	}{
		{"config", (*kit).config},
		{"keys", (*kit).keys},
		{"arguments", (*kit).arguments},
		{"answers", (*kit).answers},
		{"patches", (*kit).patches},
		{"batches", (*kit).batches},
		{"after", (*kit).after},
		{"buffers", (*kit).buffers},
		{"failures", (*kit).failures},
		{"manifest", (*kit).manifests},
		{"statistics", (*kit).statistics},
		{"idle", (*kit).idle},
		{"log", (*kit).log},
		{"clock", (*kit).clock},
		{"random", (*kit).random},
		{"hash64", (*kit).hash},
		{"value", (*kit).value},
		{"kv", (*kit).kv},
		{"metrics", (*kit).metrics},
		{"trace", (*kit).trace},
	} {
		t.Run(check.name, func(t *testing.T) { check.run(k, t) })
	}
}

// kit is a host and the guest that it is tested with.
type kit struct {
	host     Host
	wasm     []byte
	manifest hostabi.Manifest
	grants   []string
}

// columns are those of README.md.
func columns() []hostabi.Stat {
	sum := func(name string) hostabi.Stat { return hostabi.Stat{Name: name, Kind: hostabi.KindSum} }
	most := func(name string) hostabi.Stat { return hostabi.Stat{Name: name, Kind: hostabi.KindMax} }
	return []hostabi.Stat{
		sum("before"), sum("after"), sum("events"), sum("continued"), sum("hits"), sum("bytes"), sum("hashed"),
		most("ttl"), most("tier"), most("time"),
		{Name: "shortest", Kind: hostabi.KindMin},
		{Name: "elapsed", Kind: hostabi.KindLog2},
		{Name: "mean_bytes", Kind: hostabi.KindMean, Of: []string{"bytes", "events"}},
		{Name: "hit_ratio", Kind: hostabi.KindRatio, Of: []string{"hits", "events"}},
	}
}

// readManifest reads the guest's manifest, which must be that of README.md as far as the kit counts on it.
func (k *kit) readManifest(t *testing.T) {
	t.Helper()
	section, ok, err := hostabi.ReadManifest(k.wasm)
	if err != nil || !ok {
		t.Fatalf("the module has no manifest: %v", err)
	}
	m, err := hostabi.ParseManifest(section)
	if err != nil {
		t.Fatal(err)
	}
	k.manifest = *m
	if !m.Wants(hostabi.HookBefore) || !m.Wants(hostabi.HookAfter) || !m.Wants(hostabi.HookObserve) ||
		!slices.Equal(m.Ops, []string{hostabi.AnyOp}) || !slices.EqualFunc(m.Stats, columns(), hostabi.Stat.Equal) {
		t.Fatalf("the manifest is not that of the conformance guest: %s", section)
	}
	for _, capability := range m.Needs {
		if !slices.Contains([]string{"clock", "hash", "log", "rng"}, capability) {
			k.grants = append(k.grants, capability)
		}
	}
}

// need skips a test of a capability that the guest does without.
func (k *kit) need(t *testing.T, capability string) {
	t.Helper()
	if !k.manifest.NeedsCapability(capability) {
		t.Skipf("the guest is built without capability %s", capability)
	}
}

// load loads the guest with a configuration and the manifest that change makes of its own; nil leaves it.
func (k *kit) load(t *testing.T, config string, change func(*hostabi.Manifest)) Guest {
	t.Helper()
	g, err := k.host.Load(t, k.plugin(t, config, change))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (k *kit) plugin(t *testing.T, config string, change func(*hostabi.Manifest)) Plugin {
	t.Helper()
	p := Plugin{Wasm: k.wasm, Config: config, Grants: k.grants}
	if change == nil {
		return p
	}
	m := k.manifest
	change(&m)
	var err error
	if p.Manifest, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return p
}

// failingClosed is a change of the manifest.
func failingClosed(m *hostabi.Manifest) { m.Failure = hostabi.FailClosed }

// do sends a command on one key.
func do(t *testing.T, g Guest, op uint8, key, value string) Item {
	t.Helper()
	return send(t, g, Command{Op: op, Keys: []string{key}, Value: value})[0]
}

func send(t *testing.T, g Guest, c Command) Result {
	t.Helper()
	r := g.Do(c)
	if len(r) != len(c.Keys) {
		t.Fatalf("%s %.80q: %d results", hostabi.OpName(c.Op), c.Keys, len(r))
	}
	return r
}

// ask returns the value that the guest tells when key is read.
func ask(t *testing.T, g Guest, key string) string {
	t.Helper()
	item := do(t, g, hostabi.OpGet, key, "")
	if item.Outcome != hostabi.OutcomeHit || item.Sent != nil {
		t.Fatalf("get %.80q: the guest did not answer: %+v", key, item)
	}
	return item.Value
}

// set stores a value under a key, which must get there as it is.
func set(t *testing.T, g Guest, namespace, key, value string) {
	t.Helper()
	r := send(t, g, Command{Op: hostabi.OpSet, Namespace: namespace, Keys: []string{key}, Value: value})
	if r[0].Outcome != hostabi.OutcomeStored || r[0].Sent == nil || r[0].Sent.Key != key {
		t.Fatalf("set %.80q: %+v", key, r[0])
	}
}

// wantSent checks under which key a command went to the tier.
func wantSent(t *testing.T, what string, item Item, key string) {
	t.Helper()
	switch {
	case item.Sent == nil:
		t.Errorf("%s: did not get to the tier: %s", what, item.Err)
	case item.Sent.Key != key:
		t.Errorf("%s: went to the tier as %.80q, want %.80q", what, item.Sent.Key, key)
	}
}

// contains reports whether an error's text speaks of something.
func contains(err error, text string) bool {
	return err != nil && bytes.Contains([]byte(err.Error()), []byte(text))
}
