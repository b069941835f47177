//go:build unix

package gate

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// sockets returns both ends of a connection: one as a socket, whose waits are counted and have a deadline of limit.
func sockets(t *testing.T, limit time.Duration) (s *socket, peer *net.TCPConn, waits, dones *int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	waits, dones = new(int), new(int)
	s = newSocket(accepted, func(int) {
		*waits++
		_ = s.SetWriteDeadline(time.Now().Add(limit))
	}, func() {
		*dones++
		_ = s.SetWriteDeadline(time.Time{})
	})
	return s, c.(*net.TCPConn), waits, dones
}

// TestSocketSends: all bytes arrive in order, at once or after waits, and only what waits has a deadline.
func TestSocketSends(t *testing.T) {
	s, peer, waits, dones := sockets(t, 20*time.Second)
	for _, size := range []int{0, 1, 1 << 10, 64 << 10, 300 << 10, 16 << 20} {
		head, body := []byte("head"), make([]byte, size)
		for i := range body {
			body[i] = byte(i % 251)
		}
		*waits, *dones = 0, 0
		sent := make(chan error, 1)
		go func() {
			n, err := s.send(head, body)
			if err == nil && n != len(head)+size {
				err = io.ErrShortWrite
			}
			sent <- err
		}()
		got := make([]byte, len(head)+size)
		if size > 1<<20 {
			<-time.After(50 * time.Millisecond) // its buffers fill up
		}
		if _, err := io.ReadFull(peer, got); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, append(head, body...)) {
			t.Errorf("%d bytes arrive otherwise than they were sent", size)
		}
		if *waits != *dones || *waits > 1 || size <= 1<<10 && *waits > 0 || size > 1<<20 && *waits == 0 {
			t.Errorf("%d bytes: %d waits, %d of them ended", size, *waits, *dones)
		}
	}
}

// TestSocketDeadlines: who takes nothing is given up in time, and a read ends by its deadline and by the end.
func TestSocketDeadlines(t *testing.T) {
	s, peer, waits, _ := sockets(t, 50*time.Millisecond)
	if _, err := s.send(make([]byte, 64<<20), nil); !errors.Is(err, os.ErrDeadlineExceeded) || *waits != 1 {
		t.Errorf("%v after %d waits", err, *waits)
	}
	if err := s.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, err := s.Read(make([]byte, 10)); !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("read: %v", err)
	}
	if err := s.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(peer, "bye"); err != nil {
		t.Fatal(err)
	}
	if err := peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != "bye" {
		t.Errorf("%q %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
}
