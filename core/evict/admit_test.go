package evict

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestSplitAdmission(t *testing.T) {
	for _, tt := range []struct{ name, policy, admission string }{
		{"lru", "lru", ""},
		{"lru+size:max=64KiB", "lru", "size:max=64KiB"},
		{"slru:segments=2+second-hit", "slru:segments=2", "second-hit"},
		{"lru+size:max=1MB+tinylfu", "lru+size:max=1MB", "tinylfu"},
		{"./c++.wasm", "./c++.wasm", ""},
		{"./c++.wasm+always", "./c++.wasm", "always"},
		{"lru+", "lru+", ""},
	} {
		if policy, admission := SplitAdmission(tt.name); policy != tt.policy || admission != tt.admission {
			t.Errorf("SplitAdmission(%q) = %q, %q, want %q, %q", tt.name, policy, admission, tt.policy, tt.admission)
		}
	}
}

func TestAdmissionsAreDescribed(t *testing.T) {
	all := Admissions()
	if !slices.IsSortedFunc(all, func(a, b Admission) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Admissions are not sorted by name")
	}
	for _, a := range all {
		if a.Title == "" || a.Name != strings.ToLower(a.Name) || strings.ContainsAny(a.Name, "+:,=") {
			t.Errorf("%+v: the name must be in lower case without signs, and there must be a title", a)
		}
	}
}

func TestAdmissionRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"lru+secondhit":               `no admission is called "secondhit": there are adaptsize, always,`,
		"lru+second-hit:ghosts=1":     `parameter "ghosts" is not known: possible are ghost`,
		"lru+second-hit:ghost=x":      `admission second-hit: parameter ghost="x"`,
		"lru+probability:p=2":         `p="2" is no number from 0 to 1`,
		"lru+probability:p":           `admission probability: parameter "p" is no name=value`,
		"lru+size:max=lots":           `max="lots": bytes as in 64KiB`,
		"lru+size:max=-1":             `max="-1"`,
		"lru+size:max=1e30":           `max="1e30"`,
		"lru+adaptsize:interval=1":    `interval="1"`,
		"lur+always":                  `no policy is called "lur"`,
		"opt+second-hit":              "knows the future",
		"lru:k=2+always":              "possible are none",
		"lru+second-hit+size:max=NaN": `max="NaN"`,
	} {
		if p, err := New(name, Spec{Objects: 10, Capacity: 5, Bytes: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%q) = %v, %v, want an error with %q", name, p, err, want)
		}
	}
	for _, name := range []string{"lru+size", "lru+adaptsize"} {
		if _, err := New(name, Spec{Objects: 10, Capacity: 5}); err == nil || !strings.Contains(err.Error(), "a cache of bytes") {
			t.Errorf("New(%q) where sizes do not count: %v", name, err)
		}
	}
	if _, err := New("lru+always", Spec{Objects: 10}); err == nil {
		t.Error("a cache of nothing is possible")
	}
}

// TestStages tells what each stage lets in, request by request.
func TestStages(t *testing.T) {
	for _, tt := range []struct {
		name     string
		capacity uint64
		ids      []uint32
		sizes    []uint32
		want     string // what of the misses comes in, then what is resident
	}{
		{"lru+always", 2, []uint32{1, 2, 3, 1}, nil, "1 2 3 1: 1 3"},
		{"lru+second-hit", 2, []uint32{1, 1, 2, 3, 2, 1}, nil, "- 1 - - 2: 1 2"},
		{"lru+second-hit", 2, []uint32{1, 2, 3, 4, 1, 3}, nil, "- - - - - 3: 3"},                 // 1 was forgotten
		{"lru+second-hit:ghost=0", 2, []uint32{1, 1, 1}, nil, "- 1: 1"},                          // one is always remembered
		{"lru+second-hit", 10, []uint32{1, 2, 3, 1, 3}, []uint32{9, 9, 9, 9, 9}, "- - - 1 3: 3"}, // by bytes
		{"lru+second-hit", 10, []uint32{1, 2, 3, 4, 1}, []uint32{9, 9, 9, 9, 9}, "- - - - -:"},   // 1 was forgotten
		{"lru+size:max=5", 10, []uint32{1, 2, 1, 3}, []uint32{5, 6, 5, 4}, "1 - 3: 1 3"},
		{"lru+size:max=50%", 10, []uint32{1, 2}, []uint32{5, 6}, "1 -: 1"},
		{"lru+size:max=1KiB", 3000, []uint32{1, 2}, []uint32{1024, 1025}, "1 -: 1"},
		{"lru+size:max=1KB", 3000, []uint32{1, 2}, []uint32{1000, 1001}, "1 -: 1"},
		{"lru+size:max=7B+second-hit", 20, []uint32{1, 2, 1, 2}, []uint32{7, 8, 7, 8}, "- - 1 -: 1"},
		{"lru+always", 10, []uint32{1, 2}, []uint32{11, 10}, "- 2: 2"}, // too large for the cache
		{"lru+probability:p=0", 2, []uint32{1, 1}, nil, "- -:"},
		{"lru+probability:p=1", 2, []uint32{1, 1}, nil, "1: 1"},
		{"lru+tinylfu", 2, []uint32{1, 1, 2, 2, 3, 3, 3}, nil, "1 2 3: 2 3"}, // nothing went so far: the mean is 0
		{"lru+tinylfu", 1, []uint32{1, 1, 1, 2, 3, 2, 2}, nil, "1 2 -: 2"},   // 3 has one request, and 1, which went, had three
	} {
		p, err := New(tt.name, Spec{Objects: 5, Capacity: tt.capacity, Bytes: tt.sizes != nil})
		if err != nil {
			t.Fatal(err)
		}
		var got, resident []string
		for i, id := range tt.ids {
			switch {
			case p.Contains(id):
				p.Hit(id)
			case p.Insert(id, sizeAt(tt.sizes, i)):
				got = append(got, fmt.Sprint(id))
			default:
				got = append(got, "-")
			}
		}
		for id := range uint32(5) {
			if p.Contains(id) {
				resident = append(resident, " "+fmt.Sprint(id))
			}
		}
		if text := strings.Join(got, " ") + ":" + strings.Join(resident, ""); text != tt.want {
			t.Errorf("%s of %d, asked for %v: %s, want %s", tt.name, tt.capacity, tt.ids, text, tt.want)
		}
	}
}

