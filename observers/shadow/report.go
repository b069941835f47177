package shadow

import (
	"fmt"
	"math"
)

// Report is what the shadow caches tell. Ratios are from 0 to 1, and a band is how far the figure before it may be off, by
// about two standard errors.
type Report struct {
	// Advice is what follows from it.
	Advice Advice `json:"advice"`
	// Results are one for each policy and size, by policy and then size.
	Results []Result `json:"results"`
	// Live is what the tier itself missed of the sampled reads.
	Live Ratio `json:"live"`
	// Sample says what all this rests on.
	Sample Sample `json:"sample"`
	// ReadsPerSecond and BytesPerSecond are what is read from the cache, hits and misses, lately.
	ReadsPerSecond float64 `json:"reads_per_second"`
	BytesPerSecond float64 `json:"bytes_per_second"`
}

// Ratio is an estimated ratio.
type Ratio struct {
	Ratio float64 `json:"ratio"`
	Band  float64 `json:"band"`
}

// Result is one policy at one size.
type Result struct {
	Policy string `json:"policy"`
	// Bytes is the size of the tier that it stands for, Factor the same as a multiple of what there is.
	Bytes  int64   `json:"bytes"`
	Factor float64 `json:"factor"`
	// Current marks the policy and size that the tier has.
	Current bool `json:"current,omitempty"`
	// Miss is the share of reads that miss, ByteMiss that of the bytes that are read.
	Miss     Ratio `json:"miss"`
	ByteMiss Ratio `json:"byte_miss"`
	// Gain is how much less than now is missed. Its band is narrower than those of both, since the sample is the same.
	Gain Ratio `json:"gain"`
	// SavedPerSecond is how many bytes less than now come from the origin.
	SavedPerSecond float64 `json:"saved_bytes_per_second"`
	// Error is what the policy did wrong, "" for nothing. It has no figures then.
	Error string `json:"error,omitempty"`
}

// Sample says what is looked at.
type Sample struct {
	// OneIn is how many keys there are for each that is looked at, Objects how many objects these are, at most.
	OneIn   uint64 `json:"one_in"`
	Objects int    `json:"objects"`
	// Reads is how many sampled reads there were since the rate last changed, and Needed how many there must be.
	Reads  int `json:"reads"`
	Needed int `json:"needed"`
	// Lost is how many sampled events were not looked at, since the process began.
	Lost uint64 `json:"lost"`
	// Seconds is the time that the figures are of, old times counting less.
	Seconds float64 `json:"seconds"`
}

// The actions of an advice.
const (
	Wait   = "wait"   // there was not enough traffic yet
	Stay   = "stay"   // nothing is better by more than it may be off
	Switch = "switch" // Policy is
)

// Advice is what to do.
type Advice struct {
	Action string `json:"action"`
	// Policy and Bytes are the best policy at the size that the tier has; the current one unless Action is Switch.
	Policy string `json:"policy"`
	Bytes  int64  `json:"bytes"`
	// Gain is how much less it misses than the current one.
	Gain Ratio `json:"gain"`
	// SavedPerSecond is how many bytes less come from the origin.
	SavedPerSecond float64 `json:"saved_bytes_per_second"`
	// Text is all this in words, Sizes what the best policy at each other size would do.
	Text  string   `json:"text"`
	Sizes []string `json:"sizes,omitempty"`
}

// minGain is the least gain that is worth a change.
const minGain = 0.002

// needed is how many epochs must be counted before there is any advice.
const needed = 2

// report returns what is known now.
func (l *live) report() *Report {
	l.flush()
	f := l.figures()
	missed := l.missed.requests()
	r := &Report{
		Live: ratio(f.reads.ratio(&missed).within()), Sample: l.sampleNow(f.seconds),
		ReadsPerSecond: f.perSecond(f.reads.all()), BytesPerSecond: f.perSecond(f.reads.total(&f.bytes).value),
	}
	current := l.current()
	for _, c := range l.caches {
		r.Results = append(r.Results, f.result(c, current, l.o.Bytes))
	}
	l.widen(r.Results)
	r.Advice = r.advise(l.o)
	return r
}

func ratio(e estimate) Ratio { return Ratio{Ratio: e.value, Band: e.band} }

// current returns the cache that is as the tier is.
func (l *live) current() *cache {
	for _, c := range l.caches {
		if c.name == l.o.Current && c.factor == 1 {
			return c
		}
	}
	return nil // withDefaults has put it there
}

func (l *live) sampleNow(seconds float64) Sample {
	s := Sample{OneIn: 1 << l.shift, Objects: l.objects.n, Reads: l.seen, Lost: l.lost.Load(), Seconds: seconds}
	if l.filled {
		s.Needed = l.seen + max(0, needed*epoch-l.folded*epoch-int(l.readsNow()))
	} else {
		s.Needed = max(l.warmUp(), l.seen) + needed*epoch
	}
	return s
}

// figures are what all estimates need.
type figures struct {
	reads   reads
	bytes   series
	seconds float64
}

func (l *live) figures() *figures {
	w := l.window.at(l, 1)
	f := &figures{seconds: w.seconds, bytes: l.reads.amounts()}
	f.reads = reads{sampled: l.reads.requests(), rate: 1 / float64(uint64(1)<<l.shift)}
	if l.o.Reads != nil && !w.holes && l.shift > 0 {
		f.reads.expected = w.reads * f.reads.rate / groups
	}
	return f
}

