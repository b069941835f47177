package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// requestError is a request's body that can't be read.
type requestError struct{ err error }

func (e *requestError) Error() string { return "reading the request: " + e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

func (e *requestError) status() int {
	if errors.Is(e.err, os.ErrDeadlineExceeded) {
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}

// upload is a request's body on its way. Between its reads the origin must take what was read.
type upload struct {
	io.ReadCloser
	x     *exchange
	timer *time.Timer
	ended bool
}

func (x *exchange) upload(body io.ReadCloser) io.ReadCloser {
	u := &upload{ReadCloser: body, x: x, timer: time.AfterFunc(never, func() { x.cancel(errStalled) })}
	u.timer.Stop()
	return u
}

// never is a time that no test or process sees.
const never = 1 << 62

func (u *upload) Read(p []byte) (int, error) {
	if u.ended { // transports look whether there is more, when the server may have closed the body already
		return 0, io.EOF
	}
	u.timer.Stop()
	n, err := u.ReadCloser.Read(p)
	switch {
	case err == nil:
		u.timer.Reset(u.x.f.o.BodyTimeout)
	case errors.Is(err, io.EOF):
		u.ended = true
	default:
		read := &requestError{err}
		u.x.unread.Store(read)
		err = read
	}
	return n, err
}

func (u *upload) Close() error {
	u.timer.Stop()
	return u.ReadCloser.Close()
}

// download is an answer's body on its way. During its reads the origin must give something, or it is closed meanwhile, which
// bodies of a transport can be.
type download struct {
	io.ReadCloser
	x       *exchange
	timer   *time.Timer
	stalled atomic.Bool
}

func (x *exchange) download(body io.ReadCloser) io.ReadCloser {
	d := &download{ReadCloser: body, x: x}
	d.timer = time.AfterFunc(never, d.stall)
	d.timer.Stop()
	return d
}

func (d *download) stall() {
	d.stalled.Store(true)
	_ = d.Close() // what is read next fails
}

func (d *download) Read(p []byte) (int, error) {
	d.timer.Reset(d.x.f.o.BodyTimeout)
	n, err := d.ReadCloser.Read(p)
	d.timer.Stop()
	if err != nil && err != io.EOF {
		if d.stalled.Load() {
			err = errStalled
		}
		d.x.broke(err)
	}
	return n, err
}

// broke notes that the answer ended before its end. A client that went away is no failure of the origin's.
func (x *exchange) broke(err error) {
	if x.brokeOff {
		return
	}
	x.brokeOff = true
	if !errors.Is(err, context.Canceled) {
		x.failed(err)
	}
}
