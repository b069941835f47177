package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

func (a *app) setCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set KEY VALUE",
		Short:   "Store a value",
		Long:    "Store a value. The value - is read from standard input, whatever bytes it has.",
		Example: "  edgecache set greeting hello --ttl 1m\n  edgecache set logo - < logo.png",
		Args:    arguments(2, 2, "key", "value"),
	}
	t := bindClient(cmd)
	ttl := cmd.Flags().Duration("ttl", 0, "`time` to live; 0 is the cache's default")
	keepTTL := cmd.Flags().Bool("keep-ttl", false, "keep the time to live that the key has")
	absent := cmd.Flags().Bool("if-absent", false, "only if the key is not there")
	present := cmd.Flags().Bool("if-present", false, "only if the key is there")
	cmd.MarkFlagsMutuallyExclusive("ttl", "keep-ttl")
	cmd.MarkFlagsMutuallyExclusive("if-absent", "if-present")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		how, err := setArgs(*ttl, *keepTTL, *absent, *present)
		if err != nil {
			return err
		}
		value := args[1]
		if value == "-" {
			read, err := io.ReadAll(a.in)
			if err != nil {
				return fmt.Errorf("standard input: %w", err)
			}
			value = string(read)
		}
		return t.with(func(c *redis.Client) error {
			_, err := c.SetArgs(cmd.Context(), args[0], value, how).Result()
			if errors.Is(err, redis.Nil) {
				return fmt.Errorf("%q: not stored: %s", args[0], map[string]string{"NX": "the key is there", "XX": "the key is not there"}[how.Mode])
			}
			if err != nil {
				return err
			}
			return t.out.print(a.out, "OK", map[string]any{"key": binary(args[0]), "stored": true})
		})
	}
	return cmd
}

func setArgs(ttl time.Duration, keep, absent, present bool) (redis.SetArgs, error) {
	if ttl < 0 || ttl > 0 && ttl < time.Millisecond {
		return redis.SetArgs{}, usageError{fmt.Errorf("--ttl %v: at least 1ms is wanted, or 0", ttl)}
	}
	how := redis.SetArgs{TTL: ttl, KeepTTL: keep}
	switch {
	case absent:
		how.Mode = "NX"
	case present:
		how.Mode = "XX"
	}
	return how, nil
}
