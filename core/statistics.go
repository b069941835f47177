package core

import "sync"

// statistics are what Stats leaves out of the counters, which themselves go on for ever as metrics want them. So counting
// costs the same whether it is paused or not.
type statistics struct {
	mu     sync.Mutex
	base   Stats // what was counted before ResetStats, and while it was paused
	paused *Stats
}

// Stats returns a snapshot of what was counted since the cache was made, or ResetStats was called, without what was counted
// between PauseStats and ResumeStats. Counts that belong together may be a command apart.
func (c *Cache) Stats() Stats {
	e := c.engine
	e.statistics.mu.Lock()
	defer e.statistics.mu.Unlock()
	s := e.total()
	if paused := e.statistics.paused; paused != nil {
		s.counts(paused, copyCount)
	}
	s.counts(&e.statistics.base, minusCount)
	return s
}

// ResetStats begins all counts of Stats anew. The metrics go on.
func (c *Cache) ResetStats() {
	e := c.engine
	e.statistics.mu.Lock()
	defer e.statistics.mu.Unlock()
	e.statistics.base = e.total()
	if e.statistics.paused != nil {
		now := e.statistics.base
		e.statistics.paused = &now
	}
}

// PauseStats stops the counts of Stats where they are, until ResumeStats. What the tiers hold is still as it is now.
func (c *Cache) PauseStats() {
	e := c.engine
	e.statistics.mu.Lock()
	defer e.statistics.mu.Unlock()
	if e.statistics.paused == nil {
		now := e.total()
		e.statistics.paused = &now
	}
}

// ResumeStats lets the counts of Stats go on after PauseStats.
func (c *Cache) ResumeStats() {
	e := c.engine
	e.statistics.mu.Lock()
	defer e.statistics.mu.Unlock()
	paused := e.statistics.paused
	if paused == nil {
		return
	}
	e.statistics.paused = nil
	skipped := e.total()
	skipped.counts(paused, minusCount)
	skipped.counts(&e.statistics.base, plusCount)
	e.statistics.base = skipped
}

// StatsPaused reports whether PauseStats is in force.
func (c *Cache) StatsPaused() bool {
	e := c.engine
	e.statistics.mu.Lock()
	defer e.statistics.mu.Unlock()
	return e.statistics.paused != nil
}

func copyCount(_, from uint64) uint64 { return from }
func plusCount(a, b uint64) uint64    { return a + b }
func minusCount(a, b uint64) uint64   { return a - min(a, b) }

// counts applies f to every count that only grows, with the other's. A Stats without tiers is one of zeros.
func (s *Stats) counts(o *Stats, f func(a, b uint64) uint64) {
	for op := range s.Commands {
		for i := range s.Commands[op] {
			s.Commands[op][i] = f(s.Commands[op][i], o.Commands[op][i])
		}
	}
	s.Hits, s.Misses, s.Collapsed = f(s.Hits, o.Hits), f(s.Misses, o.Misses), f(s.Collapsed, o.Collapsed)
	for i := range s.Tiers {
		var other TierStats
		if i < len(o.Tiers) {
			other = o.Tiers[i]
		}
		s.Tiers[i].counts(&other, f)
	}
}

func (t *TierStats) counts(o *TierStats, f func(a, b uint64) uint64) {
	t.Hits, t.Misses, t.Errors = f(t.Hits, o.Hits), f(t.Misses, o.Misses), f(t.Errors, o.Errors)
	t.Failures = f(t.Failures, o.Failures)
	t.Evictions = int64(f(uint64(t.Evictions), uint64(o.Evictions)))
	t.DecodeErrors = int64(f(uint64(t.DecodeErrors), uint64(o.DecodeErrors)))
}

// Accesses returns how many keys were read.
func (s *Stats) Accesses() uint64 { return s.Hits + s.Misses }

// HitRate returns the share of the keys read that were there, 0 where none was read.
func (s *Stats) HitRate() float64 { return share(s.Hits, s.Accesses()) }

// MissRate returns the share of the keys read that were not there, 0 where none was read.
func (s *Stats) MissRate() float64 { return share(s.Misses, s.Accesses()) }

// EvictionRate returns how many entries the tiers threw out for each key read, 0 where none was read.
func (s *Stats) EvictionRate() float64 { return share(s.Evictions(), s.Accesses()) }

// Evictions returns how many entries the policies of all tiers threw out.
func (s *Stats) Evictions() (n uint64) {
	for i := range s.Tiers {
		n += uint64(s.Tiers[i].Evictions)
	}
	return n
}

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
