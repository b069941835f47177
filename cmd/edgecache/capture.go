package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/internal/config"
	"github.com/edgecache/edgecache/observers/capture"
)

// captures are those of a server: one to a file if that is asked for, and one at a time that is sent.
type captures struct {
	cache    *core.Cache
	joinable bool
	logger   *slog.Logger
	file     *capture.Capture // nil if there is none

	mu     sync.Mutex
	closed bool             // guarded by mu
	sent   *capture.Capture // under way, else nil; guarded by mu
	past   sentStats        // of those before; guarded by mu
}

// sentStats are the sums of captures that were sent.
type sentStats struct {
	requests, bytes, dropped, errors int64
	state                            int64
}

var _ admin.Capturer = (*captures)(nil)

// keyHash returns what events have of keys where captures shall be joinable, and else nil.
func keyHash(salt string) func(prefix, key string) uint64 {
	switch salt {
	case "":
		return nil
	case config.PlainKeys:
		return capture.Plain
	default:
		return capture.Salted(salt)
	}
}

// startCaptures begins the capture to a file, if there shall be one.
func startCaptures(cache *core.Cache, settings *config.Run, logger *slog.Logger) (*captures, error) {
	c := &captures{cache: cache, joinable: settings.CaptureSalt != "", logger: logger}
	if settings.Capture == "" {
		return c, nil
	}
	file, err := capture.Create(settings.Capture)
	if err != nil {
		return nil, fmt.Errorf("--capture (EDGECACHE_CAPTURE): %w", err)
	}
	c.file, err = capture.Start(cache, capture.Options{
		Name: "capture to a file", Output: file, Writes: settings.CaptureOps == config.CaptureWrites, Joinable: c.joinable,
		MaxBytes: settings.CaptureMaxBytes, For: settings.CaptureFor,
		Ended: func(s capture.Stats) { c.logEnd(file.Name(), s) },
	})
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	logger.LogAttrs(context.Background(), slog.LevelInfo, "capturing", slog.String("file", file.Name()))
	return c, nil
}

// logEnd says what has become of the capture to a file.
func (c *captures) logEnd(file string, s capture.Stats) {
	attrs := []slog.Attr{
		slog.String("file", file), slog.Int64("requests", s.Requests), slog.Int64("bytes", s.Bytes), slog.Int64("dropped", s.Dropped),
	}
	if s.Err != nil {
		c.logger.LogAttrs(context.Background(), slog.LevelError, "capture failed, serving goes on",
			append(attrs, slog.Any("error", s.Err))...)
		return
	}
	c.logger.LogAttrs(context.Background(), slog.LevelInfo, "capture complete", attrs...)
}

// unclosed is a writer that is not closed.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// Capture sends a trace to w.
func (c *captures) Capture(ctx context.Context, w io.Writer, r admin.CaptureRequest) (admin.CaptureEnd, error) {
	k, err := c.begin(w, r)
	if err != nil {
		return admin.CaptureEnd{}, err
	}
	select {
	case <-k.Done():
	case <-ctx.Done():
	}
	err = k.Stop(context.WithoutCancel(ctx)) // what is written to w ends in time, so this does, too
	s := k.Stats()
	if ctx.Err() != nil {
		err = nil // the client has what it wanted
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = nil
	c.past.add(&s, err)
	return admin.CaptureEnd{Requests: s.Requests, Dropped: s.Dropped}, err
}

func (c *captures) begin(w io.Writer, r admin.CaptureRequest) (*capture.Capture, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &admin.StatusError{Status: http.StatusConflict, Err: errors.New("the server is stopping")}
	}
	if c.sent != nil {
		return nil, &admin.StatusError{Status: http.StatusConflict, Err: errors.New("another capture is being sent: wait until it ends")}
	}
	k, err := capture.Start(c.cache, capture.Options{
		Name: "capture to a client", Output: unclosed{w}, Writes: r.Writes, Joinable: c.joinable, For: r.For, FrameTime: time.Second,
	})
	c.sent = k
	return k, err
}

func (p *sentStats) add(s *capture.Stats, err error) {
	p.requests += s.Requests
	p.bytes += s.Bytes
	p.dropped += s.Dropped
	p.state = stateOf(capture.Complete)
	if err != nil {
		p.errors++
		p.state = stateOf(capture.Failed)
	}
}

// stateOf numbers the states of captures for metrics. 0 is none.
func stateOf(s capture.State) int64 { return int64(s) + 1 }

// fileStats and clientStats are the figures of captures to a file and to clients.
func (c *captures) fileStats() (sum sentStats) {
	if c.file == nil {
		return sum
	}
	s := c.file.Stats()
	sum.add(&s, s.Err)
	sum.state = stateOf(s.State)
	return sum
}

func (c *captures) clientStats() sentStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.past
	if c.sent != nil {
		s := c.sent.Stats()
		sum.add(&s, nil)
		sum.state = stateOf(capture.Running)
	}
	return sum
}

// close ends all captures. Why one failed was logged.
func (c *captures) close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	sent := c.sent
	c.mu.Unlock()
	for _, k := range []*capture.Capture{sent, c.file} {
		if k == nil {
			continue
		}
		if err := k.Stop(ctx); err != nil && ctx.Err() != nil {
			return fmt.Errorf("capture: it can't be finished: %w", err)
		}
	}
	return nil
}
