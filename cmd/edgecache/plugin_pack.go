package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/internal/project"
)

func (a *app) pluginPackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "pack MODULE --manifest FILE",
		Short:   "Put a manifest into a module",
		Long:    "Put a manifest into a module, in place of the one it has. The module is written whole or not at all.",
		Example: "  edgecache plugin pack mine.wasm --manifest manifest.json\n  edgecache plugin pack raw.wasm --manifest manifest.json -o mine.wasm",
		Args:    arguments(1, 1, "module"),
	}
	manifest := cmd.Flags().String("manifest", "", "`file` with the manifest")
	out := cmd.Flags().StringP("output", "o", "", "`file` to write instead of the module itself")
	if err := cmd.MarkFlagRequired("manifest"); err != nil {
		panic(err) // it is declared above
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		to := args[0]
		if *out != "" {
			to = *out
		}
		return a.pack(args[0], *manifest, to)
	}
	return cmd
}

func (a *app) pack(from, manifest, to string) error {
	wasm, err := readWasm(from)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	packed, err := project.Pack(wasm, text)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", from, manifest, err)
	}
	if err := project.WriteFile(to, packed); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s: %d bytes, with the manifest of %s\n", to, len(packed), manifest)
	return err
}
