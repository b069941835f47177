package memory

import (
	"context"
	"slices"

	"github.com/edgecache/edgecache/core"
)

// Scan looks at all keys once for each 32,768 that it finds. Keys of equal hash come together, so that a page may be
// longer than count.
func (b *Backend) Scan(ctx context.Context, cursor uint64, prefix, match string, count int) ([]string, uint64, error) {
	h, release := b.whole()
	defer release()
	if h == nil {
		return nil, 0, core.ErrClosed
	}
	keys := func(yield func(string, error) bool) {
		for key := range h.keys() {
			if !yield(key, nil) {
				return
			}
		}
	}
	page, next, err := b.scans.Page(ctx, keys, cursor, prefix, match, count)
	if err != nil {
		return nil, 0, err
	}
	gone := func(key string) bool {
		_, _, ok := h.peek(key)
		return !ok
	}
	return slices.DeleteFunc(page, gone), next, nil
}
