package httpwasm

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

//go:embed testdata/actor.wasm
var actor []byte

// buffer is a log that may be written from several goroutines.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// newGuest loads the actor, and returns what it logs.
func newGuest(t testing.TB, o Options) (*Guest, *buffer) {
	t.Helper()
	log := new(buffer)
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	g, err := New(t.Context(), actor, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g, log
}

// origin says what it was asked for.
func origin(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("X-Origin", "yes")
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusTeapot)
	fmt.Fprintf(w, "%s %s %s %d [%s] set=%q many=%q", r.Method, r.Host, r.URL.RequestURI(), r.ContentLength, body, r.Header["X-Set"], r.Header["X-Many"])
}

// serve starts a server of the guest in front of next.
func serve(t testing.TB, g *Guest, next http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(g.Handler(next))
	t.Cleanup(s.Close)
	return s
}

// answer is a response without its body.
type answer struct {
	StatusCode      int
	Header, Trailer http.Header
	ContentLength   int64
}

// post returns what a server answers.
func post(t testing.TB, s *httptest.Server, path, body string) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "front.example"
	r.Header["X-Many"] = []string{"a", "b"}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return answer{resp.StatusCode, resp.Header, resp.Trailer, resp.ContentLength}, string(got)
}

const passed = `POST front.example %s 8 [the body] set=[] many=["a" "b"]`

func TestExchange(t *testing.T) {
	g, _ := newGuest(t, Options{})
	s := serve(t, g, origin)
	for _, tt := range []struct {
		path string
		code int
		want string // a prefix
	}{
		{"/", 418, fmt.Sprintf(passed, "/")},
		{"/a%2Fb/../c?d=%20", 418, fmt.Sprintf(passed, "/a%2Fb/../c?d=%20")},
		{"/deny", 403, "not for you"},
		{"/names", 200, "accept-encoding\x00content-length\x00host\x00user-agent\x00x-many\x00"},
		{"/values", 200, "a\x00b\x00"},
		{"/host", 200, "front.example\x00"},
		{"/short", 200, "!"},
		{"/address", 200, "127.0.0.1:"},
		{"/method", 200, "POST"},
		{"/rewrite", 418, `PUT other.example /rewritten?by=guest 8 [the body] set=["1" "2"] many=[]`},
		{"/replace", 418, `POST front.example /replace 14 [a body of mine] set=[] many=["a" "b"]`},
		{"/peek", 418, fmt.Sprintf(passed, "/peek")},
		{"/eat", 418, `POST front.example /eat 8 [body] set=[] many=["a" "b"]`},
		{"/redact/123", 200, `POST front.example /redact/*** * [the body] set=[] many=["a" "b"]`},
		{"/log", 418, fmt.Sprintf(passed, "/log")},
	} {
		t.Run(strings.Trim(tt.path, "/"), func(t *testing.T) {
			resp, body := post(t, s, tt.path, "the body")
			if resp.StatusCode != tt.code || !strings.HasPrefix(body, tt.want) {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, body, tt.code, tt.want)
			}
			if resp.ContentLength >= 0 && resp.ContentLength != int64(len(body)) {
				t.Errorf("Content-Length %d of %d bytes", resp.ContentLength, len(body))
			}
		})
	}
	if s := g.Stats(); s.Failed != 0 || s.Answered != 7 || s.Requests != 15 {
		t.Errorf("Stats() = %+v", s)
	}
}

func TestLook(t *testing.T) {
	g, _ := newGuest(t, Options{})
	resp, _ := post(t, serve(t, g, origin), "/look", "")
	if resp.Header.Get("X-Status") != "teapot" || resp.Header.Get("X-Error") != "no" || resp.Header.Get("X-Origin") != "yes" {
		t.Errorf("header %v", resp.Header)
	}
	resp, _ = post(t, serve(t, g, origin), "/trailer", "")
	if resp.Trailer.Get("X-Sum") != "42" {
		t.Errorf("trailer %v", resp.Trailer)
	}
}

