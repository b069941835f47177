package memory

import (
	"context"

	"github.com/edgecache/edgecache/core"
)

// Increment adds to the number in one Update. What it stores carries no version, as counters have none in other stores.
func (b *Backend) Increment(ctx context.Context, key string, delta, expires int64) (int64, error) {
	var sum int64
	_, err := b.Update(ctx, key, func(old *core.Entry) (next *core.Entry, err error) {
		next, sum, err = core.Sum(old, delta, expires)
		return next, err
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}
