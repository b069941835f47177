package evict

import (
	"fmt"
	"strconv"
)

// share returns a parameter that is a part of the cache: from 0 to 1.
func (s *Spec) share(name string) (float64, error) {
	v, err := strconv.ParseFloat(s.Params[name], 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("parameter %s: %q is no number from 0 to 1", name, s.Params[name])
	}
	return v, nil
}

// count returns a parameter that is a whole number from low to high.
func (s *Spec) count(name string, low, high int) (int, error) {
	v, err := strconv.Atoi(s.Params[name])
	if err != nil || v < low || v > high {
		return 0, fmt.Errorf("parameter %s: %q is no whole number from %d to %d", name, s.Params[name], low, high)
	}
	return v, nil
}

// part returns that share of the capacity, rounded down.
func (s *Spec) part(share float64) uint64 { return uint64(share * float64(s.Capacity)) }

// most returns how many objects can be resident at once.
func (s *Spec) most() int {
	if s.Bytes {
		return s.Objects
	}
	return int(min(uint64(s.Objects), s.Capacity))
}
