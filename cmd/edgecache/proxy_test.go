package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// proxying is a running "edgecache proxy".
type proxying struct {
	process
	listen string
}

// startProxy runs "edgecache proxy" on free ports in front of an origin, and waits until it is ready.
func startProxy(t *testing.T, to string, args ...string) *proxying {
	t.Helper()
	args = append([]string{"proxy", "--to", to, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)
	p := &proxying{process: process{cmd: exec.Command(os.Getenv(binaryVar), args...), ended: make(chan struct{})}}
	p.cmd.Env = environ(nil)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go p.read(stderr, ready)
	t.Cleanup(func() { p.stop(t, syscall.SIGTERM) })
	select {
	case <-ready:
	case <-p.ended:
		t.Fatalf("edgecache ended before it was ready:\n%s", p.logged())
	case <-time.After(30 * time.Second):
		t.Fatalf("edgecache is not ready:\n%s", p.logged())
	}
	return p
}

// read keeps the log, finds the addresses in the line that says ready, and waits for the end.
func (p *proxying) read(stderr io.Reader, ready chan struct{}) {
	addresses := regexp.MustCompile(`msg=ready .*?admin=(\S+) .*?listen=(\S+)`)
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.log.WriteString(line)
		p.mu.Unlock()
		if m := addresses.FindStringSubmatch(line); m != nil {
			p.admin, p.listen = m[1], m[2]
			close(ready)
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // its state tells
	close(p.ended)
}

// answer is what a client got.
type answer struct {
	*http.Response
	text string
}

// ask asks with the transport, or the usual one.
func (p *proxying) ask(t *testing.T, via http.RoundTripper, method, url string, body io.Reader, header ...string) answer {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	q.Host = q.Header.Get("Host")
	if via == nil {
		via = http.DefaultTransport
	}
	res, err := via.RoundTrip(q)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, url, err, p.logged())
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer{res, string(text)}
}

func (p *proxying) page(t *testing.T, path string, header ...string) answer {
	t.Helper()
	return p.ask(t, nil, http.MethodGet, "http://"+p.listen+path, http.NoBody, header...)
}

// cacheStatus is what Cache-Status says first.
func (a answer) cacheStatus() string { return a.Header.Get("Cache-Status") }

// counting is an origin that counts requests and answers with their number.
func counting(t *testing.T, cacheControl string) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		w.Header().Set("Cache-Control", cacheControl)
		_, _ = fmt.Fprintf(w, "%d %s", n, r.RequestURI)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestProxyKeepsResponses(t *testing.T) {
	t.Parallel()
	url, asked := counting(t, "max-age=60")
	p := startProxy(t, url)
	for i, want := range []string{"edgecache; fwd=uri-miss", "edgecache; hit", "edgecache; hit"} {
		a := p.page(t, "/a?b")
		if a.StatusCode != 200 || a.text != "1 /a?b" || !strings.HasPrefix(a.cacheStatus(), want) {
			t.Errorf("request %d: %d, %q, %q, want %q", i, a.StatusCode, a.text, a.cacheStatus(), want)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests reached the origin, want 1", n)
	}
	_, text := p.get(t, "/stats")
	var stats struct {
		Commands uint64
		HTTP     struct {
			Requests, Hits, Fetches int64
			Origins                 []struct {
				Origin   string
				Requests uint64
			}
		}
		Plugins map[string]any
	}
	if err := json.Unmarshal([]byte(text), &stats); err != nil || stats.HTTP.Requests != 3 || stats.HTTP.Hits != 2 ||
		stats.HTTP.Fetches != 1 || len(stats.HTTP.Origins) != 1 || stats.HTTP.Origins[0].Requests != 1 || stats.Plugins["hitratio"] == nil {
		t.Errorf("/stats has %+v, %v: %s", stats, err, text)
	}
	if code := p.stop(t, syscall.SIGTERM); code != 0 || !strings.Contains(p.logged(), "msg=stopped") {
		t.Errorf("exit code %d, log %s", code, p.logged())
	}
}

func TestProxyIsPurged(t *testing.T) {
	t.Parallel()
	url, asked := counting(t, "max-age=60")
	p := startProxy(t, url, "--no-plugins", "--purge-token", "s3cret")
	page := "http://" + p.listen + "/x"
	p.page(t, "/x")
	if r := edgecache(t, p.env(), "", "purge", page); r.code != 0 {
		t.Errorf("exit code %d: %s", r.code, r.errOut)
	}
	if a := p.page(t, "/x"); a.text != "2 /x" {
		t.Errorf("%q after a purge", a.text)
	}
	if a := p.ask(t, nil, "PURGE", page, http.NoBody); a.StatusCode != 401 && a.StatusCode != 403 {
		t.Errorf("PURGE without a token is %d", a.StatusCode)
	}
	p.page(t, "/x")
	if n := asked.Load(); n != 2 {
		t.Errorf("%d requests reached the origin, want 2", n)
	}
	if a := p.ask(t, nil, "PURGE", page, http.NoBody, "Authorization", "Bearer s3cret"); a.StatusCode != 200 {
		t.Errorf("PURGE is %d, %q", a.StatusCode, a.text)
	}
	if a := p.page(t, "/x"); a.text != "3 /x" {
		t.Errorf("%q after PURGE", a.text)
	}
}

func TestProxyAnswersFast(t *testing.T) {
	t.Parallel()
	url, asked := counting(t, "max-age=60")
	p := startProxy(t, url, "--no-plugins", "--fast-h1")
	for range 5 {
		if a := p.page(t, "/x"); a.text != "1 /x" || !strings.HasPrefix(a.cacheStatus(), "edgecache; ") {
			t.Errorf("%q, %q", a.text, a.cacheStatus())
		}
	}
	_, text := p.get(t, "/stats")
	var stats struct {
		HTTP struct {
			Fast struct{ Hits int64 } `json:"fast_h1"`
		}
	}
	if err := json.Unmarshal([]byte(text), &stats); err != nil || stats.HTTP.Fast.Hits == 0 || asked.Load() != 1 {
		t.Errorf("%+v, %v, %d requests reached the origin", stats, err, asked.Load())
	}
}

func TestProxyWithPlugins(t *testing.T) {
	t.Parallel()
	url, asked := counting(t, "max-age=60")
	p := startProxy(t, url, "--http-plugin", "../../wasm-examples/httpkey/c/httpkey.wasm",
		"--http-wasm", "../../plugins/httpwasm/testdata/actor.wasm")
	for _, query := range []string{"?a=b&utm_source=c", "?utm_source=d&a=b", "?a=b"} {
		if a := p.page(t, "/x"+query); a.StatusCode != 200 || !strings.HasPrefix(a.text, "1 /x") {
			t.Errorf("%s: %d, %q, %q", query, a.StatusCode, a.text, a.cacheStatus())
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests reached the origin, want 1, since the key has no utm_source", n)
	}
	if a := p.page(t, "/look"); a.Header.Get("X-Status") != "other" {
		t.Errorf("the outer guest did not see the answer: %v", a.Header)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a reload", func() bool { return strings.Contains(p.logged(), `msg="plugin of HTTP reloaded" plugin=httpkey`) })
}

// TestProxyWithAuthority holds the wiring alone: an authority would have to reach this machine.
func TestProxyWithAuthority(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		http.Error(w, "no", http.StatusServiceUnavailable)
	}))
	t.Cleanup(authority.Close)
	url, _ := counting(t, "max-age=60")
	p := startProxy(t, url, "--acme", "www.example.com", "--acme-url", authority.URL+"/directory", "--acme-dir", t.TempDir(),
		"--redirect-from", "127.0.0.1:0", "--no-plugins")
	go func() {
		if c, err := tls.Dial("tcp", p.listen, &tls.Config{ServerName: "www.example.com"}); err == nil { // and no certificate comes
			_ = c.Close()
		}
	}()
	select {
	case path := <-asked:
		if path != "/directory" {
			t.Errorf("the authority is asked for %s", path)
		}
	case <-time.After(10 * time.Second):
		t.Error("the authority is not asked")
	}
	c, err := tls.Dial("tcp", p.listen, &tls.Config{ServerName: "other.example.com"})
	if err == nil {
		_ = c.Close()
		t.Error("there is a certificate for another name")
	}
}

func TestProxyRedirects(t *testing.T) {
	t.Parallel()
	cert, key, _ := writeCertificate(t, t.TempDir(), 1)
	url, _ := counting(t, "max-age=60")
	p := startProxy(t, url, "--tls-cert", cert, "--tls-key", key, "--redirect-from", "127.0.0.1:0", "--no-plugins")
	from := regexp.MustCompile(`redirect-from=(\S+)`).FindStringSubmatch(p.logged())
	if from == nil {
		t.Fatalf("the address is not told: %s", p.logged())
	}
	a := p.ask(t, nil, http.MethodGet, "http://"+from[1]+"/a?b", http.NoBody, "Host", "www.example.com:80")
	if location := a.Header.Get("Location"); a.StatusCode != 308 || !strings.HasPrefix(location, "https://www.example.com:") ||
		!strings.HasSuffix(location, "/a?b") {
		t.Errorf("%d, %q", a.StatusCode, location)
	}
}

func TestProxyCompresses(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, strings.Repeat("text that can be made shorter. ", 500))
	}))
	t.Cleanup(s.Close)
	p := startProxy(t, s.URL, "--no-plugins", "--compress", "br,gzip")
	eventually(t, "a compressed response", func() bool {
		return p.page(t, "/", "Accept-Encoding", "br").Header.Get("Content-Encoding") == "br"
	})
}

