package policy

import "errors"

// Policy is an eviction policy. What is resident, how large it is and how much room is left is kept for it. Its methods are
// called one at a time.
type Policy interface {
	// Init is called once, ahead of all: it allocates, and reads the parameters. An error refuses the cache.
	Init(s *Spec) error
	// Hit says that a resident object was asked for.
	Hit(id uint32)
	// Insert says that an absent object was asked for. It is resident from here on, and there is room.
	Insert(id, size uint32)
	// Evict picks a resident object, since room is needed. It is gone from here on.
	Evict() uint32
	// Remove says that a resident object is gone for another reason, such as its age.
	Remove(id uint32)
}

// Admitter is implemented by policies that keep objects out: Admit is asked on a miss, before room is made.
type Admitter interface {
	Admit(id, size uint32) bool
}

// Register says what the module's policy is. It is called once, from an init function: main does not run.
func Register(p Policy) {
	if here.policy != nil {
		panic("policy: Register is called a second time: a module is one policy")
	}
	here.policy = p
	here.admitter, _ = p.(Admitter)
}

// Resident reports whether an object is resident.
func Resident(id uint32) bool { return here.resident[id] }

// Size returns the size of an object that is resident, or of one that was, when it came last: 1 where sizes do not count.
func Size(id uint32) uint32 {
	if here.size == nil {
		return 1
	}
	return here.size[id]
}

// Used returns how much of the capacity is used.
func Used() uint64 { return here.used }

// victim is an object that request at made go.
type victim struct{ at, id uint32 }

// guest is the module's policy, its books, and the buffers that it shares with the host.
type guest struct {
	policy   Policy
	admitter Admitter // nil if the policy lets all in

	capacity, used uint64
	resident       []bool   // by id
	size           []uint32 // by id, nil where sizes do not count

	ids, sizes, hits []uint32
	victims          []victim
	n                int // how many victims there are
}

// here is this module's guest. The host enters it through the exports alone, one call at a time.
var here guest

// init makes the cache that spec describes, and returns why not.
func (g *guest) init(s *Spec) error {
	g.capacity, g.used = s.Capacity, 0
	g.resident = make([]bool, s.Objects)
	if s.Bytes {
		g.size = make([]uint32, s.Objects)
	}
	g.ids, g.sizes, g.hits = make([]uint32, s.batch), make([]uint32, s.batch), make([]uint32, (s.batch+31)/32)
	g.victims = make([]victim, uint64(s.Most)+uint64(s.batch))
	if err := g.policy.Init(s); err != nil {
		return err
	}
	return s.allAsked()
}

// batch goes through n requests and returns how many victims there are.
func (g *guest) batch(n int) int {
	g.n = 0
	clear(g.hits[:(n+31)/32])
	for i, id := range g.ids[:n] {
		if g.resident[id] {
			g.hits[i/32] |= 1 << (i % 32)
			g.policy.Hit(id)
			continue
		}
		if !g.miss(i, id) {
			break
		}
	}
	return g.n
}

// miss brings an object in, and makes others go that there is no room for beside it. It returns false where one of those was
// not there: the host sees that, and asks no more.
func (g *guest) miss(i int, id uint32) bool {
	size := uint32(1)
	if g.size != nil {
		size = g.sizes[i]
	}
	if !g.admit(id, size) {
		g.note(i, id)
		return true
	}
	for g.used+uint64(size) > g.capacity {
		id := g.policy.Evict()
		g.note(i, id)
		if !g.went(id) {
			return false
		}
	}
	g.insert(id, size)
	return true
}

// note writes down an object that request i makes go.
func (g *guest) note(i int, id uint32) {
	g.victims[g.n] = victim{uint32(i), id}
	g.n++
}

func (g *guest) admit(id, size uint32) bool { return g.admitter == nil || g.admitter.Admit(id, size) }

func (g *guest) insert(id, size uint32) {
	g.resident[id] = true
	if g.size != nil {
		g.size[id] = size
	}
	g.used += uint64(size)
	g.policy.Insert(id, size)
}

func (g *guest) evict() uint32 {
	id := g.policy.Evict()
	g.went(id)
	return id
}

func (g *guest) remove(id uint32) {
	g.went(id)
	g.policy.Remove(id)
}

// went accounts for an object that is not resident from here on. It returns false if there is no such object.
func (g *guest) went(id uint32) bool {
	if uint64(id) >= uint64(len(g.resident)) || !g.resident[id] {
		return false
	}
	g.resident[id] = false
	if g.size == nil {
		g.used--
	} else {
		g.used -= uint64(g.size[id])
	}
	return true
}

// start makes the cache whose spec the host has written.
func start(spec []byte) error {
	if here.policy == nil {
		return errors.New("no policy is registered: call policy.Register from an init function")
	}
	s, err := readSpec(spec)
	if err != nil {
		return err
	}
	return here.init(s)
}
