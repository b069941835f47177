package bench_test

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/edgecache/edgecache/core/evict"
)

// target is what a policy is compared with: a row of reference.csv for each trace and size.
type target struct {
	policy, row, mode string
	tolerance         float64 // of the miss ratio; 0 is the same count of misses
	least             uint64  // capacities below are not compared
	seeds             uint64  // how many runs the mean is of; 0 is 1
}

// targets returns those of all policies that have a reference worth the name.
func targets() []target {
	all := []target{
		{policy: "s3fifo", row: "S3FIFO", mode: "obj", least: 20},
		{policy: "s3fifo", row: "S3FIFO", mode: "byte"},
		{policy: "mru", row: "MRU", mode: "obj"},
		{policy: "random", row: "Random", mode: "obj", tolerance: .02, least: 50, seeds: 3},
		{policy: "random", row: "Random", mode: "obj", tolerance: .01, least: 500, seeds: 3},
		{policy: "opt", row: "Belady", mode: "obj"},
		{policy: "lirs", row: "LIRS_author", mode: "obj", tolerance: .03, least: 100},
		{policy: "lirs", row: "LIRS_author", mode: "obj", tolerance: .005, least: 1000},
		{policy: "lirs:ghost=1000", row: "LIRS_author", mode: "obj"}, // which forgets nothing
		{policy: "car", row: "Caffeine:adaptive.Car", mode: "obj"},
		{policy: "clockproplus", row: "Caffeine:irr.ClockProPlus", mode: "obj"},
		{policy: "lruk:k=1", row: "LRU", mode: "obj"},
		{policy: "wtinylfu", row: "Caffeine:sketch.WindowTinyLfu_(1%)", mode: "obj", tolerance: .01},
		{policy: "wtinylfu-adaptive", row: "Caffeine:sketch.HillClimberWindowTinyLfu_(simple_1%)", mode: "obj", tolerance: .02},
	}
	for policy, row := range map[string]string{"fifo": "FIFO", "lru": "LRU", "clock": "Clock", "sieve": "Sieve"} {
		all = append(all, target{policy: policy, row: row, mode: "obj"}, target{policy: policy, row: row, mode: "byte"})
	}
	for policy, row := range map[string]string{"2q": "TwoQ", "slru": "SLRU", "lfu": "LFU", "arc": "ARC"} {
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
	rows := table(t, filepath.Join(folder, "reference.csv"))
	for _, stats := range table(t, filepath.Join(folder, "tracestats.csv")) {
		t.Run(stats["name"], func(t *testing.T) {
			tr := readTrace(t, folder, stats)
			var bad bytes.Buffer
			out := tabwriter.NewWriter(&bad, 0, 0, 2, ' ', 0)
			for _, row := range rows {
				for _, want := range targets() {
					if row["trace"] == tr.name && row["algo"] == want.row && row["size_mode"] == want.mode {
						tr.compare(t, out, want, row)
					}
				}
			}
			if out.Flush(); bad.Len() > 0 {
				t.Errorf("these differ from reference.csv:\n%s", bad.String())
			}
		})
	}
}

// trace is one in memory.
type trace struct {
	name       string
	ids, sizes []uint32
	objects    int
}

// compare replays the trace once for each seed, and adds a line to out where the result is not as wanted.
func (tr *trace) compare(t *testing.T, out io.Writer, want target, row map[string]string) {
	t.Helper()
	capacity := number(t, row["cache_size"])
	if capacity < want.least || !known(want.policy) {
		return
	}
	runs := max(want.seeds, 1)
	var misses, missed, asked uint64
	for seed := range runs {
		p, err := evict.New(want.policy, evict.Spec{Objects: tr.objects, Capacity: capacity, Bytes: want.mode == "byte", Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if offline, ok := p.(evict.Offline); ok {
			offline.Prepare(tr.ids, tr.sizes)
		}
		hits := make([]uint64, len(tr.ids)/64+1)
		misses += uint64(p.Replay(tr.ids, tr.sizes, hits))
		for i, size := range tr.sizes {
			asked += uint64(size)
			if hits[i>>6]&(1<<(i&63)) == 0 {
				missed += uint64(size)
			}
		}
	}
	ratio := float64(misses) / float64(runs) / float64(len(tr.ids))
	byteRatio := fmt.Sprintf("%.6f", float64(missed)/float64(asked))
	ok := misses == number(t, cmp.Or(row["n_miss"], "0")) && (want.mode == "obj" || byteRatio == row["byte_miss_ratio"])
	if want.tolerance > 0 {
		reference, err := strconv.ParseFloat(row["miss_ratio"], 64)
		if err != nil {
			t.Fatal(err)
		}
		ok = math.Abs(ratio-reference) <= want.tolerance
	}
	if !ok {
		fmt.Fprintf(out, "%s\t%s %d\tmisses %d, ratio %.6f, of bytes %s\twant %s, %s, %s (+-%v)\n",
			want.policy, want.mode, capacity, misses/runs, ratio, byteRatio,
			row["n_miss"], row["miss_ratio"], row["byte_miss_ratio"], want.tolerance)
	}
}

func known(policy string) bool {
	policy, _, _ = strings.Cut(policy, ":")
	for _, p := range evict.Policies() {
		if p.Name == policy {
			return true
		}
	}
	return false
}

// readTrace reads the trace that a line of tracestats.csv describes, and compares it with that.
func readTrace(t *testing.T, folder string, stats map[string]string) *trace {
	t.Helper()
	name := stats["name"]
	tr := &trace{name: name}
	plain, heavy := strings.CutSuffix(name, "_hs")
	add := tr.adder()
	switch file, kind := traceFile(plain); kind {
	case "":
		t.Skip("the format is not read here")
	case "int32", "int64":
		for b := unpack(t, folder, file); len(b) > 0; {
			if kind == "int32" {
				add(uint64(binary.BigEndian.Uint32(b)), 1)
				b = b[4:]
			} else {
				add(binary.BigEndian.Uint64(b), 1)
				b = b[8:]
			}
		}
	case "oracle":
		for b := unpack(t, folder, file); len(b) > 0; b = b[24:] {
			add(binary.LittleEndian.Uint64(b[4:]), binary.LittleEndian.Uint32(b[12:]))
		}
	default:
		lines := bufio.NewScanner(bytes.NewReader(unpack(t, folder, file)))
		for lines.Scan() {
			f := strings.Fields(lines.Text())
			switch {
			case len(f) == 0 || f[0] == "*":
			case kind == "arc":
				start, n := number(t, f[0]), number(t, f[1])
				for i := range n {
					add(start+i, 1)
				}
			case kind == "sized": // the key is id and size
				add(number(t, f[1])<<32|number(t, f[2]), uint32(number(t, f[2])))
			case kind == "address":
				add(number(t, f[1]), 1)
			default:
				add(number(t, f[0]), 1)
			}
		}
	}
	if heavy {
		tr.heavy()
	}
	if ids, sizes := sum(tr.ids, 1), sum(tr.sizes, 0); ids != stats["ids_sha256"] || sizes != stats["sizes_sha256"] {
		t.Fatalf("%d requests for %d objects with hashes %s and %s, want %v", len(tr.ids), tr.objects, ids, sizes, stats)
	}
	return tr
}

// traceFile returns the file of a trace and the kind of its format.
func traceFile(name string) (file, kind string) {
	if lirs, ok := strings.CutPrefix(name, "lirs_"); ok {
		return "lirs." + lirs + ".trace.gz", "keys"
	}
	switch name {
	case "cloudphysics":
		return "cloudPhysicsIO.oracleGeneral.bin", "oracle"
	case "adaptsize":
		return "adaptsize.request.trace.xz", "sized"
	case "scarab_recs":
		return "scarab-recs.trace.xz", "int64"
	case "corda":
		return "corda.trace_vaultservice.gz", "int64"
	case "c2k_orm-busy", "c2k_web12":
		return "cache2k." + strings.TrimPrefix(name, "c2k_") + ".trace.xz", "int32"
	case "addr_gcc", "addr_twolf":
		return "address." + strings.TrimPrefix(name, "addr_") + ".trace.gz", "address"
	case "zipf1.0":
		return "zipf_1.0.txt.xz", "keys"
	case "arc_OLTP", "arc_P3":
		return "arc." + strings.TrimPrefix(name, "arc_") + ".lis.zst", "arc"
	}
	return "", ""
}

// adder returns what adds a request: it numbers keys as they come, and keeps the size that they come with first.
func (tr *trace) adder() func(key uint64, size uint32) {
	type object struct{ id, size uint32 }
	seen := make(map[uint64]object)
	return func(key uint64, size uint32) {
		o, ok := seen[key]
		if !ok {
			o = object{uint32(len(seen)), size}
			seen[key] = o
			tr.objects++
		}
		tr.ids = append(tr.ids, o.id)
		tr.sizes = append(tr.sizes, o.size)
	}
}

// heavy gives the objects sizes with a heavy tail.
func (tr *trace) heavy() {
	for i, id := range tr.ids {
		h := uint64(id+1) + 0x9e3779b97f4a7c15 // SplitMix64
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
		tr.sizes[i] = 64<<min(14, bits.TrailingZeros64(h)) + uint32(h>>32)&63
	}
}

// sum returns the hash of numbers, to each of which first is added.
func sum(numbers []uint32, first uint32) string {
	h := sha256.New()
	b := make([]byte, 0, 1<<16)
	for _, n := range numbers {
		if b = binary.LittleEndian.AppendUint32(b, n+first); len(b) == cap(b) {
			h.Write(b)
			b = b[:0]
		}
	}
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// unpack returns what is in a file, by the tool that its name asks for.
func unpack(t *testing.T, folder, file string) []byte {
	t.Helper()
	path := filepath.Join(folder, file)
	tool, ok := map[string]string{".gz": "gzip", ".xz": "xz", ".zst": "zstd"}[filepath.Ext(file)]
	if !ok {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("the trace can't be unpacked: %v", err)
	}
	b, err := exec.CommandContext(t.Context(), tool, "-dc", path).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", tool, file, err)
	}
	return b
}

// table reads a file of comma-separated values whose first line has the names.
func table(t *testing.T, path string) []map[string]string {
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
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
