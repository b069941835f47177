package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/rfc9111"
)

// home is where a record is stored.
type home struct {
	cache *core.Cache
	key   string
}

func (s *Store) homeOf(rec *record) home {
	if rec.rule == "" {
		return home{s.responses, rec.key}
	}
	hash := hashWith(rec.epoch, rec.rule, rec.selecting)
	return home{s.variants, string(variantKey(nil, rec.epoch, hash))}
}

// options are those of a write of what ends at the unix nanoseconds ends, 0 never.
func writeOptions(now time.Time, ends int64) core.EntryOptions {
	ttl := core.NoExpiry
	if ends != 0 {
		ttl = max(time.Duration(ends-now.UnixNano()), 1)
	}
	return core.EntryOptions{TTL: ttl, Jitter: -1}
}

// ends is when a record written now ends: it does not outlive its segments.
func (r *record) endsAt(now time.Time) int64 {
	if r.keep == 0 {
		return r.ends
	}
	end := core.Deadline(now, r.keep)
	if r.ends != 0 && (end == 0 || r.ends < end) {
		return r.ends
	}
	return end
}

// put stores a response where its key and its variance say.
func (s *Store) put(ctx context.Context, rec *record, names []string, stamp invalid.Stamp) (*Response, error) {
	if rec.rule == "" {
		return s.write(ctx, rec, stamp)
	}
	return s.putVariant(ctx, rec, names, stamp)
}

// write stores a record at its home. One that is not whole joins what is there of the same representation.
func (s *Store) write(ctx context.Context, rec *record, stamp invalid.Stamp) (*Response, error) {
	if whole(rec) {
		return s.replace(ctx, rec, stamp)
	}
	return s.combine(ctx, rec, stamp)
}

func whole(rec *record) bool {
	first, end := missing(rec.parts, 0, rec.size)
	return rec.inline || first == end
}

// replace stores a record whatever is there. What that leaves behind is freed where it may be large.
func (s *Store) replace(ctx context.Context, rec *record, stamp invalid.Stamp) (*Response, error) {
	h, now := s.homeOf(rec), time.Now()
	var old *Response
	if !rec.inline {
		old = s.quiet(ctx, h)
	}
	r, opts, err := s.sealed(rec, stamp, now)
	if err != nil {
		return nil, err
	}
	if err := h.cache.Set(ctx, h.key, r.frame, opts); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	s.freeBut(old, rec.parts)
	return r.Response, nil
}

// sealedResponse is a response with the frame that it is a view of.
type sealedResponse struct {
	*Response
	frame []byte
}

// sealed encodes a record.
func (s *Store) sealed(rec *record, stamp invalid.Stamp, now time.Time) (sealedResponse, core.EntryOptions, error) {
	frame := rec.encode()
	own, err := decodeRecord(frame[frameSize:])
	if err != nil {
		return sealedResponse{}, core.EntryOptions{}, err
	}
	r, err := s.newResponse(own, stamp)
	if err != nil {
		return sealedResponse{}, core.EntryOptions{}, err
	}
	opts := writeOptions(now, rec.endsAt(now))
	opts.Decoded, opts.DecodedWeight = r, r.weight()
	return sealedResponse{r, frame}, opts, nil
}

// quiet returns the response at a home, if there is one, without a trace in any tier.
func (s *Store) quiet(ctx context.Context, h home) *Response {
	cmd := core.Command{Op: core.OpGet, Flags: core.FlagQuiet, Key: h.key}
	var res core.Result
	if err := h.cache.Do(ctx, &cmd, &res); err != nil || res.Outcome != core.OutcomeHit {
		return nil
	}
	return s.responseOf(res.Entry)
}

// responseOf returns the response of an entry, or nil.
func (s *Store) responseOf(e *core.Entry) *Response {
	if e == nil {
		return nil
	}
	d := e.Decoded()
	if d == nil {
		var err error
		if d, _, err = s.decodeFrame(e.Value); err != nil {
			return nil
		}
	}
	r, _ := d.(*Response)
	return r
}

// freeBut frees the segments of a response that was replaced, but those of bodies that go on.
func (s *Store) freeBut(old *Response, parts []part) {
	if old == nil {
		return
	}
	gone := slices.DeleteFunc(slices.Clone(old.parts), func(o part) bool {
		return slices.ContainsFunc(parts, func(p part) bool { return p.id == o.id })
	})
	if len(gone) > 0 {
		s.free(gone)
	}
}

