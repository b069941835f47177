package origin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// simple reports whether a request has nothing but a header that concerns more than one hop: it can go straight on.
func simple(r *http.Request) bool {
	h := r.Header
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength == 0 && (r.Body == nil || r.Body == http.NoBody) &&
		len(h["Te"]) == 0 && len(h["Upgrade"]) == 0 && len(r.Trailer) == 0
}

// straight passes a simple request on and its answer back, as httputil.ReverseProxy does, without what that does for others.
type straight struct {
	url   url.URL
	trace httptrace.ClientTrace

	mu   sync.Mutex // of the answer's header, until the last one has come
	done bool
}

// goStraight is what a ReverseProxy would be for a simple request.
func (x *exchange) goStraight(r *http.Request) {
	s := &x.straight
	x.plain = true
	s.trace.Got1xxResponse = func(status int, h textproto.MIMEHeader) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.done {
			x.interim(status, http.Header(h))
		}
		return nil
	}
	out := r.WithContext(httptrace.WithClientTrace(r.Context(), &s.trace))
	s.url = *r.URL
	out.URL, out.Header, out.Body, out.Close = &s.url, x.f.header(r), nil, false
	res, err := x.RoundTrip(out)
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	switch {
	case err != nil:
		x.err = err
	case res.StatusCode == http.StatusSwitchingProtocols:
		_ = res.Body.Close()
		x.err = errSwitched
	default:
		x.answer(r.Context(), res)
	}
}

var errSwitched = errors.New("it switched protocols without being asked to")

// interim passes an informational answer on.
func (x *exchange) interim(status int, h http.Header) {
	to := x.Header()
	copyFields(to, h)
	x.WriteHeader(status)
	clear(to)
}

// header returns the header of a simple request as it goes out. The values are shared with that which came in.
func (f *Forwarder) header(in *http.Request) http.Header {
	h := make(http.Header, len(in.Header)+6)
	for name, values := range in.Header {
		if !ofHop(name) && !reserved(name) {
			h[name] = values
		}
	}
	deleteNamed(h, in.Header["Connection"])
	f.introduce(h, in)
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = f.noAgent
	}
	return h
}

// ofHop reports whether a field is for one hop alone: RFC 9110, 7.6.1, and those of RFC 2616, 13.5.1.
func ofHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding",
		"Upgrade":
		return true
	}
	return false
}

// deleteNamed removes the fields that Connection names.
func deleteNamed(h http.Header, connection []string) {
	for _, line := range connection {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				h.Del(name)
			}
		}
	}
}

// copyFields adds fields to those that are there. Values are shared where there are none.
func copyFields(dst, src http.Header) {
	for name, values := range src {
		if before := dst[name]; len(before) > 0 {
			values = append(slices.Clip(before), values...)
		}
		dst[name] = values
	}
}

// answer passes the answer on. One that breaks off panics with http.ErrAbortHandler.
func (x *exchange) answer(ctx context.Context, res *http.Response) {
	deleteNamed(res.Header, res.Header["Connection"])
	for name := range res.Header {
		if ofHop(name) {
			delete(res.Header, name)
		}
	}
	h := x.Header()
	copyFields(h, res.Header)
	announced := len(res.Trailer)
	if announced > 0 {
		names := make([]string, 0, announced)
		for name := range res.Trailer {
			names = append(names, name)
		}
		h.Add("Trailer", strings.Join(names, ", "))
	}
	x.WriteHeader(res.StatusCode)
	err := x.body(res)
	_ = res.Body.Close() // fills the trailer in
	if err != nil {
		x.f.o.Logger.LogAttrs(ctx, slog.LevelDebug, "answer broke off", slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
	if len(res.Trailer) > 0 {
		_ = http.NewResponseController(x.ResponseWriter).Flush() // else net/http would count the body, and have no place for it
		x.trailer(res.Trailer, announced)
	}
}

// trailer passes on what came after the body, in the way for those announced or that for others.
func (x *exchange) trailer(trailer http.Header, announced int) {
	prefix := ""
	if len(trailer) != announced {
		prefix = http.TrailerPrefix
	}
	h := x.Header()
	for name, values := range trailer {
		h[prefix+name] = append(h[prefix+name], values...)
	}
}

// body passes the body on.
func (x *exchange) body(res *http.Response) error {
	if res.Body == http.NoBody {
		return nil
	}
	c, ok := x.f.couriers.Get().(*courier)
	if !ok {
		c = newCourier()
	}
	defer x.f.couriers.Put(c)
	c.begin(x, res)
	defer c.end()
	return c.run()
}

// courier carries a body. While it waits for the origin it sends what net/http holds back, after a moment, and then gives the
// origin up, after a long one. It is used again for others.
type courier struct {
	timer *time.Timer

	x         *exchange
	from      io.ReadCloser
	immediate bool // all is sent as it comes
	latency   time.Duration

	mu      sync.Mutex // of the client's writer, and what follows
	reading bool
	sent    bool      // what was held back when this read began
	due     time.Time // of this read, once sent
	stalled bool
	buffer  [bufferBytes]byte
}

func newCourier() *courier {
	c := new(courier)
	c.timer = time.AfterFunc(never, c.late)
	c.timer.Stop()
	return c
}

const (
	// flushLatency is how long bytes of an answer of known length lie in buffers while the next are waited for.
	flushLatency = 10 * time.Millisecond
	// streamLatency is how long the header of one of unknown length does.
	streamLatency = time.Millisecond
)

func (c *courier) begin(x *exchange, res *http.Response) {
	c.x, c.from, c.latency, c.stalled = x, res.Body, flushLatency, false
	c.immediate = res.ContentLength < 0 || events(res.Header)
	if c.immediate {
		c.latency = streamLatency
	}
}

// events reports whether an answer is a stream of events.
func events(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(textproto.TrimString(kind), eventStream)
}

const eventStream = "text/event-stream"

func (c *courier) end() { c.x, c.from = nil, nil }

func (c *courier) run() error {
	for {
		n, err := c.read()
		if n > 0 {
			if err := c.write(c.buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF { //nolint:errorlint // what merely wraps it is no end
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *courier) read() (int, error) {
	c.mu.Lock()
	c.reading, c.sent = true, false
	c.timer.Reset(c.latency)
	c.mu.Unlock()
	n, err := c.from.Read(c.buffer[:])
	c.timer.Stop()
	c.mu.Lock()
	c.reading = false
	stalled := c.stalled
	c.mu.Unlock()
	if err != nil && err != io.EOF {
		if stalled {
			err = errStalled
		}
		c.x.broke(err)
	}
	return n, err
}

// late is called when a read takes long. A call that comes too late itself finds no read, or is early for the next one.
func (c *courier) late() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reading {
		return
	}
	if !c.sent {
		c.sent, c.due = true, time.Now().Add(c.x.f.o.BodyTimeout-c.latency)
		c.flush()
	}
	if left := time.Until(c.due); left > 0 {
		c.timer.Reset(left)
		return
	}
	c.stalled = true
	_ = c.from.Close() // what is read fails
}

func (c *courier) write(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.x.Write(p)
	switch {
	case err != nil:
		return err
	case n != len(p):
		return io.ErrShortWrite
	}
	if c.immediate {
		c.flush()
	}
	return nil
}

func (c *courier) flush() { _ = http.NewResponseController(c.x.ResponseWriter).Flush() } // an error meets the next write
