// Command ratios reads the output of "go test -bench" and prints the figures that the project holds itself to, each
// against a peer or a floor of the same run. Of many short repetitions it takes the least, to which the neighbours on a
// shared machine have added nothing. It judges nothing by its exit code.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	runs, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
	report(os.Stdout, runs)
}

// runs are the figures of each benchmark and unit, one for each repetition: "Hit/otter-2 ns/op".
type runs map[string][]float64

func read(r io.Reader) (runs, error) {
	all := make(runs)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			key := name + " " + fields[i+1]
			all[key] = append(all[key], value)
		}
	}
	return all, lines.Err()
}

// least returns the least figure, and whether the benchmark was run at all.
func (r runs) least(benchmark, unit string) (float64, bool) {
	values := r[benchmark+" "+unit]
	if len(values) == 0 {
		return 0, false
	}
	return slices.Min(values), true
}

// figure is one line of the report: what is made of the least figures of some benchmarks.
type figure struct {
	text   string
	of     []string // benchmarks; ns/op unless unit is set
	unit   string
	make   func(m []float64) float64
	format string
	limit  string
}

func ratio(m []float64) float64  { return m[0] / m[1] }
func minus(m []float64) float64  { return m[0] - m[1] }
func micros(m []float64) float64 { return m[0] / 1000 }
func itself(m []float64) float64 { return m[0] }

var figures = [...]figure{
	{"L1 hit, Cache.Get, to a bare otter get", []string{"Hit/Cache.Get-2", "Hit/otter-2"}, "", ratio, "%.2f x", "<= 1.5 x"},
	{"the same, unsampled parent span", []string{"Hit/Cache.Get-unsampled-2", "Hit/otter-2"}, "", ratio, "%.2f x", "<= 1.5 x"},
	{"memory tier with lru, Get, to a bare otter get", []string{"PolicyGet/lru/one-2", "PolicyGet/otter/one-2"}, "", ratio, "%.2f x", "<= 2 x"},
	{"the same with sieve", []string{"PolicyGet/sieve/one-2", "PolicyGet/otter/one-2"}, "", ratio, "%.2f x", "<= 2 x"},
	{"the same with s3fifo", []string{"PolicyGet/s3fifo/one-2", "PolicyGet/otter/one-2"}, "", ratio, "%.2f x", "<= 2 x"},
	{"the same with s3fifo, two goroutines", []string{"PolicyGet/s3fifo/all-2", "PolicyGet/otter/all-2"}, "", ratio, "%.2f x", "<= 2 x"},
	{"allocations of a hit", []string{"Hit/Cache.Get-2"}, "allocs/op", itself, "%.0f", "0"},
	{"Typed.Get of JSON with KeepDecoded, to a raw hit", []string{"Typed/json-kept-2", "Typed/raw-2"}, "", ratio, "%.2f x", "<= 2 x"},
	{"allocations of the same", []string{"Typed/json-kept-2"}, "allocs/op", itself, "%.0f", "0"},
	{"memoized function of a string, hit", []string{"Memoize/string-2", "Typed/raw-2"}, "", minus, "%.1f ns", "<= 150 ns"},
	{"sync WASM hook that passes", []string{"Hook/pass-2", "Hook/none-2"}, "", minus, "%.1f ns", "<= 60 ns"},
	{"sync WASM hook that rewrites a 32-byte key", []string{"Hook/rewrite-2", "Hook/none-2"}, "", minus, "%.1f ns", "<= 140 ns"},
	{"the same, remembered (pure)", []string{"Hook/rewrite-memo-2", "Hook/none-2"}, "", minus, "%.1f ns", ""},
	{"allocations of a rewriting hook", []string{"Hook/rewrite-2"}, "allocs/op", itself, "%.0f", "0"},
	{"lowercase in C, metered", []string{"Guest/c-2", "Hook/none-2"}, "", minus, "%.1f ns", "<= 140 ns"},
	{"lowercase in Rust, metered", []string{"Guest/rust-2", "Hook/none-2"}, "", minus, "%.1f ns", "<= 140 ns"},
	{"lowercase in Zig, metered", []string{"Guest/zig-2", "Hook/none-2"}, "", minus, "%.1f ns", "<= 140 ns"},
	{"lowercase in AssemblyScript, metered", []string{"Guest/as-2", "Hook/none-2"}, "", minus, "%.1f ns", "<= 140 ns"},
	{"lowercase in Go, metered", []string{"Guest/go-2", "Hook/none-2"}, "", minus, "%.1f ns", "<= 330 ns"},
	{"metering of lowercase in C", []string{"Guest/c-2", "Guest/c-unmetered-2"}, "", minus, "%.1f ns", ""},
	{"metering of lowercase in Rust", []string{"Guest/rust-2", "Guest/rust-unmetered-2"}, "", minus, "%.1f ns", ""},
	{"load of lowercase in C, compiled code on disk", []string{"Load/c-2"}, "", micros, "%.0f us", "<= 1000 us"},
	{"load of lowercase in Go, compiled code on disk", []string{"Load/go-2"}, "", micros, "%.0f us", "<= 90000 us"},
	{"an endless hook, until it is stopped by fuel", []string{"Runaway/fuel-2"}, "us", itself, "%.0f us", "<= 1000 us"},
	{"an endless hook, stopped by a clock of 10 ms", []string{"Runaway/clock-2"}, "us", itself, "%.0f us", "<= 12000 us"},
	{"wait of the collector for it", []string{"Runaway/clock-2"}, "pause-us", itself, "%.0f us", "<= 100 us"},
	{"rewriting hook, two goroutines to one", []string{"HookParallel", "HookParallel-2"}, "", ratio, "%.2f x", ">= 1.8 x"},
	{
		"hitratio + timing on the caller, less two clock readings",
		[]string{"HitWith/hitratio+timing-2", "HitWith/nothing-2", "HitWith/clock-2"},
		"",
		func(m []float64) float64 { return m[0] - m[1] - m[2] }, "%.1f ns", "<= 40 ns",
	},
	{"an event in hitratio", []string{"Observe/hitratio-256-2"}, "ns/event", itself, "%.1f ns", "<= 12 ns"},
	{"an event in timing", []string{"Observe/timing-256-2"}, "ns/event", itself, "%.1f ns", "<= 12 ns"},
	{"a rewrite in Extism, to a command through lowercase", []string{"Pair/lowercase-2"}, "x", itself, "%.0f x", ">= 100 x"},
	{"the same, to a command through keyrewrite", []string{"Pair/keyrewrite-2"}, "x", itself, "%.0f x", ">= 100 x"},
	{"a rewrite in lowercase", []string{"Rewrite/lowercase-2", "Rewrite/none-2"}, "", minus, "%.1f ns", "<= 140 ns"},
	{"a rewrite in Extism", []string{"Rewrite/extism-2"}, "", itself, "%.0f ns", ""},
}

func report(w io.Writer, r runs) {
	fmt.Fprintf(w, "%-58s %10s   %s\n", "least of the repetitions", "measured", "aim")
	for _, f := range figures {
		unit := f.unit
		if unit == "" {
			unit = "ns/op"
		}
		values := make([]float64, len(f.of))
		known := true
		for i, name := range f.of {
			v, ok := r.least(name, unit)
			values[i], known = v, known && ok
		}
		if known {
			fmt.Fprintf(w, "%-58s %10s   %s\n", f.text, fmt.Sprintf(f.format, f.make(values)), f.limit)
		}
	}
}
