package store

import (
	"context"
	"slices"

	"github.com/edgecache/edgecache/core"
)

// Miss says why Lookup has found nothing.
type Miss uint8

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
	ref   ref
	tried bool
}

// variant returns the variant that the request selects, of several the one with the most recent Date (RFC 9111 section 4.1).
func (s *Store) variant(ctx context.Context, q *query, x *index, key string, req Fields) *Response {
	var matches [MaxRules]match
	found := matches[:0]
	for i := range x.rules {
		q.selector = appendSelector(q.selector[:0], x.epoch, &x.rules[i], req)
		hash := hashOf(q.selector)
		for _, v := range x.refs {
			if int(v.rule) == i && v.hash == hash {
				found = append(found, match{rule: &x.rules[i], ref: v})
				break
			}
		}
	}
	for range found {
		m := newest(found)
		m.tried = true
		q.selector = appendSelector(q.selector[:0], x.epoch, m.rule, req)
		if r := s.stored(ctx, q, x.epoch, m, key); r != nil {
			return r
		}
	}
	return nil
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
func (s *Store) stored(ctx context.Context, q *query, e epoch, m *match, key string) *Response {
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
	if !ok || r.epoch != e || r.key != key || r.rule != m.rule.text || r.selecting != view(selected(q.selector, m.rule)) {
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
