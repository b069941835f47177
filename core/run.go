package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// run takes a command to the tiers. The hooks have been passed; the rest of this file is one function an operation.
func (e *engine) run(ctx context.Context, cmd *Command, res *Result) {
	var err error
	cmd.reached = cmd.Namespace
	switch cmd.Op {
	case OpGet:
		if cmd.Renew > 0 {
			err = e.write(ctx, cmd, res)
			break
		}
		err = e.get(ctx, cmd, res)
	case OpExists:
		err = e.exists(ctx, cmd, res)
	case OpTTL:
		err = e.readTTL(ctx, cmd, res)
	case OpGetMany:
		err = e.getMany(ctx, cmd, res)
	case OpSetMany:
		err = e.setMany(ctx, cmd, res)
	case OpDeleteMany:
		err = e.deleteMany(ctx, cmd, res)
	case OpClear:
		err = e.clear(ctx, cmd, res)
	case OpKeys:
		err = e.scan(ctx, cmd, res)
	case OpRaw:
		err = e.raw(ctx, cmd, res)
	default:
		err = e.write(ctx, cmd, res)
	}
	if err != nil {
		res.Outcome, res.Err = OutcomeError, cmd.cache.opError(cmd, err)
	} else {
		sumUp(cmd, res)
	}
}

func (e *engine) authority() *tier { return e.tiers[len(e.tiers)-1] }

// stored returns a key as the tiers have it. Outside the root it is made in the command's arena.
func (e *engine) stored(cmd *Command, key string) (string, error) {
	prefix := cmd.Namespace.prefix
	if len(prefix)+len(key) > e.maxKey {
		return "", fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrBadKey, len(prefix)+len(key), e.maxKey)
	}
	if prefix == "" {
		return key, nil
	}
	n := len(cmd.arena)
	cmd.arena = append(append(cmd.arena, prefix...), key...)
	return view(cmd.arena[n:]), nil
}

// owned returns a stored key in memory of its own, if it is a view.
func owned(cmd *Command, key string) string {
	if cmd.Flags&FlagBorrowed != 0 || cmd.Namespace.prefix != "" {
		return strings.Clone(key)
	}
	return key
}

// get reads one key: the nearest tier, then, together with all who miss the same key, the others.
func (e *engine) get(ctx context.Context, cmd *Command, res *Result) error {
	key, err := e.stored(cmd, cmd.Key)
	if err != nil {
		return err
	}
	if cmd.Flags&(FlagAuthority|FlagQuiet) != 0 {
		if cmd.Flags&FlagQuiet != 0 {
			return e.peek(ctx, cmd, res)
		}
		return e.getFrom(ctx, e.authority(), key, res)
	}
	opens := cmd.Flags&FlagOpen != 0 && e.files != nil
	if opens && (e.near == nil || e.files.number == 1) && e.open(ctx, key, res) {
		return nil
	}
	if e.near == nil {
		return e.getFar(ctx, cmd, key, 0, res)
	}
	entry, err := e.near.Get(ctx, key)
	if err == nil {
		e.counters.local().tiers[0].hits.Add(1)
		res.Item = found(entry, 1)
		return nil
	}
	e.countMiss(0, err)
	if opens && e.files.number > 1 && e.open(ctx, key, res) {
		return nil
	}
	if len(e.tiers) > 1 {
		return e.getFar(ctx, cmd, key, 1, res)
	}
	res.Outcome = OutcomeMiss
	return missOrError(e.tiers[0], err)
}

// found is what a tier's entry is to a read. One that remembers an absence is a miss that a tier has answered.
func found(entry *Entry, tier uint8) Item {
	if entry.absent() {
		return Item{Outcome: OutcomeMiss, Tier: tier}
	}
	return Item{Outcome: OutcomeHit, Tier: tier, Entry: entry}
}

// missOrError returns nil for a miss and any other error with the tier's name.
func missOrError(t *tier, err error) error {
	if err == ErrNotFound { //nolint:errorlint // backends return the bare sentinel, and this is the hot path
		return nil
	}
	return t.wrap(err)
}

// countMiss counts a lookup of tier i that brought nothing.
func (e *engine) countMiss(i int, err error) {
	s := &e.counters.local().tiers[i]
	s.misses.Add(1)
	if err != ErrNotFound { //nolint:errorlint // as in missOrError
		s.errors.Add(1)
	}
}

// getFrom reads one tier and no other.
func (e *engine) getFrom(ctx context.Context, t *tier, key string, res *Result) error {
	entry, err := t.get(ctx, key)
	if err != nil {
		e.countMiss(int(t.number)-1, err)
		res.Outcome = OutcomeMiss
		return missOrError(t, err)
	}
	e.counters.local().tiers[t.number-1].hits.Add(1)
	res.Item = found(entry, t.number)
	return nil
}

