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
			var err error
			if n, err = parseNumber(old.Value); err != nil {
				return nil, err
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

// parseNumber accepts the one spelling of an int64 that AppendInt has, as Redis does.
func parseNumber(v []byte) (int64, error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || v[0] == '+' || v[0] == '0' && len(v) > 1 || v[0] == '-' && v[1] == '0' {
		return 0, core.ErrNotInteger
	}
	return n, nil
}
