//go:build unix

package gate

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// socket is a TCP connection whose small reads and writes are plain system calls: the socket never blocks, so the scheduler need
// not be told to have another thread ready for it, which is a good part of what an answer from memory costs. What has to wait
// waits as always, for the network poller and for no longer than the deadlines.
type socket struct {
	*net.TCPConn
	fd   syscall.RawConn
	wait func(n int) // is told before n bytes have to wait for a client
	done func()      // is told when they wait no longer

	in       sync.Mutex // of one Read
	read     func(fd uintptr) bool
	into     []byte
	got      int
	inErr    syscall.Errno
	out      sync.Mutex // of one send
	write    func(fd uintptr) bool
	parts    [2][]byte // what is left to send
	sent     int
	outErr   syscall.Errno
	waited   bool
	vectored vector
}

// newSocket returns raw as a socket, or nil if it is something else.
func newSocket(raw net.Conn, wait func(n int), done func()) *socket {
	c, ok := raw.(*net.TCPConn)
	if !ok {
		return nil
	}
	fd, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{TCPConn: c, fd: fd, wait: wait, done: done}
	s.read, s.write = s.readNow, s.writeNow
	return s
}

// Read implements io.Reader.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 || !s.in.TryLock() {
		return s.TCPConn.Read(p)
	}
	defer s.in.Unlock()
	s.into = p
	err := s.fd.Read(s.read)
	s.into = nil
	switch {
	case err != nil:
		return 0, err
	case s.inErr != 0:
		return 0, s.failed("read", s.inErr)
	case s.got == 0:
		return 0, io.EOF
	}
	return s.got, nil
}

// readNow reads what has come and reports false for nothing.
func (s *socket) readNow(fd uintptr) bool {
	for {
		s.got, s.inErr = read(fd, s.into)
		if s.inErr != syscall.EINTR {
			return s.inErr != syscall.EAGAIN
		}
	}
}

// Write implements io.Writer.
func (s *socket) Write(p []byte) (int, error) { return s.send(p, nil) }

// send writes a and then b.
func (s *socket) send(a, b []byte) (int, error) {
	s.out.Lock()
	defer s.out.Unlock()
	s.parts, s.sent, s.outErr, s.waited = [2][]byte{a, b}, 0, 0, false
	err := s.fd.Write(s.write)
	s.parts = [2][]byte{}
	if s.waited {
		s.done()
	}
	if err == nil && s.outErr != 0 {
		err = s.failed("write", s.outErr)
	}
	return s.sent, err
}

// writeNow writes what there is room for and reports false if that is not all.
func (s *socket) writeNow(fd uintptr) bool {
	for len(s.parts[0])+len(s.parts[1]) > 0 {
		n, err := s.writeParts(fd)
		switch err {
		case 0:
			s.took(n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			if !s.waited {
				s.waited = true
				s.wait(len(s.parts[0]) + len(s.parts[1]))
			}
			return false
		default:
			s.outErr = err
			return true
		}
	}
	return true
}

func (s *socket) writeParts(fd uintptr) (int, syscall.Errno) {
	switch {
	case len(s.parts[0]) == 0:
		return write(fd, s.parts[1])
	case len(s.parts[1]) == 0:
		return write(fd, s.parts[0])
	}
	return s.vectored.write(fd, &s.parts)
}

// took counts n bytes as sent.
func (s *socket) took(n int) {
	s.sent += n
	first := min(n, len(s.parts[0]))
	s.parts[0], s.parts[1] = s.parts[0][first:], s.parts[1][n-first:]
}

func (s *socket) failed(op string, err syscall.Errno) error {
	return &net.OpError{
		Op: op, Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: os.NewSyscallError(op, err),
	}
}
