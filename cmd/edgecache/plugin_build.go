package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/hostabi/sdk"
	"github.com/edgecache/edgecache/internal/project"
	"github.com/edgecache/edgecache/plugins"
)

func (a *app) pluginBuildCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build [FOLDER] [-- FLAG...]",
		Short: "Compile a plugin and put its manifest into the module",
		Long: `Compile the plugin in the folder, the working directory if none is given, and put its manifest.json into the
module. The language is that of the source: *.c is compiled by clang, *.rs by rustc, a Go package by go, *.ts by asc
(AssemblyScript) and *.zig by zig. Where a compiler is missing, it says how to get it. The SDK that this program has is
used unless the folder has its own copy in the folder edgecache. Flags behind -- go to the compiler.`,
		Example: "  edgecache plugin build\n  edgecache plugin build mine --to dist/mine.wasm -o json\n  edgecache plugin build mine -- -I ../shared",
		Args: func(cmd *cobra.Command, args []string) error {
			return arguments(0, 1)(cmd, args[:positional(cmd, args)])
		},
	}
	to := cmd.Flags().String("to", "", "`FILE` to write (default: NAME.wasm in the folder)")
	out := bindFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n := positional(cmd, args)
		o := project.BuildOptions{Dir: ".", Out: *to, Flags: args[n:], SDK: sdk.Files(), Stderr: a.err}
		if n > 0 {
			o.Dir = args[0]
		}
		return a.build(cmd.Context(), o, *out)
	}
	return cmd
}

// positional returns how many words stand before "--".
func positional(cmd *cobra.Command, args []string) int {
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		return n
	}
	return len(args)
}

func (a *app) build(ctx context.Context, o project.BuildOptions, out format) error {
	built, err := project.Build(ctx, o)
	if err != nil {
		return err
	}
	report, err := inspect(ctx, plugins.Source{Wasm: built.Wasm})
	if err != nil {
		return err
	}
	if report.Verdict != plugins.VerdictOK {
		return errors.New(built.Path + " is built, but the host refuses it: " + report.Reason)
	}
	text := fmt.Sprintf("%s: plugin %s %s in %v, %d bytes", built.Path, report.Name, report.Version, built.Language, len(built.Wasm))
	return out.print(a.out, text, struct {
		Name     string           `json:"name"`
		Version  string           `json:"version"`
		Language project.Language `json:"language"`
		File     string           `json:"file"`
		Bytes    int              `json:"bytes"`
		Digest   string           `json:"digest"`
	}{report.Name, report.Version, built.Language, built.Path, len(built.Wasm), report.Digest})
}
