package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/edgecache/edgecache/bench/http/server"
)

func TestPeersCache(t *testing.T) {
	var asked atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "hello")
	}))
	defer origin.Close()
	peers := map[string]func() (*server.Server, error){
		"nginx":   func() (*server.Server, error) { return server.Nginx(t.Context(), "nginx", origin.URL, server.Any) },
		"varnish": func() (*server.Server, error) { return server.Varnish(t.Context(), "varnish", origin.URL, server.Any) },
	}
	for name, start := range peers {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(map[string]string{"nginx": "/usr/sbin/nginx", "varnish": "/usr/sbin/varnishd"}[name]); err != nil {
				t.Skipf("%s is not installed: run \"make http-peers\"", name)
			}
			asked.Store(0)
			s, err := start()
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				res, err := http.Get(s.URL() + "/a")
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(res.Body); err != nil || string(body) != "hello" {
					t.Errorf("body = %q, %v", body, err)
				}
				res.Body.Close()
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the origin was asked %d times, want 1", n)
			}
			if rss, err := s.RSS(); err != nil || rss < 1<<20 {
				t.Errorf("RSS = %d, %v", rss, err)
			}
			if _, _, err := s.CPU(); err != nil {
				t.Error(err)
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(s.Dir()); !os.IsNotExist(err) {
				t.Errorf("the folder is still there: %v", err)
			}
		})
	}
}
