package guard

import "net/http"

// last is the ResponseWriter of a connection's last answer. It is that of every request that came chunked: it may have had a
// Content-Length too, which net/http removes without a trace, and then the connection must be closed (RFC 9112 section 6.1). And
// after it, the gate no longer sees where requests begin.
type last struct {
	http.ResponseWriter
	wrote bool
}

func newLast(w http.ResponseWriter) *last {
	w.Header().Set("Connection", "close") // for handlers that write nothing
	return &last{ResponseWriter: w}
}

// WriteHeader implements http.ResponseWriter. httputil.ReverseProxy clears the header after 1xx answers, so it is set once more.
func (l *last) WriteHeader(status int) {
	if status >= 200 {
		l.end()
	}
	l.ResponseWriter.WriteHeader(status)
}

// end says that the connection ends.
func (l *last) end() {
	if !l.wrote {
		l.Header().Set("Connection", "close")
	}
	l.wrote = true
}

// Write implements io.Writer.
func (l *last) Write(p []byte) (int, error) {
	l.end()
	return l.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (l *last) Flush() { _ = l.FlushError() }

// FlushError is what http.ResponseController uses.
func (l *last) FlushError() error {
	l.end()
	return http.NewResponseController(l.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (l *last) Unwrap() http.ResponseWriter { return l.ResponseWriter }
