package browser

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proxy starts edgecache proxy, as EDGECACHE_PROGRAM names it or as "make build" makes it, and returns its address and that
// of its admin frontend.
func proxy(t *testing.T, origin string) (url, admin string) {
	program := os.Getenv("EDGECACHE_PROGRAM")
	if program == "" {
		program = "../../bin/edgecache"
	}
	program, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	listen, manage := free(t), free(t)
	var said bytes.Buffer
	cmd := exec.Command(program, "proxy", "--listen", listen, "--to", origin, "--admin", manage, "--no-plugins")
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run \"make build\"", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("edgecache ended with %v, and said:\n%s", err, said.String())
		}
	})
	for _, addr := range []string{listen, manage} {
		answers(t, addr)
	}
	return "http://" + listen, "http://" + manage
}

func free(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func answers(t *testing.T, addr string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(15 * time.Second); ; {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("edgecache does not answer at %s", addr)
		}
	}
}

// purge purges a tag.
func purge(t *testing.T, admin, tag string) {
	req, err := http.NewRequest(http.MethodPost, admin+"/http/purge", strings.NewReader(`{"tags": "`+tag+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Edgecache-Admin", "1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("purge: %s", res.Status)
	}
}