// TestProbabilityIsFair demands that about so many come in as it says.
func TestProbabilityIsFair(t *testing.T) {
	a, err := newProbability(Spec{Params: map[string]string{"p": "0.3"}, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	in := 0
	for range 100_000 {
		if a.admits(0, 1, false) {
			in++
		}
	}
	if in < 29_000 || in > 31_000 {
		t.Errorf("of 100,000 come in %d, want about 30,000", in)
	}
}

// skewed returns requests whose popularity is skewed, and sizes: with a tail, whatever the popularity.
func skewed(requests, objects int) (ids, sizes []uint32) {
	dice := rand.New(rand.NewPCG(8, 8))
	popular := rand.NewZipf(dice, 1.2, 20, uint64(objects-1))
	of := make([]uint32, objects)
	for id := range of {
		of[id] = uint32(min(1e5, 100*math.Exp(2*dice.NormFloat64())))
	}
	for range requests {
		id := uint32(popular.Uint64())
		ids, sizes = append(ids, id), append(sizes, of[id])
	}
	return ids, sizes
}

// missRatio is that of a policy that has warmed up.
func missRatio(t *testing.T, p Policy, ids, sizes []uint32) float64 {
	t.Helper()
	half := len(ids) / 2
	hits := make([]uint64, len(ids)/64+1)
	var first, second []uint32
	if sizes != nil {
		first, second = sizes[:half], sizes[half:]
	}
	p.Replay(ids[:half], first, hits)
	return float64(p.Replay(ids[half:], second, hits)) / float64(len(ids)-half)
}

func TestTinyLFUKeepsWhatIsPopular(t *testing.T) {
	ids, _ := skewed(400_000, 50_000)
	ratios := make(map[string]float64)
	for _, name := range []string{"lru", "lru+tinylfu", "fifo+tinylfu", "wtinylfu:window=0"} {
		p, err := New(name, Spec{Objects: 50_000, Capacity: 1000})
		if err != nil {
			t.Fatal(err)
		}
		ratios[name] = missRatio(t, p, ids, nil)
	}
	if with, best := ratios["lru+tinylfu"], ratios["wtinylfu:window=0"]; with > ratios["lru"]-0.02 || with > best+0.02 || ratios["fifo+tinylfu"] > best+0.02 {
		t.Errorf("miss ratios %v: with the stage it must be near to W-TinyLFU's without a window", ratios)
	}
}

// TestAdaptSizeFindsTheSize demands that what it chooses is near to the best that can be chosen, and what its model says of
// that to what it does.
func TestAdaptSizeFindsTheSize(t *testing.T) {
	const objects, capacity = 20_000, 200_000
	ids, sizes := skewed(1_000_000, objects)
	spec := Spec{Objects: objects, Capacity: capacity, Bytes: true}
	run := func(c float64) (*adaptSize, float64) {
		p, err := New("lru+adaptsize:interval=100000", spec)
		if err != nil {
			t.Fatal(err)
		}
		stage := p.(*admitting).stage.(*adaptSize)
		if c > 0 {
			stage.c, stage.until = c, math.MaxInt
		}
		return stage, missRatio(t, p, ids, sizes)
	}
	best := 1.0
	for c := 16.0; c < 1e6; c *= 2 {
		_, ratio := run(c)
		best = min(best, ratio)
	}
	_, all := run(math.Inf(1))
	stage, chosen := run(0)
	if all < best+0.03 {
		t.Fatalf("letting all in misses %v, and the best choice %v: the trace tells nothing", all, best)
	}
	if chosen > best+0.01 {
		t.Errorf("it chose %v and misses %v, and the best choice %v", stage.c, chosen, best)
	}
	stage.until = 1 << 60 // as if it chose for good
	classes, _ := stage.classify()
	if model := 1 - stage.hits(classes, stage.c); math.Abs(model-chosen) > 0.03 {
		t.Errorf("by its model it misses %v, in fact %v", model, chosen)
	}
}

// failing is a policy that fails and is closed.
type failing struct {
	Policy
	closed int
}

func (*failing) Err() error     { return errors.New("it trapped") }
func (f *failing) Close() error { f.closed++; return nil }

func TestAdmittedPoliciesFailAndClose(t *testing.T) {
	behind := &failing{}
	p, err := Admit("always", Spec{Objects: 1, Capacity: 1}, func(s Spec) (_ Policy, err error) {
		behind.Policy, err = New("lru", s)
		return behind, err
	})
	if err != nil {
		t.Fatal(err)
	}
	a := p.(*admitting)
	if a.Err() == nil || a.Err().Error() != "it trapped" || a.Close() != nil || behind.closed != 1 || a.Unwrap() != Policy(behind) {
		t.Errorf("Err() = %v, closed %d times, Unwrap() = %v", a.Err(), behind.closed, a.Unwrap())
	}
	native, err := New("lru+always", Spec{Objects: 1, Capacity: 1})
	if err != nil {
		t.Fatal(err)
	}
	if a := native.(*admitting); a.Err() != nil || a.Close() != nil {
		t.Errorf("of a policy that cannot fail: %v, %v", a.Err(), a.Close())
	}
}
