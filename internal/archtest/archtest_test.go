package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestHouse(t *testing.T) {
	found, err := Check(os.DirFS(filepath.Join("..", "..")), House())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// TestEveryRuleHasAPackage keeps arrows from outliving what they are about. Packages that later work will bring have
// their rules ahead of them.
func TestEveryRuleHasAPackage(t *testing.T) {
	ahead := map[string]bool{"core/evict": true, "plugins/meter": true, "frontends/httpcache": true, "backends/*": true, "frontends/*": true, "bench/*": true}
	for _, r := range House() {
		if ahead[r.Path] {
			continue
		}
		if names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(r.Path), "*.go")); err != nil || len(names) == 0 {
			t.Errorf("the rule for %s is about no package: take it away", r.Path)
		}
	}
}

func TestBadPackagesAreFound(t *testing.T) {
	for _, tt := range []struct {
		name, file, source string
		want               string // in the only violation; "" for none
	}{
		{"good", "core/a.go", `import ("errors"; "` + Module + `/core/codec"; "go.opentelemetry.io/otel/trace"); var ErrX = errors.New("x")`, ""},
		{"frontend to backend", "frontends/resp/a.go", `import "` + Module + `/backends/redis"`, "arrow frontends/resp -> " + Module + "/backends/redis"},
		{"backend to plugins", "backends/sqlite/a.go", `import "` + Module + `/plugins"`, "turn the arrow round"},
		{"core to a guest", "core/a.go", `import "github.com/tetratelabs/wazero"`, "arrow core -> github.com/tetratelabs/wazero"},
		{"core to HTTP", "core/a.go", `import "net/http/httptest"`, "arrow core -> net/http/httptest"},
		{"core to the SDK", "core/a.go", `import "go.opentelemetry.io/otel/sdk/trace"`, "arrow core -> go.opentelemetry.io/otel/sdk/trace"},
		{"contract to anything", "hostabi/a.go", `import "github.com/cespare/xxhash/v2"`, "arrow hostabi"},
		{"telemetry beside main", "frontends/admin/a.go", `import "` + Module + `/internal/telemetry"`, "wire.go"},
		{"wire.go", "cmd/edgecache/wire.go", `import "` + Module + `/backends/redis"`, ""},
		{"beside wire.go", "cmd/edgecache/get.go", `import "` + Module + `/backends/redis"`, "arrow cmd/edgecache"},
		{"test helper in wire.go", "cmd/edgecache/wire.go", `import "` + Module + `/internal/testserver"`, "arrow cmd/edgecache"},
		{"a test may", "core/a_test.go", `import "` + Module + `/internal/testserver"`, ""},
		{"unknown package", "elsewhere/a.go", ``, `package "elsewhere" has no rule`},
		{"below a wildcard", "backends/redis/inner/a.go", ``, `package "backends/redis/inner" has no rule`},
		{"another module", "tools/x/a.go", `func init() {}`, ""},
		{"testdata", "core/testdata/a.go", `func init() {}`, ""},
		{"init", "core/a.go", `func init() {}`, "func init"},
		{"init of a guest", "wasm-examples/ttl/go/a.go", `var state int; func init() { state++ }`, ""},
		{"init method", "core/a.go", `type t struct{}; func (t) init() {}`, ""},
		{"WithValue", "core/a.go", `import "context"; func f(ctx context.Context) { _ = context.WithValue(ctx, 1, 2) }`, "context.WithValue hides"},
		{"Value", "core/a.go", `import "context"; func f(ctx context.Context) any { return ctx.Value(1) }`, "ctx.Value hides"},
		{"assertion", "core/a.go", `type i interface{}; type t struct{}; var _ i = (*t)(nil)`, ""},
		{"table", "core/a.go", `var names = [...]string{"a", "b"}; func f(i int) string { return names[i] }`, ""},
		{"embedded", "wasm-examples/a.go", "import \"embed\"\n//go:embed x\nvar files embed.FS", ""},
		{"no value", "core/a.go", `var n int`, "package variable n has no first value"},
		{"zero state", "core/a.go", `import "sync"; var mu sync.Mutex`, "package variable mu has no first value"},
		{"state", "core/a.go", `import "sync"; var m = sync.Map{}`, "package variable m holds something"},
		{"made", "core/a.go", `var m = make(map[string]int)`, "package variable m holds something"},
		{"pointer", "core/a.go", `type t struct{ n int }; var p = &t{}`, "package variable p holds something"},
		{"assigned", "core/a.go", `var n = 1; func f() { n = 2 }`, "package variable n is changed at line 2"},
		{"incremented", "core/a.go", `var n = [2]int{}; func f() { n[1]++ }`, "package variable n is changed"},
		{"field assigned", "core/a.go", `type t struct{ n int }; var v = t{}; func f() { v.n = 2 }`, "package variable v is changed"},
		{"pointed to", "core/a.go", `var n = 1; func f() *int { return &n }`, "package variable n is changed"},
		{"deleted from", "core/a.go", `var m = map[int]int{}; func f() { delete(m, 1) }`, "package variable m is changed"},
		{"shadowed", "core/a.go", `var n = 1; func f() { n := 2; n++; _ = n }`, ""},
		{"a field of that name", "core/a.go", `type t struct{ n int }; var n = 1; func (x *t) f() { x.n = 2 }`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, _, _ := strings.Cut(tt.file, "/")
			root := fstest.MapFS{
				tt.file:        {Data: []byte("package " + strings.ReplaceAll(dir, "-", "_") + "\n" + tt.source)},
				"tools/go.mod": {Data: []byte("module x")},
			}
			found, err := Check(root, House())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case tt.want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), tt.want)):
				t.Errorf("found %v, want one with %q", found, tt.want)
			case tt.want != "" && !strings.HasPrefix(found[0].Where, tt.file+":"):
				t.Errorf("found at %s, want %s", found[0].Where, tt.file)
			}
		})
	}
}

func TestUnreadableSourceIsAnError(t *testing.T) {
	for name, root := range map[string]fs.FS{
		"syntax":  fstest.MapFS{"core/a.go": {Data: []byte("package")}},
		"no root": os.DirFS(filepath.Join(t.TempDir(), "absent")),
	} {
		if _, err := Check(root, House()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAssignedInAnotherFile checks that names are resolved across the files of a package.
func TestAssignedInAnotherFile(t *testing.T) {
	root := fstest.MapFS{
		"core/a.go": {Data: []byte("package core\nvar n = 1")},
		"core/b.go": {Data: []byte("package core\nimport \"example.com/missing\"\nfunc f() { n = missing.F() }")},
	}
	found, err := Check(root, []Rule{{Path: "core", Others: []string{"*"}}})
	if err != nil || len(found) != 1 || !strings.Contains(found[0].What, "line 3") {
		t.Errorf("found %v, %v, want the assignment at line 3", found, err)
	}
}
