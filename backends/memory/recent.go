package memory

import (
	"runtime"
	"sync"
	"unsafe"
)

// recent are the nodes that were hit since the policy was told last, noted in stripes, so that goroutines seldom meet.
type recent struct {
	stripes []stripe
	shift   uint
}

// stripe is one goroutine's share, more or less.
type stripe struct {
	mu    sync.Mutex
	n     int
	nodes [stripeSize]*node
	_     [48]byte
}

const stripeSize = 64

func newRecent() *recent {
	n, bits := 2, uint(1)
	for n < 2*runtime.GOMAXPROCS(0) && n < 256 {
		n, bits = n*2, bits+1
	}
	return &recent{stripes: make([]stripe, n), shift: 64 - bits}
}

// local returns the calling goroutine's stripe, which follows from where its stack lies: a hint only.
func (r *recent) local() *stripe {
	var here byte
	return &r.stripes[uint64(uintptr(unsafe.Pointer(&here))>>12)*0x9e3779b97f4a7c15>>r.shift]
}

// note adds a node, and reports whether that made the stripe full. Where it is full already, or another goroutine is at it, the
// node is left out.
func (s *stripe) note(n *node) (full bool) {
	if !s.mu.TryLock() {
		return false
	}
	if s.n < stripeSize {
		s.nodes[s.n] = n
		s.n++
	}
	full = s.n == stripeSize
	s.mu.Unlock()
	return full
}

// wait adds a node, waiting for others, and reports whether there was room for it.
func (s *stripe) wait(n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == stripeSize {
		return false
	}
	s.nodes[s.n] = n
	s.n++
	return true
}

// drain appends the nodes of all stripes to list and empties them.
func (r *recent) drain(list []*node) []*node {
	for i := range r.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		list = append(list, s.nodes[:s.n]...)
		clear(s.nodes[:s.n])
		s.n = 0
		s.mu.Unlock()
	}
	return list
}
