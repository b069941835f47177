package evict

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// countsDir returns the folder of the traces and of what others count on them. Where it is absent the test is skipped.
func countsDir(t *testing.T) string {
	dir := os.Getenv("EDGECACHE_TRACES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "traces")
	}
	if _, err := os.Stat(filepath.Join(dir, "reference.csv")); err != nil {
		t.Skipf("no traces to compare with: %v", err)
	}
	return dir
}

// countsTrace is a trace with dense ids.
type countsTrace struct{ ids, sizes []uint32 }

// ask adds a request.
func (c *countsTrace) ask(dense map[string]uint32, key string, size uint32) {
	id, ok := dense[key]
	if !ok {
		id = uint32(len(dense))
		dense[key] = id
	}
	c.ids, c.sizes = append(c.ids, id), append(c.sizes, size)
}

// countsTraces are those that need no more than the standard library to be read.
func countsTraces(t *testing.T, dir string) map[string]countsTrace {
	traces := make(map[string]countsTrace)
	for _, name := range []string{"2_pools", "cpp", "gli", "loop", "multi1", "multi2", "ps", "scan", "zigzag"} {
		traces["lirs_"+name] = countsLines(t, filepath.Join(dir, "lirs."+name+".trace.gz"), 0)
	}
	for _, name := range []string{"gcc", "twolf"} {
		traces["addr_"+name] = countsLines(t, filepath.Join(dir, "address."+name+".trace.gz"), 1)
	}
	traces["cloudphysics"] = countsRecords(t, filepath.Join(dir, "cloudPhysicsIO.oracleGeneral.bin"))
	return traces
}

// countsLines reads a compressed file whose lines have the key in one of their fields.
func countsLines(t *testing.T, file string, field int) countsTrace {
	t.Helper()
	var trace countsTrace
	dense := make(map[string]uint32)
	lines := bufio.NewScanner(bytes.NewReader(countsUnzip(t, file)))
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > field && f[0] != "*" {
			trace.ask(dense, f[field], 1)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return trace
}

func countsUnzip(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// countsRecords reads records of 24 bytes: time, key, size, position of the next request for the same.
func countsRecords(t *testing.T, file string) countsTrace {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var trace countsTrace
	dense := make(map[string]uint32)
	for ; len(b) >= 24; b = b[24:] {
		trace.ask(dense, string(b[4:12]), binary.LittleEndian.Uint32(b[12:16]))
	}
	return trace
}

// count is what others count: of a trace, with a policy and a capacity.
type count struct {
	trace, algo           string
	bytes                 bool
	capacity              uint64
	missRatio, byteMisses float64
	misses                int // of an exact one
}

func (c count) String() string {
	return fmt.Sprintf("%s of %s with %d, bytes %v", c.algo, c.trace, c.capacity, c.bytes)
}

// countsOf reads what others count for some policies and traces.
func countsOf(t *testing.T, dir string, traces map[string]countsTrace, algos ...string) (counts []count) {
	f, err := os.Open(filepath.Join(dir, "reference.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, r := range rows[1:] {
		if _, ok := traces[r[0]]; !ok || !slices.Contains(algos, r[3]) {
			continue
		}
		c := count{
			trace: r[0], algo: r[3], bytes: r[1] == "byte", capacity: uint64(number(r[2])),
			missRatio: number(r[4]), byteMisses: number(r[5]),
		}
		c.misses = int(math.Round(c.missRatio * float64(len(traces[r[0]].ids))))
		if r[7] != "" {
			c.misses = int(number(r[7]))
		}
		counts = append(counts, c)
	}
	return counts
}

func TestCurveCountsAreThoseOfOthers(t *testing.T) {
	dir := countsDir(t)
	traces := countsTraces(t, dir)
	for _, c := range countsOf(t, dir, traces, "LRU") {
		trace := traces[c.trace]
		got := LRUCurve(trace.ids, trace.sizes, []uint64{c.capacity}, c.bytes)[0]
		var all uint64
		for _, size := range trace.sizes {
			all += uint64(size)
		}
		ratio := float64(got.MissBytes) / float64(all)
		if got.Misses != c.misses || c.bytes && math.Abs(ratio-c.byteMisses) > 1e-6 {
			t.Errorf("%v: %d misses, %.6f of the bytes, want %d, %.6f", c, got.Misses, ratio, c.misses, c.byteMisses)
		}
	}
}

// TestBoundIsBelowOthers checks that no policy of others misses less than the bound.
func TestBoundIsBelowOthers(t *testing.T) {
	dir := countsDir(t)
	traces := countsTraces(t, dir)
	for _, c := range countsOf(t, dir, traces, "Belady", "LRU", "S3FIFO", "GDSF", "ARC") {
		trace := traces[c.trace]
		if bound := PFOOL(trace.ids, trace.sizes, []uint64{c.capacity}, c.bytes)[0]; c.misses < bound.Misses {
			t.Errorf("%v: %d misses, below the bound %d", c, c.misses, bound.Misses)
		}
	}
}

// TestCountsOfChanceAreNearThoseOfOthers compares the mean of three seeds. Of LHD with next to no room so much is left to
// chance that there is nothing to compare.
func TestCountsOfChanceAreNearThoseOfOthers(t *testing.T) {
	dir := countsDir(t)
	traces := countsTraces(t, dir)
	names := map[string]string{"LeCaR": "lecar", "Hyperbolic": "hyperbolic", "LHD": "lhd"}
	for _, c := range countsOf(t, dir, traces, slices.Collect(maps.Keys(names))...) {
		if c.algo == "LHD" && c.capacity < 30 {
			continue
		}
		trace := traces[c.trace]
		var misses int
		for seed := range uint64(3) {
			misses += replayAll(t, names[c.algo], trace.ids, trace.sizes,
				Spec{Capacity: c.capacity, Bytes: c.bytes, Seed: seed}).Misses
		}
		near := .01
		if c.capacity < 500 {
			near = .02
		}
		if got := float64(misses) / 3 / float64(len(trace.ids)); math.Abs(got-c.missRatio) > near {
			t.Errorf("%v: miss ratio %.4f, want %.4f", c, got, c.missRatio)
		}
	}
}
