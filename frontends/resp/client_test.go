package resp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"
)

// client speaks RESP by the byte, so that replies can be compared as they are.
type client struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, nc: nc, r: bufio.NewReaderSize(nc, 64<<10)}
}

// encode returns words as a client sends them.
func encode(words ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

func (c *client) send(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// do sends a command and returns the raw reply.
func (c *client) do(words ...string) string {
	c.t.Helper()
	c.send(encode(words...))
	return c.reply()
}

func (c *client) reply() string {
	c.t.Helper()
	b, err := readReply(nil, c.r)
	if err != nil {
		c.t.Fatalf("read: %v after %q", err, b)
	}
	return string(b)
}

// rest returns all that comes until the server closes the connection.
func (c *client) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Fatalf("read: %v after %q", err, b)
	}
	return string(b)
}

// want checks the raw reply to a command.
func (c *client) want(reply string, words ...string) {
	c.t.Helper()
	if got := c.do(words...); got != reply {
		c.t.Errorf("%q = %q, want %q", words, got, reply)
	}
}

// readReply appends one whole reply to b.
func readReply(b []byte, r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	b = append(b, line...)
	if err != nil {
		return b, err
	}
	if !bytes.HasSuffix(line, []byte("\r\n")) || len(line) < 3 {
		return b, fmt.Errorf("bad line %q", line)
	}
	kind := line[0]
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		return b, nil
	}
	n, err := strconv.Atoi(string(line[1 : len(line)-2]))
	switch {
	case err != nil:
		return b, err
	case n < 0:
		return b, nil
	}
	switch kind {
	case '$', '=':
		return readBytes(b, r, n)
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return b, fmt.Errorf("bad reply %q", line)
	}
	for ; n > 0 && err == nil; n-- {
		b, err = readReply(b, r)
	}
	return b, err
}

func readBytes(b []byte, r *bufio.Reader, n int) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, n+2)...)
	_, err := io.ReadFull(r, b[start:])
	if err == nil && !bytes.HasSuffix(b, []byte("\r\n")) {
		err = fmt.Errorf("bulk without end: %q", b[start:])
	}
	return b, err
}
