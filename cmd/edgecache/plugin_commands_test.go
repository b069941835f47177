package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/internal/pluginbench"
	"github.com/edgecache/edgecache/plugins"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// folder makes a folder with the plugin hitratio in it, its manifest inside the module, and the files given.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	wasm, manifest, ok := examples.Lookup("hitratio")
	if !ok {
		t.Fatal("there is no example hitratio")
	}
	all := map[string]string{"hitratio.wasm": string(hostabi.AppendManifest(wasm, manifest))}
	maps.Copy(all, files)
	for name, text := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// huge makes a file that is too large for a module, without writing it.
func huge(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(hostabi.MaxModule + 1); err != nil {
		t.Fatal(err)
	}
}

func TestPluginCommandsSayWhatIsWrong(t *testing.T) {
	dir := folder(t, map[string]string{
		"text.wasm": "hello", "bad.txt": "OK", "config.json": `{"a":1}`, "bad.json": "{", "empty/x": "", "keys.txt": "\n",
		"fail.txt": "> PING\nPONG\n> GET a\n\"b\"\n", "scenario.txt": "> PING\nPONG\nstats hits 0\n",
	})
	huge(t, filepath.Join(dir, "huge.wasm"))
	for _, tt := range []struct {
		args string
		want result // out and errOut are looked for
	}{
		{"plugin", result{0, "Write plugins, share them", ""}},
		{"plugin frob", result{2, "", `unknown command "frob" for "edgecache plugin"`}},
		{"plugin test --help", result{0, "stored v1:greeting", ""}},
		{"plugin test", result{2, "", "MODULE is missing"}},
		{"plugin test absent.wasm", result{1, "", "no such file"}},
		{"plugin test .", result{1, "", ".: there are 3 modules: name one of hitratio.wasm, huge.wasm, text.wasm"}},
		{"plugin test empty", result{1, "", `empty: there is no module (*.wasm): build it with "edgecache plugin build empty"`}},
		{"plugin test hitratio.wasm", result{0, "ok: hitratio.wasm: 2 checks of scenario.txt\n", ""}},
		{"plugin test hitratio.wasm --scenario absent", result{1, "", "open absent: no such file"}},
		{"plugin test hitratio.wasm --scenario bad.txt", result{1, "", `bad.txt:1: "OK" is nothing that a scenario has`}},
		{"plugin test hitratio.wasm --scenario fail.txt", result{1, "fail.txt:4: \"b\"\n    want \"b\"\n    got  (nil)\n", "1 of 2 checks failed"}},
		{"plugin test text.wasm", result{1, "got  plugin: module is no WebAssembly module", ""}},
		{"plugin test hitratio.wasm -o xml", result{2, "", "table or json"}},
		{"plugin inspect absent.wasm", result{1, "", "no such file"}},
		{"plugin inspect hitratio.wasm", result{0, "verdict        ok", ""}},
		{"plugin inspect text.wasm", result{1, "refused", "text.wasm is refused: module is no WebAssembly module"}},
		{"plugin inspect huge.wasm", result{1, "refused", "module of 67108865 bytes: at most 67108864 are allowed"}},
		{"plugin bench text.wasm", result{1, "", "is no WebAssembly module"}},
		{"plugin bench hitratio.wasm --duration 0s", result{2, "", "--duration 0s"}},
		{"plugin bench hitratio.wasm --op keys", result{2, "", "an operation on one key is wanted"}},
		{"plugin bench hitratio.wasm --value-size -1", result{2, "", "--value-size -1"}},
		{"plugin bench hitratio.wasm --key a --keys b", result{2, "", "[key keys]"}},
		{"plugin bench hitratio.wasm --keys keys.txt", result{1, "", "keys.txt: there are no keys in it"}},
		{"plugin bench hitratio.wasm --config config.json", result{1, "", "takes no configuration"}},
		{"plugin pack hitratio.wasm", result{2, "", `"manifest" not set`}},
		{"plugin pack text.wasm --manifest config.json", result{1, "", `text.wasm, config.json: manifest: unknown field "a"`}},
		{"plugin sign huge.wasm --secret-key absent", result{1, "", "module of 67108865 bytes"}},
		{"plugin verify huge.wasm --key absent", result{1, "", "module of 67108865 bytes"}},
		{"plugin load huge.wasm", result{1, "", "module of 67108865 bytes"}},
		{"plugin push huge.wasm localhost:1/x:1", result{1, "", "module of 67108865 bytes"}},
		{"run --plugin ./huge.wasm --resp 127.0.0.1:0 --admin off", result{1, "", "module of 67108865 bytes"}},
		{"plugin pack huge.wasm --manifest config.json", result{1, "", "huge.wasm: module of"}},
		{"plugin build empty", result{1, "", "empty: there is no source"}},
		{"plugin build a b", result{2, "", `"b" is one word too many`}},
		{"plugin new", result{2, "", "NAME is missing"}},
		{"plugin new mine", result{2, "", `"lang" not set`}},
		{"plugin new mine --lang cobol", result{2, "", "c, rust, go, as (AssemblyScript) and zig are possible"}},
		{"plugin new Mine --lang c", result{1, "", `name "Mine": 1 to 64 of a-z`}},
	} {
		got := edgecacheIn(t, dir, strings.Fields(tt.args)...)
		if got.code != tt.want.code || !strings.Contains(got.out, tt.want.out) || !strings.Contains(got.errOut, tt.want.errOut) {
			t.Errorf("edgecache %s = %+v, want %+v", tt.args, got, tt.want)
		}
	}
}

