package origin

import (
	"io"
	"net/http"
	"sync/atomic"
)

// Duplex returns next, which may answer HTTP/1 requests while their bodies still come. Without it net/http's server takes what
// is left of a body for itself when the answer begins, and closes it under who reads it, so that a Forwarder's request and with
// it the answer may break off. The connection then ends with the answer, since nobody knows where the next request begins.
//
// It belongs close to the server, inside what watches the time that bodies take.
func Duplex(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody || http.NewResponseController(w).EnableFullDuplex() != nil {
			next.ServeHTTP(w, r)
			return
		}
		d := &duplex{ResponseWriter: w}
		changed := *r
		changed.Body = &observed{r.Body, d}
		next.ServeHTTP(d, &changed)
		d.closeUnlessRead()
	})
}

// duplex is the ResponseWriter of a request with a body.
type duplex struct {
	http.ResponseWriter
	read  atomic.Bool // the body has been read to its end
	wrote bool
}

// WriteHeader has the connection end with the answer if it begins before the body's end.
func (d *duplex) WriteHeader(status int) {
	if status >= http.StatusOK {
		d.closeUnlessRead()
	}
	d.ResponseWriter.WriteHeader(status)
}

func (d *duplex) closeUnlessRead() {
	if !d.wrote && !d.read.Load() {
		d.Header().Set("Connection", "close")
	}
	d.wrote = true
}

func (d *duplex) Write(p []byte) (int, error) {
	d.closeUnlessRead()
	return d.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the rest.
func (d *duplex) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// observed is a request's body.
type observed struct {
	io.ReadCloser
	d *duplex
}

func (o *observed) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if err == io.EOF {
		o.d.read.Store(true)
	}
	return n, err
}
