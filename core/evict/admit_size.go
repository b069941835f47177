package evict

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeLimit keeps out what is larger than a limit: one large object pushes out many small ones.
type sizeLimit struct{ most uint64 }

func newSizeLimit(s Spec) (admission, error) {
	most, err := parseLimit(s.Params["max"], s.Capacity)
	if err != nil {
		return nil, fmt.Errorf("parameter max=%q: %w", s.Params["max"], err)
	}
	return &sizeLimit{most}, nil
}

func (a *sizeLimit) hit(uint32)                                {}
func (a *sizeLimit) admits(_ uint32, size uint32, _ bool) bool { return uint64(size) <= a.most }

// parseLimit reads bytes, with a unit or without, or a share of the capacity.
func parseLimit(text string, capacity uint64) (uint64, error) {
	number, factor := cutUnit(text)
	if share, ok := strings.CutSuffix(text, "%"); ok {
		number, factor = share, float64(capacity)/100
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0) || n*factor >= math.MaxUint64 {
		return 0, errSize
	}
	return uint64(n * factor), nil
}

// cutUnit takes a unit of bytes from the end of text.
func cutUnit(text string) (number string, factor float64) {
	for i, prefix := range []string{"K", "M", "G", "T"} {
		if number, ok := strings.CutSuffix(text, prefix+"iB"); ok {
			return number, math.Pow(1024, float64(i+1))
		}
		if number, ok := strings.CutSuffix(text, prefix+"B"); ok {
			return number, math.Pow(1000, float64(i+1))
		}
	}
	return strings.TrimSuffix(text, "B"), 1
}
