package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	root "github.com/edgecache/edgecache"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/internal/config"
)

// urlsHelp tells how stores are named.
const urlsHelp = `
Without a URL it is the cache that "edgecache run" serves. URLs name stores, nearest tier first, as programs do:

  redis://[user:password@]host:port/db    also rediss://, unix://, redis+cluster://, redis+sentinel://
  memcached://host:port,host:port
  sqlite:///path/to.db
  file:///path/to/folder`

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cache",
		Short:   "Look at the stores of a cache as a whole, and clear them",
		Example: "  edgecache cache inspect\n  edgecache cache clear sqlite:///var/cache/edge.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.cacheInspectCommand(), a.cacheClearCommand())
	return cmd
}

// switchedOff reports whether the environment asks for no caching.
func (a *app) switchedOff() (bool, error) { return root.Disabled(a.lookupEnv) }

// openCache opens the stores that URLs name, whatever the environment says.
func openCache(ctx context.Context, urls []string) (*core.Cache, error) {
	return root.Options{LookupEnv: func(string) (string, bool) { return "", false }}.Open(ctx, urls...)
}

func (a *app) cacheInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "inspect [URL...]",
		Short:   "Print what each tier holds: entries and bytes, with ~ where they are estimates and - where the store can't tell",
		Long:    "Print what each tier holds.\n" + urlsHelp,
		Example: "  edgecache cache inspect\n  edgecache cache inspect redis://127.0.0.1:6379/0 -o json",
		Args:    arguments(0, -1, "url"),
	}
	t := bindOutput(cmd)
	config.BindAdmin(cmd.Flags(), &t.admin, "`host:port` of the admin frontend")
	cmd.RunE = func(cmd *cobra.Command, urls []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), t.timeout)
		defer cancel()
		held, err := t.inspect(ctx, urls)
		if err != nil {
			return err
		}
		if *t.out == "json" {
			return writeJSON(a.out, held)
		}
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprint(w, "TIER\tNAME\tENTRIES\tBYTES\n")
		for _, h := range held {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.Tier, h.Name, h.about(h.Entries), h.about(h.Bytes))
		}
		return w.Flush()
	}
	return cmd
}

// holding is what a tier holds, -1 where it does not tell.
type holding struct {
	Tier        string `json:"tier"`
	Name        string `json:"name"`
	Entries     int64  `json:"entries"`
	Bytes       int64  `json:"bytes"`
	Approximate bool   `json:"approximate"`
}

// about writes a figure, marked where it is an estimate.
func (h *holding) about(n int64) string {
	if h.Approximate && n >= 0 {
		return "~" + known(n)
	}
	return known(n)
}

// inspect asks the stores that urls name, or the running cache if there are none.
func (t *target) inspect(ctx context.Context, urls []string) ([]holding, error) {
	if len(urls) == 0 {
		return t.inspectServed(ctx)
	}
	c, err := openCache(ctx, urls)
	if err != nil {
		return nil, err
	}
	var held []holding
	for _, i := range c.Inspect(ctx) {
		err = errors.Join(err, i.Err)
		held = append(held, holding{i.Tier, i.Name, i.Entries, i.Bytes, i.Approximate})
	}
	return held, errors.Join(err, c.Close())
}

// inspectServed takes the figures of the running cache, which are those that cost nothing.
func (t *target) inspectServed(ctx context.Context) ([]holding, error) {
	body, err := t.fetchStats(ctx)
	if err != nil {
		return nil, err
	}
	var s admin.Stats
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("stats from %s: %w", t.admin, err)
	}
	var held []holding
	for _, tier := range s.Tiers {
		name := tier.Name
		if tier.Policy != "" {
			name += " (" + tier.Policy + ")"
		}
		held = append(held, holding{tier.Name, name, tier.Entries, tier.Bytes, true})
	}
	return held, nil
}

func (a *app) cacheClearCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clear [URL...]",
		Short: "Delete all entries of a cache",
		Long: "Delete all entries of a cache, in all tiers. With namespace=a/b in a URL these are the entries of that namespace and\n" +
			"those below it. Without, Redis and memcached are only cleared with --all: others may have their data there.\n" + urlsHelp,
		Example: "  edgecache cache clear\n  edgecache cache clear redis://127.0.0.1:6379/0?namespace=shop\n  edgecache cache clear sqlite:///var/cache/edge.db",
		Args:    arguments(0, -1, "url"),
	}
	t := bindClient(cmd)
	all := cmd.Flags().Bool("all", false, "clear the whole of a remote store, whoever has written there")
	cmd.RunE = func(cmd *cobra.Command, urls []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), t.timeout)
		defer cancel()
		var err error
		if len(urls) > 0 {
			err = clearStores(ctx, urls, *all)
		} else {
			err = t.clearServed(ctx)
		}
		if err != nil {
			return err
		}
		return t.out.print(a.out, "OK", map[string]bool{"cleared": true})
	}
	return cmd
}

// clearServed clears the running cache.
func (t *target) clearServed(ctx context.Context) error {
	return t.with(func(c *redis.Client) error { return c.FlushDB(ctx).Err() })
}

// clearStores clears what urls name.
func clearStores(ctx context.Context, urls []string, all bool) error {
	c, err := openCache(ctx, urls)
	if err != nil {
		return err
	}
	if c.Path() == "" && !all && remote(c) {
		err = usageError{errors.New("a remote store without a namespace: give namespace=NAME in the URL, or --all to clear everything that is there")}
	} else {
		err = c.Clear(ctx)
	}
	return errors.Join(err, c.Close())
}

// remote reports whether a tier leaves this process, so that others may use its store. Only such tiers have a breaker.
func remote(c *core.Cache) bool {
	return slices.ContainsFunc(c.Stats().Tiers, func(t core.TierStats) bool { return t.Breaker != "" })
}
