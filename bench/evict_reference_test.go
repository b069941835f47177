package bench_test

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// target is what a policy is compared with: a row of reference.csv for each trace and size.
type target struct {
	policy, row, mode string
	tolerance         float64 // of the miss ratio; 0 is the same count of misses
	least, most       uint64  // the capacities that are compared; 0 is any
	seeds             uint64  // how many runs the mean is of; 0 is 1
}

// targets returns those of all policies that have a reference worth the name. Random is not among them: libCacheSim's picks
// heads of a hash table's chains, which is not a fair choice among residents, and differs from one by up to .05.
func targets() []target {
	all := []target{
		{policy: "s3fifo", row: "S3FIFO", mode: "obj", least: 20},
		{policy: "s3fifo", row: "S3FIFO", mode: "byte"},
		{policy: "mru", row: "MRU", mode: "obj"},
		{policy: "opt", row: "Belady", mode: "obj"},
		{policy: "opt", row: "Belady", mode: "byte"},
		{policy: "lirs", row: "LIRS_author", mode: "obj", tolerance: .03, least: 100, most: 999},
		{policy: "lirs", row: "LIRS_author", mode: "obj", tolerance: .005, least: 1000},
		{policy: "lirs:ghost=1000", row: "LIRS_author", mode: "obj"}, // which forgets nothing
		{policy: "car", row: "Caffeine:adaptive.Car", mode: "obj"},
		{policy: "clockproplus", row: "Caffeine:irr.ClockProPlus", mode: "obj"},
		{policy: "lruk:k=1", row: "LRU", mode: "obj"},
		{policy: "wtinylfu", row: "Caffeine:sketch.WindowTinyLfu_(1%)", mode: "obj", tolerance: .01},
		{policy: "wtinylfu-adaptive", row: "Caffeine:sketch.HillClimberWindowTinyLfu_(simple_1%)", mode: "obj", tolerance: .02},
	}
	for policy, row := range map[string]string{
		"fifo": "FIFO", "lru": "LRU", "clock": "Clock", "sieve": "Sieve", "lfu": "LFU", "gdsf": "GDSF",
	} {
		all = append(all, target{policy: policy, row: row, mode: "obj"}, target{policy: policy, row: row, mode: "byte"})
	}
	for policy, row := range map[string]string{"hyperbolic": "Hyperbolic", "lecar": "LeCaR"} {
		all = append(all, target{policy: policy, row: row, mode: "obj", tolerance: .02, least: 50, most: 499, seeds: 3},
			target{policy: policy, row: row, mode: "obj", tolerance: .01, least: 500, seeds: 3})
	}
	for policy, row := range map[string]string{"2q": "TwoQ", "slru": "SLRU", "arc": "ARC"} {
		all = append(all, target{policy: policy, row: row, mode: "obj"})
	}
	return all
}

// TestEvictReference replays published traces and compares with what other simulators counted.
func TestEvictReference(t *testing.T) {
	folder := cmp.Or(os.Getenv("EDGECACHE_TRACES"), "../../shared/traces")
	if _, err := os.Stat(filepath.Join(folder, "reference.csv")); err != nil {
		t.Skipf("the traces are not here: %v", err)
	}
	byTrace := make(map[string][]map[string]string)
	for _, row := range readTable(t, filepath.Join(folder, "reference.csv")) {
		byTrace[row["trace"]] = append(byTrace[row["trace"]], row)
	}
	for name, rows := range byTrace {
		t.Run(name, func(t *testing.T) {
			if requests := number(t, rows[0]["n_req"]); testing.Short() && requests > 1_000_000 {
				t.Skipf("%d requests take long", requests)
			}
			plain, heavy := strings.CutSuffix(name, "_hs")
			tr, err := trace.Load(t.Context(), filepath.Join(folder, traceFile(plain)), trace.Options{HeavyTail: heavy})
			if err != nil {
				t.Fatal(err)
			}
			compareAll(t, tr, rows)
		})
	}
}

// compareAll replays a trace for all rows that are targets, and prints a table of those that differ.
func compareAll(t *testing.T, tr *trace.Trace, rows []map[string]string) {
	t.Helper()
	var table strings.Builder
	out := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	compared := 0
	for _, row := range rows {
		for _, want := range targets() {
			capacity := number(t, row["cache_size"])
			if row["algo"] != want.row || row["size_mode"] != want.mode {
				continue
			}
			if capacity < want.least || want.most > 0 && capacity > want.most {
				continue
			}
			compared++
			if difference := want.compare(t, tr, row); difference != "" {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", want.policy, want.mode, row["cache_size"], difference)
			}
		}
	}
	if out.Flush(); table.Len() > 0 {
		t.Errorf("of %d rows these differ:\n%s", compared, &table)
	}
	t.Logf("%d rows compared", compared)
}

// compare replays the trace once for each seed, and says what is not as it should be.
func (want *target) compare(t *testing.T, tr *trace.Trace, row map[string]string) string {
	t.Helper()
	runs := max(want.seeds, 1)
	if tr.Requests() > 500_000 { // so many even out what chance does
		runs = 1
	}
	misses, missed := 0, uint64(0)
	for seed := range runs {
		p, err := evict.New(want.policy, evict.Spec{
			Objects: tr.Objects, Capacity: number(t, row["cache_size"]), Bytes: want.mode == "byte", Seed: seed,
		})
		if err != nil {
			t.Fatal(err)
		}
		if offline, ok := p.(evict.Offline); ok {
			offline.Prepare(tr.IDs, tr.Sizes)
		}
		hits := make([]uint64, tr.Requests()/64+1)
		misses += p.Replay(tr.IDs, tr.Sizes, hits)
		for i := range tr.IDs {
			if hits[i>>6]>>(i&63)&1 == 0 {
				missed += uint64(tr.Size(i))
			}
		}
	}
	if want.tolerance > 0 {
		reference, err := strconv.ParseFloat(row["miss_ratio"], 64)
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(misses) / float64(runs) / float64(tr.Requests()); math.Abs(ratio-reference) > want.tolerance {
			return fmt.Sprintf("miss ratio %.4f, want %.4f +- %v", ratio, reference, want.tolerance)
		}
		return ""
	}
	if got := strconv.Itoa(misses); got != row["n_miss"] {
		return fmt.Sprintf("%s misses, want %s", got, row["n_miss"])
	}
	if got := fmt.Sprintf("%.6f", float64(missed)/float64(tr.Bytes())); want.mode == "byte" && got != row["byte_miss_ratio"] {
		return fmt.Sprintf("byte miss ratio %s, want %s", got, row["byte_miss_ratio"])
	}
	return ""
}

// traceFile returns the file of a trace.
func traceFile(name string) string {
	switch name {
	case "cloudphysics":
		return "cloudPhysicsIO.oracleGeneral.bin"
	case "adaptsize":
		return "adaptsize.request.trace.xz"
	case "scarab_recs":
		return "scarab-recs.trace.xz"
	case "corda":
		return "corda.trace_vaultservice.gz"
	case "zipf1.0":
		return "zipf_1.0.txt.xz"
	}
	family, rest, _ := strings.Cut(name, "_")
	switch family {
	case "lirs":
		return "lirs." + rest + ".trace.gz"
	case "c2k":
		return "cache2k." + rest + ".trace.xz"
	case "addr":
		return "address." + rest + ".trace.gz"
	case "arc":
		return "arc." + rest + ".lis.zst"
	}
	return name
}

// readTable reads a file of comma-separated values whose first line has the names.
func readTable(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := make(map[string]string)
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		all = append(all, m)
	}
	return all
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
