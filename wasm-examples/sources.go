package examples

import (
	"embed"
	"io/fs"
)

//go:embed lowercase/c/lowercase.c lowercase/rust/lowercase.rs lowercase/go/main.go lowercase/as/lowercase.ts
//go:embed lowercase/zig/lowercase.zig lowercase/*/manifest.json
//go:embed lowercase/scenario.txt internal/c/*.h
//go:embed policies/lru/c/lru.c policies/lru/rust/lru.rs policies/lru/go/main.go policies/lru/as/lru.ts
//go:embed policies/lru/*/manifest.json
var sources embed.FS

// Sources returns the sources that new plugins are made from: those of lowercase and of what it shares with
// others, and for policies those of lru.
func Sources() fs.FS { return sources }
