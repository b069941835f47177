// Package edgecache is what plugins in Go are written with: they are WebAssembly modules that see every command of the
// cache before and after it, and may change it. docs/ABI.md says what crosses the border; here it is Go.
//
//	// shout puts keys in capitals.
//	package main
//
//	import (
//		"bytes"
//
//		edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
//	)
//
//	func init() { edgecache.Register(edgecache.Plugin{Before: before}) }
//
//	func main() {} // does not run, but the linker wants it
//
//	func before(c *edgecache.Call) edgecache.Action {
//		if bytes.HasPrefix(c.Key(), []byte("admin:")) {
//			return c.Deny("keys of admin: are not for you")
//		}
//		return c.ReplaceKey(bytes.ToUpper(c.Key()))
//	}
//
// A manifest, shout.wasm.json, says what the module is:
//
//	{"name": "shout", "version": "1.0.0", "abi": "hook/1", "hooks": ["before"], "ops": ["*"], "memory_pages": 128}
//
// and the Go that is there builds it:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -trimpath -o shout.wasm .
//
// The package compiles for other systems, too, so that plugins can be checked and their parts tested; only the host's
// functions panic there.
//
// # Memory
//
// What a function gets belongs to the SDK and is valid until it returns: copy what is to be kept. Its results must stay
// until then. [Call.Out] is room for a result, so that none has to be allocated; a hook that allocates anyway works, and
// costs about a microsecond a call, and once in a while some milliseconds for the collector.
//
// An instance has 40 pages of 64 KiB before it does anything. memory_pages should be 128, the heap is then some 5 MiB. A
// guest that wants more asks for more; beyond 256 an operator must grant it. The SDK sets GOGC to 50, which a plugin can
// change by debug.SetGCPercent. The collector works when the host gives the module time, every 1,024 calls.
//
// There is an instance for each processor or more, which come and go. What a plugin remembers, it remembers for one
// instance, unless the manifest says stateful, or it goes into the host's KV.
//
// # What does not work
//
// Hooks must not block: there is one thread, and nothing to wake it. Goroutines run when a hook waits for them, else only
// between calls; time.Sleep does not sleep, and there are no files, sockets, arguments or variables. The time is real
// only with the capability "clock". Standard output and error go to the host's log.
//
// # Panics
//
// A panic's text and stack go to the host's log, through standard error, which needs no capability. The call has then
// failed: the host goes by the manifest's failure policy, and makes a new instance in the place of this one, in about two
// milliseconds.
//
// # What packages cost
//
// Every import is loaded into every instance. A module without any has 1.9 MB, and loads in some 40 ms once the host has
// compiled and kept it:
//
//	strconv, strings, ReadConfig   + 0.1 MB
//	os, runtime/debug              + 0.4 MB
//	fmt                            + 0.7 MB
//	compress/flate                 + 0.9 MB
//	encoding/json                  + 1.4 MB, +15 ms
//
// # Capabilities
//
// A function of the host that the plugin calls is imported by the module, others are not. The manifest must list under
// needs the capability that the function's comment names, and an operator must grant value, kv, metrics and trace.
package edgecache
