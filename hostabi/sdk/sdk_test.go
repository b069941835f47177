package sdk

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

const (
	regionBegin = "// generated from hostabi by make docs: begin\n"
	regionEnd   = "// generated from hostabi by make docs: end\n"
)

// TestConstantsUpToDate also writes the constants where UPDATE is set: see the Makefile. What stands in an SDK between
// the two lines that mark it is the generator's; the rest is written by hand.
func TestConstantsUpToDate(t *testing.T) {
	groups := readABI(t)
	for _, l := range languages() {
		t.Run(l.name, func(t *testing.T) {
			path := filepath.Join(l.name, l.file)
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				t.Skipf("there is no %s", path)
			}
			if err != nil {
				t.Fatal(err)
			}
			head, rest, begins := strings.Cut(string(b), regionBegin)
			got, tail, ends := strings.Cut(rest, regionEnd)
			if !begins || !ends {
				t.Fatalf("%s lacks the lines %q and %q", path, regionBegin, regionEnd)
			}
			want := l.region(t, groups)
			if got == want {
				return
			}
			if os.Getenv("UPDATE") == "" {
				t.Fatalf("%s: the constants are not those of hostabi: run \"make docs\"", path)
			}
			if err := os.WriteFile(path, []byte(head+regionBegin+want+regionEnd+tail), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestHeaderImports compares the functions that the header for C declares with those of the host, types included. Those of
// the other SDKs are checked where guests that call them are loaded.
func TestHeaderImports(t *testing.T) {
	header, err := os.ReadFile(filepath.Join("c", "edgecache.h"))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]hostabi.Signature)
	declaration := regexp.MustCompile(`(?m)^EC_IMPORT\("(\w+)"\) (\w+) \w+\((.*)\);`)
	for _, m := range declaration.FindAllStringSubmatch(string(header), -1) {
		s := hostabi.Signature{Results: wasmType(m[2])}
		for param := range strings.SplitSeq(m[3], ", ") {
			s.Params += wasmType(param)
		}
		got[m[1]] = s
	}
	want := make(map[string]hostabi.Signature)
	for _, f := range hostabi.HostFunctions() {
		want[f.Name] = f.Signature
	}
	if !maps.Equal(got, want) {
		t.Errorf("edgecache.h imports %v, want %v", got, want)
	}
}

// wasmType returns how a parameter or result in C crosses the border.
func wasmType(c string) string {
	switch {
	case c == "void":
		return ""
	case strings.HasPrefix(c, "uint64_t"), strings.HasPrefix(c, "int64_t"):
		return hostabi.I64
	default:
		return hostabi.I32
	}
}

// TestFunctionsAreDeclared sees that every SDK knows every function of the host.
func TestFunctionsAreDeclared(t *testing.T) {
	for _, l := range languages() {
		sources, err := filepath.Glob(filepath.Join(l.name, "*.*"))
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, path := range sources {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		for _, f := range hostabi.HostFunctions() {
			if len(all) > 0 && !regexp.MustCompile(`\b`+f.Name+`\b`).Match(all) {
				t.Errorf("the SDK for %s lacks %s", l.name, f.Name)
			}
		}
	}
}

// TestFilesAreAll sees that what is embedded is what is there.
func TestFilesAreAll(t *testing.T) {
	for _, l := range languages() {
		there := os.DirFS(".")
		err := fs.WalkDir(there, l.name, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			want, err := fs.ReadFile(there, path)
			if err != nil {
				return err
			}
			if got, err := fs.ReadFile(Files(), path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not embedded: %v", path, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
