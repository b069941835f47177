package main

import (
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

// What PTTL answers instead of a time.
const (
	replyAbsent   = -2
	replyNoExpiry = -1
)

func (a *app) ttlCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ttl KEY",
		Short:   "Print how long a key has to live",
		Long:    "Print how long a key has to live, or \"none\" if it never expires. An absent key prints nothing and ends with status 1.",
		Example: "  edgecache ttl greeting",
		Args:    arguments(1, 1, "key"),
	}
	t := bindClient(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return t.with(func(c *redis.Client) error {
			ms, err := c.Do(cmd.Context(), "PTTL", args[0]).Int64()
			switch {
			case err != nil:
				return err
			case ms == replyAbsent:
				return miss(args[0])
			case ms == replyNoExpiry:
				return t.out.print(a.out, "none", map[string]any{"key": binary(args[0]), "ttl_ms": nil})
			default:
				return t.out.print(a.out, (time.Duration(ms) * time.Millisecond).String(), map[string]any{"key": binary(args[0]), "ttl_ms": ms})
			}
		})
	}
	return cmd
}
