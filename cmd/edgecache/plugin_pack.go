package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/internal/atomicfile"
	"github.com/edgecache/edgecache/internal/project"
)

func (a *app) pluginPackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "pack MODULE --manifest FILE",
		Short:   "Put a manifest into a module",
		Long:    "Put a manifest into a module, in place of the one it has. The module is written whole or not at all.",
		Example: "  edgecache plugin pack mine.wasm --manifest manifest.json\n  edgecache plugin pack raw.wasm --manifest manifest.json --to mine.wasm",
		Args:    arguments(1, 1, "module"),
	}
	manifest := cmd.Flags().String("manifest", "", "`FILE` with the manifest")
	to := cmd.Flags().String("to", "", "`FILE` to write (default: the module itself)")
	out := bindFormat(cmd)
	if err := cmd.MarkFlagRequired("manifest"); err != nil {
		panic(err) // it is declared above
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return a.pack(args[0], *manifest, cmp.Or(*to, args[0]), *out)
	}
	return cmd
}

func (a *app) pack(from, manifest, to string, out format) error {
	wasm, err := readWasm(from)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	packed, m, err := project.Pack(wasm, text)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", from, manifest, err)
	}
	if err := atomicfile.Write(atomicfile.File{Path: to, Data: packed, Mode: 0o644}); err != nil {
		return err
	}
	return out.print(a.out, fmt.Sprintf("%s: %d bytes, with the manifest of %s", to, len(packed), manifest), struct {
		File    string `json:"file"`
		Bytes   int    `json:"bytes"`
		Name    string `json:"name"`
		Version string `json:"version"`
	}{to, len(packed), m.Name, m.Version})
}
