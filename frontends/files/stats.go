package files

import "sync/atomic"

// Stats is what a Handler has counted.
type Stats struct {
	Requests int64 `json:"requests"`
	// Hits and Misses count bodies that the cache had, and those that it had not.
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
	// Streamed counts answers from files that are not cached.
	Streamed int64 `json:"streamed"`
	// NotModified, Partial, Unsatisfiable, Failed (412), Redirects and Refused (403, 404, 405, 406, 500) count other answers.
	NotModified   int64 `json:"not_modified"`
	Partial       int64 `json:"partial"`
	Unsatisfiable int64 `json:"unsatisfiable"`
	Failed        int64 `json:"precondition_failed"`
	Redirects     int64 `json:"redirects"`
	Refused       int64 `json:"refused"`
	// Errors counts files that could not be read, Unkept what the cache could not store or drop.
	Errors int64 `json:"errors"`
	Unkept int64 `json:"unkept"`
	// Sent is the bytes of bodies that were sent.
	Sent int64 `json:"sent_bytes"`
	// Compressions counts bodies that were compressed, from CompressedFrom bytes to CompressedTo.
	Compressions   int64 `json:"compressions"`
	CompressedFrom int64 `json:"compressed_from_bytes"`
	CompressedTo   int64 `json:"compressed_to_bytes"`
	// Invalidations counts what was dropped because of changes: files, trees of them and the whole. Overflows counts how often
	// there were more than the system could tell, Rechecks looks at files because it does not tell.
	Invalidations int64 `json:"invalidations"`
	Overflows     int64 `json:"overflows"`
	Rechecks      int64 `json:"rechecks"`
	// Watching says whether changes are noticed, in Folders folders.
	Watching bool  `json:"watching"`
	Folders  int64 `json:"folders"`
}

// counts are the counters behind Stats.
type counts struct {
	requests, hits, misses, streamed                                  atomic.Int64
	notModified, partial, unsatisfiable, failed, redirects, refused   atomic.Int64
	errors, unkept, bytes, compressions, compressedFrom, compressedTo atomic.Int64
	invalidations, overflows, rechecks                                atomic.Int64
}

func (c *counts) sent(n int64, _ error) { c.bytes.Add(n) } // an error is the client's

func (c *counts) compressed(from, to int) {
	c.compressions.Add(1)
	c.compressedFrom.Add(int64(from))
	c.compressedTo.Add(int64(to))
}

// Stats returns what the Handler has counted since it was made.
func (h *Handler) Stats() Stats {
	c := &h.stats
	s := Stats{
		Requests: c.requests.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(), Streamed: c.streamed.Load(),
		NotModified: c.notModified.Load(), Partial: c.partial.Load(), Unsatisfiable: c.unsatisfiable.Load(),
		Failed: c.failed.Load(), Redirects: c.redirects.Load(), Refused: c.refused.Load(),
		Errors: c.errors.Load(), Unkept: c.unkept.Load(), Sent: c.bytes.Load(),
		Compressions: c.compressions.Load(), CompressedFrom: c.compressedFrom.Load(), CompressedTo: c.compressedTo.Load(),
		Invalidations: c.invalidations.Load(), Overflows: c.overflows.Load(), Rechecks: c.rechecks.Load(),
		Watching: h.watching(),
	}
	if s.Watching {
		s.Folders = h.watcher.count()
	}
	return s
}
