package trace_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
)

// referenceFolder returns where public traces are, or skips the test.
func referenceFolder(t testing.TB) string {
	t.Helper()
	folder := os.Getenv("EDGECACHE_TRACES")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "traces")
	}
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no reference traces (EDGECACHE_TRACES names their folder): %v", err)
	}
	return folder
}

// referenceFiles are the files that each trace of tracestats.csv is in. Those without sizes are marked with a *.
var referenceFiles = map[string][]string{
	"cloudphysics": {"cloudPhysicsIO.csv", "cloudPhysicsIO.oracleGeneral.bin", "*cloudPhysicsIO.txt", "cloudPhysicsIO.vscsi"},
	"adaptsize":    {"adaptsize.request.trace.xz"},
	"apache_logs":  {"apache_logs"},
	"lirs_2_pools": {"lirs.2_pools.trace.gz"},
	"lirs_cpp":     {"lirs.cpp.trace.gz"},
	"lirs_gli":     {"lirs.gli.trace.gz"},
	"lirs_loop":    {"lirs.loop.trace.gz"},
	"lirs_multi1":  {"lirs.multi1.trace.gz"},
	"lirs_multi2":  {"lirs.multi2.trace.gz"},
	"lirs_ps":      {"lirs.ps.trace.gz"},
	"lirs_scan":    {"lirs.scan.trace.gz"},
	"lirs_zigzag":  {"lirs.zigzag.trace.gz"},
	"scarab_recs":  {"scarab-recs.trace.xz"},
	"corda":        {"corda.trace_vaultservice.gz"},
	"c2k_orm-busy": {"cache2k.orm-busy.trace.xz"},
	"c2k_web12":    {"cache2k.web12.trace.xz"},
	"addr_gcc":     {"address.gcc.trace.gz", "address-penalties.gcc.trace.xz"},
	"addr_twolf":   {"address.twolf.trace.gz"},
	"zipf1.0":      {"zipf_1.0.txt.xz"},
	"arc_OLTP":     {"arc.OLTP.lis.zst"},
	"arc_P3":       {"arc.P3.lis.zst"},
}

func TestReferenceTracesHaveTheirHashes(t *testing.T) {
	folder := referenceFolder(t)
	file, err := os.Open(filepath.Join(folder, "tracestats.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		name, heavy := strings.CutSuffix(row[0], "_hs")
		for _, base := range referenceFiles[name] {
			t.Run(row[0]+"/"+strings.TrimPrefix(base, "*"), func(t *testing.T) { checkReference(t, folder, base, heavy, row) })
		}
		if len(referenceFiles[name]) == 0 {
			t.Errorf("%s is in no file", name)
		}
	}
}

func checkReference(t *testing.T, folder, base string, heavy bool, row []string) {
	base, sizeless := strings.CutPrefix(base, "*")
	tr, err := trace.Load(t.Context(), filepath.Join(folder, base), trace.Options{HeavyTail: heavy})
	if err != nil {
		t.Fatal(err)
	}
	f := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s as %s: %s is %s, want %s", base, tr.Format, what, got, want)
		}
	}
	f("requests", strconv.Itoa(tr.Requests()), row[1])
	f("objects", strconv.Itoa(tr.Objects), row[2])
	f("ids", tr.IDsSHA256(), row[7])
	if sizeless {
		f("sizes", strconv.FormatBool(tr.Sizes == nil), "true")
		return
	}
	f("footprint", strconv.FormatUint(tr.Footprint, 10), row[3])
	f("bytes", strconv.FormatUint(tr.Bytes(), 10), row[4])
	f("sizes", tr.SizesSHA256(), row[8])
}
