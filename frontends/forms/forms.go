// Package forms keeps parsed forms, so that a query or a body that comes again is not parsed again.
package forms

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Options configures a Cache.
type Options struct {
	// Cache is where forms are kept: a namespace for this Cache alone, which clears it. It is required.
	Cache *core.Cache
	// TTL is how long a form is kept. 0 means 300 s; core.NoExpiry is for ever.
	TTL time.Duration
	// MaxSize is how many forms are kept; beyond it, the one that was not asked for longest goes. 0 means 1000.
	MaxSize int
}

const (
	defaultTTL     = 300 * time.Second
	defaultMaxSize = 1000
	// longest is how many bytes of a form stand in its key. Longer ones are there as a hash.
	longest = 512
	prefix  = "form:"
)

// Cache keeps forms by what they were parsed from, as it came: fields in another order are another form, since to tell that
// they are the same takes what parsing takes. It is safe for concurrent use.
type Cache struct {
	cache   *core.Cache
	forms   *core.Typed[url.Values] // of cache
	ttl     time.Duration
	maxSize int

	mu    sync.Mutex
	keys  map[string]*list.Element // of order
	order *list.List               // of keys, the one used last in front
}

// Stats is what a Cache holds: forms, those that have expired and were not cleaned up included, and what bounds them.
type Stats struct {
	Size       int           `json:"size"`
	MaxSize    int           `json:"max_size"`
	DefaultTTL time.Duration `json:"default_ttl"`
}

// New returns an empty Cache.
func New(o Options) (*Cache, error) {
	switch {
	case o.Cache == nil:
		return nil, errors.New("forms: Cache is nil: pass the namespace that shall keep the forms")
	case o.MaxSize < 0:
		return nil, fmt.Errorf("forms: MaxSize %d must not be negative", o.MaxSize)
	case o.TTL < 0 && o.TTL != core.NoExpiry:
		return nil, fmt.Errorf("forms: TTL %v must not be negative", o.TTL)
	}
	forms, err := core.NewTyped[url.Values](o.Cache, core.TypedOptions{Codec: form{}, KeepDecoded: true})
	if err != nil {
		return nil, err
	}
	c := &Cache{
		cache: o.Cache, forms: forms, ttl: o.TTL, maxSize: o.MaxSize, keys: make(map[string]*list.Element), order: list.New(),
	}
	if c.ttl == 0 {
		c.ttl = defaultTTL
	}
	if c.maxSize == 0 {
		c.maxSize = defaultMaxSize
	}
	return c, nil
}

// key returns the key of a form.
func key(encoded string) string {
	if len(encoded) <= longest {
		return prefix + encoded
	}
	sum := sha256.Sum256([]byte(encoded))
	return prefix + "\x00" + hex.EncodeToString(sum[:]) // no form that is well-formed begins so
}

// Parse returns the fields of a query or a body of application/x-www-form-urlencoded, parsed now or before. They are shared
// and must not be changed. The error is url.ParseQuery's; what is malformed is not kept. A cache that fails is no failure
// here.
func (c *Cache) Parse(ctx context.Context, encoded string) (url.Values, error) {
	if form, err := c.Get(ctx, encoded); err == nil {
		return form, nil
	}
	form, err := url.ParseQuery(encoded)
	if err != nil {
		return form, err
	}
	_ = c.Set(ctx, encoded, form, 0) // the next one parses it again
	return form, nil
}

// Get returns the form that was stored for encoded, or core.ErrNotFound. It is shared and must not be changed.
func (c *Cache) Get(ctx context.Context, encoded string) (url.Values, error) {
	k := key(encoded)
	form, err := c.forms.Get(ctx, k)
	if err == nil {
		c.use(k)
	}
	return form, err
}

// Set stores form for encoded, for ttl or, where that is 0, as long as Options.TTL says. A field without a value is none.
func (c *Cache) Set(ctx context.Context, encoded string, form url.Values, ttl time.Duration) error {
	if ttl == 0 {
		ttl = c.ttl
	}
	k := key(encoded)
	if err := c.forms.Set(ctx, k, form, core.EntryOptions{TTL: ttl}); err != nil {
		return err
	}
	if gone := c.insert(k); gone != "" {
		_, err := c.cache.Delete(ctx, gone)
		return err
	}
	return nil
}

// Has reports whether there is a form for encoded that has not expired. It does not count as use.
func (c *Cache) Has(ctx context.Context, encoded string) (bool, error) {
	return c.cache.Exists(ctx, key(encoded))
}

// Delete removes the form for encoded and reports whether it was there.
func (c *Cache) Delete(ctx context.Context, encoded string) (bool, error) {
	k := key(encoded)
	c.remove(k)
	return c.cache.Delete(ctx, k)
}

// Clear removes all forms.
func (c *Cache) Clear(ctx context.Context) error {
	c.mu.Lock()
	clear(c.keys)
	c.order.Init()
	c.mu.Unlock()
	return c.cache.Clear(ctx)
}

// Cleanup forgets the forms that have expired, or that the cache has evicted, and returns how many these were. Without it they
// are forgotten when their place is needed.
func (c *Cache) Cleanup(ctx context.Context) (int, error) {
	c.mu.Lock()
	keys := make([]string, 0, len(c.keys))
	for k := range c.keys {
		keys = append(keys, k)
	}
	c.mu.Unlock()
	n := 0
	for _, k := range keys {
		there, err := c.cache.Exists(ctx, k)
		if err != nil {
			return n, err
		}
		if !there && c.remove(k) {
			n++
		}
	}
	return n, nil
}

// Stats returns what the Cache holds.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Size: len(c.keys), MaxSize: c.maxSize, DefaultTTL: c.ttl}
}

// use puts a key in front.
func (c *Cache) use(k string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.keys[k]; at != nil {
		c.order.MoveToFront(at)
	}
}

// insert puts a key in front that may be new, and returns the one that has to go for it, if any.
func (c *Cache) insert(k string) (gone string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.keys[k]; at != nil {
		c.order.MoveToFront(at)
		return ""
	}
	c.keys[k] = c.order.PushFront(k)
	if len(c.keys) <= c.maxSize {
		return ""
	}
	last := c.order.Back()
	gone = c.order.Remove(last).(string)
	delete(c.keys, gone)
	return gone
}

func (c *Cache) remove(k string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.keys[k]
	if at != nil {
		c.order.Remove(at)
		delete(c.keys, k)
	}
	return at != nil
}
