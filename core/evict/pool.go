package evict

// pool has objects in no order, each with what a policy knows of it, to take some at random. What is known of them is in one
// array, so that to look at many takes little memory through a processor's cache.
type pool[T any] struct {
	ids   []uint32
	what  []T      // of ids, in the same order
	at    []uint32 // by id: its index and 1, 0 for those not in
	state uint64
}

func newPool[T any](s *Spec) pool[T] { return pool[T]{at: make([]uint32, s.Objects), state: s.Seed} }

func (p *pool[T]) has(id uint32) bool { return p.at[id] != 0 }

// of returns what is known of id, which is in. It is valid until the next add or remove.
func (p *pool[T]) of(id uint32) *T { return &p.what[p.at[id]-1] }

// add puts id in.
func (p *pool[T]) add(id uint32, what T) {
	p.ids, p.what = append(p.ids, id), append(p.what, what)
	p.at[id] = uint32(len(p.ids))
}

// remove takes id out. The last one takes its place.
func (p *pool[T]) remove(id uint32) {
	at, n := p.at[id]-1, len(p.ids)-1
	p.ids[at], p.what[at] = p.ids[n], p.what[n]
	p.at[p.ids[at]] = at + 1
	p.at[id] = 0
	p.ids, p.what = p.ids[:n], p.what[:n]
}

// any returns an index, each with the same chance.
func (p *pool[T]) any() uint32 { return uint32(p.random() >> 32 * uint64(len(p.ids)) >> 32) }

// random returns 64 random bits: SplitMix64, of G. L. Steele, D. Lea and C. H. Flood, Fast splittable pseudorandom number
// generators, OOPSLA 2014. Policies take so many that a call to a rand.Source for each would be most of their time.
func (p *pool[T]) random() uint64 {
	p.state += 0x9e3779b97f4a7c15
	z := p.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
