package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Purger makes responses of the HTTP cache unusable. It is safe for concurrent use. An error that is no *StatusError says
// that the request names nothing that can be purged.
type Purger interface {
	Purge(ctx context.Context, p PurgeRequest) (PurgeResult, error)
}

// PurgeRequest is the body of POST /http/purge. What it names may be of several kinds; all of it is purged at once.
type PurgeRequest struct {
	// URLs are whole URLs, with their queries, Prefixes what URLs begin with, Tags what responses are tagged with.
	URLs     Texts `json:"url,omitempty"`
	Prefixes Texts `json:"prefix,omitempty"`
	Tags     Texts `json:"tags,omitempty"`
	// All is everything. Nothing else may stand beside it.
	All bool `json:"all,omitempty"`
	// Soft makes responses stale instead of forgetting them.
	Soft bool `json:"soft,omitempty"`
}

// Texts is some strings. In JSON a single one may stand for itself.
type Texts []string

// UnmarshalJSON is described at Texts.
func (t *Texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*t = make(Texts, 1)
		return json.Unmarshal(b, &(*t)[0])
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// PurgeResult is the body that answers POST /http/purge.
type PurgeResult struct {
	// Purged is how many names were purged, which says nothing of how many responses have them.
	Purged int `json:"purged"`
	// Shared says that other nodes know, or will within their interval. Otherwise Detail says why not; they are told as soon
	// as that is possible.
	Shared bool   `json:"shared"`
	Detail string `json:"detail,omitempty"`
}

const (
	// maxPurge bounds a body.
	maxPurge = 1 << 20
	// MaxPurge is how many names a PurgeRequest may have.
	MaxPurge = 1000
	// purgeTime is how long a purge may take, with the removal of URLs in all tiers.
	purgeTime = time.Minute
)

// handlePurge serves /http/purge.
func (o Options) handlePurge(mux *http.ServeMux) {
	if o.Purger == nil {
		mux.HandleFunc("/http/purge", func(w http.ResponseWriter, _ *http.Request) {
			writeError(w, http.StatusNotFound, errors.New("there is no HTTP cache here: edgecache proxy has one"))
		})
		return
	}
	mux.HandleFunc("POST /http/purge", o.change(o.servePurge))
}

func (o Options) servePurge(w http.ResponseWriter, q *http.Request) {
	allow(w, purgeTime)
	p, err := readPurge(http.MaxBytesReader(w, q.Body, maxPurge))
	var result PurgeResult
	if err == nil {
		result, err = o.Purger.Purge(q.Context(), p)
	}
	attrs := []slog.Attr{slog.String("peer", q.RemoteAddr), slog.Bool("soft", p.Soft)}
	if err != nil {
		status := http.StatusBadRequest
		if kind, ok := errors.AsType[*StatusError](err); ok {
			status = kind.Status
		}
		o.Logger.LogAttrs(q.Context(), slog.LevelWarn, "not purged", append(attrs, slog.Any("error", err))...)
		writeError(w, status, err)
		return
	}
	o.Logger.LogAttrs(q.Context(), slog.LevelInfo, "purged", append(attrs, slog.Int("urls", len(p.URLs)),
		slog.Int("prefixes", len(p.Prefixes)), slog.Int("tags", len(p.Tags)), slog.Bool("all", p.All), slog.Bool("shared", result.Shared))...)
	status := http.StatusOK
	if !result.Shared {
		status = http.StatusAccepted
	}
	writeJSON(w, status, result)
}

// readPurge reads one JSON object. Unknown fields are errors.
func readPurge(body io.Reader) (p PurgeRequest, err error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err = d.Decode(&p); err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("something follows the object")
		}
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return p, &StatusError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d MiB", large.Limit>>20)}
	}
	if err != nil {
		return p, fmt.Errorf("body: %w", err)
	}
	return p, p.check()
}

// check reports what is wrong with the request as a whole.
func (p *PurgeRequest) check() error {
	n := len(p.URLs) + len(p.Prefixes) + len(p.Tags)
	switch {
	case p.All && n > 0:
		return errors.New("body: all stands alone: everything else is in it")
	case !p.All && n == 0:
		return errors.New("body: nothing is named: give url, prefix, tags or all")
	case n > MaxPurge:
		return &StatusError{
			http.StatusRequestEntityTooLarge,
			fmt.Errorf("body: %d names, %d are allowed: send several requests", n, MaxPurge),
		}
	}
	return nil
}
