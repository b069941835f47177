package evict

import (
	"fmt"
	"strconv"
)

// float returns the parameter called name, which must be from least to most.
func (s *Spec) float(name string, least, most float64) (float64, error) {
	v, err := strconv.ParseFloat(s.Params[name], 64)
	if err != nil || !(v >= least && v <= most) {
		return 0, fmt.Errorf("parameter %s=%q is no number from %v to %v", name, s.Params[name], least, most)
	}
	return v, nil
}

// int returns the parameter called name, which must be from least to most.
func (s *Spec) int(name string, least, most int) (int, error) {
	v, err := strconv.Atoi(s.Params[name])
	if err != nil || v < least || v > most {
		return 0, fmt.Errorf("parameter %s=%q is no whole number from %d to %d", name, s.Params[name], least, most)
	}
	return v, nil
}
