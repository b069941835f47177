//go:build linux && !race

package gate

import (
	"syscall"
	"unsafe"
)

// brief is up to how many bytes a call copies without the scheduler's knowing: some microseconds.
const brief = 128 << 10

func read(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), brief)))
	return int(n), err
}

func write(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), brief)))
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
