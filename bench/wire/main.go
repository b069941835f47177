// Command wire compares edgecache with redis-server over loopback, in one run and by turns: redis-benchmark with 50
// connections, values of 64 bytes and 100,000 keys, one command at a time and 16 in a pipeline. Beside them stands a floor:
// a Go server that does nothing but the wire. It also prints what an idle connection, and the idle process, cost in memory, and how long the start took.
package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
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
		fmt.Fprintln(os.Stderr, "wire:", err)
		os.Exit(1)
	}
}

// settings are the command's flags.
type settings struct {
	program     string
	rounds      int
	requests    int
	connections int
	args        []string
}

func run(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("wire", flag.ContinueOnError)
	flags.StringVar(&s.program, "edgecache", "bin/edgecache", "the edgecache `program`")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each server has its turn")
	flags.IntVar(&s.requests, "requests", 200_000, "requests of a turn without pipelining; five times as many with")
	flags.IntVar(&s.connections, "idle", 5000, "idle connections to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.args = flags.Args()
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.compare(ctx)
}

// start measures the start, the idle process and idle connections, with the three reference plugins.
func (s *settings) start(ctx context.Context) error {
	var took []time.Duration
	for range s.rounds + 1 { // the first fills the cache of compiled plugins
		e, err := load.StartEdge(ctx, s.program)
		if err != nil {
			return err
		}
		took = append(took, e.Ready)
		if err := e.Stop(); err != nil {
			return err
		}
	}
	slices.Sort(took[1:])
	fmt.Printf("ready, three plugins, compilation cached   %v (median; first %v)\n",
		took[1+s.rounds/2].Round(100*time.Microsecond), took[0].Round(100*time.Microsecond))
	return s.idle(ctx)
}

func (s *settings) idle(ctx context.Context) (err error) {
	e, err := load.StartEdge(ctx, s.program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop()) }()
	before, err := resident(e.Pid())
	if err != nil {
		return err
	}
	fmt.Printf("resident memory, idle                      %.1f MiB\n", float64(before)/(1<<20))
	conns, err := connect(ctx, e.RESP, s.connections)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if err != nil {
		return err
	}
	after, err := resident(e.Pid())
	fmt.Printf("resident memory, each of %d connections  %.2f KiB\n", len(conns), float64(after-before)/float64(len(conns))/1024)
	return err
}

// connect opens n connections, each of which has had one command answered.
func connect(ctx context.Context, addr string, n int) (conns []net.Conn, err error) {
	var d net.Dialer
	reply := make([]byte, 64)
	for range n {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return conns, err
		}
		conns = append(conns, c)
		if _, err := c.Write([]byte("*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n")); err != nil {
			return conns, err
		}
		if _, err := c.Read(reply); err != nil {
			return conns, err
		}
	}
	return conns, nil
}

// resident returns a process's resident memory in bytes.
func resident(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	return n << 10, err
}

// contestants are redis-server, edgecache and the floor.
const contestants = 3

// compare lets redis-server, edgecache and the floor have their turns.
func (s *settings) compare(ctx context.Context) (err error) {
	redis, err := testserver.Start(ctx, testserver.Spec{Kind: testserver.KindRedis})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, redis.Stop()) }()
	e, err := load.StartEdge(ctx, s.program, s.args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop()) }()
	bare, err := floor(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = bare.Close() }()
	servers := [contestants]string{redis.Addr(), e.RESP, bare.Addr().String()}
	rates := make(map[string][contestants][]float64)
	for round := range s.rounds {
		for turn := range servers {
			which := (turn + round) % contestants
			for _, pipeline := range []int{1, 16} {
				got, err := s.measure(ctx, servers[which], pipeline)
				if err != nil {
					return err
				}
				for test, rate := range got {
					r := rates[test]
					r[which] = append(r[which], rate)
					rates[test] = r
				}
			}
		}
	}
	report(rates, s.args)
	return nil
}

// measure runs redis-benchmark once and returns the rate of each test.
func (s *settings) measure(ctx context.Context, addr string, pipeline int) (map[string]float64, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	requests := s.requests
	if pipeline > 1 {
		requests *= 5
	}
	out, err := exec.CommandContext(ctx, "redis-benchmark", "-h", host, "-p", port, "-c", "50", "-d", "64", "-r", "100000",
		"-n", strconv.Itoa(requests), "-P", strconv.Itoa(pipeline), "-t", "set,get", "--csv").Output()
	if err != nil {
		return nil, fmt.Errorf("redis-benchmark: %w", err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("redis-benchmark: %w", err)
	}
	rates := make(map[string]float64)
	for _, row := range rows {
		if rate, err := strconv.ParseFloat(row[1], 64); err == nil {
			rates[fmt.Sprintf("%s -P %d", row[0], pipeline)] = rate
		}
	}
	return rates, nil
}

// report prints the median rates and the median of the ratios round by round.
func report(rates map[string][contestants][]float64, args []string) {
	fmt.Printf("\nedgecache run %s\n%-10s %14s %14s %8s %8s   %s\n",
		strings.Join(args, " "), "test", "redis-server/s", "edgecache/s", "ratio", "floor", "ratio by round")
	for _, test := range []string{"GET -P 1", "SET -P 1", "GET -P 16", "SET -P 16"} {
		r := rates[test]
		ratios, floors := make([]float64, len(r[0])), make([]float64, len(r[0]))
		var text []string
		for i := range ratios {
			ratios[i], floors[i] = r[1][i]/r[0][i], r[2][i]/r[0][i]
			text = append(text, fmt.Sprintf("%.2f", ratios[i]))
		}
		fmt.Printf("%-10s %14.0f %14.0f %8.2f %8.2f   %s\n",
			test, median(r[0]), median(r[1]), median(ratios), median(floors), strings.Join(text, " "))
	}
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
