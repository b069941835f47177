// Command edgecache is a programmable cache: "edgecache run" serves it, the other commands talk to one that runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/internal/config"
)

// What the process ends with.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	logClients(slog.New(slog.DiscardHandler))
	os.Exit(execute(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.LookupEnv))
}

// streams are where a command reads and writes: results go to out, everything else to err.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// app is what all commands share.
type app struct {
	streams
	lookupEnv func(string) (string, bool)
}

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, s streams, lookupEnv func(string) (string, bool)) int {
	a := &app{streams: s, lookupEnv: lookupEnv}
	root := a.root()
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return config.FromEnv(cmd.Flags(), a.lookupEnv) }
	started := false // past flags, variables and arguments
	walk(root, func(sub *cobra.Command) {
		run := sub.RunE
		if run == nil {
			return
		}
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			started = true
			return run(cmd, args)
		}
	})
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case !started || errors.As(err, &usage):
		fmt.Fprintf(s.err, "edgecache: %v\nRun '%s --help' for how to use it.\n", err, cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(s.err, "edgecache: %v\n", err)
		return exitFailed
	}
}

// walk calls f with cmd and with every command below it.
func walk(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, f)
	}
}

// root returns the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "edgecache",
		Short: "A programmable cache: every command passes WebAssembly plugins on its way through memory, Redis or memcached",
		Example: `  edgecache run                                    # memory and the built-in plugins; speaks Redis's protocol
  edgecache run --redis redis://127.0.0.1:6379/0   # memory in front of Redis
  edgecache proxy --to http://127.0.0.1:3000       # an HTTP cache on port 8080
  edgecache set greeting hello --ttl 1m && edgecache get greeting
  edgecache stats -o json`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return config.FlagError(err) })
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(a.out, cmd) })
	root.AddCommand(a.runCommand(), a.proxyCommand(), a.filesCommand(), a.getCommand(), a.setCommand(), a.delCommand(), a.incrCommand(), a.ttlCommand(),
		a.keysCommand(), a.cacheCommand(), a.purgeCommand(), a.statsCommand(), a.adviseCommand(), a.pluginCommand(), a.simCommand(), a.traceCommand(), a.versionCommand())
	return root
}
