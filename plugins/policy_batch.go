package plugins

import (
	"encoding/binary"
	"math/bits"

	"github.com/edgecache/edgecache/hostabi"
)

// batchPolicy asks a guest in the batched form.
type batchPolicy struct {
	*guestPolicy
	one struct { // a request that comes alone
		id, size [1]uint32
		hits     [1]uint64
	}
}

// Replay asks for all requests, as many at once as is possible.
func (p *batchPolicy) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	clear(hits[:(len(ids)+63)>>6])
	misses = len(ids)
	for at := 0; at < len(ids) && p.err == nil; {
		n := min(len(ids)-at, p.atOnce())
		if p.size == nil {
			misses -= p.batch(ids[at:at+n], nil, hits, at)
			at += n
			continue
		}
		n = p.fitting(sizes[at : at+n])
		if n > 0 {
			misses -= p.batch(ids[at:at+n], sizes[at:at+n], hits, at)
			at += n
			continue
		}
		if p.request(ids[at], sizes[at]) {
			setBits(hits, at, 1)
			misses--
		}
		at++
	}
	return misses
}

// atOnce is how many requests the next batch may have.
func (p *batchPolicy) atOnce() int {
	if p.past != nil {
		return forgetEvery - int(p.asked%forgetEvery)
	}
	return policyBatch
}

// batch asks for objects that fit, writes their hits from bit at on, and returns how many there are.
func (p *batchPolicy) batch(ids, sizes []uint32, hits []uint64, at int) (hit int) {
	n := len(ids)
	p.asked += uint64(n)
	p.write(p.frame.IDs, ids)
	p.write(p.frame.Sizes, sizes)
	p.stack[0] = uint64(n)
	if !p.call(callAside, p.ask, hostabi.ExportPolicyBatch, n) {
		return 0
	}
	answer, _ := p.in.memory.Read(p.frame.Hits, uint32(n+31)/32*4) // that all is there was seen before
	victims, err := p.victims(int32(p.stack[0]))
	if err != nil {
		p.fail(p.asked-uint64(n)+1, p.asked, hostabi.ExportPolicyBatch, err)
		return 0
	}
	if i, err := p.check(ids, sizes, answer, victims); err != nil {
		number := p.asked - uint64(n-i) + 1
		p.fail(number, number, hostabi.ExportPolicyBatch, err)
		return 0
	}
	for i := 0; i < n; i += 32 {
		w := word(answer, i, n)
		setBits(hits, at+i, w)
		hit += bits.OnesCount32(w)
	}
	p.pause()
	return hit
}

// write writes a column of requests to the guest's buffer.
func (p *batchPolicy) write(addr uint32, column []uint32) {
	b, _ := p.in.memory.Read(addr, uint32(4*len(column)))
	for i, v := range column {
		binary.LittleEndian.PutUint32(b[4*i:4*i+4], v)
	}
}

// victims returns the n that the guest says it has written.
func (p *batchPolicy) victims(n int32) ([]byte, error) {
	if most := p.most + policyBatch; n < 0 || uint64(n) > most {
		return nil, protocolf("returned %d victims: 0 to %d are possible", n, most)
	}
	b, _ := p.in.memory.Read(p.frame.Victims, hostabi.VictimSize*uint32(n))
	return b, nil
}

// fitting returns how many sizes there are before one for which there is no room at all.
func (p *batchPolicy) fitting(sizes []uint32) int {
	for i, s := range sizes {
		if !p.fits(s) {
			return i
		}
	}
	return len(sizes)
}

// request asks for one object and reports whether it hits. A resident one is asked for with the size that it has, an absent
// one that does not fit is not asked for.
func (p *batchPolicy) request(id, size uint32) bool {
	if p.err != nil {
		return false
	}
	if p.size == nil {
		p.one.id[0], p.one.hits[0] = id, 0
		return p.batch(p.one.id[:], nil, p.one.hits[:], 0) == 1
	}
	if p.Contains(id) {
		size = p.size[id]
	} else if !p.fits(size) {
		p.asked++
		p.pause()
		return false
	}
	p.one.id[0], p.one.size[0], p.one.hits[0] = id, size, 0
	return p.batch(p.one.id[:], p.one.size[:], p.one.hits[:], 0) == 1
}

// Hit asks for a resident object.
func (p *batchPolicy) Hit(id uint32) { p.request(id, 1) }

// Insert asks for an absent object.
func (p *batchPolicy) Insert(id, size uint32) bool {
	p.request(id, size)
	return p.Contains(id)
}
