package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// pluginCommand is the parent of the commands about plugins.
func (a *app) pluginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Write plugins, share them, and change those of a running cache",
		Example: `  edgecache plugin new mine --lang c && cd mine
  edgecache plugin build && edgecache plugin test .
  edgecache plugin list
  edgecache plugin load ./mine.wasm --config mine.json
  edgecache plugin push mine.wasm registry.example/plugins/mine:1.0.0
  edgecache plugin pull registry.example/plugins/mine:1.0.0 --key team.pub`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.pluginNewCommand(), a.pluginBuildCommand(), a.pluginTestCommand(), a.pluginInspectCommand(),
		a.pluginBenchCommand(), a.pluginPackCommand())
	cmd.AddCommand(a.livePluginCommands()...)
	cmd.AddCommand(a.pluginPushCommand(), a.pluginPullCommand(), a.pluginVerifyCommand(), a.pluginSignCommand(), a.pluginKeygenCommand())
	return cmd
}
