//go:build wasip1

// lru throws out what was not asked for the longest. See ../README.md.
package main

import "github.com/edgecache/edgecache/hostabi/sdk/go/policy"

type lru struct{ queue policy.Lists }

func init() { policy.Register(new(lru)) }

func main() {}

func (p *lru) Init(s *policy.Spec) error {
	p.queue = s.Lists(1)
	return nil
}

func (p *lru) Hit(id uint32) { p.queue.Touch(0, id) }

func (p *lru) Insert(id, _ uint32) { p.queue.Push(0, id) }

func (p *lru) Evict() uint32 { return p.queue.Pop(0) }

func (p *lru) Remove(id uint32) { p.queue.Unlink(id) }
