package hostabi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Manifest says what a plugin is and wants. It is JSON in the module's ManifestSection, or in a file beside the module.
type Manifest struct {
	// Name is 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit.
	Name string `json:"name"`
	// Version is the plugin's own, any text up to 64 bytes.
	Version string `json:"version"`
	// ABI is ABIHook, or ABIPolicy for an eviction policy, which has none of the fields below but Needs, MemoryPages and Fuel, or
	// ABIHTTP for hooks of HTTP, which have Phases in the place of Hooks, and no Ops, Keys and Pure.
	ABI string `json:"abi"`
	// Hooks are what the host shall call: HookBefore, HookAfter, HookObserve.
	Hooks []string `json:"hooks,omitempty"`
	// Ops are the names of the operations that the plugin wants, or AnyOp alone.
	Ops []string `json:"ops,omitempty"`
	// Keys are prefixes: the hooks are called for keys that begin with one of them. None is every key.
	Keys []string `json:"keys,omitempty"`
	// Phases are where the host shall call hooks of HTTP, of those that HTTPPhases names.
	Phases []string `json:"phases,omitempty"`
	// Headers are the names of the fields of requests that hooks of HTTP read, in lower case, ResponseHeaders those of
	// responses.
	Headers         []string `json:"headers,omitempty"`
	ResponseHeaders []string `json:"response_headers,omitempty"`
	// Needs are the capabilities that it needs, of those in Capabilities.
	Needs []string `json:"needs,omitempty"`
	// MemoryPages is how far an instance's memory may grow, in pages of 64 KiB. 0 is DefaultMemoryPages. That of a policy may
	// always grow as far as the number of its objects asks for.
	MemoryPages int `json:"memory_pages,omitempty"`
	// Fuel is how many units a call may burn, about as many as instructions; for a policy, how many each request may. 0 is the
	// host's default.
	Fuel int64 `json:"fuel,omitempty"`
	// Priority orders plugins that are not ordered otherwise: those of lower priority run first.
	Priority int `json:"priority,omitempty"`
	// Pure promises that what ec_before returns depends on namespace and key alone, so that the host may remember it.
	Pure bool `json:"pure,omitempty"`
	// PureKey promises that what ec_http says in the phase "key" depends on scheme, host and target alone: it gets no others then,
	// and the host may remember it.
	PureKey bool `json:"pure_key,omitempty"`
	// Lengthen asks to have responses kept that no-store, private or Authorization forbid to keep. An operator must grant it.
	Lengthen bool `json:"lengthen,omitempty"`
	// Stateful asks for one instance, so that what the guest remembers is seen by every call.
	Stateful bool `json:"stateful,omitempty"`
	// Lossy allows the host to drop events rather than let commands wait for the guest.
	Lossy bool `json:"lossy,omitempty"`
	// Failure is FailOpen, FailClosed or "" for the host's default, which is open.
	Failure string `json:"failure,omitempty"`
	// Stats are the columns of the statistics block.
	Stats []Stat `json:"stats,omitempty"`
}

// Stat is one column of the statistics.
type Stat struct {
	Name string `json:"name"`
	// Kind is one of the Kind constants.
	Kind string `json:"kind"`
	// Of names the two columns of kind sum that a mean or a ratio divides.
	Of []string `json:"of,omitempty"`
}

