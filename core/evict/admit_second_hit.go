package evict

// secondHit keeps an object out when it is asked for the first time, and lets it in if it is asked for again while that is
// remembered: most objects of a content delivery network are asked for once, and so are never written.
//
// It remembers what it kept out in two sets, by turns: when one has as much as the cache has room for, times ghost, the other
// is emptied and takes its place. Networks do that with Bloom filters; a bit for each id is one without errors.
//
// B. M. Maggs and R. K. Sitaraman, Algorithmic nuggets in content delivery, ACM SIGCOMM Computer Communication Review 45(3), 2015.
type secondHit struct {
	now, before []uint64 // a bit for each id
	used, most  uint64   // of what is in now
	bytes       bool
}

func newSecondHit(s Spec) (admission, error) {
	ghost, err := s.float("ghost", 0, 1000)
	if err != nil {
		return nil, err
	}
	words := (s.Objects + 63) / 64
	return &secondHit{now: make([]uint64, words), before: make([]uint64, words), most: s.part(ghost), bytes: s.Bytes}, nil
}

func (a *secondHit) hit(uint32) {}

func (a *secondHit) admits(id, size uint32, _ bool) bool {
	word, bit := id>>6, uint64(1)<<(id&63)
	if (a.now[word]|a.before[word])&bit != 0 {
		a.now[word] &^= bit
		a.before[word] &^= bit
		return true
	}
	a.now[word] |= bit
	a.used++
	if a.bytes {
		a.used += uint64(size) - 1
	}
	if a.used >= a.most {
		a.now, a.before = a.before, a.now
		clear(a.now)
		a.used = 0
	}
	return false
}
