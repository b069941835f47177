package files

import (
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"time"
)

// representation is a body with what its headers say: what a resource is in one coding (RFC 9110, section 3.2). It is
// immutable and shared. The slices are values of headers; that of a name has no room behind it, so that appending copies.
type representation struct {
	validators
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
func (p *representation) describe(contentType string, c coding, etag string, modified, now time.Time) {
	p.contentType = []string{contentType}
	if c != identity {
		p.encoding = []string{c.String()}
	}
	p.etag, p.etagHeader = etag, []string{etag}
	p.length = []string{strconv.FormatInt(p.size, 10)}
	if modified.After(now) {
		modified = now // RFC 9110, section 8.8.2.1
	}
	if modified.Unix() > 0 {
		p.modified = modified.UTC().Truncate(time.Second)
		p.rested = now.Sub(p.modified) >= 2*time.Second
		p.lastModified = []string{p.modified.Format(http.TimeFormat)}
	}
}

// respond answers with the representation, or with what the preconditions and the ranges of the request make of it.
func (h *Handler) respond(w http.ResponseWriter, q *http.Request, p *representation, vary bool) {
	header := w.Header()
	if vary {
		h.vary(header)
	}
	verdict := evaluate(q.Header, &p.validators)
	if verdict == failed {
		h.stats.failed.Add(1)
		http.Error(w, "the file is not in the state that the request asks for", http.StatusPreconditionFailed)
		return
	}
	header["Etag"] = p.etagHeader
	if h.cacheControl != nil {
		header["Cache-Control"] = h.cacheControl
	}
	if verdict == notModified { // with what section 15.4.5 asks for, and no more
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
	// Ranges are of the representation in its coding (section 14), and for GET alone (section 14.2).
	if asked := q.Header.Get("Range"); asked != "" && q.Method == http.MethodGet && p.size > 0 && ranged(q.Header, &p.validators) {
		if spans, ok := parseRange(asked, p.size); ok {
			h.respondSpans(w, p, spans)
			return
		}
	}
	header["Content-Length"] = p.length
	w.WriteHeader(http.StatusOK)
	if q.Method == http.MethodGet {
		h.stats.sent(p.writeTo(w, span{0, p.size}))
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
func (h *Handler) respondSpans(w http.ResponseWriter, p *representation, spans []span) {
	header := w.Header()
	switch len(spans) {
	case 0:
		h.stats.unsatisfiable.Add(1)
		for _, name := range []string{"Cache-Control", "Content-Encoding", "Content-Type", "Etag", "Last-Modified"} {
			header.Del(name) // there is no content that they could be about
		}
		header.Set("Content-Range", "bytes */"+strconv.FormatInt(p.size, 10))
		http.Error(w, "no such range", http.StatusRequestedRangeNotSatisfiable)
	case 1:
		h.stats.partial.Add(1)
		header.Set("Content-Range", spans[0].contentRange(p.size))
		header.Set("Content-Length", strconv.FormatInt(spans[0].length, 10))
		w.WriteHeader(http.StatusPartialContent)
		h.stats.sent(p.writeTo(w, spans[0]))
	default:
		h.stats.partial.Add(1)
		h.respondParts(w, p, spans)
	}
}

// respondParts answers with several parts as multipart/byteranges (section 14.6).
func (h *Handler) respondParts(w http.ResponseWriter, p *representation, spans []span) {
	var size counter
	parts := multipart.NewWriter(&size)
	for _, s := range spans {
		_, _ = parts.CreatePart(p.partHeader(s)) // counters do not fail
		size += counter(s.length)
	}
	_ = parts.Close()

	header, boundary := w.Header(), parts.Boundary()
	header.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	header.Set("Content-Length", strconv.FormatInt(int64(size), 10))
	w.WriteHeader(http.StatusPartialContent)
	parts = multipart.NewWriter(w)
	_ = parts.SetBoundary(boundary) // its own
	for _, s := range spans {
		part, err := parts.CreatePart(p.partHeader(s))
		if err != nil {
			return // the client has gone
		}
		n, err := p.writeTo(part, s)
		if h.stats.sent(n, err); err != nil {
			return
		}
	}
	_ = parts.Close() // fails only where the client has gone
}

func (p *representation) partHeader(s span) textproto.MIMEHeader {
	return textproto.MIMEHeader{"Content-Range": {s.contentRange(p.size)}, "Content-Type": p.contentType}
}

// writeTo writes a part of the body. An error is the client's, or the file's, of which the client learns by getting less
// than it was told.
func (p *representation) writeTo(w io.Writer, s span) (int64, error) {
	if p.file == nil {
		n, err := w.Write(p.data[s.start : s.start+s.length])
		return int64(n), err
	}
	if _, err := p.file.Seek(s.start, io.SeekStart); err != nil {
		return 0, err
	}
	return io.CopyN(w, p.file, s.length)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
