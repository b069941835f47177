//go:build unix && (!linux || (!amd64 && !arm64) || race)

package gate

import "syscall"

func read(fd uintptr, p []byte) (int, syscall.Errno) { return outcome(syscall.Read(int(fd), p)) }

func write(fd uintptr, p []byte) (int, syscall.Errno) { return outcome(syscall.Write(int(fd), p)) }

// vector writes two slices one after the other.
type vector struct{}

func (vector) write(fd uintptr, parts *[2][]byte) (int, syscall.Errno) { return write(fd, parts[0]) }

func outcome(n int, err error) (int, syscall.Errno) {
	if errno, ok := err.(syscall.Errno); ok { //nolint:errorlint // it is never wrapped
		return 0, errno
	}
	return n, 0
}
