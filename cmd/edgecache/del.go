package main

import (
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

func (a *app) delCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "del KEY...",
		Short:   "Delete keys and print how many were there",
		Example: "  edgecache del greeting logo",
		Args:    arguments(1, -1, "key"),
	}
	t := bindClient(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return t.with(func(c *redis.Client) error {
			n, err := c.Del(cmd.Context(), args...).Result()
			if err != nil {
				return err
			}
			return t.out.print(a.out, strconv.FormatInt(n, 10), map[string]int64{"deleted": n})
		})
	}
	return cmd
}
