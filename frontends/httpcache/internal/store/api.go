package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/rfc9111"
)

const (
	// MaxInline is the largest body that stays with its head in one entry.
	MaxInline = 64 << 10
	// SegmentSize is what larger bodies are cut into: segment n is the bytes from n*SegmentSize on of the representation.
	SegmentSize = 256 << 10
	// MaxVariants is how many variants a resource has. One more takes the place of the oldest.
	MaxVariants = 32
	// MaxRules is how many different Vary fields of a resource are remembered.
	MaxRules = 4
	// MaxParts is how many stretches a response may have that is not whole. The shortest go.
	MaxParts = 64
)

var (
	// ErrGone is returned for bytes that are not in the cache any more, and by Fill.Reader for those that it has let go.
	ErrGone = errors.New("stored bytes are gone")
	// ErrIncomplete is returned by Commit for a body that is not as long as was declared.
	ErrIncomplete = errors.New("body is incomplete")
	// ErrNotStored is returned where a response is good but is not kept: too large, varying by everything, purged or deleted
	// meanwhile, or refused by the cache.
	ErrNotStored = errors.New("response is not stored")
	// ErrAbandoned is returned to the writer of a fill that nobody reads any more and that is not worth its end.
	ErrAbandoned = errors.New("nobody reads the response any more")
	// ErrEnded is returned for a fill that has been committed or aborted.
	ErrEnded = errors.New("fill has ended")
)

// Fields is where request fields are read from: an http.Header, or the fast path's own.
type Fields = rfc9111.Fields

// Options configures a Store.
type Options struct {
	// Cache is a namespace for the responses alone. It is required.
	Cache *core.Cache
	// Index knows what is purged. nil is nothing, ever.
	Index *invalid.Index
	// MaxObject is the largest representation that is kept, in bytes. 0 means 1 GiB.
	MaxObject int64
	// FillBytes bounds what all fills together hold in memory for readers that lag behind, beyond 1 MiB each. 0 means 64 MiB.
	FillBytes int64
	// FinishBytes is up to which size a fill goes on though nobody reads it any more. 0 means 1 MiB.
	FinishBytes int64
	// Patience is how long a fill waits for a reader that holds it up, where it can go on without. 0 means 10 s.
	Patience time.Duration
	// Logger is told what goes wrong beside the calls. nil discards it.
	Logger *slog.Logger
}

// Miss says why Lookup has found nothing.
type Miss uint8

const (
	Hit      Miss = iota
	MissURI       // nothing of the URI is there
	MissVary      // there are variants for other requests
)

// Meta is what is stored of a response beside its body. The store copies what it keeps.
type Meta struct {
	Status int
	// Header is the one of a whole representation, though the answer may be a part: without Content-Range. Names are
	// canonical. Content-Length is not looked at, it is made; Age is left out, and Cache-Status kept apart.
	Header    http.Header
	Freshness rfc9111.Freshness
	Tags      []string
	// Stamp was taken before the origin was asked.
	Stamp invalid.Stamp
	// Keep is how long the response is kept, fresh or not. 0 is the cache's default.
	Keep time.Duration
}

// Store keeps responses. It is safe for concurrent use.
type Store struct{ options Options }

// New returns a Store of o. Close must follow.
func New(o Options) (*Store, error) { return &Store{options: o}, nil }

// Close waits for what is freed in the background. Fills must have ended. It is idempotent; the cache stays open.
func (s *Store) Close() error { return nil }

// Lookup returns the stored response that a request for the primary key selects, or why there is none. It may have been
// purged: see Response.Marks. key may be a view of memory that changes afterwards. It allocates nothing if the nearest tier
// has the response.
func (s *Store) Lookup(ctx context.Context, key string, req Fields) (*Response, Miss) { return nil, MissURI }

// Begin starts to store a response to req whose body is to come: size bytes, or -1 if that is not known. Commit or Abort must
// follow. The fill does not end with ctx.
func (s *Store) Begin(ctx context.Context, key string, req Fields, m *Meta, size int64) *Fill {
	return &Fill{}
}

// BeginRange is Begin for the bytes from first up to, not including, end of a representation of size bytes: those of a 206.
// m.Header must have a strong ETag; if what is stored when it is committed has the same and the same size, both are combined.
// Large ranges should begin and end at multiples of SegmentSize.
func (s *Store) BeginRange(ctx context.Context, key string, req Fields, m *Meta, first, end, size int64) *Fill {
	return &Fill{}
}

// Freshen stores new metadata for the same body, as a 304 wants it. The response that it returns is good also where the error
// says that it is not stored (ErrNotStored): because r has been deleted or replaced meanwhile, or varies otherwise now.
func (s *Store) Freshen(ctx context.Context, r *Response, m *Meta) (*Response, error) { return r, nil }

// Delete removes all variants of the primary key. Fills of it that are under way in this process go on, but are not stored.
func (s *Store) Delete(ctx context.Context, key string) (found bool, err error) { return false, nil }

// Response is a stored response. It is immutable and shared.
type Response struct{}