func TestProxySwitchedOff(t *testing.T) {
	t.Parallel()
	url, asked := counting(t, "max-age=60")
	p := startProxy(t, url, "--no-cache", "--no-plugins")
	p.page(t, "/")
	p.page(t, "/")
	if n := asked.Load(); n != 2 {
		t.Errorf("%d requests reached the origin, want 2", n)
	}
}

func TestProxyKeepsOnDisk(t *testing.T) {
	t.Parallel()
	url, asked := counting(t, "max-age=60")
	dir := filepath.Join(t.TempDir(), "cache")
	for range 2 {
		p := startProxy(t, url, "--disk", dir, "--no-plugins")
		if a := p.page(t, "/x", "Host", "a.example"); a.text != "1 /x" { // the port differs, which is part of the key
			t.Errorf("%q, %q", a.text, a.cacheStatus())
		}
		p.stop(t, syscall.SIGTERM)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests reached the origin, want that the disk has the answer", n)
	}
}

func TestProxyOfSeveralOrigins(t *testing.T) {
	t.Parallel()
	one, first := counting(t, "no-store")
	two, second := counting(t, "no-store")
	api, third := counting(t, "no-store")
	p := startProxy(t, one+",weight=2", "--to", two, "--to", "/api="+api, "--no-plugins")
	for range 6 {
		p.page(t, "/")
	}
	p.page(t, "/api/x")
	if a, b, c := first.Load(), second.Load(), third.Load(); a != 4 || b != 2 || c != 1 {
		t.Errorf("%d, %d and %d requests, want 4, 2 and 1", a, b, c)
	}
}

