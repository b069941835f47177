package torture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report is what came of a torture.
type Report struct {
	// Requests is how many were sent, Bytes how many bytes of bodies were compared.
	Requests, Bytes int64
	// Cancelled is how many the client gave up, BrokenOff how many bodies the proxy broke off, Failed how many it answered
	// with 502, 503 or 504.
	Cancelled, BrokenOff, Failed int64
	// Purges and Posts is how many there were.
	Purges, Posts int64
	// Fetches is how many requests the origin answered. It answered NotModified of them with 304, held Stalls up, refused
	// Failures and hung up during Resets.
	Fetches, NotModified, Stalls, Failures, Resets int64
	// Statuses counts answers by the status and what Cache-Status says.
	Statuses map[string]int
	// Wrong is how many answers are not what they must be, and Examples tells of the first of them.
	Wrong    int
	Examples []string
}

func (t *Torture) report() *Report {
	r, o := t.run, t.run.origin
	return &Report{
		Requests: r.requests.Load(), Bytes: r.bytes.Load(), Cancelled: r.cancelled.Load(), BrokenOff: r.brokenOff.Load(),
		Failed: r.failed.Load(), Purges: r.purges.Load(), Posts: r.posts.Load(), Fetches: o.fetches.Load(),
		NotModified: o.notModified.Load(), Stalls: o.stalls.Load(), Failures: o.failures.Load(), Resets: o.resets.Load(),
		Statuses: r.statuses, Wrong: r.wrong, Examples: r.failures,
	}
}

// String tells all of it, in lines.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d MiB compared, %d cancelled, %d bodies broken off, %d answered 502 to 504\n",
		r.Requests, r.Bytes>>20, r.Cancelled, r.BrokenOff, r.Failed)
	fmt.Fprintf(&b, "%d purges, %d POSTs; origin: %d requests, %d not modified, %d stalls, %d times 503, %d hang-ups\n",
		r.Purges, r.Posts, r.Fetches, r.NotModified, r.Stalls, r.Failures, r.Resets)
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(&b, "%8d  %s\n", r.Statuses[status], status)
	}
	fmt.Fprintf(&b, "%d wrong answers\n", r.Wrong)
	for _, example := range r.Examples {
		fmt.Fprintf(&b, "  %s\n", example)
	}
	return b.String()
}
