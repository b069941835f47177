package rfc9111

import "time"

// MaxDelta is the greatest delta-seconds; greater ones count as this (1.2.2).
const MaxDelta = 1 << 31 * time.Second

// ParseDate reads an HTTP-date (RFC 9110, 5.6.7) strictly: one of the three formats to the letter, with no space too many or
// too few and two digits where two belong, but names in any case (4.2). The result is in UTC.
func ParseDate(s string) (time.Time, bool) { return time.Time{}, false }

// ParseDelta reads delta-seconds (1.2.2): digits alone. What is greater than MaxDelta is MaxDelta.
func ParseDelta(s string) (time.Duration, bool) { return 0, false }
