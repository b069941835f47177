package faultproxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo starts a server that sends back what it reads.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func newProxy(t *testing.T) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.New(echo(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dial(t *testing.T, p *faultproxy.Proxy) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask writes msg and reads until as many bytes came back, the connection ended or patience did.
func ask(c net.Conn, msg []byte, patience time.Duration) ([]byte, error) {
	if _, err := c.Write(msg); err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(msg))
	n, err := io.ReadFull(c, got)
	return got[:n], err
}

func TestFaults(t *testing.T) {
	msg := []byte("0123456789")
	silent := func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
	ended := func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
	for name, tc := range map[string]struct {
		fault faultproxy.Fault
		want  string
		ok    func(error) bool
	}{
		"none":     {want: "0123456789"},
		"slice":    {fault: faultproxy.Fault{Slice: 1}, want: "0123456789"},
		"drop":     {fault: faultproxy.Fault{Drop: true}, ok: silent},
		"mute":     {fault: faultproxy.Fault{Mute: true}, ok: silent},
		"reset":    {fault: faultproxy.Fault{Reset: true}, ok: func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		"refuse":   {fault: faultproxy.Fault{Refuse: true}, ok: func(err error) bool { return err != nil && !silent(err) }},
		"truncate": {fault: faultproxy.Fault{Truncate: 4}, want: "0123", ok: ended},
		"stall":    {fault: faultproxy.Fault{Stall: 4}, want: "0123", ok: silent},
		"reply":    {fault: faultproxy.Fault{Reply: []byte("abcdefghij")}, want: "abcdefghij"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t)
			p.Set(tc.fault)
			got, err := ask(dial(t, p), msg, 100*time.Millisecond)
			if string(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if tc.ok == nil && err != nil || tc.ok != nil && !tc.ok(err) {
				t.Errorf("error %v", err)
			}
			p.Set(faultproxy.Fault{})
			if got, err := ask(dial(t, p), msg, time.Second); !bytes.Equal(got, msg) {
				t.Errorf("healed: got %q, %v", got, err)
			}
		})
	}
}

func TestOnce(t *testing.T) {
	p := newProxy(t)
	first, second := dial(t, p), dial(t, p)
	p.Set(faultproxy.Fault{Truncate: 1, Once: true})
	if got, err := ask(first, []byte("abc"), time.Second); string(got) != "a" || err == nil {
		t.Errorf("got %q, %v, want one byte and an end", got, err)
	}
	if got, err := ask(second, []byte("abc"), time.Second); string(got) != "abc" {
		t.Errorf("got %q, %v, want everything", got, err)
	}
}

func TestDelay(t *testing.T) {
	p := newProxy(t)
	p.Set(faultproxy.Fault{Delay: 30 * time.Millisecond})
	begin := time.Now()
	if _, err := ask(dial(t, p), []byte("x"), time.Second); err != nil || time.Since(begin) < 30*time.Millisecond {
		t.Errorf("answer after %v, %v, want 30ms", time.Since(begin), err)
	}
}

func TestFlipIsSeeded(t *testing.T) {
	flip := func() []byte {
		p := newProxy(t)
		p.Set(faultproxy.Fault{Flip: 0.2})
		got, err := ask(dial(t, p), make([]byte, 100), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	a, b := flip(), flip()
	if !bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 100)) {
		t.Errorf("flipped %x and %x, want the same, and not nothing", a, b)
	}
}

func TestSetChangesOpenConnections(t *testing.T) {
	p := newProxy(t)
	c := dial(t, p)
	if _, err := ask(c, []byte("a"), time.Second); err != nil {
		t.Fatal(err)
	}
	p.Set(faultproxy.Fault{Truncate: 1})
	if got, err := ask(c, []byte("bc"), time.Second); string(got) != "b" || err == nil {
		t.Errorf("got %q, %v, want one byte and an end", got, err)
	}
	if n := p.Accepted(); n != 1 {
		t.Errorf("Accepted() = %d, want 1", n)
	}
}
