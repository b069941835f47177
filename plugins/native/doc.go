// Package native has the reference plugins in Go: what the guests under wasm-examples do, for programs that use the
// cache as a library, and as their oracle in tests. Both give the same keys, reports and configuration errors for the
// same commands.
package native