// getFar reads the tiers from first on, once for all who ask for the key meanwhile. Every one of them waits under its
// own context.
func (e *engine) getFar(ctx context.Context, cmd *Command, key string, first int, res *Result) error {
	f, l, leads := e.keys.join(key, func(key string) string { return owned(cmd, key) })
	switch {
	case !leads:
		e.counters.local().collapsed.Add(1)
	case ctx.Done() == nil:
		e.fly(ctx, f, l, first)
	default:
		e.loads.Go(func() {
			e.fly(context.WithoutCancel(ctx), f, l, first)
		})
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	res.Item = Item{Outcome: OutcomeMiss}
	if f.entry != nil {
		res.Item = found(f.entry, f.tier)
	}
	return f.err
}

// fly is the leader's load: it asks the tiers from first on and leaves copies in those before the one that answered.
func (e *engine) fly(ctx context.Context, f *flight, l load, first int) {
	var place func()
	defer func() {
		e.keys.endLoad(l, place)
		e.keys.land(f, l)
	}()
	for i, t := range e.tiers[first:] {
		entry, err := t.get(ctx, l.key.key)
		if err == nil {
			e.counters.local().tiers[first+i].hits.Add(1)
			f.entry, f.tier = entry, t.number
			place = func() { e.fill(ctx, l.key.key, entry, first+i) }
			return
		}
		e.countMiss(first+i, err)
		switch {
		case err == ErrNotFound: //nolint:errorlint // as in missOrError
		case len(e.tiers) == 1 || !tierFailed(err): // an answer that is an error is no silence
			f.err = t.wrap(err)
			return
		default:
			e.tierTrouble(ctx, t, OpGet, err)
		}
	}
}

// fill leaves copies of entry, found in tier n (from 0), in the nearer tiers.
func (e *engine) fill(ctx context.Context, key string, entry *Entry, n int) {
	now := time.Now()
	for i := n - 1; i >= 0; i-- {
		if err := e.tiers[i].set(ctx, key, capped(entry, e.tiers[i].MaxTTL, now)); err != nil {
			e.tierTrouble(ctx, e.tiers[i], OpSet, err)
		}
	}
}

// capped returns the entry as it may stay in a nearer tier: until its own end, or for limit if that is sooner.
func capped(entry *Entry, limit time.Duration, now time.Time) *Entry {
	if limit == 0 {
		return entry
	}
	end := Deadline(now, limit)
	if end == 0 || entry.Expires != 0 && entry.Expires <= end {
		return entry
	}
	return entry.Until(end)
}

// exists asks the nearest tier, then the farthest, without moving the value where the store can tell.
func (e *engine) exists(ctx context.Context, cmd *Command, res *Result) error {
	key, err := e.stored(cmd, cmd.Key)
	if err != nil {
		return err
	}
	if e.near != nil && len(e.tiers) > 1 {
		if entry, err := e.tiers[0].peek(ctx, key); err == nil {
			res.Item = found(entry, 1)
			res.Entry = nil
			return nil
		}
	}
	_, err = e.authorityExpiry(ctx, key, res)
	return err
}

func (e *engine) readTTL(ctx context.Context, cmd *Command, res *Result) error {
	key, err := e.stored(cmd, cmd.Key)
	if err != nil {
		return err
	}
	expires, err := e.authorityExpiry(ctx, key, res)
	if err == nil && res.Outcome == OutcomeHit {
		res.TTL = (&Entry{Expires: expires}).TTL(time.Now())
	}
	return err
}

func (e *engine) authorityExpiry(ctx context.Context, key string, res *Result) (int64, error) {
	t := e.authority()
	expires, err := t.expiry(ctx, key)
	if err != nil {
		res.Outcome = OutcomeMiss
		return 0, missOrError(t, err)
	}
	res.Item = Item{Outcome: OutcomeHit, Tier: t.number}
	return expires, nil
}

// clear empties the namespace and those below it, the farthest tier first.
func (e *engine) clear(ctx context.Context, cmd *Command, res *Result) error {
	prefixes := cmd.Namespace.subtree()
	sweep := func(ctx context.Context, tiers []*tier) (first error) {
		for _, tier := range slices.Backward(tiers) {
			for _, prefix := range prefixes {
				if err := tier.clear(ctx, prefix); err != nil && first == nil {
					first = tier.wrap(err)
				}
			}
		}
		return first
	}
	last := len(e.tiers) - 1
	res.Outcome = OutcomeStored
	return e.keys.clearing(
		func() error { return sweep(ctx, e.tiers[last:]) },
		func() error { return sweep(context.WithoutCancel(ctx), e.tiers[:last]) },
	)
}

// scan lists keys of the farthest tier, without the namespace's prefix.
func (e *engine) scan(ctx context.Context, cmd *Command, res *Result) error {
	prefix, match := cmd.Namespace.prefix, owned(cmd, cmd.Key)
	if match == "*" {
		match = ""
	}
	keys, next, err := e.authority().scan(ctx, cmd.Cursor, prefix, match, cmd.Count)
	for _, key := range keys {
		res.Keys = append(res.Keys, key[len(prefix):])
	}
	res.Cursor, res.Outcome = next, OutcomeHit
	return e.authority().wrap(err)
}

func (e *engine) raw(ctx context.Context, cmd *Command, res *Result) error {
	t := e.authority()
	r, ok := t.Backend.(Rawer)
	if !ok {
		return t.wrap(fmt.Errorf("raw: %w", ErrUnsupported))
	}
	res.Outcome = OutcomeHit
	return t.wrap(t.call(ctx, OpRaw, func(ctx context.Context) (err error) {
		res.Raw, err = r.Raw(ctx, cmd.Args...)
		return err
	}))
}
