package resp

import (
	"path"
	"strings"
)

// match reports whether name matches a glob pattern, whatever the case. It is for names of this package's own
// (parameters, commands), in which no slash stands: patterns for keys go to the store.
func match(pattern, name string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil
}
