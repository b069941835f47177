package evict

// tinyLFU lets an object in if it was asked for more often lately than what goes for it. Which object that would be, a policy
// need not know in advance, so that the count is held against the mean of what it threw out lately. While there is room,
// everything comes in.
//
// G. Einziger, R. Friedman, B. Manes, TinyLFU: A highly efficient cache admission policy, ACM Transactions on Storage 13(4),
// 2017, but for that mean. Counts are those of a sketch for as many objects as fit; in bytes, for as many as ever did.
type tinyLFU struct {
	asked          sketch
	victims        float64 // mean count of what was thrown out, of the last ones more
	thrownOut      float64 // how many of these it is of, at most victimsMost
	resident, most uint64  // how many objects are, and most that ever were
}

// victimsMost is of about how many victims the mean is.
const victimsMost = 32

func newTinyLFU(s Spec) (admission, error) {
	a := &tinyLFU{}
	if !s.Bytes {
		a.most = uint64(s.most())
	}
	a.asked = newSketch(a.most)
	return a, nil
}

func (a *tinyLFU) hit(id uint32) {
	if a.asked.add(id) {
		a.victims /= 2
	}
}

func (a *tinyLFU) admits(id, _ uint32, room bool) bool {
	a.hit(id)
	return room || float64(a.asked.of(id)) > a.victims
}

func (a *tinyLFU) came() {
	a.resident++
	if a.resident > a.most {
		a.most = a.resident
		a.asked.grow(a.most)
	}
}

func (a *tinyLFU) evicted(id uint32) {
	a.resident--
	a.thrownOut = min(a.thrownOut+1, victimsMost)
	a.victims += (float64(a.asked.of(id)) - a.victims) / a.thrownOut
}

func (a *tinyLFU) removed() { a.resident-- }
