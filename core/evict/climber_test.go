package evict

import "testing"

// climbs returns the steps of a climber whose samples have these hit ratios.
func climbs(capacity uint64, ratios ...float64) []float64 {
	c := newClimber(capacity)
	var steps []float64
	for _, ratio := range ratios {
		for i := 0; ; i++ {
			step := c.request(float64(c.hits) < ratio*float64(c.sample(capacity)), capacity)
			if step != 0 {
				steps = append(steps, step)
				break
			}
		}
	}
	return steps
}

func TestClimberTurnsWhenHitsBecomeFewer(t *testing.T) {
	steps := climbs(1600, .5, .51, .50, .50, .49)
	want := []int{-1, -1, 1, 1, -1}
	for i, step := range steps {
		if step > 0 != (want[i] > 0) {
			t.Errorf("step %d is %v, want the sign of %d", i, step, want[i])
		}
	}
}

func TestClimberSlowsDownUntilTheHitRatioJumps(t *testing.T) {
	steps := climbs(1600, .5, .5, .5, .6, .6)
	for i, want := range []float64{100, 98, 98 * .98, 100, 98} {
		if got := -steps[i]; got < want-1e-9 || got > want+1e-9 {
			t.Errorf("step %d is %v, want %v", i, got, want)
		}
	}
}

func TestClimberSmallCacheGrowsFirst(t *testing.T) {
	if step := climbs(100, .5)[0]; step != 6.25 {
		t.Errorf("the first step in a cache of 100 objects is %v, want 6.25", step)
	}
	if step := climbs(10, .5)[0]; step != 2 {
		t.Errorf("the first step in a cache of 10 objects is %v, want 2", step)
	}
}
