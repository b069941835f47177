// Package server starts what HTTP measurements compare, each as processes of its own on free loopback ports and with a private
// folder: edgecache, nginx, Varnish and small programs. It reads from /proc what they cost.
package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Any is the core of a program that may run where it likes.
const Any = -1

// startTimeout bounds how long a server may take until it takes connections, and stopTimeout until it has ended.
const (
	startTimeout = 20 * time.Second
	stopTimeout  = 5 * time.Second
)

// Spec says what to start. In Args and Files, {addr} stands for the host:port to listen on, {port} for its port, {admin} for
// a further host:port and {dir} for the private folder.
type Spec struct {
	// Name is what tables call the server.
	Name string
	// Program is its path, or its name in PATH.
	Program string
	Args    []string
	// Env is added to the environment.
	Env []string
	// Files are written to the private folder: content by name.
	Files map[string]string
	// Core is the processor that all its threads share, or Any.
	Core int
}

// Server is a running server.
type Server struct {
	// Name is the one of the Spec.
	Name string
	// Addr is where it listens, host:port, and Admin the further address, which not every program uses.
	Addr, Admin string

	dir  string
	cmd  *exec.Cmd
	log  tail
	done chan struct{} // closed when the process is gone
}

// Start starts a server and returns once it takes connections. ctx bounds the start only. Stop must follow.
func Start(ctx context.Context, spec Spec) (*Server, error) {
	dir, err := os.MkdirTemp("", "edgecache-"+filepath.Base(spec.Program)+"-")
	if err != nil {
		return nil, err
	}
	s := &Server{Name: spec.Name, Addr: FreeAddr(), Admin: FreeAddr(), dir: dir, done: make(chan struct{})}
	if err := s.start(ctx, &spec); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w\n%s", spec.Name, err, s.log.String()), s.Stop())
	}
	return s, nil
}

// URL is http:// and the address.
func (s *Server) URL() string { return "http://" + s.Addr }

// Dir is the private folder, which Stop removes.
func (s *Server) Dir() string { return s.dir }

// Output is the end of what the server wrote to stdout and stderr.
func (s *Server) Output() string { return s.log.String() }

func (s *Server) start(ctx context.Context, spec *Spec) error {
	fill := strings.NewReplacer("{addr}", s.Addr, "{port}", s.Addr[strings.LastIndexByte(s.Addr, ':')+1:], "{admin}", s.Admin, "{dir}", s.dir)
	for name, content := range spec.Files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(fill.Replace(content)), 0o644); err != nil {
			return err
		}
	}
	args := []string{spec.Program}
	if spec.Core != Any {
		args = []string{"taskset", "-c", fmt.Sprint(spec.Core), spec.Program}
	}
	for _, arg := range spec.Args {
		args = append(args, fill.Replace(arg))
	}
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env = append(os.Environ(), spec.Env...)
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its processes are told by their group
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // how it ended does not matter: the log tells
	}()
	return s.ready(ctx)
}

// ready waits until the server takes connections.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var dialer net.Dialer
	for {
		if c, err := dialer.DialContext(ctx, "tcp", s.Addr); err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-s.done:
			return errors.New("ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("takes no connections at %s: %w", s.Addr, ctx.Err())
		}
	}
}

// Stop asks the server to end, kills what is left of its group after a while, and removes its folder. It is idempotent.
func (s *Server) Stop() error {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
		case <-time.After(stopTimeout):
		}
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.done
	}
	return os.RemoveAll(s.dir)
}

// StopAll stops servers in turn.
func StopAll(servers []*Server) error {
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}

// FreeAddr is a loopback address, host:port, that was free a moment ago.
func FreeAddr() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer ln.Close()
	return ln.Addr().String()
}

// tail keeps the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// tailSize bounds what a tail keeps.
const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	t.buf.Next(max(0, t.buf.Len()-tailSize))
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