func TestHead(t *testing.T) {
	g, _ := newGuest(t, Options{})
	s := serve(t, g, origin)
	for path, want := range map[string]int64{"/deny": 11, "/redact": 0, "/": -1} {
		resp, err := s.Client().Head(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want >= 0 && path == "/deny" && resp.ContentLength != want {
			t.Errorf("HEAD %s: length %d, want %d", path, resp.ContentLength, want)
		}
	}
}

// TestMisbehaviour is a client's view of a guest that breaks the rules: an error, and nothing of what it tried.
func TestMisbehaviour(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"/trap", "unreachable"},
		{"/loop", "fuel"},
		{"/calls", "fuel"},
		{"/outside", "outside its memory"},
		{"/split", "no field may have"},
		{"/splitname", `a field \"X Split\"`},
		{"/status", "99"},
		{"/baduri", "no path"},
		{"/badmethod", "no method"},
		{"/badkind", "kind 7"},
		{"/noroom", "no room"},
		{"/endless", "longer than the 8388608 bytes"},
		{"/trapafter", "unreachable"},
	} {
		t.Run(tt.path[1:], func(t *testing.T) {
			g, log := newGuest(t, Options{Name: "culprit"})
			s := serve(t, g, origin)
			resp, body := post(t, s, tt.path, "the body")
			if resp.StatusCode != 500 || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Set-Cookie") != "" ||
				resp.Header.Get("X-Half") != "" || strings.Contains(body, "culprit") {
				t.Errorf("%d %v %q", resp.StatusCode, resp.Header, body)
			}
			if !strings.Contains(log.String(), tt.want) || !strings.Contains(log.String(), "guest=culprit") {
				t.Errorf("log %s, want %q", log, tt.want)
			}
			if resp, _ := post(t, s, "/", "the body"); resp.StatusCode != 418 || g.Stats().Failed != 1 {
				t.Errorf("afterwards: %d, %+v", resp.StatusCode, g.Stats())
			}
		})
	}
}

// TestMisbehaviourAfter is of a guest that fails when the response is out.
func TestMisbehaviourAfter(t *testing.T) {
	for _, path := range []string{"/late", "/unbuffered"} {
		g, log := newGuest(t, Options{})
		resp, body := post(t, serve(t, g, origin), path, "the body")
		if resp.StatusCode != 418 || body != fmt.Sprintf(passed, path) || g.Stats().Failed != 1 {
			t.Errorf("%s: %d %q %s", path, resp.StatusCode, body, log)
		}
	}
}

func TestOpen(t *testing.T) {
	g, _ := newGuest(t, Options{Open: true})
	s := serve(t, g, origin)
	for _, path := range []string{"/trap", "/loop", "/trapafter"} {
		resp, body := post(t, s, path, "the body")
		if resp.StatusCode != 418 || body != fmt.Sprintf(passed, path) || resp.Header.Get("X-Half") != "" {
			t.Errorf("%s: %d %q %v", path, resp.StatusCode, body, resp.Header)
		}
	}
}

func TestFeaturesAtStart(t *testing.T) {
	g, _ := newGuest(t, Options{Config: []byte("3")})
	if g.features != bufferRequest|bufferResponse {
		t.Fatalf("features %b", g.features)
	}
	if resp, body := post(t, serve(t, g, origin), "/eat", "the body"); body != fmt.Sprintf(passed, "/eat") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestLogIsBounded(t *testing.T) {
	g, log := newGuest(t, Options{})
	post(t, serve(t, g, origin), "/log", "")
	if n := strings.Count(log.String(), "text=line"); n != maxLines {
		t.Errorf("%d lines, want %d", n, maxLines)
	}
}

func TestLongBodies(t *testing.T) {
	g, _ := newGuest(t, Options{Config: []byte("3"), MaxBody: 100})
	s := serve(t, g, func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.Copy(w, strings.NewReader(strings.Repeat("x", 101)))
		if err == nil {
			t.Error("a body beyond the bound was taken")
		}
	})
	if resp, _ := post(t, s, "/", ""); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("a response beyond the bound: %d", resp.StatusCode)
	}
	g, _ = newGuest(t, Options{Config: []byte("1"), MaxBody: 100})
	s = serve(t, g, origin)
	if resp, _ := post(t, s, "/eat", strings.Repeat("x", 101)); resp.StatusCode != http.StatusTeapot {
		t.Errorf("four bytes of a long request: %d", resp.StatusCode) // no more than those are kept
	}
}

