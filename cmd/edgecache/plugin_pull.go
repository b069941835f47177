package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/internal/atomicfile"
	"github.com/edgecache/edgecache/plugins/oci"
)

func (a *app) pluginPullCommand() *cobra.Command {
	var key, to string
	cmd := &cobra.Command{
		Use:   "pull REGISTRY/REPOSITORY:TAG|@sha256:DIGEST",
		Short: "Bring a plugin from an OCI registry",
		Long: "Bring a plugin from an OCI registry into a file. Its bytes are checked against the digest, and with --key its\n" +
			"signature too; where something is wrong nothing is written. A manifest that is not inside the module is put\n" +
			"beside it, and so is the signature.",
		Example: `  edgecache plugin pull registry.example/plugins/lowercase:1.0.0 --key team.pub
  edgecache plugin pull registry.example/plugins/lowercase@sha256:... --to /etc/edgecache/lowercase.wasm`,
		Args: arguments(1, 1, "reference"),
	}
	t := a.bindRegistry(cmd)
	cmd.Flags().StringVar(&to, "to", "", "`FILE` to write (default: the plugin's name with .wasm, here)")
	cmd.Flags().StringVar(&key, "key", "", "minisign public key in `FILE`: refuse a plugin that is not signed by it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var p *oci.Plugin
		var ref oci.Reference
		err := t.with(cmd.Context(), func(ctx context.Context, o oci.Options) (err error) {
			p, ref, err = oci.Pull(ctx, args[0], o)
			return err
		})
		if err != nil {
			return err
		}
		signed, err := checkSignature(p.Module, p.Signature, key)
		if err != nil {
			return fmt.Errorf("%s: %w: nothing was written", ref.Digest, err)
		}
		if to == "" {
			to = p.Name() + ".wasm"
		}
		if err := writePulled(to, p); err != nil {
			return err
		}
		return t.out.print(a.out, ref.Digest, struct {
			Reference string `json:"reference"`
			File      string `json:"file"`
			Name      string `json:"name"`
			Version   string `json:"version"`
			Bytes     int    `json:"bytes"`
			Signed    bool   `json:"signed"`
			Verified  bool   `json:"verified"`
			KeyID     string `json:"key_id,omitempty"`
			Comment   string `json:"comment,omitempty"`
		}{ref.Digest, to, p.Name(), p.Version(), len(p.Module), p.Signature != nil, key != "", signed.KeyID, signed.Comment})
	}
	return cmd
}

// writePulled writes a plugin to a file and beside it what belongs to it, or nothing.
func writePulled(to string, p *oci.Plugin) error {
	var files []atomicfile.File
	if beside := to + hostabi.ManifestSuffix; !p.Inside {
		files = append(files, atomicfile.File{Path: beside, Data: p.Manifest, Mode: 0o644})
	} else if err := checkBeside(beside, p.Manifest); err != nil {
		return err
	}
	if p.Signature != nil {
		files = append(files, atomicfile.File{Path: to + signatureSuffix, Data: p.Signature, Mode: 0o644})
	}
	return atomicfile.WriteAll(append(files, atomicfile.File{Path: to, Data: p.Module, Mode: 0o644})...)
}

// checkBeside reports a manifest at path that would win over the one in the module beside it.
func checkBeside(path string, inside []byte) error {
	beside, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !bytes.Equal(beside, inside):
		return fmt.Errorf("%s: it would win over the manifest in the module: remove it", path)
	}
	return nil
}
