package project

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

const rustTarget = "wasm32-unknown-unknown"

// compilation is one run of a compiler. All paths are absolute but for the sources, which are names in dir.
type compilation struct {
	dir     string
	sources []string
	sdk     string   // folder of the language's SDK, "" if there is none
	temp    string   // folder for what is not the result
	out     string   // the module to write
	flags   []string // further flags for the compiler
	stderr  io.Writer
}

// compile runs the language's compiler. Functions keep their names in the module, so that traces have them.
func (c *compilation) compile(ctx context.Context, l Language) error {
	switch l {
	case C:
		return c.c(ctx)
	case Rust:
		return c.rust(ctx)
	case Go:
		return c.golang(ctx)
	case AssemblyScript:
		return c.assemblyScript(ctx)
	case Zig:
		return c.zig(ctx)
	default:
		return fmt.Errorf("%q is no language", string(l))
	}
}

func (c *compilation) c(ctx context.Context) error {
	clang, err := findClang(ctx)
	if err != nil {
		return err
	}
	args := []string{
		"--target=wasm32", "-nostdlib", "-ffreestanding", "-mbulk-memory", "-O2", "-Wall", "-Wextra", "-Wno-unused-function",
		"-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=16384", "-Wl,--strip-debug", "-o", c.out,
	}
	if c.sdk != "" {
		args = append(args, "-I", c.sdk)
	}
	return c.run(ctx, nil, clang, append(append(args, c.flags...), c.sources...)...)
}

// rust compiles the SDK to a crate first.
func (c *compilation) rust(ctx context.Context) error {
	rustc, err := findRustc(ctx)
	if err != nil {
		return err
	}
	common := []string{"--edition", "2021", "--target", rustTarget, "-O", "-C", "panic=abort", "-C", "target-feature=+bulk-memory"}
	args := slices.Concat(common, []string{
		"--crate-type", "cdylib", "--crate-name", "plugin", "-C", "lto", "-C", "strip=debuginfo",
		"-C", "link-arg=-zstack-size=16384", "-o", c.out,
	})
	if c.sdk != "" {
		crate := filepath.Join(c.temp, "libedgecache.rlib")
		source := filepath.Join(c.sdk, "edgecache.rs")
		sdk := slices.Concat(common, []string{"--crate-type", "rlib", "--crate-name", "edgecache", "-o", crate, source})
		if err := c.run(ctx, nil, rustc, sdk...); err != nil {
			return err
		}
		args = append(args, "--extern", "edgecache="+crate)
	}
	return c.run(ctx, nil, rustc, append(append(args, c.flags...), c.sources...)...)
}

func (c *compilation) golang(ctx context.Context) error {
	tool, err := findGo()
	if err != nil {
		return err
	}
	args := []string{"build", "-buildmode=c-shared", "-ldflags=-w", "-trimpath", "-buildvcs=false", "-o", c.out}
	return c.run(ctx, []string{"GOOS=wasip1", "GOARCH=wasm"}, tool, append(append(args, c.flags...), ".")...)
}

func (c *compilation) assemblyScript(ctx context.Context) error {
	asc, err := findASC(c.dir)
	if err != nil {
		return err
	}
	abort := "abort="
	args := []string{"-O3", "--noAssert", "--runtime", "stub", "--exportStart", "_initialize", "--debug", "-o", c.out}
	if c.sdk != "" {
		args, abort = append(args, "--lib", c.sdk), "abort=~lib/edgecache/abort"
	}
	args = append(args, "--use", abort)
	return c.run(ctx, nil, asc, append(append(args, c.flags...), c.sources...)...)
}

func (c *compilation) zig(ctx context.Context) error {
	zig, err := findZig(ctx, c.dir)
	if err != nil {
		return err
	}
	args := []string{
		"build-lib", "-dynamic", "-target", "wasm32-freestanding", "-O", "ReleaseFast", "-rdynamic", "--stack", "16384",
		"--cache-dir", filepath.Join(c.temp, "zig-cache"), "-femit-bin=" + c.out,
	}
	if c.sdk != "" {
		args = append(args, "--mod", "edgecache::"+filepath.Join(c.sdk, "edgecache.zig"), "--deps", "edgecache")
	}
	return c.run(ctx, nil, zig, append(append(args, c.flags...), c.sources...)...)
}

// run runs a command in the project's folder, with further variables. What it says goes to stderr.
func (c *compilation) run(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, c.stderr, c.stderr
	cmd.Env = append(os.Environ(), env...)
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s does not compile it: %w", filepath.Base(name), err)
	}
	return err
}
