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
	"github.com/edgecache/edgecache/plugins"
)

// readModule returns the plugin at path, a module or a folder with one module in it, and the module's path. The manifest
// is that of the file beside the module with .json added to its name, or of manifest.json in its folder; if there is
// neither, the one in the module counts.
func readModule(path string) (src plugins.Source, module string, err error) {
	if module, err = findModule(path); err != nil {
		return src, "", err
	}
	if src.Wasm, err = readWasm(module); err != nil {
		return src, "", err
	}
	for _, beside := range []string{module + hostabi.ManifestSuffix, filepath.Join(filepath.Dir(module), "manifest.json")} {
		src.Manifest, err = os.ReadFile(beside)
		if err == nil {
			return src, module, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return src, "", err
		}
	}
	return src, module, nil
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
