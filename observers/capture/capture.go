// Package capture is an observer that records what a cache is asked for as a trace. Of keys a trace tells only which are the
// same.
package capture

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Options configures Start.
type Options struct {
	// Name is unique among the observers of a cache. A plugin's has no blanks.
	Name string
	// Output receives the trace: oracleGeneral, compressed with zstd. It is written by one goroutine, which closes it in the
	// end. Its errors end the capture and nothing else.
	Output io.WriteCloser
	// Writes takes writes for requests, too. Otherwise they only tell sizes: simulators have an object come in when it is
	// missed, so that the write that follows a miss would count as a hit.
	Writes bool
	// Joinable keeps the hashes of keys as events have them, so that captures of caches with the same core.Options.KeyHash
	// have the same keys. Otherwise they are hashed once more with a secret that nobody ever learns.
	Joinable bool
	// MaxBytes bounds the output. The capture is complete when it is reached. 0 is no bound.
	MaxBytes int64
	// For is how long the capture lasts. 0 is until it is stopped.
	For time.Duration
	// FrameTime is what a capture that breaks off loses at most. 0 is 5 s.
	FrameTime time.Duration
	// Ended is called when the output is closed, by the capture's goroutine. nil is nobody.
	Ended func(Stats)
}

// State is what has become of a capture.
type State int

// The states.
const (
	Running  State = iota
	Complete       // stopped, or at one of its limits
	Failed         // its output can't be written; what was written before can be read
)

func (s State) String() string { return [...]string{"running", "complete", "failed"}[s] }

// Stats are the figures of a capture.
type Stats struct {
	// Requests have been compressed, Bytes written.
	Requests, Bytes int64
	// Dropped events came while the output was slower than the traffic for too long: requests, and writes that tell sizes.
	Dropped int64
	State   State
	// Err is why it is Failed.
	Err error
}

const (
	blockEvents = 4096                   // events that go to the goroutine at once
	mostBlocks  = 64                     // 8 MiB
	blockAge    = 100 * time.Millisecond // how long an event waits for its block to fill, at most
)

// block is events on their way to the goroutine.
type block struct {
	n      int
	events [blockEvents]core.Event
}

// Capture is a capture under way. Commands leave their events in blocks, which a goroutine makes a trace of; where it does
// not keep up, events are dropped and counted.
type Capture struct {
	o       Options
	detach  func()
	stop    func()
	stopped chan struct{} // closed by stop
	done    chan struct{}

	mu   sync.Mutex
	cur  *block // being filled, or nil; guarded by mu
	made int    // blocks that there are; guarded by mu
	full chan *block
	free chan *block

	requests, bytes, dropped atomic.Int64
	end                      atomic.Pointer[Stats] // nil while it runs
}

var _ core.Observer = (*Capture)(nil)

// Start captures what c, whatever its namespace, is asked for from here on, until Stop, a limit or an error.
func Start(c *core.Cache, o Options) (*Capture, error) {
	k := &Capture{
		o: o, stopped: make(chan struct{}), done: make(chan struct{}),
		full: make(chan *block, mostBlocks), free: make(chan *block, mostBlocks),
	}
	k.stop = sync.OnceFunc(func() { close(k.stopped) })
	w, err := newWriter(&o)
	if err != nil {
		return nil, err
	}
	if k.detach, err = c.Watch(k); err != nil {
		return nil, err
	}
	go k.run(w)
	return k, nil
}

// Stop ends the capture and waits, within ctx, until its output is closed. It returns why it failed, if it did. It is
// idempotent.
func (k *Capture) Stop(ctx context.Context) error {
	k.stop()
	select {
	case <-k.done:
		return k.end.Load().Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Done is closed when the output is.
func (k *Capture) Done() <-chan struct{} { return k.done }

// Stats returns the figures as they are now.
func (k *Capture) Stats() Stats {
	if s := k.end.Load(); s != nil {
		return *s
	}
	return Stats{Requests: k.requests.Load(), Bytes: k.bytes.Load(), Dropped: k.dropped.Load()}
}

// Spec asks for reads, for the writes that tell a size, for the hashes of keys, and for the time, which is what order is made
// of.
func (k *Capture) Spec() core.ObserverSpec {
	ops := reads | sized
	if k.o.Writes {
		ops |= changes
	}
	return core.ObserverSpec{Name: k.o.Name, Ops: ops, Clock: true, KeyHash: true}
}

// Observe copies the events into blocks.
func (k *Capture) Observe(events []core.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(events) > 0 {
		b := k.room()
		if b == nil {
			k.dropped.Add(int64(len(events)))
			return
		}
		n := copy(b.events[b.n:], events)
		b.n += n
		events = events[n:]
		if b.n == blockEvents {
			k.pass()
		}
	}
}

// room returns the block that is being filled, or nil if the goroutine has all of them. mu is held.
func (k *Capture) room() *block {
	if k.cur != nil {
		return k.cur
	}
	select {
	case k.cur = <-k.free:
	default:
		if k.made == mostBlocks {
			return nil
		}
		k.made++
		k.cur = new(block)
	}
	k.cur.n = 0
	return k.cur
}

// pass hands the block that is being filled to the goroutine. mu is held.
func (k *Capture) pass() {
	if k.cur != nil {
		k.full <- k.cur // there is room for all blocks
		k.cur = nil
	}
}

// run is the goroutine.
func (k *Capture) run(w *writer) {
	defer close(k.done)
	err := k.record(w)
	k.detach() // nothing comes from here on
	if err == nil {
		err = k.finish(w)
	}
	if err == nil || errors.Is(err, errFull) {
		err = w.out.endFrame()
	}
	err = errors.Join(err, k.o.Output.Close())
	end := Stats{Requests: w.requests, Bytes: w.out.Written(), Dropped: k.dropped.Load(), State: Complete, Err: err}
	if err != nil {
		end.State = Failed
	}
	k.end.Store(&end)
	if k.o.Ended != nil {
		k.o.Ended(end)
	}
}

// record writes what comes until the capture is stopped or its time is up.
func (k *Capture) record(w *writer) error {
	tick := time.NewTicker(blockAge)
	defer tick.Stop()
	var timeUp <-chan time.Time
	if k.o.For > 0 {
		timer := time.NewTimer(k.o.For)
		defer timer.Stop()
		timeUp = timer.C
	}
	for {
		var err error
		select {
		case b := <-k.full:
			err = k.write(w, b)
		case now := <-tick.C:
			k.mu.Lock()
			k.pass()
			k.mu.Unlock()
			err = w.tick(now)
		case <-timeUp:
			return nil
		case <-k.stopped:
			return nil
		}
		k.requests.Store(w.requests)
		k.bytes.Store(w.out.Written())
		if err != nil {
			return err
		}
	}
}

// write writes a block and gives it back.
func (k *Capture) write(w *writer, b *block) error {
	err := w.write(b.events[:b.n])
	k.free <- b
	return err
}

// finish writes what is left when nothing comes any more.
func (k *Capture) finish(w *writer) error {
	k.mu.Lock()
	k.pass()
	k.mu.Unlock()
	for len(k.full) > 0 {
		if err := k.write(w, <-k.full); err != nil {
			return err
		}
	}
	return w.finish()
}
