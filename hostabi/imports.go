package hostabi

// HostFunction is a function that guests may import from ImportModule.
type HostFunction struct {
	Name      string
	Signature Signature
	// Needs is the capability that the manifest must list, "" for none.
	Needs string
}

// Names of the host functions that every host of version 1 has.
const (
	HostLog        = "log"         // (level i32, text i32, length i32): writes to the host's log, a limited number of lines
	HostLogEnabled = "log_enabled" // (level i32) -> i32: 1 if log would write at that level, else 0
	HostNow        = "now_ns"      // () -> i64: unix nanoseconds
	HostMono       = "mono_ns"     // () -> i64: nanoseconds by a clock that never goes back
	HostRandom     = "random"      // (address i32, length i32): fills up to MaxRandom bytes
	HostHash       = "hash64"      // (address i32, length i32) -> i64: XXH64 with seed 0
)

// Levels of HostLog.
const (
	LogDebug = 0
	LogInfo  = 1
	LogWarn  = 2
	LogError = 3
)

const (
	// MaxRandom is how many bytes HostRandom gives at once.
	MaxRandom = 4096
	// MaxLog is how much of a text HostLog takes; the rest is cut off.
	MaxLog = 4096
)

// HostFunctions returns the functions of version 1.
func HostFunctions() []HostFunction {
	region := Signature{Params: I32 + I32}
	return []HostFunction{
		{HostLog, Signature{Params: I32 + I32 + I32}, "log"},
		{HostLogEnabled, Signature{Params: I32, Results: I32}, "log"},
		{HostNow, Signature{Results: I64}, "clock"},
		{HostMono, Signature{Results: I64}, "clock"},
		{HostRandom, region, "rng"},
		{HostHash, Signature{Params: I32 + I32, Results: I64}, ""},
	}
}

// ReservedFunctions returns the names in ImportModule that version 1 keeps for capabilities which a host need not offer,
// each with its capability.
func ReservedFunctions() map[string]string {
	return map[string]string{
		"value_read": "value", "value_write": "value",
		"kv_get": "kv", "kv_set": "kv", "kv_cas": "kv", "kv_add": "kv",
		"metric_define": "metrics", "counter_add": "metrics", "gauge_set": "metrics", "hist_record": "metrics",
		"span_attr": "trace",
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
