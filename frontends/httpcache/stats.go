package httpcache

import "sync/atomic"

// Stats is what a Cache has counted since it was made.
type Stats struct {
	Requests int64 `json:"requests"`
	// Hits counts answers from what is stored, Stale those of them that were no longer fresh, NotModified those without a body
	// because the client has it, Partial those of ranges.
	Hits        int64 `json:"hits"`
	Stale       int64 `json:"stale"`
	NotModified int64 `json:"not_modified"`
	Partial     int64 `json:"partial"`
	// Misses counts requests for which nothing was stored that could be used, Validated those answered with what the origin
	// confirmed by 304, Passed those that caching has nothing to do with.
	Misses    int64 `json:"misses"`
	Validated int64 `json:"validated"`
	Passed    int64 `json:"passed"`
	// Fetches counts requests sent to the origin, Failures those that brought no response, Collapsed the requests that another's
	// fetch served, Refreshes fetches in the background.
	Fetches   int64 `json:"fetches"`
	Failures  int64 `json:"failures"`
	Collapsed int64 `json:"collapsed"`
	Refreshes int64 `json:"refreshes"`
	// Resumed counts answers of which the store lost bytes while they were read, so that the origin sent the rest.
	Resumed int64 `json:"resumed"`
	// Stored counts responses that were stored, Aborted those that broke off, Unstored those that the store could not keep, or
	// of which it has lost bytes.
	Stored   int64 `json:"stored"`
	Aborted  int64 `json:"aborted"`
	Unstored int64 `json:"unstored"`
	// Invalidated counts keys that unsafe methods made void.
	Invalidated int64 `json:"invalidated"`
	// Compressions counts bodies that were compressed, from CompressedFrom bytes to CompressedTo.
	Compressions   int64 `json:"compressions"`
	CompressedFrom int64 `json:"compressed_from_bytes"`
	CompressedTo   int64 `json:"compressed_to_bytes"`
	// Purged counts what purges named.
	Purged int64 `json:"purged"`
	// Filling is how many fetches are under way that are stored, Waiting how many requests wait for a header.
	Filling int64 `json:"filling"`
	Waiting int64 `json:"waiting"`
}

// counts are the counters behind Stats.
type counts struct {
	requests, hits, stale, notModified, partial      atomic.Int64
	misses, validated, passed                        atomic.Int64
	fetches, failures, collapsed, refreshes, resumed atomic.Int64
	stored, aborted, unstored, invalidated           atomic.Int64
	filling, waiting, purged                         atomic.Int64
	compressions, compressedFrom, compressedTo       atomic.Int64
}

// Stats returns what c has counted since it was made.
func (c *Cache) Stats() Stats {
	n := &c.counts
	return Stats{
		Requests: n.requests.Load(), Hits: n.hits.Load(), Stale: n.stale.Load(), NotModified: n.notModified.Load(),
		Partial: n.partial.Load(), Misses: n.misses.Load(), Validated: n.validated.Load(), Passed: n.passed.Load(),
		Fetches: n.fetches.Load(), Failures: n.failures.Load(), Collapsed: n.collapsed.Load(), Refreshes: n.refreshes.Load(), Resumed: n.resumed.Load(),
		Stored: n.stored.Load(), Aborted: n.aborted.Load(), Unstored: n.unstored.Load(), Invalidated: n.invalidated.Load(),
		Compressions: n.compressions.Load(), CompressedFrom: n.compressedFrom.Load(), CompressedTo: n.compressedTo.Load(),
		Purged: n.purged.Load(), Filling: n.filling.Load(), Waiting: n.waiting.Load(),
	}
}
