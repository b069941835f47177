package evict

import "math"

// climber looks for the best size of a window by trying: it makes the window larger or smaller, counts hits for a while, and
// turns round if they became fewer. Steps become smaller, and large again when the hit ratio changes much.
//
// G. Einziger, O. Eytan, R. Friedman, B. Manes, Adaptive software cache management, Middleware 2018: the simple climber, with
// the constants that Caffeine has for it. An equal hit ratio goes on in the same direction.
type climber struct {
	hits, requests uint64
	before         float64 // the hit ratio of the last sample
	grows          bool
	first, step    float64 // how far the first step goes, and the next one
}

const (
	climbStep    = 1.0 / 16 // of the capacity
	climbSample  = 10       // requests for each object that fits
	climbRestart = 0.05     // the change of the hit ratio after which steps are large again

	// climbSmall is up to how many objects a cache is small: it grows its window first, its steps become smaller more
	// slowly, and its samples become larger the smaller the step is, up to climbLonger times.
	climbSmall  = 512
	climbLonger = 4.0
)

func newClimber(capacity uint64) *climber {
	first := max(climbStep*float64(capacity), 2)
	return &climber{first: first, step: first, grows: capacity <= climbSmall}
}

// request counts a request to a full cache of so many objects, and returns by how much the window should grow or, if
// negative, shrink now.
func (c *climber) request(hit bool, objects uint64) float64 {
	c.requests++
	if hit {
		c.hits++
	}
	if c.requests < c.sample(objects) {
		return 0
	}
	step := c.turn(float64(c.hits) / float64(c.requests))
	c.hits, c.requests = 0, 0
	if objects <= climbSmall {
		c.step *= 0.995
	} else {
		c.step *= 0.98
	}
	return step
}

// sample returns how many requests a sample has.
func (c *climber) sample(objects uint64) uint64 {
	n := climbSample * objects
	if objects <= climbSmall {
		n = uint64(float64(n) * min(c.first/c.step, climbLonger))
	}
	return n
}

// turn returns the step to take after a sample.
func (c *climber) turn(ratio float64) float64 {
	change := ratio - c.before
	c.before = ratio
	if change < 0 {
		c.grows = !c.grows
	}
	if math.Abs(change) >= climbRestart {
		c.step = c.first
	}
	if c.grows {
		return c.step
	}
	return -c.step
}