// Words of the manifest.
const (
	ABIHook   = "hook/1"
	ABIPolicy = "policy/1"
	ABIHTTP   = "http/1"

	HookBefore  = "before"
	HookAfter   = "after"
	HookObserve = "observe"

	AnyOp = "*"

	FailOpen   = "open"   // the command goes on as if the plugin were not there
	FailClosed = "closed" // the command fails

	KindSum   = "sum"   // one slot; instances are added
	KindMax   = "max"   // one slot; the largest counts
	KindMin   = "min"   // one slot; the smallest counts, all bits set is none
	KindLog2  = "log2"  // HistogramSlots slots; instances are added
	KindMean  = "mean"  // no slot: the first column of "of" divided by the second
	KindRatio = "ratio" // no slot: as mean

	// DefaultMemoryPages is what a manifest gets that does not say: 1 MiB.
	DefaultMemoryPages = 16
	// MaxMemoryPages is what a 32-bit memory can have.
	MaxMemoryPages = 65536
	// MaxManifest is how long a manifest may be, in bytes.
	MaxManifest = 64 << 10
	// maxStats bounds the columns, and with MaxStatRows a block.
	maxStats = 64
	// maxWords bounds the prefixes and headers, maxPrefix the length of a prefix.
	maxWords  = 64
	maxPrefix = 256
)

// Capabilities returns the names that a manifest's needs may have.
func Capabilities() []string {
	return []string{"clock", "hash", "value", "kv", "metrics", "log", "rng", "trace"}
}

var opNames = [OpCount]string{
	"none", "get", "get_many", "set", "set_many", "add", "replace", "compare_and_swap", "append", "prepend",
	"increment", "decrement", "exists", "ttl", "expire", "delete", "delete_many", "clear", "keys", "raw",
}

// OpName returns an operation's name as it stands in manifests.
func OpName(op uint8) string {
	if op < OpCount {
		return opNames[op]
	}
	return "unknown"
}

// Slots returns how many slots of a row the column takes.
func (s Stat) Slots() int {
	switch s.Kind {
	case KindLog2:
		return HistogramSlots
	case KindMean, KindRatio:
		return 0
	default:
		return 1
	}
}

// ParseManifest reads and checks a manifest. Unknown fields are errors: a newer plugin must not be half understood.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("manifest of %d bytes: at most %d are allowed", len(b), MaxManifest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m Manifest
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("manifest: %w", jsonError(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("manifest: something follows the JSON object at byte %d", d.InputOffset())
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return &m, nil
}

// jsonError says in plain words where the JSON is wrong.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	case errors.As(err, &kind):
		return fmt.Errorf("field %q: %s where %s belongs", kind.Field, kind.Value, kind.Type)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON ends too soon")
	default:
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
}

// Validate reports the first thing that is wrong with the manifest, and what would be right.
func (m *Manifest) Validate() error {
	switch {
	case !ValidName(m.Name):
		return fmt.Errorf("name %.80q: 1 to 64 of a-z 0-9 . _ - are allowed, the first a letter or digit", m.Name)
	case m.Version == "" || len(m.Version) > 64:
		return fmt.Errorf("version %.80q: 1 to 64 bytes are allowed", m.Version)
	case m.ABI != ABIHook && m.ABI != ABIPolicy && m.ABI != ABIHTTP:
		return fmt.Errorf("abi %.80q is not known: this host speaks %q, %q, and %q with policies", m.ABI, ABIHook, ABIHTTP, ABIPolicy)
	case m.MemoryPages < 0 || m.MemoryPages > MaxMemoryPages:
		return fmt.Errorf("memory_pages %d: 1 to %d are possible", m.MemoryPages, MaxMemoryPages)
	case m.Fuel < 0:
		return fmt.Errorf("fuel %d is negative", m.Fuel)
	case m.ABI == ABIPolicy:
		return m.checkPolicy()
	case m.Failure != "" && m.Failure != FailOpen && m.Failure != FailClosed:
		return fmt.Errorf("failure %.80q: %q or %q are possible", m.Failure, FailOpen, FailClosed)
	case m.ABI == ABIHTTP:
		return m.checkHTTP()
	case len(m.Phases) > 0 || len(m.ResponseHeaders) > 0 || m.PureKey || m.Lengthen:
		return fmt.Errorf("phases, response_headers, pure_key, lengthen: they are for abi %q", ABIHTTP)
	case m.Pure && (m.Stateful || !m.Wants(HookBefore) || m.Wants(HookAfter)):
		return errors.New(`pure: only a plugin with the hook "before", without "after" and not stateful can be pure`)
	}
	if err := checkWords("hooks", m.Hooks, []string{HookBefore, HookAfter, HookObserve}); err != nil {
		return err
	}
	if len(m.Hooks) == 0 {
		return errors.New(`hooks: none given: at least one of "before", "after", "observe" is needed`)
	}
	if err := m.checkOps(); err != nil {
		return err
	}
	if err := checkWords("needs", m.Needs, Capabilities()); err != nil {
		return err
	}
	if err := m.checkKeys(); err != nil {
		return err
	}
	return m.checkStats()
}

