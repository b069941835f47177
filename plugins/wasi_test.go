package plugins

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
)

// TestGoGuest builds a guest with the Go that runs the test. It needs WASI, 128 pages and time for its goroutines.
func TestGoGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("building a Go guest takes a while")
	}
	file := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", file, "./testdata/goguest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h, l := newHost(t)
	p := load(t, h, Source{Name: "go", Wasm: wasm, Manifest: []byte(
		`{"name":"go","version":"1","abi":"hook/1","hooks":["before"],"ops":["get"],"memory_pages":128,"failure":"closed"}`)})
	for range 5 * idleCalls {
		cmd, res := core.Command{Op: core.OpGet, Key: "some key"}, core.Result{}
		if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "SOME KEY" {
			t.Fatalf("%q, %v", cmd.Key, err)
		}
	}
	cmd, res := core.Command{Op: core.OpGet, Key: "print"}, core.Result{}
	if err := before(t, p, &cmd, &res); err != nil || !strings.Contains(l.String(), "printed by the guest") {
		t.Errorf("Before = %v, log: %s", err, l)
	}
	cmd.Key = "panic"
	if err := before(t, p, &cmd, &res); !errors.Is(err, core.ErrPlugin) {
		t.Errorf("Before = %v", err)
	}
	cmd.Key = "again"
	if err := before(t, p, &cmd, &res); err != nil || cmd.Key != "AGAIN" {
		t.Errorf("afterwards: %q, %v", cmd.Key, err)
	}
	if !strings.Contains(l.String(), "as told") {
		t.Errorf("the panic's text is not in the log: %s", l)
	}
}
