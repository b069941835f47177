package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// What the table and the page say alike.

// Headline says what was simulated.
func (r *Report) Headline() string {
	text := fmt.Sprintf("%s: %s requests for %s objects", r.Trace, grouped(uint64(r.Requests)), grouped(uint64(r.Objects)))
	if r.Footprint > 0 && r.hasSizes() {
		text += ", " + bytesText(r.Footprint)
	}
	if s := r.Sample; s != nil {
		text += fmt.Sprintf("; %d samples of %.3g %% of the objects, %s at least", s.Seeds, 100*s.Rate, grouped(uint64(s.Objects)))
	}
	return text
}

// sizeLine says how large a cache is.
func (r *Report) sizeLine(size uint64) string {
	if r.SizeMode == "byte" {
		return fmt.Sprintf("cache of %s, %s of all bytes", bytesText(size), percentText(size, r.Footprint))
	}
	return fmt.Sprintf("cache of %s objects, %s of all", grouped(size), percentText(size, uint64(r.Objects)))
}

// CacheSizes returns the sizes, the smallest first.
func (r *Report) CacheSizes() []uint64 {
	var all []uint64
	for _, p := range r.Results {
		all = append(all, p.CacheSize)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ranking returns the results of one size, those that miss least first, failed ones last.
func (r *Report) ranking(size uint64) []Result {
	all := slices.DeleteFunc(slices.Clone(r.Results), func(p Result) bool { return p.CacheSize != size })
	slices.SortStableFunc(all, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Error, b.Error), cmp.Compare(a.MissRatio, b.MissRatio))
	})
	return all
}

// grouped is a number with a thin mark between thousands: 1,234,567.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// bytesText is a number of bytes in the unit that is nearest: 512 MiB.
func bytesText(n uint64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	return fmt.Sprintf("%.4g %s", size, unit)
}

// percentText is a share with as many digits as say something.
func percentText(part, all uint64) string {
	return fmt.Sprintf("%.3g %%", 100*ratio(float64(part), float64(all)))
}
