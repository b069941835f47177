package store

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unsafe"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/rfc9111"
)

// Response is a stored response. It is immutable and shared.
type Response struct {
	record
	store  *Store
	marks  *invalid.Marks
	fields []field
	shown  int      // how many of fields are delivered
	values []string // of fields
}

// newResponse returns the response of a record that is not changed any more.
func (s *Store) newResponse(rec *record, stamp invalid.Stamp) (*Response, error) {
	r := &Response{record: *rec, store: s}
	lines := strings.Count(r.head, "\r\n") + strings.Count(r.hidden, "\r\n")
	r.fields, r.values = make([]field, 0, lines), make([]string, 0, lines)
	_, rest, _ := strings.Cut(r.head, "\r\n")
	var err error
	if r.fields, r.values, err = parseLines(r.fields, r.values, rest); err != nil {
		return nil, err
	}
	r.shown = len(r.fields)
	if r.fields, r.values, err = parseLines(r.fields, r.values, r.hidden); err != nil {
		return nil, err
	}
	if s.options.Index != nil {
		r.marks = s.options.Index.Resolve(r.key, r.tags, stamp)
	}
	return r, nil
}

// marksWeight is about what an invalid.Marks takes, and each tag in it.
const (
	marksWeight = 128
	tagWeight   = 32
)

// weight is what a decoded response takes beside the frame, of which its strings and its body are views, so that they
// count once, with the frame. The memory tier adds it to what an entry weighs (core.Entry.DecodedWeight), so that its bound
// holds for what is really there; TestWeight measures.
func (r *Response) weight() uint32 {
	n := unsafe.Sizeof(Response{}) + 16 // and the interface beside the entry
	n += uintptr(cap(r.fields))*unsafe.Sizeof(field{}) + uintptr(cap(r.values))*unsafe.Sizeof("")
	n += uintptr(cap(r.tags))*(unsafe.Sizeof("")+tagWeight) + uintptr(cap(r.parts))*unsafe.Sizeof(part{})
	if r.marks != nil {
		n += marksWeight
	}
	return uint32(n + n/16) // the allocator rounds up
}

// Status returns the status code.
func (r *Response) Status() int { return r.status }

// Head returns the status line and the fields as HTTP/1.1 has them, with Content-Length, and without Age, Cache-Status, what
// is for caches alone (rfc9111.DeliveredHeader) and the empty line at the end. Read-only.
func (r *Response) Head() []byte { return unsafe.Slice(unsafe.StringData(r.head), len(r.head)) }

// CopyHeader sets what Head has in h. The values are shared slices: they may be replaced or appended to, not changed.
func (r *Response) CopyHeader(h http.Header) { r.copyFields(h, r.fields[:r.shown]) }

// Header returns a new map with all fields, those included that Head leaves out but Age. The values are shared.
func (r *Response) Header() http.Header {
	h := make(http.Header, len(r.fields))
	r.copyFields(h, r.fields)
	return h
}

func (r *Response) copyFields(h http.Header, fields []field) {
	for i := range fields {
		f := &fields[i]
		h[f.name] = r.of(f)
	}
}

// of returns the values of a field. Appending to them copies.
func (r *Response) of(f *field) []string { return r.values[f.first : f.first+f.n : f.first+f.n] }

// Values returns the values of the field with the canonical name, also of those that Head leaves out. Read-only. It allocates nothing.
func (r *Response) Values(name string) []string {
	for i := range r.fields {
		if f := &r.fields[i]; f.name == name {
			return r.of(f)
		}
	}
	return nil
}

// Get returns the first value of the field with the canonical name, or "".
func (r *Response) Get(name string) string {
	if v := r.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// ETag returns the entity tag, or "".
func (r *Response) ETag() string { return r.Get("Etag") }

// LastModified returns the field's value, or "".
func (r *Response) LastModified() string { return r.Get("Last-Modified") }

// Date returns when the response was made, by its Date or else its receipt, in unix nanoseconds.
func (r *Response) Date() int64 { return r.date }

// Freshness returns what decides on its reuse. Read-only.
func (r *Response) Freshness() *rfc9111.Freshness { return &r.freshness }

// Marks returns what Index.State wants to know, nil without an Index.
func (r *Response) Marks() *invalid.Marks { return r.marks }

// Tags returns a new slice of the tags.
func (r *Response) Tags() []string { return slices.Clone(r.tags) }

// Key returns the primary key.
func (r *Response) Key() string { return r.key }

// Size returns the length of the whole representation.
func (r *Response) Size() int64 { return r.size }

// Complete reports whether all of it is stored.
func (r *Response) Complete() bool { return r.Has(0, r.size) }

// Has reports whether the n bytes from off on are stored.
func (r *Response) Has(off, n int64) bool {
	first, end := r.Missing(off, n)
	return first == end && off >= 0 && off+n <= r.size
}

// Missing returns the first stretch within the n bytes from off on that is not stored, from first up to end; equal if there
// is none.
func (r *Response) Missing(off, n int64) (first, end int64) {
	if r.inline {
		return off, off
	}
	return missing(r.parts, off, off+n)
}

// Inline returns the whole body if it is in one piece with the head, else nil. An empty body is not nil. Read-only.
func (r *Response) Inline() []byte {
	if !r.inline {
		return nil
	}
	return r.body
}

// strong reports whether an entity tag identifies bytes (RFC 9110 section 8.8.1).
func strong(etag string) bool { return strings.HasPrefix(etag, `"`) && len(etag) >= 2 }

// WriteRange writes the n bytes from off on: Open, WriteTo and Close.
func (r *Response) WriteRange(ctx context.Context, w io.Writer, off, n int64) (int64, error) {
	if r.inline && off >= 0 && n >= 0 && off+n <= r.size {
		written, err := w.Write(r.body[off : off+n])
		return int64(written), err
	}
	b, err := r.Open(ctx, off, n)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	return b.WriteTo(w)
}

// Open returns the n bytes from off on to be sent, once the first of them are at hand; ErrGone if they are not. Close must
// follow.
func (r *Response) Open(ctx context.Context, off, n int64) (*Body, error) {
	if off < 0 || n < 0 || !r.Has(off, n) {
		return nil, fmt.Errorf("%w: %d bytes from %d on of %d", ErrGone, n, off, r.size)
	}
	b := &Body{ctx: ctx, response: r, pos: off, end: off + n}
	r.store.readers.enter(r.parts)
	if err := b.fetch(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}
