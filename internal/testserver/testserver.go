// Package testserver starts real Redis and memcached servers and OCI registries on free loopback ports, each in a private
// temporary folder, and stops them again. It never touches a server that it did not start.
//
// Tests call Redis, Memcached, RedisCluster, RedisSentinel and Registry, which stop what they started when the test ends.
// Commands call Start, StartCluster and StartSentinel. On Linux a server dies with the process that started it, even if
// that process is killed.
package testserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Kind names a server program and the way it is started.
type Kind uint8

// The kinds of servers.
const (
	KindRedis Kind = iota + 1
	KindMemcached
	KindSentinel
	KindRegistry
)

// ErrMissing is returned where the server's program is not installed.
var ErrMissing = errors.New("program not installed: run \"make tools\" " +
	"(Debian: apt-get install redis-server memcached docker-registry)")

// startTimeout bounds how long one server may take until it answers.
const startTimeout = 15 * time.Second

// portAttempts is how often a start is repeated with another port when somebody else took the first.
const portAttempts = 5

// Spec says what to start.
type Spec struct {
	// Kind is the server.
	Kind Kind
	// Args are added to the command line and win over the package's own.
	Args []string
	// Config is the content of a configuration file for Redis and sentinels, or what it has for a registry besides
	// where it listens and stores, "" for none.
	Config string
}

// Server is a running server process. Its methods are safe for concurrent use.
type Server struct {
	spec    Spec
	program string
	dir     string
	port    int

	mu   sync.Mutex
	proc *process // nil while no process runs
}

// Start starts a server and returns once it answers. ctx bounds the start only; the caller stops the server with Stop.
func Start(ctx context.Context, spec Spec) (*Server, error) {
	program, err := exec.LookPath(spec.Kind.program())
	if err != nil {
		return nil, fmt.Errorf("testserver: %s: %w", spec.Kind.program(), ErrMissing)
	}
	dir, err := os.MkdirTemp("", "edgecache-"+spec.Kind.program()+"-")
	if err != nil {
		return nil, fmt.Errorf("testserver: %w", err)
	}
	s := &Server{spec: spec, program: program, dir: dir}
	for range portAttempts {
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.start(ctx); !errors.Is(err, errExited) {
			break
		}
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// Addr returns the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the server's address: as a backend takes it, redis://host:port or memcached://host:port, or that of a
// registry, http://host:port.
func (s *Server) URL() string {
	switch s.spec.Kind {
	case KindMemcached:
		return "memcached://" + s.Addr()
	case KindRegistry:
		return "http://" + s.Addr()
	default:
		return "redis://" + s.Addr()
	}
}

// Dir returns the server's private folder.
func (s *Server) Dir() string { return s.dir }

// Pid returns the process id, or 0 while the server is stopped.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.pid
}

// Pause freezes the process (SIGSTOP) and returns when it stands still: it keeps its connections and answers nothing.
func (s *Server) Pause() error {
	if err := s.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pid := s.Pid()
	return until(context.Background(), func() bool { return frozen(pid) })
}

// Resume ends a Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// Kill ends the process at once (SIGKILL) and returns when it is gone. Restart brings it back.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	p := s.proc
	s.proc = nil
	return p.kill()
}

// Restart starts the server again on the same port, ending it first if it runs, and returns once it answers.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	return s.start(ctx)
}

// Stop ends the process, waits for it and removes its folder. It is idempotent. It kills: there is nothing to save, and
// memcached takes a second to stop by itself.
func (s *Server) Stop() error {
	return errors.Join(s.Kill(), os.RemoveAll(s.dir))
}

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return fmt.Errorf("testserver: %s on %s is not running", s.spec.Kind.program(), s.Addr())
	}
	return syscall.Kill(s.proc.pid, sig)
}

func (s *Server) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	args, err := s.args()
	if err != nil {
		return err
	}
	p, err := startProcess(s.program, args, s.dir)
	if err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.ready(ctx, p); err != nil {
		_ = p.kill()
		return fmt.Errorf("testserver: %s on %s: %w\n%s", s.spec.Kind.program(), s.Addr(), err, p.output())
	}
	s.proc = p
	return nil
}

// errExited says that the process ended instead of answering, most often because its port was taken.
var errExited = errors.New("server exited while starting")

// ready waits until the server answers a ping of its protocol.
func (s *Server) ready(ctx context.Context, p *process) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		if s.spec.Kind.ping(ctx, s.Addr()) {
			select {
			case <-p.done: // somebody else's server answered on the port
				return errExited
			default:
				return nil
			}
		}
		select {
		case <-poll.C:
		case <-p.done:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", ctx.Err())
		}
	}
}

// args returns the command line. A configuration file must be the first argument of redis-server.
func (s *Server) args() ([]string, error) {
	port := strconv.Itoa(s.port)
	if s.spec.Kind == KindMemcached {
		args := []string{"-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "2"}
		if os.Geteuid() == 0 {
			args = append(args, "-u", "root") // memcached refuses to run as root unless told
		}
		return append(args, s.spec.Args...), nil
	}
	file := filepath.Join(s.dir, "server.conf")
	config := s.spec.Config
	if s.spec.Kind == KindRegistry {
		config = fmt.Sprintf(registryConfig, s.Addr(), s.dir) + config
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("testserver: %w", err)
	}
	if s.spec.Kind == KindRegistry {
		return []string{"serve", file}, nil
	}
	args := []string{file, "--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no"}
	if s.spec.Kind == KindSentinel {
		args = append(args, "--sentinel")
	} else {
		args = append(args, "--save", "", "--appendonly", "no")
	}
	return append(args, s.spec.Args...), nil
}

// registryConfig takes the address and the folder of a registry.
const registryConfig = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
http: {addr: %q}
storage: {filesystem: {rootdirectory: %q}}
`

func (k Kind) program() string {
	switch k {
	case KindMemcached:
		return "memcached"
	case KindRegistry:
		return "docker-registry"
	default:
		return "redis-server"
	}
}

// ping reports whether a server of the kind answers at addr.
func (k Kind) ping(ctx context.Context, addr string) bool {
	ask, answers := "PING\r\n", []string{"+PONG", "-NOAU"} // a server with passwords is ready too
	switch k {
	case KindMemcached:
		ask, answers = "version\r\n", []string{"VERSI"}
	case KindRegistry:
		ask, answers = "GET / HTTP/1.0\r\n\r\n", []string{"HTTP/"}
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte(ask)); err != nil {
		return false
	}
	reply := make([]byte, len(answers[0]))
	n, _ := conn.Read(reply)
	return slices.Contains(answers, string(reply[:n]))
}

// freePort returns a port of the loopback interface that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("testserver: no free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
