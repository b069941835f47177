package rfc9111

import "time"

// Freshness is what is kept of a stored response to decide on its reuse. It is a value of fixed size and safe to copy.
type Freshness struct {
	// Received is the response_time of 4.2.3, in nanoseconds of Unix time.
	Received int64
	// InitialAge is the corrected_initial_age of 4.2.3.
	InitialAge time.Duration
	// Lifetime is the freshness_lifetime of 4.2.1, never negative.
	Lifetime time.Duration
	// StaleWhileRevalidate is for how long after Lifetime the response may be served while it is validated behind the
	// client's back (RFC 5861, 3); zero when it may not.
	StaleWhileRevalidate time.Duration
	// StaleIfError is for how long after Lifetime the response may be served when the origin fails (RFC 5861, 4); Absent when
	// nothing was said.
	StaleIfError time.Duration
	Flags        Flags
}

// Flags are the facts about a stored response that a Freshness keeps.
type Flags uint8

const (
	// FlagNoCache forbids any use without validation (5.2.2.4).
	FlagNoCache Flags = 1 << iota
	// FlagNoStale forbids any stale use: must-revalidate, and in a shared cache proxy-revalidate or s-maxage (4.2.4).
	FlagNoStale
	// FlagHeuristic says that Lifetime was guessed (4.2.2).
	FlagHeuristic
	// FlagImmutable lets a reload (max-age of the request) pass while the response is fresh (RFC 8246).
	FlagImmutable
)

// FreshnessSize is the length of what Append appends.
const FreshnessSize = 1 + 8 + 4*8 + 1

// Append appends the wire form of f to dst: a version byte and FreshnessSize-1 more.
func (f Freshness) Append(dst []byte) []byte { return dst }

// ReadFreshness reads what Append wrote, and returns what of src follows. It reports false when src is short, of another
// version or has values that Store can't have made.
func ReadFreshness(src []byte) (f Freshness, rest []byte, ok bool) { return f, src, false }

// Age returns the current_age of 4.2.3 at now: at least zero.
func (f Freshness) Age(now time.Time) time.Duration { return 0 }

// TTL returns for how long the response stays fresh from now on; negative when it is stale (RFC 9211, 2.4).
func (f Freshness) TTL(now time.Time) time.Duration { return 0 }

// StaleSince returns f made stale from t on, as a soft purge wants it. It changes nothing if f is stale by then. The windows of
// StaleWhileRevalidate and StaleIfError count from t.
func (f Freshness) StaleSince(t time.Time) Freshness { return f }

// Verdict says what to do with a stored response.
type Verdict uint8

const (
	// Validate is to ask the origin before it is used. If that fails, see MayServeStale.
	Validate Verdict = iota
	// Fresh is to use it.
	Fresh
	// StaleAllowed is to use it stale, as the request allows it with max-stale.
	StaleAllowed
	// StaleRevalidate is to use it stale and to validate it in the background (RFC 5861, 3).
	StaleRevalidate
)

// Reuse says whether a response that has been selected may be used at now for a request with directives d (4.2, 5.2.1). With
// d.OnlyIfCached anything but Validate is to be used, and Validate is a 504 (5.2.1.7). It allocates nothing.
func (f Freshness) Reuse(now time.Time, d RequestDirectives) Verdict { return Validate }

// Failure is how an origin fails.
type Failure uint8

const (
	// Unreachable is an origin that can't be connected to, that hangs up or that does not answer in time: the cache is
	// disconnected (4.2.4).
	Unreachable Failure = iota
	// ServerError is an answer of 500, 502, 503 or 504 (RFC 5861, 4).
	ServerError
)

// IsServerError reports whether a status counts as ServerError.
func IsServerError(status int) bool { return false }

// MayServeStale reports whether the response may be served at now after a validation failed. One that is still fresh (the
// request asked for validation) may. With Unreachable a stale one may be served for as long as the origin's stale-if-error
// says, or without an end if it says nothing; with ServerError only within stale-if-error. FlagNoStale and FlagNoCache
// forbid both: the answer is then 504 (5.2.2.2) or what the origin said.
func (f Freshness) MayServeStale(now time.Time, d RequestDirectives, why Failure) bool { return false }
