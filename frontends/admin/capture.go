package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Capturer records what the cache is asked for.
type Capturer interface {
	// Capture writes a trace to w until r.For has passed, ctx ends or the server stops, and returns when w is not written any
	// more. An error that comes before anything was written says that it can't begin; a *StatusError says why.
	Capture(ctx context.Context, w io.Writer, r CaptureRequest) (CaptureEnd, error)
}

// CaptureRequest says what POST /capture?for=30s&ops=get,set asks for.
type CaptureRequest struct {
	// For is how long the capture lasts. 0 is until the client goes away.
	For time.Duration
	// Writes takes writes for requests, too.
	Writes bool
}

// CaptureEnd is what a capture has brought.
type CaptureEnd struct {
	Requests int64 // that were written
	Dropped  int64 // events that came faster than they could be written
}

// The trailers of a capture, which have CaptureEnd.
const (
	RequestsTrailer = "Edgecache-Requests"
	DroppedTrailer  = "Edgecache-Dropped"
)

// writeTime bounds how long a part of a capture may take to be sent.
const writeTime = 10 * time.Second

// handleCapture serves /capture.
func (o Options) handleCapture(mux *http.ServeMux) {
	if o.Capturer != nil {
		mux.HandleFunc("POST /capture", o.change(o.serveCapture))
	}
}

// serveCapture sends a trace while it is recorded.
func (o Options) serveCapture(w http.ResponseWriter, q *http.Request) {
	request, err := captureRequest(q.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return
	}
	w.Header().Set("Trailer", RequestsTrailer+", "+DroppedTrailer)
	out := &sentCapture{w: w}
	attrs := []slog.Attr{slog.String("peer", q.RemoteAddr), slog.Duration("for", request.For)}
	o.Logger.LogAttrs(q.Context(), slog.LevelInfo, "capture asked for", attrs...)
	end, err := o.Capturer.Capture(q.Context(), out, request)
	if err != nil {
		o.Logger.LogAttrs(q.Context(), slog.LevelWarn, "capture broke off", append(attrs, slog.Any("error", err))...)
		if out.begun {
			panic(http.ErrAbortHandler) // tells the client
		}
		w.Header().Del("Trailer")
		status := http.StatusInternalServerError
		if kind, ok := errors.AsType[*StatusError](err); ok {
			status = kind.Status
		}
		writeError(w, status, err)
		return
	}
	allow(w, writeTime)
	out.begin()
	w.Header().Set(RequestsTrailer, strconv.FormatInt(end.Requests, 10))
	w.Header().Set(DroppedTrailer, strconv.FormatInt(end.Dropped, 10))
	o.Logger.LogAttrs(q.Context(), slog.LevelInfo, "capture sent",
		append(attrs, slog.Int64("requests", end.Requests), slog.Int64("dropped", end.Dropped))...)
}

func captureRequest(query url.Values) (r CaptureRequest, err error) {
	if given := query.Get("for"); given != "" {
		if r.For, err = time.ParseDuration(given); err != nil || r.For < 0 {
			return r, fmt.Errorf("for=%.40q is no time: a number with a unit is wanted, such as 30s", given)
		}
	}
	switch given := query.Get("ops"); given {
	case "", "get":
	case "get,set":
		r.Writes = true
	default:
		return r, fmt.Errorf("ops=%.40q: get or get,set is wanted", given)
	}
	return r, nil
}

// sentCapture is the body of an answer, of which the client gets each part at once.
type sentCapture struct {
	w     http.ResponseWriter
	begun bool
}

func (s *sentCapture) begin() {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "application/zstd")
		s.w.Header().Set("Cache-Control", "no-store")
	}
}

func (s *sentCapture) Write(b []byte) (int, error) {
	s.begin()
	allow(s.w, writeTime)
	n, err := s.w.Write(b)
	if err == nil {
		err = http.NewResponseController(s.w).Flush()
	}
	return n, err
}
