package pluginbench

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/plugins"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

func source(t *testing.T, name string) plugins.Source {
	t.Helper()
	wasm, manifest, ok := examples.Lookup(name)
	if !ok {
		t.Fatalf("there is no example %s", name)
	}
	return plugins.Source{Wasm: wasm, Manifest: manifest}
}

// actor is a guest that does what the key says, with both hooks.
func actor(t *testing.T) plugins.Source {
	t.Helper()
	wasm, err := os.ReadFile("../../plugins/testdata/actor.wasm")
	if err != nil {
		t.Fatal(err)
	}
	const manifest = `{"name":"actor","version":"1","abi":"hook/1","hooks":["before","after"],"ops":["*"],"needs":["clock","log","rng","kv"]}`
	return plugins.Source{Wasm: wasm, Manifest: []byte(manifest)}
}

// measure measures for a moment.
func measure(t *testing.T, o Options) *Result {
	t.Helper()
	o.Duration = 8 * time.Millisecond
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestHooksAreMeasured(t *testing.T) {
	rules := source(t, "keyrewrite")
	rules.Config = []byte(`{"rules":[{"prefix":"v1:"}]}`)
	for _, tt := range []struct {
		name  string
		o     Options
		hooks string
		op    string
	}{
		{"pure", Options{Source: rules, Keys: []string{"a", "b"}}, "before remembered", "get"},
		{"observer", Options{Source: source(t, "timing"), Keys: []string{"a"}}, "observe", "get"},
		{"both", Options{Source: actor(t), Keys: []string{"up:a"}, Op: core.OpSet, ValueSize: 10}, "before after", "set"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := measure(t, tt.o)
			var hooks []string
			for _, h := range res.Hooks {
				hooks = append(hooks, h.Hook)
				if h.Hook != "remembered" && h.Fuel <= 0 {
					t.Errorf("%s burns %v units", h.Hook, h.Fuel)
				}
				if h.Hook == "remembered" && h.Fuel != 0 {
					t.Errorf("%s burns %v units, although no guest is called", h.Hook, h.Fuel)
				}
			}
			if got := strings.Join(hooks, " "); got != tt.hooks || res.Op != tt.op || res.Keys != len(tt.o.Keys) || res.Refused != 0 {
				t.Errorf("%s of %s on %d keys, %v refused; want %s of %s", got, res.Op, res.Keys, res.Refused, tt.hooks, tt.op)
			}
			if res.LoadCold <= 0 || res.LoadWarm <= 0 || res.InstanceBytes == 0 {
				t.Errorf("load %v and %v, %d bytes an instance", res.LoadCold, res.LoadWarm, res.InstanceBytes)
			}
		})
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	if res := measure(t, Options{Source: actor(t), Keys: []string{"deny:a", "pass:a"}}); res.Refused < 0.4 || res.Refused > 0.6 {
		t.Errorf("%v refused, want about half", res.Refused)
	}
}

func TestBadPluginsAreErrors(t *testing.T) {
	bad := source(t, "hitratio")
	bad.Config = []byte(`{"a":1}`)
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"no keys", Options{Source: actor(t)}, "no keys are given"},
		{"no manifest", Options{Source: plugins.Source{Wasm: []byte("\x00asm\x01\x00\x00\x00")}, Keys: []string{"a"}}, "no manifest"},
		{"no module", Options{Source: plugins.Source{Wasm: []byte("x")}, Keys: []string{"a"}}, "is no WebAssembly module"},
		{"bad manifest", Options{Source: plugins.Source{Manifest: []byte("{}")}, Keys: []string{"a"}}, "manifest: name"},
		{"bad configuration", Options{Source: bad, Keys: []string{"a"}}, "takes no configuration"},
		{"fails", Options{Source: actor(t), Keys: []string{"trap:a"}, Duration: time.Millisecond}, "plugin actor fails: map[trap:"},
	} {
		if _, err := Run(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Run = %v, want %q", tt.name, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{Source: actor(t), Keys: []string{"a"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}

func TestFirstOp(t *testing.T) {
	for ops, want := range map[string]core.Op{
		`"*"`: core.OpGet, `"set","get"`: core.OpGet, `"set_many","set"`: core.OpSet, `"keys","get_many"`: core.OpGet,
	} {
		src := plugins.Source{Manifest: []byte(`{"name":"a","version":"1","abi":"hook/1","hooks":["before"],"ops":[` + ops + `]}`)}
		m, err := grantAll(&src)
		if err != nil {
			t.Fatal(err)
		}
		if got := firstOp(m); got != want {
			t.Errorf("firstOp of %s = %v, want %v", ops, got, want)
		}
	}
}