// combine stores a part, together with what there is of the same representation, or alone.
func (s *Store) combine(ctx context.Context, rec *record, stamp invalid.Stamp) (*Response, error) {
	h, now := s.homeOf(rec), time.Now()
	opts := writeOptions(now, rec.endsAt(now))
	var r sealedResponse
	err := h.cache.Update(ctx, h.key, func(old *core.Entry) (_ []byte, err error) {
		next := *rec
		if cur := s.responseOf(old); cur != nil && sameBytes(&cur.record, rec) {
			s.join(ctx, cur, &next)
		}
		r, _, err = s.sealed(&next, stamp, now)
		return r.frame, err
	}, opts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	return r.Response, nil
}

// sameBytes reports whether two records are of one representation, so that their parts may be combined (RFC 9111 section 3.4).
func sameBytes(a, b *record) bool {
	tag := a.etag()
	return strong(tag) && tag == b.etag() && a.size == b.size && a.key == b.key && a.rule == b.rule && a.selecting == b.selecting
}

// join adds to next what cur has of it. A small representation that is whole then becomes inline.
func (s *Store) join(ctx context.Context, cur *Response, next *record) {
	next.id = cur.id
	if cur.inline {
		next.inline, next.body, next.parts = true, cur.body, nil
		return
	}
	all := slices.Clone(cur.parts)
	for _, p := range next.parts {
		all = join(all, p)
	}
	next.parts, next.ends = all, earlierEnd(cur.ends, next.ends)
	if next.size > MaxInline || !whole(next) {
		return
	}
	if body, err := s.gather(ctx, next); err == nil {
		next.inline, next.body, next.parts, next.ends = true, body, nil, 0
	}
}

// earlierEnd returns the earlier of two ends, of which 0 is never.
func earlierEnd(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// gather reads a whole small body.
func (s *Store) gather(ctx context.Context, rec *record) ([]byte, error) {
	body := make([]byte, 0, rec.size)
	for pos := int64(0); pos < rec.size; pos = int64(len(body)) {
		p, _ := at(rec.parts, pos)
		data, err := s.bytes(ctx, p.id, pos, p.end)
		if err != nil {
			return nil, err
		}
		body = append(body, data...)
	}
	return body, nil
}

// errOtherEpoch says that a variant was stored for an index that is not there any more.
var errOtherEpoch = errors.New("index has been replaced")

// maxEpochs is how often a variant is stored anew because its index was replaced meanwhile.
const maxEpochs = 8

// putVariant stores a variant, and then tells the index of it. In this order a variant is found only when it is there, and one
// that was stored for an index that is deleted meanwhile never is: then it is stored once more.
func (s *Store) putVariant(ctx context.Context, rec *record, names []string, stamp invalid.Stamp) (*Response, error) {
	own := *rec
	x := s.index(ctx, rec.key)
	for range maxEpochs {
		fresh := x == nil
		if fresh {
			x = &index{epoch: newEpoch()}
		}
		own.epoch = x.epoch
		r, err := s.write(ctx, &own, stamp)
		if err != nil {
			return nil, err
		}
		x, err = s.enter(ctx, r, newRule(names), x, fresh)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, errOtherEpoch) {
			return nil, fmt.Errorf("%w: %w", ErrNotStored, err)
		}
	}
	return nil, fmt.Errorf("%w: %w %d times", ErrNotStored, errOtherEpoch, maxEpochs)
}

// index returns the index at a primary key, or nil.
func (s *Store) index(ctx context.Context, key string) *index {
	e, err := s.responses.GetEntry(ctx, key)
	if err != nil {
		return nil
	}
	return s.indexOf(e)
}

func (s *Store) indexOf(e *core.Entry) *index {
	if e == nil {
		return nil
	}
	d := e.Decoded()
	if d == nil {
		var err error
		if d, _, err = s.decodeFrame(e.Value); err != nil {
			return nil
		}
	}
	x, _ := d.(*index)
	return x
}

// enter adds a variant to the index x, or to what others have made of it. A fresh one is made where there is none. With
// errOtherEpoch it returns the index that is there instead.
func (s *Store) enter(ctx context.Context, r *Response, by rule, x *index, fresh bool) (*index, error) {
	now := time.Now()
	ends, v := r.endsAt(now), ref{hash: hashWith(r.epoch, r.rule, r.selecting), date: r.date}
	if r.language != "" {
		v.language = hashWith(r.epoch, r.rule, r.language)
	}
	if len(x.refs) > 0 {
		ends = laterEnd(ends, x.ends)
	}
	var dropped []ref
	var replaced *Response
	there := x
	err := s.responses.Update(ctx, r.key, func(old *core.Entry) ([]byte, error) {
		base := s.indexOf(old)
		switch {
		case base == nil && fresh:
			base, replaced = x, s.responseOf(old)
		case base == nil || base.epoch != x.epoch:
			there = base
			return nil, errOtherEpoch
		}
		var next *index
		next, dropped = base.with(by, v, ends)
		return next.encode(), nil
	}, writeOptions(now, ends))
	if err != nil {
		return there, err
	}
	s.freeBut(replaced, r.parts)
	if len(dropped) > 0 {
		s.enqueue(garbage{epoch: x.epoch, variants: dropped})
	}
	return there, nil
}

// Delete removes all variants of the primary key. Fills of it that are under way in this process go on, but are not stored.
func (s *Store) Delete(ctx context.Context, key string) (found bool, err error) {
	s.fills.doom(key)
	e, err := s.responses.GetEntry(ctx, key)
	if err != nil {
		e = nil
	}
	if found, err = s.responses.Delete(ctx, key); err != nil {
		return false, err
	}
	s.freeBut(s.responseOf(e), nil)
	if x := s.indexOf(e); x != nil {
		s.enqueue(garbage{epoch: x.epoch, variants: x.refs})
	}
	return found, nil
}

// errReplaced says that another response has taken a response's place.
var errReplaced = errors.New("response has been replaced")

// Freshen stores new metadata for the same body, as a 304 wants it. The response that it returns is good also where the error
// says that it is not stored (ErrNotStored): because r has been deleted or replaced meanwhile, or varies otherwise now.
func (s *Store) Freshen(ctx context.Context, r *Response, m *Meta) (*Response, error) {
	now := time.Now()
	rec := r.record
	m.describe(&rec)
	fresh, opts, err := s.sealed(&rec, m.Stamp, now)
	if err != nil {
		return nil, err
	}
	if names, star := rfc9111.VaryFields(m.Header); star || newRule(names).text != r.rule {
		return fresh.Response, fmt.Errorf("%w: it varies by other fields", ErrNotStored)
	}
	h := s.homeOf(&rec)
	opts.Decoded = nil // it depends on what is there
	opts.DecodedWeight = 0
	err = h.cache.Update(ctx, h.key, func(old *core.Entry) (_ []byte, err error) {
		cur := s.responseOf(old)
		if cur == nil || cur.id != r.id {
			return nil, errReplaced
		}
		next := cur.record
		m.describe(&next)
		fresh, _, err = s.sealed(&next, m.Stamp, now)
		return fresh.frame, err
	}, opts)
	if err == nil && r.rule != "" {
		err = s.touch(ctx, fresh.Response)
	}
	if err != nil {
		return fresh.Response, fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	return fresh.Response, nil
}

// touch tells the index of a variant's new date and end.
func (s *Store) touch(ctx context.Context, r *Response) error {
	x := s.index(ctx, r.key)
	if x == nil || x.epoch != r.epoch {
		return errReplaced
	}
	i := slices.IndexFunc(x.rules, func(by rule) bool { return by.text == r.rule })
	if i < 0 {
		return errReplaced
	}
	_, err := s.enter(ctx, r, x.rules[i], x, false)
	return err
}

// lose takes the segment that has the byte at pos, and is gone, out of a response, or deletes that where its parts can't be
// fetched one by one.
func (s *Store) lose(ctx context.Context, r *Response, p part, pos int64) {
	n := pos / SegmentSize
	first, end := max(p.first, n*SegmentSize), min(p.end, (n+1)*SegmentSize)
	h := s.homeOf(&r.record)
	var useless []byte // the value to be deleted
	err := h.cache.Update(ctx, h.key, func(old *core.Entry) ([]byte, error) {
		cur := s.responseOf(old)
		useless = nil
		if cur == nil || cur.id != r.id {
			return nil, errReplaced
		}
		if there, ok := at(cur.parts, pos); !ok || there.id != p.id {
			return nil, errReplaced
		}
		if !strong(cur.ETag()) {
			useless = old.Value
			return nil, errReplaced
		}
		next := cur.record
		next.parts = cut(next.parts, first, end)
		return next.encode(), nil
	}, core.EntryOptions{TTL: core.KeepTTL})
	if useless != nil {
		cmd := core.Command{Op: core.OpDelete, Flags: core.FlagIfValue, Key: h.key, Value: useless}
		err = h.cache.Do(ctx, &cmd, new(core.Result))
	}
	if err != nil && !errors.Is(err, errReplaced) {
		s.trouble("a response whose bytes are gone can't be changed", err)
	}
}
