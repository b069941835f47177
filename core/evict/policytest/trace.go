package policytest

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	objects  = 160 // of each trace; policies of parts can share them out evenly
	requests = 3000
	usual    = 100 // what most objects take at most, in bytes
)

// trace is what is asked for.
type trace struct {
	objects    int
	ids, sizes []uint32 // sizes are nil where objects count
}

// size returns the size of request i.
func (tr *trace) size(i int) uint32 {
	if tr.sizes == nil {
		return 1
	}
	return tr.sizes[i]
}

// twice is the trace, then the same again, with sizes that stay and are not unusual.
func (tr trace) twice() trace {
	tr.ids = slices.Repeat(tr.ids, 2)
	return tr.steady()
}

// steady is the trace with one size for each object, which is not unusual.
func (tr trace) steady() trace {
	if tr.sizes != nil {
		sizes := make([]uint32, len(tr.ids))
		for i, id := range tr.ids {
			sizes[i] = id % usual
		}
		tr.sizes = sizes
	}
	return tr
}

// kinds are the traces, each made of what its name says: next returns the object that request i asks for.
var kinds = [...]kind{
	{"popular and rare ones", func(dice *rand.Rand, _ int) uint32 {
		return uint32(math.Pow(objects, dice.Float64())) - 1
	}},
	{"any", func(dice *rand.Rand, _ int) uint32 { return dice.Uint32N(objects) }},
	{"loop", func(_ *rand.Rand, i int) uint32 { return uint32(i) % objects }},
	{"scans between popular ones", func(dice *rand.Rand, i int) uint32 {
		if i/100%3 == 0 {
			return uint32(i) % objects
		}
		return dice.Uint32N(1 + dice.Uint32N(objects/3))
	}},
	{"popularity that moves", func(dice *rand.Rand, i int) uint32 {
		return (uint32(i/50) + dice.Uint32N(1+dice.Uint32N(objects/4))) % objects
	}},
}

type kind struct {
	name string
	next func(dice *rand.Rand, i int) uint32
}

// trace makes one. In bytes an object comes with another size each time, at times with one that no cache has room for or
// with none at all.
func (k kind) trace(seed uint64, bytes bool) trace {
	dice := rand.New(rand.NewPCG(seed, objects))
	tr := trace{objects: objects}
	for i := range requests {
		tr.ids = append(tr.ids, k.next(dice, i))
		if !bytes {
			continue
		}
		size := dice.Uint32N(usual)
		if dice.IntN(50) == 0 {
			size = 1 << dice.IntN(32)
		}
		tr.sizes = append(tr.sizes, size)
	}
	return tr
}
