//go:build linux && (amd64 || arm64) && !race

package gate

import (
	"syscall"
	"unsafe"
)

// brief is up to how many bytes a call copies without the scheduler's knowing: some microseconds.
const brief = 128 << 10

// The calls are those for sockets alone, which have less to find out than read and write.

func read(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), brief)),
		syscall.MSG_DONTWAIT, 0, 0)
	return int(n), err
}

func write(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), brief)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), err
}

// vector writes two slices at once.
type vector [2]syscall.Iovec

func (v *vector) write(fd uintptr, parts *[2][]byte) (int, syscall.Errno) {
	left := brief
	for i, p := range parts {
		n := min(len(p), left)
		left -= n
		v[i].Base = unsafe.SliceData(p)
		v[i].SetLen(n)
	}
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(v)), uintptr(len(v)))
	*v = vector{}
	return int(n), err
}
