//go:build unix

package files

import (
	"io/fs"
	"syscall"
)

// inodeOf returns the number of a file in its file system, and how many names it has there.
func inodeOf(info fs.FileInfo) (inode, links uint64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino), uint64(s.Nlink) //nolint:unconvert // their types differ between systems
	}
	return 0, 1
}
