package scenario

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/plugins"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// example returns a reference plugin.
func example(t *testing.T, name string) plugins.Source {
	t.Helper()
	wasm, manifest, ok := examples.Lookup(name)
	if !ok {
		t.Fatalf("there is no example %s", name)
	}
	return plugins.Source{Wasm: wasm, Manifest: manifest}
}

// run runs a scenario against a reference plugin.
func run(t *testing.T, name, text string) Result {
	t.Helper()
	s, err := Parse("s", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(t.Context(), Options{Source: example(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestScenariosThatHold(t *testing.T) {
	for _, tt := range []struct {
		name, plugin, text string
		checks             int
	}{
		{"rewrites", "keyrewrite", `
# keys are rewritten
config {"rules":[{"prefix":"v1:"}]}      # the prefix
> SET Greeting "hello  # you"            # quoted
OK
> GET Greeting
"hello  # you"
stored v1:Greeting "hello  # you"
stored v1:Greeting ~ ^"hello
stored |v1:Greeting ~ you
stored Greeting (nil)
length v1:Greeting 12
length v1:Greeting <13
ttl v1:Greeting -1
ttl Greeting -2
> EXPIRE Greeting 60
(integer) 1
ttl v1:Greeting 55..60
> MGET Greeting nothing
1) "hello  # you"
~ ^2\) .nil
> GET
~ ^\(error\) ERR wrong number
> SET "a b" c
> DEL "a b"
(integer) 1
config {}
> GET v1:Greeting
(nil)
refused config {"rules":3} ~ want an array
refused config {"rules":3} want an array
`, 20},
		{"counts", "hitratio", `
> SET a b
OK
> GET a
"b"
> GET b
(nil)
stats total 2
stats hits 1
stats ratio 0.5
config {}
> GET a
(nil)
stats hits 0
grant value
grant
> GET a
(nil)
stats total 1
`, 10},
		{"nothing but a plugin that loads", "timing", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := run(t, tt.plugin, tt.text)
			for _, f := range res.Failures {
				t.Error(f)
			}
			if res.Checks != tt.checks || res.Skipped != 0 {
				t.Errorf("%d checks, %d skipped, want %d", res.Checks, res.Skipped, tt.checks)
			}
		})
	}
}

func TestFailuresAreReported(t *testing.T) {
	for _, tt := range []struct {
		name, plugin, text string
		line               int
		want, got          string
		skipped            int
	}{
		{"reply", "hitratio", "> SET a b\nOK\n\n> GET a\n\"c\"", 5, `"c"`, `"b"`, 0},
		{"too few lines", "hitratio", "> MGET a b\n1) (nil)", 1, "1) (nil)", "1) (nil)\n2) (nil)", 0},
		{"too many lines", "hitratio", "> MGET a\n1) (nil)\n2) (nil)", 3, "1) (nil)\n2) (nil)", "1) (nil)", 0},
		{"an error", "hitratio", "> GET", 1, "a reply that is no error", "(error) ERR wrong number of arguments for 'get' command", 0},
		{"stored", "hitratio", "stored a \"b\"", 1, `"b"`, "(nil)", 0},
		{"length", "hitratio", "length a 1", 1, "1", "no such key", 0},
		{"ttl", "hitratio", "ttl a 1", 1, "1", "-2: no such key", 0},
		{"figure", "hitratio", "stats hits 1", 1, "1", "0", 0},
		{"no figure", "hitratio", "stats frob 1", 1, "1", `the plugin reports no "frob", only total, hits, ratio`, 0},
		{"histogram", "timing", "stats histogram 1", 1, "1", "it is a histogram, no single figure", 0},
		{"no figures", "keyrewrite", "stats frob 1", 1, "1", "the plugin reports no statistics: its manifest names none", 0},
		{"metric", "hitratio", "metric frob 1", 1, "1", `the plugin has defined no metric "frob", only []`, 0},
		{"log", "hitratio", "log frob", 1, "a line with frob", "0 other lines", 0},
		{"not refused", "keyrewrite", `refused config {"rules":[]} ~ x`, 1, "the configuration is refused", "the plugin takes it", 0},
		{"refused otherwise", "keyrewrite", `refused config {"rules":3} frob`, 1, "a line with frob", "want an array", 0},
		{
			"does not load", "keyrewrite", "config {\"rules\":3}\n> SET a b\nOK\nstored a \"b\"\nconfig {}\n> PING\nPONG",
			2, "the plugin loads", "want an array", 1,
		},
		{"does not load, nothing asked", "keyrewrite", `config {"rules":3}`, 1, "the plugin loads", "want an array", 0},
		{"takes no configuration", "hitratio", "config {\"a\":3}\n> PING", 2, "the plugin loads", "takes no configuration", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := run(t, tt.plugin, tt.text)
			if len(res.Failures) != 1 {
				t.Fatalf("%d failures, want 1: %v", len(res.Failures), res.Failures)
			}
			f := res.Failures[0]
			if f.Line != tt.line || f.Want != tt.want || !strings.Contains(f.Got, tt.got) || res.Skipped != tt.skipped {
				t.Errorf("got %+v, %d skipped, want line %d, %q, %q, %d skipped", f, res.Skipped, tt.line, tt.want, tt.got, tt.skipped)
			}
		})
	}
}

func TestFailureText(t *testing.T) {
	f := Failure{File: "scenario.txt", Line: 7, Text: "> GET a", Want: "1) x\n2) y", Got: "(nil)", Log: []string{"info: hello"}}
	const want = `scenario.txt:7: > GET a
    want 1) x
         2) y
    got  (nil)
    log  info: hello
`
	if got := f.String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

// actor is a guest that does what the key says.
func actor(t *testing.T, needs string) plugins.Source {
	t.Helper()
	wasm, err := os.ReadFile("../../plugins/testdata/actor.wasm")
	if err != nil {
		t.Fatal(err)
	}
	manifest := `{"name":"actor","version":"1","abi":"hook/1","hooks":["before"],"ops":["*"],"needs":["clock","log","rng"` + needs + `]}`
	return plugins.Source{Wasm: wasm, Manifest: []byte(manifest)}
}

func TestWhatThePluginSays(t *testing.T) {
	var text strings.Builder
	for range 50 { // more than a plugin may log elsewhere
		text.WriteString("> GET log:hello\n(nil)\nlog hello\nlog ~ ^hel+o$\n")
	}
	text.WriteString("> GET deny:me\n~ ^\\(error\\) .*me\nstored tenants|x (nil)\n> SET ns:tenants:a x\nOK\nstored tenants|ns:tenants:a \"x\"\n")
	s, err := Parse("s", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(t.Context(), Options{Source: actor(t, ""), CacheDir: t.TempDir()})
	if err != nil || len(res.Failures) > 0 {
		t.Error(res.Failures, err)
	}
}

func TestGuestsThatFailAreReported(t *testing.T) {
	s, err := Parse("s", []byte("> GET log:before\n(nil)\n> GET trap:1\n(nil)"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(t.Context(), Options{Source: actor(t, "")})
	if err != nil || len(res.Failures) != 1 {
		t.Fatalf("%+v, %v, want one failure", res, err)
	}
	f := res.Failures[0]
	if f.Line != 3 || f.Want != "the plugin works" || len(f.Log) != 1 || !strings.Contains(f.Log[0], "unreachable") ||
		!strings.Contains(f.Log[0], "ec_before") {
		t.Errorf("got %+v, want line 3 and a trace with ec_before", f)
	}
}

func TestGrants(t *testing.T) {
	s, err := Parse("s", []byte("> PING\nPONG\ngrant kv\n> PING\nPONG\ngrant\n> PING\nPONG"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(t.Context(), Options{Source: actor(t, `,"kv"`)})
	if err != nil || len(res.Failures) != 2 || res.Failures[0].Line != 1 || res.Failures[1].Line != 7 ||
		!strings.Contains(res.Failures[0].Got, `capability "kv"`) {
		t.Errorf("%+v, %v, want lines 1 and 7 to fail", res, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s, err := Parse("s", []byte("> PING\nPONG"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(ctx, Options{Source: actor(t, "")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}
