package rfc9111

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	at := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	tests := []struct {
		name, in string
		want     time.Time // zero: refused
	}{
		{"RFC 9110 5.6.7 IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", at},
		{"RFC 9110 5.6.7 rfc850-date", "Sunday, 06-Nov-94 08:49:37 GMT", at},
		{"RFC 9110 5.6.7 asctime-date", "Sun Nov  6 08:49:37 1994", at},
		{"asctime-date with two digits of a day", "Wed Nov 16 08:49:37 1994", at.AddDate(0, 0, 10)},
		{"rfc850-date of this century", "Thursday, 18-Aug-50 02:01:18 GMT", time.Date(2050, 8, 18, 2, 1, 18, 0, time.UTC)},
		{"a leap second", "Sat, 31 Dec 2016 23:59:60 GMT", time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"4.2 any case of the day", "SUN, 06 Nov 1994 08:49:37 GMT", at},
		{"4.2 any case of the month", "Sun, 06 NOV 1994 08:49:37 GMT", at},
		{"4.2 any case of the zone", "Sun, 06 Nov 1994 08:49:37 gMT", at},
		{"the day is not compared", "Mon, 06 Nov 1994 08:49:37 GMT", at},
		{"4.2 another zone", "Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"4.2 a local zone", "Sun, 06 Nov 1994 08:49:37 AEST", time.Time{}},
		{"an offset", "Sun, 06 Nov 1994 08:49:37 +0000", time.Time{}},
		{"no zone", "Sun, 06 Nov 1994 08:49:37", time.Time{}},
		{"a year of two digits", "Sun, 06 Nov 94 08:49:37 GMT", time.Time{}},
		{"no comma", "Sun 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"spaces too many", "Sun, 06  Nov  1994 08:49:37 GMT", time.Time{}},
		{"space before", " Sun, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"space after", "Sun, 06 Nov 1994 08:49:37 GMT ", time.Time{}},
		{"dashes", "Sun, 06-Nov-1994 08:49:37 GMT", time.Time{}},
		{"periods", "Sun, 06 Nov 1994 08.49.37 GMT", time.Time{}},
		{"an hour of one digit", "Sun, 06 Nov 1994 8:49:37 GMT", time.Time{}},
		{"a day of one digit", "Sun, 6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"a day of one digit, asctime", "Sun Nov 6 08:49:37 1994", time.Time{}},
		{"no such hour", "Sun, 06 Nov 1994 24:00:00 GMT", time.Time{}},
		{"no such day", "Tue, 30 Feb 1994 08:49:37 GMT", time.Time{}},
		{"day zero", "Tue, 00 Feb 1994 08:49:37 GMT", time.Time{}},
		{"no such name", "Sux, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"no such month", "Sun, 06 Nox 1994 08:49:37 GMT", time.Time{}},
		{"5.3 zero", "0", time.Time{}},
		{"nothing", "", time.Time{}},
		{"two dates", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseDate(tt.in)
			if ok != !tt.want.IsZero() || ok && !got.Equal(tt.want) {
				t.Errorf("ParseDate(%q) = %v, %v, want %v", tt.in, got, ok, tt.want)
			}
		})
	}
}

func TestParseDelta(t *testing.T) {
	tests := []struct {
		name, in string
		want     time.Duration
		ok       bool
	}{
		{"1.2.2 digits", "3600", time.Hour, true},
		{"1.2.2 leading zeros", "003600", time.Hour, true},
		{"1.2.2 the greatest", "2147483648", MaxDelta, true},
		{"1.2.2 overflow", "99999999999999999999999999", MaxDelta, true},
		{"zero", "0", 0, true},
		{"nothing", "", 0, false},
		{"a sign", "-1", 0, false},
		{"a fraction", "3600.0", 0, false},
		{"letters after", "3600a", 0, false},
		{"quotes", "'3600'", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := ParseDelta(tt.in); got != tt.want || ok != tt.ok {
				t.Errorf("ParseDelta(%q) = %v, %v, want %v, %v", tt.in, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0",
		"Sun, 06 Nov 1994 23:59:60 GMT", "Thu, 18 Aug 2050 02:01:18 gMT",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDate(s)
		if !ok {
			return
		}
		again, ok := ParseDate(got.Format(http.TimeFormat))
		if !ok || !again.Equal(got) {
			t.Errorf("ParseDate(%q) = %v, which written out is read as %v, %v", s, got, again, ok)
		}
		lenient, err := http.ParseTime(s)
		isOurs := strings.Contains(s, ":60") || strings.Contains(s, "-") || !strings.HasSuffix(s, "GMT")
		if err == nil && !isOurs && !lenient.Equal(got) || err != nil && !isOurs {
			t.Errorf("ParseDate(%q) = %v, http.ParseTime has %v, %v", s, got, lenient, err)
		}
	})
}
