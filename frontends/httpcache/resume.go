package httpcache

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// errChanged says that the origin has no longer what the client got the beginning of.
var errChanged = errors.New("httpcache: the origin has another representation by now")

// resume has the origin send the n bytes of ct from off on, -1 for all that follow, to w: they have gone from the store while it
// was read, but the client has got what is before them. Without a strong validator nobody could tell that they belong together.
func (x *exchange) resume(ct *content, w io.Writer, off, n int64) (err error) {
	tag := ct.value("Etag")
	if !rfc9110.StrongTag(tag) || ct.coded != nil {
		return io.ErrUnexpectedEOF
	}
	defer func() { // it may run beside the handler's goroutine
		if p := recover(); p != nil {
			err = io.ErrUnexpectedEOF
			if !aborts(p) {
				x.c.options.Logger.LogAttrs(x.background(), slog.LevelError, "handler panicked while an answer was resumed", slog.Any("panic", p))
			}
		}
	}()
	x.c.counts.resumed.Add(1)
	x.c.counts.fetches.Add(1)
	r := x.r.WithContext(x.r.Context())
	r.Method, r.Header = http.MethodGet, maps.Clone(x.r.Header)
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"} {
		delete(r.Header, name)
	}
	r.Header["If-Range"] = []string{tag}
	end := ct.size
	if n >= 0 {
		end = off + n
	}
	r.Header["Range"] = []string{rangeOf(off, end, ct.size)}
	x.retarget(r)
	to := &remainder{w: w, header: http.Header{}, tag: tag, off: off, left: n}
	if err := x.origin.Forward(to, r); err != nil {
		x.c.counts.failures.Add(1)
		return fmt.Errorf("httpcache: %w", err)
	}
	if to.left > 0 || !to.good {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// remainder is the http.ResponseWriter of what resume asks for.
type remainder struct {
	w         io.Writer
	header    http.Header
	tag       string
	off, left int64
	skip      int64 // bytes ahead of them, of an origin that does not know ranges
	headed    bool
	good      bool // it is what was asked for
}

func (m *remainder) Header() http.Header { return m.header }

// WriteHeader looks whether the bytes that follow are the right ones.
func (m *remainder) WriteHeader(status int) {
	if m.headed || status < 200 {
		return
	}
	m.headed = true
	if m.header.Get("Etag") != m.tag {
		return
	}
	switch part, ok := rfc9111.PartRange(m.header); status {
	case http.StatusOK:
		m.good, m.skip = true, m.off
	case http.StatusPartialContent:
		m.good = ok && part.First == m.off
	}
}

// Write passes p on.
func (m *remainder) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	if !m.good {
		return 0, errChanged
	}
	b := p[min(m.skip, int64(len(p))):]
	m.skip -= int64(len(p) - len(b))
	if m.left >= 0 {
		b = b[:min(int64(len(b)), m.left)]
		m.left -= int64(len(b))
	}
	if len(b) == 0 {
		return len(p), nil
	}
	if _, err := m.w.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what there is.
func (m *remainder) Flush() { flush(m.w) }

// write writes the n bytes of ct from off on, or all that come if n is -1: what is stored, what comes, and from the origin what has
// gone meanwhile. r is a reader of the fill at off, nil for none.
func (x *exchange) write(ct *content, w io.Writer, off, n int64, r *store.Reader) error {
	done, err := ct.write(x.r.Context(), w, off, n, r)
	if !errors.Is(err, store.ErrGone) {
		return err
	}
	if n >= 0 {
		n -= done
	}
	return x.resume(ct, w, off+done, n)
}

// rangeOf returns the Range of the bytes from first up to end of size; -1 is not known.
func rangeOf(first, end, size int64) string {
	b := strconv.AppendInt([]byte("bytes="), first, 10)
	b = append(b, '-')
	if end == size {
		return string(b)
	}
	return string(strconv.AppendInt(b, end-1, 10))
}
