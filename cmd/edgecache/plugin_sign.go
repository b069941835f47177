package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/internal/atomicfile"
	"github.com/edgecache/edgecache/plugins/oci"
	"github.com/edgecache/edgecache/plugins/signing"
)

func (a *app) pluginVerifyCommand() *cobra.Command {
	var key, signature string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check the signature of a plugin",
		Long: "Check the minisign signature of a plugin: FILE" + signatureSuffix + " beside it, or what --signature names. Ends with status 1 where\n" +
			"it is not good, and where a manifest stands beside the plugin, which would win over the one that is signed.",
		Example: "  edgecache plugin verify lowercase.wasm --key team.pub\n  edgecache plugin verify lowercase.wasm --key team.pub -o json",
		Args:    arguments(1, 1, "file"),
	}
	out := bindFormat(cmd)
	cmd.Flags().StringVar(&key, "key", "", "minisign public key in `FILE`")
	cmd.Flags().StringVar(&signature, "signature", "", "`FILE` with the signature")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if key == "" {
			return usageError{errors.New("--key is missing: the public key of whom the plugin should be signed by")}
		}
		signed, err := verify(args[0], signature, key)
		v := verdict{Verdict: "ok", File: args[0], KeyID: signed.KeyID, Comment: signed.Comment}
		if err != nil {
			v = verdict{Verdict: "refused", File: args[0], Reason: err.Error()}
		}
		if err != nil && *out != "json" {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return errors.Join(out.print(a.out, fmt.Sprintf("ok: signed by %s: %q", v.KeyID, v.Comment), v), err)
	}
	return cmd
}

// verdict is what verify prints as JSON.
type verdict struct {
	Verdict string `json:"verdict"` // ok or refused
	File    string `json:"file"`
	Reason  string `json:"reason,omitempty"`
	KeyID   string `json:"key_id,omitempty"`
	Comment string `json:"comment,omitempty"`
}

// verify returns what the signature of a plugin says, if it is good.
func verify(file, signature, key string) (s signing.Signed, err error) {
	module, err := readWasm(file)
	if err != nil {
		return s, err
	}
	if err := checkAlone(file); err != nil {
		return s, err
	}
	text, err := os.ReadFile(signatureFile(file, signature))
	if err != nil {
		return s, err
	}
	if s, err = checkSignature(module, text, key); err != nil {
		return s, err
	}
	if _, inside, err := hostabi.ReadManifest(module); err != nil || !inside {
		return s, errors.Join(oci.ErrManifestOutside, err)
	}
	return s, nil
}

// checkAlone reports a manifest beside a module: a signature of the module says nothing about it.
func checkAlone(file string) error {
	beside := file + hostabi.ManifestSuffix
	_, err := os.Stat(beside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w; it is %s", oci.ErrManifestOutside, beside)
}

func (a *app) pluginSignCommand() *cobra.Command {
	var key, signature, comment string
	var passwordStdin bool
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a plugin",
		Long: "Sign a plugin, which must have its manifest inside, into FILE" + signatureSuffix + ". The signature is minisign's: that program's\n" +
			"keys serve, and it can check what is signed here.",
		Example: "  edgecache plugin sign lowercase.wasm --secret-key team.key --password-stdin < password",
		Args:    arguments(1, 1, "file"),
	}
	out := bindFormat(cmd)
	cmd.Flags().StringVar(&key, "secret-key", "", "minisign secret key in `FILE`")
	cmd.Flags().BoolVar(&passwordStdin, "password-stdin", false, "read the password of the secret key from standard input")
	cmd.Flags().StringVar(&signature, "signature", "", "`FILE` to write")
	cmd.Flags().StringVar(&comment, "comment", "", "`text` that is signed too (default: the time and the file's name)")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if key == "" {
			return usageError{errors.New("--secret-key is missing: \"edgecache plugin keygen\" makes one")}
		}
		module, err := readSigned(args[0])
		if err != nil {
			return err
		}
		secret, err := a.readSecretKey(key, passwordStdin)
		if err != nil {
			return err
		}
		if comment == "" {
			comment = fmt.Sprintf("timestamp:%d\tfile:%s\thashed", time.Now().Unix(), filepath.Base(args[0]))
		}
		text, err := secret.Sign(module, comment)
		if err != nil {
			return err
		}
		to := signatureFile(args[0], signature)
		if err := atomicfile.WriteAll(atomicfile.File{Path: to, Data: text, Mode: 0o644}); err != nil {
			return err
		}
		return out.print(a.out, to, struct {
			File      string `json:"file"`
			Signature string `json:"signature"`
			Comment   string `json:"comment"`
		}{args[0], to, comment})
	}
	return cmd
}

