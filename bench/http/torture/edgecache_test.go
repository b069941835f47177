package torture_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/bench/http/server"
	"github.com/edgecache/edgecache/bench/http/torture"
)

// TestEdgecache tortures edgecache proxy, built with the race detector where this test is, with so little memory that much is
// evicted. EDGECACHE_TORTURE=10m says for how long, as "make torture" does.
func TestEdgecache(t *testing.T) {
	duration := 5 * time.Second
	if raced {
		duration = 20 * time.Second
	}
	if given := os.Getenv("EDGECACHE_TORTURE"); given != "" {
		var err error
		if duration, err = time.ParseDuration(given); err != nil {
			t.Fatal(err)
		}
	}
	program := build(t)
	t.Run("bad origin", func(t *testing.T) {
		suffer(t, program, torture.Config{Duration: duration * 3 / 4, Clients: 24, Objects: 432})
	})
	t.Run("calm origin", func(t *testing.T) {
		suffer(t, program, torture.Config{Duration: duration / 4, Clients: 24, Objects: 432, Calm: true})
	})
}

func suffer(t *testing.T, program string, c torture.Config) {
	tt := torture.New(c)
	s, err := server.Edgecache(t.Context(), "edgecache", program, serve(t, tt.Origin()), server.Any, "--max-memory", "64MiB")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	r := tt.Run(t.Context(), s.URL(), purger(s))
	t.Log(r)
	if r.Wrong > 0 || r.Requests < 100 {
		t.Errorf("edgecache answered wrongly; it said:\n%s", s.Output())
	}
	if said := s.Output(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic") {
		t.Error(said)
	}
}

// build builds the program as EDGECACHE_PROGRAM names it, or with the race detector if this test has it.
func build(t *testing.T) string {
	if program := os.Getenv("EDGECACHE_PROGRAM"); program != "" {
		return program
	}
	program := filepath.Join(t.TempDir(), "edgecache")
	args := []string{"build", "-o", program, "./cmd/edgecache"}
	if raced {
		args = append([]string{"build", "-race"}, args[1:]...)
	}
	cmd := exec.Command("go", args...)
	_, here, _, _ := runtime.Caller(0)
	cmd.Dir = filepath.Join(filepath.Dir(here), "../../..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// purger purges by the admin frontend.
func purger(s *server.Server) torture.Purge {
	kinds := map[torture.By]string{torture.URL: "url", torture.Prefix: "prefix", torture.Tag: "tags"}
	return func(ctx context.Context, by torture.By, name string, soft bool) error {
		if by != torture.Tag {
			name = s.URL() + name
		}
		body, err := json.Marshal(map[string]any{kinds[by]: []string{name}, "soft": soft})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.Admin+"/http/purge", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Edgecache-Admin", "1")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			said, _ := io.ReadAll(res.Body)
			return fmt.Errorf("%s: %s", res.Status, said)
		}
		return nil
	}
}
