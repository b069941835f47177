package httpcache

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// content is what is delivered: a stored response, one that is being stored, or one of which the rest is being fetched. It is
// not changed once others see it.
type content struct {
	response *store.Response // nil if nothing is stored of it
	coded    *store.Response // nil, or what has the body and its fields in a content coding
	fill     *store.Fill     // nil if nothing is to come
	status   int             // of a fill
	header   http.Header     // of a fill: what clients get, shared
	fresh    rfc9111.Freshness
	// first and end are the stretch of the representation that the fill has; end is -1 if it is not known. size is that of the
	// representation, or -1.
	first, end, size int64
	said             string                         // the origin's Content-Range
	done             atomic.Bool                    // nothing more will come
	committed        atomic.Pointer[store.Response] // of a whole fill that has been stored
	tags             []string                       // of a fill
	stamp            invalid.Stamp                  // of a fill
	length           []string                       // of a fill: its Content-Length as the origin gave it, nil for none
}

// of makes ct the content of a stored response.
func (ct *content) of(r *store.Response, f rfc9111.Freshness) *content {
	ct.response, ct.coded, ct.fill, ct.header, ct.fresh = r, nil, nil, nil, f
	ct.first, ct.end, ct.size = 0, 0, r.Size()
	return ct
}

func (ct *content) code() int {
	if ct.fill != nil {
		return ct.status
	}
	return ct.response.Status()
}

// copyHeader sets what clients get in h. Values are shared.
func (ct *content) copyHeader(h http.Header) {
	if ct.fill == nil {
		ct.response.CopyHeader(h)
		ct.copyCoded(h)
		return
	}
	maps.Copy(h, ct.header)
}

// copyCoded sets in h what is different of a coded body.
func (ct *content) copyCoded(h http.Header) {
	if ct.coded == nil {
		return
	}
	delete(h, "Etag")
	for _, name := range [...]string{"Content-Encoding", "Content-Length", "Etag"} {
		if v := ct.coded.Values(name); len(v) > 0 {
			h[name] = v
		}
	}
}

// body returns what has the bytes that are stored.
func (ct *content) body() *store.Response {
	if ct.coded != nil {
		return ct.coded
	}
	return ct.response
}

// Values returns those of a field with a canonical name.
func (ct *content) Values(name string) []string {
	switch {
	case ct.fill != nil:
		return ct.header[name]
	case ct.coded != nil && (name == "Content-Encoding" || name == "Content-Length" || name == "Etag"):
		return ct.coded.Values(name)
	}
	return ct.response.Values(name)
}

func (ct *content) value(name string) string {
	if v := ct.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// validators returns what conditions are compared with (RFC 9111, section 4.3.2): without Last-Modified it is Date.
func (ct *content) validators() rfc9110.Validators {
	v := rfc9110.Validators{ETag: ct.value("Etag")}
	date, dated := rfc9111.ParseDate(ct.value("Date"))
	if t, ok := rfc9111.ParseDate(ct.value("Last-Modified")); ok {
		v.Modified, v.StrongDate = t, dated && date.Sub(t) >= time.Second
	} else if dated {
		v.Modified = date
	}
	return v
}

// all reports whether every byte is stored or to come.
func (ct *content) all() bool {
	return ct.fill == nil || ct.first == 0 && (ct.end < 0 || ct.end == ct.size) || ct.response != nil
}

// has reports whether the bytes of a span are stored or to come.
func (ct *content) has(s rfc9110.Span) bool {
	return ct.all() || s.Start >= ct.first && s.Start+s.Length <= ct.end
}

// write writes the n bytes from off on, or all that come if n is -1, and returns how many it has. It waits for those to come, and has
// w send meanwhile what it holds. r is a reader of the fill at off, nil for none.
func (ct *content) write(ctx context.Context, w io.Writer, off, n int64, r *store.Reader) (total int64, err error) {
	if n < 0 {
		return ct.follow(ctx, w, off, n, r)
	}
	for total < n && err == nil {
		var done int64
		if piece, comes := ct.piece(off+total, n-total); comes {
			done, err = ct.follow(ctx, w, off+total, piece, r)
			r = nil
		} else {
			done, err = ct.body().WriteRange(ctx, w, off+total, piece)
		}
		total += done
	}
	return total, err
}

// piece returns how many of the n bytes from off on are in one place, and whether that is the fill.
func (ct *content) piece(off, n int64) (length int64, comes bool) {
	switch {
	case ct.fill == nil:
		return n, false
	case off < ct.first:
		return min(n, ct.first-off), false
	case ct.end < 0:
		return n, true
	case off < ct.end:
		return min(n, ct.end-off), true
	default:
		return n, false
	}
}

// follow writes n bytes of the fill from off on, -1 for all.
func (ct *content) follow(ctx context.Context, w io.Writer, off, n int64, r *store.Reader) (done int64, err error) {
	if r == nil {
		if r, err = ct.fill.Reader(off); err != nil {
			return 0, err
		}
		defer r.Close()
	}
	for n < 0 || done < n {
		b, err := r.Next(ctx)
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return done, err
		case n < 0:
			return done, nil
		default:
			return done, io.ErrUnexpectedEOF
		}
		if n >= 0 {
			b = b[:min(int64(len(b)), n-done)]
		}
		m, err := w.Write(b)
		done += int64(m)
		if err != nil {
			return done, err
		}
		if !ct.done.Load() && (n < 0 || done < n) {
			flush(w)
		}
	}
	return done, nil
}

// flush has w send what it holds back.
func flush(w io.Writer) {
	if rw, ok := w.(http.ResponseWriter); ok {
		_ = http.NewResponseController(rw).Flush() // writers that can't do not hold back
	}
}
