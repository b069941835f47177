package rfc9110

import (
	"io"
	"mime/multipart"
	"net/textproto"
)

// Parts is an answer with several parts of a body, as multipart/byteranges (section 14.6).
type Parts struct {
	spans       []Span
	size        int64
	contentType []string // nil for none
	boundary    string
	length      int64
}

// NewParts returns the answer with spans of a body of size bytes, which is of the media type contentType, "" if that is not
// known. It keeps spans.
func NewParts(spans []Span, size int64, contentType string) *Parts {
	p := &Parts{spans: spans, size: size}
	if contentType != "" {
		p.contentType = []string{contentType}
	}
	var n counter
	w := multipart.NewWriter(&n)
	p.boundary = w.Boundary()
	_ = p.write(w, func(_ io.Writer, s Span) error { n += counter(s.Length); return nil }) // counters do not fail
	p.length = int64(n)
	return p
}

// ContentType is that header's value for the answer.
func (p *Parts) ContentType() string { return "multipart/byteranges; boundary=" + p.boundary }

// Length is how many bytes Write writes.
func (p *Parts) Length() int64 { return p.length }

// Write writes the answer's body to w. part is called for each span in turn to write just its bytes to what it is given; its
// error ends the writing and is returned.
func (p *Parts) Write(w io.Writer, part func(w io.Writer, s Span) error) error {
	m := multipart.NewWriter(w)
	if err := m.SetBoundary(p.boundary); err != nil {
		return err // never: it is the one of another Writer
	}
	return p.write(m, part)
}

func (p *Parts) write(m *multipart.Writer, part func(w io.Writer, s Span) error) error {
	for _, s := range p.spans {
		header := textproto.MIMEHeader{"Content-Range": {s.ContentRange(p.size)}}
		if p.contentType != nil {
			header["Content-Type"] = p.contentType
		}
		w, err := m.CreatePart(header)
		if err != nil {
			return err
		}
		if err := part(w, s); err != nil {
			return err
		}
	}
	return m.Close()
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
