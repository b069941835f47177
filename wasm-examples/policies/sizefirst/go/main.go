//go:build wasip1

// sizefirst throws out the largest of the objects that were not asked for the longest. See ../README.md.
package main

import "github.com/edgecache/edgecache/hostabi/sdk/go/policy"

type sizeFirst struct {
	queue  policy.Lists
	window uint64 // how many of the oldest it chooses from
}

func init() { policy.Register(new(sizeFirst)) }

func main() {}

func (p *sizeFirst) Init(s *policy.Spec) (err error) {
	p.queue = s.Lists(1)
	p.window, err = s.Number("window", 1, 1000, 16)
	return err
}

func (p *sizeFirst) Hit(id uint32) { p.queue.Touch(0, id) }

func (p *sizeFirst) Insert(id, _ uint32) { p.queue.Push(0, id) }

func (p *sizeFirst) Evict() uint32 {
	largest := p.queue.Oldest(0)
	id := p.queue.Newer(largest)
	for n := uint64(1); n < p.window && id != p.queue.Root(0); n++ {
		if policy.Size(id) > policy.Size(largest) {
			largest = id
		}
		id = p.queue.Newer(id)
	}
	p.queue.Unlink(largest)
	return largest
}

func (p *sizeFirst) Remove(id uint32) { p.queue.Unlink(id) }
