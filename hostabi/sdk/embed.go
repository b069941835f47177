// Package sdk has the files that authors of guests build on, a folder for each language.
package sdk

import (
	"embed"
	"io/fs"
)

//go:embed c/*.h rust/*.rs go/*.go go/*.s go/policy/*.go assemblyscript zig/*.zig
var files embed.FS

// Files returns the SDKs: c, rust, go, assemblyscript and zig.
func Files() fs.FS { return files }
