package memcached

import (
	"testing"
	"time"
)

func TestExptime(t *testing.T) {
	now := time.Unix(1_800_000_000, 500_000_000)
	const day = 24 * time.Hour
	for _, c := range []struct {
		left time.Duration
		want int64
	}{
		{1, 1},
		{time.Millisecond, 1},
		{time.Second, 1},
		{time.Second + 1, 2},
		{time.Hour, 3600},
		{30 * day, 2_592_000},
		{30*day + 1, 1_800_000_000 + 2_592_001},
		{365 * day, 1_800_000_000 + 31_536_000},
		{30 * 365 * day, 0}, // memcached's time ends in 2038
		{-time.Second, 1},
	} {
		if got := exptime(c.left, now); got != c.want {
			t.Errorf("exptime(%v) = %d, want %d", c.left, got, c.want)
		}
	}
}

// TestDither writes a time to live back many times: on average it neither grows nor shrinks.
func TestDither(t *testing.T) {
	const n, left = 10_000, 9*time.Second + 990*time.Millisecond
	var sum time.Duration
	for range n {
		d := dither(left)
		if d != 9*time.Second && d != 10*time.Second {
			t.Fatalf("dither(%v) = %v", left, d)
		}
		sum += d
	}
	if off := sum/n - left; off < -20*time.Millisecond || off > 20*time.Millisecond {
		t.Errorf("dither is off by %v on average", off)
	}
}

func TestEnded(t *testing.T) {
	b := &Backend{}
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		flags uint32
		ttl   int64
		want  bool
	}{
		{hint(now.Add(-time.Millisecond).UnixNano()), 1, true},
		{hint(now.Add(-2 * time.Second).UnixNano()), 0, true},
		{hint(now.Add(100 * time.Microsecond).UnixNano()), 1, true},
		{hint(now.Add(time.Millisecond).UnixNano()), 2, false},
		{hint(now.Add(-time.Millisecond).UnixNano()), -1, false},
		{hint(now.Add(-time.Millisecond).UnixNano()), 60, false}, // another program's flags
		{hint(0), 1, false},
	} {
		if got := b.ended(c.flags, c.ttl, now); got != c.want {
			t.Errorf("ended(%d, %d) = %v, want %v", c.flags, c.ttl, got, c.want)
		}
	}
}
