package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// recorder is a Capturer that writes text, in parts, and notes what it was asked for.
type recorder struct {
	asked CaptureRequest
	parts []string
	err   error
}

func (r *recorder) Capture(_ context.Context, w io.Writer, asked CaptureRequest) (CaptureEnd, error) {
	r.asked = asked
	for _, part := range r.parts {
		if _, err := io.WriteString(w, part); err != nil {
			return CaptureEnd{}, err
		}
	}
	return CaptureEnd{Requests: int64(len(r.parts)), Dropped: 7}, r.err
}

func TestCapture(t *testing.T) {
	busy := &StatusError{http.StatusConflict, errors.New("another capture is being sent")}
	for _, tt := range []struct {
		name     string
		query    string
		headers  []string
		recorder recorder
		token    string
		asked    CaptureRequest
		status   int
		body     string
	}{
		{"plain", "", nil, recorder{parts: []string{"a", "b"}}, "", CaptureRequest{}, 200, "ab"},
		{"empty", "?for=5s&ops=get", nil, recorder{}, "", CaptureRequest{For: 5 * time.Second}, 200, ""},
		{"with writes", "?ops=get,set", nil, recorder{}, "", CaptureRequest{Writes: true}, 200, ""},
		{"token", "", []string{"Authorization", "Bearer t", "peer", "192.0.2.1:5"}, recorder{}, "t", CaptureRequest{}, 200, ""},
		{"no token", "", nil, recorder{}, "t", CaptureRequest{}, 401, "the token is missing"},
		{"from elsewhere", "", []string{"peer", "192.0.2.1:5"}, recorder{}, "", CaptureRequest{}, 403, "only clients on this machine"},
		{"from a browser", "", []string{ChangeHeader, ""}, recorder{}, "", CaptureRequest{}, 403, ChangeHeader},
		{"bad time", "?for=long", nil, recorder{}, "", CaptureRequest{}, 400, "is no time"},
		{"negative time", "?for=-1s", nil, recorder{}, "", CaptureRequest{}, 400, "is no time"},
		{"bad ops", "?ops=set", nil, recorder{}, "", CaptureRequest{}, 400, "get or get,set"},
		{"busy", "", nil, recorder{err: busy}, "", CaptureRequest{}, 409, "another capture"},
		{"broken", "", nil, recorder{err: errors.New("oh")}, "", CaptureRequest{}, 500, "oh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			h := Handler(Options{Capturer: &tt.recorder, Token: tt.token, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, localRequest(t, http.MethodPost, "/capture"+tt.query, "", tt.headers...))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) || tt.recorder.asked != tt.asked {
				t.Errorf("%d %s, asked for %+v, want %d %s and %+v", w.Code, w.Body, tt.recorder.asked, tt.status, tt.body, tt.asked)
			}
			if tt.status == 200 {
				trailer := w.Result().Trailer
				if trailer.Get(DroppedTrailer) != "7" || trailer.Get(RequestsTrailer) == "" || w.Header().Get("Content-Type") != "application/zstd" {
					t.Errorf("trailers %v, headers %v", trailer, w.Header())
				}
			}
			if log.Len() == 0 && tt.status != 400 {
				t.Error("nothing was logged")
			}
		})
	}
}

// patient is a Capturer that waits before it writes.
type patient struct{ recorder }

func (p *patient) Capture(ctx context.Context, w io.Writer, asked CaptureRequest) (CaptureEnd, error) {
	select {
	case <-time.After(asked.For):
		return p.recorder.Capture(ctx, w, asked)
	case <-ctx.Done():
		return CaptureEnd{}, ctx.Err()
	}
}

// capture asks a server for a capture and reads it.
func capture(t *testing.T, addr, query string) (body string, trailer http.Header, err error) {
	t.Helper()
	request := localRequest(t, http.MethodPost, "/capture"+query, "")
	request.RequestURI, request.URL.Scheme, request.URL.Host, request.Host = "", "http", addr, ""
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), answer.Trailer, err
}

// TestLongCapture has a capture outlast the times that other requests have.
func TestLongCapture(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config = Server(Handler(Options{Capturer: &patient{recorder{parts: []string{"a", "b"}}}}))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 20*time.Millisecond, 20*time.Millisecond
	server.Start()
	defer server.Close()
	body, trailer, err := capture(t, server.Listener.Addr().String(), "?for=200ms")
	if body != "ab" || err != nil || trailer.Get(RequestsTrailer) != "2" {
		t.Errorf("read %q, %v, trailers %v", body, err, trailer)
	}
}

// TestBrokenCapture has the client notice that a capture broke off.
func TestBrokenCapture(t *testing.T) {
	r := &recorder{parts: []string{"a"}, err: errors.New("oh")}
	server := httptest.NewServer(Handler(Options{Capturer: r}))
	defer server.Close()
	body, _, err := capture(t, server.Listener.Addr().String(), "")
	if body != "a" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v", body, err)
	}
}

func TestNoCapture(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(Options{}).ServeHTTP(w, localRequest(t, http.MethodPost, "/capture", ""))
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d without a capturer", w.Code)
	}
}
