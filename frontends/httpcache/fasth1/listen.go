package fasth1

import (
	"crypto/tls"
	"net"
	"net/http"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/gate"
)

// Listen returns a listener for srv.Serve that asks f first and leaves everything else to srv as it comes. It is for servers
// without a guard, whose own Listen takes a Front. srv must not be serving yet, its timeouts must be set, and it must not have a
// ReadTimeout. With secure, it does the TLS handshakes. The listener owns ln.
func (f *Front) Listen(srv *http.Server, ln net.Listener, secure *tls.Config) *gate.Listener {
	return gate.Listen(srv, ln, gate.Options{Judge: gate.Lax{}, Answerer: f, TLS: secure})
}
