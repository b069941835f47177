package sim

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small returns a report with what there can be in one: two policies, one that failed, sizes in bytes.
func small() *Report {
	share := func(f float64) *float64 { return &f }
	return &Report{
		Trace: `web "1" <&>.csv`, Format: "csv", Requests: 20_000, Objects: 1234, Footprint: 9_876_543, RequestBytes: 223_344_556, SizeMode: "byte",
		Results: []Result{
			{Policy: "lru", CacheSize: 9876, Requests: 20_000, Misses: 15_000, MissRatio: 0.75, ByteMissRatio: 0.8123456, ExpiredMisses: 100, Evictions: 14_900, OriginBytes: 181_434_000, AdmittedBytes: 181_434_000, WriteAmplification: 0.8123456, MetadataBytes: 13, Gap: share(0), MreqPerS: 123.456},
			{Policy: "lru", CacheSize: 98_765, Requests: 20_000, Misses: 6_001, MissRatio: 0.30005, ByteMissRatio: 0.4, Evictions: 5_000, Gap: share(-0.01234), MreqPerS: 99.9},
			{Policy: "./mine.wasm", CacheSize: 9876, Error: "it trapped, at request 7"},
			{Policy: "./mine.wasm", CacheSize: 98_765, Requests: 20_000, Misses: 5_000, MissRatio: 0.25, ByteMissRatio: 0.42, Evictions: 4_000, MreqPerS: 33},
			{Policy: "sieve", CacheSize: 9876, Requests: 20_000, Misses: 12_000, MissRatio: 0.6, ByteMissRatio: 0.7, Evictions: 11_900, OriginBytes: 156_340_000, AdmittedBytes: 15_634_000, WriteAmplification: 0.07, MetadataBytes: 13.1, Gap: share(0.5), MreqPerS: 88},
			{Policy: "sieve", CacheSize: 98_765, Requests: 20_000, Misses: 4_000, MissRatio: 0.2, ByteMissRatio: 0.3, Evictions: 3_900, Gap: share(0.62), MreqPerS: 77},
			{Policy: "pfoo-l", CacheSize: 9876, Bound: true, Requests: 20_000, Misses: 9_000, MissRatio: 0.45, ByteMissRatio: 0.6, Gap: share(1), MreqPerS: 8},
		},
	}
}

// sampled returns a report of samples.
func sampled() *Report {
	return &Report{
		Trace: "P3", Requests: 4_000_000, Objects: 1_000_000, Footprint: 1_000_000, RequestBytes: 4_000_000, SizeMode: "obj",
		Sample: &Sample{Rate: 0.01, Seeds: 5, Objects: 9_876},
		Results: []Result{{
			Policy: "lru", CacheSize: 1000, Requests: 200_000, Misses: 100_000, MissRatio: 0.5, ByteMissRatio: 0.5, Evictions: 99_000, MreqPerS: 150,
			CostMissRatio: new(0.61), Estimate: &Estimate{Raw: Band{0.5, 0.48, 0.53}, Adjusted: Band{0.49, 0.485, 0.495}},
		}},
	}
}

// golden compares what is written with a file in testdata, or writes that where UPDATE is set.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is other than what is written (-want +got):\n%s", path, diff)
	}
}

// TestOutputs also writes the files that it compares with where UPDATE is set.
func TestOutputs(t *testing.T) {
	golden(t, "small.txt", small().WriteTable)
	golden(t, "color.txt", small().WriteColorTable)
	golden(t, "small.csv", small().WriteCSV)
	golden(t, "small.json", small().WriteJSON)
	golden(t, "small.svg", small().WriteSVG)
	golden(t, "small.html", small().WriteHTML)
	golden(t, "sampled.txt", sampled().WriteTable)
	golden(t, "sampled.csv", sampled().WriteCSV)
	golden(t, "sampled.html", sampled().WriteHTML)
}

func TestCSVBeginsWithTheColumnsThatOthersRead(t *testing.T) {
	var b strings.Builder
	if err := small().WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(b.String(), "\n")
	const want = "trace,size_mode,cache_size,policy,requests,misses,miss_ratio,byte_miss_ratio,mreq_per_s,"
	if !strings.HasPrefix(header, want) {
		t.Errorf("the columns are %q, want %q first", header, want)
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	r := large()
	var b strings.Builder
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 300_000 {
		t.Errorf("a page with %d results has %d bytes", len(r.Results), b.Len())
	}
	addresses := regexp.MustCompile(`https?://[^"' ]*|\b(src|href)=|url\(|@import`).FindAllString(b.String(), -1)
	for _, a := range addresses {
		if a != "http://www.w3.org/2000/svg" {
			t.Errorf("the page has %q in it", a)
		}
	}
}

// large returns a report as large as they get: 30 policies at 32 sizes.
func large() *Report {
	r := small()
	r.Results = nil
	for policy := range 30 {
		for size := range 32 {
			r.Results = append(r.Results, Result{
				Policy: "a-policy-" + string(rune('a'+policy)), CacheSize: 9876 << size, Requests: 20_000, Misses: uint64(5000 + 300*size),
				MissRatio: 1 - float64(size)/33, ByteMissRatio: 1 - float64(size+policy)/70, MreqPerS: 100,
			})
		}
	}
	return r
}

func TestChartsOfAlmostNothing(t *testing.T) {
	one := sampled()
	one.Results[0].MissRatio = 0
	failed := small()
	failed.Results = failed.Results[2:3]
	for _, r := range []*Report{one, failed} {
		var b strings.Builder
		if err := r.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
			t.Errorf("the page has numbers in it that are none:\n%s", &b)
		}
	}
}

