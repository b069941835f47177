package guard

import (
	"io"
	"net/http"
	"time"
)

// withBody returns r without a body where it must have none, and else with one that has to come in time. net/http keeps the
// request it has made, and by its body knows what to do with the rest of it: read it, if it is short, or close the connection.
func (g *Guard) withBody(w http.ResponseWriter, r *http.Request) *http.Request {
	b := &body{
		ReadCloser: r.Body, control: http.NewResponseController(w), left: g.opts.Stall, rate: g.opts.MinRate,
		stream: r.ProtoMajor == 2,
	}
	if !b.stream {
		b.arm() // also for what net/http reads when the handler has returned
	}
	changed := *r
	r = &changed
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		r.Body = b
		return r
	}
	// RFC 9110 section 9.3.1: it has no meaning, and to a cache that does not key it, it would be poison.
	r.Body, r.ContentLength, r.TransferEncoding, r.Trailer = http.NoBody, 0, nil, nil
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Expect"} {
		delete(r.Header, name)
	}
	return r
}

// body is a request's body that fails if it comes too slowly. What counts is the time spent waiting for it: a slow reader is
// not the client's fault.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	left    time.Duration // for which to wait
	rate    int           // bytes in a second that earn another one
	stream  bool          // the deadline is a stream's, and closes it even if nobody reads
	ended   bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return b.ReadCloser.Read(p)
	}
	before := b.arm()
	n, err := b.ReadCloser.Read(p)
	b.left += time.Duration(n)*time.Second/time.Duration(b.rate) - time.Since(before)
	b.ended = err != nil
	if b.stream {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// arm sets the deadline, and returns the time.
func (b *body) arm() time.Time {
	now := time.Now()
	_ = b.control.SetReadDeadline(now.Add(b.left)) // not all writers can: then it is the server that has to have limits
	return now
}

// unsent is up to how many bytes HTTP/2's writer keeps before it sends them.
const unsent = 4 << 10

// stream is the ResponseWriter of an HTTP/2 stream, whose client can stop the stream alone, where a connection's limits do not
// see it.
type stream struct {
	http.ResponseWriter
	control *http.ResponseController
	opts    *Options
	pending int
}

func (g *Guard) pace(w http.ResponseWriter) *stream {
	return &stream{ResponseWriter: w, control: http.NewResponseController(w), opts: &g.opts}
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	if s.pending += len(p); s.pending < unsent {
		return s.ResponseWriter.Write(p)
	}
	s.arm()
	n, err := s.ResponseWriter.Write(p)
	s.disarm()
	return n, err
}

// Flush implements http.Flusher.
func (s *stream) Flush() { _ = s.FlushError() }

// FlushError is what http.ResponseController uses.
func (s *stream) FlushError() error {
	s.arm()
	defer s.disarm()
	return s.control.Flush()
}

// Unwrap is for http.ResponseController.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *stream) arm() {
	due := s.opts.Stall + time.Duration(s.pending)*time.Second/time.Duration(s.opts.MinRate)
	_ = s.control.SetWriteDeadline(time.Now().Add(due))
}

func (s *stream) disarm() {
	s.pending = 0
	_ = s.control.SetWriteDeadline(time.Time{})
}

// finish leaves a deadline for what is sent when the handler has returned.
func (s *stream) finish() { s.arm() }
