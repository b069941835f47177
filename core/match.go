package core

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// Matcher chooses keys of a namespace, by their names there. A key must meet every rule that is set. Keys stands alone, and
// a Matcher without a rule is refused with ErrBadMatcher, so that a forgotten one never stands for everything: Glob "*" does.
type Matcher struct {
	// Keys are the keys themselves. An empty list that is not nil is a rule, too, which no key meets.
	Keys []string
	// Prefix is what the keys begin with, byte by byte.
	Prefix string
	// Glob is a pattern as Redis has it, of the whole key; the store compares.
	Glob string
	// Regexp must match at the beginning of the key, not necessarily to its end: as Python's re.match does it.
	Regexp *regexp.Regexp
	// Func is asked last. It must not keep the key's memory in any other way than as a string.
	Func func(key string) bool
}

// KeyEntry is a key with what is there.
type KeyEntry struct {
	Key   string
	Entry *Entry
}

// matchPage is how many keys are looked for at once.
const matchPage = 512

func (m *Matcher) check() error {
	rules := m.Prefix != "" || m.Glob != "" || m.Regexp != nil || m.Func != nil
	switch {
	case m.Keys != nil && rules:
		return fmt.Errorf("%w: Keys stands beside other rules: leave one of them out", ErrBadMatcher)
	case m.Keys == nil && !rules:
		return fmt.Errorf("%w: it has no rule: Glob \"*\" matches every key", ErrBadMatcher)
	default:
		return nil
	}
}

// pattern is a glob pattern that every key meets that the Matcher does.
func (m *Matcher) pattern() string {
	prefix := m.Prefix
	switch {
	case m.Glob != "":
		return m.Glob
	case prefix == "" && m.Regexp != nil:
		prefix, _ = m.Regexp.LiteralPrefix()
	}
	return EscapeGlob(prefix) + "*"
}

// matches reports whether the key meets the rules beside Keys and Glob.
func (m *Matcher) matches(key string) bool {
	if !strings.HasPrefix(key, m.Prefix) {
		return false
	}
	if m.Regexp != nil {
		if at := m.Regexp.FindStringIndex(key); at == nil || at[0] != 0 { // the leftmost match: none begins before it
			return false
		}
	}
	return m.Func == nil || m.Func(key)
}

// prefixOnly reports whether the Matcher is a prefix and nothing else.
func (m *Matcher) prefixOnly() bool {
	return m.Prefix != "" && m.Glob == "" && m.Regexp == nil && m.Func == nil
}

