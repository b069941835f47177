package main

import (
	"errors"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

func (a *app) getCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get KEY",
		Short:   "Print the value of a key",
		Long:    "Print the value of a key. An absent key prints nothing and ends with status 1.",
		Example: "  edgecache get greeting",
		Args:    arguments(1, 1, "key"),
	}
	t := bindClient(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return t.with(func(c *redis.Client) error {
			value, err := c.Get(cmd.Context(), args[0]).Result()
			if errors.Is(err, redis.Nil) {
				return miss(args[0])
			}
			if err != nil {
				return err
			}
			return t.out.print(a.out, value, struct {
				Key   binary `json:"key"`
				Value binary `json:"value"`
			}{binary(args[0]), binary(value)})
		})
	}
	return cmd
}
