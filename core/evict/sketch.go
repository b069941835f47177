package evict

import "math/bits"

// sketch counts how often objects were asked for, lately more than before: a count-min sketch with four counters of 4 bits for
// each object, which may share them with others. So counts go up to 15, and are never too small. All are halved when ten
// requests were counted for each word, of which there is at least one for each object that the sketch is for.
//
// G. Einziger, R. Friedman, B. Manes, TinyLFU: A highly efficient cache admission policy, ACM Transactions on Storage 13(4),
// 2017, without its doorkeeper. How objects are hashed is as in Caffeine: for numbers that follow each other, the rows share
// less than chance would have it.
type sketch struct {
	words    []uint64 // 16 counters each
	requests int      // since the last halving; halved as counters are
	halvings uint64
}

const (
	sketchRows = 4
	sketchMost = 15
)

func newSketch(objects uint64) sketch {
	return sketch{words: make([]uint64, 1<<bits.Len64(max(objects, 1)-1))}
}

// grow makes the sketch one for so many objects. If it must be larger for that, it forgets all counts.
func (s *sketch) grow(objects uint64) {
	if objects > uint64(len(s.words)) {
		halvings := s.halvings
		*s = newSketch(objects)
		s.halvings = halvings
	}
}

// of returns the count of an object.
func (s *sketch) of(id uint32) int {
	least := uint64(sketchMost)
	for _, at := range s.counters(id) {
		least = min(least, s.words[at.word]>>at.shift&sketchMost)
	}
	return int(least)
}

// add counts a request, and reports whether it halved all counts.
func (s *sketch) add(id uint32) (halved bool) {
	added := false
	for _, at := range s.counters(id) {
		if s.words[at.word]>>at.shift&sketchMost < sketchMost {
			s.words[at.word] += 1 << at.shift
			added = true
		}
	}
	if !added {
		return false
	}
	s.requests++
	if s.requests < 10*len(s.words) {
		return false
	}
	s.halve()
	return true
}

// sketchCounter is where a counter is.
type sketchCounter struct{ word, shift uint32 }

// counters returns where the counters of an object are: each row has its own words for it, and its own counters in any word.
func (s *sketch) counters(id uint32) (at [sketchRows]sketchCounter) {
	hash := mix(id)
	seeds := [sketchRows]uint64{0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x9ae16a3b2f90404f, 0xcbf29ce484222325}
	for row, seed := range seeds {
		h := (uint64(hash) + seed) * seed
		h += h >> 32
		at[row] = sketchCounter{word: uint32(h) & uint32(len(s.words)-1), shift: uint32(hash&3)*16 + uint32(row)*4}
	}
	return at
}

// halve halves all counts. Those that were odd have lost half a request.
func (s *sketch) halve() {
	odd := 0
	for i, w := range s.words {
		odd += bits.OnesCount64(w & 0x1111_1111_1111_1111)
		s.words[i] = w >> 1 & 0x7777_7777_7777_7777
	}
	s.requests = (s.requests - odd/sketchRows) / 2
	s.halvings++
}

// mix spreads an id over 32 bits.
func mix(id uint32) int32 {
	h := id + 1
	h = (h>>16 ^ h) * 0x45d9f3b
	h = (h>>16 ^ h) * 0x45d9f3b
	return int32(h>>16 ^ h)
}