// checkPolicy reports what a policy has no use for. It tells the same of the same requests, so it has neither clock nor dice.
func (m *Manifest) checkPolicy() error {
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"hooks", len(m.Hooks) > 0},
		{"ops", len(m.Ops) > 0},
		{"keys", len(m.Keys) > 0},
		{"headers", len(m.Headers) > 0},
		{"phases", len(m.Phases) > 0},
		{"response_headers", len(m.ResponseHeaders) > 0},
		{"pure_key", m.PureKey},
		{"lengthen", m.Lengthen},
		{"priority", m.Priority != 0},
		{"pure", m.Pure},
		{"stateful", m.Stateful},
		{"lossy", m.Lossy},
		{"failure", m.Failure != ""},
		{"stats", len(m.Stats) > 0},
	} {
		if field.given {
			return fmt.Errorf("%s: a policy (abi %q) is called for every request of its cache: leave it out", field.name, ABIPolicy)
		}
	}
	return checkWords("needs", m.Needs, []string{"log"})
}

// checkHTTP reports what is wrong with the manifest of hooks of HTTP.
func (m *Manifest) checkHTTP() error {
	switch {
	case len(m.Hooks) > 0 || len(m.Ops) > 0 || len(m.Keys) > 0 || m.Pure:
		return fmt.Errorf("hooks, ops, keys, pure: they are for abi %q: one of %q has phases, and pure_key", ABIHook, ABIHTTP)
	case len(m.Phases) == 0:
		return fmt.Errorf("phases: none given: at least one of %s is needed", strings.Join(HTTPPhases(), ", "))
	case m.PureKey && (m.Stateful || !m.WantsPhase("key")):
		return errors.New(`pure_key: only a plugin with the phase "key" that is not stateful can be pure`)
	}
	if err := checkWords("phases", m.Phases, HTTPPhases()); err != nil {
		return err
	}
	if err := checkWords("needs", m.Needs, []string{"clock", "kv", "log", "metrics", "rng"}); err != nil {
		return err
	}
	if err := checkHeaders("headers", m.Headers); err != nil {
		return err
	}
	if err := checkHeaders("response_headers", m.ResponseHeaders); err != nil {
		return err
	}
	return m.checkStats()
}

// checkHeaders reports a name that is no field's, or stands twice.
func checkHeaders(field string, names []string) error {
	if len(names) > maxWords {
		return fmt.Errorf("%s: %d given: at most %d are possible", field, len(names), maxWords)
	}
	for i, h := range names {
		if !ValidName(h) {
			return fmt.Errorf("%s: name %.80q: 1 to 64 of a-z 0-9 . _ - are allowed, the first a letter or digit", field, h)
		}
		if slices.Contains(names[:i], h) {
			return fmt.Errorf("%s: %q stands twice", field, h)
		}
	}
	return nil
}

// WantsPhase reports whether the manifest lists the phase.
func (m *Manifest) WantsPhase(name string) bool { return slices.Contains(m.Phases, name) }

