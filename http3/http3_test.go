package http3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	quichttp3 "github.com/quic-go/quic-go/http3"

	"github.com/edgecache/edgecache/http3"
)

// certificate returns what httptest serves with, and a configuration that trusts it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	pool := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return &tls.Config{Certificates: s.TLS.Certificates}, &tls.Config{RootCAs: pool}
}

// serve serves a handler on a free port and returns its URL and a client.
func serve(t *testing.T, h http.Handler) (s *http3.Server, url string, client *http.Client) {
	t.Helper()
	config, trusts := certificate(t)
	s, err := http3.Listen(t.Context(), "127.0.0.1:0", http3.Options{Handler: h, TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	transport := &quichttp3.Transport{TLSClientConfig: trusts}
	t.Cleanup(func() {
		_ = transport.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s, "https://" + s.Addr().String(), &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// answer is what a client got. Its body is read and closed.
type answer struct{ *http.Response }

func get(t *testing.T, c *http.Client, url string) (answer, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res}, string(body)
}

func TestServe(t *testing.T) {
	_, url, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		_, _ = io.Copy(w, r.Body)
		_, _ = io.WriteString(w, r.URL.RequestURI())
	}))
	if res, body := get(t, client, url+"/a?b"); res.Header.Get("X-Proto") != "HTTP/3.0" || body != "/a?b" {
		t.Errorf("%v, %q", res, body)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "body/" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestAnswerThatBreaksOff(t *testing.T) {
	_, url, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "some")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(q)
	if err != nil {
		return // the stream's reset overtook its bytes
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the client takes %q for whole", body)
	}
}

func TestAltSvc(t *testing.T) {
	s, _, client := serve(t, http.NotFoundHandler())
	front := httptest.NewTLSServer(s.AltSvc(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", "h3=\":1\"") // as an origin has it
		if r.URL.Path == "/hint" {
			w.WriteHeader(http.StatusEarlyHints)
		}
		_, _ = io.WriteString(w, "over TCP")
	})))
	defer front.Close()
	_, port, _ := strings.Cut(s.Addr().String(), ":")
	for _, path := range []string{"/", "/hint"} {
		res, body := get(t, front.Client(), front.URL+path)
		if got := res.Header["Alt-Svc"]; len(got) != 1 || got[0] != "h3=\":"+port+"\"; ma=86400" || body != "over TCP" {
			t.Errorf("Alt-Svc %q, %q", got, body)
		}
	}
	if res, _ := get(t, client, "https://"+s.Addr().String()); res.StatusCode != 404 || res.Header["Alt-Svc"] != nil {
		t.Errorf("%v", res)
	}
}

func TestShutdownWaits(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	s, url, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		_, _ = io.WriteString(w, "late")
	}))
	got := make(chan string)
	go func() {
		_, body := get(t, client, url)
		got <- body
	}()
	<-asked
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.WithoutCancel(t.Context())) }()
	select {
	case err := <-stopped:
		t.Errorf("Shutdown did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(answer)
	if body := <-got; body != "late" {
		t.Errorf("%q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestListenRefuses(t *testing.T) {
	for name, o := range map[string]http3.Options{"no handler": {TLS: new(tls.Config)}, "no TLS": {Handler: http.NotFoundHandler()}} {
		if s, err := http3.Listen(t.Context(), "127.0.0.1:0", o); err == nil {
			t.Errorf("%s: %v", name, s)
		}
	}
	s, _, _ := serve(t, http.NotFoundHandler())
	config, _ := certificate(t)
	o := http3.Options{Handler: http.NotFoundHandler(), TLS: config}
	if other, err := http3.Listen(t.Context(), s.Addr().String(), o); err == nil || errors.Is(err, http.ErrServerClosed) {
		t.Errorf("an address that is taken: %v, %v", other, err)
	}
}
