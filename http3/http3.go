// Package http3 serves a handler over HTTP/3, beside a server of net/http that has HTTP/1.1 and HTTP/2. It is a module of its
// own, so that programs without QUIC have no code of it.
package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Options configures a Server.
type Options struct {
	// Handler answers. It is required.
	Handler http.Handler
	// TLS has the certificates. It is required, and not changed: the protocols and the least version are added to a copy.
	TLS *tls.Config
	// MaxHeaderBytes bounds a request's header. 0 is 64 KiB.
	MaxHeaderBytes int
	// IdleTimeout is how long a connection is kept between requests. 0 is a minute.
	IdleTimeout time.Duration
	// MaxStreams bounds the requests of a connection at once. 0 is 250.
	MaxStreams int64
	// MaxAge is how long clients may remember what AltSvc tells. 0 is a day.
	MaxAge time.Duration
	// Logger is told what goes wrong beside requests. nil discards it.
	Logger *slog.Logger
}

func (o *Options) complete() error {
	switch {
	case o.Handler == nil:
		return errors.New("http3: Handler is nil")
	case o.TLS == nil:
		return errors.New("http3: TLS is nil: HTTP/3 has no other way")
	}
	if o.MaxHeaderBytes == 0 {
		o.MaxHeaderBytes = 64 << 10
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = time.Minute
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = 250
	}
	if o.MaxAge == 0 {
		o.MaxAge = 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Server serves HTTP/3 on one UDP address. It is safe for concurrent use.
type Server struct {
	conn   net.PacketConn
	server *http3.Server
	altSvc []string
}

// Listen claims a UDP address, host:port. Serve must follow, and Shutdown or Close.
func Listen(ctx context.Context, address string, o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, fmt.Errorf("http3: %w", err)
	}
	port := conn.LocalAddr().(*net.UDPAddr).Port
	return &Server{
		conn:   conn,
		altSvc: []string{"h3=\":" + strconv.Itoa(port) + "\"; ma=" + strconv.Itoa(int(o.MaxAge/time.Second))},
		server: &http3.Server{
			Handler: o.Handler, TLSConfig: http3.ConfigureTLSConfig(o.TLS.Clone()), MaxHeaderBytes: o.MaxHeaderBytes,
			IdleTimeout: o.IdleTimeout, Logger: o.Logger,
			// Data of a first flight can be replayed, and a cache passes requests on that change things.
			QUICConfig: &quic.Config{MaxIncomingStreams: o.MaxStreams, MaxIdleTimeout: o.IdleTimeout, Allow0RTT: false},
		},
	}, nil
}

// Addr returns the address that was claimed.
func (s *Server) Addr() net.Addr { return s.conn.LocalAddr() }

// Serve answers until Shutdown or Close, and then returns nil.
func (s *Server) Serve() error {
	if err := s.server.Serve(s.conn); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http3: %w", err)
	}
	return nil
}

// AltSvc returns next for a server over TCP, whose answers tell clients that there is HTTP/3, on the same host: RFC 7838. An
// answer over HTTP/3 needs no such field.
func (s *Server) AltSvc(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&announcing{ResponseWriter: w, altSvc: s.altSvc}, r)
	})
}

// announcing adds the field when the header is written, since what answers may fill it from what was stored.
type announcing struct {
	http.ResponseWriter
	altSvc []string
	told   bool
}

func (a *announcing) WriteHeader(status int) {
	if !a.told && (status >= 200 || status == http.StatusSwitchingProtocols) {
		a.told = true
		a.Header()["Alt-Svc"] = a.altSvc
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *announcing) Write(p []byte) (int, error) {
	if !a.told {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the rest.
func (a *announcing) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Shutdown takes no new requests, waits for those under way until ctx ends, and gives the address back.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	return errors.Join(err, s.Close())
}

// Close ends everything at once. It may be called more than once.
func (s *Server) Close() error {
	err := s.server.Close()
	if cerr := s.conn.Close(); cerr != nil && !errors.Is(cerr, net.ErrClosed) {
		err = errors.Join(err, cerr)
	}
	return err
}
