// Package units reads and writes sizes and times as people give them.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// names are what a size may end in, longest first where one ends in another.
func names() []struct {
	name  string
	bytes float64
} {
	return []struct {
		name  string
		bytes float64
	}{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1 << 40},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"TB", 1e12},
		{"B", 1},
	}
}

// ParseBytes reads a number with a unit, or without one for bytes: 256MiB, 1.5 gb, 4096.
func ParseBytes(given string) (int64, error) {
	number, scale := strings.TrimSpace(given), 1.0
	for _, u := range names() {
		if rest, ok := cutSuffixFold(number, u.name); ok {
			number, scale = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n*scale >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size: a number with a unit is wanted, such as 256MiB or 1.5GB", given)
	}
	return int64(n * scale), nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

// FormatBytes writes a size in the largest unit in which it is whole. ParseBytes reads it back.
func FormatBytes(n int64) string {
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// ParseTime reads a duration as package time does, and whole or broken days before that: 500ms, 1h30m, 7d, 1d12h.
func ParseTime(given string) (time.Duration, error) {
	text := strings.TrimSpace(given)
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseFloat(days, 64)
	var d time.Duration
	if err == nil && (rest != "" || !found) {
		d, err = time.ParseDuration(rest)
	}
	if sum := n*float64(24*time.Hour) + float64(d); err == nil && n >= 0 && d >= 0 && sum < math.MaxInt64 {
		return time.Duration(n*float64(24*time.Hour)) + d, nil
	}
	return 0, fmt.Errorf("%q is no time: a number with a unit is wanted, such as 500ms, 5m, 1h30m or 7d", given)
}
