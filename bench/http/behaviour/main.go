// Command behaviour shows what HTTP caches do with requests that come together: 50 for one key that nobody has, for one that
// may not be stored, twice, and for one whose body takes long. It prints a table of edgecache, nginx, nginx with its lock,
// and Varnish, each in front of an origin that takes 300 ms, and says whether edgecache keeps the bars of docs/BENCHMARKS.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/edgecache/edgecache/bench/http/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "behaviour:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("behaviour", flag.ContinueOnError)
	program := flags.String("edgecache", "bin/edgecache", "the edgecache `program`")
	alone := flags.Bool("alone", false, "leave the others out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o := newOrigin()
	listening := httptest.NewServer(o)
	defer listening.Close()
	caches, err := start(ctx, *program, listening.URL, *alone)
	if err != nil {
		return errors.Join(err, server.StopAll(caches))
	}
	var rows []*row
	for _, cache := range caches {
		r, err := measure(ctx, cache, o)
		if err != nil {
			return errors.Join(err, server.StopAll(caches))
		}
		rows = append(rows, r)
	}
	table(rows)
	return errors.Join(rows[0].keeps(), server.StopAll(caches))
}

// start starts the caches, edgecache first.
func start(ctx context.Context, program, origin string, alone bool) (caches []*server.Server, err error) {
	starts := []func() (*server.Server, error){
		func() (*server.Server, error) {
			return server.Edgecache(ctx, "edgecache", program, origin, server.Any)
		},
		func() (*server.Server, error) { return server.Nginx(ctx, "nginx", origin, server.Any) },
		func() (*server.Server, error) {
			return server.Nginx(ctx, "nginx, proxy_cache_lock", origin, server.Any, "proxy_cache_lock on;")
		},
		func() (*server.Server, error) { return server.Varnish(ctx, "varnish", origin, server.Any) },
	}
	if alone {
		starts = starts[:1]
	}
	for _, start := range starts {
		s, err := start()
		if err != nil {
			return caches, err
		}
		caches = append(caches, s)
	}
	return caches, nil
}

// row is what one cache does.
type row struct {
	name                          string
	cold, first, second, streamed burst
}

// measure sends the bursts.
func measure(ctx context.Context, cache *server.Server, o *origin) (*row, error) {
	r := &row{name: cache.Name}
	for _, b := range []struct {
		into *burst
		path string
	}{
		{&r.cold, "/cold/" + cache.Addr},
		{&r.first, "/private/" + cache.Addr},
		{&r.second, "/private/" + cache.Addr},
		{&r.streamed, "/slow/" + cache.Addr},
	} {
		var err error
		if *b.into, err = o.burst(ctx, cache.URL(), b.path); err != nil {
			return nil, fmt.Errorf("%s: %w", cache.Name, err)
		}
	}
	return r, nil
}

func table(rows []*row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug)
	fmt.Fprintln(w, "cache\tcold: fetches\tmedian/max ms\tno-store: fetches\tmedian/max ms\tsecond burst: fetches\tmedian/max ms\t"+
		"slow body: fetches\theaders: median/max ms")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\t%d\t%s\t%d\t%s\n", r.name, r.cold.fetches, spread(r.cold.ends), r.first.fetches,
			spread(r.first.ends), r.second.fetches, spread(r.second.ends), r.streamed.fetches, spread(r.streamed.headers))
	}
	_ = w.Flush() // to stdout, as the rest
}

// keeps compares with the bars: what waits may cost 20 ms, and what can't be stored twice the origin's time at first.
func (r *row) keeps() error {
	const grace = 20 * time.Millisecond
	var errs []error
	bar := func(ok bool, what string, args ...any) {
		fmt.Printf("%-6s %s\n", map[bool]string{true: "kept", false: "MISSED"}[ok], fmt.Sprintf(what, args...))
		if !ok {
			errs = append(errs, fmt.Errorf(what, args...))
		}
	}
	bar(r.cold.fetches == 1, "cold: %d fetches, want 1", r.cold.fetches)
	bar(last(r.cold.ends) <= delay+grace, "cold: the slowest took %v, want at most %v", last(r.cold.ends), delay+grace)
	bar(last(r.first.ends) <= delay*21/10, "no-store, first burst: the slowest took %v, want at most %v", last(r.first.ends), delay*21/10)
	bar(last(r.second.ends) <= delay*11/10, "no-store, second burst: the slowest took %v, want at most %v", last(r.second.ends), delay*11/10)
	bar(r.streamed.fetches == 1, "slow body: %d fetches, want 1", r.streamed.fetches)
	bar(last(r.streamed.headers) <= delay+grace, "slow body: the slowest headers took %v, want at most %v", last(r.streamed.headers), delay+grace)
	return errors.Join(errs...)
}
