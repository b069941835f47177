package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// pluginCommand is the parent of the commands about plugins.
func (a *app) pluginCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Share plugins through registries, sign them and check signatures",
		Example: `  edgecache plugin push lowercase.wasm registry.example/plugins/lowercase:1.0.0
  edgecache plugin pull registry.example/plugins/lowercase:1.0.0 --key team.pub
  edgecache plugin verify lowercase.wasm --key team.pub`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.pluginPushCommand(), a.pluginPullCommand(), a.pluginVerifyCommand(), a.pluginSignCommand(), a.pluginKeygenCommand())
	return cmd
}
