package plugins

import (
	"testing"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/core"
)

func TestBreakerTimes(t *testing.T) {
	var b breaker
	second := int64(time.Second)
	for i := range int64(20) { // too far apart
		if b.failed(1+i*3*second, false) {
			t.Fatalf("opened at failure %d", i)
		}
	}
	now := 1000 * second
	for i := range breakerFailures {
		if opened := b.failed(now, false); opened != (i == breakerFailures-1) {
			t.Fatalf("failure %d: opened %v", i, opened)
		}
	}
	for _, pause := range []int64{1, 2, 4, 8, 16, 32, 60, 60} {
		if b.closed() || b.probe(now) || b.probe(now+pause*second-1) || b.state(now) != "open" {
			t.Fatalf("after %d s: not open", pause)
		}
		now += pause * second
		if b.state(now) != "half-open" || !b.probe(now) || b.probe(now) {
			t.Fatalf("after %d s: not one probe", pause)
		}
		if b.failed(now, true) {
			t.Fatal("a failed probe opens what is open")
		}
	}
	now += 60 * second
	if !b.probe(now) {
		t.Fatal("no probe")
	}
	if b.succeeded(); !b.closed() || b.state(now) != "closed" {
		t.Fatal("not closed after a probe")
	}
	if b.failed(now, false) {
		t.Fatal("old failures count")
	}
}

func TestLimiter(t *testing.T) {
	l := limiter{burst: logBurst}
	now := int64(1)
	for i := range logBurst {
		if ok, _ := l.allow(now); !ok {
			t.Fatalf("line %d of the burst is dropped", i)
		}
	}
	for range 3 {
		if ok, _ := l.allow(now); ok {
			t.Fatal("a line beyond the burst is allowed")
		}
	}
	if ok, dropped := l.allow(now + logEvery); !ok || dropped != 3 {
		t.Fatalf("later: %v, %d dropped", ok, dropped)
	}
	if ok, _ := l.allow(now + logEvery); ok {
		t.Fatal("two lines at once")
	}
}

func TestTTLs(t *testing.T) {
	for ttl, ms := range map[time.Duration]int64{
		0: 0, core.NoExpiry: -1, core.KeepTTL: -2, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, 1<<63 - 1: 9223372036855,
	} {
		if got := ttlMillis(ttl); got != ms {
			t.Errorf("ttlMillis(%v) = %d, want %d", ttl, got, ms)
		}
	}
	for ms, ttl := range map[int64]time.Duration{0: 0, -1: core.NoExpiry, -2: core.KeepTTL, 5: 5 * time.Millisecond, 1<<63 - 1: core.NoExpiry} {
		if got := ttlOf(ms); got != ttl {
			t.Errorf("ttlOf(%d) = %v, want %v", ms, got, ttl)
		}
	}
}

func TestMemo(t *testing.T) {
	m := newMemo()
	a, b := new(core.Namespace), new(core.Namespace)
	m.put(a, "k", []byte("v"))
	if _, ok := m.get(a, "k"); ok {
		t.Error("remembered at once")
	}
	m.put(a, "k", []byte("v"))
	if v, ok := m.get(a, "k"); !ok || string(v) != "v" {
		t.Errorf("get = %q, %v", v, ok)
	}
	if _, ok := m.get(b, "k"); ok {
		t.Error("found in another namespace")
	}
	m.put(a, "same", nil)
	m.put(a, "same", nil)
	if v, ok := m.get(a, "same"); !ok || v != nil {
		t.Errorf("get = %q, %v", v, ok)
	}
	m.put(a, "empty", []byte{})
	m.put(a, "empty", []byte{})
	if v, ok := m.get(a, "empty"); !ok || v == nil {
		t.Errorf("get = %q, %v", v, ok)
	}
}

// TestInstancesShareNoCacheLine holds the padding: the allocator gives objects of whole lines addresses of whole lines.
func TestInstancesShareNoCacheLine(t *testing.T) {
	if n := unsafe.Sizeof(instance{}); n%64 != 0 {
		t.Errorf("an instance has %d bytes: pad it to a multiple of 64", n)
	}
}
