package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
)

func TestContestantsKeepWhatTheyGet(t *testing.T) {
	const entries = 2000
	keys := keysOf(entries)
	if len(keys[0]) != keyBytes || len(keys[entries-1]) != keyBytes {
		t.Errorf("keys are as %q, want %d bytes", keys[0], keyBytes)
	}
	v := &value{Value: make([]byte, valueBytes)}
	for _, c := range contestants() {
		t.Run(c.name, func(t *testing.T) {
			cache, err := c.open(entries)
			if err != nil {
				t.Fatal(err)
			}
			defer cache.close()
			if cache.get(keys[0]) {
				t.Error("an empty cache hits")
			}
			for _, key := range keys[:entries/2] {
				cache.set(key, v)
				cache.settle()
			}
			there := 0
			for _, key := range keys {
				if cache.get(key) {
					there++
				}
			}
			if there != entries/2 {
				t.Errorf("it has %d of %d entries, and room for %d", there, entries/2, entries)
			}
		})
	}
}

// TestReplayHitsAsTheSimulationSays demands that of the caches that are simulated exactly.
func TestReplayHitsAsTheSimulationSays(t *testing.T) {
	made, err := trace.Generate("zipf:0.99,20000,200000", 1)
	if err != nil {
		t.Fatal(err)
	}
	hits, err := measureHits(t.Context(), []*trace.Trace{made})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hits {
		if h.One <= 0.3 || h.Many <= 0.3 || h.One > 1 || h.Many > 1 {
			t.Errorf("%s hits %v and %v", h.Cache, h.One, h.Many)
		}
		if h.Simulated != nil && math.Abs(*h.Simulated-h.One) > 0.05 || h.Cache == "golang-lru" && *h.Simulated != h.One {
			t.Errorf("%s hits %v, simulated %v", h.Cache, h.One, *h.Simulated)
		}
	}
}

func TestReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	o := &options{rounds: 2, entries: 1000, each: time.Millisecond}
	if err := run(context.Background(), o, path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	n := len(contestants())
	if len(r.Speeds) != 2*2*3*(n+1) || len(r.Hits) != n || len(r.Weights) != n || len(r.least()) != 2*3*(n+1) {
		t.Errorf("%d speeds, %d hits and %d weights of %d caches", len(r.Speeds), len(r.Hits), len(r.Weights), n)
	}
	for _, s := range r.Speeds {
		if s.NsPerOp <= 0 || s.P50 < 0 || s.P99 < s.P50 || s.Ops < 1<<14 {
			t.Errorf("%+v", s)
		}
	}
	for _, w := range r.Weights {
		if w.Entries < 800 || w.Bytes < 10 || w.Bytes > 5000 {
			t.Errorf("%+v", w)
		}
	}
	var lines strings.Builder
	r.writeLines(&lines)
	for _, want := range []string{
		`(?m)^BenchmarkGetHit/cache=edgecache/goroutines=16-\d+\t\d+\t[\d.]+ ns/op\t[\d.]+ cpu-ns/op\t\d+ p50-ns\t\d+ p99-ns$`,
		`(?m)^BenchmarkHits/trace=zipf\+scan/cache=otter-\d+\t1\t[\d.]+ one-hit%\t[\d.]+ many-hit%$`,
		`(?m)^BenchmarkWeight/cache=ristretto-\d+\t\d+\t[\d.]+ B/entry$`,
	} {
		if !regexp.MustCompile(want).MatchString(lines.String()) {
			t.Errorf("no line as %s in\n%s", want, &lines)
		}
	}
}
