package project

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
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
			replace(t, filepath.Join(dir, source), documented(t, "PLUGINS.md", fence))
			replace(t, filepath.Join(dir, "scenario.txt"), documented(t, "PLUGINS.md", "scenario"))
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

// TestDocumentedPolicies builds the policies that docs/POLICIES-GUEST.md shows, which do the same.
func TestDocumentedPolicies(t *testing.T) {
	var first []uint64
	for l, fence := range map[Language]string{C: "c", Rust: "rust"} {
		t.Run(l.String(), func(t *testing.T) {
			dir := t.TempDir()
			o := NewOptions{Name: "twice", Language: l, Policy: true, Dir: dir, Examples: examples, SDK: sdks}
			if _, err := New(o); err != nil {
				t.Fatal(err)
			}
			replace(t, filepath.Join(dir, "twice"+l.suffix()), documented(t, "POLICIES-GUEST.md", fence))
			replace(t, filepath.Join(dir, ManifestFile), documented(t, "POLICIES-GUEST.md", "json"))
			var said bytes.Buffer
			b, err := Build(t.Context(), BuildOptions{Dir: dir, Stderr: &said})
			if missing, ok := errors.AsType[*MissingError](err); ok {
				abitest.Missing(t, string(l), missing.Error())
			}
			if err != nil || said.Len() > 0 {
				t.Fatalf("%v\n%s", err, said.String())
			}
			hits := replay(t, b.Wasm)
			if first == nil {
				first = hits
			}
			if !slices.Equal(hits, first) {
				t.Error("the policies in C and in Rust hit at different requests")
			}
		})
	}
}

// replay asks a policy with a parameter for popular objects, and returns which requests hit.
func replay(t *testing.T, wasm []byte) []uint64 {
	t.Helper()
	const objects, requests = 1000, 10_000
	p := newPolicy(t, wasm, evict.Spec{Objects: objects, Capacity: 100, Params: map[string]string{"share": "20"}})
	next := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, objects-1)
	ids := make([]uint32, requests)
	for i := range ids {
		ids[i] = uint32(next.Uint64())
	}
	hits := make([]uint64, (requests+63)/64)
	if misses := p.Replay(ids, nil, hits); misses < objects/10 || misses > requests/2 || p.Err() != nil {
		t.Errorf("%d misses, %v", misses, p.Err())
	}
	return hits
}

// documented returns the one text of a page of docs in that language.
func documented(t *testing.T, name, fence string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n```"+fence+"\n")
	text, rest, ended := strings.Cut(rest, "```\n")
	if !found || !ended || strings.Contains(rest, "\n```"+fence+"\n") {
		t.Fatalf("docs/%s has not one text in %s", name, fence)
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
