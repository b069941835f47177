package core

import (
	"context"
	"sync/atomic"
)

// Hook runs inside commands and may change them. It must be safe for concurrent use.
//
// For every command whose Op is in Spec().Before, Before is called ahead of the tiers, hooks in the order they were
// given. It may change the command (key, value, TTL, namespace), and it may settle it: setting res.Outcome (or that of
// some of res.Items where Op.Many) answers for that key in the tiers' place. Returning an error refuses the whole
// command. Once every key is settled or the command refused, the later hooks and the tiers are left out.
//
// After is called, if Spec().After has the Op, in reverse order for exactly the hooks that the command had reached, the
// one that settled or refused it included, and also when the command failed. It may change the result. The error it
// returns becomes the command's, unless there is one already.
//
// Neither may keep cmd, res or anything they point to: they are reused.
type Hook interface {
	Spec() HookSpec
	Before(ctx context.Context, cmd *Command, res *Result) error
	After(ctx context.Context, cmd *Command, res *Result) error
}

// HookSpec says which commands a hook wants. The cache reads it once, when the hook is put in place.
type HookSpec struct {
	// Name is unique among the hooks of a cache and stands in errors, spans and metrics.
	Name string
	// Before and After are the operations for which those methods are called.
	Before, After OpMask
}

// Observer is told about commands afterwards, in batches. It changes nothing, so it costs a command one event appended
// to a buffer.
type Observer interface {
	Spec() ObserverSpec
	// Observe receives the events of commands that have ended, oldest first as far as one goroutine's commands go. It
	// is called by one goroutine at a time. events is only valid during the call. A panic is the process's.
	Observe(events []Event)
}

// ObserverSpec says what an observer wants to be told. The cache reads it once, when the observer is put in place.
type ObserverSpec struct {
	// Name is unique among the observers of a cache.
	Name string
	// Ops are the operations it is told about.
	Ops OpMask
	// Clock asks for Event.Time and Event.Elapsed, which costs every such command a reading of the clock at each end.
	Clock bool
	// KeyHash asks for Event.KeyHash.
	KeyHash bool
	// Sample is for Options.Sampler alone: it is told only of keys whose hash has a zero wherever the mask has a one, so that
	// 1<<k - 1 is one key in 1<<k, and a larger mask leaves some of these. The observer may change it at any time. Its events
	// have a KeyHash of their own, with which they were chosen, a Size that counts the key as stored, too, and neither Time
	// nor Elapsed, whatever Clock and KeyHash say.
	Sample *atomic.Uint64
}

// Event is what observers are told: one for each key of a command. Its layout, little-endian, is that of the guest ABI
// (hostabi.EventSize), so a batch is handed to a guest by copying.
type Event struct {
	// KeyHash is a 64-bit hash of namespace and key (Options.KeyHash), else stable within a process. 0 unless asked for.
	KeyHash uint64
	// Time is when the command ended, in unix nanoseconds. 0 unless the clock was asked for.
	Time uint64
	// Elapsed is how long the command took, in nanoseconds, at most about 4 s. 0 unless the clock was asked for.
	Elapsed uint32
	// Size is the value's length, read or written.
	Size uint32
	// TTL is what a write asked for in seconds, rounded up: 0 default, MaxUint32 none or kept.
	TTL uint32
	// Namespace is the namespace's number; Cache.NamespacePath names it.
	Namespace uint16
	// Op is the operation; EventContinued is added for every key of a command but the first.
	Op uint8
	// Result is the Outcome in the low four bits and the tier that answered, from 1, in the high four.
	Result uint8
}

// EventContinued marks, in Event.Op, a further key of the command that the event before it belongs to.
const EventContinued = 0x80