// Status returns the status code.
func (r *Response) Status() int { return 0 }

// Head returns the status line and the fields as HTTP/1.1 has them, with Content-Length, and without Age, Cache-Status and
// the empty line at the end. Read-only.
func (r *Response) Head() []byte { return nil }

// CopyHeader sets what Head has in h. The values are shared slices: they may be replaced or appended to, not changed.
func (r *Response) CopyHeader(h http.Header) {}

// Header returns a new map with all fields, Cache-Status included. The values are shared.
func (r *Response) Header() http.Header { return nil }

// Values returns the values of the field with the canonical name, also of Cache-Status. Read-only. It allocates nothing.
func (r *Response) Values(name string) []string { return nil }

// Get returns the first value of the field with the canonical name, or "".
func (r *Response) Get(name string) string { return "" }

// ETag returns the entity tag, or "".
func (r *Response) ETag() string { return "" }

// LastModified returns the field's value, or "".
func (r *Response) LastModified() string { return "" }

// Date returns when the response was made, by its Date or else its receipt, in unix nanoseconds.
func (r *Response) Date() int64 { return 0 }

// Freshness returns what decides on its reuse.
func (r *Response) Freshness() *rfc9111.Freshness { return nil }

// Marks returns what Index.State wants to know, nil without an Index.
func (r *Response) Marks() *invalid.Marks { return nil }

// Tags returns a new slice of the tags.
func (r *Response) Tags() []string { return nil }

// Key returns the primary key.
func (r *Response) Key() string { return "" }

// Size returns the length of the whole representation.
func (r *Response) Size() int64 { return 0 }

// Complete reports whether all of it is stored.
func (r *Response) Complete() bool { return true }

// Has reports whether the n bytes from off on are stored.
func (r *Response) Has(off, n int64) bool { return true }

// Missing returns the first stretch within the n bytes from off on that is not stored, from first up to end; equal if there
// is none.
func (r *Response) Missing(off, n int64) (first, end int64) { return 0, 0 }

// Inline returns the whole body if it is in one piece with the head, else nil. An empty body is not nil. Read-only.
func (r *Response) Inline() []byte { return nil }

// Open returns the n bytes from off on to be sent, once the first of them are at hand; ErrGone if they are not. Close must
// follow.
func (r *Response) Open(ctx context.Context, off, n int64) (*Body, error) { return nil, ErrGone }

// WriteRange writes the n bytes from off on: Open, WriteTo and Close.
func (r *Response) WriteRange(ctx context.Context, w io.Writer, off, n int64) (int64, error) {
	return 0, ErrGone
}

// Body is a stretch of a stored body on its way to one reader. It is not safe for concurrent use.
type Body struct{}

// WriteTo writes what is left, segment by segment: from memory in one Write, from a file with io.CopyN. Where a segment is
// gone it returns ErrGone, and nothing wrong has been written.
func (b *Body) WriteTo(w io.Writer) (int64, error) { return 0, ErrGone }

// Next returns the next bytes, which are read-only and stay as they are, and io.EOF at the end.
func (b *Body) Next() ([]byte, error) { return nil, io.EOF }

// Close ends the reading. It is idempotent.
func (b *Body) Close() {}

// Fill is a response that is coming: one writer, any number of readers.
type Fill struct{}

// Write appends to the body. It waits while readers that can't be left behind have no room. p stays the caller's. It returns
// ErrAbandoned once nobody reads any more, and ErrIncomplete for more than was declared.
func (f *Fill) Write(p []byte) (int, error) { return len(p), nil }

// Commit ends a body that is complete, and stores the response. Readers get the end before that. The error may be
// ErrIncomplete, with which readers fail, or ErrNotStored, with which they do not.
func (f *Fill) Commit() (*Response, error) { return nil, ErrNotStored }

// Abort ends the fill: readers get err once they have read what has come, nothing is stored. It does nothing after Commit.
func (f *Fill) Abort(err error) {}

// Abandoned returns a channel that is closed when the writer may stop because nobody reads any more.
func (f *Fill) Abandoned() <-chan struct{} { return nil }

// Reader returns a reader of the body from off on, a position in the representation. It returns ErrGone where that is not at
// hand any more, and the fill's error if it has failed. Close must follow.
func (f *Fill) Reader(off int64) (*Reader, error) { return &Reader{}, nil }

// Matches reports whether the response that is coming may answer req.
func (f *Fill) Matches(req Fields) bool { return false }

// Size returns the declared size of the representation, or -1.
func (f *Fill) Size() int64 { return -1 }

// Reader follows a fill. It is not safe for concurrent use.
type Reader struct{}

// Next waits for bytes and returns all that are at hand of a segment: read-only, they stay as they are. It returns io.EOF at
// the end, the error of Abort, ErrGone if the reader was so slow that it was left behind, or ctx's error.
func (r *Reader) Next(ctx context.Context) ([]byte, error) { return nil, io.EOF }

// Close ends the reading. It is idempotent.
func (r *Reader) Close() {}
