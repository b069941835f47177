package hostabi

// HostFunction is a function that guests may import from ImportModule.
type HostFunction struct {
	Name      string
	Signature Signature
	// Needs is the capability that the manifest must list, "" for none.
	Needs string
}

// Names of the host functions. Numbers named a length are of bytes; a region outside the guest's memory fails the guest.
const (
	HostLog        = "log"         // (level i32, text i32, length i32): writes to the host's log, a limited number of lines
	HostLogEnabled = "log_enabled" // (level i32) -> i32: 1 if log would write at that level, else 0
	HostNow        = "now_ns"      // () -> i64: unix nanoseconds
	HostMono       = "mono_ns"     // () -> i64: nanoseconds by a clock that never goes back
	HostRandom     = "random"      // (address i32, length i32): fills up to MaxRandom bytes
	HostHash       = "hash64"      // (address i32, length i32) -> i64: XXH64 with seed 0

	HostValueRead  = "value_read"  // (offset i32, address i32, length i32) -> i32: copies up to length bytes of the call's value, from offset on; how many there were to copy
	HostValueWrite = "value_write" // (address i32, length i32) -> i32: 1 if these bytes, copied, are the call's value from here on, 0 where it has none

	HostKVGet    = "kv_get"    // (key i32, key_length i32, address i32, room i32) -> i64: copies up to room bytes of the value; its whole length, or KVAbsent
	HostKVSet    = "kv_set"    // (key i32, key_length i32, value i32, value_length i32, ttl_ms i64) -> i32: KVOK or KVFull
	HostKVCAS    = "kv_cas"    // (key i32, key_length i32, old i32, old_length i32, new i32, new_length i32, ttl_ms i64) -> i32: KVOK, KVFull, or KVDiffers; old_length KVNone expects no entry
	HostKVAdd    = "kv_add"    // (key i32, key_length i32, delta i64, ttl_ms i64) -> i64: the new number, or KVFailed; ttl_ms counts from the first addition
	HostKVDelete = "kv_delete" // (key i32, key_length i32) -> i32: KVOK or KVAbsent

	HostMetricDefine = "metric_define" // (kind i32, name i32, name_length i32) -> i32: the metric's number, the same for the same name, or -1 beyond MaxMetrics
	HostCounterAdd   = "counter_add"   // (metric i32, delta i64): delta is unsigned
	HostGaugeSet     = "gauge_set"     // (metric i32, value i64)
	HostHistRecord   = "hist_record"   // (metric i32, value i64): value is unsigned

	HostSpanAttr = "span_attr" // (key i32, key_length i32, value i32, value_length i32): an attribute of the command's span, if it is traced
)

// Levels of HostLog.
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

// Kinds of HostMetricDefine.
const (
	MetricCounter   = 0
	MetricGauge     = 1
	MetricHistogram = 2
)

// Bits of ec_init's features, which say what the host has granted besides clock, hash, log and rng.
const (
	FeatureValue   = 1 << 0
	FeatureKV      = 1 << 1
	FeatureMetrics = 1 << 2
	FeatureTrace   = 1 << 3
)

const (
	// MaxRandom is how many bytes HostRandom gives at once.
	MaxRandom = 4096
	// MaxLog is how much of a text HostLog takes; the rest is cut off.
	MaxLog = 4096
	// MaxKVKey is how long a key of capability "kv" may be.
	MaxKVKey = 1024
	// MaxKVValue is how long a value of capability "kv" may be.
	MaxKVValue = 64 << 10
	// MaxMetrics bounds the metrics of a plugin. Their names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit.
	MaxMetrics = 64
	// MaxSpanAttrs bounds the attributes of one call, whose keys are named as metrics are.
	MaxSpanAttrs = 16
	// MaxSpanValue is how much of an attribute's value is taken; the rest is cut off.
	MaxSpanValue = 256
)

// HostFunctions returns the functions of version 1.
func HostFunctions() []HostFunction {
	const key = I32 + I32 // every region is an address and a length
	return []HostFunction{
		{HostLog, Signature{Params: I32 + I32 + I32}, "log"},
		{HostLogEnabled, Signature{Params: I32, Results: I32}, "log"},
		{HostNow, Signature{Results: I64}, "clock"},
		{HostMono, Signature{Results: I64}, "clock"},
		{HostRandom, Signature{Params: I32 + I32}, "rng"},
		{HostHash, Signature{Params: I32 + I32, Results: I64}, ""},
		{HostValueRead, Signature{Params: I32 + I32 + I32, Results: I32}, "value"},
		{HostValueWrite, Signature{Params: I32 + I32, Results: I32}, "value"},
		{HostKVGet, Signature{Params: key + I32 + I32, Results: I64}, "kv"},
		{HostKVSet, Signature{Params: key + I32 + I32 + I64, Results: I32}, "kv"},
		{HostKVCAS, Signature{Params: key + I32 + I32 + I32 + I32 + I64, Results: I32}, "kv"},
		{HostKVAdd, Signature{Params: key + I64 + I64, Results: I64}, "kv"},
		{HostKVDelete, Signature{Params: key, Results: I32}, "kv"},
		{HostMetricDefine, Signature{Params: I32 + I32 + I32, Results: I32}, "metrics"},
		{HostCounterAdd, Signature{Params: I32 + I64}, "metrics"},
		{HostGaugeSet, Signature{Params: I32 + I64}, "metrics"},
		{HostHistRecord, Signature{Params: I32 + I64}, "metrics"},
		{HostSpanAttr, Signature{Params: key + I32 + I32}, "trace"},
	}
}

// ExportSignatures returns the types that the exports of a hook plugin must have.
func ExportSignatures() map[string]Signature {
	return map[string]Signature{
		ExportMarker:     {},
		ExportInitialize: {},
		ExportBuf:        {Params: I32, Results: I32},
		ExportInit:       {Params: I32 + I64, Results: I32},
		ExportBefore:     {Params: I32 + I32 + I32 + I64 + I32, Results: I64},
		ExportAfter:      {Params: I32 + I32 + I32 + I64 + I32, Results: I64},
		ExportEvents:     {Params: I32, Results: I32},
		ExportObserve:    {Params: I32},
		ExportStats:      {Results: I64},
		ExportIdle:       {},
	}
}