// edgecacheIn runs a command line in a folder.
func edgecacheIn(t *testing.T, dir string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv(binaryVar), args...)
	cmd.Dir, cmd.Env = dir, environ(nil)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("edgecache %q: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// decode reads what a command printed as JSON.
func decode[T any](t *testing.T, r result) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("%v in %+v", err, r)
	}
	return v
}

func TestPluginCommandsAsJSON(t *testing.T) {
	dir := folder(t, map[string]string{"text.wasm": "hello", "scenario.txt": "> GET a\n\"b\"\n"})
	refused := edgecacheIn(t, dir, "plugin", "inspect", "text.wasm", "-o", "json")
	if r := decode[plugins.Inspection](t, refused); refused.code != 1 || r.Verdict != "refused" || !strings.Contains(r.Reason, "no WebAssembly") {
		t.Errorf("inspect = %+v", refused)
	}
	inspected := edgecacheIn(t, dir, "plugin", "inspect", "hitratio.wasm", "-o", "json")
	if r := decode[plugins.Inspection](t, inspected); inspected.code != 0 || r.Verdict != "ok" || r.Name != "hitratio" || len(r.Exports) == 0 {
		t.Errorf("inspect = %+v", inspected)
	}
	failed := edgecacheIn(t, dir, "plugin", "test", "hitratio.wasm", "-o", "json")
	if r := decode[tested](t, failed); failed.code != 1 || r.OK || len(r.Failures) != 1 || r.Failures[0].Line != 2 || r.Failures[0].Got != "(nil)" {
		t.Errorf("test = %+v", failed)
	}
	measured := edgecacheIn(t, dir, "plugin", "bench", "hitratio.wasm", "--duration", "8ms", "--key", "a", "-o", "json")
	if r := decode[pluginbench.Result](t, measured); measured.code != 0 || r.Plugin != "hitratio" || len(r.Hooks) != 1 {
		t.Errorf("bench = %+v", measured)
	}
	if got := edgecacheIn(t, dir, "plugin", "bench", "hitratio.wasm", "--duration", "8ms"); got.code != 0 || !strings.Contains(got.out, "observe") {
		t.Errorf("bench = %+v", got)
	}
}

// withoutManifest returns the module without the section that its manifest is in.
func withoutManifest(t *testing.T, wasm []byte) string {
	t.Helper()
	for s, err := range hostabi.Sections(wasm) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Name == hostabi.ManifestSection {
			return string(wasm[:s.Start]) + string(wasm[s.End:])
		}
	}
	t.Fatal("the module has no manifest")
	return ""
}

