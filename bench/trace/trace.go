// Package trace reads, writes and makes traces of cache requests. A trace in memory is columns over dense object ids, which
// every driver of core/evict takes as they are.
package trace

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Trace is a trace in memory. Its columns have one row for each request.
type Trace struct {
	// Name is the file's, without its folder. Format is what it was read as.
	Name, Format string
	// IDs are dense: objects have numbers from 0 to Objects-1 in the order of their first appearance.
	IDs []uint32
	// Sizes are in bytes; an object keeps its first one. nil if the source has none: then each object counts 1.
	Sizes []uint32
	// Times are what the source has, in its own unit. nil if it has none: then a request's time is its position.
	Times []int64
	// Costs are what a miss costs, in the source's own unit, or nil.
	Costs []float32
	// Ops are what requests do, or nil where the source has nothing but gets.
	Ops []Op
	// TTLs say how long the object lives from that request on, in the unit of Times; 0 says nothing. nil if the source has none.
	TTLs []uint32
	// Objects is how many different ones there are, Footprint how many bytes they are together.
	Objects   int
	Footprint uint64
	// Skipped is how many bad records were passed over, which Options.SkipBad allows.
	Skipped int
	// SourceHits is how often the source says that its own cache had the object, of SourceServed times that it says anything.
	SourceHits, SourceServed int
	// Collisions is how many objects have the hash of another's key, which Options.VerifyKeys tells apart.
	Collisions int
}

// Requests returns how many there are.
func (t *Trace) Requests() int { return len(t.IDs) }

// Size returns the size of what request i asks for.
func (t *Trace) Size(i int) uint32 {
	if t.Sizes == nil {
		return 1
	}
	return t.Sizes[i]
}

// Time returns when request i came.
func (t *Trace) Time(i int) int64 {
	if t.Times == nil {
		return int64(i)
	}
	return t.Times[i]
}

// Bytes returns how many bytes all requests ask for.
func (t *Trace) Bytes() uint64 {
	if t.Sizes == nil {
		return uint64(len(t.IDs))
	}
	var sum uint64
	for _, size := range t.Sizes {
		sum += uint64(size)
	}
	return sum
}

// OneHits returns how many objects are asked for once.
func (t *Trace) OneHits() (n int) {
	const one, more = 1, 2
	asked := make([]uint8, t.Objects)
	for _, id := range t.IDs {
		asked[id] = min(asked[id]+1, more)
	}
	for _, times := range asked {
		if times == one {
			n++
		}
	}
	return n
}

// IDsSHA256 returns the digest of the ids as little-endian uint32, counted from 1.
func (t *Trace) IDsSHA256() string {
	return digest(len(t.IDs), func(i int) uint32 { return t.IDs[i] + 1 })
}

// SizesSHA256 returns the digest of the sizes as little-endian uint32, one for each request: 1 where the source has none.
func (t *Trace) SizesSHA256() string { return digest(len(t.IDs), t.Size) }

func digest(n int, at func(int) uint32) string {
	h := sha256.New()
	buf := make([]byte, 0, 64<<10)
	for i := range n {
		buf = binary.LittleEndian.AppendUint32(buf, at(i))
		if len(buf) == cap(buf) {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}

// GiveHeavyTail gives each object a size that its id decides, 64 B to 1 MiB, with a heavy tail: for traces without sizes.
func (t *Trace) GiveHeavyTail() {
	t.Sizes = make([]uint32, len(t.IDs))
	for i, id := range t.IDs {
		t.Sizes[i] = heavyTail(id)
	}
	t.Footprint = 0
	for id := range t.Objects {
		t.Footprint += uint64(heavyTail(uint32(id)))
	}
}

func heavyTail(id uint32) uint32 {
	h := splitmix64(uint64(id) + 1)
	return 64<<min(14, bits.TrailingZeros64(h)) + uint32(h>>32)&63
}

// splitmix64 is the generator of G. L. Steele et al., Fast splittable pseudorandom number generators, OOPSLA 2014: it maps
// numbers one to one on numbers that look random.
func splitmix64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
