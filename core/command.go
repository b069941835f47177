package core

import (
	"time"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Times to live that are not durations.
const (
	// DefaultTTL, the zero value, asks for the cache's default.
	DefaultTTL time.Duration = 0
	// NoExpiry asks for an entry that never expires; in OpExpire it takes an expiry away.
	NoExpiry time.Duration = -1
	// KeepTTL asks a write to keep the expiry that the key has. An absent key gets the default.
	KeepTTL time.Duration = -2
)

// CommandFlags change what a command does.
type CommandFlags uint8

const (
	// FlagBorrowed says that Key, Keys, Value and Values are views of memory that the caller reuses once Do returns.
	// The cache copies what it keeps.
	FlagBorrowed CommandFlags = 1 << iota
	// FlagOld asks a write for the entry that was there before it.
	FlagOld
	// FlagAuthority asks a read to go to the farthest tier, past nearer copies.
	FlagAuthority
	// FlagIfValue asks OpDelete and OpExpire to change a key only if its value is Value; else the outcome is
	// OutcomeNotStored. It is one atomic update at the authority.
	FlagIfValue
	// FlagQuiet asks OpGet to leave no trace: no counts, no events, no copies in nearer tiers, and where a tier can read so,
	// nothing for its policy to learn.
	FlagQuiet
	// FlagOpen lets OpGet answer with an open file (Item.File) where the nearest tier does not have the value in memory and a
	// ValueOpener has it. It does nothing where a hook's After waits for OpGet: hooks may see the value or change it.
	FlagOpen
)

// Command is one cache operation with its options. A caller fills the fields that the Op names and leaves the rest zero;
// hooks may change them before the tiers are reached. A Command may be reused after Do returned, but not shared.
type Command struct {
	Op    Op
	Flags CommandFlags
	// Namespace is where the keys live. nil means the namespace of the Cache whose Do is called.
	Namespace *Namespace
	// Key is any bytes, within the namespace and without its prefix. In OpKeys it is a glob pattern as Redis has it.
	Key string
	// Keys replaces Key where Op.Many.
	Keys []string
	// Value is stored as given: unless FlagBorrowed is set it belongs to the cache from here on.
	Value []byte
	// Values are parallel to Keys in OpSetMany.
	Values [][]byte
	// TTL is how long a written entry lives: a positive duration, DefaultTTL, NoExpiry or KeepTTL.
	TTL time.Duration
	// Jitter takes a random share, up to this one, off TTL, so that entries written together do not expire together:
	// 0.1 is up to a tenth. 0 is the cache's default, a negative one is none.
	Jitter float32
	// Renew makes OpGet a sliding read: an entry that expires lives for Renew from now on. It is an atomic update at the
	// authority. 0 leaves the expiry as it is.
	Renew time.Duration
	// Version is the Entry.Token that OpCompareAndSwap expects.
	Version uint64
	// Delta is what OpIncrement adds and OpDecrement subtracts.
	Delta int64
	// EntryFlags and Codec are stored with the value (Entry.Flags, Entry.Codec).
	EntryFlags uint32
	Codec      uint8
	// Decoded, if not nil, is kept beside the value in memory tiers (Entry.SetDecoded), which count DecodedWeight bytes for it.
	Decoded       any
	DecodedWeight uint32
	// Cursor and Count page OpKeys: cursor 0 begins, Count is a hint and 0 asks for all keys at once.
	Cursor uint64
	Count  int
	// Args is OpRaw's command, in the words of the farthest tier's store.
	Args []any
	// Start is a reading of Clock that the caller already has, or 0. Where something measures time and Start is 0,
	// Do reads the clock, and hooks see that reading here.
	Start int64
	// Cookies belong to the hook that is being called: one word for each key, 0 in Before, in After what its Before left.
	Cookies []uint64

	cookies []uint64   // all hooks' cookies, one row a hook
	span    trace.Span // of the command while it is traced, else nil
	arena   []byte     // keys made during Do: rewritten by hooks or prefixed with the namespace
	cache   *Cache     // the cache that Do was called on
	reached *Namespace // where the tiers were asked; nil: they were not
	marks   []*mark    // a load's write is skipped for the keys at which others have been meanwhile; nil: no load's
	pending pending
	cause   Cause // what listeners hear of a deletion, 0 is CauseDeleted
}

// Size returns how many keys the command names: len(Keys) where Op.Many, else 1.
func (c *Command) Size() int {
	if c.Op.Many() {
		return len(c.Keys)
	}
	return 1
}

// KeyAt returns a pointer to the i-th key, so that a hook rewrites single and many commands alike.
func (c *Command) KeyAt(i int) *string {
	if c.Op.Many() {
		return &c.Keys[i]
	}
	return &c.Key
}

// SetKey makes a copy of b the i-th key, in memory that the command owns and reuses. It is how a hook rewrites a key
// without allocating; it sets FlagBorrowed.
func (c *Command) SetKey(i int, b []byte) {
	n := len(c.arena)
	c.arena = append(c.arena, b...)
	*c.KeyAt(i) = view(c.arena[n:])
	c.Flags |= FlagBorrowed
}

// view returns b as a string without copying: it changes when b does.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// ValueAt returns a pointer to the value written to the i-th key, or nil where the command writes none.
func (c *Command) ValueAt(i int) *[]byte {
	switch c.Op {
	case OpSetMany:
		return &c.Values[i]
	case OpSet, OpAdd, OpReplace, OpCompareAndSwap, OpAppend, OpPrepend:
		return &c.Value
	default:
		return nil
	}
}

// SetNamespace moves the command into the namespace at path ("shop/carts"; "" is the root), which hooks may do before
// the tiers are reached.
func (c *Command) SetNamespace(path string) error {
	ns, err := c.cache.engine.namespaces.parse(path)
	if err != nil {
		return err
	}
	c.Namespace = ns
	return nil
}

// Traced reports whether SetSpanAttribute has an effect, which is while Do has the command and a trace takes it in. Hooks
// ask it before they make attributes.
func (c *Command) Traced() bool { return c.span != nil && c.span.IsRecording() }

// SetSpanAttribute sets an attribute of the command's span, if it is traced.
func (c *Command) SetSpanAttribute(key, value string) {
	if c.Traced() {
		c.span.SetAttributes(attribute.String(key, value))
	}
}

// Item is how a command ended for one key.
type Item struct {
	// Outcome is OutcomeNone until something has answered. A Before hook answers by setting it: the tiers are then
	// not asked for this key.
	Outcome Outcome
	// Tier is 1 for the nearest tier, 2 for the next, 0 where none answered.
	Tier uint8
	// Entry is what was read. It is shared and immutable.
	Entry *Entry
	// File has the value of Entry, whose own is nil then: see FlagOpen. The caller closes it.
	File *ValueFile
	// Err is set where Outcome is OutcomeDenied or OutcomeError.
	Err error
}

// size is the length of the value that was read, 0 for none.
func (it *Item) size() int {
	switch {
	case it.File != nil:
		return int(it.File.Size)
	case it.Entry != nil:
		return len(it.Entry.Value)
	default:
		return 0
	}
}

// Result is what a command brought. Do overwrites it; the slices are reused.
type Result struct {
	// Item is the single key's result; where Op.Many only Outcome (the best of the items') and Err are set.
	Item
	// Items are parallel to Keys where Op.Many.
	Items []Item
	// N is a number that the Op's comment describes.
	N int64
	// TTL is what OpTTL found: a positive duration or NoExpiry.
	TTL time.Duration
	// Keys and Cursor are what OpKeys found, without the namespace's prefix. Cursor 0 is the end.
	Keys   []string
	Cursor uint64
	// Raw is the reply to OpRaw as the store's client gives it.
	Raw any
	// End is the reading of Clock at the end, or 0 where nothing measured time. After hooks see one taken before the
	// first of them.
	End int64

	stored *Entry // what a write of one key left there, if that is known
}

// At returns the i-th key's item: Item itself for a single command.
func (r *Result) At(cmd *Command, i int) *Item {
	if cmd.Op.Many() {
		return &r.Items[i]
	}
	return &r.Item
}