// perSecond returns what all keys have, lately, where the sample has total.
func (f *figures) perSecond(total float64) float64 {
	if f.seconds <= 0 {
		return 0
	}
	return total / f.reads.rate / f.seconds
}

func (f *figures) result(c, current *cache, bytes int64) Result {
	out := Result{Policy: c.name, Bytes: int64(float64(bytes) * c.factor), Factor: c.factor, Current: c == current}
	for _, of := range []*cache{c, current} {
		if of.err != nil {
			out.Error = of.name + ": " + of.err.Error()
			return out
		}
	}
	missed, missedBytes := c.misses.requests(), c.misses.amounts()
	now, nowBytes := current.misses.requests(), current.misses.amounts()
	less, lessBytes := now.minus(&missed), nowBytes.minus(&missedBytes)
	out.Miss = ratio(f.reads.ratio(&missed).within())
	out.ByteMiss = ratio(f.reads.quotient(&missedBytes, &f.bytes).within())
	out.Gain = ratio(f.reads.ratio(&less))
	out.SavedPerSecond = f.perSecond(f.reads.total(&lessBytes).value)
	return out
}

// widen adds to the bands what comes from the caches being scaled by the rate, while the objects of the sample, which
// compete for them, are a little more or less than that share: as if the tier had another size.
func (l *live) widen(results []Result) {
	sizes := len(l.o.Sizes)
	slopes := make([]Ratio, len(results)) // of Miss and, in Band, of ByteMiss
	now := Ratio{}
	for i := range results {
		slopes[i] = slope(results[i-i%sizes:][:sizes], i%sizes)
		if results[i].Current {
			now = slopes[i]
		}
	}
	for i := range results {
		r, at := &results[i], slopes[i]
		off := 2 * l.objects.spread(l.caches[i].capacity, l.shift)
		r.Miss.Band = math.Hypot(r.Miss.Band, off*at.Ratio)
		r.ByteMiss.Band = math.Hypot(r.ByteMiss.Band, off*at.Band)
		r.Gain.Band = math.Hypot(r.Gain.Band, off*(at.Ratio-now.Ratio))
	}
}

// slope returns how much ratios change with the logarithm of the size, at one of the sizes of a policy.
func slope(of []Result, at int) Ratio {
	low, high := &of[max(at-1, 0)], &of[min(at+1, len(of)-1)]
	if low == high {
		return Ratio{}
	}
	step := math.Log(high.Factor / low.Factor)
	return Ratio{(high.Miss.Ratio - low.Miss.Ratio) / step, (high.ByteMiss.Ratio - low.ByteMiss.Ratio) / step}
}

// advise tells what follows from the results.
func (r *Report) advise(o *Options) Advice {
	a := Advice{Action: Stay, Policy: o.Current, Bytes: o.Bytes}
	if r.Sample.Reads < r.Sample.Needed {
		a.Action = Wait
		a.Text = fmt.Sprintf("not enough traffic yet: %d of %d sampled reads", r.Sample.Reads, r.Sample.Needed)
		return a
	}
	best := r.best(1)
	switch {
	case best == nil:
		a.Text = fmt.Sprintf("stay with %s: nothing can be compared, as it failed", o.Current)
	case best.Gain.Ratio < minGain || best.Gain.Ratio <= best.Gain.Band:
		a.Text = fmt.Sprintf("stay with %s at %s: nothing misses less by more than it may be off", o.Current, FormatBytes(o.Bytes))
	default:
		a.Action, a.Policy, a.Gain, a.SavedPerSecond = Switch, best.Policy, best.Gain, best.SavedPerSecond
		a.Text = fmt.Sprintf("switch to %s at %s: %s", a.Policy, FormatBytes(o.Bytes), best.change())
	}
	if r.Sample.OneIn > 1 && r.Sample.Objects < minObjects {
		a.Text += fmt.Sprintf(" (from %d objects alone: more would cost too much at this traffic)", r.Sample.Objects)
	}
	for _, factor := range o.Sizes {
		if b := r.best(factor); b != nil && factor != 1 {
			a.Sizes = append(a.Sizes, fmt.Sprintf("at %s %s is best: %s", FormatBytes(b.Bytes), b.Policy, b.change()))
		}
	}
	return a
}

// best returns what misses least at a size, or nil if all failed.
func (r *Report) best(factor float64) (best *Result) {
	for i := range r.Results {
		if c := &r.Results[i]; c.Factor == factor && c.Error == "" && (best == nil || c.Gain.Ratio > best.Gain.Ratio) {
			best = c
		}
	}
	return best
}

// change says what would be different.
func (r *Result) change() string {
	verb := "saves"
	if r.SavedPerSecond < 0 {
		verb = "adds"
	}
	return fmt.Sprintf("%+.1f points of miss ratio (± %.1f), %s %s/s of origin traffic",
		-100*r.Gain.Ratio, 100*r.Gain.Band, verb, formatRate(math.Abs(r.SavedPerSecond)))
}

// FormatBytes writes a size as people do: "256 MiB".
func FormatBytes(n int64) string {
	value, unit := float64(n), 0
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB"}
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.4g %s", value, units[unit])
}

// formatRate writes bytes in powers of ten, as networks have them.
func formatRate(n float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= u.size {
			return fmt.Sprintf("%.3g %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g B", n)
}
