package rfc9111

import (
	"bytes"
	"testing"
	"time"
)

// stored is the Freshness of a response with Cache-Control that came at received.
func stored(cacheControl string) Freshness {
	p := RFC()
	return p.Store(exchange("Cache-Control: "+cacheControl, `Etag: "a"`)).Freshness
}

func TestAge(t *testing.T) {
	p := RFC()
	f := p.Store(exchange("Cache-Control: max-age=60", "Age: 30")).Freshness
	for _, tt := range []struct {
		name     string
		at       time.Duration
		age, ttl time.Duration
	}{
		{"4.2.3 when it comes", 0, 30 * time.Second, 30 * time.Second},
		{"4.2.3 resident_time", 40 * time.Second, 70 * time.Second, -10 * time.Second},
		{"4.2.3 a clock that goes back", -time.Hour, 30 * time.Second, 30 * time.Second},
		{"1.2.2 the greatest", 100 * 365 * 24 * time.Hour, MaxDelta, time.Minute - MaxDelta},
	} {
		now := received.Add(tt.at)
		if age, ttl := f.Age(now), f.TTL(now); age != tt.age || ttl != tt.ttl {
			t.Errorf("%s: age %v, ttl %v, want %v, %v", tt.name, age, ttl, tt.age, tt.ttl)
		}
	}
}

func TestReuse(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name     string
		response string
		request  string
		at       time.Duration
		want     Verdict
	}{
		{"4.2 fresh", "max-age=60", "", 59 * s, Fresh},
		{"4.2 stale", "max-age=60", "", 61 * s, Validate},
		{"4.2 freshness_lifetime must exceed the age", "max-age=60", "", 60 * s, Validate},
		{"5.2.1.1 max-age of the request", "max-age=60", "max-age=10", 9 * s, Fresh},
		{"5.2.1.1 too old for the request", "max-age=60", "max-age=10", 11 * s, Validate},
		{"5.2.1.1 zero", "max-age=60", "max-age=0", 0, Validate},
		{"5.2.1.1 too old even with max-stale", "max-age=60", "max-age=10, max-stale", 11 * s, Validate},
		{"5.2.1.1 stale and young enough, with max-stale", "max-age=5", "max-age=60, max-stale", 11 * s, StaleAllowed},
		{"5.2.1.2 max-stale", "max-age=60", "max-stale=10", 70 * s, StaleAllowed},
		{"5.2.1.2 staler than max-stale", "max-age=60", "max-stale=10", 71 * s, Validate},
		{"5.2.1.2 any staleness", "max-age=60", "max-stale", 1e6 * s, StaleAllowed},
		{"5.2.1.3 min-fresh", "max-age=60", "min-fresh=10", 50 * s, Fresh},
		{"5.2.1.3 not fresh for so long", "max-age=60", "min-fresh=10", 51 * s, Validate},
		{"5.2.1.3 min-fresh and max-stale", "max-age=60", "min-fresh=10, max-stale", 70 * s, Validate},
		{"5.2.1.4 no-cache of the request", "max-age=60", "no-cache", 0, Validate},
		{"5.2.1.4 no-cache and max-stale", "max-age=60", "no-cache, max-stale", 0, Validate},
		{"5.2.1.5 no-store of the request does not forbid reuse", "max-age=60", "no-store", 0, Fresh},
		{"5.2.1.7 only-if-cached, fresh", "max-age=60", "only-if-cached", 0, Fresh},
		{"5.2.1.7 only-if-cached, stale", "max-age=60", "only-if-cached", 60 * s, Validate},
		{"5.2.2.4 no-cache", "max-age=60, no-cache", "", 0, Validate},
		{"5.2.2.4 no-cache and max-stale", "max-age=60, no-cache", "max-stale", 0, Validate},
		{"5.2.2.4 qualified no-cache", `max-age=60, no-cache="a"`, "", 0, Fresh},
		{"4.2.4 must-revalidate, fresh", "max-age=60, must-revalidate", "", 0, Fresh},
		{"4.2.4 must-revalidate forbids stale", "max-age=60, must-revalidate", "max-stale", 60 * s, Validate},
		{"4.2.4 must-revalidate forbids stale-while-revalidate", "max-age=60, must-revalidate, stale-while-revalidate=60", "", 60 * s, Validate},
		{"4.2.4 proxy-revalidate forbids stale", "max-age=60, proxy-revalidate", "max-stale", 60 * s, Validate},
		{"4.2.4 s-maxage forbids stale", "s-maxage=60", "max-stale", 60 * s, Validate},
		{"5.2.2.10 s-maxage forbids stale-while-revalidate", "s-maxage=60, stale-while-revalidate=60", "", 60 * s, Validate},
		{"RFC 5861 3 in its window", "max-age=60, stale-while-revalidate=30", "", 89 * s, StaleRevalidate},
		{"RFC 5861 3 after its window", "max-age=60, stale-while-revalidate=30", "", 90 * s, Validate},
		{"RFC 5861 3 and max-stale", "max-age=60, stale-while-revalidate=30", "max-stale", 89 * s, StaleRevalidate},
		{"RFC 5861 3 and max-stale after the window", "max-age=60, stale-while-revalidate=30", "max-stale", 90 * s, StaleAllowed},
		{"RFC 5861 3 not for a client that wants max-age", "max-age=60, stale-while-revalidate=30", "max-age=100", 89 * s, Validate},
		{"RFC 5861 3 not for a client that wants min-fresh", "max-age=60, stale-while-revalidate=30", "min-fresh=0", 89 * s, Validate},
		{"RFC 8246 2 a reload while fresh", "max-age=60, immutable", "max-age=0", 59 * s, Fresh},
		{"RFC 8246 2 a reload when stale", "max-age=60, immutable", "max-age=0", 60 * s, Validate},
		{"RFC 8246 2 no-cache is a signal", "max-age=60, immutable", "no-cache", 0, Validate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := stored(tt.response)
			d := ParseRequest(header("Cache-Control: " + tt.request))
			if got := f.Reuse(received.Add(tt.at), &d); got != tt.want {
				t.Errorf("%q asked %q at %v: %v, want %v", tt.response, tt.request, tt.at, got, tt.want)
			}
		})
	}
}

