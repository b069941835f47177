// Command fill gives edgecache proxy ten times as much to store as it may keep in memory, one object of 4 GiB among it, from many
// clients at a time, and watches its resident memory all along: it may be 15 % more than the limit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgecache/edgecache/bench/http/server"
	"github.com/edgecache/edgecache/internal/units"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("fill", flag.ContinueOnError)
	program := flags.String("edgecache", "bin/edgecache", "the edgecache `program`")
	limit := flags.String("max-memory", "256MiB", "what edgecache may keep, in `bytes`")
	large := flags.String("large", "4GiB", "the large object, in `bytes`")
	times := flags.Int64("times", 10, "how much more than the limit is asked for")
	clients := flags.Int("clients", 16, "how many clients ask at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	keep, err := units.ParseBytes(*limit)
	if err != nil {
		return err
	}
	whole, err := units.ParseBytes(*large)
	if err != nil {
		return err
	}
	origin := httptest.NewServer(http.HandlerFunc(answer))
	defer origin.Close()
	s, err := server.Edgecache(ctx, "edgecache", *program, origin.URL, server.Any, "--max-memory", *limit, "--max-object", "8GiB")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return watch(s, keep, func() error { return ask(ctx, s.URL(), *clients, keep**times, whole) })
}

// answer sends as many bytes as the path says, without telling how many if the number is odd.
func answer(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Header().Set("Content-Type", "application/octet-stream")
	if n%2 == 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	_, _ = io.Copy(w, io.LimitReader(zeros{}, n)) // who has gone is found out there
}

// zeros is endless.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sizes are those of the other objects: small ones for the most part, and some of many segments.
var sizes = [...]int64{700, 5_001, 20_000, 60_000, 200_001, 1 << 20, 12<<20 + 1} //nolint:gochecknoglobals // constants

// ask asks for total bytes in objects of many sizes, and beside them for the large one, three times at once.
func ask(ctx context.Context, url string, clients int, total, large int64) error {
	var asked, number atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, clients+3)
	for i := range clients {
		all.Go(func() {
			for errs[i] == nil && asked.Load() < total {
				n := number.Add(1)
				size := sizes[n%int64(len(sizes))]
				asked.Add(size)
				errs[i] = get(ctx, fmt.Sprintf("%s/%d?size=%d", url, n, size), size)
			}
		})
	}
	for i := range 3 {
		all.Go(func() { errs[clients+i] = get(ctx, fmt.Sprintf("%s/large?size=%d", url, large), large) })
	}
	all.Wait()
	fmt.Printf("%d objects, %s, and three times %s\n", number.Load(), units.FormatBytes(asked.Load()), units.FormatBytes(large))
	return errors.Join(errs...)
}

func get(ctx context.Context, url string, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, res.Body)
	err = errors.Join(err, res.Body.Close())
	if err == nil && (res.StatusCode != http.StatusOK || n != size) {
		err = fmt.Errorf("%s: status %d, %d bytes", url, res.StatusCode, n)
	}
	return err
}

// watch reads the resident memory every 20 ms while f runs, and compares the most of it with the limit.
func watch(s *server.Server, limit int64, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var most int64
	for start := time.Now(); ; {
		rss, err := s.RSS()
		if err != nil {
			return err
		}
		most = max(most, rss)
		select {
		case <-tick.C:
		case err := <-done:
			fmt.Printf("limit %s, most resident %s (%.2f of it) in %v\n", units.FormatBytes(limit), units.FormatBytes(most),
				float64(most)/float64(limit), time.Since(start).Round(time.Second))
			if err == nil && most > limit*115/100 {
				err = fmt.Errorf("%s are resident, %s would be 15 %% more than the limit", units.FormatBytes(most), units.FormatBytes(limit*115/100))
			}
			return err
		}
	}
}
