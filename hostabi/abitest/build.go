package abitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// Languages returns the languages that guests are written in, as wasm-examples/Makefile names them.
func Languages() []string { return []string{"c", "rust", "go", "as", "zig"} }

// Missing skips a test for which the tools of a language are missing, or fails it where EDGECACHE_REQUIRE_GUESTS is set. Zig
// may be missing anywhere, since no registry is sure to have it. why says what is missing and how to get it.
func Missing(t testing.TB, language, why string) {
	t.Helper()
	if os.Getenv("EDGECACHE_REQUIRE_GUESTS") != "" && language != "zig" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Build builds a module of wasm-examples, or the guest called conformance, in a language, and returns it with its manifest
// inside. What becomes of the test without a compiler is described at Missing.
func Build(t testing.TB, name, language string) []byte {
	t.Helper()
	dir := filepath.Join(moduleRoot(t), "wasm-examples")
	target := filepath.Join("build", name+"-"+language+".wasm")
	out, err := exec.CommandContext(t.Context(), "make", "-s", "-C", dir, target).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "no compiler") {
			Missing(t, language, fmt.Sprintf("%s in %s: %s", name, language, out))
		}
		t.Fatalf("%s in %s: %v\n%s", name, language, err, out)
	}
	wasm := read(t, filepath.Join(dir, target))
	if _, inside, err := hostabi.ReadManifest(wasm); err != nil || inside {
		return wasm
	}
	return hostabi.AppendManifest(wasm, read(t, filepath.Join(dir, target+hostabi.ManifestSuffix)))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// moduleRoot returns the folder of go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			t.Fatalf("%s is not in the module", dir)
		}
	}
}
