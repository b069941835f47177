package main

import (
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

func (a *app) incrCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "incr KEY [DELTA]",
		Short:   "Add to a number and print the sum",
		Long:    "Add DELTA, 1 if left out, to the number at KEY and print the sum. An absent key counts as 0. Put -- before a negative DELTA.",
		Example: "  edgecache incr visits\n  edgecache incr -- stock -3",
		Args:    arguments(1, 2, "key"),
	}
	t := bindClient(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		delta := int64(1)
		if len(args) > 1 {
			var err error
			if delta, err = number("DELTA", args[1]); err != nil {
				return err
			}
		}
		return t.with(func(c *redis.Client) error {
			n, err := c.IncrBy(cmd.Context(), args[0], delta).Result()
			if err != nil {
				return err
			}
			return t.out.print(a.out, strconv.FormatInt(n, 10), map[string]any{"key": binary(args[0]), "value": n})
		})
	}
	return cmd
}
