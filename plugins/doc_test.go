package plugins

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi/abitest"
)

// TestDocumentedGuest builds and runs the guest that docs/ABI.md shows.
func TestDocumentedGuest(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		abitest.Missing(t, "c", err.Error())
	}
	text, err := os.ReadFile("../docs/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```c\n")
	code, rest, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(rest, "```sh\n")
	build, rest, _ := strings.Cut(rest, "\necho '")
	manifest, _, _ := strings.Cut(rest, "'")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lower.c"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	clang := exec.Command("sh", "-c", build)
	clang.Dir = dir
	if out, err := clang.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, "lower.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	h, _ := newHost(t)
	p := load(t, h, Source{Wasm: wasm, Manifest: []byte(manifest)})
	cmd, res := core.Command{Op: core.OpGet, Key: "Users/ANN"}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "users/ann" {
		t.Errorf("Before = %v, key %q", err, cmd.Key)
	}
	cmd.Key = "admin:1"
	if err := before(t, p, &cmd, &res); !errors.Is(err, core.ErrRejected) || !strings.HasSuffix(err.Error(), ": admin") {
		t.Errorf("Before = %v", err)
	}
}
