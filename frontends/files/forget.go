package files

import (
	"context"
	"hash/maphash"
	"path"
	"strings"
	"sync/atomic"

	"github.com/edgecache/edgecache/rfc9110"
)

// marks count how often files may have changed, in groups of files, so that what was read before is not kept after.
type marks struct {
	seed   maphash.Seed
	groups [256]atomic.Uint64
}

func (m *marks) group(name string) *atomic.Uint64 {
	return &m.groups[maphash.String(m.seed, name)%uint64(len(m.groups))]
}

// of returns the number of changes in the file's group.
func (m *marks) of(name string) uint64 { return m.group(name).Load() }

// forget drops what is cached of a file, which may have changed.
func (h *Handler) forget(ctx context.Context, name string) {
	h.marks.group(name).Add(1)
	h.stats.invalidations.Add(1)
	keys := []string{name}
	for c := range rfc9110.Codings {
		keys = append(keys, key(name, c))
	}
	_, err := h.cache.DeleteMany(context.WithoutCancel(ctx), keys)
	h.note(err)
}

// forgetTree drops what is cached of a file or a folder and of all that is below it; "" is everything.
func (h *Handler) forgetTree(ctx context.Context, name string) {
	for i := range h.marks.groups {
		h.marks.groups[i].Add(1)
	}
	h.stats.invalidations.Add(1)
	if name == "" {
		h.note(h.cache.Clear(ctx))
		return
	}
	_, err := h.cache.DeleteTree(ctx, name)
	h.note(err)
}

// forgetChanged drops what depends on a file that has changed: also that of which it is a precompressed form.
func (h *Handler) forgetChanged(ctx context.Context, name string) {
	h.forget(ctx, name)
	ext := path.Ext(name)
	for _, suffix := range suffixes {
		if suffix != "" && ext == suffix {
			h.forget(ctx, strings.TrimSuffix(name, suffix))
		}
	}
}
