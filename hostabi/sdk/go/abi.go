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

// The phases of an exchange, of ec_http.
const (
	HTTPPhaseRequest  = 1 // ahead of everything
	HTTPPhaseKey      = 2 // makes the key
	HTTPPhaseLookup   = 3 // a stored response was found
	HTTPPhaseResponse = 4 // the origin's header has come
	HTTPPhaseAdmit    = 5 // a response is about to take room
	HTTPPhaseDeliver  = 6 // ahead of the header that the client gets
	HTTPPhaseCount    = 7
)

// The frame that ec_http finds at the beginning of the call buffer. A string is a u32 offset from the beginning of the frame
// and, 4 bytes on, a u32 length. What a phase has no part in is 0.
const (
	HTTPFrameLength        = 0   // u32: of the whole frame
	HTTPFramePhase         = 4   // u8: as the parameter
	HTTPFrameMethodNumber  = 5   // u8: an HTTPMethod
	HTTPFrameScheme        = 6   // u8: 0 http, 1 https
	HTTPFrameFlags         = 7   // u8: sum of HTTPFlag
	HTTPFrameStatus        = 8   // u16: of the response
	HTTPFrameOutcome       = 10  // u8: in deliver an HTTPOutcome
	HTTPFrameFamily        = 11  // u8: 4 or 6, of the client's address; 0 if that is not known
	HTTPFrameReserved      = 12  // u32
	HTTPFrameMethod        = 16  // string
	HTTPFrameHost          = 24  // string: in lower case, as it goes into keys
	HTTPFrameTarget        = 32  // string: path and query; in key as the plugins ahead left it
	HTTPFrameRequestLines  = 40  // u32 offset of the request's lines, and their number in a u32
	HTTPFrameResponseLines = 48  // u32 offset of the response's lines, and their number in a u32
	HTTPFrameClient        = 56  // 16 bytes: the client's address, of IPv4 the first 4
	HTTPFrameAge           = 72  // i64: milliseconds that the stored response is old
	HTTPFrameTTL           = 80  // i64: milliseconds that the response is fresh from now on; a stored one that is stale, below 0
	HTTPFrameSWR           = 88  // i64: milliseconds behind that in which it may be used while it is validated
	HTTPFrameSIE           = 96  // i64: milliseconds behind that in which it may be used if the origin fails
	HTTPFrameBody          = 104 // i64: length of the body, -1 if it is not known
	HTTPFrameKeyHash       = 112 // u64: in admit
	HTTPFrameFrequency     = 120 // u32: in admit about how often the key was asked for lately, 0 if that is not known
	HTTPFrameStrings       = 128 // lines, then strings
)

// A line of a header, 12 bytes: those of the fields that the manifest names, in its order, each as often as it is there.
const (
	HTTPLineName   = 0 // u16: index in the manifest's "headers" or "response_headers"
	HTTPLineOffset = 4 // u32: where the value is, from the beginning of the frame
	HTTPLineLength = 8 // u32
	HTTPLineSize   = 12
)

// Bits of HTTPFrameFlags.
const (
	HTTPFlagBarred = 1 // in response: no-store, private or Authorization forbid to keep it
	HTTPFlagStore  = 2 // in response: it is kept, unless a verdict says otherwise
)

// Methods.
const (
	HTTPMethodOther   = 0
	HTTPMethodGet     = 1
	HTTPMethodHead    = 2
	HTTPMethodPost    = 3
	HTTPMethodPut     = 4
	HTTPMethodDelete  = 5
	HTTPMethodPatch   = 6
	HTTPMethodOptions = 7
	HTTPMethodCount   = 8
)

// Where an answer comes from.
const (
	HTTPOutcomeNone        = 0
	HTTPOutcomeHit         = 1 // stored and fresh
	HTTPOutcomeStale       = 2 // stored and stale
	HTTPOutcomeRevalidated = 3 // stored, and validated for this request
	HTTPOutcomeMiss        = 4 // the origin's
	HTTPOutcomeCollapsed   = 5 // the origin's, fetched for another request
	HTTPOutcomeBypass      = 6 // the origin's, by the cache
	HTTPOutcomeHook        = 7 // a plugin's
	HTTPOutcomeError       = 8 // the cache's own
	HTTPOutcomeCount       = 9
)

// A verdict is a list of patches: a u8 field, a u32 length and that many bytes, without gaps. An edit's bytes are a u16 length
// of the name, the name and the value.
const (
	HTTPFieldAction   = 1  // request: u8 HTTPAction, u8 0, u16 status
	HTTPFieldLocation = 2  // request: where redirect goes
	HTTPFieldBody     = 3  // request: of deny and synth
	HTTPFieldSet      = 4  // request, response, deliver: edit, one line in the place of all of that name
	HTTPFieldAdd      = 5  // request, response, deliver: edit, one more line
	HTTPFieldRemove   = 6  // request, response, deliver: the name of a field that goes
	HTTPFieldTarget   = 7  // key: path and query in the place of the request's
	HTTPFieldHide     = 8  // key: no bytes: the origin gets the request's own target
	HTTPFieldExtra    = 9  // key: bytes that are added to the key
	HTTPFieldVary     = 10 // key: edit, a value in the place of the request's where Vary names the field
	HTTPFieldLookup   = 11 // lookup: u8 HTTPLookup
	HTTPFieldStore    = 12 // response: u8, 1 keeps it and 0 does not
	HTTPFieldTTL      = 13 // response: i64 milliseconds
	HTTPFieldSWR      = 14 // response: i64 milliseconds
	HTTPFieldSIE      = 15 // response: i64 milliseconds
	HTTPFieldTag      = 16 // response: a tag, for purging
	HTTPFieldRefuse   = 17 // admit: no bytes: it is not kept
	HTTPFieldCount    = 18
)

// What a request comes to.
const (
	HTTPActionPass     = 0
	HTTPActionBypass   = 1 // goes on to the origin by the cache
	HTTPActionDeny     = 2 // is answered with a status from 400 to 599 and a body
	HTTPActionRedirect = 3 // is answered with a status 301, 302, 303, 307 or 308 and a location
	HTTPActionSynth    = 4 // is answered with a status from 200 to 599, a header and a body
	HTTPActionCount    = 5
)

// What a stored response is used for.
const (
	HTTPLookupUse        = 0 // as HTTP has it
	HTTPLookupRevalidate = 1 // it is validated, even if it is fresh
	HTTPLookupMiss       = 2 // another one is fetched
	HTTPLookupCount      = 3
)

// An event of HTTP, 32 bytes, of ec_observe.
const (
	HTTPEventKeyHash = 0  // u64: tells keys apart while the process lives
	HTTPEventTime    = 8  // u64: unix nanoseconds at the end of the exchange
	HTTPEventElapsed = 16 // u32: microseconds that it took
	HTTPEventSize    = 20 // u32: bytes of body that the client got
	HTTPEventAge     = 24 // u32: seconds that the stored response was old
	HTTPEventStatus  = 28 // u16
	HTTPEventMethod  = 30 // u8: an HTTPMethod
	HTTPEventOutcome = 31 // u8: an HTTPOutcome
)

// Limits of frames and verdicts, in bytes, or how many.
const (
	MaxHTTPFrame   = 65536   // a longer one is not shown to the guest
	MaxHTTPVerdict = 1 << 17 // as a whole
	MaxHTTPBody    = 65536
	MaxHTTPTarget  = 32768
	MaxHTTPExtra   = 1024
	MaxHTTPEdits   = 64
	MaxHTTPVary    = 16
	MaxHTTPTags    = 64
	MaxHTTPTag     = 256
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