func TestProxyWithoutOrigin(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	p := startProxy(t, "http://"+ln.Addr().String(), "--no-plugins")
	if a := p.page(t, "/"); a.StatusCode != 502 || !strings.Contains(a.cacheStatus(), "fwd=") {
		t.Errorf("%d, %q", a.StatusCode, a.cacheStatus())
	}
}

func TestProxyPassesInformationAndTrailers(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "End")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("End", "reached")
	}))
	t.Cleanup(s.Close)
	p := startProxy(t, s.URL, "--no-plugins")
	var hints []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints = append(hints, code); return nil },
	})
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.listen+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || string(text) != "body" || res.Trailer.Get("End") != "reached" || len(hints) != 1 || hints[0] != 103 {
		t.Errorf("%q, %v, trailers %v, hints %v", text, err, res.Trailer, hints)
	}
}

func TestProxyUpgrades(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		_, _ = io.Copy(c, buffered)
	}))
	t.Cleanup(s.Close)
	p := startProxy(t, s.URL, "--no-plugins")
	c, err := net.Dial("tcp", p.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
	for range 3 {
		_, _ = io.WriteString(c, "ping\n")
		if line, err := in.ReadString('\n'); line != "ping\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	p.stop(t, syscall.SIGTERM)
	if _, err := in.ReadByte(); err == nil {
		t.Error("the connection goes on after the end")
	}
}

// writeCertificate makes a certificate for 127.0.0.1 and its key in a folder.
func writeCertificate(t *testing.T, dir string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, text := range map[string][]byte{cert: certPEM, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

// transport returns one with these protocols and roots.
func transport(t *testing.T, roots *x509.CertPool, set func(*http.Protocols)) *http.Transport {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots}}
	set(tr.Protocols)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func TestProxyOverTLS(t *testing.T) {
	t.Parallel()
	url, _ := counting(t, "max-age=60")
	dir := t.TempDir()
	cert, key, pool := writeCertificate(t, dir, 1)
	p := startProxy(t, url, "--tls-cert", cert, "--tls-key", key, "--redirect-from", "127.0.0.1:0", "--no-plugins")
	for proto, set := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/2.0": func(p *http.Protocols) { p.SetHTTP2(true) },
	} {
		a := p.ask(t, transport(t, pool, set), http.MethodGet, "https://"+p.listen+"/x", http.NoBody)
		if a.Proto != proto || a.text != "1 /x" {
			t.Errorf("%s: %s, %q, %q", proto, a.Proto, a.text, a.cacheStatus())
		}
	}
	_, _, renewed := writeCertificate(t, dir, 2)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new certificate is served", func() bool {
		c, err := tls.Dial("tcp", p.listen, &tls.Config{RootCAs: renewed})
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func TestProxyOverPlainHTTP2(t *testing.T) {
	t.Parallel()
	url, _ := counting(t, "max-age=60")
	p := startProxy(t, url, "--h2c", "--no-plugins")
	h2c := transport(t, nil, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	a := p.ask(t, h2c, http.MethodGet, "http://"+p.listen+"/x", http.NoBody)
	if a.Proto != "HTTP/2.0" || a.text != "1 /x" {
		t.Errorf("%s, %q", a.Proto, a.text)
	}
	if a := p.page(t, "/x"); a.Proto != "HTTP/1.1" || !strings.HasPrefix(a.cacheStatus(), "edgecache; hit") {
		t.Errorf("%s, %q", a.Proto, a.cacheStatus())
	}
}

func TestProxyPassesBodies(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(text)
	}))
	t.Cleanup(s.Close)
	p := startProxy(t, s.URL, "--no-plugins")
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
	for _, method := range []string{http.MethodPut, http.MethodPost, "PATCH", "ODD"} {
		a := p.ask(t, nil, method, "http://"+p.listen+"/x", bytes.NewReader(body))
		if a.StatusCode != 201 || a.text != string(body) {
			t.Errorf("%s: %d, %d bytes", method, a.StatusCode, len(a.text))
		}
	}
}