// EscapeGlob returns the glob pattern that matches s alone.
func EscapeGlob(s string) string {
	if !strings.ContainsAny(s, `*?[]\^-`) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[]\^-`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// pages lists the keys that m matches, as commands that hooks see (OpKeys), some at a time. Keys that come or go meanwhile
// may be among them or not, and where the store's cursors allow it a key may come twice. A page is the caller's.
func (c *Cache) pages(ctx context.Context, m Matcher) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		if err := m.check(); err != nil {
			yield(nil, err)
			return
		}
		if m.Keys != nil {
			for page := range slices.Chunk(m.Keys, matchPage) {
				if !yield(slices.Clone(page), nil) {
					return
				}
			}
			return
		}
		pattern := m.pattern()
		for cursor := uint64(0); ; {
			keys, next, err := c.Scan(ctx, cursor, pattern, matchPage)
			if err != nil {
				yield(nil, err)
				return
			}
			keys = slices.DeleteFunc(keys, func(key string) bool { return !m.matches(key) })
			if len(keys) > 0 && !yield(keys, nil) || next == 0 {
				return
			}
			cursor = next
		}
	}
}

// Match walks the keys of this namespace that m matches, those in namespaces below it left out. Keys that come or go
// meanwhile may be among them or not, and a key may come twice where the store's own listing does so. After an error
// nothing more comes. Hooks see OpKeys, and OpExists for Matcher.Keys.
func (c *Cache) Match(ctx context.Context, m Matcher) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for page, err := range c.pages(ctx, m) {
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range page {
				found, err := m.Keys == nil, error(nil)
				if m.Keys != nil {
					found, err = c.Exists(ctx, key)
				}
				if (found || err != nil) && !yield(key, err) || err != nil {
					return
				}
			}
		}
	}
}

// GetMatch walks the entries whose keys m matches, as Match does the keys. They are read as GetMany reads them, and hooks
// see OpKeys and OpGetMany.
func (c *Cache) GetMatch(ctx context.Context, m Matcher) iter.Seq2[KeyEntry, error] {
	return func(yield func(KeyEntry, error) bool) {
		for page, err := range c.pages(ctx, m) {
			if err == nil {
				var entries []KeyEntry
				entries, err = c.entries(ctx, page)
				for _, e := range entries {
					if !yield(e, nil) {
						return
					}
				}
			}
			if err != nil {
				yield(KeyEntry{}, err)
				return
			}
		}
	}
}

// All walks every entry of this namespace, as GetMatch does.
func (c *Cache) All(ctx context.Context) iter.Seq2[KeyEntry, error] {
	return c.GetMatch(ctx, Matcher{Glob: "*"})
}

// entries reads the keys that are there.
func (c *Cache) entries(ctx context.Context, keys []string) ([]KeyEntry, error) {
	k := c.call(OpGetMany, "")
	defer c.free(k)
	k.cmd.Keys = append(k.cmd.Keys, keys...)
	err := c.Do(ctx, &k.cmd, &k.res)
	found := make([]KeyEntry, 0, len(keys))
	for i := range k.res.Items {
		if e := k.res.Items[i].Entry; e != nil {
			found = append(found, KeyEntry{keys[i], e})
		}
	}
	return found, err
}

// DeleteMatch deletes the keys of this namespace that m matches and returns how many were there; with an error, that many
// are gone all the same. What is written meanwhile may stay. Hooks see OpKeys and OpDeleteMany. Where none waits for either
// and m is a prefix alone, a store that can deletes the whole range at once.
func (c *Cache) DeleteMatch(ctx context.Context, m Matcher) (n int64, err error) {
	if c.ranges() && m.Keys == nil && m.prefixOnly() {
		return c.deletePrefix(ctx, m.Prefix)
	}
	for page, err := range c.pages(ctx, m) {
		if err != nil {
			return n, err
		}
		deleted, err := c.DeleteMany(ctx, page)
		if n += deleted; err != nil {
			return n, err
		}
	}
	return n, nil
}

// DeleteTree deletes the key root and all its descendants, which are the keys that begin with root and a slash, and returns
// how many were there. No character of root means anything but itself. For hooks see DeleteMatch; the root is an OpDelete.
func (c *Cache) DeleteTree(ctx context.Context, root string) (int64, error) {
	found, err := c.Delete(ctx, root)
	if err != nil {
		return 0, err
	}
	n, err := c.DeleteMatch(ctx, Matcher{Prefix: root + "/"})
	if found {
		n++
	}
	return n, err
}

// ranges reports whether the authority deletes ranges and nobody waits for the commands that this leaves out.
func (c *Cache) ranges() bool {
	e := c.engine
	return e.authority().ranges != nil && e.table.Load().ops&Ops(OpKeys, OpDeleteMany) == 0
}

// deletePrefix deletes all keys of this namespace that begin with prefix, as one command.
func (c *Cache) deletePrefix(ctx context.Context, prefix string) (n int64, err error) {
	e, far := c.engine, c.engine.authority()
	k := c.call(OpDeleteMany, "")
	defer c.free(k)
	k.cmd.Namespace = c.ns
	stored := c.ns.prefix + prefix
	err = e.keys.clearing(
		func() (err error) { n, err = far.deleteRange(ctx, stored); return err },
		func() error { return e.clearNear(context.WithoutCancel(ctx), stored) },
	)
	k.res.Outcome = outcomeOf(n > 0)
	if err != nil {
		err = c.opError(&k.cmd, err)
		k.res.Outcome = OutcomeError
	}
	e.count(&k.cmd, &k.res)
	return n, err
}

// clearNear drops the copies of all keys that begin with prefix.
func (e *engine) clearNear(ctx context.Context, prefix string) (first error) {
	for _, t := range slices.Backward(e.tiers[:len(e.tiers)-1]) {
		if err := t.clear(ctx, prefix); err != nil && first == nil {
			first = t.wrap(err)
		}
	}
	return first
}
