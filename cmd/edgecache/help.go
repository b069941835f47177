package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// writeHelp prints how to use a command, examples first. cobra's own way is a template, and the engine for templates
// keeps the linker from leaving out what nobody calls: a third of the binary.
func writeHelp(w io.Writer, cmd *cobra.Command) {
	var b strings.Builder
	if cmd.HasExample() {
		fmt.Fprintf(&b, "%s\n\n", cmd.Example)
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n", cmp.Or(cmd.Long, cmd.Short+"."))
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n\nCommands:\n", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-10s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", cmd.LocalFlags().FlagUsagesWrapped(helpWidth))
	}
	_, _ = io.WriteString(w, b.String()) // nobody is told that help can't be told
}

// helpWidth is where lines of the flags' help are broken.
const helpWidth = 110
