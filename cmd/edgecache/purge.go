package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/frontends/admin"
)

func (a *app) purgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "purge [URL...]",
		Short: "Make an HTTP cache forget responses, or take them for stale, at once and on all nodes",
		Long: `Make the cache of "edgecache proxy" forget responses: those of whole URLs, in all variants, those whose URLs begin with
--prefix, those that the origin has tagged with --tag (Surrogate-Key, Cache-Tag, xkey), or --all. It holds at once; nodes
with the same remote store follow within a second. With --soft responses become stale instead, and may be used while they
are validated, as their headers say.`,
		Example: "  edgecache purge https://www.example.com/index.html\n  edgecache purge --tag product-7 --tag sale --soft\n" +
			"  edgecache purge --prefix https://www.example.com/blog/\n  edgecache purge --all --admin 10.0.0.1:9090",
		Args: arguments(0, -1, "url"),
	}
	var p admin.PurgeRequest
	cmd.Flags().StringArrayVar((*[]string)(&p.Tags), "tag", nil, "purge responses with this `tag`; may be given several times")
	cmd.Flags().StringArrayVar((*[]string)(&p.Prefixes), "prefix", nil,
		"purge responses whose URLs begin with `prefix`, scheme and host included; may be given several times")
	cmd.Flags().BoolVar(&p.All, "all", false, "purge everything")
	cmd.Flags().BoolVar(&p.Soft, "soft", false, "let responses become stale instead of forgetting them")
	t := bindPlugin(cmd)
	cmd.RunE = func(cmd *cobra.Command, urls []string) error {
		p.URLs = urls
		if named := len(p.URLs) + len(p.Tags) + len(p.Prefixes); p.All == (named > 0) {
			return usageError{errors.New("URLs, --tag and --prefix are wanted, or --all alone")}
		}
		return a.purge(cmd, t, &p)
	}
	return cmd
}

// purge has the admin frontend purge, in as many requests as it takes.
func (a *app) purge(cmd *cobra.Command, t *target, p *admin.PurgeRequest) error {
	sum := admin.PurgeResult{Shared: true}
	for _, part := range parts(p) {
		body, err := t.ask(cmd.Context(), http.MethodPost, "/http/purge", part)
		if err != nil {
			return fmt.Errorf("purge at %s: %w", t.admin, err)
		}
		var r admin.PurgeResult
		if err := json.Unmarshal(body, &r); err != nil {
			return fmt.Errorf("purge at %s: %w", t.admin, err)
		}
		sum.Purged += r.Purged
		if !r.Shared {
			sum.Shared, sum.Detail = false, r.Detail
		}
	}
	if !sum.Shared {
		fmt.Fprintf(a.err, "edgecache: other nodes do not know yet: %s\n", strings.TrimSpace(sum.Detail))
	}
	return t.out.print(a.out, "OK", sum)
}

// parts cuts a request into such as the admin frontend takes.
func parts(p *admin.PurgeRequest) (all []admin.PurgeRequest) {
	if len(p.URLs)+len(p.Prefixes)+len(p.Tags) <= admin.MaxPurge {
		return []admin.PurgeRequest{*p}
	}
	for names := range slices.Chunk(p.URLs, admin.MaxPurge) {
		all = append(all, admin.PurgeRequest{URLs: names, Soft: p.Soft})
	}
	for names := range slices.Chunk(p.Prefixes, admin.MaxPurge) {
		all = append(all, admin.PurgeRequest{Prefixes: names, Soft: p.Soft})
	}
	for names := range slices.Chunk(p.Tags, admin.MaxPurge) {
		all = append(all, admin.PurgeRequest{Tags: names, Soft: p.Soft})
	}
	return all
}
