package testserver

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// process is one child process.
type process struct {
	pid  int
	done chan struct{} // closed when the process is gone
	log  tail
}

// startProcess starts the program. The goroutine that starts it stays on one OS thread until the process is gone: on
// Linux the parent-death signal is sent when the thread that forked ends, not when the process does.
func startProcess(program string, args []string, dir string) (*process, error) {
	p := &process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		cmd := exec.Command(program, args...) // not bound to ctx: Stop ends it
		cmd.Dir = dir
		cmd.SysProcAttr = procAttr()
		cmd.Stdout, cmd.Stderr = &p.log, &p.log
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended does not matter: the log tells
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// kill ends the process, running or paused, and returns when it is gone.
func (p *process) kill() error {
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("testserver: kill %d: %w", p.pid, err)
	}
	<-p.done
	return nil
}

func (p *process) output() string { return p.log.String() }

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
	if extra := t.buf.Len() - tailSize; extra > 0 {
		t.buf.Next(extra)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