// TestProxyStopsInOrder has an answer under way while the proxy is told to stop.
func TestProxyStopsInOrder(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		_, _ = io.WriteString(w, "late")
	}))
	t.Cleanup(s.Close)
	p := startProxy(t, s.URL, "--no-plugins")
	got := make(chan string, 1)
	go func() {
		q, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+p.listen, http.NoBody)
		if err != nil {
			panic(err)
		}
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		got <- string(text)
	}()
	<-asked
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "stopping", func() bool { return strings.Contains(p.logged(), "msg=stopping") })
	close(answer)
	if text := <-got; text != "late" {
		t.Errorf("the answer under way is %q", text)
	}
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.logged())
	}
}

func TestProxyCutsClientsThatStall(t *testing.T) {
	t.Parallel()
	url, _ := counting(t, "max-age=60")
	p := startProxy(t, url, "--client-timeout", "300ms", "--no-plugins")
	c, err := net.Dial("tcp", p.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome")
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the connection is not closed: %v", err)
	}
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	for want, args := range map[string]string{
		"--to (EDGECACHE_TO) is missing":                  "proxy",
		"has a path":                                      "proxy --to http://a/b",
		"go together":                                     "proxy --to http://a --tls-cert x",
		"--tls-cert (EDGECACHE_TLS_CERT): stat":           "proxy --to http://a --tls-cert " + none + " --tls-key " + none,
		"--origin-ca (EDGECACHE_ORIGIN_CA): open":         "proxy --to https://a --origin-ca " + none,
		"--http-plugin (EDGECACHE_HTTP_PLUGIN): ./x.wasm": "proxy --to http://a --http-plugin ./x.wasm",
		"--http-wasm (EDGECACHE_HTTP_WASM): ./x.wasm":     "proxy --to http://a --http-wasm ./x.wasm",
		"leave one of them out":                           "proxy --to http://a --no-plugins --grant x=kv",
		"no plugin is called":                             "proxy --to http://a --grant x=kv",
	} {
		args := append(strings.Fields(args), "--listen", "127.0.0.1:0", "--admin", "off")
		if r := edgecache(t, nil, "", args...); r.code == 0 || !strings.Contains(r.errOut, want) {
			t.Errorf("%q: exit code %d, %q, want %q", args, r.code, r.errOut, want)
		}
	}
}
