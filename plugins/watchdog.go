package plugins

import (
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"
)

const (
	// tick is how often the watchdog looks.
	tick = time.Millisecond
	// restAfter is how many ticks without a call to watch let it rest.
	restAfter = 100
)

// watchdog stops guests that are in a call for too long, by the wall clock: those that could be before they run out of
// fuel, or that spend their time in the host. It runs only while there are such calls.
type watchdog struct {
	now    atomic.Int64 // in ticks, counted while it runs
	asleep atomic.Bool
	rouse  chan struct{} // sent by who ends asleep
	stop   chan struct{}
	ended  chan struct{}

	mu     sync.Mutex
	timers map[*timer]bool // guarded by mu
}

// timer is the watchdog's view of an instance. start and end are called by who has the instance.
type timer struct {
	dog  *watchdog
	flag api.MutableGlobal // makes the guest trap at the end of its slice
	// deadline is when the call under way ends, 0 without one, or one of the states below.
	deadline atomic.Int64
}

const (
	stopping = -1 // the watchdog is about to raise the flag
	stopped  = -2 // and has
)

func newWatchdog() *watchdog {
	d := &watchdog{
		rouse: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}), timers: make(map[*timer]bool),
	}
	d.asleep.Store(true)
	go d.run()
	return d
}

// watch returns a timer for an instance, to be given back with forget.
func (d *watchdog) watch(flag api.MutableGlobal) *timer {
	t := &timer{dog: d, flag: flag}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timers[t] = true
	return t
}

func (d *watchdog) forget(t *timer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.timers, t)
}

// start gives a call so many ticks.
func (t *timer) start(ticks int64) {
	t.deadline.Store(t.dog.now.Load() + ticks + 1) // the tick under way may be over in no time
	if t.dog.asleep.Load() && t.dog.asleep.Swap(false) {
		t.dog.rouse <- struct{}{} // room for one, and nobody else sends
	}
}

// end ends the call and reports whether it was stopped.
func (t *timer) end() bool {
	for {
		switch d := t.deadline.Load(); {
		case d == stopping: // for no longer than it takes to raise the flag
			goruntime.Gosched()
		case d == stopped:
			t.flag.Set(0)
			t.deadline.Store(0)
			return true
		case t.deadline.CompareAndSwap(d, 0):
			return false
		}
	}
}

// expire stops the call under way if its time is up, and reports whether there is one.
func (t *timer) expire(now int64) bool {
	d := t.deadline.Load()
	if d > 0 && d <= now && t.deadline.CompareAndSwap(d, stopping) {
		t.flag.Set(1)
		t.deadline.Store(stopped)
	}
	return d != 0
}

func (d *watchdog) run() {
	defer close(d.ended)
	for {
		select {
		case <-d.rouse:
			if !d.look() {
				return
			}
		case <-d.stop:
			return
		}
	}
}

// look goes round until there has been nothing to see for a while, and reports whether to go on.
func (d *watchdog) look() bool {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for idle := 0; ; {
		select {
		case <-ticker.C:
		case <-d.stop:
			return false
		}
		idle++
		if d.round() {
			idle = 0
		}
		if idle < restAfter {
			continue
		}
		d.asleep.Store(true)
		if !d.round() || !d.asleep.Swap(false) { // a call that began meanwhile has seen that it sleeps, or is seen here
			return true
		}
		idle = 0
	}
}

// round looks at all calls and reports whether there are any.
func (d *watchdog) round() bool {
	now := d.now.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	busy := false
	for t := range d.timers {
		busy = t.expire(now) || busy
	}
	return busy
}

func (d *watchdog) close() {
	close(d.stop)
	<-d.ended
}
