package shadow

import "math"

// estimate is a figure and how far it may be off, by about two standard errors.
type estimate struct{ value, band float64 }

// series is what each group counts.
type series [groups]float64

// reads is what the sample counts of the reads, and how many it should have: one in 1<<shift of all.
type reads struct {
	sampled  series
	expected float64 // of each group; 0 where that is not known
	rate     float64
}

// total estimates the sum of y, which reads cause, over all groups, as if the sample had as many reads as it should.
//
// Few keys may have most of the reads. A sample that has one of them, or has not, has far too many reads or too few, most of
// which hit: then only the number of reads must be put right (SHARDS-adj). In other traffic, misses grow with the reads, and it
// is the ratio that counts. How much y grows with the reads from group to group tells between both: this is the regression
// estimator of W. G. Cochran, Sampling Techniques, chapter 7. How much it changes without one group or another tells how far
// it may be off: B. Efron, C. Stein, The jackknife estimate of variance, Annals of Statistics 9(3), 1981.
func (r *reads) total(y *series) estimate {
	m := new(moments)
	for i := range y {
		m.add(r.sampled[i], y[i], 1)
	}
	expected := m.x / m.n
	next := m.ratio
	if r.expected > 0 {
		expected, next = r.expected, m.regress
	}
	value := next(expected)
	var sum, squares float64
	for i := range y {
		m.add(r.sampled[i], y[i], -1)
		d := next(expected) - value
		sum, squares = sum+d, squares+d*d
		m.add(r.sampled[i], y[i], 1)
	}
	variance := (groups - 1) * (squares - sum*sum/groups) / groups
	return estimate{groups * value, 2 * groups * math.Sqrt(max(0, variance)*(1-r.rate))}
}

// moments are sums over groups.
type moments struct{ n, x, y, xx, xy float64 }

// add adds a group with sign 1, and takes it out with -1.
func (m *moments) add(x, y, sign float64) {
	m.n += sign
	m.x += sign * x
	m.y += sign * y
	m.xx += sign * x * x
	m.xy += sign * x * y
}

// regress returns what the mean of y would be if that of x were as expected.
func (m *moments) regress(expected float64) float64 {
	meanX, meanY := m.x/m.n, m.y/m.n
	varX, cov := m.xx/m.n-meanX*meanX, m.xy/m.n-meanX*meanY
	if varX <= 0 {
		return meanY
	}
	return meanY + cov/varX*(expected-meanX)
}

// ratio is regress for y that is a share of x.
func (m *moments) ratio(expected float64) float64 {
	if m.x == 0 {
		return 0
	}
	return m.y / m.x * expected
}

// all returns how many reads the sample should have, or has.
func (r *reads) all() float64 {
	if r.expected > 0 {
		return groups * r.expected
	}
	return groups * r.sampled.mean()
}

// ratio estimates the share of reads that y is of.
func (r *reads) ratio(y *series) estimate {
	all := r.all()
	if all == 0 {
		return estimate{}
	}
	e := r.total(y)
	return estimate{e.value / all, e.band / all}
}

// within keeps a ratio of what is a part between 0 and 1.
func (e estimate) within() estimate { return estimate{min(max(e.value, 0), 1), e.band} }

// quotient estimates y/of where reads cause both.
func (r *reads) quotient(y, of *series) estimate {
	total := r.total(of)
	if total.value <= 0 {
		return estimate{}
	}
	q := r.total(y).value / total.value
	var rest series // what y would be off if q were right
	for i := range rest {
		rest[i] = y[i] - q*of[i]
	}
	return estimate{q, r.total(&rest).band / total.value}
}

func (s *series) mean() (m float64) {
	for _, v := range s {
		m += v / groups
	}
	return m
}

// minus returns the differences.
func (s *series) minus(other *series) (d series) {
	for i := range s {
		d[i] = s[i] - other[i]
	}
	return d
}
