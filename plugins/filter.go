package plugins

import "strings"

// filter says for which keys hooks are called. It is immutable.
type filter struct{ asked, granted []string } // prefixes; none is every key

// newFilter returns the filter of keys that fit both lists, or nil if that is every key.
func newFilter(asked, granted []string) *filter {
	if len(asked) == 0 && len(granted) == 0 {
		return nil
	}
	return &filter{asked, granted}
}

// lets reports whether hooks are called for a key.
func (f *filter) lets(key string) bool {
	return f == nil || hasPrefix(key, f.asked) && hasPrefix(key, f.granted)
}

// hasPrefix reports whether key begins with one of the prefixes, or there are none.
func hasPrefix(key string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return len(prefixes) == 0
}
