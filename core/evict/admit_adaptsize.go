package evict

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// adaptSize lets an object of s bytes in with probability e^(-s/c), and chooses c every so many requests so that a model of
// the cache hits most: what was asked for lately says how often objects of which size are asked for. Until the first choice,
// everything comes in; the first choices come sooner than after an interval.
//
// D. S. Berger, R. K. Sitaraman and M. Harchol-Balter, AdaptSize: Orchestrating the hot object memory cache in a content
// delivery network, NSDI 2017. The model is theirs, of LRU, with three changes. It is worked out for classes of objects of
// about the same size and rate instead of for each, so that it costs the same however many objects there are. It looks ahead
// no farther than to the next choice: what takes longer than that to be let in hits nothing. And objects that were asked for
// once or some times are taken for as rare as those that were so before turned out to be: I. J. Good, The population
// frequencies of species and the estimation of population parameters, Biometrika 40, 1953. Without these two, it trusts in
// objects that never come again, and waits for them.
type adaptSize struct {
	c        float64 // infinite: everything comes in
	capacity float64
	dice     rand.PCG

	asked []uint32  // by id: requests since the last choice
	count []float32 // by id: requests, those of earlier intervals counting half each time
	size  []uint32  // by id: when it missed last

	requests, until, interval int         // since the last choice, until the next, and in the end
	sum                       float64     // of count
	classes                   []sizeClass // room for all that are possible
}

// sizeClass are objects of about the same size and rate: how many, and the sums of both, or the means.
type sizeClass struct{ objects, size, rate float64 }

const (
	adaptFirst = 32     // the part of an interval until the first choice
	adaptRare  = 4      // from so many requests on, an object is no rare one
	adaptLeast = 1e-9   // rates below are none
	adaptAgain = 0.25   // how fine the search for c is in the end, in powers of two
	adaptSteps = 32     // of the search for the time that objects stay
	classSizes = 32 * 4 // four for each power of two
	classRates = 32 * 2 // two for each power of two
)

func newAdaptSize(s Spec) (admission, error) {
	interval, err := s.int("interval", adaptFirst, 1<<30)
	if err != nil {
		return nil, err
	}
	return &adaptSize{
		c: math.Inf(1), capacity: float64(s.Capacity), dice: *rand.NewPCG(s.Seed, 2),
		asked: make([]uint32, s.Objects), count: make([]float32, s.Objects), size: make([]uint32, s.Objects),
		until: interval / adaptFirst, interval: interval, classes: make([]sizeClass, classSizes*classRates),
	}, nil
}

func (a *adaptSize) hit(id uint32) {
	a.asked[id]++
	a.requests++
	if a.requests >= a.until {
		a.remember()
		a.until = min(2*a.until, a.interval)
		a.choose()
		a.requests = 0
	}
}

func (a *adaptSize) admits(id, size uint32, _ bool) bool {
	a.size[id] = size
	a.hit(id)
	return chance(&a.dice) < math.Exp(-float64(size)/a.c)
}

// remember adds what was asked for since the last choice to the counts. What came before the first whole interval is
// forgotten: it was less.
func (a *adaptSize) remember() {
	keeps := float32(0.5)
	if a.until < a.interval {
		keeps = 0
	}
	a.sum = a.sum*float64(keeps) + float64(a.requests)
	for id, n := range a.asked {
		a.count[id] = a.count[id]*keeps + float32(n)
		a.asked[id] = 0
	}
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
	if middle := best; !math.IsInf(middle, 1) {
		for step := -1 + adaptAgain; step < 1; step += adaptAgain {
			try(middle * math.Exp2(step))
		}
	}
	a.c = best
}

// classify returns the classes of what was asked for, and the size of the largest of it.
func (a *adaptSize) classify() (classes []sizeClass, largest float64) {
	rarity := a.rarity()
	clear(a.classes)
	for id, count := range a.count {
		rate := float64(count) / a.sum * rarity[min(rounded(count), adaptRare)]
		if rate < adaptLeast {
			continue
		}
		largest = max(largest, float64(a.size[id]))
		class := &a.classes[numberOfClass(a.size[id], rate)]
		class.objects++
		class.size += float64(a.size[id])
		class.rate += rate
	}
	classes = a.classes[:0] // each moves to the front
	for _, class := range a.classes {
		if class.objects > 0 {
			classes = append(classes, sizeClass{class.objects, class.size / class.objects, class.rate / class.objects})
		}
	}
	return classes, largest
}

// rarity returns, by how often objects were asked for, which part of that they can be expected to be asked for.
func (a *adaptSize) rarity() (part [adaptRare + 1]float64) {
	var objects [adaptRare + 1]float64 // that were asked for so often
	for _, count := range a.count {
		if n := rounded(count); n <= adaptRare {
			objects[n]++
		}
	}
	for n := 1; n < adaptRare; n++ {
		if objects[n] > 0 {
			part[n] = min(1, float64(n+1)/float64(n)*objects[n+1]/objects[n])
		}
	}
	part[adaptRare] = 1
	return part
}

func rounded(count float32) int { return int(count + 0.5) }

// numberOfClass returns which of the classes it is.
func numberOfClass(size uint32, rate float64) int {
	power := bits.Len32(size)
	quarter := 0
	if power > 2 {
		quarter = int(size>>(power-3)) & 3
	}
	of := int(2 * math.Log2(rate/adaptLeast))
	return min(4*power+quarter, classSizes-1)*classRates + min(of, classRates-1)
}

// hits returns the share of the requests that hit with that c.
func (a *adaptSize) hits(classes []sizeClass, c float64) (share float64) {
	stay := a.stay(classes, c)
	for i := range classes {
		share += classes[i].objects * classes[i].rate * classes[i].resident(c, stay, float64(a.until))
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
		for i := range classes {
			used += classes[i].objects * classes[i].size * classes[i].resident(c, math.Exp2(middle), float64(a.until))
		}
		if used <= a.capacity {
			low = middle
		} else {
			high = middle
		}
	}
	return math.Exp2(low)
}

// resident returns for which share of the requests to come, ahead of them, an object is resident that is not now; it is also
// the share of its own requests that hit. It comes in as often as it is asked for and let in, and goes when nobody asks for it
// while it may stay, which is (e^(rate stay)-1)/rate requests later in the mean: a Markov chain of two states.
func (class *sizeClass) resident(c, stay, ahead float64) float64 {
	const forever = 700 // e to that is nearly the largest number that there is
	comes := class.rate * math.Exp(-class.size/c)
	goes := class.rate / math.Expm1(min(class.rate*stay, forever))
	changes := ahead * (comes + goes)
	if comes == 0 || changes == 0 {
		return 0
	}
	return comes / (comes + goes) * (1 + math.Expm1(-changes)/changes)
}
