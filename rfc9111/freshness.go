package rfc9111

import (
	"encoding/binary"
	"time"
)

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
	// FlagNamedStale allows stale use within StaleWhileRevalidate and StaleIfError alone (Profile.NamedStaleness).
	FlagNamedStale

	knownFlags = FlagNoCache | FlagNoStale | FlagHeuristic | FlagImmutable | FlagNamedStale
)

const freshnessVersion = 1

// FreshnessSize is the length of what Append appends.
const FreshnessSize = 1 + 5*8 + 1

// Append appends the wire form of f to dst: a version, the five numbers from the least significant byte on, and the flags.
func (f Freshness) Append(dst []byte) []byte {
	dst = append(dst, freshnessVersion)
	for _, n := range [...]int64{
		f.Received, int64(f.InitialAge), int64(f.Lifetime), int64(f.StaleWhileRevalidate), int64(f.StaleIfError),
	} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	return append(dst, byte(f.Flags))
}

// ReadFreshness reads what Append wrote, and returns what of src follows. It reports false when src is short, of another
// version or has values that no Freshness has.
func ReadFreshness(src []byte) (f Freshness, rest []byte, ok bool) {
	if len(src) < FreshnessSize || src[0] != freshnessVersion {
		return f, src, false
	}
	number := func(i int) int64 { return int64(binary.LittleEndian.Uint64(src[1+8*i:])) }
	f = Freshness{
		Received:             number(0),
		InitialAge:           time.Duration(number(1)),
		Lifetime:             time.Duration(number(2)),
		StaleWhileRevalidate: time.Duration(number(3)),
		StaleIfError:         time.Duration(number(4)),
		Flags:                Flags(src[FreshnessSize-1]),
	}
	if !f.valid() {
		return Freshness{}, src, false
	}
	return f, src[FreshnessSize:], true
}

func (f *Freshness) valid() bool {
	for _, d := range [...]time.Duration{f.InitialAge, f.Lifetime, f.StaleWhileRevalidate} {
		if d < 0 || d > MaxDelta {
			return false
		}
	}
	return f.StaleIfError >= Absent && f.StaleIfError <= MaxDelta && f.Flags&^knownFlags == 0
}

// Age returns the current_age of 4.2.3 at now, from zero to MaxDelta.
func (f *Freshness) Age(now time.Time) time.Duration {
	resident := now.UnixNano() - f.Received
	return f.InitialAge + min(max(time.Duration(resident), 0), MaxDelta-f.InitialAge)
}

// TTL returns for how long the response stays fresh from now on; negative when it is stale (RFC 9211, 2.4).
func (f *Freshness) TTL(now time.Time) time.Duration { return f.Lifetime - f.Age(now) }

// SetTTL gives f the lifetime with which its TTL at now is ttl, as a hook wants it. The lifetime is no guess any more.
func (f *Freshness) SetTTL(now time.Time, ttl time.Duration) {
	f.Lifetime = min(max(f.Age(now)+min(ttl, MaxDelta), 0), MaxDelta)
	f.Flags &^= FlagHeuristic
}

// StaleSince returns f made stale from t on, as a soft purge wants it. It is f itself if that is stale by then. The
// windows of StaleWhileRevalidate and StaleIfError count from t.
func (f Freshness) StaleSince(t time.Time) Freshness {
	f.Lifetime = min(f.Lifetime, f.Age(t))
	return f
}

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
func (f *Freshness) Reuse(now time.Time, d *RequestDirectives) Verdict {
	if d.NoCache || f.Flags&FlagNoCache != 0 {
		return Validate
	}
	age := f.Age(now)
	if age < f.Lifetime {
		return f.reuseFresh(age, d)
	}
	if f.Flags&FlagNoStale != 0 || d.MinFresh != Absent || tooOld(age, d) {
		return Validate
	}
	stale := age - f.Lifetime
	switch {
	case stale < f.StaleWhileRevalidate && (d.MaxAge == Absent || d.MaxStale != Absent):
		return StaleRevalidate
	case d.MaxStale != Absent && stale <= d.MaxStale && f.Flags&FlagNamedStale == 0:
		return StaleAllowed
	}
	return Validate
}

func (f *Freshness) reuseFresh(age time.Duration, d *RequestDirectives) Verdict {
	if d.MinFresh != Absent && f.Lifetime-age < d.MinFresh {
		return Validate
	}
	if tooOld(age, d) && f.Flags&FlagImmutable == 0 {
		return Validate
	}
	return Fresh
}

// tooOld reports whether max-age of the request (5.2.1.1) asks for something newer. Nothing is new enough for zero.
func tooOld(age time.Duration, d *RequestDirectives) bool {
	return d.MaxAge == 0 || d.MaxAge != Absent && age > d.MaxAge
}

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
func IsServerError(status int) bool {
	return status == 500 || status == 502 || status == 503 || status == 504
}

// MayServeStale reports whether the response may be served at now after a validation failed. One that is still fresh (the
// request wanted it validated) may. With Unreachable a stale one may be served for as long as stale-if-error says, or without
// an end if nothing is said; with ServerError only within stale-if-error, that of the request included. FlagNoStale forbids it
// for what is stale and FlagNoCache for everything: the answer is then 504 (5.2.2.2), or what the origin said.
func (f *Freshness) MayServeStale(now time.Time, d *RequestDirectives, why Failure) bool {
	age := f.Age(now)
	switch {
	case f.Flags&FlagNoCache != 0:
		return false
	case age < f.Lifetime:
		return true
	case f.Flags&FlagNoStale != 0:
		return false
	case f.Flags&FlagNamedStale != 0:
		return age-f.Lifetime <= f.StaleIfError
	case why == Unreachable && f.StaleIfError == Absent:
		return true
	}
	return age-f.Lifetime <= max(f.StaleIfError, d.StaleIfError)
}
