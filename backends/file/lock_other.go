//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package file

import "os"

// lock takes no lock: there is none here that ends with the process. That nobody else opens the folder is up to the user.
func (f *folder) lock(path string) (*os.File, error) { return f.open(path, os.O_CREATE) }
