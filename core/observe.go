package core

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchSize = 256                   // events in a batch; hostabi.EventBatch
	batchAge  = 10 * time.Millisecond // how long an event waits for its batch to fill, at most
)

// batch is events on their way to the observers.
type batch struct {
	n      int
	events [batchSize]Event
}

// ring collects the events of all commands in striped buffers. The command that fills one hands it to the observers, or
// leaves it in a queue for whoever is doing so already; a goroutine sees to buffers that do not fill. So nothing is lost,
// nothing grows, and an event is read where it was written: on another processor the caches alone would cost more than
// what the observers do with it.
//
// Lock order: deliver, ringShard.mu; the other way round only by TryLock.
type ring struct {
	shards []ringShard
	shift  uint
	full   chan *batch   // filled while deliver was held; received from under deliver
	free   chan *batch   // empty ones
	aging  atomic.Bool   // the goroutine's timer runs, or is being woken to run
	wake   chan struct{} // sent by who set aging
	stop   chan struct{}
	ended  chan struct{}

	deliver   sync.Mutex      // held while observers are called
	observers []boundObserver // guarded by deliver
	filtered  []Event         // guarded by deliver: what an observer gets that does not want all
}

type ringShard struct {
	mu  sync.Mutex
	cur *batch // never nil
	_   [48]byte
}

// boundObserver is an observer with its spec, read once.
type boundObserver struct {
	observer Observer
	spec     ObserverSpec
}

func newRing(c *counters) *ring {
	n := len(c.stripes)
	r := &ring{
		shards: make([]ringShard, n), shift: c.shift,
		full: make(chan *batch, n), free: make(chan *batch, 2*n),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	for i := range r.shards {
		r.shards[i].cur = new(batch)
	}
	go r.run()
	return r
}

// put appends an event to the caller's buffer.
func (r *ring) put(ev *Event) {
	s := &r.shards[stackHash()>>r.shift]
	s.mu.Lock()
	for s.cur.n == batchSize { // the queue was full, too, when it filled
		s.mu.Unlock()
		r.help(s)
		s.mu.Lock()
	}
	b := s.cur
	b.events[b.n] = *ev
	b.n++
	if b.n == 1 || b.n == batchSize {
		r.turn(s, b)
		return
	}
	s.mu.Unlock()
}

// turn delivers a buffer that is full, or queues it, or wakes the goroutine for one that has begun. It unlocks s.
func (r *ring) turn(s *ringShard, b *batch) {
	switch {
	case b.n == 1:
		s.mu.Unlock()
		if !r.aging.Load() && !r.aging.Swap(true) {
			r.wake <- struct{}{} // room for one, and nobody else sends
		}
	case r.deliver.TryLock():
		s.cur = r.empty()
		s.mu.Unlock()
		r.deliverFull()
		r.deliverBatch(b)
		r.deliver.Unlock()
	default:
		select {
		case r.full <- b:
			s.cur = r.empty()
			s.mu.Unlock()
		default:
			s.mu.Unlock()
			r.help(s)
		}
	}
}

// help waits for its turn and delivers what is queued, and the shard's buffer if that is full.
func (r *ring) help(s *ringShard) {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	r.deliverFull()
	r.takeShard(s, batchSize)
}

// takeShard delivers the shard's buffer if it holds at least least events. deliver is held.
func (r *ring) takeShard(s *ringShard, least int) {
	s.mu.Lock()
	b := s.cur
	if b.n < least {
		s.mu.Unlock()
		return
	}
	s.cur = r.empty()
	s.mu.Unlock()
	r.deliverFull() // what this shard handed over before
	r.deliverBatch(b)
}

func (r *ring) empty() *batch {
	select {
	case b := <-r.free:
		return b
	default:
		return new(batch)
	}
}

// run delivers buffers that have begun within batchAge. It sleeps while nothing happens.
func (r *ring) run() {
	defer close(r.ended)
	age := time.NewTimer(batchAge) // nothing is there yet, so it only clears aging
	defer age.Stop()
	for {
		select {
		case <-r.wake:
			age.Reset(batchAge)
		case <-age.C:
			r.aging.Store(false) // what begins from here on wakes again
			r.flush()
		case <-r.stop:
			return
		}
	}
}

// flush delivers every event put before it was called.
func (r *ring) flush() {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	r.flushLocked()
}

func (r *ring) flushLocked() {
	r.deliverFull()
	for i := range r.shards {
		r.takeShard(&r.shards[i], 1)
	}
}

// deliverFull delivers what was handed over. deliver is held.
func (r *ring) deliverFull() {
	for {
		select {
		case b := <-r.full:
			r.deliverBatch(b)
		default:
			return
		}
	}
}

// deliverBatch tells every observer what it asked for, and frees the batch. deliver is held.
func (r *ring) deliverBatch(b *batch) {
	events := b.events[:b.n]
	for i := range r.observers {
		o := &r.observers[i]
		wanted := r.wanted(o.spec.Ops, events)
		if len(wanted) > 0 {
			o.observer.Observe(wanted)
		}
	}
	b.n = 0
	select {
	case r.free <- b:
	default:
	}
}

// wanted returns the events of ops, without copying if that is all of them.
func (r *ring) wanted(ops OpMask, events []Event) []Event {
	skip := 0
	for skip < len(events) && ops.Has(eventOp(&events[skip])) {
		skip++
	}
	if skip == len(events) {
		return events
	}
	r.filtered = append(r.filtered[:0], events[:skip]...)
	for i := skip; i < len(events); i++ {
		if ops.Has(eventOp(&events[i])) {
			r.filtered = append(r.filtered, events[i])
		}
	}
	return r.filtered
}

func eventOp(ev *Event) Op { return Op(ev.Op &^ EventContinued) }

// replace delivers what is pending to the old observers and puts new ones in their place.
func (r *ring) replace(observers []boundObserver) {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	r.flushLocked()
	r.observers = observers
}

// close ends the goroutine and delivers what is left.
func (r *ring) close() {
	close(r.stop)
	<-r.ended
	r.flush()
}
