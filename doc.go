// Package edgecache is the cache for programs, put together from its parts: what URLs and files of configuration name, it
// makes.
//
//	c, err := edgecache.Open(ctx, "memory://?max=64MiB,redis://127.0.0.1:6379/0?namespace=shop")
//
// [Open] makes one cache, [NewManager] a set of them by name. Their types are those of package core, which knows no store
// and no configuration: a program that wires its own tiers needs core and the packages below backends alone, and links
// no others.
//
// Nothing here is kept behind the program's back: there is no default cache of the process. A program that wants one cache
// everywhere makes a [Manager] where it begins, hands it on, and asks it for the cache "".
package edgecache

import "github.com/edgecache/edgecache/core"

// The types of package core that programs name most.
type (
	// Cache is a cache, or a namespace of one.
	Cache = core.Cache
	// EntryOptions are what a write says beside key and value.
	EntryOptions = core.EntryOptions
	// Entry is a stored value with its metadata.
	Entry = core.Entry
	// Typed is a cache of values of type T.
	Typed[T any] = core.Typed[T]
	// TypedOptions configures a Typed.
	TypedOptions = core.TypedOptions
	// Manager has caches by name.
	Manager = core.Manager
	// CacheConfig says how a named cache is made.
	CacheConfig = core.CacheConfig
	// Change is what changes of a cache at work.
	Change = core.Change
	// Tier is a store at its place in a cache.
	Tier = core.Tier
	// Backend is a store.
	Backend = core.Backend
	// Hook runs inside commands and may change them.
	Hook = core.Hook
)

// Times to live that are no durations.
const (
	// DefaultTTL asks for the cache's default.
	DefaultTTL = core.DefaultTTL
	// NoExpiry asks for an entry that never expires.
	NoExpiry = core.NoExpiry
	// KeepTTL asks a write to keep the expiry that the key has.
	KeepTTL = core.KeepTTL
)

// What callers branch on most, with errors.Is. Package core has the others.
var (
	ErrNotFound    = core.ErrNotFound
	ErrExists      = core.ErrExists
	ErrConflict    = core.ErrConflict
	ErrUnavailable = core.ErrUnavailable
	ErrTimeout     = core.ErrTimeout
	ErrClosed      = core.ErrClosed
	ErrNoCache     = core.ErrNoCache
	ErrOtherConfig = core.ErrOtherConfig
)

// NewTyped returns a view of a cache for values of type T.
func NewTyped[T any](c *Cache, o TypedOptions) (*Typed[T], error) { return core.NewTyped[T](c, o) }
