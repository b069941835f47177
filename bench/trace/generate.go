package trace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Generators says what Generate understands, a line each.
const Generators = `zipf:S,OBJECTS,REQUESTS               popularity falls with rank to the power of S
uniform:OBJECTS,REQUESTS              all objects are as popular
hotspot:HOT,HEAT,OBJECTS,REQUESTS     the part HOT of the objects gets the part HEAT of the requests
loop:OBJECTS,REQUESTS                 one object after the other, again and again
scan:REQUESTS                         each object once`

// generator makes the requests of one part of a mix.
type generator struct {
	left int // requests
	next func() uint64
}

// mostGenerated is how many requests a mix may have: what fits in memory.
const mostGenerated = 1 << 31

// Generate makes a trace: parts as in Generators, joined with "+", of which each has objects of its own. The parts take turns
// at random, so that each lasts until the end. The same spec and seed make the same trace.
func Generate(spec string, seed uint64) (*Trace, error) {
	rng := rand.New(rand.NewPCG(seed, splitmix64(seed)))
	var parts []generator
	total := 0
	for part := range strings.SplitSeq(spec, "+") {
		g, err := parseGenerator(strings.TrimSpace(part), rng)
		if err != nil {
			return nil, err
		}
		parts = append(parts, g)
		total += g.left
	}
	if total > mostGenerated {
		return nil, fmt.Errorf("trace: %d requests are more than %d", total, mostGenerated)
	}
	t := &Trace{Name: spec, Format: "generated", IDs: make([]uint32, 0, total)}
	keys := newInterner()
	for ; total > 0; total-- {
		i := 0
		if len(parts) > 1 {
			i = pick(parts, rng.IntN(total))
		}
		parts[i].left--
		id, _ := keys.id(uint64(i)<<32 | parts[i].next())
		t.IDs = append(t.IDs, id)
	}
	t.Objects, t.Footprint = int(keys.n), uint64(keys.n)
	return t, nil
}

// pick returns the part that request n of what is left belongs to.
func pick(parts []generator, n int) int {
	for i := range parts {
		if n -= parts[i].left; n < 0 {
			return i
		}
	}
	return len(parts) - 1
}

// parseGenerator reads a part of a mix.
func parseGenerator(part string, rng *rand.Rand) (generator, error) {
	name, list, _ := strings.Cut(part, ":")
	var n []float64
	for text := range strings.SplitSeq(list, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(v) || v < 0 || v > mostGenerated {
			return generator{}, fmt.Errorf("trace: %q in %q is not a number from 0 to %d", text, part, mostGenerated)
		}
		n = append(n, v)
	}
	counts := map[string]int{"zipf": 3, "uniform": 2, "hotspot": 4, "loop": 2, "scan": 1}
	if counts[name] != len(n) {
		return generator{}, fmt.Errorf("trace: %q is not one of\n%s", part, Generators)
	}
	requests := n[len(n)-1]
	objects := requests
	if len(n) > 1 {
		objects = n[len(n)-2]
	}
	if objects < 1 || requests < 1 {
		return generator{}, fmt.Errorf("trace: %q has no objects or no requests", part)
	}
	g := generator{left: int(requests)}
	switch all := uint64(objects); name {
	case "zipf":
		g.next = newZipf(n[0], all, rng).next
	case "uniform":
		g.next = func() uint64 { return rng.Uint64N(all) }
	case "hotspot":
		hot := min(max(1, uint64(n[0]*objects)), all)
		if n[0] > 1 || n[1] > 1 {
			return generator{}, fmt.Errorf("trace: the first two numbers of %q are not parts of 1", part)
		}
		g.next = func() uint64 { return hotspot(rng, n[1], hot, all) }
	default: // loop, and scan, which is one turn
		at := all - 1
		g.next = func() uint64 {
			at = (at + 1) % all
			return at
		}
	}
	return g, nil
}

func hotspot(rng *rand.Rand, heat float64, hot, all uint64) uint64 {
	if rng.Float64() < heat || hot == all {
		return rng.Uint64N(hot)
	}
	return hot + rng.Uint64N(all-hot)
}

// zipf draws ranks from 0 on with a probability that falls as rank to the power of s, which may be any from 0 on.
//
// W. Hörmann and G. Derflinger, Rejection-inversion to generate variates from monotone discrete distributions, ACM TOMACS
// 6(3), 1996.
type zipf struct {
	s, n                float64
	first, last, accept float64
	rng                 *rand.Rand
}

func newZipf(s float64, objects uint64, rng *rand.Rand) *zipf {
	z := &zipf{s: s, n: float64(objects), rng: rng}
	z.first = z.integral(1.5) - 1
	z.last = z.integral(z.n + 0.5)
	z.accept = 2 - z.inverse(z.integral(2.5)-z.density(2))
	return z
}

func (z *zipf) next() uint64 {
	for {
		u := z.last + z.rng.Float64()*(z.first-z.last)
		x := z.inverse(u)
		k := min(max(1, math.Round(x)), z.n)
		if k-x <= z.accept || u >= z.integral(k+0.5)-z.density(k) {
			return uint64(k) - 1
		}
	}
}

func (z *zipf) density(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// integral is that of density from 1 to x.
func (z *zipf) integral(x float64) float64 {
	log := math.Log(x)
	a := (1 - z.s) * log
	if math.Abs(a) < 1e-8 {
		return log * (1 + a/2)
	}
	return log * math.Expm1(a) / a
}

func (z *zipf) inverse(y float64) float64 {
	a := max(-1, y*(1-z.s))
	if math.Abs(a) < 1e-8 {
		return math.Exp(y * (1 - a/2))
	}
	return math.Exp(y * math.Log1p(a) / a)
}
