package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ChangeHeader is the header, with the value 1, that a request without a token must have in order to change something. A
// page in a browser can't send it to another site without asking that site first, which is never allowed.
const ChangeHeader = "X-Edgecache-Admin"

// see lets those through to h who may look at more than figures.
func (o Options) see(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if o.Token == "" || o.permit(w, q) {
			h(w, q)
		}
	}
}

// change lets those through to h who may change something.
func (o Options) change(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if o.permit(w, q) {
			h(w, q)
		}
	}
}

// permit reports whether the client may change something, and answers if not.
func (o Options) permit(w http.ResponseWriter, q *http.Request) bool {
	var err error
	status := http.StatusForbidden
	if o.Token == "" {
		err = local(q)
	} else if !o.tokenFits(q) {
		status, err = http.StatusUnauthorized, errors.New("the token is missing or wrong: Authorization: Bearer TOKEN is wanted")
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if err == nil {
		return true
	}
	o.Logger.LogAttrs(q.Context(), slog.LevelWarn, "admin request refused", slog.String("request", q.Method+" "+q.URL.Path),
		slog.String("peer", q.RemoteAddr), slog.Any("error", err))
	writeError(w, status, err)
	return false
}

// tokenFits compares in a time that says nothing about the token, not even its length.
func (o Options) tokenFits(q *http.Request) bool {
	given, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(o.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && ok
}

// local reports what speaks against a request being one of a program on this machine: it comes from elsewhere, or through a
// proxy, or a browser may have been brought to send it, by a form or by a name that was made to mean this machine.
func local(q *http.Request) error {
	peer, err := netip.ParseAddrPort(q.RemoteAddr)
	switch {
	case err != nil || !peer.Addr().Unmap().IsLoopback():
		return errors.New("only clients on this machine may change plugins, capture and purge: start the server with --admin-token for others")
	case q.Header.Get("X-Forwarded-For") != "" || q.Header.Get("Forwarded") != "":
		return errors.New("the request came through a proxy: start the server with --admin-token for that")
	case !isLoopback(q.Host):
		return errors.New("the request's Host is not this machine: use localhost or a loopback address")
	case q.Header.Get(ChangeHeader) != "1":
		return errors.New("the request must have the header " + ChangeHeader + ": 1")
	}
	return nil
}

// isLoopback reports whether the host, which may have a port, can only mean this machine.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}
