package evict

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// adaptSize lets an object of s bytes in with probability e^(-s/c), and chooses c every so many requests so that a model of
// the cache hits most: what was asked for in the last intervals says how often objects of which size are asked for.
//
// D. S. Berger, R. K. Sitaraman and M. Harchol-Balter, AdaptSize: Orchestrating the hot object memory cache in a content
// delivery network, NSDI 2017. The model is theirs, of LRU. It is worked out for classes of objects of about the same size and
// rate instead of for each, so that it costs the same however many objects there are. Until the first choice, everything
// comes in; the first choices come sooner than after an interval.
type adaptSize struct {
	c        float64 // infinite: everything comes in
	capacity float64
	dice     rand.PCG

	asked []uint32  // by id: requests since the last choice
	rate  []float32 // by id: requests of all, a mean over intervals of which the last count more
	size  []uint32  // by id: when it missed last

	requests, until, interval int
	classes                   []sizeClass // all that are possible, then those that there are
}

// sizeClass are objects of about the same size and rate: the sums of both, and the means.
type sizeClass struct{ objects, size, rate float64 }

const (
	adaptFirst  = 32     // the part of an interval until the first choice
	adaptWeight = 0.5    // of the last interval in a rate
	adaptLeast  = 1e-9   // a rate below is none
	classSizes  = 32 * 4 // four for each power of two
	classRates  = 32 * 2 // two for each power of two, from adaptLeast on
	adaptSteps  = 32     // of the search for the time that objects stay
	adaptAgain  = 0.25   // of a power of two: how fine the search for c is in the end
)

func newAdaptSize(s Spec) (admission, error) {
	interval, err := s.int("interval", adaptFirst, 1<<30)
	if err != nil {
		return nil, err
	}
	return &adaptSize{
		c: math.Inf(1), capacity: float64(s.Capacity), dice: *rand.NewPCG(s.Seed, 2),
		asked: make([]uint32, s.Objects), rate: make([]float32, s.Objects), size: make([]uint32, s.Objects),
		until: interval / adaptFirst, interval: interval, classes: make([]sizeClass, classSizes*classRates),
	}, nil
}

func (a *adaptSize) hit(id uint32) {
	a.asked[id]++
	a.requests++
	if a.requests >= a.until {
		a.choose()
		a.requests, a.until = 0, min(2*a.until, a.interval)
	}
}

func (a *adaptSize) admits(id, size uint32, _ bool) bool {
	a.size[id] = size
	a.hit(id)
	return chance(&a.dice) < math.Exp(-float64(size)/a.c)
}

// choose sets c to what hits most: the best power of two first, then what is best around it.
func (a *adaptSize) choose() {
	classes, largest := a.classify()
	best, most := math.Inf(1), a.hits(classes, math.Inf(1))
	try := func(c float64) {
		if hits := a.hits(classes, c); hits > most {
			best, most = c, hits
		}
	}
	for c := 1.0; c <= 16*largest; c *= 2 {
		try(c)
	}
	if center := best; !math.IsInf(center, 1) {
		for step := -1 + adaptAgain; step < 1; step += adaptAgain {
			try(center * math.Exp2(step))
		}
	}
	a.c = best
}

// classify brings the rates up to date, and returns the classes of what is asked for and the size of the largest of it.
func (a *adaptSize) classify() (classes []sizeClass, largest float64) {
	all := a.classes[:cap(a.classes)]
	clear(all)
	weight := adaptWeight
	if a.until < a.interval { // it is longer than all before
		weight = 1
	}
	for id, n := range a.asked {
		rate := (1-weight)*float64(a.rate[id]) + weight*float64(n)/float64(a.requests)
		a.rate[id], a.asked[id] = float32(rate), 0
		if rate < adaptLeast {
			continue
		}
		largest = max(largest, float64(a.size[id]))
		class := &all[sizeClassOf(a.size[id], rate)]
		class.objects++
		class.size += float64(a.size[id])
		class.rate += rate
	}
	classes = all[:0]
	for _, class := range all {
		if class.objects > 0 {
			classes = append(classes, sizeClass{class.objects, class.size / class.objects, class.rate / class.objects})
		}
	}
	return classes, largest
}

// sizeClassOf returns the number of the class.
func sizeClassOf(size uint32, rate float64) int {
	power := bits.Len32(size)
	quarter := 0
	if power > 2 {
		quarter = int(size>>(power-3)) & 3
	}
	of := int(2 * math.Log2(rate/adaptLeast))
	return min(power*4+quarter, classSizes-1)*classRates + min(of, classRates-1)
}

// hits returns how many of the requests hit with that c.
func (a *adaptSize) hits(classes []sizeClass, c float64) (share float64) {
	stay := a.stay(classes, c)
	for _, class := range classes {
		share += class.objects * class.rate * class.resident(c, stay)
	}
	return share
}

// stay returns for how many requests an object stays that nobody asks for again: so many that what is resident fills the
// cache. It is the characteristic time of Che's approximation.
func (a *adaptSize) stay(classes []sizeClass, c float64) float64 {
	low, high := 0.0, 40.0 // powers of two
	for range adaptSteps {
		middle := (low + high) / 2
		used := 0.0
		for _, class := range classes {
			used += class.objects * class.size * class.resident(c, math.Exp2(middle))
		}
		if used <= a.capacity {
			low = middle
		} else {
			high = middle
		}
	}
	return math.Exp2(low)
}

// resident returns the share of time that an object is resident, which is the share of its requests that hit. It is out for
// 1/(rate p) requests in the mean, until it is let in, and stays for (e^(rate stay)-1)/rate, until nobody asks for it for long
// enough.
func (class *sizeClass) resident(c, stay float64) float64 {
	const forever = 700 // e to that is the largest number that there is, nearly
	in := math.Exp(-class.size/c) * math.Expm1(min(class.rate*stay, forever))
	if math.IsInf(in, 1) {
		return 1
	}
	return in / (1 + in)
}
