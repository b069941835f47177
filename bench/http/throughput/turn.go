package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// measured is one turn: requests a second, latencies, and the processor time of a request.
type measured struct {
	rate         float64
	p50, p99     time.Duration
	user, system time.Duration
}

// The lines of wrk that count.
var (
	rateLine    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)                     //nolint:gochecknoglobals // constants
	latencyLine = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([\d.]+(?:us|ms|s|m))\s*$`) //nolint:gochecknoglobals // constants
	countLine   = regexp.MustCompile(`(\d+) requests in`)                            //nolint:gochecknoglobals // constants
	errorLine   = regexp.MustCompile(`(?m)^\s+(Socket errors|Non-2xx).*$`)           //nolint:gochecknoglobals // constants
)

// turns is a script for wrk that asks for objects by turns.
const turns = `local n = 0
request = function()
	n = (n + 1) %% %d
	return wrk.format("GET", "%s" .. n)
end
`

// turn runs wrk against a contender.
func (s *settings) turn(ctx context.Context, c *contender, object string) (measured, error) {
	user, system, err := c.server.CPU()
	if err != nil {
		return measured{}, err
	}
	args := []string{
		"-c", strconv.Itoa(s.loadCore), "wrk", "-t1", "-c", strconv.Itoa(s.connections),
		"-d", fmt.Sprintf("%.0fs", max(1, s.duration.Seconds())), "--latency",
	}
	stem, several := strings.CutSuffix(object, "*")
	if several {
		script := filepath.Join(c.server.Dir(), "turns.lua")
		if err := os.WriteFile(script, fmt.Appendf(nil, turns, many, stem), 0o600); err != nil {
			return measured{}, err
		}
		args = append(args, "-s", script)
	}
	out, err := exec.CommandContext(ctx, "taskset", append(args, c.server.URL()+stem)...).CombinedOutput()
	if err != nil {
		return measured{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if bad := errorLine.Find(out); bad != nil {
		return measured{}, fmt.Errorf("wrk:%s", bad)
	}
	m, count, err := parse(string(out))
	if err != nil {
		return measured{}, err
	}
	userAfter, systemAfter, err := c.server.CPU()
	m.user, m.system = (userAfter-user)/time.Duration(count), (systemAfter-system)/time.Duration(count)
	return m, err
}

// parse reads what wrk prints.
func parse(out string) (m measured, requests int, err error) {
	rate, count, latencies := rateLine.FindStringSubmatch(out), countLine.FindStringSubmatch(out), latencyLine.FindAllStringSubmatch(out, 2)
	if rate == nil || count == nil || len(latencies) != 2 {
		return m, 0, fmt.Errorf("wrk: no result in\n%s", out)
	}
	if m.rate, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return m, 0, err
	}
	if m.p50, err = time.ParseDuration(latencies[0][2]); err != nil {
		return m, 0, err
	}
	if m.p99, err = time.ParseDuration(latencies[1][2]); err != nil {
		return m, 0, err
	}
	requests, err = strconv.Atoi(count[1])
	return m, max(1, requests), err
}

// series is the turns of one contender at one object.
type series struct {
	rates               []float64
	p50s, p99s          []time.Duration
	cpus, users, system []time.Duration
}

func (s *series) add(m measured) {
	s.rates = append(s.rates, m.rate)
	s.p50s, s.p99s = append(s.p50s, m.p50), append(s.p99s, m.p99)
	s.cpus, s.users, s.system = append(s.cpus, m.user+m.system), append(s.users, m.user), append(s.system, m.system)
}

// median is the middle one, of an even number the lower.
func median[T int64 | float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
