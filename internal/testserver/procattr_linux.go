package testserver

import "syscall"

// procAttr makes the kernel kill the child when its parent dies, and keeps the terminal's signals from it.
func procAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
