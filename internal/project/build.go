package project

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/internal/atomicfile"
)

// ManifestFile is the manifest's name in a project.
const ManifestFile = "manifest.json"

// sdkFolder is where a project has its own copy of the SDK.
const sdkFolder = "edgecache"

// BuildOptions say what to build.
type BuildOptions struct {
	// Dir is the project's folder.
	Dir string
	// Out is the module to write. "" is NAME.wasm in Dir, by the plugin's name.
	Out string
	// Flags are further flags for the compiler.
	Flags []string
	// SDK has the SDKs of all languages, a folder for each, for a project without a copy.
	SDK fs.FS
	// Stderr receives what the compiler says.
	Stderr io.Writer
}

// Built is what Build made.
type Built struct {
	Language Language
	// Path is where the module is, Wasm what is in it.
	Path string
	Wasm []byte
}

// Build compiles a project and puts the manifest into the module, unless the compiler did. The module takes its place
// whole. A compiler that is not there is a *MissingError.
func Build(ctx context.Context, o BuildOptions) (b Built, err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return b, err
	}
	manifest, name, err := readManifest(o.Dir)
	if err != nil {
		return b, err
	}
	language, sources, err := detect(o.Dir, name)
	if err != nil {
		return b, err
	}
	temp, err := os.MkdirTemp("", "edgecache-build-")
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	c := compilation{
		dir: dir, sources: sources, temp: temp, out: filepath.Join(temp, "plugin.wasm"), flags: o.Flags, stderr: o.Stderr,
	}
	if c.sdk, err = findSDK(dir, temp, language, o.SDK); err != nil {
		return b, err
	}
	if err := c.compile(ctx, language); err != nil {
		return b, err
	}
	b = Built{Language: language, Path: cmp.Or(o.Out, filepath.Join(o.Dir, name+".wasm"))}
	if b.Wasm, err = finish(c.out, manifest); err != nil {
		return b, err
	}
	return b, atomicfile.Write(atomicfile.File{Path: b.Path, Data: b.Wasm, Mode: 0o644})
}

// readManifest returns the project's manifest, nil if it has none, and the plugin's name, that of the folder if nobody
// says. dir is as it was given, for errors.
func readManifest(dir string) (manifest []byte, name string, err error) {
	path := filepath.Join(dir, ManifestFile)
	manifest, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		abs, err := filepath.Abs(dir)
		return nil, filepath.Base(abs), err
	}
	if err != nil {
		return nil, "", err
	}
	m, err := hostabi.ParseManifest(manifest)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return manifest, m.Name, nil
}

// findSDK returns the folder with the language's SDK: the project's own, or else ours, put into temp. It returns "" if
// there is none. Go finds its own.
func findSDK(dir, temp string, l Language, all fs.FS) (string, error) {
	if l == Go {
		return "", nil
	}
	own := filepath.Join(dir, sdkFolder)
	if info, err := os.Stat(own); err == nil && info.IsDir() {
		return own, nil
	}
	if all == nil {
		return "", nil
	}
	sub, err := fs.Sub(all, l.sdk())
	if err != nil {
		return "", err
	}
	if _, err := fs.Stat(sub, "."); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	to := filepath.Join(temp, sdkFolder)
	return to, os.CopyFS(to, sub)
}

// finish returns the module that the compiler wrote, without debugging information, with the manifest.
func finish(path string, manifest []byte) ([]byte, error) {
	wasm, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if wasm, err = dropDebug(wasm); err != nil {
		return nil, err
	}
	_, has, err := hostabi.ReadManifest(wasm)
	switch {
	case err != nil:
		return nil, err
	case has:
		return wasm, nil
	case manifest == nil:
		return nil, fmt.Errorf("there is no %s, and the compiler put no manifest into the module", ManifestFile)
	default:
		wasm, _, err = Pack(wasm, manifest)
		return wasm, err
	}
}

// dropDebug returns the module without its sections of debugging information, which the host has no use for.
func dropDebug(wasm []byte) ([]byte, error) {
	out := make([]byte, 0, len(wasm))
	kept := 0
	for s, err := range hostabi.Sections(wasm) {
		if err != nil {
			return nil, fmt.Errorf("the compiler's module: %w", err)
		}
		if s.ID == hostabi.SectionCustom && strings.HasPrefix(s.Name, ".debug_") {
			out = append(out, wasm[kept:s.Start]...)
			kept = s.End
		}
	}
	return append(out, wasm[kept:]...), nil
}

// Pack returns a copy of the module with the manifest in it, in place of the one it has, and what the manifest says. Both
// must be in order.
func Pack(wasm, manifest []byte) ([]byte, *hostabi.Manifest, error) {
	manifest = bytes.TrimSpace(manifest)
	m, err := hostabi.ParseManifest(manifest)
	if err != nil {
		return nil, nil, err
	}
	for _, err := range hostabi.Sections(wasm) {
		if err != nil {
			return nil, nil, fmt.Errorf("module %w", err)
		}
	}
	return hostabi.AppendManifest(wasm, manifest), m, nil
}
