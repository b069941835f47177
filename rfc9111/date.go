package rfc9111

import (
	"strings"
	"time"
)

// MaxDelta is the greatest delta-seconds; greater ones count as this (1.2.2).
const MaxDelta = 1 << 31 * time.Second

// ParseDate reads an HTTP-date (RFC 9110, 5.6.7) strictly: one of the three formats to the letter, with no space too many or
// too few and two digits where two belong, but names in any case (4.2). The name of the day is not compared with the date. Two
// digits of a year are one from 1977 to 2076. The result is in UTC.
func ParseDate(s string) (time.Time, bool) {
	r := dateReader{rest: s}
	switch {
	case len(s) > 3 && s[3] == ',':
		return r.fixdate()
	case len(s) > 3 && s[3] == ' ':
		return r.asctime()
	default:
		return r.rfc850()
	}
}

// dateReader takes a date apart from its front. Once something is not as it should be it is bad for good.
type dateReader struct {
	rest string
	bad  bool
}

// fixdate reads "Sun, 06 Nov 1994 08:49:37 GMT".
func (r *dateReader) fixdate() (time.Time, bool) {
	r.shortDay()
	r.literal(", ")
	day := r.digits(2)
	r.literal(" ")
	month := r.month()
	r.literal(" ")
	year := r.digits(4)
	r.literal(" ")
	clock := r.clock()
	r.literal(" GMT")
	return r.date(year, month, day, clock)
}

// rfc850 reads "Sunday, 06-Nov-94 08:49:37 GMT".
func (r *dateReader) rfc850() (time.Time, bool) {
	r.longDay()
	r.literal(", ")
	day := r.digits(2)
	r.literal("-")
	month := r.month()
	r.literal("-")
	year := 2000 + r.digits(2)
	if year > 2076 {
		year -= 100
	}
	r.literal(" ")
	clock := r.clock()
	r.literal(" GMT")
	return r.date(year, month, day, clock)
}

// asctime reads "Sun Nov  6 08:49:37 1994".
func (r *dateReader) asctime() (time.Time, bool) {
	r.shortDay()
	r.literal(" ")
	month := r.month()
	r.literal(" ")
	width := 2
	if strings.HasPrefix(r.rest, " ") {
		r.literal(" ")
		width = 1
	}
	day := r.digits(width)
	r.literal(" ")
	clock := r.clock()
	r.literal(" ")
	year := r.digits(4)
	return r.date(year, month, day, clock)
}

// date makes a time of what was read, if that was all there is and a day that exists.
func (r *dateReader) date(year, month, day int, clock time.Duration) (time.Time, bool) {
	if r.bad || r.rest != "" {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t.Add(clock), t.Day() == day
}

// clock reads "08:49:37". There may be a leap second.
func (r *dateReader) clock() time.Duration {
	hour := r.digits(2)
	r.literal(":")
	minute := r.digits(2)
	r.literal(":")
	second := r.digits(2)
	r.bad = r.bad || hour > 23 || minute > 59 || second > 60
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
}

// literal reads want, in any case.
func (r *dateReader) literal(want string) {
	if len(r.rest) < len(want) || !strings.EqualFold(r.rest[:len(want)], want) {
		r.bad, r.rest = true, ""
		return
	}
	r.rest = r.rest[len(want):]
}

// digits reads a number of n digits.
func (r *dateReader) digits(n int) (number int) {
	if len(r.rest) < n {
		r.bad, r.rest = true, ""
		return 0
	}
	for i := range n {
		c := r.rest[i]
		r.bad = r.bad || c < '0' || c > '9'
		number = number*10 + int(c-'0')
	}
	r.rest = r.rest[n:]
	return number
}

// month reads the short name of a month, 1 to 12.
func (r *dateReader) month() int {
	return r.three("JanFebMarAprMayJunJulAugSepOctNovDec") + 1
}

func (r *dateReader) shortDay() { r.three("SunMonTueWedThuFriSat") }

func (r *dateReader) longDay() {
	for _, day := range [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"} {
		if len(r.rest) > len(day) && strings.EqualFold(r.rest[:len(day)], day) {
			r.rest = r.rest[len(day):]
			return
		}
	}
	r.bad = true
}

// three reads three letters that are in names at a multiple of three, and returns which.
func (r *dateReader) three(names string) int {
	for i := 0; len(r.rest) >= 3 && i < len(names); i += 3 {
		if strings.EqualFold(r.rest[:3], names[i:i+3]) {
			r.rest = r.rest[3:]
			return i / 3
		}
	}
	r.bad = true
	return 0
}

// ParseDelta reads delta-seconds (1.2.2): digits alone. What is greater than MaxDelta is MaxDelta.
func ParseDelta(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	var seconds time.Duration
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		seconds = min(seconds*10+time.Duration(s[i]-'0'), MaxDelta/time.Second)
	}
	return seconds * time.Second, true
}
