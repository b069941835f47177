package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	requests = 50                     // of a burst
	delay    = 300 * time.Millisecond // until the origin's header
	pieces   = 7                      // of a slow body, each pause apart
	pause    = 100 * time.Millisecond
	piece    = 16 << 10
)

// origin answers after a while and counts.
type origin struct{ fetches atomic.Int64 }

func newOrigin() *origin { return new(origin) }

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.fetches.Add(1)
	wait(r.Context(), delay)
	w.Header().Set("Cache-Control", "max-age=60")
	if strings.HasPrefix(r.URL.Path, "/private/") {
		w.Header().Set("Cache-Control", "private, no-store")
	}
	if !strings.HasPrefix(r.URL.Path, "/slow/") {
		_, _ = io.WriteString(w, strings.Repeat("x", 1024)) // who has gone is counted by the others
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(pieces*piece))
	for range pieces {
		_ = http.NewResponseController(w).Flush()
		wait(r.Context(), pause)
		_, _ = io.WriteString(w, strings.Repeat("x", piece))
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// burst is what requests that were sent together saw: from then until the header, and until the end of the body, sorted.
type burst struct {
	headers, ends []time.Duration
	fetches       int64
}

// burst sends requests for a path at once, each over a connection that is there already.
func (o *origin) burst(ctx context.Context, url, path string) (burst, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: requests, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	if _, err := together(ctx, client, url+"/warm"+path); err != nil {
		return burst{}, err
	}
	before := o.fetches.Load()
	b, err := together(ctx, client, url+path)
	b.fetches = o.fetches.Load() - before
	return b, err
}

// together sends the requests and waits for all of them.
func together(ctx context.Context, client *http.Client, url string) (burst, error) {
	b := burst{headers: make([]time.Duration, requests), ends: make([]time.Duration, requests)}
	errs := make([]error, requests)
	var all sync.WaitGroup
	start := time.Now()
	for i := range requests {
		all.Go(func() { b.headers[i], b.ends[i], errs[i] = timed(ctx, client, url, start) })
	}
	all.Wait()
	slices.Sort(b.headers)
	slices.Sort(b.ends)
	return b, errors.Join(errs...)
}

func timed(ctx context.Context, client *http.Client, url string, start time.Time) (header, end time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	header = time.Since(start)
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n < 1024) {
		err = fmt.Errorf("%s: status %d, %d bytes", url, res.StatusCode, n)
	}
	return header, time.Since(start), err
}

func last(sorted []time.Duration) time.Duration { return sorted[len(sorted)-1] }

func spread(sorted []time.Duration) string {
	return fmt.Sprintf("%d/%d", sorted[len(sorted)/2].Milliseconds(), last(sorted).Milliseconds())
}
