package files

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/edgecache/edgecache/rfc9110"
)

// representation is a body with what its headers say: what a resource is in one coding (RFC 9110, section 3.2). It is
// immutable and shared. The slices are values of headers; that of a name has no room behind it, so that appending copies.
type representation struct {
	rfc9110.Validators
	data []byte   // the body, or
	file *os.File // where it is read from
	size int64

	contentType  []string
	encoding     []string // nil for identity
	etagHeader   []string
	lastModified []string // nil if there is none
	length       []string
}

// describe fills in what headers say. modified may be in the future, or nonsense.
func (p *representation) describe(contentType string, c rfc9110.Coding, etag string, modified, now time.Time) {
	p.contentType = []string{contentType}
	if c != rfc9110.Identity {
		p.encoding = []string{c.String()}
	}
	p.ETag, p.etagHeader = etag, []string{etag}
	p.length = []string{strconv.FormatInt(p.size, 10)}
	if modified.After(now) {
		modified = now // RFC 9110, section 8.8.2.1
	}
	if modified.Unix() > 0 {
		p.Modified = modified.UTC().Truncate(time.Second)
		p.StrongDate = now.Sub(p.Modified) >= 2*time.Second
		p.lastModified = []string{p.Modified.Format(http.TimeFormat)}
	}
}

// respond answers with the representation, or with what the preconditions and the ranges of the request make of it.
func (h *Handler) respond(w http.ResponseWriter, q *http.Request, p *representation, vary bool) {
	header := w.Header()
	if vary {
		h.vary(header)
	}
	verdict := rfc9110.Evaluate(q.Method, q.Header, &p.Validators)
	if verdict == rfc9110.PreconditionFailed {
		h.stats.failed.Add(1)
		http.Error(w, "the file is not in the state that the request asks for", http.StatusPreconditionFailed)
		return
	}
	header["Etag"] = p.etagHeader
	if h.cacheControl != nil {
		header["Cache-Control"] = h.cacheControl
	}
	if verdict == rfc9110.NotModified { // with what section 15.4.5 asks for, and no more
		h.stats.notModified.Add(1)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header["Content-Type"] = p.contentType
	header["Accept-Ranges"] = h.acceptRanges
	if p.encoding != nil {
		header["Content-Encoding"] = p.encoding
	}
	if p.lastModified != nil {
		header["Last-Modified"] = p.lastModified
	}
	// Ranges are of the representation in its coding (RFC 9110, section 14).
	if spans, ok := rfc9110.Ranges(q.Method, q.Header, &p.Validators, p.size); ok {
		h.respondSpans(w, p, spans)
		return
	}
	header["Content-Length"] = p.length
	w.WriteHeader(http.StatusOK)
	if q.Method == http.MethodGet {
		h.stats.sent(p.writeTo(w, rfc9110.Span{Length: p.size}))
	}
}

// vary says that the answer depends on Accept-Encoding, beside what those around this handler have said.
func (h *Handler) vary(header http.Header) {
	if len(header["Vary"]) == 0 {
		header["Vary"] = h.varyHeader
		return
	}
	header.Add("Vary", "Accept-Encoding")
}

// respondSpans answers with parts of the body (sections 15.3.7 and 15.5.17).
func (h *Handler) respondSpans(w http.ResponseWriter, p *representation, spans []rfc9110.Span) {
	header := w.Header()
	switch len(spans) {
	case 0:
		h.stats.unsatisfiable.Add(1)
		for _, name := range []string{"Cache-Control", "Content-Encoding", "Content-Type", "Etag", "Last-Modified"} {
			header.Del(name) // there is no content that they could be about
		}
		header.Set("Content-Range", rfc9110.Unsatisfied(p.size))
		http.Error(w, "no such range", http.StatusRequestedRangeNotSatisfiable)
	case 1:
		h.stats.partial.Add(1)
		header.Set("Content-Range", spans[0].ContentRange(p.size))
		header.Set("Content-Length", strconv.FormatInt(spans[0].Length, 10))
		w.WriteHeader(http.StatusPartialContent)
		h.stats.sent(p.writeTo(w, spans[0]))
	default:
		h.stats.partial.Add(1)
		h.respondParts(w, p, spans)
	}
}

// respondParts answers with several parts as multipart/byteranges (section 14.6).
func (h *Handler) respondParts(w http.ResponseWriter, p *representation, spans []rfc9110.Span) {
	parts := rfc9110.NewParts(spans, p.size, p.contentType[0])
	header := w.Header()
	header.Set("Content-Type", parts.ContentType())
	header.Set("Content-Length", strconv.FormatInt(parts.Length(), 10))
	w.WriteHeader(http.StatusPartialContent)
	_ = parts.Write(w, func(w io.Writer, s rfc9110.Span) error { // fails where the client has gone, or the file
		n, err := p.writeTo(w, s)
		h.stats.sent(n, err)
		return err
	})
}

// writeTo writes a part of the body. An error is the client's, or the file's, of which the client learns by getting less
// than it was told.
func (p *representation) writeTo(w io.Writer, s rfc9110.Span) (int64, error) {
	if p.file == nil {
		n, err := w.Write(p.data[s.Start : s.Start+s.Length])
		return int64(n), err
	}
	if _, err := p.file.Seek(s.Start, io.SeekStart); err != nil {
		return 0, err
	}
	return io.CopyN(w, p.file, s.Length)
}
