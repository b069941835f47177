package main

import (
	"bytes"
	"context"
	"net"
	"strings"
)

// floor is a Go server that does nothing but the wire: a goroutine a connection, one read, one write, the same reply to
// every command, which it does not look at. No Go server on sockets of the standard library answers faster.
func floor(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	return ln, nil
}

func answer(c net.Conn) {
	defer func() { _ = c.Close() }()
	replies := []byte(strings.Repeat("+"+strings.Repeat("x", 64)+"\r\n", 1024))
	size := len(replies) / 1024
	buf := make([]byte, 16<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		commands := min(bytes.Count(buf[:n], []byte{'*'}), 1024) // redis-benchmark puts no asterisk into keys and values
		if commands == 0 {
			continue
		}
		if _, err := c.Write(replies[:commands*size]); err != nil {
			return
		}
	}
}
