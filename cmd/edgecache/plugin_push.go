package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/plugins/oci"
	"github.com/edgecache/edgecache/plugins/signing"
)

// signatureSuffix is added to a file's name to get that of its signature, as minisign does.
const signatureSuffix = ".minisig"

func (a *app) pluginPushCommand() *cobra.Command {
	var key, signature string
	cmd := &cobra.Command{
		Use:   "push FILE REGISTRY/REPOSITORY:TAG",
		Short: "Store a plugin in an OCI registry",
		Long: "Store a plugin in an OCI registry, with its manifest, and with its signature if there is one: FILE" + signatureSuffix +
			" beside\nit, or what --signature names. Prints the reference by digest, which means these bytes for good.",
		Example: `  edgecache plugin push lowercase.wasm registry.example/plugins/lowercase:1.0.0
  edgecache plugin push lowercase.wasm localhost:5000/lowercase:dev --plain-http`,
		Args: arguments(2, 2, "file", "reference"),
	}
	t := a.bindRegistry(cmd)
	cmd.Flags().StringVar(&signature, "signature", "", "minisign signature of the plugin, in `FILE`")
	cmd.Flags().StringVar(&key, "key", "", "minisign public key in `FILE`: push only if the signature is good")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := readPushed(args[0], signature)
		if err != nil {
			return err
		}
		if _, err := checkSignature(p.Module, p.Signature, key); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		var ref oci.Reference
		err = t.with(cmd.Context(), func(ctx context.Context, o oci.Options) (err error) {
			ref, err = oci.Push(ctx, args[1], p, o)
			return err
		})
		if err != nil {
			return err
		}
		return t.out.print(a.out, ref.Digest, struct {
			Tag       string `json:"tag"`
			Reference string `json:"reference"`
			Name      string `json:"name"`
			Version   string `json:"version"`
			Signed    bool   `json:"signed"`
		}{ref.Tag, ref.Digest, p.Name(), p.Version(), p.Signature != nil})
	}
	return cmd
}

// readPushed reads a plugin and what belongs to it. signature is the file of the signature, or "" for the one beside the
// module, if that is there.
func readPushed(file, signature string) (*oci.Plugin, error) {
	src, err := readModule(file)
	if err != nil {
		return nil, err
	}
	var sig []byte
	if signature == "" {
		sig, err = readIfThere(signatureFile(file, signature))
	} else {
		sig, err = os.ReadFile(signature)
	}
	if err != nil {
		return nil, err
	}
	p, err := oci.New(src.Wasm, src.Manifest, sig)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// signatureFile returns where the signature of file is.
func signatureFile(file, given string) string {
	if given == "" {
		return file + signatureSuffix
	}
	return given
}

// errUnsigned is returned where a signature is demanded and there is none.
var errUnsigned = errors.New("is not signed")

// checkSignature returns what a signature says, if it is good by the public key in a file. Without that file any
// signature will do that has the form of one, or none.
func checkSignature(module, signature []byte, file string) (s signing.Signed, err error) {
	switch {
	case file == "" && signature == nil:
		return s, nil
	case file == "":
		return signing.ParseSignature(signature)
	case signature == nil:
		return s, errUnsigned
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	key, err := signing.ParsePublicKey(text)
	if err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return key.Verify(module, signature)
}

// registryTarget is how a command reaches a registry, and how it prints what it gets.
type registryTarget struct {
	*target
	in            io.Reader
	options       oci.Options
	passwordStdin bool
}

// bindRegistry declares the flags of a command that talks to a registry.
func (a *app) bindRegistry(cmd *cobra.Command) *registryTarget {
	t := &registryTarget{target: &target{out: bindFormat(cmd)}, in: a.in, options: oci.Options{UserAgent: "edgecache/" + version()}}
	flags := cmd.Flags()
	flags.StringVar(&t.options.Username, "username", "", "`name` for the registry; without it Docker's configuration is asked")
	flags.BoolVar(&t.passwordStdin, "password-stdin", false, "read the password for the registry from standard input")
	flags.BoolVar(&t.options.PlainHTTP, "plain-http", false, "speak HTTP without TLS, to a registry on this machine")
	flags.DurationVar(&t.timeout, "timeout", 5*time.Minute, "longest `time` to wait")
	return t
}

// with calls fn with what the flags say about the registry.
func (t *registryTarget) with(ctx context.Context, fn func(context.Context, oci.Options) error) error {
	o := t.options
	if (o.Username != "") != t.passwordStdin {
		return usageError{errors.New("--username and --password-stdin belong together")}
	}
	if t.passwordStdin {
		password, err := readPassword(t.in)
		if err != nil {
			return err
		}
		o.Password = password
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return explainRegistry(fn(ctx, o))
}

// explainRegistry says what to do about an error of a registry.
func explainRegistry(err error) error {
	switch {
	case errors.Is(err, oci.ErrReference):
		return usageError{err}
	case errors.Is(err, oci.ErrCredentials):
		return fmt.Errorf("%w: give --username and --password-stdin, or log in with docker", err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%w: for a registry on this machine there is --plain-http", err)
	}
	return err
}

// maxPassword bounds a password that is read.
const maxPassword = 4 << 10

// readPassword reads a line.
func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxPassword)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("password from standard input: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usageError{errors.New("--password-stdin: standard input has no password")}
	}
	return line, nil
}
