// Package fasth1 answers plain HTTP/1.1 requests for what is stored without net/http: GET and nothing else to heed, no body, no
// conditions, no ranges, no wishes about caching or the connection. It reads a subset of the protocol in which there is one way
// to read every byte, and leaves all else to net/http: what it does not take, it has not touched.
//
// It is a second parser in front of the first, so it is optional, and a fuzz target holds the two together: with it and without
// it, any bytes have the same answers.
package fasth1

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/gate"
)

// Source has the answers. It is called by many goroutines at once.
type Source interface {
	// Find appends the head of the answer to r to dst: status line, fields and the empty line, as net/http would have it for
	// the same request. The body must be as long as its Content-Length says, stay unchanged while it is written, and may be
	// shared. It reports false for what it has no answer to, or has to do more for than give one; nothing may have been counted
	// then. An answer that was found by a field of which r is not sure (Request.Unsure) must not be given.
	Find(r *Request, dst []byte) (head, body []byte, ok bool)
}

// Stats is what a Front has counted.
type Stats struct {
	// Hits counts requests that were answered, Passed those left to net/http.
	Hits   int64 `json:"hits"`
	Passed int64 `json:"passed"`
}

// Front answers requests from a Source. It is safe for concurrent use.
type Front struct {
	source       Source
	drop         map[string]struct{} // canonical
	pool         sync.Pool           // of *work
	hits, passed atomic.Int64
}

// work is what a request takes while it is answered.
type work struct {
	request Request
	head    []byte
}

// New returns a Front for source. drop are the names of fields that a guard drops beside those it does by itself.
func New(source Source, drop ...string) *Front {
	f := &Front{source: source, drop: make(map[string]struct{})}
	for _, name := range drop {
		f.drop[http.CanonicalHeaderKey(name)] = struct{}{}
	}
	f.pool.New = func() any { return &work{head: make([]byte, 0, 4<<10)} }
	return f
}

// Answer implements gate.Answerer, through which a listener asks.
func (f *Front) Answer(head []byte, c *gate.Conn) (bool, error) {
	w := f.pool.Get().(*work)
	defer f.pool.Put(w)
	r := &w.request
	if !r.read(head) {
		f.passed.Add(1)
		return false, nil
	}
	r.Secure, r.Now, r.drop = c.Secure(), c.Now(), f.drop
	answer, body, ok := f.source.Find(r, w.head[:0])
	if !ok || r.unsure {
		f.passed.Add(1)
		return false, nil
	}
	f.hits.Add(1)
	var err error
	w.head, err = c.Send(answer, body)
	return true, err
}

// Stats returns what f has counted since it was made.
func (f *Front) Stats() Stats {
	return Stats{Hits: f.hits.Load(), Passed: f.passed.Load()}
}

var _ gate.Answerer = (*Front)(nil)
