//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package file

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lock takes the lock of the folder, which the system gives back when the process ends. It returns errInUse, and by whom,
// where another has it.
func (f *folder) lock(path string) (*os.File, error) {
	file, err := f.open(path, os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = inUse(file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	sign(file)
	return file, nil
}

// inUse says who has the lock.
func inUse(file io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(file, 32))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil {
		return errInUse
	}
	return &inUseError{pid}
}

// sign writes the process's number into its lock, for who finds that taken. On a full disk it stays empty.
func sign(file *os.File) {
	if file.Truncate(0) == nil {
		_, _ = file.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
}
