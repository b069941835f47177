package httpwasm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// features are what a guest may ask for.
type features uint32

const (
	bufferRequest  features = 1 << iota // what it reads of the request's body, the next handler still finds
	bufferResponse                      // it may read and change the next handler's response
	trailers
	allFeatures = bufferRequest | bufferResponse | trailers
)

// exchange is a request and the answer to it. Only the goroutine that serves it uses it.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	max      int64 // bytes of a body that is kept
	features features
	lines    int // logged

	owned  bool         // r is a copy, which may be changed
	passed bool         // the next handler has answered
	out    bool         // and its response went straight to w
	spent  bool         // some of the request's body is gone
	kept   bytes.Buffer // what was read of it, with bufferRequest

	code     int    // of the response; 0 means 200
	body     []byte // of the response
	replaced bool   // the guest writes a body of its own
	overflow error  // the next handler's body is longer than max
	read     int    // how much of body the guest has read
}

func (x *exchange) enable(f features) { x.features |= f }

// own makes r the exchange's own, since a handler must not change what it was given.
func (x *exchange) own() {
	if x.owned {
		return
	}
	x.owned = true
	r := *x.r
	u := *x.r.URL
	r.URL, r.Header, r.Trailer = &u, x.r.Header.Clone(), x.r.Trailer.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	x.r = &r
}

// uri is the request's path and query, escaped as they came.
func (x *exchange) uri() string {
	u := x.r.URL
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.ForceQuery || u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path
}

func (x *exchange) setURI(uri string) {
	if uri == "" {
		uri = "/"
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil || u.Host != "" || uri[0] != '/' {
		panic(fmt.Errorf("called set_uri with %q, which is no path with an optional query", uri))
	}
	x.own()
	x.r.RequestURI = uri
	x.r.URL.Path, x.r.URL.RawPath, x.r.URL.RawQuery, x.r.URL.ForceQuery = u.Path, u.RawPath, u.RawQuery, u.ForceQuery
}

func (x *exchange) setMethod(method string) {
	if !httpguts.ValidHeaderFieldName(method) { // both are tokens (RFC 9110 section 9.1)
		panic(fmt.Errorf("called set_method with %q, which is no method", method))
	}
	x.own()
	x.r.Method = method
}

// reader returns the body of a kind from where the guest has read to.
func (x *exchange) reader(kind uint32) io.Reader {
	switch {
	case kind == kindRequest && x.passed:
		panic(errors.New("called read_body for the request in handle_response: it is gone by then"))
	case kind == kindRequest && x.features&bufferRequest != 0:
		return x
	case kind == kindRequest:
		x.spent = true
		return x.r.Body
	case kind != kindResponse:
		panic(fmt.Errorf("called read_body for a body of kind %d", kind))
	}
	x.responding("read_body")
	return responseReader{x}
}

// Read reads the request's body and keeps what it has read for the next handler.
func (x *exchange) Read(p []byte) (int, error) {
	n, err := x.r.Body.Read(p)
	if int64(x.kept.Len()+n) > x.max {
		x.spent = true
		return 0, fmt.Errorf("the request's body is longer than the %d bytes that are kept", x.max)
	}
	x.kept.Write(p[:n])
	return n, err
}

type responseReader struct{ *exchange }

func (r responseReader) Read(p []byte) (int, error) {
	n := copy(p, r.body[r.read:])
	if r.read += n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// writeRequest adds to the body that takes the place of the request's own.
func (x *exchange) writeRequest(b []byte) {
	x.own()
	own, ok := x.r.Body.(*ownBody)
	if !ok {
		own = &ownBody{first: x.r.Body}
		x.r.Body = own
		x.kept.Reset()
	}
	if int64(own.Len()+len(b)) > x.max {
		panic(fmt.Errorf("wrote more than the %d bytes that a body may have", x.max))
	}
	own.Write(b)
	x.spent = false
	x.r.ContentLength, x.r.TransferEncoding = int64(own.Len()), nil
	x.r.Header.Set("Content-Length", strconv.Itoa(own.Len()))
	x.r.Header.Del("Transfer-Encoding")
}

// ownBody is a body that the guest wrote, in place of another.
type ownBody struct {
	bytes.Buffer
	first io.ReadCloser
}

func (b *ownBody) Close() error { return b.first.Close() }

// request is what the next handler gets.
func (x *exchange) request() *http.Request {
	if x.kept.Len() == 0 {
		return x.r
	}
	x.own()
	x.r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&x.kept, x.r.Body), x.r.Body}
	return x.r
}

