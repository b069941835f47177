package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) pluginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "plugin",
		Short:   "See and change the plugins of a running cache",
		Example: "  edgecache plugin list\n  edgecache plugin load ./mine.wasm --config mine.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.livePluginCommands()...)
	return cmd
}
