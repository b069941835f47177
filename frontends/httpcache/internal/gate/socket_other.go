//go:build !unix

package gate

import "net"

// socket is for systems whose sockets are files that do not block.
type socket struct {
	net.Conn
	waited bool
}

func newSocket(net.Conn, func(int), func()) *socket { return nil }

func (s *socket) send(_, _ []byte) (int, error) { return 0, net.ErrClosed }
