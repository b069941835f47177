package native

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

const (
	maxConfig = 8192
	maxRules  = 64
	maxKey    = 1 << 16 // bytes of a key, also between two rules
	hashTail  = 17      // what stands behind the head of a hashed key: # and 16 digits
)

// rule changes the keys that begin with ifPrefix.
type rule struct {
	ifPrefix []byte
	action   func(*draft)
}

func (r *rule) applies(key []byte) bool { return bytes.HasPrefix(key, r.ifPrefix) }

// parseRules reads a configuration.
func parseRules(config []byte) ([]rule, error) {
	r := &reader{text: config}
	var rules []rule
	switch {
	case len(config) == 0:
	case len(config) > maxConfig:
		r.fail(maxConfig, "configuration of more than %d bytes", maxConfig)
	default:
		r.object([]string{"rules"}, "rules", func(int) { rules = r.rules() })
		r.end()
	}
	if r.failed() {
		return nil, &ConfigError{Plugin: keyRewriteName, At: r.errAt, Problem: r.problem}
	}
	return rules, nil
}

func (r *reader) rules() (rules []rule) {
	r.list(func() {
		if at := r.place(); len(rules) == maxRules {
			r.fail(at, "more than %d rules", maxRules)
			return
		}
		rules = append(rules, r.rule())
	})
	return rules
}

func (r *reader) rule() (out rule) {
	start := r.place()
	fields := []string{"if_prefix", "lowercase", "prefix", "strip_query", "replace", "hash_longer_than"}
	r.object(fields, "if_prefix, lowercase, prefix, strip_query, replace or hash_longer_than", func(field int) {
		if field == 0 {
			out.ifPrefix = r.string()
			return
		}
		if out.action != nil {
			r.fail(r.fieldAt, "a second action in a rule: make it a rule of its own")
		}
		out.action = r.action(fields[field])
	})
	if out.action == nil {
		r.fail(start, "rule without an action")
	}
	return out
}

func (r *reader) action(name string) func(*draft) {
	switch name {
	case "lowercase":
		r.word("true")
		return lowercase
	case "prefix":
		return addPrefix(r.string())
	case "strip_query":
		return stripQuery(r.names())
	case "replace":
		return r.replace()
	default:
		return hashLong(r.number(hashTail, maxKey))
	}
}

func (r *reader) names() (names []glob) {
	r.list(func() {
		at := r.place()
		names = append(names, newGlob(r, r.string(), at))
	})
	return names
}

func (r *reader) replace() func(*draft) {
	start := r.place()
	var text [2][]byte
	var at [2]int
	r.object([]string{"pattern", "with"}, "pattern and with", func(field int) {
		at[field] = r.place()
		text[field] = r.string()
	})
	if text[0] == nil || text[1] == nil {
		r.fail(start, "replace needs pattern and with")
	}
	pattern := newGlob(r, text[0], at[0])
	return replaceMatch(pattern, newReplacement(r, text[1], len(pattern)-1, at[1]))
}

// lowercase makes ASCII capitals small.
func lowercase(d *draft) {
	for i, c := range d.key {
		if c >= 'A' && c <= 'Z' {
			d.key[i] = c | 0x20
			d.changed = true
		}
	}
}

func addPrefix(prefix []byte) func(*draft) {
	return func(d *draft) { d.replace(append(append(d.spare[:0], prefix...), d.key...)) }
}

// stripQuery leaves out the parameters that are named, and empty ones. The query goes from the first question mark to
// the first # behind it.
func stripQuery(names []glob) func(*draft) {
	return func(d *draft) {
		path, query, found := bytes.Cut(d.key, []byte("?"))
		if !found {
			return
		}
		query, fragment := cutBefore(query, '#')
		out := append(d.spare[:0], path...) //nolint:gocritic // draft.replace takes the spare back
		separator := byte('?')
		for parameter := range bytes.SplitSeq(query, []byte("&")) {
			if len(parameter) == 0 || isNamed(names, parameter) {
				continue
			}
			out = append(append(out, separator), parameter...)
			separator = '&'
		}
		if out = append(out, fragment...); len(out) < len(d.key) {
			d.replace(out)
		}
	}
}

// cutBefore splits s before the first c, or at its end.
func cutBefore(s []byte, c byte) (before, after []byte) {
	if i := bytes.IndexByte(s, c); i >= 0 {
		return s[:i], s[i:]
	}
	return s, nil
}

func isNamed(names []glob, parameter []byte) bool {
	name, _ := cutBefore(parameter, '=')
	var c captures
	for _, g := range names {
		if g.match(name, &c) {
			return true
		}
	}
	return false
}

func replaceMatch(pattern glob, with replacement) func(*draft) {
	return func(d *draft) {
		var c captures
		if !pattern.match(d.key, &c) {
			return
		}
		out := d.spare[:0]
		for _, p := range with {
			if out = append(out, p.bytes(&c)...); len(out) > maxKey {
				break // refused by the caller
			}
		}
		d.replace(out)
	}
}

// hashLong cuts a key to longest bytes, of which the last 17 are # and the hash of all of it.
func hashLong(longest int) func(*draft) {
	return func(d *draft) {
		if len(d.key) <= longest {
			return
		}
		out := append(append(d.spare[:0], d.key[:longest-hashTail]...), '#')
		hash := xxhash.Sum64(d.key)
		for shift := 60; shift >= 0; shift -= 4 {
			out = append(out, "0123456789abcdef"[hash>>shift&15])
		}
		d.replace(out)
	}
}