// readSigned reads a module that is fit to be signed.
func readSigned(file string) ([]byte, error) {
	if err := checkAlone(file); err != nil {
		return nil, err
	}
	wasm, err := readWasm(file)
	if err != nil {
		return nil, err
	}
	if _, err := oci.New(wasm, nil, nil); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return wasm, nil
}

// readSecretKey reads a secret key, and its password if that is to come from standard input.
func (a *app) readSecretKey(file string, passwordStdin bool) (key signing.SecretKey, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return key, err
	}
	var password string
	if passwordStdin {
		if password, err = readPassword(a.in); err != nil {
			return key, err
		}
	}
	key, err = signing.ParseSecretKey(text, password)
	switch {
	case errors.Is(err, signing.ErrEncrypted):
		return key, usageError{fmt.Errorf("%s: %w: give --password-stdin", file, err)}
	case err != nil:
		return key, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

func (a *app) pluginKeygenCommand() *cobra.Command {
	var public, secret string
	var passwordStdin, noPassword bool
	cmd := &cobra.Command{
		Use:     "keygen",
		Short:   "Make a pair of keys to sign plugins with",
		Long:    "Make a pair of minisign keys to sign plugins with. Files that are there already stay as they are.",
		Example: "  edgecache plugin keygen --key team.pub --secret-key team.key --password-stdin < password",
		Args:    arguments(0, 0),
	}
	out := bindFormat(cmd)
	cmd.Flags().StringVar(&public, "key", "plugin.pub", "`FILE` to write the public key to")
	cmd.Flags().StringVar(&secret, "secret-key", "plugin.key", "`FILE` to write the secret key to")
	cmd.Flags().BoolVar(&passwordStdin, "password-stdin", false, "read the password for the secret key from standard input")
	cmd.Flags().BoolVar(&noPassword, "no-password", false, "leave the secret key unencrypted, for machines that sign")
	cmd.RunE = func(*cobra.Command, []string) error {
		if passwordStdin == noPassword {
			return usageError{errors.New("either --password-stdin or --no-password is needed")}
		}
		var password string
		if passwordStdin {
			var err error
			if password, err = readPassword(a.in); err != nil {
				return err
			}
		}
		id, err := writeKeys(public, secret, password)
		if err != nil {
			return err
		}
		return out.print(a.out, fmt.Sprintf("%s: public key %s", public, id), struct {
			Key       string `json:"key"`
			SecretKey string `json:"secret_key"`
			KeyID     string `json:"key_id"`
		}{public, secret, id})
	}
	return cmd
}

// writeKeys writes a new pair of keys into new files and returns the key's name.
func writeKeys(public, secret, password string) (id string, err error) {
	pub, sec, err := signing.Generate(password)
	if err != nil {
		return "", err
	}
	key, err := signing.ParsePublicKey(pub)
	if err != nil {
		return "", err
	}
	if err := createFile(secret, sec, 0o600); err != nil {
		return "", err
	}
	if err := createFile(public, pub, 0o644); err != nil {
		return "", errors.Join(err, os.Remove(secret))
	}
	return key.ID(), nil
}

// createFile writes a file that must not be there yet.
func createFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
