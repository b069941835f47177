package sim

import (
	"fmt"
	"math"
)

// Difference is a result whose miss ratios are others than in an earlier report.
type Difference struct {
	Text string
	// Worse says that it misses more, by more than what is tolerated.
	Worse bool
}

// Compare returns how r differs from an earlier report, in results that both have and in those that only the earlier one
// has, which are worse. tolerance is how much larger a miss ratio may be. Reports of different traces cannot be compared.
func (r *Report) Compare(old *Report, tolerance float64) ([]Difference, error) {
	if old.Requests != r.Requests || old.Objects != r.Objects || old.SizeMode != r.SizeMode {
		return nil, fmt.Errorf("the baseline has %d requests for %d objects in mode %s, this run %d for %d in mode %s",
			old.Requests, old.Objects, old.SizeMode, r.Requests, r.Objects, r.SizeMode)
	}
	var all []Difference
	for i := range old.Results {
		was := &old.Results[i]
		is := r.Find(was.Policy, was.CacheSize)
		where := fmt.Sprintf("%s at size %d", was.Policy, was.CacheSize)
		switch {
		case was.Error != "":
		case is == nil:
			all = append(all, Difference{where + " is not in this run", true})
		case is.Error != "":
			all = append(all, Difference{where + " failed", true})
		default:
			all = compareRatio(all, where+": miss ratio", was.MissRatio, is.MissRatio, tolerance)
			all = compareRatio(all, where+": byte miss ratio", was.ByteMissRatio, is.ByteMissRatio, tolerance)
		}
	}
	return all, nil
}

// compareRatio adds what differs in one number to all. Less than six digits show is the same.
func compareRatio(all []Difference, what string, was, is, tolerance float64) []Difference {
	more := is - was
	if math.Abs(more) < 5e-7 {
		return all
	}
	return append(all, Difference{fmt.Sprintf("%s was %.6f and is %.6f (%+.6f)", what, was, is, more), more > tolerance})
}