func TestPrivateReuse(t *testing.T) {
	p := Profile{Private: true}
	d := ParseRequest(header("Cache-Control: max-stale"))
	for _, tt := range []struct {
		name, response string
		want           Verdict
	}{
		{"5.2.2.8 proxy-revalidate is for shared caches", "max-age=60, proxy-revalidate", StaleAllowed},
		{"5.2.2.10 s-maxage is for shared caches", "max-age=60, s-maxage=60", StaleAllowed},
		{"5.2.2.2 must-revalidate is for all", "max-age=60, must-revalidate", Validate},
	} {
		f := p.Store(exchange("Cache-Control: " + tt.response)).Freshness
		if got := f.Reuse(received.Add(time.Minute), &d); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestMayServeStale(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name        string
		response    string
		request     string
		at          time.Duration
		unreachable bool
		serverError bool
	}{
		{"4.2.4 disconnected", "max-age=60", "", 1e6 * s, true, false},
		{"4.2.4 must-revalidate forbids stale", "max-age=60, must-revalidate", "", 60 * s, false, false},
		{"4.2.4 must-revalidate forbids stale-if-error", "max-age=60, must-revalidate, stale-if-error=60", "stale-if-error=60", 60 * s, false, false},
		{"4.2.4 proxy-revalidate forbids stale", "max-age=60, proxy-revalidate", "", 60 * s, false, false},
		{"4.2.4 s-maxage forbids stale", "s-maxage=60", "", 60 * s, false, false},
		{"4.2.4 no-cache forbids stale", "max-age=60, no-cache", "", 60 * s, false, false},
		{"5.2.2.4 no-cache forbids what is fresh", "max-age=60, no-cache", "", 0, false, false},
		{"5.2.1.4 fresh, but the request wanted it validated", "max-age=60, must-revalidate", "no-cache", 0, true, true},
		{"RFC 5861 4 in its window", "max-age=60, stale-if-error=30", "", 90 * s, true, true},
		{"RFC 5861 4 after its window", "max-age=60, stale-if-error=30", "", 91 * s, false, false},
		{"RFC 5861 4 of the request", "max-age=60", "stale-if-error=30", 90 * s, true, true},
		{"RFC 5861 4 after that of the request", "max-age=60", "stale-if-error=30", 91 * s, true, false},
		{"RFC 5861 4 the longer of both", "max-age=60, stale-if-error=10", "stale-if-error=30", 90 * s, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := stored(tt.response)
			d := ParseRequest(header("Cache-Control: " + tt.request))
			now := received.Add(tt.at)
			if got := f.MayServeStale(now, &d, Unreachable); got != tt.unreachable {
				t.Errorf("unreachable: %v, want %v", got, tt.unreachable)
			}
			if got := f.MayServeStale(now, &d, ServerError); got != tt.serverError {
				t.Errorf("server error: %v, want %v", got, tt.serverError)
			}
		})
	}
}

