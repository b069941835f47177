package meter

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// specDir returns where the runtime's module has the specification's tests as binaries.
func specDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
	if err != nil || len(out) <= 1 {
		t.Skipf("the runtime's module is not in the module cache: %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the runtime's module has no tests of the specification: %v", err)
	}
	return dir
}

type specCommand struct {
	Type       string `json:"type"`
	Line       int    `json:"line"`
	Name       string `json:"name"`
	Filename   string `json:"filename"`
	As         string `json:"as"`
	ModuleType string `json:"module_type"`
	Action     struct {
		Type   string      `json:"type"`
		Module string      `json:"module"`
		Field  string      `json:"field"`
		Args   []specValue `json:"args"`
	} `json:"action"`
}

type specValue struct {
	Type  string `json:"type"`
	Lane  string `json:"lane_type"`
	Value any    `json:"value"`
}

// words returns a value as the runtime takes it.
func (v specValue) words(t *testing.T) []uint64 {
	t.Helper()
	switch value := v.Value.(type) {
	case string:
		return []uint64{word(t, v.Type, value)}
	case []any:
		var words [2]uint64
		bits := 128 / len(value)
		for i, lane := range value {
			at := i * bits
			words[at/64] |= word(t, v.Lane, lane.(string)) & (1<<bits - 1) << (at % 64)
		}
		return words[:]
	default:
		return []uint64{0}
	}
}

func word(t *testing.T, typ, s string) uint64 {
	t.Helper()
	switch {
	case s == "null":
		return 0
	case strings.HasPrefix(s, "nan"):
		if strings.HasSuffix(typ, "32") {
			return 0x7fc00000
		}
		return 0x7ff8000000000000
	case strings.HasPrefix(s, "-"):
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return uint64(n)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if typ == "externref" {
		n++ // 0 is null
	}
	return n
}

// side is one of the two worlds that a script runs in.
type side struct {
	runtime wazero.Runtime
	metered bool
	modules map[string]api.Module
	last    api.Module
}

// instantiate makes an instance under a name, or none, and says how that failed.
func (s *side) instantiate(t *testing.T, wasm []byte, name string) error {
	t.Helper()
	if s.metered {
		out, _, err := Rewrite(wasm, Options{Budget: plenty})
		if err != nil {
			return err
		}
		wasm = out
	}
	mod, err := s.runtime.InstantiateWithConfig(t.Context(), wasm, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err == nil {
		s.last = mod
	}
	return err
}

// TestSpec runs the specification's tests with and without the meter: both sides must give the same results and failures.
func TestSpec(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := specDir(t)
	for _, set := range []string{"v2", "tail-call", "extended-const"} {
		scripts, err := filepath.Glob(filepath.Join(dir, set, "testdata", "*.json"))
		if err != nil || len(scripts) == 0 {
			t.Fatalf("no scripts of %s: %v", set, err)
		}
		for _, script := range scripts {
			t.Run(set+"/"+strings.TrimSuffix(filepath.Base(script), ".json"), func(t *testing.T) {
				runScript(t, dir, script)
			})
		}
	}
}

func runScript(t *testing.T, dir, script string) {
	t.Helper()
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Commands []specCommand `json:"commands"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	spectest, err := os.ReadFile(filepath.Join(dir, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	plain, metered := &side{modules: map[string]api.Module{}}, &side{modules: map[string]api.Module{}, metered: true}
	for _, s := range []*side{plain, metered} {
		config := wazero.NewRuntimeConfig().WithCoreFeatures(features)
		s.runtime = wazero.NewRuntimeWithConfig(t.Context(), config)
		defer s.runtime.Close(t.Context())
		if err := s.instantiate(t, spectest, "spectest"); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range s.Commands {
		name := ""
		if i+1 < len(s.Commands) && s.Commands[i+1].Type == "register" {
			name = s.Commands[i+1].As
		}
		runCommand(t, filepath.Dir(script), c, name, plain, metered)
	}
}

// runCommand runs one command of a script on both sides. name is that of the module to be made.
func runCommand(t *testing.T, dir string, c specCommand, name string, plain, metered *side) {
	t.Helper()
	switch {
	case c.Action.Type == "invoke":
		invoke(t, c, plain, metered)
	case c.Filename != "" && c.ModuleType != "text":
		wasm, err := os.ReadFile(filepath.Join(dir, c.Filename))
		if err != nil {
			t.Fatal(err)
		}
		want, got := plain.instantiate(t, wasm, name), metered.instantiate(t, wasm, name)
		var refused *Error
		if want == nil && got != nil || want != nil && got == nil {
			t.Errorf("line %d: %s: %v metered, %v plain", c.Line, c.Filename, got, want)
		}
		if c.Type == "assert_uninstantiable" && !errors.As(got, &refused) && firstLine(got) != firstLine(want) {
			t.Errorf("line %d: %s: %v metered, %v plain", c.Line, c.Filename, got, want)
		}
		if c.Type == "module" && c.Name != "" {
			plain.modules[c.Name], metered.modules[c.Name] = plain.last, metered.last
		}
	}
}

func invoke(t *testing.T, c specCommand, plain, metered *side) {
	t.Helper()
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, a.words(t)...)
	}
	call := func(s *side) ([]uint64, error) {
		mod := s.last
		if c.Action.Module != "" {
			mod = s.modules[c.Action.Module]
		}
		return mod.ExportedFunction(c.Action.Field).Call(t.Context(), args...)
	}
	want, wantErr := call(plain)
	got, gotErr := call(metered)
	if !slices.Equal(got, want) || firstLine(gotErr) != firstLine(wantErr) {
		t.Errorf("line %d: %s(%v) = %v, %v metered, %v, %v plain", c.Line, c.Action.Field, args, got, gotErr, want, wantErr)
	}
}
