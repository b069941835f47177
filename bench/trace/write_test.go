package trace_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/bench/trace"
)

// sample returns a small trace with all columns.
func sample() *trace.Trace {
	return &trace.Trace{
		Name: "t", Format: "csv", IDs: []uint32{0, 1, 0, 2, 1, 0}, Sizes: []uint32{10, 20, 10, 30, 20, 10},
		Times: []int64{5, 6, 6, 7, 9, 12}, Costs: []float32{1, 2.5, 1, 7, 2, 1}, Objects: 3, Footprint: 60,
	}
}

// load writes bytes to a file and loads that.
func load(t *testing.T, name string, content []byte, o trace.Options) (*trace.Trace, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return trace.Load(t.Context(), path, o)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for name, format := range map[string]string{
		"a.oracleGeneral.zst": "oracleGeneral", "a.bin.gz": "oracleGeneral", "a": "oracleGeneral",
		"a.csv": "csv", "a.csv.zst": "csv", "a.txt": "keys", "a.ect": "ect",
	} {
		t.Run(name, func(t *testing.T) {
			want := sample()
			if format == "csv" || format == "ect" {
				want.Ops, want.TTLs = []trace.Op{get, set, other, del, get, get}, []uint32{0, 60, 0, 0, 1 << 31, 7}
			}
			var b bytes.Buffer
			if err := trace.Write(&b, name, "", want); err != nil {
				t.Fatal(err)
			}
			got, err := load(t, name, b.Bytes(), trace.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want.Name, want.Format = name, format
			switch format {
			case "oracleGeneral":
				want.Costs = nil
			case "keys":
				want.Sizes, want.Times, want.Costs, want.Footprint = nil, nil, nil, 3
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOracleGeneralSaysWhichRequestIsNext(t *testing.T) {
	var b bytes.Buffer
	if err := trace.Write(&b, "a", "", sample()); err != nil {
		t.Fatal(err)
	}
	var next []int64
	for at := 16; at < b.Len(); at += 24 {
		next = append(next, int64(binary.LittleEndian.Uint64(b.Bytes()[at:])))
	}
	if want := []int64{3, 5, 6, -1, -1, -1}; !slices.Equal(next, want) {
		t.Errorf("next requests are %v, want %v", next, want)
	}
}

func TestOracleGeneralTimesFit(t *testing.T) {
	f := func(times, want []int64) {
		t.Helper()
		tr := sample()
		tr.Times = times
		var b bytes.Buffer
		if err := trace.Write(&b, "a", "", tr); err != nil {
			t.Fatal(err)
		}
		got, err := load(t, "a", b.Bytes(), trace.Options{})
		if err != nil || !slices.Equal(got.Times, want) {
			t.Errorf("%v became %v, %v, want %v", times, got.Times, err, want)
		}
	}
	f([]int64{-5, 0, 1, 2, 3, 4}, []int64{0, 5, 6, 7, 8, 9})
	f([]int64{5_633_898_368_802, 5_633_899_368_802, 5_633_899_368_803, 0, 1, 2}, []int64{5_633_898, 5_633_899, 5_633_899, 0, 0, 0})
	f([]int64{math.MinInt64, math.MaxInt64, 0, 0, 0, 0}, []int64{0, 18446744, 9223372, 9223372, 9223372, 9223372})
}

func TestNoFormatIsMadeUp(t *testing.T) {
	for _, c := range [][2]string{{"a", "vscsi"}, {"a.xz", ""}, {"a.bz2", "csv"}} {
		if err := trace.Write(new(bytes.Buffer), c[0], c[1], sample()); err == nil {
			t.Errorf("%q was written as %q", c[0], c[1])
		}
	}
}

func TestSidecar(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	write := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	check := func(o trace.Options, objects int) *trace.Trace {
		t.Helper()
		o.Cache = true
		got, err := trace.Load(t.Context(), path, o)
		if err != nil || got.Objects != objects {
			t.Fatalf("Load = %+v, %v, want %d objects", got, err, objects)
		}
		return got
	}
	kept := func() []byte {
		t.Helper()
		b, err := os.ReadFile(path + ".ect")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	then := time.Unix(1_700_000_000, 0)
	write("time,key,size\n1,a,5\n2,b,6\n3,a,5\n", then)
	first := check(trace.Options{}, 2)
	sidecar := kept()
	if diff := cmp.Diff(first, check(trace.Options{}, 2)); diff != "" {
		t.Errorf("what was kept differs (-source +sidecar):\n%s", diff)
	}
	if !bytes.Equal(sidecar, kept()) {
		t.Error("a good sidecar was written again")
	}

	write("time,key,size\n1,a,5\n2,b,6\n3,c,5\n", then) // the same size and time
	check(trace.Options{}, 3)
	write("time,key,size\n1,a,5\n2,a,6\n3,a,5\n", then.Add(1))
	check(trace.Options{}, 1)
	check(trace.Options{Columns: "key=1"}, 3) // read in another way
	check(trace.Options{}, 1)
	sidecar = kept()
	check(trace.Options{Sample: 1, To: 3}, 1)
	if !bytes.Equal(sidecar, kept()) {
		t.Error("a part of a trace was kept as the whole")
	}
	for i := 0; i < len(sidecar); i += 7 {
		damaged := slices.Clone(sidecar)
		damaged[i] ^= 0x40
		if err := os.WriteFile(path+".ect", damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		check(trace.Options{}, 1)
		if err := os.WriteFile(path+".ect", sidecar[:i], 0o600); err != nil {
			t.Fatal(err)
		}
		check(trace.Options{}, 1)
	}
}

func TestSidecarIsNotForcedOnAFolder(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "t.txt")
	if err := os.WriteFile(path, []byte("1\n2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(folder, 0o700) }()
	if _, err := trace.Load(t.Context(), path, trace.Options{Cache: true}); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

func TestGenerators(t *testing.T) {
	f := func(spec string, requests, leastObjects, mostObjects int) *trace.Trace {
		t.Helper()
		tr, err := trace.Generate(spec, 1)
		if err != nil {
			t.Fatal(err)
		}
		again, err := trace.Generate(spec, 1)
		if err != nil || again.IDsSHA256() != tr.IDsSHA256() {
			t.Errorf("%s: the same seed made another trace, %v", spec, err)
		}
		if tr.Requests() != requests || tr.Objects < leastObjects || tr.Objects > mostObjects {
			t.Errorf("%s: %d requests for %d objects, want %d for %d to %d", spec, tr.Requests(), tr.Objects, requests, leastObjects, mostObjects)
		}
		return tr
	}
	f("loop:10,95", 95, 10, 10)
	f("scan:50", 50, 50, 50)
	f("uniform:100,1e4", 10000, 100, 100)
	f("zipf:1.0,1,10", 10, 1, 1)
	f("hotspot:0.1,0.9,1000,20000", 20000, 800, 1000)
	mixed := f("zipf:1.0,1000,5000 + scan:2000 + loop:10,100", 7100, 2500, 3010)
	if late := slices.Max(mixed.IDs[:1000]); late < 300 {
		t.Errorf("the parts do not take turns: %d objects after 1000 requests", late+1)
	}
	other, err := trace.Generate("zipf:1.0,1000,5000", 2)
	if err != nil || other.IDsSHA256() == f("zipf:1.0,1000,5000", 5000, 400, 1000).IDsSHA256() {
		t.Errorf("the seed decides nothing, %v", err)
	}
	for _, spec := range []string{"", "zipf", "zipf:1", "scan:0", "scan:x", "scan:-1", "loop:0,5", "hotspot:2,1,5,5", "fly:3", "scan:5+", "scan:NaN", "scan:1e10"} {
		if _, err := trace.Generate(spec, 1); err == nil {
			t.Errorf("%q was taken", spec)
		}
	}
}

// TestZipfFollowsItsLaw compares how often the first ranks come with how often they should.
func TestZipfFollowsItsLaw(t *testing.T) {
	const objects, requests = 100, 200_000
	for _, c := range []struct {
		spec string
		s    float64
	}{{"zipf:0,100,2e5", 0}, {"zipf:0.6,100,2e5", 0.6}, {"zipf:1.0,100,2e5", 1}, {"zipf:1.5,100,2e5", 1.5}} {
		tr, err := trace.Generate(c.spec, 3)
		if err != nil {
			t.Fatal(err)
		}
		counts := make([]float64, tr.Objects)
		for _, id := range tr.IDs {
			counts[id]++
		}
		slices.SortFunc(counts, func(a, b float64) int { return int(b - a) })
		sum := 0.0
		for rank := 1; rank <= objects; rank++ {
			sum += math.Pow(float64(rank), -c.s)
		}
		for rank := 1; rank <= 5; rank++ {
			want := requests * math.Pow(float64(rank), -c.s) / sum
			if got := counts[rank-1]; math.Abs(got-want) > 0.08*want {
				t.Errorf("%s: rank %d came %v times, want about %v", c.spec, rank, got, want)
			}
		}
	}
}
