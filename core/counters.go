package core

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// counters count commands and lookups. They are striped so that goroutines seldom share a cache line.
type counters struct {
	stripes []stripe
	shift   uint
}

// stripe is one goroutine's share of the counts, more or less.
type stripe struct {
	quick      atomic.Uint64 // hits of OpGet in the nearest tier with nothing else to do: command and lookup in one
	commands   [opCount][outcomeCount]atomic.Uint64
	manyHits   atomic.Uint64 // keys of OpGetMany
	manyMisses atomic.Uint64
	tiers      [maxTiers]lookups
	collapsed  atomic.Uint64
	undecoded  atomic.Uint64
	loads      loadCounts
	_          [64]byte
}

// loadCounts are what LoadStats shows.
type loadCounts struct{ calls, failures, joined, troubles atomic.Uint64 }

// lookups are a tier's reads.
type lookups struct{ hits, misses, errors atomic.Uint64 }

func newCounters() *counters {
	n, bits := 2, uint(1)
	for n < 2*runtime.GOMAXPROCS(0) && n < 64 {
		n, bits = n*2, bits+1
	}
	return &counters{stripes: make([]stripe, n), shift: 64 - bits}
}

// local returns the calling goroutine's stripe.
func (c *counters) local() *stripe { return &c.stripes[stackHash()>>c.shift] }

// stackHash is a number that differs between goroutines, mostly: where the stack lies. A hint only, it costs a nanosecond.
func stackHash() uint64 {
	var here byte
	return uint64(uintptr(unsafe.Pointer(&here))>>12) * 0x9e3779b97f4a7c15
}

func (s *stripe) command(op Op, o Outcome) { s.commands[op][o].Add(1) }

// Stats is what a cache has counted.
type Stats struct {
	// Commands counts commands that reached Do, by operation and outcome. A command on many keys counts once, as the
	// best of its keys' outcomes.
	Commands [OpCount][OutcomeCount]uint64
	// Hits and Misses count the keys read by OpGet and OpGetMany.
	Hits, Misses uint64
	// Collapsed counts the reads that joined another's load of the same key.
	Collapsed uint64
	// DecodeErrors counts the hits that a Typed could not read, damaged or of another codec: misses to its callers.
	DecodeErrors uint64
	// Loads are what GetOrLoad, Memoize and their like have done.
	Loads LoadStats
	// Tiers are in the cache's order.
	Tiers []TierStats
}

// LoadStats is what was counted of loaders.
type LoadStats struct {
	// Calls counts the calls of loaders, Failures those that ended with an error other than ErrNotFound.
	Calls, Failures uint64
	// Joined counts who waited for another's call, by key.
	Joined uint64
	// Troubles counts the failures of the cache that callers did not see.
	Troubles uint64
}

// TierStats is what one tier has counted.
type TierStats struct {
	Name string
	// Hits, Misses and Errors count keys looked up. A lookup that the tier did not answer is a miss to the command.
	Hits, Misses, Errors uint64
	// Failures counts the calls of any kind that a remote tier did not answer, those the breaker held back included.
	Failures uint64
	// Breaker is "closed", "open" or "half-open", "" for a tier that has none.
	Breaker string
	// Entries and Bytes are what a local tier holds, -1 where unknown.
	Entries, Bytes int64
	// Evictions counts the entries the tier's policy threw out, DecodeErrors the damaged ones it read as misses.
	Evictions, DecodeErrors int64
	// Policy is the name of a local tier's policy of eviction, "" for what has none. PolicyError is why another one, which was
	// asked for, failed, "" if none did.
	Policy, PolicyError string
}

// Total returns how many commands there were.
func (s *Stats) Total() (n uint64) {
	for _, outcomes := range s.Commands {
		for _, c := range outcomes {
			n += c
		}
	}
	return n
}

// total adds up what was counted since the cache was made.
func (e *engine) total() Stats {
	s := Stats{Tiers: make([]TierStats, len(e.tiers))}
	for i := range e.tiers {
		s.Tiers[i] = e.tiers[i].snapshot()
	}
	for i := range e.counters.stripes {
		s.add(&e.counters.stripes[i])
	}
	s.Hits += s.Commands[OpGet][OutcomeHit]
	s.Misses += s.Commands[OpGet][OutcomeMiss] + s.Commands[OpGet][OutcomeBypass]
	return s
}

func (s *Stats) add(from *stripe) {
	for op := range from.commands {
		for o := range from.commands[op] {
			s.Commands[op][o] += from.commands[op][o].Load()
		}
	}
	quick := from.quick.Load()
	s.Commands[OpGet][OutcomeHit] += quick
	s.Tiers[0].Hits += quick
	s.Hits += from.manyHits.Load()
	s.Misses += from.manyMisses.Load()
	s.Collapsed += from.collapsed.Load()
	s.DecodeErrors += from.undecoded.Load()
	s.Loads.Calls += from.loads.calls.Load()
	s.Loads.Failures += from.loads.failures.Load()
	s.Loads.Joined += from.loads.joined.Load()
	s.Loads.Troubles += from.loads.troubles.Load()
	for i := range s.Tiers {
		s.Tiers[i].Hits += from.tiers[i].hits.Load()
		s.Tiers[i].Misses += from.tiers[i].misses.Load()
		s.Tiers[i].Errors += from.tiers[i].errors.Load()
	}
}
