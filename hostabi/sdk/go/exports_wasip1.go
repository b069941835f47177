package edgecache

import (
	"runtime"
	"unsafe"
)

//go:wasmexport edgecache_abi_hook_1
func marker() {}

//go:wasmexport ec_buf
func ecBuf(size uint32) int32 {
	if !here.call.reserve(int(size)) {
		return 0
	}
	return int32(address(here.call.buf))
}

//go:wasmexport ec_init
func ecInit(configLen int32, features int64) int32 {
	defer contain()
	return here.init(configLen, uint64(features))
}

//go:wasmexport ec_before
func ecBefore(op, keyLen, valueLen int32, ttl int64, flags int32) int64 {
	defer contain()
	return int64(here.before(op, keyLen, valueLen, ttl, flags))
}

//go:wasmexport ec_after
func ecAfter(op, keyLen, result int32, elapsed int64, valueLen int32) int64 {
	defer contain()
	return int64(here.after(op, keyLen, result, elapsed, valueLen))
}

//go:wasmexport edgecache_abi_http_1
func markerHTTP() {}

//go:wasmexport ec_http
func ecHTTP(phase, frameLen int32) int64 {
	defer contain()
	b := here.http(frameLen)
	if len(b) == 0 {
		return 0
	}
	return int64(address(b))<<32 | int64(len(b))
}

//go:wasmexport ec_events
func ecEvents(capacity int32) int32 {
	if capacity > EventBatch {
		return 0
	}
	return int32(uintptr(unsafe.Pointer(&here.events)))
}

//go:wasmexport ec_observe
func ecObserve(n int32) {
	defer contain()
	here.observe(n)
}

//go:wasmexport ec_stats
func ecStats() int64 {
	defer contain()
	r := here.stats()
	return int64(uintptr(unsafe.Pointer(unsafe.SliceData(r.slots))))<<32 | int64(r.count())
}

// ecIdle lets the collector's goroutines run, which exports do not: without it an allocating plugin runs out of memory.
//
//go:wasmexport ec_idle
func ecIdle() {
	defer contain()
	here.plugin.Idle()
	runtime.Gosched()
}

// contain is deferred by the exports. It writes a panic's text and stack to standard error, in one piece, which the host's
// log gets and which takes no capability; then it traps, since Go can go on after that but the plugin's own state may be
// half changed. The host gives the instance up and makes another one.
func contain() {
	r := recover()
	if r == nil {
		return
	}
	print(panicText(r))
	trap()
}

// trap is the instruction "unreachable".
func trap()
