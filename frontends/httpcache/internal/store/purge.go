package store

import (
	"context"

	"github.com/edgecache/edgecache/core"
)

// ID tells bodies apart: it stays as it is when a response is freshened, and is another one for another body.
func (r *Response) ID() [16]byte { return r.id }

// DeletePrefix removes everything whose primary key begins with prefix, "" being everything, from the tiers that can find it.
// Fills under way go on and are stored.
func (s *Store) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	if prefix == "" {
		return 0, s.options.Cache.Clear(ctx)
	}
	return s.responses.DeleteMatch(ctx, core.Matcher{Prefix: prefix})
}
