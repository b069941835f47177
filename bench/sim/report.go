package sim

import (
	"math"
	"slices"
)

// Report is what a run came to. Its JSON is a contract: what is written today is a baseline later.
type Report struct {
	Trace  string `json:"trace"`
	Format string `json:"format,omitempty"`
	// Requests, Objects, Footprint and RequestBytes are of the whole trace. Without sizes, an object is one byte.
	Requests     int    `json:"requests"`
	Objects      int    `json:"objects"`
	Footprint    uint64 `json:"footprint_bytes"`
	RequestBytes uint64 `json:"request_bytes"`
	// SizeMode is what caches hold: "obj" or "byte".
	SizeMode string `json:"size_mode"`
	// Sample is how many samples of which share of the objects were looked at; nil if all of them were.
	Sample *Sample `json:"sample,omitempty"`
	// Results has the policies in the order in which they were asked for, each with the sizes from the smallest on.
	Results []Result `json:"results"`
}

// Sample describes the samples of a run.
type Sample struct {
	Rate  float64 `json:"rate"`
	Seeds int     `json:"seeds"`
	// Objects is how many the smallest one has.
	Objects int `json:"objects"`
}

// Result is what one policy did in a cache of one size. Of a policy that failed, only the fields up to Error are there.
type Result struct {
	Policy string `json:"policy"`
	// CacheSize is the capacity, of objects or of bytes.
	CacheSize uint64 `json:"cache_size"`
	// Error is why the policy failed, if it did.
	Error string `json:"error,omitempty"`
	// Requests and Misses are those that were replayed: of samples, in all of them together; with Options.LookAside, gets.
	Requests uint64 `json:"requests"`
	Misses   uint64 `json:"misses"`
	// MissRatio and ByteMissRatio are shares of the requests, and of the bytes asked for.
	MissRatio     float64 `json:"miss_ratio"`
	ByteMissRatio float64 `json:"byte_miss_ratio"`
	// CostMissRatio is what the misses cost, of what it would cost if all missed. nil where the trace has no costs.
	CostMissRatio *float64 `json:"cost_miss_ratio,omitempty"`
	// Bound says that this is no policy but what no policy misses less than. It has no evictions.
	Bound bool `json:"bound,omitempty"`
	// ExpiredMisses are those of Misses whose object was there, but older than it may be.
	ExpiredMisses uint64 `json:"expired_misses,omitempty"`
	// Evictions is how many objects came in and were thrown out. One that a policy does not let in does not count.
	Evictions uint64 `json:"evictions"`
	// OriginBytes are those of the misses, AdmittedBytes those of what came in; objects without sizes are one byte.
	OriginBytes   uint64 `json:"origin_bytes"`
	AdmittedBytes uint64 `json:"admitted_bytes"`
	// WriteAmplification is AdmittedBytes for each byte asked for: what a cache on flash writes.
	WriteAmplification float64 `json:"write_amplification"`
	// MetadataBytes is what the policy keeps for each object of the trace, when all were asked for. 0 where that is not known.
	MetadataBytes float64 `json:"metadata_bytes_per_object,omitempty"`
	// Gap is how much of the way from FIFO's misses to OPT's the policy goes: 1 is OPT, less than 0 is worse than FIFO. Where
	// caches hold bytes, OPT is no optimum, and the way is that to the bound of PFOO-L. nil where that was not asked for, or
	// where there is next to no way.
	Gap *float64 `json:"gap_closed,omitempty"`
	// MreqPerS is how many million requests were replayed in a second.
	MreqPerS float64 `json:"mreq_per_s"`
	// Estimate is how sure MissRatio is, if it comes from samples.
	Estimate *Estimate `json:"estimate,omitempty"`
}

// Estimate says how the miss ratios of samples differ. A sample in which a popular object is or is not has too many requests
// or too few, all of them hits. Raw divides misses by the requests that are in the sample; Adjusted by those that should be.
// Raw is better where popularity is even, Adjusted where it is not: the one whose ends are nearer to each other.
type Estimate struct {
	// Raw is Result.MissRatio and its smallest and largest value over the samples, Adjusted the same of the other way.
	Raw      Band `json:"raw"`
	Adjusted Band `json:"adjusted"`
}

// Best returns the estimate that differs less.
func (e *Estimate) Best() Band {
	if e.Adjusted.High-e.Adjusted.Low < e.Raw.High-e.Raw.Low {
		return e.Adjusted
	}
	return e.Raw
}