func (m *Manifest) checkKeys() error {
	switch {
	case len(m.Keys) > maxWords:
		return fmt.Errorf("keys: %d given: at most %d are possible", len(m.Keys), maxWords)
	case len(m.Keys) > 0 && m.Wants(HookObserve):
		return fmt.Errorf("keys: events carry no key: a plugin with hook %q takes all of them", HookObserve)
	}
	for _, p := range m.Keys {
		if p == "" || len(p) > maxPrefix {
			return fmt.Errorf("keys: prefix %.80q: 1 to %d bytes are allowed", p, maxPrefix)
		}
	}
	return checkHeaders("headers", m.Headers)
}

func (m *Manifest) checkOps() error {
	if len(m.Ops) == 1 && m.Ops[0] == AnyOp {
		return nil
	}
	if len(m.Ops) == 0 {
		return fmt.Errorf("ops: none given: name operations, or %q for all", AnyOp)
	}
	return checkWords("ops", m.Ops, opNames[1:])
}

func (m *Manifest) checkStats() error {
	if len(m.Stats) > maxStats {
		return fmt.Errorf("stats: %d columns: at most %d are possible", len(m.Stats), maxStats)
	}
	kinds := make(map[string]string, len(m.Stats))
	for _, s := range m.Stats {
		if !ValidName(s.Name) {
			return fmt.Errorf("stats: name %.80q: 1 to 64 of a-z 0-9 . _ - are allowed", s.Name)
		}
		if kinds[s.Name] != "" {
			return fmt.Errorf("stats: two columns are called %q", s.Name)
		}
		kinds[s.Name] = s.Kind
	}
	for _, s := range m.Stats {
		if err := s.check(kinds); err != nil {
			return fmt.Errorf("stats: column %q: %w", s.Name, err)
		}
	}
	return nil
}

func (s Stat) check(kinds map[string]string) error {
	switch s.Kind {
	case KindSum, KindMax, KindMin, KindLog2:
		if len(s.Of) != 0 {
			return fmt.Errorf(`kind %q takes no "of"`, s.Kind)
		}
		return nil
	case KindMean, KindRatio:
		if len(s.Of) != 2 {
			return fmt.Errorf(`kind %q needs "of": [dividend, divisor]`, s.Kind)
		}
		for _, name := range s.Of {
			if kinds[name] != KindSum {
				return fmt.Errorf("of: %.80q is no column of kind %q", name, KindSum)
			}
		}
		return nil
	default:
		return fmt.Errorf("kind %.80q: sum, max, min, mean, ratio and log2 are possible", s.Kind)
	}
}

// Marker returns the export that a module of the manifest's ABI must have.
func (m *Manifest) Marker() string {
	switch m.ABI {
	case ABIPolicy:
		return ExportPolicyMarker
	case ABIHTTP:
		return ExportHTTPMarker
	default:
		return ExportMarker
	}
}

// Wants reports whether the manifest lists the hook.
func (m *Manifest) Wants(hook string) bool { return slices.Contains(m.Hooks, hook) }

// NeedsCapability reports whether the manifest lists the capability.
func (m *Manifest) NeedsCapability(name string) bool { return slices.Contains(m.Needs, name) }

// checkWords reports a word that is not among those allowed, or stands twice.
func checkWords(field string, words, allowed []string) error {
	for i, w := range words {
		if !slices.Contains(allowed, w) {
			return fmt.Errorf("%s: %.80q is not known: possible are %s", field, w, strings.Join(allowed, ", "))
		}
		if slices.Contains(words[:i], w) {
			return fmt.Errorf("%s: %q stands twice", field, w)
		}
	}
	return nil
}

// ValidName reports whether s can name a plugin, a column, a metric or an attribute: 1 to 64 of a-z 0-9 . _ -, the first a
// letter or digit.
func ValidName[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > 64 || !alnum(s[0]) {
		return false
	}
	for i := range len(s) {
		if !alnum(s[i]) && s[i] != '.' && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return true
}

func alnum(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// Equal reports whether two columns are the same.
func (s Stat) Equal(o Stat) bool {
	return s.Name == o.Name && s.Kind == o.Kind && slices.Equal(s.Of, o.Of)
}
