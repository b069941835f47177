package origin

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// transports returns that of http and https, where TLS agrees on HTTP/2 or not, and that of HTTP/2 without TLS.
func transports(o *Options) (plain, h2c *http.Transport) {
	plain, h2c = transport(o), transport(o)
	plain.Protocols, h2c.Protocols = new(http.Protocols), new(http.Protocols)
	plain.Protocols.SetHTTP1(true)
	plain.Protocols.SetHTTP2(true)
	h2c.Protocols.SetUnencryptedHTTP2(true)
	return plain, h2c
}

func transport(o *Options) *http.Transport {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    o.ConnectTimeout,
		DisableCompression:     true, // bodies pass as they are
		MaxIdleConnsPerHost:    o.MaxIdle,
		MaxConnsPerHost:        o.MaxConns,
		IdleConnTimeout:        o.IdleTimeout,
		ResponseHeaderTimeout:  o.HeaderTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: o.MaxHeaderBytes,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
	if o.TLS != nil {
		t.TLSClientConfig = o.TLS.Clone()
	}
	return t
}

// buffers are what bodies are copied through.
type buffers struct{ *sync.Pool }

const bufferBytes = 32 << 10

func (b buffers) Get() []byte {
	if p, ok := b.Pool.Get().(*[bufferBytes]byte); ok {
		return p[:]
	}
	return new([bufferBytes]byte)[:]
}

func (b buffers) Put(p []byte) { b.Pool.Put((*[bufferBytes]byte)(p)) }