// Band is an estimate and the lowest and highest one of several samples.
type Band struct {
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// newReport sums up jobs, which are in the order policies, capacities, streams. The last policies may be those that only the
// gap wanted.
func newReport(o *Options, capacities []uint64, policies int, streams []*stream, jobs []*job) *Report {
	all := o.stream(whole(o.Trace))
	r := &Report{
		Trace: o.Trace.Name, Format: o.Trace.Format, Requests: len(all.ids), Objects: o.Trace.Objects,
		Footprint: o.Trace.Footprint, RequestBytes: o.Trace.Bytes(), SizeMode: "obj",
	}
	if o.Bytes {
		r.SizeMode = "byte"
	}
	if o.Sample > 0 {
		smallest := slices.MinFunc(streams, func(a, b *stream) int { return a.objects - b.objects })
		r.Sample = &Sample{Rate: o.Sample, Seeds: len(streams), Objects: smallest.objects}
	}
	for i := range policies * len(capacities) {
		of := jobs[i*len(streams) : (i+1)*len(streams)]
		r.Results = append(r.Results, newResult(of, capacities[i%len(capacities)], int(all.requests)))
	}
	if o.Gap {
		r.fillGap()
	}
	r.Results = r.Results[:len(o.Policies)*len(capacities)]
	return r
}

// newResult sums up the jobs of one policy and size, one for each sample, or one for all. expected is how many requests the
// trace has.
func newResult(jobs []*job, capacity uint64, expected int) Result {
	r := Result{Policy: jobs[0].policy.Name, CacheSize: capacity, Bound: jobs[0].policy.New == nil}
	var bytes, metadata, objects uint64
	var cost, missCost, seconds float64
	for _, j := range jobs {
		if j.err != nil {
			return Result{Policy: r.Policy, CacheSize: capacity, Error: j.err.Error()}
		}
		r.Requests += j.stream.requests
		r.Misses += j.misses
		r.ExpiredMisses += j.expired
		r.Evictions += j.evicted.objects
		r.OriginBytes += j.missBytes
		r.AdmittedBytes += j.admitted.bytes
		bytes += j.stream.bytes
		metadata += j.metadata
		objects += uint64(j.stream.objects)
		cost += j.stream.cost
		missCost += j.missCost
		seconds += j.elapsed.Seconds()
	}
	r.MissRatio = ratio(float64(r.Misses), float64(r.Requests))
	r.ByteMissRatio = ratio(float64(r.OriginBytes), float64(bytes))
	r.WriteAmplification = ratio(float64(r.AdmittedBytes), float64(bytes))
	r.MetadataBytes = math.Round(10*ratio(float64(metadata), float64(objects))) / 10
	r.MreqPerS = ratio(float64(r.Requests)/1e6, seconds)
	if jobs[0].stream.costs != nil && !r.Bound {
		share := ratio(missCost, cost)
		r.CostMissRatio = &share
	}
	if jobs[0].stream.rate < 1 {
		r.Estimate = newEstimate(jobs, float64(expected))
	}
	return r
}

func newEstimate(jobs []*job, expected float64) *Estimate {
	var raw, adjusted tally
	for _, j := range jobs {
		raw.add(float64(j.misses), float64(j.stream.requests))
		adjusted.add(float64(j.misses), expected*j.stream.rate)
	}
	return &Estimate{Raw: raw.band(), Adjusted: adjusted.band()}
}

// tally collects the shares of several samples.
type tally struct {
	part, all float64
	each      []float64
}

func (t *tally) add(part, all float64) {
	t.part += part
	t.all += all
	t.each = append(t.each, min(1, ratio(part, all)))
}

func (t *tally) band() Band {
	return Band{Ratio: min(1, ratio(t.part, t.all)), Low: slices.Min(t.each), High: slices.Max(t.each)}
}

// leastGap is the share of all requests below which FIFO and OPT are the same, so that there is no way between them.
const leastGap = 1e-4

// fillGap fills in Result.Gap where FIFO and OPT ran too.
func (r *Report) fillGap() {
	for i := range r.Results {
		p := &r.Results[i]
		worst, best := r.Find(worstName, p.CacheSize), r.Find(bestOf(r.SizeMode == "byte"), p.CacheSize)
		if worst == nil || best == nil || p.Error+worst.Error+best.Error != "" || worst.MissRatio-best.MissRatio < leastGap {
			continue
		}
		gap := (worst.MissRatio - p.MissRatio) / (worst.MissRatio - best.MissRatio)
		gap = math.Round(gap*1e6) / 1e6
		p.Gap = &gap
	}
}

// Find returns the result of that policy and size, or nil.
func (r *Report) Find(policy string, size uint64) *Result {
	i := slices.IndexFunc(r.Results, func(p Result) bool { return p.Policy == policy && p.CacheSize == size })
	if i < 0 {
		return nil
	}
	return &r.Results[i]
}

// Failed returns the results of policies that failed.
func (r *Report) Failed() []Result {
	return slices.DeleteFunc(slices.Clone(r.Results), func(p Result) bool { return p.Error == "" })
}

func ratio(part, all float64) float64 {
	if all == 0 {
		return 0
	}
	return part / all
}
