package units

import (
	"strings"
	"testing"
	"time"
)

func TestBytes(t *testing.T) {
	for given, want := range map[string]int64{
		"4096": 4096, "1.5GiB": 3 << 29, "64 mib": 64 << 20, "2kb": 2000, " 7 B ": 7, "0": 0, "0.5KiB": 512,
	} {
		got, err := ParseBytes(given)
		if err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", given, got, err, want)
		}
		if again, err := ParseBytes(FormatBytes(want)); err != nil || again != want {
			t.Errorf("FormatBytes(%d) = %q, which reads %d, %v", want, FormatBytes(want), again, err)
		}
	}
	for _, given := range []string{"", "MiB", "x", "-1", "NaN", "1e30", "1 PiB"} {
		if got, err := ParseBytes(given); err == nil || !strings.Contains(err.Error(), "is no size") {
			t.Errorf("ParseBytes(%q) = %d, %v, want an error", given, got, err)
		}
	}
}

func TestTime(t *testing.T) {
	const day = 24 * time.Hour
	for given, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "1h30m": 90 * time.Minute, "7d": 7 * day, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "0": 0,
	} {
		if got, err := ParseTime(given); err != nil || got != want {
			t.Errorf("ParseTime(%q) = %v, %v, want %v", given, got, err, want)
		}
	}
	for _, given := range []string{"", "5", "d", "-1s", "-1d", "1d-1h", "NaNd", "1e9d", "1d5", "5x", "1d2d", "300000h300000d"} {
		if got, err := ParseTime(given); err == nil || !strings.Contains(err.Error(), "is no time") {
			t.Errorf("ParseTime(%q) = %v, %v, want an error", given, got, err)
		}
	}
}

func FuzzTime(f *testing.F) {
	f.Add("1d12h")
	f.Add("-1d")
	f.Fuzz(func(t *testing.T, given string) {
		if d, err := ParseTime(given); err == nil && d < 0 {
			t.Errorf("ParseTime(%q) = %v", given, d)
		}
		if n, err := ParseBytes(given); err == nil && n < 0 {
			t.Errorf("ParseBytes(%q) = %d", given, n)
		}
	})
}
