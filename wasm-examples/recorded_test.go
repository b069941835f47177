package examples

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/plugins"
	"github.com/edgecache/edgecache/plugins/native"
)

const rewriteRules = `{"rules":[
	{"lowercase":true},
	{"strip_query":["utm_*","fbclid"]},
	{"if_prefix":"/img/","replace":{"pattern":"/img/*/thumb","with":"/img/$1"}},
	{"prefix":"v1:"},
	{"hash_longer_than":100}
]}`

// recorded is a command as it stands in testdata or comes from the generator.
type recorded struct {
	op   core.Op
	path string
	keys []string
}

// command returns the command, and a result to go with it.
func (r recorded) command() *core.Command {
	cmd := &core.Command{Op: r.op}
	if r.op.Many() {
		cmd.Keys = slices.Clone(r.keys)
	} else {
		cmd.Key = r.keys[0]
	}
	switch r.op {
	case core.OpIncrement:
		cmd.Delta = 1
	case core.OpSetMany:
		cmd.Values = slices.Repeat([][]byte{[]byte("value")}, len(r.keys))
	default:
		if v := cmd.ValueAt(0); v != nil {
			*v = []byte("value")
		}
	}
	return cmd
}

// readCommands reads testdata/commands.txt.
func readCommands(t *testing.T) (commands []recorded) {
	t.Helper()
	file, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(file)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line[:strings.IndexByte(line, '"')])
		op, ok := core.ParseOp(words[0])
		if !ok || len(words) != 2 {
			t.Fatalf("testdata/commands.txt: %s", line)
		}
		commands = append(commands, recorded{op, strings.TrimPrefix(words[1], "-"), quoted(t, line)})
	}
	return commands
}

// quoted returns the strings in a line.
func quoted(t *testing.T, line string) (keys []string) {
	t.Helper()
	for rest := line[strings.IndexByte(line, '"'):]; rest != ""; rest = strings.TrimSpace(rest) {
		q, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("testdata/commands.txt: %s: %v", line, err)
		}
		key, _ := strconv.Unquote(q)
		keys, rest = append(keys, key), rest[len(q):]
	}
	return keys
}

// generateCommands returns n commands, the same for the same seed.
func generateCommands(seed uint64, n int) []recorded {
	r := rand.New(rand.NewPCG(seed, 1))
	ops := []core.Op{
		core.OpGet, core.OpGet, core.OpGet, core.OpGetMany, core.OpSet, core.OpSetMany, core.OpAdd, core.OpReplace,
		core.OpAppend, core.OpExists, core.OpTTL, core.OpDelete, core.OpDeleteMany,
	}
	commands := make([]recorded, n)
	for i := range commands {
		c := recorded{op: ops[r.IntN(len(ops))], path: [...]string{"", "a", "ab", "a/b", "shop"}[r.IntN(5)]}
		size := 1
		if c.op.Many() {
			size += r.IntN(5)
		}
		for range size {
			c.keys = append(c.keys, generateKey(r))
		}
		commands[i] = c
	}
	return commands
}

func generateKey(r *rand.Rand) string {
	if r.IntN(10) == 0 {
		return string(randomKey(r))
	}
	key := fmt.Sprintf([...]string{"/Page/%d", "/page/%d", "/img/%d/thumb", "/img/%d"}[r.IntN(4)], r.IntN(40))
	return key + [...]string{"", "", "?utm_source=Mail", "?fbclid=7&a=B", "?a=b", "#top"}[r.IntN(6)]
}

// trace notes the keys of commands as the tiers get them.
type trace struct{ keys []string }

func (*trace) Spec() core.HookSpec { return core.HookSpec{Name: "trace", Before: core.AllOps} }

func (tr *trace) Before(_ context.Context, cmd *core.Command, _ *core.Result) error {
	for i := range cmd.Size() {
		tr.keys = append(tr.keys, strings.Clone(*cmd.KeyAt(i)))
	}
	return nil
}

func (*trace) After(context.Context, *core.Command, *core.Result) error { return nil }

