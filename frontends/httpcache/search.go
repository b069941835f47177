package httpcache

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/rfc9111"
)

const (
	maxSearchPaths   = 4096
	maxSearchRules   = 8   // of a path
	maxSearchAliases = 512 // of a rule
)

// searches know of paths whose responses had No-Vary-Search which keys stand for others: those of responses that were stored
// lately. What they say is a hint, to be checked against the response. They are safe for concurrent use.
type searches struct {
	any   atomic.Bool
	mu    sync.RWMutex
	paths map[string][]*searchRule
}

// searchRule is a rule of a path with the keys of stored responses by their canonical queries.
type searchRule struct {
	value   string
	rule    rfc9111.SearchVariance
	aliases map[string]string
}

// cutSearch returns what of a key is about the path, and the query.
func cutSearch(key string) (path, query string) {
	end := strings.IndexByte(key, separator)
	if end < 0 {
		end = len(key)
	}
	path, query, _ = strings.Cut(key[:end], "?")
	return path + key[end:], query
}

// learn notes that a response with header h is stored under key.
func (t *searches) learn(key string, h http.Header) {
	if len(h["No-Vary-Search"]) == 0 {
		return
	}
	v := rfc9111.ParseNoVarySearch(h)
	if v.IsDefault() {
		return
	}
	key = strings.Clone(key)
	path, query := cutSearch(key)
	canonical, value := string(v.AppendCanonical(nil, query)), string(v.Append(nil))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.paths == nil || len(t.paths) >= maxSearchPaths && t.paths[path] == nil {
		t.paths = map[string][]*searchRule{}
	}
	rules := t.paths[path]
	for _, r := range rules {
		if r.value == value {
			if len(r.aliases) >= maxSearchAliases {
				clear(r.aliases)
			}
			r.aliases[canonical] = key
			return
		}
	}
	if len(rules) == maxSearchRules {
		rules = rules[1:]
	}
	t.paths[path] = append(slices.Clip(rules), &searchRule{value, v, map[string]string{canonical: key}})
	t.any.Store(true)
}

// find returns the keys under which there may be a response for key.
func (t *searches) find(key string) (keys []string) {
	if !t.any.Load() {
		return nil
	}
	path, query := cutSearch(key)
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.paths[path] {
		if k, ok := r.aliases[string(r.rule.AppendCanonical(nil, query))]; ok && k != key {
			keys = append(keys, k)
		}
	}
	return keys
}

// equivalent reports whether a response that is stored under other answers requests for key.
func equivalent(r *store.Response, key, other string) bool {
	lines := r.Values("No-Vary-Search")
	if len(lines) == 0 {
		return false
	}
	v := rfc9111.ParseNoVarySearch(http.Header{"No-Vary-Search": lines})
	_, a := cutSearch(key)
	_, b := cutSearch(other)
	return bytes.Equal(v.AppendCanonical(nil, a), v.AppendCanonical(nil, b))
}
