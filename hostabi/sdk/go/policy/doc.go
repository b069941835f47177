// Package policy is what eviction policies in Go are written with: they are WebAssembly modules that decide what a full cache
// throws out. A policy sees numbers from 0 to Objects-1, never keys, so slices are all it needs. docs/ABI.md says what crosses
// the border; here it is Go.
//
//	// lru throws out what was not asked for the longest.
//	package main
//
//	import "github.com/edgecache/edgecache/hostabi/sdk/go/policy"
//
//	type lru struct{ queue policy.Lists }
//
//	func init() { policy.Register(new(lru)) }
//
//	func main() {} // does not run, but the linker wants it
//
//	func (p *lru) Init(s *policy.Spec) error {
//		p.queue = s.Lists(1)
//		return nil
//	}
//
//	func (p *lru) Hit(id uint32)       { p.queue.Touch(0, id) }
//	func (p *lru) Insert(id, _ uint32) { p.queue.Push(0, id) }
//	func (p *lru) Evict() uint32       { return p.queue.Pop(0) }
//	func (p *lru) Remove(id uint32)    { p.queue.Unlink(id) }
//
// A manifest says what the module is:
//
//	{"name": "lru", "version": "1.0.0", "abi": "policy/1"}
//
// and the Go that is there builds it:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags='-s -w' -trimpath -o lru.wasm .
//
// The package compiles for other systems, too, so that the parts of a policy can be tested there.
//
// What a policy needs it allocates in Init. There is nothing to wake one that blocks, and a panic ends it: its text goes to the
// host's log.
//
// A policy that remembers what it threw out exports a function besides, which says that an id, of an object that is not
// resident, will stand for another one, of which nothing is remembered:
//
//	//go:wasmexport ec_policy_forget
//	func forget(id uint32) { ... }
package policy
