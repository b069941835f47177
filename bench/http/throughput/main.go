// Command throughput compares what a hit of HTTP caches costs, and a request that passes through: bare net/http, edgecache in
// several settings, nginx in two, Varnish, and Go's httpcache and fasthttp. Each server has one core (GOMAXPROCS=1, one
// worker) and wrk the other; they take turns, and the medians over the turns are printed with the processor time of a request,
// and how edgecache stands to the bars of docs/BENCHMARKS.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
}

// settings are the command's flags.
type settings struct {
	programs    string
	rounds      int
	duration    time.Duration
	connections int
	guest       string
	only        string
	objects     string
	serverCore  int
	loadCore    int
}

func run(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("throughput", flag.ContinueOnError)
	flags.StringVar(&s.programs, "programs", "bin", "the `folder` of edgecache, floor and httppeers")
	flags.IntVar(&s.rounds, "rounds", 3, "how often each server has its turn")
	flags.DurationVar(&s.duration, "duration", 8*time.Second, "how long a turn takes")
	flags.IntVar(&s.connections, "connections", 64, "wrk's connections")
	flags.StringVar(&s.guest, "guest", "", "a no-op `plugin` with hooks of HTTP, to measure edgecache with")
	flags.StringVar(&s.only, "only", "", "the servers whose names contain one of these `words`, by commas")
	flags.StringVar(&s.objects, "objects", "/1k,/64k,/1m,/1m?*,/miss/1k", "the `paths` to ask for, by commas; * stands for 256 numbers by turns")
	flags.IntVar(&s.serverCore, "server-core", 0, "the servers' processor")
	flags.IntVar(&s.loadCore, "load-core", 1, "wrk's processor, and the origin's")
	if err := flags.Parse(args); err != nil {
		return err
	}
	programs, err := filepath.Abs(s.programs)
	if err != nil {
		return err
	}
	s.programs = programs
	return s.compare(ctx)
}

// compare starts the servers, lets them take turns at each object, and reports. A turn's server runs alone: the others wait
// for connections.
func (s *settings) compare(ctx context.Context) (err error) {
	lab, err := s.start(ctx)
	defer func() { err = errors.Join(err, lab.stop()) }()
	if err != nil {
		return err
	}
	results := map[string]map[string]*series{}
	for object := range strings.SplitSeq(s.objects, ",") {
		results[object] = map[string]*series{}
		for round := range s.rounds {
			for _, c := range lab.contenders {
				if !c.takes(object) {
					continue
				}
				m, err := s.turn(ctx, c, object)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", c.name, object, err)
				}
				if round == 0 {
					results[object][c.name] = new(series)
				}
				results[object][c.name].add(m)
			}
		}
		table(object, lab.contenders, results[object])
	}
	bars(results)
	return nil
}
