// Package peers holds edgecache against others in one run. It is a module of its own, so that what it takes for that is no
// dependency of edgecache. "make bench-peers" runs it.
package peers
