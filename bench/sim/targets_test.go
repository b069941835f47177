package sim

import (
	"slices"
	"strings"
)

// target is what a policy of ours is compared with: the rows of one that others wrote.
type target struct {
	policy, algo string
	mode         string // "obj" or "byte"
	least, most  uint64 // the capacities that are compared; most 0 is any
	// within is how much the miss ratio of each row may differ. 0 wants the same count of misses, and in bytes the same byte
	// miss ratio to six digits.
	within float64
	// onAverage makes within that of the mean over all rows, and no row may differ by more than this. 0 is not so.
	onAverage float64
	// seeds is how many runs the mean is of, and spread how far one of them may be from it. 0 is one run, and any distance.
	seeds  int
	spread float64
	// fault is what is wrong with the reference, where something is: rows that differ are printed and are no mismatches.
	fault string
}

// Faults of references that are compared all the same.
const (
	unfair   = "theirs is no fair choice: docs/RATIONALE.md"
	oldSRLRU = "theirs is from before the repair of its SR-LRU"
	noLFUDA  = "theirs crashes or hangs, and is not their GDSF where every object counts 1"
)

// targets are all that is compared.
func targets() []target {
	all := []target{
		{policy: "arc", algo: "ARC", mode: "obj"},
		{policy: "2q", algo: "TwoQ", mode: "obj"},
		{policy: "slru", algo: "SLRU", mode: "obj"},
		{policy: "s3fifo", algo: "S3FIFO", mode: "obj", least: 20},
		{policy: "s3fifo", algo: "S3FIFO", mode: "byte"},
		{policy: "s3fifo", algo: "Caffeine:two-queue.S3Fifo", mode: "obj", most: 99, within: .005},
		{policy: "s3fifo", algo: "Caffeine:two-queue.S3Fifo", mode: "obj", least: 100, within: .001},
		{policy: "2q", algo: "Caffeine:two-queue.TwoQueue", mode: "obj"},
		{policy: "sieve", algo: "Caffeine:linked.Sieve", mode: "obj"},
		{policy: "lfuda", algo: "GDSF", mode: "obj"}, // the same where every object counts 1
		{policy: "lfuda", algo: "LFUDA", mode: "obj", within: .01, fault: noLFUDA},
		{policy: "lfuda", algo: "LFUDA", mode: "byte", within: .01, fault: noLFUDA},
		{policy: "car", algo: "Caffeine:adaptive.Car", mode: "obj"},
		{policy: "clockproplus", algo: "Caffeine:irr.ClockProPlus", mode: "obj"},
		{policy: "lirs", algo: "LIRS_author", mode: "obj", least: 100, most: 999, within: .03},
		{policy: "lirs", algo: "LIRS_author", mode: "obj", least: 1000, within: .005},
		{policy: "lirs:ghost=1000", algo: "LIRS_author", mode: "obj"}, // forgets nothing, as the authors' does
		{policy: "wtinylfu", algo: "Caffeine:sketch.WindowTinyLfu_(1%)", mode: "obj", within: .01},
		{
			policy: "wtinylfu-adaptive", algo: "Caffeine:sketch.HillClimberWindowTinyLfu_(simple_1%)", mode: "obj",
			within: .02, onAverage: .11,
		},
	}
	for _, same := range [][2]string{
		{"fifo", "FIFO"},
		{"lru", "LRU"},
		{"clock", "Clock"},
		{"sieve", "Sieve"},
		{"lfu", "LFU"},
		{"opt", "Belady"},
		{"gdsf", "GDSF"},
		{"mru", "MRU"},
	} {
		for _, mode := range []string{"obj", "byte"} {
			all = append(all, target{policy: same[0], algo: same[1], mode: mode})
		}
	}
	for _, t := range []target{
		{policy: "hyperbolic", algo: "Hyperbolic"},
		{policy: "lecar", algo: "LeCaR"},
		{policy: "lhd", algo: "LHD"},
		{policy: "random", algo: "Random", spread: .005, fault: unfair},
		{policy: "cacheus", algo: "Cacheus", fault: oldSRLRU},
	} {
		t.seeds = 3
		for _, t.mode = range []string{"obj", "byte"} {
			t.least, t.most, t.within = 0, 499, .02
			all = append(all, t)
			t.least, t.most, t.within = 500, 0, .01
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b target) int { return strings.Compare(a.policy, b.policy) })
	return all
}

// compares reports whether the target is compared with that row.
func (t *target) compares(r *reference) bool {
	return t.algo == r.algo && t.mode == r.mode && r.size >= t.least && (t.most == 0 || r.size <= t.most)
}

// leftOut says why a row is compared with nothing.
func (r *reference) leftOut() string {
	switch {
	case r.algo == "S3FIFO" && r.mode == "obj":
		return "below 20 objects its small queue has no room, so that it lets nothing in"
	case r.algo == "ARC" && r.mode == "byte":
		return "its target moves by a ratio and not by bytes"
	case r.algo == "WTinyLFU" || r.algo == "WTinyLFU_fix":
		return "it counts no hits in its window, and has none below 100 objects"
	case r.algo == "LIRS" || r.algo == "Caffeine:irr.Lirs":
		return "the authors' own is the reference"
	case r.algo == "Otter_v2":
		return "product:otter is compared with it where otter is"
	case r.mode == "byte" && (r.algo == "TwoQ" || r.algo == "SLRU"):
		return "nobody says what it does with bytes"
	case slices.Contains([]string{
		"Caffeine:adaptive.Arc", "Caffeine:greedy-dual.Gdsf", "Caffeine:linked.S4Lru", "Caffeine:two-queue.TuQueue",
	}, r.algo):
		return "another variant of what libCacheSim's is compared with"
	case strings.HasPrefix(r.algo, "Caffeine:sketch."):
		return "another climber than ours"
	}
	return "no policy of ours"
}
