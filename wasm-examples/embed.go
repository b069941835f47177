// Package examples has the reference plugins as modules, built by the Makefile from the sources beside them.
package examples

import "embed"

//go:embed hitratio/c/hitratio.wasm hitratio/c/manifest.json
//go:embed keyrewrite/c/keyrewrite.wasm keyrewrite/c/manifest.json
//go:embed timing/c/timing.wasm timing/c/manifest.json
var files embed.FS

// Names returns the names of the plugins, sorted.
func Names() []string { return []string{"hitratio", "keyrewrite", "timing"} }

// Lookup returns the module of the plugin called name and its manifest, which also stands in the module, and whether
// there is such a plugin. The bytes are the caller's.
func Lookup(name string) (wasm, manifest []byte, ok bool) {
	wasm, err := files.ReadFile(name + "/c/" + name + ".wasm")
	if err != nil {
		return nil, nil, false
	}
	manifest, err = files.ReadFile(name + "/c/manifest.json")
	return wasm, manifest, err == nil
}
