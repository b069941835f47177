package sim

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// Size is how large a cache is: see ParseSize.
type Size struct {
	text  string
	share *big.Rat // of everything, if not nil
	count uint64
	unit  bool // count is of bytes, whatever caches hold
}

// String returns what the size was parsed from.
func (s Size) String() string { return s.text }

// ParseSizes returns the sizes that words say.
func ParseSizes(words []string) ([]Size, error) {
	all := make([]Size, 0, len(words))
	for _, word := range words {
		s, err := ParseSize(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// ParseSize returns the size that text says: "5000" is objects, or bytes where caches hold bytes; "0.1%" is of all objects,
// or of the bytes of all objects, rounded down, but 1 at least; "512MiB", "2GB" are bytes.
func ParseSize(text string) (Size, error) {
	number, share := strings.CutSuffix(text, "%")
	factor, unit := uint64(1), false
	if !share {
		number, factor, unit = cutUnit(text)
	}
	n, ok := new(big.Rat).SetString(number)
	if !ok || n.Sign() <= 0 || strings.ContainsAny(number, "/eEpPxXoObB_") {
		return Size{}, fmt.Errorf("size %q: a count, a percentage or bytes are wanted, as in 5000, 0.1%% or 512MiB", text)
	}
	s := Size{text: text, unit: unit}
	if share {
		s.share = n.Quo(n, big.NewRat(100, 1))
		return s, nil
	}
	n.Mul(n, new(big.Rat).SetUint64(factor))
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	if !whole.IsUint64() || whole.Sign() == 0 || !unit && !n.IsInt() {
		return Size{}, fmt.Errorf("size %q is not possible", text)
	}
	s.count = whole.Uint64()
	return s, nil
}

// cutUnit takes a unit of bytes from the end of text.
func cutUnit(text string) (number string, factor uint64, unit bool) {
	for i, prefix := range []string{"K", "M", "G", "T"} {
		if number, ok := strings.CutSuffix(text, prefix+"iB"); ok {
			return number, 1 << (10 * (i + 1)), true
		}
		if number, ok := strings.CutSuffix(text, prefix+"B"); ok {
			return number, uint64(math.Pow10(3 * (i + 1))), true
		}
	}
	number, unit = strings.CutSuffix(text, "B")
	return number, 1, unit
}

// of returns the capacity, total being that of a cache in which everything fits.
func (s Size) of(total uint64, bytes bool) (uint64, error) {
	if s.unit && !bytes {
		return 0, fmt.Errorf("sim: size %s is bytes, and these caches hold objects: add --bytes", s)
	}
	if s.share == nil {
		return s.count, nil
	}
	part := new(big.Rat).Mul(s.share, new(big.Rat).SetUint64(total))
	whole := new(big.Int).Quo(part.Num(), part.Denom())
	if !whole.IsUint64() {
		return 0, fmt.Errorf("sim: size %s is not possible", s)
	}
	return max(1, whole.Uint64()), nil
}

// CurveSizes returns n sizes from 0.1 % to everything, each larger than the one before by the same factor.
func CurveSizes(n int) []Size {
	all := make([]Size, 0, n)
	for i := range n {
		percent := math.Pow(10, -1+3*float64(i)/float64(max(1, n-1)))
		share := new(big.Rat).SetFloat64(percent / 100)
		all = append(all, Size{text: fmt.Sprintf("%.3g%%", percent), share: share})
	}
	if n > 1 {
		all[n-1].share = big.NewRat(1, 1)
	}
	return all
}