func TestJSONIsReadBack(t *testing.T) {
	var b bytes.Buffer
	if err := sampled().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	got, err := ReadJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampled(), got); diff != "" {
		t.Errorf("what is read is not what was written (-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "{}", "[]", `{"size_mode":"blob"}`, `{"size_mode":"obj","requests":"many"}`} {
		if _, err := ReadJSON(strings.NewReader(text)); err == nil {
			t.Errorf("ReadJSON(%q): no error", text)
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	var b bytes.Buffer
	if err := sampled().WriteJSON(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"size_mode":"obj","results":[{"policy":"lru","cache_size":0,"miss_ratio":1e308}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadJSON(bytes.NewReader(text))
		if err != nil {
			return
		}
		if _, err := r.Compare(r, 0); err != nil {
			t.Errorf("a report cannot be compared with itself: %v", err)
		}
	})
}

func TestAssertions(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string // nil if it holds
	}{
		{"lru.miss<=0.75", nil},
		{"lru.miss <= 75%", nil},
		{"lru.miss<0.75", []string{"lru.miss<0.75: at size 9876 it is 0.75"}},
		{"lru@98765.miss<0.75", nil},
		{"lru@1%.miss==0.30005", nil},
		{"lru.byte_miss<0.1", []string{"lru.byte_miss<0.1: at size 9876 it is 0.812346", "lru.byte_miss<0.1: at size 98765 it is 0.4"}},
		{"sieve.misses<12001", nil},
		{"sieve.gap>=50%", nil},
		{"sieve.evictions>3899", nil},
		{"pfoo-l.evictions<1", []string{"pfoo-l.evictions<1: at size 9876 it is NaN"}},
		{"sieve.mreq>70", nil},
		{"lru@9876.expired==0.005", nil},
		{"sieve@9876.origin_bytes<2e8", nil},
		{"sieve@9876.write_amp<=7%", nil},
		{"pfoo-l.write_amp>0", []string{"pfoo-l.write_amp>0: at size 9876 it is NaN"}},
		{"lru@9876.metadata<=16", nil},
		{"lru@98765.metadata<=16", []string{"lru@98765.metadata<=16: at size 98765 it is NaN"}},
		{"./mine.wasm@98765.miss<1", nil},
		{"./mine.wasm.gap>0", []string{"./mine.wasm.gap>0: at size 9876 the policy failed", "./mine.wasm.gap>0: at size 98765 it is NaN"}},
		{"arc.miss<1", []string{"arc.miss<1: there is no such policy and size in the results"}},
		{"lru@5.miss<1", []string{"lru@5.miss<1: there is no such policy and size in the results"}},
	} {
		a, err := ParseAssertion(tt.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(tt.want, a.Check(small())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
	for _, text := range []string{"", "lru", "lru.miss", "lru.miss=0.3", "lru.miss=<0.3", "<0.3", ".miss<1", "lru.mass<1", "lru.miss<much", "lru@x.miss<1", "lru.miss<NaN", "=", "lru.miss!=1"} {
		if _, err := ParseAssertion(text); err == nil {
			t.Errorf("ParseAssertion(%q): no error", text)
		}
	}
	a, err := ParseAssertion("slru:segments=2.miss<=1")
	if err != nil || a.policy != "slru:segments=2" {
		t.Errorf("a policy with parameters is %q, %v", a.policy, err)
	}
}

func TestCompare(t *testing.T) {
	now := small()
	now.Results[0].MissRatio += 0.002
	now.Results[1].ByteMissRatio += 0.0005
	now.Results[3].Error = "it trapped"
	now.Results[5].MissRatio -= 0.1
	now.Results = append(now.Results[:4], now.Results[5:]...)
	got, err := now.Compare(small(), 0.001)
	if err != nil {
		t.Fatal(err)
	}
	want := []Difference{
		{"lru at size 9876: miss ratio was 0.750000 and is 0.752000 (+0.002000)", true},
		{"lru at size 98765: byte miss ratio was 0.400000 and is 0.400500 (+0.000500)", false},
		{"./mine.wasm at size 98765 failed", true},
		{"sieve at size 9876 is not in this run", true},
		{"sieve at size 98765: miss ratio was 0.200000 and is 0.100000 (-0.100000)", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := now.Compare(sampled(), 0); err == nil {
		t.Error("reports of different traces were compared")
	}
}
