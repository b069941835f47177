package sim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Assertion is something that must hold of a report: see ParseAssertion.
type Assertion struct {
	text, policy, metric, op string
	size                     *Size // nil is every size
	limit                    float64
}

// ParseAssertion returns what a text such as "lru.miss<=0.33" asserts: a policy, a metric, how it is compared, a number. The
// metrics are miss, byte_miss, cost_miss, expired, misses, gap, evictions, origin_bytes, write_amp, metadata and mreq, the
// comparisons <= >= < > ==. It is about every size, or with "lru@1%.miss<=0.33" about one.
func ParseAssertion(text string) (Assertion, error) {
	a := Assertion{text: text}
	bad := func(what string) (Assertion, error) {
		return Assertion{}, fmt.Errorf("assertion %q: %s: wanted is something like lru.miss<=0.33 or lru@1%%.byte_miss<0.5", text, what)
	}
	left, number, ok := a.cutOp(text)
	if !ok {
		return bad("it compares nothing")
	}
	limit, err := parseLimit(number)
	if err != nil {
		return bad(fmt.Sprintf("%q is no number", number))
	}
	a.limit = limit
	dot := strings.LastIndexByte(left, '.')
	if dot < 1 {
		return bad("it names no policy and metric")
	}
	a.policy, a.metric = strings.TrimSpace(left[:dot]), strings.TrimSpace(left[dot+1:])
	if _, ok := a.value(&Result{}); !ok {
		return bad(fmt.Sprintf("no metric is called %q: there are miss, byte_miss, cost_miss, expired, misses, gap, evictions, origin_bytes, write_amp, metadata, mreq", a.metric))
	}
	if policy, size, ok := strings.Cut(a.policy, "@"); ok {
		s, err := ParseSize(size)
		if err != nil {
			return bad(err.Error())
		}
		a.policy, a.size = policy, &s
	}
	return a, nil
}

// cutOp takes the text apart at the comparison, the last one: parameters of a policy have a "=" too.
func (a *Assertion) cutOp(text string) (left, right string, ok bool) {
	end := strings.LastIndexAny(text, "<>=")
	if end < 1 {
		return "", "", false
	}
	start := end
	if strings.ContainsRune("<>=", rune(text[end-1])) {
		start--
	}
	a.op = text[start : end+1]
	switch a.op {
	case "<=", ">=", "<", ">", "==":
		return text[:start], strings.TrimSpace(text[end+1:]), true
	}
	return "", "", false
}

// parseLimit reads a number or a percentage.
func parseLimit(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	limit, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || math.IsNaN(limit):
		return 0, fmt.Errorf("%q is no number", text)
	case percent:
		return limit / 100, nil
	default:
		return limit, nil
	}
}

// value returns the metric of a result, and whether there is such a metric. It is not a number where there is no value.
func (a *Assertion) value(p *Result) (v float64, ok bool) {
	switch a.metric {
	case "miss":
		return p.MissRatio, true
	case "byte_miss":
		return p.ByteMissRatio, true
	case "cost_miss":
		return orNaN(p.CostMissRatio), true
	case "expired":
		return p.unlessBound(ratio(float64(p.ExpiredMisses), float64(p.Requests))), true
	case "misses":
		return float64(p.Misses), true
	case "gap":
		return orNaN(p.Gap), true
	case "evictions":
		return p.unlessBound(float64(p.Evictions)), true
	case "origin_bytes":
		return float64(p.OriginBytes), true
	case "write_amp":
		return p.unlessBound(p.WriteAmplification), true
	case "metadata":
		if p.MetadataBytes == 0 {
			return math.NaN(), true
		}
		return p.MetadataBytes, true
	case "mreq":
		return p.MreqPerS, true
	default:
		return 0, false
	}
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// unlessBound is v, or not a number of what is no policy.
func (p *Result) unlessBound(v float64) float64 {
	if p.Bound {
		return math.NaN()
	}
	return v
}

func (a *Assertion) holds(v float64) bool {
	switch a.op {
	case "<=":
		return v <= a.limit
	case ">=":
		return v >= a.limit
	case "<":
		return v < a.limit
	case ">":
		return v > a.limit
	default:
		return v == a.limit
	}
}

// Check returns a line for each result of which the assertion does not hold. One that is about no result does not hold.
func (a Assertion) Check(r *Report) []string {
	size := uint64(0)
	if a.size != nil {
		total := uint64(r.Objects)
		if r.SizeMode == "byte" {
			total = r.Footprint
		}
		var err error
		if size, err = a.size.of(total, r.SizeMode == "byte"); err != nil {
			return []string{fmt.Sprintf("%s: %v", a.text, err)}
		}
	}
	var broken []string
	found := false
	for i := range r.Results {
		p := &r.Results[i]
		if p.Policy != a.policy || size != 0 && p.CacheSize != size {
			continue
		}
		found = true
		v, _ := a.value(p)
		switch {
		case p.Error != "":
			broken = append(broken, fmt.Sprintf("%s: at size %d the policy failed", a.text, p.CacheSize))
		case !a.holds(v):
			broken = append(broken, fmt.Sprintf("%s: at size %d it is %.6g", a.text, p.CacheSize, v))
		}
	}
	if !found {
		broken = append(broken, a.text+": there is no such policy and size in the results")
	}
	return broken
}
