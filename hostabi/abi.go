// Package hostabi is the contract between the cache and guests, version 1: names, numbers and layouts of everything that
// crosses the border of a guest's memory, and the code that writes and reads it. docs/ABI.md says the same for authors
// of guests. The package imports only the standard library, so that any host or toolchain can use it.
//
// All integers are little-endian. An offset in a doc comment is in bytes.
package hostabi

// Names that a module exports or imports.
const (
	// ImportModule is the only module, WASI aside, that a guest may import from. Its number is the ABI's version.
	ImportModule = "edgecache_1"
	// WASIModule is where guests built for wasip1 import from; a restricted set is served.
	WASIModule = "wasi_snapshot_preview1"
	// ManifestSection is the custom section that holds the manifest, if it is not in a file beside the module.
	ManifestSection = "edgecache.manifest"
	// ManifestSuffix is added to the module's file name for a manifest beside it.
	ManifestSuffix = ".json"

	ExportMarker     = "edgecache_abi_hook_1" // () -> (): never called; says which ABI the guest was built for
	ExportMemory     = "memory"
	ExportInitialize = "_initialize" // () -> (): called once after instantiation, if exported
	ExportBuf        = "ec_buf"      // (min_size i32) -> i32: address of the call buffer, at least min_size long
	ExportInit       = "ec_init"     // (config_len i32, features i64) -> i32: 0, or the length of an error text in the buffer at BufKey
	ExportBefore     = "ec_before"   // (op i32, key_len i32, value_len i32, ttl_ms i64, flags i32) -> i64: an action
	ExportAfter      = "ec_after"    // (op i32, key_len i32, result i32, elapsed_ns i64, value_len i32) -> i64: an action
	ExportEvents     = "ec_events"   // (capacity i32) -> i32: address of a buffer for capacity events, 8-aligned; called once
	ExportObserve    = "ec_observe"  // (n i32) -> (): n events are in the buffer
	ExportStats      = "ec_stats"    // () -> i64: address<<32 | rows of the statistics block
	ExportIdle       = "ec_idle"     // () -> (): off the hot path, between batches
)

// The call buffer that ec_buf returns: a header, then the key, then the namespace's path.
const (
	BufCookie       = 0  // u64: in ec_before written by the guest (with ActionCookie), in ec_after what it wrote, else 0
	BufNamespaceLen = 8  // u32: length of the namespace's path, which follows the key; 0 is the root
	BufNamespaceID  = 12 // u32: number of the namespace, stable while the process lives
	BufBatchIndex   = 16 // u32: which key of a command on many this is
	BufBatchLen     = 20 // u32: how many keys the command has
	BufKey          = 64 // the key's bytes
	// MinBuf is the smallest buffer that the host asks ec_buf for.
	MinBuf = 1024
)

// TTL values that are no milliseconds, in ec_before's ttl_ms and in FieldTTL.
const (
	TTLDefault = 0
	TTLNone    = -1
	TTLKeep    = -2
)

// Flags of ec_before.
const (
	// CallBatch is set where the command is on many keys: the guest is called for each.
	CallBatch = 1 << 0
)

// An action is what ec_before and ec_after return: 0 goes on unchanged; else
//
//	action<<56 | cookie<<55 | offset<<32 | length
//
// where offset (23 bits) is relative to the call buffer, and the bytes there belong to the guest: the host copies them
// at once. Cookie says that the guest wrote the header's cookie; it may stand alone.
const (
	ActionNone    = 0 // go on
	ActionKey     = 1 // before: the bytes are the new key
	ActionRespond = 2 // before: the bytes are the value, the tiers are not asked. After: the bytes replace the value read
	ActionDeny    = 3 // before: the command is refused and the bytes are the reason
	ActionMiss    = 4 // before: a read misses, a write is skipped
	ActionExt     = 5 // before: the bytes are a list of patches

	ActionShift  = 56
	ActionCookie = 1 << 55
	OffsetShift  = 32
	OffsetMask   = 1<<23 - 1
	LengthMask   = 1<<32 - 1
)

// A patch of ActionExt is a u8 field, a u32 length and that many bytes.
const (
	FieldKey       = 1 // the new key
	FieldTTL       = 2 // i64 milliseconds or a TTL constant
	FieldValue     = 3 // the new value of a write
	FieldNamespace = 4 // the path of the namespace to move to
	PatchHeader    = 5 // bytes before a patch's payload
)

// An event, 32 bytes.
const (
	EventKeyHash   = 0  // u64: 0 unless the manifest needs "hash"
	EventTime      = 8  // u64: unix nanoseconds at the end of the command; 0 unless the manifest needs "clock"
	EventElapsed   = 16 // u32: nanoseconds the command took; 0 unless the manifest needs "clock"
	EventValueSize = 20 // u32: length of the value read or written
	EventTTL       = 24 // u32: seconds a write asked for, rounded up; 0 default, 0xffffffff none or kept
	EventNamespace = 28 // u16: number of the namespace
	EventOp        = 30 // u8: Op, with EventContinued for every key of a command but the first
	EventResult    = 31 // u8: Outcome in bits 0-3, the tier that answered (1 is the nearest, 0 none) in bits 4-7
	EventSize      = 32

	EventContinued = 0x80
	OutcomeMask    = 0x0f
	TierShift      = 4
	// EventBatch is how many events the host hands over at most, and what it asks ec_events for.
	EventBatch = 256
)

// The statistics block of ec_stats: rows of u64 slots. The first slot of a row is its label, the others are the columns
// of the manifest's "stats" in their order, a histogram taking HistogramSlots.
const (
	LabelOp        = 0 // bits 0-7 of the label: the Op, 0 is all of them
	LabelNamespace = 8 // bits 8-23 of the label: the namespace's number, or a Namespace constant
	NamespaceAll   = 0xffff
	NamespaceOther = 0xfffe // those that had no row left
	// HistogramSlots is how many slots a log2 histogram takes: slot i counts values v with bit length i, the last also
	// all above. So slot 0 counts zeros, slot i (from 1) values in [2^(i-1), 2^i).
	HistogramSlots = 40
	// MaxStatRows is how many rows a guest may report.
	MaxStatRows = 4096
)

// The operations.
const (
	OpGet            = 1
	OpGetMany        = 2
	OpSet            = 3
	OpSetMany        = 4
	OpAdd            = 5
	OpReplace        = 6
	OpCompareAndSwap = 7
	OpAppend         = 8
	OpPrepend        = 9
	OpIncrement      = 10
	OpDecrement      = 11
	OpExists         = 12
	OpTTL            = 13
	OpExpire         = 14
	OpDelete         = 15
	OpDeleteMany     = 16
	OpClear          = 17
	OpKeys           = 18
	OpRaw            = 19
	OpCount          = 20
)

// The outcomes, in events and in ec_after's result (there also with the tier above them).
const (
	OutcomeNone      = 0
	OutcomeHit       = 1
	OutcomeMiss      = 2
	OutcomeStored    = 3
	OutcomeNotStored = 4
	OutcomeBypass    = 5
	OutcomeDenied    = 6
	OutcomeError     = 7
)
