package evict

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	spec := Spec{Objects: 10, Capacity: 5}
	for _, c := range []struct {
		name string
		spec Spec
		want string // part of the error
	}{
		{"lur", spec, `no policy is called "lur"`},
		{"lur", spec, "lru"}, // what there is
		{"slru:segment=2", spec, `parameter "segment" is not known: possible are segments`},
		{"lru:k=2", spec, "possible are none"},
		{"slru:segments", spec, `parameter "segments" is no name=value`},
		{"slru:segments=0", spec, `segments="0"`},
		{"slru:segments=two", spec, `segments="two"`},
		{"clock:bits=8", spec, `bits="8"`},
		{"s3fifo:small=1.1", spec, `small="1.1"`},
		{"s3fifo:small=-0.1", spec, `small="-0.1"`},
		{"s3fifo:ghost=NaN", spec, `ghost="NaN"`},
		{"s3fifo", Spec{Objects: 10, Capacity: 5, Params: map[string]string{"large": "1"}}, `parameter "large" is not known`},
		{"lru", Spec{Objects: 10}, "a cache of 0 for 10 objects is not possible"},
		{"lru", Spec{Objects: -1, Capacity: 5}, "not possible"},
		{"lru", Spec{Objects: 1 << 32, Capacity: 5}, "not possible"},
	} {
		p, err := New(c.name, c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%q, %+v) = %v, %v, want an error with %q", c.name, c.spec, p, err, c.want)
		}
	}
}

// TestParams demands that parameters in a name win over those beside it, and those over what is the default.
func TestParams(t *testing.T) {
	for name, want := range map[string]int{"slru:segments=2": 2, "slru:": 3, "slru": 3} {
		p, err := New(name, Spec{Capacity: 10, Params: map[string]string{"segments": "3"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(p.(*slru).segments); got != want {
			t.Errorf("New(%q) has %d segments, want %d", name, got, want)
		}
	}
}

func TestPoliciesAreDescribed(t *testing.T) {
	all := Policies()
	if !slices.IsSortedFunc(all, func(a, b Info) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Policies are not sorted by name")
	}
	for i, p := range all {
		if p.Name != strings.ToLower(p.Name) || p.Title == "" || i > 0 && all[i-1].Name == p.Name {
			t.Errorf("%+v: the name must be in lower case and the only one, and there must be a title", p)
		}
	}
}

// TestRandomIsFair demands that each of a full cache's objects is thrown out about as often.
func TestRandomIsFair(t *testing.T) {
	const capacity, rounds = 10, 20000
	var out [capacity + 1]int
	p, err := New("random", Spec{Objects: capacity + 1, Capacity: capacity, Seed: 1, Evicted: func(id uint32) { out[id]++ }})
	if err != nil {
		t.Fatal(err)
	}
	for id := range uint32(capacity) {
		p.Insert(id, 1)
	}
	last := -1
	again := 0 // how often what came last is thrown out next
	for range rounds {
		id := uint32(0)
		for p.Contains(id) {
			id++
		}
		before := out[max(last, 0)]
		p.Insert(id, 1)
		if last >= 0 && out[last] > before {
			again++
		}
		last = int(id)
	}
	for id, n := range append(out[:], again*capacity/(capacity+1)) {
		if n < rounds/(capacity+1)*9/10 || n > rounds/(capacity+1)*11/10 {
			t.Errorf("of %d, object %d was thrown out %d times", rounds, id, n)
		}
	}
}

// TestRandomMissesAsFIFODoes holds Random to what is known of it: of requests that do not depend on each other it misses as
// many as FIFO does. E. Gelenbe, A unified approach to the evaluation of a class of replacement algorithms, IEEE Transactions
// on Computers C-22(6), 1973.
func TestRandomMissesAsFIFODoes(t *testing.T) {
	popular := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, 999)
	ids := make([]uint32, 300_000)
	for i := range ids {
		ids[i] = uint32(popular.Uint64())
	}
	sizes := slices.Repeat([]uint32{1}, len(ids))
	for _, capacity := range []uint64{1, 10, 100, 500} {
		want := replayAll(t, "fifo", ids, sizes, Spec{Capacity: capacity})
		for seed := range uint64(3) {
			got := replayAll(t, "random", ids, sizes, Spec{Capacity: capacity, Seed: seed})
			if far := math.Abs(float64(got.Misses-want.Misses)) / float64(len(ids)); far > 0.002 {
				t.Errorf("with %d: %d misses, FIFO has %d", capacity, got.Misses, want.Misses)
			}
		}
	}
}

// TestScaledCachesLetIn demands that parts which a small cache has no room for have some where it stands for a larger one.
func TestScaledCachesLetIn(t *testing.T) {
	for _, info := range Policies() {
		if !info.Online {
			continue
		}
		for capacity := range uint64(4) {
			p, err := New(info.Name, Spec{Objects: 2, Capacity: capacity + 1, Scaled: true})
			if err != nil {
				t.Fatal(err)
			}
			hits := make([]uint64, 1)
			if p.Replay([]uint32{0, 0, 1, 1}, nil, hits); hits[0] != 0b1010 {
				t.Errorf("%s with %d: hits %04b, want 1010", info.Name, capacity+1, hits[0])
			}
		}
	}
}
