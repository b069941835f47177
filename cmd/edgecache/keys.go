package main

import (
	"bufio"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys [PATTERN]",
		Short:   "Print the keys that match a glob pattern, a line each",
		Long:    "Print the keys that match a glob pattern, all if left out, a line each and in no order. The cache is asked page by page and goes on serving.",
		Example: "  edgecache keys 'user:*'",
		Args:    arguments(0, 1),
	}
	t := bindClient(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		pattern := "*"
		if len(args) > 0 {
			pattern = args[0]
		}
		return t.with(func(c *redis.Client) error {
			w := bufio.NewWriter(a.out)
			seen := make(map[string]bool)
			for pages := c.Scan(cmd.Context(), 0, pattern, 1000).Iterator(); ; {
				if !pages.Next(cmd.Context()) {
					if err := pages.Err(); err != nil {
						return err
					}
					return w.Flush()
				}
				key := pages.Val()
				if seen[key] {
					continue
				}
				seen[key] = true
				if err := t.out.print(w, key, binary(key)); err != nil {
					return err
				}
			}
		})
	}
	return cmd
}
