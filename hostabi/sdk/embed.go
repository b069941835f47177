// Package sdk has the files that authors of guests build on, a folder for each language.
package sdk

import (
	"embed"
	"io/fs"
)

//go:embed c/edgecache.h
var files embed.FS

// Files returns the SDKs: c, rust, go, assemblyscript and zig.
func Files() fs.FS { return files }