// TestNamedStaleness is what the safe profile makes of s-maxage beside windows of RFC 5861.
func TestNamedStaleness(t *testing.T) {
	p := Safe()
	for _, tt := range []struct {
		name, response, request  string
		at                       time.Duration
		want                     Verdict
		unreachable, serverError bool
	}{
		{"in its window", "s-maxage=60, stale-while-revalidate=30", "", 89 * time.Second, StaleRevalidate, false, false},
		{"after its window", "s-maxage=60, stale-while-revalidate=30", "", 90 * time.Second, Validate, false, false},
		{"max-stale does not widen it", "s-maxage=60, stale-while-revalidate=30", "max-stale", 90 * time.Second, Validate, false, false},
		{"errors", "s-maxage=60, stale-if-error=30", "", 90 * time.Second, Validate, true, true},
		{"after errors", "s-maxage=60, stale-if-error=30", "stale-if-error=99", 91 * time.Second, Validate, false, false},
		{"nothing named", "s-maxage=60", "", 60 * time.Second, Validate, false, false},
		{"must-revalidate", "s-maxage=60, stale-while-revalidate=30, must-revalidate", "", 60 * time.Second, Validate, false, false},
		{"proxy-revalidate", "s-maxage=60, stale-while-revalidate=30, proxy-revalidate", "", 60 * time.Second, Validate, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := p.Store(exchange("Cache-Control: "+tt.response, `Etag: "a"`)).Freshness
			d, now := ParseRequest(header("Cache-Control: "+tt.request)), received.Add(tt.at)
			if got := f.Reuse(now, &d); got != tt.want {
				t.Errorf("Reuse() = %v, want %v", got, tt.want)
			}
			if f.MayServeStale(now, &d, Unreachable) != tt.unreachable || f.MayServeStale(now, &d, ServerError) != tt.serverError {
				t.Errorf("MayServeStale() = %v, %v", !tt.unreachable, !tt.serverError)
			}
		})
	}
}

func TestIsServerError(t *testing.T) {
	want := map[int]bool{500: true, 502: true, 503: true, 504: true}
	for status := range 1000 {
		if got := IsServerError(status); got != want[status] {
			t.Errorf("RFC 5861 4: IsServerError(%d) = %v", status, got)
		}
	}
}

func TestConfiguredStaleness(t *testing.T) {
	p := Profile{StaleWhileRevalidate: time.Minute, StaleIfError: time.Hour}
	for _, tt := range []struct {
		name, response string
		swr, sie       time.Duration
	}{
		{"4.2.4 configuration", "max-age=60", time.Minute, time.Hour},
		{"RFC 5861 the response's own", "max-age=60, stale-while-revalidate=1, stale-if-error=2", time.Second, 2 * time.Second},
		{"RFC 5861 the response's own zero", "max-age=60, stale-while-revalidate=0, stale-if-error=0", 0, 0},
		{"4.2.4 must-revalidate forbids stale", "max-age=60, must-revalidate", 0, 0},
	} {
		f := p.Store(exchange("Cache-Control: " + tt.response)).Freshness
		if f.StaleWhileRevalidate != tt.swr || f.StaleIfError != tt.sie {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, f.StaleWhileRevalidate, f.StaleIfError, tt.swr, tt.sie)
		}
	}
}

