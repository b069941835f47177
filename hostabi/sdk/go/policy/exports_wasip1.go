package policy

import (
	"runtime"
	"unsafe"
)

// maxText is how long the text may be that says why a cache is refused, without the 0 at its end.
const maxText = 1023

// callBuffer is what the host writes a spec to.
var callBuffer []byte

// frame has the addresses of the buffers, in the order of the ABI.
var frame struct {
	_                            [0]uint64
	ids, sizes, hits, victims, _ uint32
}

//go:wasmexport edgecache_abi_policy_1
func marker() {}

//go:wasmexport ec_buf
func ecBuf(size uint32) uint32 {
	if int(size) > len(callBuffer) {
		callBuffer = make([]byte, max(size, maxText+1))
	}
	return address(callBuffer)
}

//go:wasmexport ec_policy_init
func ecInit(specLen uint32) uint32 {
	if err := start(callBuffer[:specLen]); err != nil {
		text := err.Error()
		n := copy(callBuffer, text[:min(len(text), maxText)])
		callBuffer[n] = 0
		return 0
	}
	frame.ids, frame.sizes, frame.hits = address(here.ids), address(here.sizes), address(here.hits)
	frame.victims = address(here.victims)
	return uint32(uintptr(unsafe.Pointer(&frame)))
}

// address returns where a slice is. What the exports keep does not move.
func address[T any](s []T) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(s)))) }

//go:wasmexport ec_policy_batch
func ecBatch(n uint32) uint32 { return uint32(here.batch(int(n))) }

//go:wasmexport ec_policy_hit
func ecHit(id uint32) { here.policy.Hit(id) }

//go:wasmexport ec_policy_insert
func ecInsert(id, size uint32) { here.insert(id, size) }

//go:wasmexport ec_policy_evict
func ecEvict() uint32 { return here.evict() }

//go:wasmexport ec_policy_admit
func ecAdmit(id, size uint32) uint32 {
	if here.admit(id, size) {
		return 1
	}
	return 0
}

//go:wasmexport ec_policy_remove
func ecRemove(id uint32) { here.remove(id) }

// ecIdle lets the collector's goroutines run, which exports do not: without it an allocating policy runs out of memory.
//
//go:wasmexport ec_idle
func ecIdle() { runtime.Gosched() }
