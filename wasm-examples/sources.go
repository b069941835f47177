package examples

import (
	"embed"
	"io/fs"
)

//go:embed keyrewrite/c/manifest.json
var sources embed.FS

// Sources returns the sources that new plugins are made from: those of lowercase and of what it shares with others.
func Sources() fs.FS { return sources }
