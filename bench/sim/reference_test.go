package sim

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core/evict"
)

// tracesDir is the folder with public traces and what other simulators count on them: see core/evict/policytest. It is not
// part of the project.
func tracesDir(t *testing.T) string {
	t.Helper()
	dir := cmp.Or(os.Getenv("EDGECACHE_TRACES"), filepath.Join("..", "..", "..", "shared", "traces"))
	if _, err := os.Stat(filepath.Join(dir, "reference.csv")); err != nil {
		t.Skipf("no reference counts: %v", err)
	}
	return dir
}

// referenceFile is where a trace of the reference is. Those that end in "_hs" are the same with sizes that are made up.
func referenceFile(name string) string {
	name = strings.TrimSuffix(name, "_hs")
	if lirs, ok := strings.CutPrefix(name, "lirs_"); ok {
		return "lirs." + lirs + ".trace.gz"
	}
	switch name {
	case "cloudphysics":
		return "cloudPhysicsIO.csv"
	case "adaptsize":
		return "adaptsize.request.trace.xz"
	case "apache_logs":
		return "apache_logs"
	case "arc_OLTP", "arc_P3":
		return strings.Replace(name, "_", ".", 1) + ".lis.zst"
	case "scarab_recs":
		return "scarab-recs.trace.xz"
	case "c2k_web12", "c2k_orm-busy":
		return "cache2k." + strings.TrimPrefix(name, "c2k_") + ".trace.xz"
	case "corda":
		return "corda.trace_vaultservice.gz"
	case "addr_gcc", "addr_twolf":
		return "address." + strings.TrimPrefix(name, "addr_") + ".trace.gz"
	case "zipf1.0":
		return "zipf_1.0.txt.xz"
	default:
		return ""
	}
}

// exactly returns what we call a policy whose misses in the reference are ours to the last one, or "".
func exactly(algo string, bytes bool, size uint64) string {
	names := map[string]string{"FIFO": "fifo", "LRU": "lru", "Clock": "clock", "Sieve": "sieve"}
	if !bytes {
		maps.Copy(names, map[string]string{"ARC": "arc", "TwoQ": "2q", "SLRU": "slru", "LFU": "lfu", "Belady": "opt"})
		if size >= 20 { // below, theirs admits nothing
			names["S3FIFO"] = "s3fifo"
		}
	}
	return names[algo]
}

// reference is one line of reference.csv.
type reference struct {
	trace         string
	bytes         bool
	size          uint64
	policy        string
	byteMissRatio float64
	misses        uint64
	share         string
}

// readReferences returns those of the policies that there are.
func readReferences(t *testing.T, dir string) []reference {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "reference.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) uint64 {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var all []reference
	for _, row := range rows[1:] {
		size := number(row[2])
		policy := exactly(row[3], row[1] == "byte", size)
		if row[11] != "libCacheSim" || !slices.ContainsFunc(evict.Policies(), func(p evict.Info) bool { return p.Name == policy }) {
			continue
		}
		byteMiss, err := strconv.ParseFloat(row[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, reference{row[0], row[1] == "byte", size, policy, byteMiss, number(row[7]), row[9]})
	}
	return all
}

// TestReference compares misses with those that libCacheSim counts.
func TestReference(t *testing.T) {
	dir := tracesDir(t)
	type group struct {
		trace string
		bytes bool
	}
	groups := make(map[group][]reference)
	var order []group
	for _, ref := range readReferences(t, dir) {
		g := group{ref.trace, ref.bytes}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], ref)
	}
	var mismatches [][]string
	equal := make(map[string]int)
	for _, g := range order {
		if testing.Short() && (g.trace == "arc_P3" || strings.HasPrefix(g.trace, "c2k_orm-busy")) {
			continue
		}
		tr, err := trace.Load(t.Context(), filepath.Join(dir, referenceFile(g.trace)), trace.Options{HeavyTail: strings.HasSuffix(g.trace, "_hs")})
		if err != nil {
			t.Errorf("%s: %v", g.trace, err)
			continue
		}
		report := runReferences(t, tr, g.bytes, groups[g])
		for _, ref := range groups[g] {
			got := report.Find(ref.policy, ref.size)
			same := got.Error == "" && got.Misses == ref.misses && (!g.bytes || six(got.ByteMissRatio) == six(ref.byteMissRatio))
			if same {
				equal[ref.policy]++
				continue
			}
			mismatches = append(mismatches, []string{
				g.trace, report.SizeMode, fmt.Sprint(ref.size), ref.policy, fmt.Sprint(ref.misses), fmt.Sprint(got.Misses),
				six(ref.byteMissRatio), six(got.ByteMissRatio), got.Error,
			})
		}
	}
	t.Logf("configurations that are equal, by policy: %v", equal)
	if len(mismatches) > 0 {
		var b strings.Builder
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "TRACE\tMODE\tSIZE\tPOLICY\tMISSES\tOURS\tBYTE MISS\tOURS\tERROR")
		for _, row := range mismatches {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		w.Flush()
		t.Errorf("%d configurations are not as in the reference:\n%s", len(mismatches), &b)
	}
}

// runReferences runs all policies and sizes of the references.
func runReferences(t *testing.T, tr *trace.Trace, bytes bool, refs []reference) *Report {
	t.Helper()
	o := Options{Trace: tr, Bytes: bytes}
	var names []string
	for _, ref := range refs {
		if !slices.Contains(names, ref.policy) {
			names = append(names, ref.policy)
		}
		size := Size{count: ref.size}
		if !slices.Contains(o.Sizes, size) {
			o.Sizes = append(o.Sizes, size)
		}
		checkShare(t, tr, ref)
	}
	o.Policies = mustPolicies(t, names...)
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkShare checks that a percentage is the size that the reference has for it.
func checkShare(t *testing.T, tr *trace.Trace, ref reference) {
	t.Helper()
	share, err := strconv.ParseFloat(ref.share, 64)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSize(strconv.FormatFloat(100*share, 'g', 3, 64) + "%")
	if err != nil {
		t.Fatal(err)
	}
	total := uint64(tr.Objects)
	if ref.bytes {
		total = tr.Footprint
	}
	if got, err := s.of(total, ref.bytes); err != nil || got != ref.size {
		t.Errorf("%s: %s of %d is %d, %v, want %d", ref.trace, s, total, got, err, ref.size)
	}
}
