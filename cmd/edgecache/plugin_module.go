package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/internal/project"
	"github.com/edgecache/edgecache/plugins"
)

// findPlugin reads the plugin at path, a module or a folder with one module in it, and returns the module's path too.
func findPlugin(path string) (src plugins.Source, module string, err error) {
	if module, err = findModule(path); err != nil {
		return src, "", err
	}
	src, err = readModule(module)
	return src, module, err
}

// readModule reads a module and the manifest that stands outside of it, if that is the one that counts: the file beside
// the module with .json added to its name, or, for a module without a manifest, manifest.json in its folder. A signature
// of the module speaks for the manifest inside alone: see checkAlone.
func readModule(path string) (src plugins.Source, err error) {
	if src.Wasm, err = readWasm(path); err != nil {
		return src, err
	}
	if src.Manifest, err = readIfThere(path + hostabi.ManifestSuffix); err != nil || src.Manifest != nil {
		return src, err
	}
	if _, inside, err := hostabi.ReadManifest(src.Wasm); err != nil || inside {
		return src, nil //nolint:nilerr // what is wrong with a module, its host says best
	}
	src.Manifest, err = readIfThere(filepath.Join(filepath.Dir(path), project.ManifestFile))
	return src, err
}

// readIfThere returns what is in a file, nil if there is none.
func readIfThere(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// sizeError says that a file is too large for a module.
type sizeError struct {
	path string
	size int64
}

func (e *sizeError) Error() string {
	return fmt.Sprintf("%s: module of %d bytes: at most %d are allowed", e.path, e.size, hostabi.MaxModule)
}

// readWasm reads a module, but not what is too large for one: that is a *sizeError.
func readWasm(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > hostabi.MaxModule {
		return nil, &sizeError{path, info.Size()}
	}
	wasm, err := io.ReadAll(io.LimitReader(f, hostabi.MaxModule+1)) // a pipe has no size
	if err == nil && len(wasm) > hostabi.MaxModule {
		err = &sizeError{path, int64(len(wasm))}
	}
	return wasm, err
}

// findModule returns path, or the module in it if it is a folder.
func findModule(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return path, nil
	}
	found, err := filepath.Glob(filepath.Join(escapeGlob(path), "*.wasm"))
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", fmt.Errorf("%s: there is no module (*.wasm): build it with \"edgecache plugin build %s\"", path, path)
	case len(found) > 1:
		return "", fmt.Errorf("%s: there are %d modules: name one of %s", path, len(found), strings.Join(found, ", "))
	}
	return found[0], nil
}

// escapeGlob returns a pattern that matches path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// compiledDir is where compiled plugins are kept unless a server is told otherwise, or "".
func compiledDir() string { return config.NewRun().CacheDir() }
