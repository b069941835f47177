package project

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi/abitest"
)

// TestDocumentedPlugins builds the plugins that docs/PLUGINS.md shows, in the way that it says, and runs its scenario.
func TestDocumentedPlugins(t *testing.T) {
	for l, fence := range map[Language]string{C: "c", Rust: "rust", Go: "go", AssemblyScript: "ts", Zig: "zig"} {
		t.Run(l.String(), func(t *testing.T) {
			dir := t.TempDir()
			if _, err := New(NewOptions{Name: "page", Language: l, Dir: dir, Examples: examples, SDK: sdks}); err != nil {
				t.Fatal(err)
			}
			source := "page" + l.suffix()
			if l == Go {
				source = "main.go"
			}
			replace(t, filepath.Join(dir, source), documented(t, fence))
			replace(t, filepath.Join(dir, "scenario.txt"), documented(t, "scenario"))
			linkModules(t, dir)
			var said bytes.Buffer
			b, err := Build(t.Context(), BuildOptions{Dir: dir, Stderr: &said})
			if missing, ok := errors.AsType[*MissingError](err); ok {
				abitest.Missing(t, string(l), missing.Error())
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			try(t, b.Wasm, filepath.Join(dir, "scenario.txt"))
		})
	}
}

// documented returns the one text of docs/PLUGINS.md in that language.
func documented(t *testing.T, fence string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "PLUGINS.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n```"+fence+"\n")
	text, rest, ended := strings.Cut(rest, "```\n")
	if !found || !ended || strings.Contains(rest, "\n```"+fence+"\n") {
		t.Fatalf("docs/PLUGINS.md has not one text in %s", fence)
	}
	return text
}

// replace writes a file that is there.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
