// goguest is a guest in Go for tests: it puts keys in upper case, and panics for one.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o guest.wasm
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

var buf = make([]byte, 1024)

//go:wasmexport edgecache_abi_hook_1
func marker() {}

//go:wasmexport ec_buf
func ecBuf(size int32) uint32 {
	if int(size) > len(buf) {
		buf = make([]byte, size)
	}
	return uint32(uintptr(unsafe.Pointer(&buf[0])))
}

//go:wasmexport ec_before
func ecBefore(_, keyLen, _ int32, _ int64, _ int32) uint64 {
	key := buf[64 : 64+keyLen]
	if string(key) == "panic" {
		panic("as told")
	}
	if string(key) == "print" {
		fmt.Fprintln(os.Stderr, "printed by the guest")
		return 0
	}
	copy(key, bytes.ToUpper(key))
	return 1<<56 | 64<<32 | uint64(keyLen)
}

//go:wasmexport ec_idle
func ecIdle() { runtime.Gosched() }

func main() {}
