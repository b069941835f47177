package edgecache

// generated from hostabi by make docs: begin

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
	CallBatch = 1
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
	ActionShift   = 56
	ActionCookie  = 1 << 55
	OffsetShift   = 32
	OffsetMask    = 0x7fffff
	LengthMask    = 0xffffffff
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

// Levels of log.
const (
	LogDebug = 0
	LogInfo  = 1
	LogWarn  = 2
	LogError = 3
)

// What the functions of capability "kv" return beside lengths and numbers. Entries are the plugin's own: all its instances
// and versions see the same ones, and they end with it. A number of kv_add is an entry of 8 bytes. A time to live
// is in milliseconds, 0 or below is none.
const (
	KVOK      = 0
	KVAbsent  = -1       // there is no such entry
	KVFull    = -2       // the plugin's share is used up, or key or value are too long
	KVDiffers = -3       // the entry is not the expected one
	KVNone    = -1       // as a length: no entry is expected
	KVFailed  = -1 << 63 // of kv_add: the entry is no number, or KVFull
)

// Kinds of metric_define.
const (
	MetricCounter   = 0
	MetricGauge     = 1
	MetricHistogram = 2
)

// Bits of ec_init's features, which say what the host has granted besides clock, hash, log and rng.
const (
	FeatureValue   = 1
	FeatureKV      = 2
	FeatureMetrics = 4
	FeatureTrace   = 8
)

const (
	// MaxRandom is how many bytes random gives at once.
	MaxRandom = 4096
	// MaxLog is how much of a text log takes; the rest is cut off.
	MaxLog = 4096
	// MaxKVKey is how long a key of capability "kv" may be.
	MaxKVKey = 1024
	// MaxKVValue is how long a value of capability "kv" may be.
	MaxKVValue = 65536
	// MaxMetrics bounds the metrics of a plugin. Their names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit.
	MaxMetrics = 64
	// MaxSpanAttrs bounds the attributes of one call, whose keys are named as metrics are.
	MaxSpanAttrs = 16
	// MaxSpanValue is how much of an attribute's value is taken; the rest is cut off.
	MaxSpanValue = 256
)

// The spec of the cache that ec_policy_init finds at the beginning of the call buffer.
const (
	SpecCapacity  = 0  // u64: how much fits: objects, or bytes with SpecBytes
	SpecSeed      = 8  // u64: of what the policy chooses at random
	SpecObjects   = 16 // u32: ids go from 0 to one below
	SpecMost      = 20 // u32: how many objects can be resident at once
	SpecBatch     = 24 // u32: how many requests a call of ec_policy_batch has at most
	SpecFlags     = 28 // u32: SpecBytes, or 0
	SpecParamsLen = 32 // u32: length of the parameters
	SpecParams    = 36 // the parameters: a JSON object of strings
)

// Flags of SpecFlags.
const (
	// SpecBytes says that sizes count. Else every object counts 1.
	SpecBytes = 1
)

// The frame, whose address ec_policy_init returns: addresses of buffers that stay where they are.
const (
	FrameIDs      = 0  // u32: of SpecBatch u32, the objects that are asked for
	FrameSizes    = 4  // u32: of SpecBatch u32, their sizes; used with SpecBytes alone
	FrameHits     = 8  // u32: of a bit for each of SpecBatch requests, in u32 from the lowest bit on
	FrameVictims  = 12 // u32: of SpecMost+SpecBatch victims
	FrameReserved = 16 // u32: 0
	FrameSize     = 20
)

// A victim, 8 bytes.
const (
	VictimAt   = 0 // u32: index of the request that it makes room for, from 0
	VictimID   = 4 // u32: the object
	VictimSize = 8
)

// MaxPolicyText is how long the text may be that says why ec_policy_init refuses, the 0 at its end included.
const (
	MaxPolicyText = 1024
)

// generated from hostabi by make docs: end

// Op is an operation: one of the Op constants, or one that this SDK does not know yet.
type Op uint8

var opNames = [OpCount]string{
	"none", "get", "get_many", "set", "set_many", "add", "replace", "compare_and_swap", "append", "prepend",
	"increment", "decrement", "exists", "ttl", "expire", "delete", "delete_many", "clear", "keys", "raw",
}

// String returns the operation's name as it stands in manifests.
func (o Op) String() string {
	if o < OpCount {
		return opNames[o]
	}
	return "unknown"
}

// Outcome is how a command ended: one of the Outcome constants, or one that this SDK does not know yet.
type Outcome uint8

var outcomeNames = [...]string{
	OutcomeNone: "none", OutcomeHit: "hit", OutcomeMiss: "miss", OutcomeStored: "stored",
	OutcomeNotStored: "not_stored", OutcomeBypass: "bypass", OutcomeDenied: "denied", OutcomeError: "error",
}

// String returns the outcome's name as it stands in logs and metrics.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}
