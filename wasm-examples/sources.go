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
//go:embed httpkey/c/httpkey.c abtest/rust/abtest.rs httpttl/go/main.go botdeny/as/botdeny.ts
//go:embed httpkey/c/manifest.json abtest/rust/manifest.json httpttl/go/manifest.json botdeny/as/manifest.json
var sources embed.FS

// Sources returns the sources that new plugins are made from: those of lowercase and of what it shares with
// others, for policies those of lru, and for hooks of HTTP one in each language.
func Sources() fs.FS { return sources }
