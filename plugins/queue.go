package plugins

import (
	"sync"

	"github.com/edgecache/edgecache/hostabi"
)

// queueLength is how many batches wait for a plugin that may lose some.
const queueLength = 16

// queue keeps batches for a plugin whose manifest says lossy, so that commands need not wait for it: what does not fit is
// lost. One goroutine hands them over.
type queue struct {
	plugin *Plugin
	full   chan *queued
	free   chan *queued
	ended  chan struct{}

	mu     sync.RWMutex
	closed bool // guarded by mu: nothing is put any more
}

type queued struct {
	n      int
	events [hostabi.EventBatch * hostabi.EventSize]byte
}

func newQueue(p *Plugin) *queue {
	q := &queue{
		plugin: p, full: make(chan *queued, queueLength), free: make(chan *queued, queueLength), ended: make(chan struct{}),
	}
	for range queueLength {
		q.free <- new(queued)
	}
	go q.run()
	return q
}

// put copies a batch, if there is room for it.
func (q *queue) put(events []byte) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if !q.closed {
		select {
		case b := <-q.free:
			b.n = copy(b.events[:], events)
			q.full <- b // as long as free
			return
		default:
		}
	}
	q.plugin.lost.Add(uint64(len(events) / hostabi.EventSize))
}

func (q *queue) run() {
	defer close(q.ended)
	for b := range q.full {
		q.plugin.observe(b.events[:b.n])
		q.free <- b
	}
}

// close hands over what is left, and ends.
func (q *queue) close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.full)
	}
	q.mu.Unlock()
	<-q.ended
}
