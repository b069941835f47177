package server

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: Linux has had 100 of them in a second for user space on every architecture.
const tick = time.Second / 100

// CPU returns the user and system time of the server's processes so far.
func (s *Server) CPU() (user, system time.Duration, err error) {
	err = s.processes(func(_ string, fields []string) error {
		for i, into := range []*time.Duration{&user, &system} {
			n, err := strconv.ParseInt(fields[11+i], 10, 64) // utime and stime, see proc(5), less pid and comm
			if err != nil {
				return err
			}
			*into += time.Duration(n) * tick
		}
		return nil
	})
	return user, system, err
}

// RSS returns the bytes of memory that the server's processes have resident, pages that they share counted for each.
func (s *Server) RSS() (bytes int64, err error) {
	err = s.processes(func(folder string, _ []string) error {
		n, err := resident(folder)
		bytes += n
		return err
	})
	return bytes, err
}

// processes calls f for each process of the server's group with its folder in /proc and the fields of its stat from the
// state on.
func (s *Server) processes(f func(folder string, fields []string) error) error {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	group := strconv.Itoa(s.cmd.Process.Pid)
	for _, folder := range folders {
		stat, err := os.ReadFile(filepath.Join(folder, "stat"))
		if err != nil {
			continue // has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 12 && fields[2] == group {
			if err := f(folder, fields); err != nil {
				return fmt.Errorf("%s: %w", folder, err)
			}
		}
	}
	return nil
}

// resident reads VmRSS.
func resident(folder string) (int64, error) {
	file, err := os.Open(filepath.Join(folder, "status"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if kib, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kib), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, nil // a process that has ended and was not waited for yet has none
}