func TestWhichManifestCounts(t *testing.T) {
	manifest := `{"name":"NAME","version":"1","abi":"hook/1","hooks":["observe"],"ops":["get"]}`
	called := func(name string) string { return strings.Replace(manifest, "NAME", name, 1) }
	wasm, _, _ := examples.Lookup("hitratio")
	bare := withoutManifest(t, wasm)
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"in the module", nil, "hitratio"},
		{"in the module before the folder", map[string]string{"manifest.json": called("folder")}, "hitratio"},
		{"beside", map[string]string{"manifest.json": called("folder"), "hitratio.wasm.json": called("beside")}, "beside"},
		{"in the folder", map[string]string{"hitratio.wasm": bare, "manifest.json": called("folder")}, "folder"},
		{"nowhere", map[string]string{"hitratio.wasm": bare}, ""},
	} {
		dir := folder(t, tt.files)
		got := edgecacheIn(t, dir, "plugin", "inspect", ".", "-o", "json")
		if r := decode[plugins.Inspection](t, got); r.Name != tt.want {
			t.Errorf("%s: the plugin is called %q, want %q", tt.name, r.Name, tt.want)
		}
		src, err := readPlugin(config.Plugin{Path: filepath.Join(dir, "hitratio.wasm")})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := inspect(t.Context(), src); err != nil || r.Name != tt.want {
			t.Errorf("%s: a server has %q, %v, want %q", tt.name, r.Name, err, tt.want)
		}
	}
}

func TestPackWritesTheManifest(t *testing.T) {
	dir := folder(t, map[string]string{"m.json": `{"name":"packed","version":"1","abi":"hook/1","hooks":["observe"],"ops":["get"]}`})
	got := edgecacheIn(t, dir, "plugin", "pack", "hitratio.wasm", "--manifest", "m.json", "--to", "out.wasm")
	if got.code != 0 || !strings.HasSuffix(got.out, "with the manifest of m.json\n") {
		t.Fatalf("pack = %+v", got)
	}
	type result struct {
		File, Name, Version string
		Bytes               int64
	}
	got = edgecacheIn(t, dir, "plugin", "pack", "hitratio.wasm", "--manifest", "m.json", "-o", "json")
	info, err := os.Stat(filepath.Join(dir, "hitratio.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if r, want := decode[result](t, got), (result{"hitratio.wasm", "packed", "1", info.Size()}); r != want {
		t.Errorf("pack = %+v, want %+v", r, want)
	}
	for _, module := range []string{"out.wasm", "hitratio.wasm"} {
		got := edgecacheIn(t, dir, "plugin", "inspect", module, "-o", "json")
		if r := decode[plugins.Inspection](t, got); r.Verdict != "ok" || r.Name != "packed" {
			t.Errorf("%s = %+v", module, got)
		}
	}
}

func TestNewAsJSON(t *testing.T) {
	dir := t.TempDir()
	got := edgecacheIn(t, dir, "plugin", "new", "mine", "folder", "--lang", "zig", "-o", "json")
	r := decode[struct {
		Folder string
		Files  []string
	}](t, got)
	if r.Folder != "folder" || len(r.Files) == 0 || !strings.Contains(got.errOut, "cd folder") {
		t.Errorf("new = %+v", got)
	}
	for _, name := range r.Files {
		if _, err := os.Stat(filepath.Join(dir, r.Folder, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
}

func TestNewBuildAndTest(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		abitest.Missing(t, "c", err.Error())
	}
	dir := t.TempDir()
	for _, args := range []string{
		"plugin new mine --lang c", "plugin build mine", "plugin test mine", "plugin inspect mine",
		"plugin build mine --to other.wasm -- -O1", "plugin test other.wasm --scenario mine/scenario.txt",
	} {
		if got := edgecacheIn(t, dir, strings.Fields(args)...); got.code != 0 {
			t.Fatalf("edgecache %s = %+v", args, got)
		}
	}
	built := edgecacheIn(t, dir, "plugin", "build", "mine", "-o", "json")
	inspected := edgecacheIn(t, dir, "plugin", "inspect", "mine", "-o", "json")
	type result struct {
		Name, Version, Language, File, Digest string
		Bytes                                 int
	}
	i := decode[plugins.Inspection](t, inspected)
	want := result{"mine", i.Version, "c", filepath.Join("mine", "mine.wasm"), i.Digest, i.Size}
	if r := decode[result](t, built); r != want || i.Digest == "" {
		t.Errorf("build = %+v, want %+v", r, want)
	}
	if got := edgecacheIn(t, dir, "plugin", "new", "mine", "--lang", "c"); got.code != 1 || !strings.Contains(got.errOut, "nothing is overwritten") {
		t.Errorf("a second new = %+v", got)
	}
}
