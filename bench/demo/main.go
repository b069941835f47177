// Command demo shows the main job on real input: it starts a private Redis and an edgecache in front of it, replays an
// access log through RESP with the keyrewrite plugin on, prints hit ratio and timing as the WASM plugins report them, and
// checks them against what it counted itself at the other end of the wire.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/edgecache/edgecache/bench/load"
	"github.com/edgecache/edgecache/internal/testserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	binary := flags.String("edgecache", "bin/edgecache", "the edgecache `program`")
	path := flags.String("log", "", "access log in combined format; made up where `file` is absent")
	if err := flags.Parse(args); err != nil {
		return err
	}
	requests, source, err := openLog(*path)
	if err != nil {
		return err
	}
	redis, err := testserver.Start(ctx, testserver.Spec{Kind: testserver.KindRedis})
	if err != nil {
		return err
	}
	defer func() { _ = redis.Stop() }()
	dir, err := os.MkdirTemp("", "edgecache-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config := filepath.Join(dir, "keyrewrite.json")
	if err := os.WriteFile(config, []byte(rules), 0o600); err != nil {
		return err
	}
	edge, err := load.StartEdge(ctx, *binary, "--redis", redis.URL(), "--plugin", "keyrewrite="+config)
	if err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = edge.Stop()
		}
	}()

	fmt.Printf("%d GET requests of %s, cache-aside through %s in front of Redis at %s\n", len(requests), source, edge.RESP, redis.Addr())
	seen, err := replay(ctx, edge.RESP, requests)
	if err != nil {
		return err
	}
	body, err := edge.Ask(ctx, "/stats")
	if err != nil {
		return err
	}
	stats, err := decodeStats(body)
	if err != nil {
		return err
	}
	stored, err := countKeys(ctx, redis.Addr())
	if err != nil {
		return err
	}
	stopped = true
	if err := edge.Stop(); err != nil {
		return fmt.Errorf("edgecache did not stop in good order: %w", err)
	}
	report(stats, seen)
	return check(stats, seen, expect(requests), stored)
}

// tally is what the replay saw at its end of the wire.
type tally struct {
	gets, hits, sets int
	elapsed          time.Duration
}

// stats is the part of /stats that the demo reads.
type stats struct {
	Plugins struct {
		HitRatio struct {
			Total, Hits uint64
			Ratio       float64
		} `json:"hitratio"`
		Timing struct {
			Count, Total, Min, Max uint64
			Avg                    float64
			Histogram              []uint64
			Rows                   []struct {
				Op                     string
				Count, Total, Min, Max uint64
				Avg                    float64
			}
		} `json:"timing"`
	} `json:"plugins"`
}

func decodeStats(body []byte) (*stats, error) {
	s := new(stats)
	if err := json.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	return s, nil
}

func report(s *stats, seen tally) {
	h, t := &s.Plugins.HitRatio, &s.Plugins.Timing
	fmt.Printf("\nhitratio.wasm   total %d   hits %d   ratio %.4f\n", h.Total, h.Hits, h.Ratio)
	fmt.Printf("timing.wasm     %-8s %8s %12s %10s %10s %12s\n", "op", "count", "total", "min", "max", "avg")
	for _, r := range t.Rows {
		fmt.Printf("                %-8s %8d %12v %10v %10v %12v\n", r.Op, r.Count,
			time.Duration(r.Total).Round(time.Microsecond), time.Duration(r.Min), time.Duration(r.Max), time.Duration(r.Avg))
	}
	histogram(t.Histogram)
	fmt.Printf("\nat the client   %d GET, %d hits, %d SET in %v\n", seen.gets, seen.hits, seen.sets, seen.elapsed.Round(time.Millisecond))
}

// histogram prints the buckets that have something in them, a bar each.
func histogram(buckets []uint64) {
	var most uint64
	for _, n := range buckets {
		most = max(most, n)
	}
	for i, n := range buckets {
		if n == 0 {
			continue
		}
		bar := make([]rune, (n*40+most-1)/most)
		for j := range bar {
			bar[j] = '█'
		}
		fmt.Printf("                < %-9v %7d %s\n", time.Duration(1)<<i, n, string(bar))
	}
}

// check holds the plugins' figures against the client's count and against a model of what must have been stored.
func check(s *stats, seen tally, want expectation, stored int) error {
	h, t := &s.Plugins.HitRatio, &s.Plugins.Timing
	var errs []error
	equal := func(what string, got, want uint64) {
		mark := "ok  "
		if got != want {
			mark = "FAIL"
			errs = append(errs, fmt.Errorf("%s: %d, want %d", what, got, want))
		}
		fmt.Printf("%s  %-58s %8d\n", mark, what, got)
	}
	fmt.Println()
	equal("hitratio total = GETs the client sent", h.Total, uint64(seen.gets))
	equal("hitratio hits = values the client received", h.Hits, uint64(seen.hits))
	equal("hitratio hits = requests less distinct rewritten keys", h.Hits, uint64(want.requests-want.keys))
	equal("keys in Redis = distinct rewritten keys", uint64(stored), uint64(want.keys))
	equal("timing count = commands the client sent", t.Count, uint64(seen.gets+seen.sets))
	var sum uint64
	for _, n := range t.Histogram {
		sum += n
	}
	equal("timing histogram adds up to its count", sum, t.Count)
	if total := time.Duration(t.Total); total <= 0 || total > seen.elapsed {
		errs = append(errs, fmt.Errorf("timing total %v is not within the %v that the client took", total, seen.elapsed))
	}
	return errors.Join(errs...)
}
