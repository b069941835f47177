package memory

import (
	"context"
	"math"
	"strconv"

	"github.com/edgecache/edgecache/core"
)

// Increment adds to the number in one Update. What it stores carries no version, as counters have none in other stores.
func (b *Backend) Increment(ctx context.Context, key string, delta, expires int64) (int64, error) {
	var sum int64
	_, err := b.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		next := &core.Entry{Expires: expires}
		var n int64
		if old != nil {
			var ok bool
			if n, ok = core.ParseInt(old.Value); !ok {
				return nil, core.ErrNotInteger
			}
			next.Expires, next.Flags = old.Expires, old.Flags
		}
		if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
			return nil, core.ErrOverflow
		}
		sum = n + delta
		next.Value = strconv.AppendInt(nil, sum, 10)
		return next, nil
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}
