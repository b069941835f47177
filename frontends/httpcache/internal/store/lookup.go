package store

import (
	"context"
	"slices"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/rfc9111"
)

// Miss says why Lookup has found nothing.
type Miss uint8

// What Lookup comes to.
const (
	Hit      Miss = iota // it has found a response
	MissURI              // nothing of the URI is there
	MissVary             // there are variants, for other requests
)

// query is what a lookup needs; reused.
type query struct {
	cmd      core.Command
	res      core.Result
	selector []byte
	key      []byte
}

// get returns the entry of a key that may be a view, or nil.
func (q *query) get(ctx context.Context, c *core.Cache, key string) *core.Entry {
	q.cmd.Op, q.cmd.Flags, q.cmd.Key = core.OpGet, core.FlagBorrowed, key
	if err := c.Do(ctx, &q.cmd, &q.res); err != nil || q.res.Outcome != core.OutcomeHit {
		return nil
	}
	return q.res.Entry
}

func (s *Store) release(q *query) {
	q.cmd.Key = ""
	q.res.Item = core.Item{}
	s.queries.Put(q)
}

// Lookup returns the stored response that a request for the primary key selects, or why there is none. It may have been
// purged: see Response.Marks. key may be a view of memory that changes afterwards. It allocates nothing if the nearest tier
// has the response.
func (s *Store) Lookup(ctx context.Context, key string, req Fields) (*Response, Miss) {
	q := s.queries.Get().(*query)
	defer s.release(q)
	e := q.get(ctx, s.responses, key)
	if e == nil {
		return nil, MissURI
	}
	d, err := s.decode(s.responses, key, e)
	if err != nil {
		return nil, MissURI
	}
	switch d := d.(type) {
	case *Response:
		if d.key == key && d.rule == "" {
			return d, Hit
		}
	case *index:
		if r := s.variant(ctx, q, d, key, req); r != nil {
			return r, Hit
		}
		return nil, MissVary
	}
	return nil, MissURI
}

// match is a variant that a request selects.
type match struct {
	rule  *rule
	ref   *ref
	tried bool
}

// variant returns the variant that the request selects, of several the one with the most recent Date (RFC 9111 section 4.1).
// Where there is none, it is one in the language that the request wants above all others.
func (s *Store) variant(ctx context.Context, q *query, x *index, key string, req Fields) *Response {
	if r := s.selectVariant(ctx, q, x, key, req, ""); r != nil {
		return r
	}
	if !slices.ContainsFunc(x.refs, func(v ref) bool { return v.language != 0 }) {
		return nil
	}
	if language := rfc9111.PreferredLanguage(req); language != "" {
		return s.selectVariant(ctx, q, x, key, req, language)
	}
	return nil
}

// selectVariant is variant for the request as it is, or if language is not "" for one that asks for that alone.
func (s *Store) selectVariant(ctx context.Context, q *query, x *index, key string, req Fields, language string) *Response {
	var matches [MaxVariants]match
	found := matches[:0]
	var hash uint64
	last := -1 // the rule that q.selector is by
	for i := range x.rules {
		if language != "" && !x.rules[i].byLanguage() {
			continue
		}
		hash, last = q.hash(x, &x.rules[i], req, language), i
		for j := range x.refs {
			if v := &x.refs[j]; int(v.rule) == i && (language == "" && v.hash == hash || language != "" && v.language == hash) {
				found = append(found, match{rule: &x.rules[i], ref: v})
			}
		}
	}
	for range found {
		m := newest(found)
		m.tried = true
		if i := int(m.ref.rule); i != last {
			_, last = q.hash(x, m.rule, req, language), i
		}
		if r := s.stored(ctx, q, x.epoch, m, key, language != ""); r != nil {
			return r
		}
	}
	return nil
}

// hash makes q.selector and returns its hash.
func (q *query) hash(x *index, r *rule, req Fields, language string) uint64 {
	if language == "" {
		q.selector = appendSelector(q.selector[:0], x.epoch, r, req)
	} else {
		q.selector = appendLanguageSelector(q.selector[:0], x.epoch, r, req, language)
	}
	return hashOf(q.selector)
}

// newest returns the match with the most recent Date that has not been tried.
func newest(found []match) *match {
	var best *match
	for i := range found {
		if m := &found[i]; !m.tried && (best == nil || m.ref.date > best.ref.date) {
			best = m
		}
	}
	return best
}

// stored returns the variant of a match, if it is there and is for q.selector and nothing else that has the same hash.
func (s *Store) stored(ctx context.Context, q *query, e epoch, m *match, key string, byLanguage bool) *Response {
	q.key = variantKey(q.key[:0], e, m.ref.hash)
	entry := q.get(ctx, s.variants, view(q.key))
	if entry == nil {
		return nil
	}
	d, err := s.decode(s.variants, view(q.key), entry)
	if err != nil {
		return nil
	}
	r, ok := d.(*Response)
	if !ok || r.epoch != e || r.key != key || r.rule != m.rule.text {
		return nil
	}
	selecting := r.selecting
	if byLanguage {
		selecting = r.language
	}
	if selecting != view(selected(q.selector, m.rule)) {
		return nil
	}
	return r
}

// Matches reports whether the response that is coming may answer req.
func (f *Fill) Matches(req Fields) bool {
	if f.star {
		return false
	}
	if f.rule.text == "" {
		return true
	}
	return slices.Equal(selected(appendSelector(nil, epoch{}, &f.rule, req), &f.rule), []byte(f.rec.selecting))
}