func TestStaleSince(t *testing.T) {
	none := NoRequestDirectives()
	f := stored("max-age=60, stale-while-revalidate=30")
	soft := f.StaleSince(received.Add(10 * time.Second))
	for at, want := range map[time.Duration]Verdict{
		10 * time.Second: StaleRevalidate, 39 * time.Second: StaleRevalidate, 40 * time.Second: Validate,
	} {
		if got := soft.Reuse(received.Add(at), &none); got != want {
			t.Errorf("made stale after 10s, at %v: %v, want %v", at, got, want)
		}
	}
	if late := f.StaleSince(received.Add(time.Hour)); late != f {
		t.Errorf("made stale when it was: %+v, want %+v", late, f)
	}
}

func TestSetTTL(t *testing.T) {
	now := received.Add(10 * time.Second)
	for ttl, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, -time.Second: -time.Second, -time.Hour: -10 * time.Second} {
		f := stored("max-age=60")
		if f.SetTTL(now, ttl); f.TTL(now) != want {
			t.Errorf("SetTTL(%v): TTL is %v, want %v", ttl, f.TTL(now), want)
		}
	}
}

func TestDecisionsOfAHitAllocateNothing(t *testing.T) {
	f, d, now := stored("max-age=60, stale-while-revalidate=5"), NoRequestDirectives(), received.Add(time.Minute)
	if n := testing.AllocsPerRun(100, func() {
		soft := f.StaleSince(now)
		soft.Reuse(now, &d)
		f.MayServeStale(now, &d, Unreachable)
		f.TTL(now)
	}); n != 0 {
		t.Errorf("a hit allocates %v times, want 0", n)
	}
}

func TestReadFreshness(t *testing.T) {
	f := stored("max-age=60, stale-while-revalidate=30, immutable")
	wire := f.Append([]byte("before"))
	if len(wire) != len("before")+FreshnessSize {
		t.Fatalf("Append appends %d bytes, want %d", len(wire)-len("before"), FreshnessSize)
	}
	wire = append(wire, "after"...)[len("before"):]
	got, rest, ok := ReadFreshness(wire)
	if !ok || got != f || string(rest) != "after" {
		t.Errorf("ReadFreshness = %+v, %q, %v, want %+v", got, rest, ok, f)
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"short":               func(b []byte) []byte { return b[:FreshnessSize-1] },
		"another version":     func(b []byte) []byte { b[0]++; return b },
		"a negative lifetime": func(b []byte) []byte { b[1+3*8-1] = 0xff; return b },
		"an unknown flag":     func(b []byte) []byte { b[FreshnessSize-1] = 0x80; return b },
	} {
		if got, _, ok := ReadFreshness(damage(bytes.Clone(wire))); ok {
			t.Errorf("%s: ReadFreshness = %+v, true", name, got)
		}
	}
}

func FuzzReadFreshness(f *testing.F) {
	f.Add(stored("max-age=60, stale-if-error=1").Append(nil), int64(0))
	f.Add([]byte{freshnessVersion}, int64(-1))
	f.Fuzz(func(t *testing.T, wire []byte, now int64) {
		got, rest, ok := ReadFreshness(wire)
		if !ok {
			return
		}
		if again := append(got.Append(nil), rest...); !bytes.Equal(again, wire) {
			t.Errorf("ReadFreshness(%x) is written as %x", wire, again)
		}
		at := time.Unix(0, now)
		if age := got.Age(at); age < 0 || age > MaxDelta {
			t.Errorf("%+v at %d: age %v", got, now, age)
		}
		none := NoRequestDirectives()
		if soft := got.StaleSince(at); soft.Reuse(at, &none) == Fresh {
			t.Errorf("%+v made stale at %d is fresh then", got, now)
		}
	})
}
