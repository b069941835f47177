//go:build wasip1

// sieve is a queue through which a hand goes from the oldest object to the newest, and throws out the first that was not
// asked for since the hand came by. See ../README.md.
package main

import "github.com/edgecache/edgecache/hostabi/sdk/go/policy"

type sieve struct {
	queue policy.Lists
	hand  uint32 // the next to look at; the list's root is the oldest
	asked []bool // by id: whether it was asked for since the hand came by
}

func init() { policy.Register(new(sieve)) }

func main() {}

func (p *sieve) Init(s *policy.Spec) error {
	p.queue = s.Lists(1)
	p.hand = p.queue.Root(0)
	p.asked = make([]bool, s.Objects)
	return nil
}

func (p *sieve) Hit(id uint32) { p.asked[id] = true }

func (p *sieve) Insert(id, _ uint32) {
	p.asked[id] = false
	p.queue.Push(0, id)
}

func (p *sieve) Evict() uint32 {
	id, root := p.hand, p.queue.Root(0)
	for id == root || p.asked[id] {
		if id != root {
			p.asked[id] = false
		}
		id = p.queue.Newer(id)
	}
	p.hand = id
	p.Remove(id)
	return id
}

func (p *sieve) Remove(id uint32) {
	if p.hand == id {
		p.hand = p.queue.Newer(id)
	}
	p.queue.Unlink(id)
}
