package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// edge is a running edgecache.
type edge struct {
	cmd         *exec.Cmd
	dir         string
	resp, admin string
}

// startEdge starts the program on free loopback ports in front of Redis and returns once it is ready.
func startEdge(ctx context.Context, program, redisURL string) (*edge, error) {
	dir, err := os.MkdirTemp("", "edgecache-demo-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "keyrewrite.json")
	if err := os.WriteFile(config, []byte(rules), 0o600); err != nil {
		return nil, err
	}
	e := &edge{dir: dir, resp: freeAddr(), admin: freeAddr()}
	e.cmd = exec.Command(program, "run", "--resp", e.resp, "--admin", e.admin, "--redis", redisURL,
		"--plugin", "keyrewrite="+config, "--log-level", "warn")
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is the demo's to pass on
	if err := e.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := e.ready(ctx); err != nil {
		return nil, errors.Join(err, e.stop())
	}
	return e, nil
}

// freeAddr is a loopback address that was free a moment ago.
func freeAddr() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// ready waits until the admin frontend says so.
func (e *edge) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := e.ask(ctx, "/readyz"); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("edgecache at %s is not ready: %w", e.admin, ctx.Err())
		}
	}
}

func (e *edge) ask(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.admin+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return body, err
}

func (e *edge) stats(ctx context.Context) (*stats, error) {
	body, err := e.ask(ctx, "/stats")
	if err != nil {
		return nil, err
	}
	return decodeStats(body)
}

// stop asks the program to stop and waits for it.
func (e *edge) stop() error {
	err := e.cmd.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, e.cmd.Wait(), os.RemoveAll(e.dir))
}
