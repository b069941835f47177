// Package load runs edgecache as its users do, as a process of its own, for the demo and the measurements over the wire.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Edge is a running edgecache on free loopback ports.
type Edge struct {
	// RESP and Admin are its addresses.
	RESP, Admin string
	// Ready is how long it took from the start of the process until the admin frontend called it ready.
	Ready time.Duration

	cmd *exec.Cmd
}

// StartEdge starts the program with further arguments and returns once it is ready. Stop must follow.
func StartEdge(ctx context.Context, program string, args ...string) (*Edge, error) {
	e := &Edge{RESP: freeAddr(), Admin: freeAddr()}
	args = append([]string{"run", "--resp", e.RESP, "--admin", e.Admin, "--log-level", "warn"}, args...)
	e.cmd = exec.Command(program, args...)
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is ours to pass on
	start := time.Now()
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	if err := e.waitReady(ctx); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	e.Ready = time.Since(start)
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

func (e *Edge) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := e.Ask(ctx, "/readyz"); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("edgecache at %s is not ready: %w", e.Admin, ctx.Err())
		}
	}
}

// Ask returns the body of a path of the admin frontend.
func (e *Edge) Ask(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Admin+path, http.NoBody)
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

// Pid is the process's.
func (e *Edge) Pid() int { return e.cmd.Process.Pid }

// Stop asks the program to stop and waits for it. The error says if it did not end in good order.
func (e *Edge) Stop() error {
	return errors.Join(e.cmd.Process.Signal(syscall.SIGTERM), e.cmd.Wait())
}
