package testserver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// procAttr makes the kernel kill the child when its parent dies, and keeps the terminal's signals from it.
func procAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// frozen reports whether all threads of a process have stopped. A thread that runs on another processor goes on for a
// moment after SIGSTOP was sent.
func frozen(pid int) bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return true
	}
	for _, name := range files {
		stat, err := os.ReadFile(name)
		_, state, ok := bytes.Cut(stat, []byte(") "))
		if err == nil && ok && !bytes.HasPrefix(state, []byte("T")) {
			return false
		}
	}
	return true
}
