package redis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/core"
)

const (
	// scanPage is how many keys are asked for at once where all are wanted.
	scanPage = 1000
	// clearPage is how many keys Clear removes at once.
	clearPage = 500
	// nodeShift is where a cursor holds the number of the cluster's node; below it stands the node's own cursor.
	nodeShift = 48
)

// Scan walks the keys with the server's SCAN. In a cluster it walks one master after the other, in the order of their
// addresses; keys that change their master during the walk may be missed.
func (b *Backend) Scan(ctx context.Context, cursor uint64, prefix, match string, count int) ([]string, uint64, error) {
	if match == "" {
		match = "*"
	}
	pattern := escapeGlob(prefix) + match
	if count > 0 {
		return b.page(ctx, cursor, pattern, count)
	}
	var all []string
	for {
		keys, next, err := b.page(ctx, cursor, pattern, scanPage)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, keys...)
		if next == 0 {
			return all, 0, nil
		}
		cursor = next
	}
}

// page reads one page of one node.
func (b *Backend) page(ctx context.Context, cursor uint64, pattern string, count int) ([]string, uint64, error) {
	if b.cluster == nil {
		return b.nodePage(ctx, b.client, cursor, pattern, count)
	}
	nodes, err := b.nodes(ctx)
	if err != nil {
		return nil, 0, err
	}
	node := cursor >> nodeShift
	if node >= uint64(len(nodes)) {
		return nil, 0, nil // the cluster has shrunk
	}
	keys, next, err := b.nodePage(ctx, nodes[node], cursor&(1<<nodeShift-1), pattern, count)
	switch {
	case err != nil:
		return nil, 0, err
	case next>>nodeShift != 0:
		return nil, 0, fmt.Errorf("redis: %w: the server's scan cursor %d is too large for a cluster", core.ErrUnsupported, next)
	case next != 0:
		return keys, node<<nodeShift | next, nil
	case node+1 < uint64(len(nodes)):
		return keys, (node + 1) << nodeShift, nil
	default:
		return keys, 0, nil
	}
}

func (b *Backend) nodePage(
	ctx context.Context, node redis.Cmdable, cursor uint64, pattern string, count int,
) (keys []string, next uint64, err error) {
	err = b.read(ctx, func(ctx context.Context) error {
		keys, next, err = node.Scan(ctx, cursor, pattern, int64(count)).Result()
		return err
	})
	return keys, next, err
}

// nodes returns the masters of the cluster, in the order of their addresses.
func (b *Backend) nodes(ctx context.Context) (nodes []*redis.Client, err error) {
	var mu sync.Mutex // guards nodes: go-redis visits all at the same time
	err = b.read(ctx, func(ctx context.Context) error {
		nodes = nodes[:0]
		return b.cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			nodes = append(nodes, node)
			return nil
		})
	})
	slices.SortFunc(nodes, func(x, y *redis.Client) int { return cmp.Compare(x.Options().Addr, y.Options().Addr) })
	return nodes, err
}

// Clear removes the keys in pages with SCAN and UNLINK, or with FLUSHDB if all are to go and the database is the cache's
// own. Keys written meanwhile may survive.
func (b *Backend) Clear(ctx context.Context, prefix string) error {
	if b.cluster == nil {
		return b.clearNode(ctx, b.client, prefix)
	}
	nodes, err := b.nodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := b.clearNode(ctx, n, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) clearNode(ctx context.Context, node redis.Cmdable, prefix string) error {
	if prefix == "" && b.opts.Owned {
		return b.read(ctx, func(ctx context.Context) error { return node.FlushDBAsync(ctx).Err() })
	}
	pattern := escapeGlob(prefix) + "*"
	for cursor := uint64(0); ; {
		keys, next, err := b.nodePage(ctx, node, cursor, pattern, clearPage)
		if err != nil {
			return err
		}
		if err := b.unlink(ctx, node, keys); err != nil {
			return err
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}

// unlink removes keys of one node. One command for each: in a cluster they are in different slots.
func (b *Backend) unlink(ctx context.Context, node redis.Cmdable, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return b.read(ctx, func(ctx context.Context) error {
		pipe := node.Pipeline()
		for _, k := range keys {
			pipe.Unlink(ctx, k)
		}
		_, err := pipe.Exec(ctx)
		return err
	})
}

// escapeGlob returns the pattern that matches s itself.
func escapeGlob(s string) string {
	if !strings.ContainsAny(s, `*?[]\`) {
		return s
	}
	var out strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[]\`, s[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