// TestPanics hands a panic of the next handler on, once the guest knows.
func TestPanics(t *testing.T) {
	g, _ := newGuest(t, Options{})
	h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	for _, path := range []string{"/", "/look"} {
		func() {
			defer func() {
				if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // as it was
					t.Errorf("%s: recovered %v", path, got)
				}
			}()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		}()
	}
	if g.Stats().Failed != 0 || len(g.pool.idle) != 1 {
		t.Errorf("%+v, %d idle", g.Stats(), len(g.pool.idle))
	}
}

// TestWait has more requests than instances: they wait, and one whose client goes away does so no longer.
func TestWait(t *testing.T) {
	g, _ := newGuest(t, Options{Instances: 1})
	entered, leave := make(chan struct{}), make(chan struct{})
	h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	var wg sync.WaitGroup
	wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) })
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a client that is gone: %d", w.Code)
	}
	wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) })
	leave <- struct{}{}
	<-entered
	leave <- struct{}{}
	wg.Wait()
}

func TestConcurrent(t *testing.T) {
	g, log := newGuest(t, Options{Instances: 4})
	s := serve(t, g, origin)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				path := fmt.Sprintf("/redact/x%dy%d", i, n)
				if n%10 == 0 {
					path = "/trap"
				}
				resp, _ := post(t, s, path, "")
				if want := map[bool]int{true: 500, false: 200}[n%10 == 0]; resp.StatusCode != want {
					t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
				}
			}
		})
	}
	wg.Wait()
	if s := g.Stats(); s.Failed != 40 || s.Requests != 400 {
		t.Errorf("%+v\n%s", s, log)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		wasm       []byte
		o          Options
	}{
		{"no module", "module", []byte("hello"), Options{}},
		{"nothing", "does not export", []byte("\x00asm\x01\x00\x00\x00"), Options{}},
		{"cut short", "module", actor[:len(actor)/2], Options{}},
		{"too much memory", "65536", actor, Options{MemoryPages: 65537}},
		{"negative", "below 0", actor, Options{Fuel: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := New(t.Context(), tt.wasm, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New() = %v, %v, want %q", g, err, tt.want)
			}
		})
	}
}

// FuzzModule loads whatever is at hand: it must be refused, or load.
func FuzzModule(f *testing.F) {
	f.Add([]byte{})
	f.Add(actor)
	f.Add(actor[:200])
	f.Fuzz(func(t *testing.T, wasm []byte) {
		g, err := New(t.Context(), wasm, Options{MemoryPages: 16})
		if err == nil {
			err = g.Close(t.Context())
		}
		_ = err
	})
}

// TestActorUpToDate builds the guest anew.
func TestActorUpToDate(t *testing.T) {
	for _, tool := range []string{"clang", "wasm-ld", "make"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("EDGECACHE_REQUIRE_GUESTS") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "actor.c"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "make", "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	built, err := os.ReadFile(filepath.Join(dir, "actor.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(built, actor) {
		t.Error("testdata/actor.wasm is not what actor.c makes: run make -C plugins/httpwasm/testdata")
	}
}

// BenchmarkPass is what a guest costs that looks at the path and passes.
func BenchmarkPass(b *testing.B) {
	g, err := New(b.Context(), actor, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close(context.Background())
	h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/some/path", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
