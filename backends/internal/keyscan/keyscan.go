// Package keyscan pages through the keys of stores that can only list all of them: it gives core.Scanner its cursors and
// its glob patterns.
package keyscan

import (
	"cmp"
	"context"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync"
)

// A scan walks the keys in the order of a 48-bit hash, and its cursor is the hash to go on with: whatever is written
// meanwhile, a key that stays is found. Keys of equal hash always come together. To find the keys after a hash, all keys
// must be looked at; so the nearest ones are kept for the pages to come, in a window. The cursor's lower 16 bits name
// the window. They are only a hint: a window under that name is never older than the scan, and without one the keys
// are looked at again.
const (
	hashBits   = 48
	windowBits = 64 - hashBits
	maxHash    = 1<<hashBits - 1
	// windowKeys is how many keys a window has, about, and maxWindows how many scans have one.
	windowKeys = 32 << 10
	maxWindows = 4
)

// hashed is a key in scan order.
type hashed struct {
	hash uint64
	key  string
}

// window is the keys of one scan from a hash on, in order and without gaps. It is not changed once it is shared.
type window struct {
	id            uint64
	prefix, match string
	keys          []hashed
	end           uint64 // the hash that the window does not reach, 0 if it holds all that follow
}

// Scans is the scans of one store. It keeps 131,072 keys at most. It is safe for concurrent use.
type Scans struct {
	seed maphash.Seed

	mu      sync.Mutex
	windows []*window // of the scans under way, the latest last
	lastID  uint64
}

// New returns a Scans without scans.
func New() *Scans { return &Scans{seed: maphash.MakeSeed()} }

// hash is never 0, which as a cursor means the begin and the end.
func (s *Scans) hash(key string) uint64 {
	return max(maphash.String(s.seed, key)>>windowBits, 1)
}

// Page is core.Scanner's Scan over keys, which is all keys of the store in any order, each at least once if it is there
// all the while. It is read through once for each 32,768 keys that the scan finds. A page may be longer than count, as
// keys of equal hash are never parted, and may hold keys that were removed since the scan began.
func (s *Scans) Page(
	ctx context.Context, keys iter.Seq2[string, error], cursor uint64, prefix, match string, count int,
) (page []string, next uint64, err error) {
	if count <= 0 {
		page, err = all(ctx, keys, prefix, match)
		return page, 0, err
	}
	from := cursor >> windowBits
	w := s.window(cursor, prefix, match)
	if w == nil {
		if w, err = s.look(ctx, keys, from, prefix, match, max(count, windowKeys)); err != nil {
			return nil, 0, err
		}
	}
	found, next := w.page(from, count)
	page = make([]string, len(found))
	for i, h := range found {
		page[i] = h.key
	}
	return page, s.keep(w, next), nil
}

// Clear forgets the scans under way. They go on all the same.
func (s *Scans) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windows = nil
}

// all returns all keys with the prefix that match.
func all(ctx context.Context, keys iter.Seq2[string, error], prefix, match string) ([]string, error) {
	var found []string
	for key, err := range keys {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		if selects(key, prefix, match) {
			found = append(found, key)
		}
	}
	return found, nil
}

func selects(key, prefix, match string) bool {
	rest, ok := strings.CutPrefix(key, prefix)
	return ok && (match == "" || Match(match, rest))
}

// look makes a window of the keys from a hash on, at least size of them if there are as many.
func (s *Scans) look(
	ctx context.Context, keys iter.Seq2[string, error], from uint64, prefix, match string, size int,
) (*window, error) {
	w := &window{prefix: prefix, match: match}
	bound := uint64(maxHash)
	for key, err := range keys {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		h := s.hash(key)
		if h < from || h > bound || !selects(key, prefix, match) {
			continue
		}
		w.keys = append(w.keys, hashed{h, key})
		if len(w.keys) >= 2*size {
			w.keys = nearest(w.keys, size)
			bound = w.keys[len(w.keys)-1].hash
		}
	}
	w.keys = nearest(w.keys, len(w.keys))
	if bound < maxHash {
		w.end = bound + 1
	}
	return w, nil
}

// nearest sorts the keys and returns the first size of them, and all that have the last one's hash.
func nearest(keys []hashed, size int) []hashed {
	slices.SortFunc(keys, func(a, b hashed) int { return cmp.Compare(a.hash, b.hash) })
	for 0 < size && size < len(keys) && keys[size].hash == keys[size-1].hash {
		size++
	}
	clear(keys[size:])
	return keys[:size]
}

// page returns about count keys from a hash on and the hash to go on with, 0 at the end.
func (w *window) page(from uint64, count int) (page []hashed, next uint64) {
	i, _ := slices.BinarySearchFunc(w.keys, from, func(h hashed, hash uint64) int { return cmp.Compare(h.hash, hash) })
	j := i
	for j < len(w.keys) && (j-i < count || w.keys[j].hash == w.keys[j-1].hash) {
		j++
	}
	if j < len(w.keys) {
		return w.keys[i:j], w.keys[j].hash
	}
	return w.keys[i:j], w.end
}

// window returns the window that the cursor names, or nil.
func (s *Scans) window(cursor uint64, prefix, match string) *window {
	if cursor == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.windows {
		if w.id == cursor&(1<<windowBits-1) && w.prefix == prefix && w.match == match {
			return w
		}
	}
	return nil
}

// keep returns the cursor for next, and keeps the window as the latest if there is more in it.
func (s *Scans) keep(w *window, next uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.windows = slices.DeleteFunc(s.windows, func(o *window) bool { return o == w })
	switch {
	case next == 0:
		return 0
	case next == w.end:
		return next << windowBits // the next page begins a window of its own
	case w.id == 0:
		s.lastID = max((s.lastID+1)&(1<<windowBits-1), 1)
		w.id = s.lastID
	}
	if len(s.windows) == maxWindows {
		s.windows = slices.Delete(s.windows, 0, 1)
	}
	s.windows = append(s.windows, w)
	return next<<windowBits | w.id
}
