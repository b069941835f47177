package main

import (
	"context"
	"fmt"

	theine "github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// Keys and values are all of the same length, so that caches of bytes and of entries have room for as many.
const (
	keyBytes   = 20
	valueBytes = 64
	keyFormat  = "object:%013d"
)

// keysOf returns the keys of n objects.
func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(keyFormat, i)
	}
	return keys
}

// value is what all store: a cache that keeps entries keeps the whole, others its bytes.
type value = core.Entry

// cache is what all contestants can do. It is safe for concurrent use.
type cache interface {
	get(key string) bool
	set(key string, v *value)
	// settle returns when nothing that was set is on its way any more.
	settle()
	close()
}

// contestant makes caches.
type contestant struct {
	name string
	// simulated is the policy of the simulator that hits as the cache does if one goroutine asks; "" is none.
	simulated string
	open      func(entries int) (cache, error)
}

// contestants are all, edgecache first: with otter, and with policies of its own.
func contestants() []contestant {
	return []contestant{
		{"edgecache", "product:otter", tier(memory.Options{})},
		{"edgecache-lru", "lru", policyTier("lru")},
		{"edgecache-s3fifo", "s3fifo", policyTier("s3fifo")},
		{"otter", "product:otter", openOtter},
		{"theine", "", openTheine},
		{"ristretto", "", openRistretto},
		{"golang-lru", "lru", openLRU},
	}
}

// memoryTier is edgecache's. What an entry weighs there is measured in bytes.
type memoryTier struct{ *memory.Backend }

// tierOverhead is what an entry counts there beside its key and value.
const tierOverhead = 224

// tier returns what opens a tier with the options, but for MaxBytes, which is what so many entries take.
func tier(o memory.Options) func(int) (cache, error) {
	return func(entries int) (cache, error) {
		o.MaxBytes = int64(entries) * (keyBytes + valueBytes + tierOverhead)
		b, err := memory.New(o)
		return memoryTier{b}, err
	}
}

// policyTier returns what opens a tier with a native policy.
func policyTier(name string) func(int) (cache, error) {
	return func(entries int) (cache, error) {
		p, err := memory.Native(name)
		if err != nil {
			return nil, err
		}
		return tier(memory.Options{Policy: p})(entries)
	}
}

func (c memoryTier) get(key string) bool {
	_, err := c.Get(context.Background(), key)
	return err == nil
}

func (c memoryTier) set(key string, v *value) { _ = c.Set(context.Background(), key, v) } // it has room
func (c memoryTier) settle()                  {}
func (c memoryTier) close()                   { _ = c.Close() }

type otterCache struct{ *otter.Cache[string, *value] }

func openOtter(entries int) (cache, error) {
	c, err := otter.New(&otter.Options[string, *value]{MaximumSize: entries})
	return otterCache{c}, err
}

func (c otterCache) get(key string) bool {
	_, ok := c.GetIfPresent(key)
	return ok
}

func (c otterCache) set(key string, v *value) { c.Set(key, v) }
func (c otterCache) settle()                  { c.CleanUp() }
func (c otterCache) close()                   { c.StopAllGoroutines() }

type theineCache struct{ *theine.Cache[string, *value] }

func openTheine(entries int) (cache, error) {
	c, err := theine.NewBuilder[string, *value](int64(entries)).Build()
	return theineCache{c}, err
}

func (c theineCache) get(key string) bool {
	_, ok := c.Get(key)
	return ok
}

func (c theineCache) set(key string, v *value) { c.Set(key, v, 1) }
func (c theineCache) settle()                  {}
func (c theineCache) close()                   { c.Close() }

type ristrettoCache struct {
	*ristretto.Cache[string, *value]
}

// openRistretto follows its documentation: ten counters for each entry, buffers of 64.
func openRistretto(entries int) (cache, error) {
	c, err := ristretto.NewCache(&ristretto.Config[string, *value]{
		NumCounters: 10 * int64(entries), MaxCost: int64(entries), BufferItems: 64, IgnoreInternalCost: true,
	})
	return ristrettoCache{c}, err
}

func (c ristrettoCache) get(key string) bool {
	_, ok := c.Get(key)
	return ok
}

func (c ristrettoCache) set(key string, v *value) { c.Set(key, v, 1) }
func (c ristrettoCache) settle()                  { c.Wait() }
func (c ristrettoCache) close()                   { c.Close() }

type lruCache struct{ *lru.Cache[string, *value] }

func openLRU(entries int) (cache, error) {
	c, err := lru.New[string, *value](entries)
	return lruCache{c}, err
}

func (c lruCache) get(key string) bool {
	_, ok := c.Get(key)
	return ok
}

func (c lruCache) set(key string, v *value) { c.Add(key, v) }
func (c lruCache) settle()                  {}
func (c lruCache) close()                   {}
