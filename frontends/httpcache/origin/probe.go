package origin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// probe asks a server until ctx ends.
func (f *Forwarder) probe(ctx context.Context, s *server) {
	a := &f.o.Active
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(a.Interval)))) // so that not all ask at once
	defer timer.Stop()
	inRow := 0 // checks that tell another state than the server has
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := f.check(ctx, s)
		if ctx.Err() != nil {
			return
		}
		inRow = f.judge(ctx, s, err, inRow)
		timer.Reset(jittered(a.Interval))
	}
}

// jittered returns d, give or take a tenth.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1))
}

// judge counts a check and returns how many in a row speak against the server's state.
func (f *Forwarder) judge(ctx context.Context, s *server, err error, inRow int) int {
	down := s.down.Load()
	if down == (err != nil) {
		return 0
	}
	inRow++
	switch {
	case !down && inRow >= f.o.Active.Fall:
		f.o.Logger.LogAttrs(ctx, slog.LevelWarn, "origin is down", s.attr(), slog.Any("error", err))
	case down && inRow >= f.o.Active.Rise:
		f.o.Logger.LogAttrs(ctx, slog.LevelInfo, "origin is up", s.attr())
		s.answered()
	default:
		return inRow
	}
	s.down.Store(!down)
	return 0
}

// check asks once. Redirections are answers.
func (f *Forwarder) check(ctx context.Context, s *server) error {
	ctx, cancel := context.WithTimeout(ctx, f.o.Active.Timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.scheme+"://"+s.address+f.o.Active.Path, http.NoBody)
	if err != nil {
		return err
	}
	q.Header.Set("User-Agent", f.o.Name)
	if f.o.Active.Host != "" {
		q.Host = f.o.Active.Host
	}
	res, err := s.transport.RoundTrip(q)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, res.Body, maxProbeBody)
	_ = res.Body.Close() // what is left is not wanted
	if res.StatusCode < 200 || res.StatusCode > 399 {
		return fmt.Errorf("status %d for %s", res.StatusCode, f.o.Active.Path)
	}
	if err != nil && err != io.EOF { //nolint:errorlint // readers return it as it is
		return err
	}
	return nil
}

// maxProbeBody is how much of a check's answer is read, so that its connection can be used again.
const maxProbeBody = 64 << 10
