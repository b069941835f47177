//go:build !linux

package testserver

import "syscall"

func procAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// frozen can't tell here.
func frozen(int) bool { return true }
