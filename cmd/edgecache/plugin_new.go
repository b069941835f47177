package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/hostabi/sdk"
	"github.com/edgecache/edgecache/internal/project"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// language is a flag's value.
type language struct{ project.Language }

func (l *language) String() string { return string(l.Language) }
func (l *language) Type() string   { return "c|rust|go|as|zig" }

func (l *language) Set(given string) (err error) {
	l.Language, err = project.ParseLanguage(given)
	return err
}

func (a *app) pluginNewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new NAME --lang LANGUAGE [FOLDER]",
		Short: "Make a plugin to begin with: source, manifest, scenario",
		Long: `Make a plugin to begin with, in a folder of its name if none is given: the source of one that puts keys in lower
case and a prefix before them, its manifest, a scenario, a README and the language's SDK. It builds and passes its test
as it is. With --policy it is an eviction policy, an LRU, to be tried by "edgecache sim"; with --http hooks of an HTTP
cache, of another kind in each language. Nothing that is there is overwritten.`,
		Example: "  edgecache plugin new mine --lang c && cd mine\n  edgecache plugin build && edgecache plugin test .\n" +
			"  edgecache plugin new mine --lang rust --policy\n  edgecache plugin new mine --lang go --http",
		Args: arguments(1, 2, "name"),
	}
	out := bindFormat(cmd)
	var l language
	cmd.Flags().Var(&l, "lang", "language to write it in: as is AssemblyScript")
	policy := cmd.Flags().Bool("policy", false, "make an eviction policy (not in zig)")
	http := cmd.Flags().Bool("http", false, "make hooks of an HTTP cache (not in zig)")
	cmd.MarkFlagsMutuallyExclusive("policy", "http")
	if err := cmd.MarkFlagRequired("lang"); err != nil {
		panic(err) // it is declared above
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		o := project.NewOptions{
			Name: args[0], Language: l.Language, Policy: *policy, HTTP: *http, Dir: args[0], Examples: examples.Sources(), SDK: sdk.Files(),
		}
		if len(args) > 1 {
			o.Dir = args[1]
		}
		files, err := project.New(o)
		if err != nil {
			return err
		}
		paths := make([]string, len(files))
		for i, name := range files {
			paths[i] = filepath.Join(o.Dir, filepath.FromSlash(name))
		}
		err = out.print(a.out, strings.Join(paths, "\n"), struct {
			Folder string   `json:"folder"`
			Files  []string `json:"files"` // within the folder
		}{o.Dir, files})
		if err != nil {
			return err
		}
		next := "edgecache plugin test ."
		if o.HTTP {
			next = "edgecache plugin inspect ."
		}
		if o.Policy {
			next = "edgecache sim TRACE -p ./" + o.Name + ".wasm,lru -s 10%"
		}
		_, err = fmt.Fprintf(a.err, "Now: cd %s && edgecache plugin build && %s\n", o.Dir, next)
		return err
	}
	return cmd
}
