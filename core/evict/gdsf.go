package evict

// gdsf throws out the object of the lowest value: how often it was asked for, by its size where bytes count, and the value
// of what was thrown out last before it was last asked for, by which all age. Of equal ones goes who was not asked for the
// longest.
//
// L. Cherkasova, Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching policy, HP Labs HPL-98-69, 1998,
// with the same cost of a miss for all.
type gdsf struct {
	base
	values   heap
	resident []bool
	freq     []uint32
	aged     float64
	now      uint64
}

// missCost is what a miss costs. Which number it is decides nothing but how values are rounded, and so which ones are equal.
const missCost = 1e6

func newGDSF(s Spec) (Policy, error) {
	return &gdsf{
		base: newBase(s), values: newHeap(s.Objects), resident: make([]bool, s.Objects), freq: make([]uint32, s.Objects),
	}, nil
}

func (p *gdsf) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.resident[id] {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *gdsf) Hit(id uint32) {
	p.freq[id]++
	p.values.fix(id, p.value(id))
}

func (p *gdsf) Insert(id, size uint32) bool {
	if !p.fits(size) {
		return false
	}
	for p.full(size) {
		p.evict()
	}
	p.came(id, size)
	p.resident[id] = true
	p.freq[id] = 1
	p.values.push(id, p.value(id))
	return true
}

// value is what an object is worth that is asked for now.
func (p *gdsf) value(id uint32) rank {
	p.now++
	worth := missCost * float64(p.freq[id])
	if p.size != nil {
		worth /= float64(max(p.size[id], 1))
	}
	return rank{p.aged + worth, p.now}
}

func (p *gdsf) evict() {
	id := p.values.top()
	p.aged = p.values.rank(id).value
	p.values.remove(id)
	p.resident[id] = false
	p.threwOut(id)
}

func (p *gdsf) Remove(id uint32) {
	p.values.remove(id)
	p.resident[id] = false
	p.went(id)
	p.forgot(id)
}

func (p *gdsf) Contains(id uint32) bool { return p.resident[id] }
