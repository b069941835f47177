package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/hostabi"
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
	var files []outFile
	if beside := to + hostabi.ManifestSuffix; !p.Inside {
		files = append(files, outFile{beside, p.Manifest})
	} else if err := checkBeside(beside, p.Manifest); err != nil {
		return err
	}
	if p.Signature != nil {
		files = append(files, outFile{to + signatureSuffix, p.Signature})
	}
	return writeFiles(append(files, outFile{to, p.Module})...)
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

// outFile is a file to be written.
type outFile struct {
	path string
	data []byte
}

// writeFiles writes all of the files or none, and each of them whole: what stood at their paths stays until all are
// ready. Where moving one into its place fails, those before it have been replaced: the one that counts is the last.
func writeFiles(files ...outFile) (err error) {
	staged := make([]string, 0, len(files))
	defer func() {
		for _, name := range staged {
			_ = os.Remove(name) // gone already if all went well
		}
	}()
	for _, f := range files {
		name, err := stage(f)
		if err != nil {
			return err
		}
		staged = append(staged, name)
	}
	for i, f := range files {
		if err := os.Rename(staged[i], f.path); err != nil {
			return err
		}
	}
	return nil
}

// stage writes a file's content to a temporary file in its folder and returns the name of that.
func stage(f outFile) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(f.data)
	err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}