// next has the next handler answer, behind what the guest has written so far, and returns what it panicked with.
func (x *exchange) next(h http.Handler) (panicked any) {
	x.passed, x.replaced, x.read = true, false, 0
	defer func() { panicked = recover() }()
	if x.features&bufferResponse != 0 {
		h.ServeHTTP(&recorder{x: x, done: x.code != 0 || len(x.body) > 0}, x.request())
		return nil
	}
	x.out = true
	if x.code != 0 {
		x.w.WriteHeader(x.code)
	}
	if len(x.body) > 0 {
		_, _ = x.w.Write(x.body) // the client is gone, if that fails
	}
	h.ServeHTTP(x.w, x.request())
	return nil
}

// responding returns the exchange, of which the response can be changed.
func (x *exchange) responding(function string) *exchange {
	if x.out {
		panic(fmt.Errorf("called %s in handle_response without feature buffer_response: the response is out by then", function))
	}
	return x
}

func (x *exchange) status() int {
	if x.code == 0 {
		return http.StatusOK
	}
	return x.code
}

func (x *exchange) setStatus(code uint32) {
	if code < 200 || code > 999 {
		panic(fmt.Errorf("called set_status_code with %d: a response has 200 to 999", code))
	}
	x.code = int(code)
}

// append adds to the guest's own body, which takes the place of the next handler's.
func (x *exchange) append(b []byte) error {
	if !x.replaced {
		x.replaced, x.body, x.read = true, nil, 0
	}
	return x.keep(b)
}

func (x *exchange) keep(b []byte) error {
	if int64(len(x.body)+len(b)) > x.max {
		return fmt.Errorf("the response's body is longer than the %d bytes that are kept", x.max)
	}
	x.body = append(x.body, b...)
	return nil
}

// finish sends the response, unless it is out.
func (x *exchange) finish() {
	if x.out {
		return
	}
	code := x.status()
	if header := x.w.Header(); x.replaced || !x.passed {
		header.Del("Transfer-Encoding")
		header.Set("Content-Length", strconv.Itoa(len(x.body)))
		if !bodyAllowed(code) {
			header.Del("Content-Length")
		}
	}
	x.w.WriteHeader(code)
	if bodyAllowed(code) && x.r.Method != http.MethodHead {
		_, _ = x.w.Write(x.body) // the client is gone, if that fails
	}
}

func bodyAllowed(code int) bool {
	return code != http.StatusNoContent && code != http.StatusNotModified
}

// refuse answers with an error, unless a response is out.
func (x *exchange) refuse(code int) {
	if x.out {
		return
	}
	clear(x.w.Header())
	x.w.Header().Set("Cache-Control", "no-store")
	http.Error(x.w, "the request could not be handled", code)
}

// snapshot returns the response as it is, if it shall be restored, and nil if not.
func (x *exchange) snapshot(wanted bool) *response {
	if !wanted || x.out {
		return nil
	}
	return &response{header: x.w.Header().Clone(), code: x.code, body: x.body}
}

type response struct {
	header http.Header
	code   int
	body   []byte
}

func (x *exchange) restore(r *response) {
	if r == nil {
		return
	}
	header := x.w.Header()
	clear(header)
	maps.Copy(header, r.header)
	x.code, x.body, x.replaced = r.code, r.body, false
}

// recorder keeps the next handler's response for the guest.
type recorder struct {
	x    *exchange
	done bool // the status stands
}

func (w *recorder) Header() http.Header { return w.x.w.Header() }

func (w *recorder) WriteHeader(code int) {
	switch {
	case code < 200 && code != http.StatusSwitchingProtocols:
		w.x.w.WriteHeader(code)
	case !w.done:
		w.done, w.x.code = true, code
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.done = true
	if w.x.overflow == nil {
		w.x.overflow = w.x.keep(p)
	}
	if w.x.overflow != nil {
		return 0, w.x.overflow
	}
	return len(p), nil
}