// load loads a plugin into a host that ends with the test, and grants what it needs.
func load(t *testing.T, name, language, config string, needs ...string) *plugins.Plugin {
	t.Helper()
	host, err := plugins.NewHost(t.Context(), plugins.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	p, err := host.Load(t.Context(), plugins.Source{
		Name: "guest-" + name, Wasm: module(t, name, language), Config: []byte(config), Grants: plugins.Grants{Needs: needs},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// side is a cache whose keys one of the two plugins rewrites, and which both of the others observe.
type side struct {
	cache     *core.Cache
	trace     trace
	observers []core.Observer
}

func newSide(t *testing.T, rewrite core.Hook) *side {
	t.Helper()
	tier, err := memory.New(memory.Options{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s := &side{observers: []core.Observer{
		load(t, "hitratio", "c", "").Observer(), native.NewHitRatio(),
		load(t, "timing", "c", "").Observer(), native.NewTiming(),
	}}
	s.cache, err = core.New(core.Options{
		Tiers: []core.Tier{{Name: "memory", Backend: tier}}, Hooks: []core.Hook{rewrite, &s.trace}, Observers: s.observers,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.cache.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// do runs a command and returns all that is to be seen of it.
func (s *side) do(r recorded) string {
	var res core.Result
	s.trace.keys = nil
	err := s.cache.Namespace(r.path).Do(context.Background(), r.command(), &res)
	slices.Sort(res.Keys)
	seen := fmt.Sprintf("%q: %v n=%d keys=%q err=%v", s.trace.keys, res.Outcome, res.N, res.Keys, err)
	for _, item := range res.Items {
		seen += " " + item.Outcome.String()
	}
	return seen
}

func (s *side) report(t *testing.T, observer int) core.Report {
	t.Helper()
	s.cache.Flush()
	report, err := s.observers[observer].(core.Reporter).Report()
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestRecordedCommands runs the same commands past guests and their twins in Go and wants to see no difference: in the
// keys that the tiers get, in the outcomes, and in the reports.
func TestRecordedCommands(t *testing.T) {
	for _, language := range []string{"c", "rust"} {
		t.Run(language, func(t *testing.T) { testRecordedCommands(t, language) })
	}
}

func testRecordedCommands(t *testing.T, language string) {
	for _, test := range []struct {
		name     string
		commands []recorded
	}{
		{"testdata", readCommands(t)},
		{"seed 1", generateCommands(1, 3000)},
		{"seed 2", generateCommands(2, 3000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			twin, err := native.NewKeyRewrite([]byte(rewriteRules))
			if err != nil {
				t.Fatal(err)
			}
			guest, inGo := newSide(t, load(t, "keyrewrite", language, rewriteRules).Hook()), newSide(t, twin)
			for _, r := range test.commands {
				if got, want := guest.do(r), inGo.do(r); got != want {
					t.Fatalf("%v in %q %q:\nthe guest %s\n    in Go %s", r.op, r.path, r.keys, got, want)
				}
			}
			hits := inGo.report(t, 1)
			if hits.Rows[0].Figures[0].Count == 0 || hits.Rows[0].Figures[1].Count == 0 {
				t.Fatalf("nothing was read or hit: %+v", hits)
			}
			for i, got := range []core.Report{guest.report(t, 0), guest.report(t, 1), inGo.report(t, 0)} {
				if !reflect.DeepEqual(got, hits) {
					t.Errorf("report %d of hitratio: %+v, want %+v", i, got, hits)
				}
			}
			for _, s := range []*side{guest, inGo} {
				if got, want := s.report(t, 2), s.report(t, 3); !reflect.DeepEqual(got, want) {
					t.Errorf("report of timing: the guest has %+v, in Go it is %+v", got, want)
				}
			}
		})
	}
}

// TestReports hands both twins events that no cache makes so easily: all operations, times and namespaces.
func TestReports(t *testing.T) {
	for _, test := range []struct {
		name, language string
		inGo           core.Observer
	}{
		{"hitratio", "c", native.NewHitRatio()},
		{"hitratio", "rust", native.NewHitRatio()},
		{"timing", "c", native.NewTiming()},
		{"timing", "zig", native.NewTiming()},
	} {
		t.Run(test.name+" in "+test.language, func(t *testing.T) {
			guest := load(t, test.name, test.language, "").Observer()
			compareReports(t, "of nothing", guest, test.inGo)
			r := rand.New(rand.NewPCG(3, 4))
			for range 20 {
				events := randomEvents(r)
				guest.Observe(events)
				test.inGo.Observe(events)
				compareReports(t, "of events", guest, test.inGo)
			}
		})
	}
}

func compareReports(t *testing.T, name string, guest, inGo core.Observer) {
	t.Helper()
	got, err := guest.(core.Reporter).Report()
	if err != nil {
		t.Fatal(err)
	}
	want, err := inGo.(core.Reporter).Report()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: the guest reports\n%+v, in Go it is\n%+v", name, got, want)
	}
}

func randomEvents(r *rand.Rand) []core.Event {
	events := make([]core.Event, r.IntN(1000))
	for i := range events {
		events[i] = core.Event{
			Op:        uint8(r.IntN(core.OpCount)),
			Result:    uint8(r.IntN(core.OutcomeCount)) | uint8(r.IntN(16))<<4,
			Elapsed:   r.Uint32() >> r.IntN(33),
			Namespace: [...]uint16{0, 1, uint16(r.IntN(2000)), 1022, 1023, 1024, core.OtherNamespaces, 0xffff}[r.IntN(8)],
		}
		if r.IntN(4) == 0 {
			events[i].Op |= core.EventContinued
		}
	}
	return events
}
