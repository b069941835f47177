package memory

import (
	"context"
	"fmt"

	"github.com/edgecache/edgecache/core"
)

var _ core.Bounder = (*Backend)(nil)

// SetBounds is Reconfigure for MaxBytes, unless it is 0, and for Policy, unless it is "": Default, or one that Native knows.
// A MaxEntryBytes that is a quarter of MaxBytes goes on to be that. One such change at a time may be under way.
func (b *Backend) SetBounds(_ context.Context, maxBytes int64, policy string) error {
	h := b.open.Load()
	if h == nil {
		return core.ErrClosed
	}
	o := h.options
	if maxBytes != 0 {
		if o.MaxEntryBytes == o.MaxBytes/4 {
			o.MaxEntryBytes = 0
		}
		o.MaxBytes = maxBytes
	}
	now := h.figures().policy
	switch policy {
	case "", now:
		if o.MaxBytes == h.options.MaxBytes {
			return nil
		}
	case Default:
		o.Policy = nil
	default:
		p, err := Native(policy)
		if err != nil {
			return fmt.Errorf("memory: %w", err)
		}
		o.Policy = p
	}
	return b.Reconfigure(o)
}
