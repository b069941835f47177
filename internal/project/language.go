// Package project builds plugins from their sources, and makes new ones to begin with. A project is a folder with the
// source of one plugin in one language, its manifest.json and, if it is not to be built with that of this program, its
// own copy of the language's SDK in the folder edgecache.
package project

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Language is a language that plugins are written in.
type Language string

// The languages.
const (
	C              Language = "c"
	Rust           Language = "rust"
	Go             Language = "go"
	AssemblyScript Language = "as"
	Zig            Language = "zig"
)

// Languages returns all of them.
func Languages() []Language { return []Language{C, Rust, Go, AssemblyScript, Zig} }

// String returns the language's name.
func (l Language) String() string {
	return map[Language]string{C: "C", Rust: "Rust", Go: "Go", AssemblyScript: "AssemblyScript", Zig: "Zig"}[l]
}

// suffix is what the names of sources end with.
func (l Language) suffix() string {
	return map[Language]string{C: ".c", Rust: ".rs", Go: ".go", AssemblyScript: ".ts", Zig: ".zig"}[l]
}

// sdk is the language's folder among the SDKs.
func (l Language) sdk() string {
	if l == AssemblyScript {
		return "assemblyscript"
	}
	return string(l)
}

// ParseLanguage returns the language that is called name.
func ParseLanguage(name string) (Language, error) {
	if !slices.Contains(Languages(), Language(name)) {
		return "", fmt.Errorf("%.80q: c, rust, go, as (AssemblyScript) and zig are possible", name)
	}
	return Language(name), nil
}

// detect finds out what a folder's source is written in, and which files to give to the compiler, by name: all of them in
// C and Go, else the one that is called after the plugin, or the only one.
func detect(dir, plugin string) (Language, []string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, err
	}
	found := make(map[Language][]string)
	for _, e := range entries {
		for _, l := range Languages() {
			if !e.IsDir() && isSource(e.Name(), l) {
				found[l] = append(found[l], e.Name())
			}
		}
	}
	var languages []Language
	for _, l := range Languages() {
		if len(found[l]) > 0 {
			languages = append(languages, l)
		}
	}
	switch len(languages) {
	case 0:
		return "", nil, fmt.Errorf("%s: there is no source: *.c, *.rs, *.go, *.ts or *.zig is wanted", dir)
	case 1:
		sources, err := entry(dir, languages[0], found[languages[0]], plugin)
		return languages[0], sources, err
	default:
		return "", nil, fmt.Errorf("%s: there are sources of several languages: %s and %s: give each a folder of its own",
			dir, found[languages[0]][0], found[languages[1]][0])
	}
}

func isSource(name string, l Language) bool {
	return strings.HasSuffix(name, l.suffix()) && !strings.HasPrefix(name, ".") && name != "build.zig" &&
		!strings.HasSuffix(name, ".d.ts") && !strings.HasSuffix(name, "_test.go")
}

// entry picks the sources to compile.
func entry(dir string, l Language, sources []string, plugin string) ([]string, error) {
	own := plugin + l.suffix()
	switch {
	case l == C || l == Go || len(sources) == 1:
		return sources, nil
	case slices.Contains(sources, own):
		return []string{own}, nil
	default:
		return nil, fmt.Errorf("%s: which of %s is the plugin's? Call it %s", dir, strings.Join(sources, ", "), filepath.Join(dir, own))
	}
}
