// Package gate stands between a listener and net/http's server and knows where on a connection requests begin. It gives the
// server one head at a time, after a Judge has seen its raw bytes, and may answer requests without it.
//
// It does so inside net.Conn's Read: the server asks for bytes, and the gate gives it those of the next request, or answers
// that request itself and goes on reading. So a connection belongs to the server all the time: its time-outs, its limits and
// its Shutdown hold, and no request costs a goroutine or a hand-over.
//
// What makes this sound is that the server never holds bytes of a request that it has not been asked to serve: beyond a head it
// gets as many bytes as the body has, and none after them until it says, by http.StateIdle, that the answer has been written.
package gate

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Opaque is the Body of a Verdict on a request of which only net/http knows where it ends. The rest of the connection is
// passed on as it comes, unseen.
const Opaque = -1

// Verdict is what becomes of a request.
type Verdict struct {
	// Body is how many bytes follow the head and belong to the request, or Opaque.
	Body int64
	// Status, if not 0, refuses the request: the connection ends with an answer of this status.
	Status int
	// Reason says why it was refused, in a few words for the client.
	Reason string
}

// Judge decides over requests by the bytes of their heads. It is called by many goroutines at once.
type Judge interface {
	// Head decides over a head: everything from the request line to the empty line, both included. Its lines end in LF, with
	// CR before it or without. The bytes are the gate's and are valid during the call only.
	Head(head []byte) Verdict
	// TooLong decides over a head that is longer than the gate's limit, by as much of it as there is. Opaque leaves it to
	// net/http.
	TooLong(part []byte) Verdict
}

// Answerer answers requests in the server's place. It is called by many goroutines at once.
type Answerer interface {
	// Answer answers the request with the given head by one call of c's Send and reports whether it did so. If not, c has not
	// been touched and the request takes the usual way. It must not answer a request that has a body or ends the connection.
	// The bytes of the head are valid during the call only. An error ends the connection.
	Answer(head []byte, c *Conn) (bool, error)
}

// Options configures a gate.
type Options struct {
	// Judge is needed.
	Judge Judge
	// Answerer is asked before the Judge. nil asks nobody.
	Answerer Answerer
	// TLS makes the gate do the handshake. Connections that agree on "h2" are the server's alone; all others speak HTTP/1.1
	// through the gate. nil is for plain TCP.
	TLS *tls.Config
	// MaxHead limits heads to so many bytes. Zero means 32 KiB.
	MaxHead int
	// Stall is how long a write may make no progress at all. Zero means 30 seconds.
	Stall time.Duration
	// MinRate is the rate, in bytes a second, that a client must take an answer with, beside Stall. Zero means 1024.
	MinRate int
	// Header and Idle are the server's ReadHeaderTimeout and IdleTimeout. Listen reads them from the server.
	header, idle time.Duration
}

func (o Options) withDefaults(srv *http.Server) Options {
	if o.MaxHead == 0 {
		o.MaxHead = 32 << 10
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	if o.MinRate == 0 {
		o.MinRate = 1024
	}
	o.header, o.idle = srv.ReadHeaderTimeout, srv.IdleTimeout
	return o
}

// Listen returns a listener for srv, whose ConnState it wraps: srv must not be serving yet, and its timeouts must be set
// already. A ReadTimeout is none of them, since it counts from a moment at which the gate may serve for long: Listen panics if
// there is one. The listener owns ln.
func Listen(srv *http.Server, ln net.Listener, o Options) *Listener {
	if srv.ReadTimeout != 0 {
		panic("gate: a server with a ReadTimeout cannot have a gate; limit its heads and the rate of its bodies instead")
	}
	l := newListener(ln, o.withDefaults(srv))
	before := srv.ConnState
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if c := l.own(nc); c != nil {
			c.state(state)
		}
		if before != nil {
			before(nc, state)
		}
	}
	srv.RegisterOnShutdown(l.stop)
	return l
}
