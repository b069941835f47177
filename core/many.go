package core

import (
	"context"
	"slices"
	"time"
)

// pending is the keys of a command on many that nothing has answered for yet, as the tiers have them. It belongs to the
// command and is reused.
type pending struct {
	at      []int // positions in the command's Keys
	keys    []string
	entries []*Entry
	found   []bool
	errs    []error
}

// unsettled gathers the keys that the hooks have left to the tiers. Keys that no tier can hold are settled with an error.
func (e *engine) unsettled(cmd *Command, res *Result) *pending {
	p := &cmd.pending
	p.at, p.keys = p.at[:0], p.keys[:0]
	for i, key := range cmd.Keys {
		if res.Items[i].Outcome != OutcomeNone {
			continue
		}
		stored, err := e.stored(cmd, key)
		if err != nil {
			res.Items[i] = Item{Outcome: OutcomeError, Err: err}
			continue
		}
		p.at, p.keys = append(p.at, i), append(p.keys, stored)
	}
	n := len(p.at)
	p.entries = slices.Grow(p.entries[:0], n)[:n]
	p.found = slices.Grow(p.found[:0], n)[:n]
	p.errs = slices.Grow(p.errs[:0], n)[:n]
	clear(p.entries)
	clear(p.found)
	clear(p.errs)
	return p
}

// release forgets what the command does not own, so that a reused command holds on to nothing.
func (p *pending) release() {
	clear(p.keys)
	clear(p.entries)
	clear(p.errs)
}

// own gives the keys memory that stays as it is.
func (p *pending) own(cmd *Command) {
	for i, key := range p.keys {
		p.keys[i] = owned(cmd, key)
	}
}

// getMany reads the tiers in turn, each for the keys that those before it missed, and leaves copies in the nearer ones.
func (e *engine) getMany(ctx context.Context, cmd *Command, res *Result) error {
	p := e.unsettled(cmd, res)
	defer p.release()
	var loads []load // of p.keys, once the nearest tier has been asked
	var failure error
	for i, t := range e.tiers {
		if len(p.keys) == 0 {
			break
		}
		if i > 0 && loads == nil {
			p.own(cmd)
			loads = e.beginLoads(p.keys)
		}
		err := t.getMany(ctx, p.keys, p.entries)
		if err != nil {
			failure = t.wrap(err)
			e.tierTrouble(ctx, t, OpGetMany, err)
		}
		e.countMany(i, p.entries, err)
		loads = e.takeHits(ctx, p, loads, i, res)
	}
	missed := Item{Outcome: OutcomeMiss}
	if failure != nil && len(e.tiers) == 1 {
		missed = Item{Outcome: OutcomeError, Err: failure}
	}
	for i, at := range p.at {
		res.Items[at] = missed
		if loads != nil {
			e.keys.endLoad(loads[i], nil)
		}
	}
	return nil
}

func (e *engine) beginLoads(keys []string) []load {
	loads := make([]load, len(keys))
	for i, key := range keys {
		loads[i] = e.keys.beginLoad(key)
	}
	return loads
}

func (e *engine) countMany(i int, entries []*Entry, err error) {
	hits := 0
	for _, entry := range entries {
		if entry != nil {
			hits++
		}
	}
	s := &e.counters.local().tiers[i]
	s.hits.Add(uint64(hits))
	s.misses.Add(uint64(len(entries) - hits))
	if err != nil {
		s.errors.Add(uint64(len(entries) - hits))
	}
}

// takeHits moves the keys that tier n (from 0) had from p into res, with copies to the nearer tiers, and returns the
// loads of those that remain.
func (e *engine) takeHits(ctx context.Context, p *pending, loads []load, n int, res *Result) []load {
	rest := 0
	for i, entry := range p.entries {
		if entry == nil {
			p.at[rest], p.keys[rest] = p.at[i], p.keys[i]
			if loads != nil {
				loads[rest] = loads[i]
			}
			rest++
			continue
		}
		res.Items[p.at[i]] = found(entry, uint8(n+1))
		if loads != nil {
			key := p.keys[i]
			e.keys.endLoad(loads[i], func() { e.fill(ctx, key, entry, n) })
		}
	}
	p.at, p.keys, p.entries = p.at[:rest], p.keys[:rest], p.entries[:rest]
	clear(p.entries)
	if loads == nil {
		return nil
	}
	return loads[:rest]
}

// setMany writes many keys, far tiers first.
func (e *engine) setMany(ctx context.Context, cmd *Command, res *Result) error {
	p := e.unsettled(cmd, res)
	defer p.release()
	now := time.Now()
	for i, at := range p.at {
		var value []byte
		p.keys[i], value = keep(cmd, p.keys[i], cmd.Values[at])
		p.entries[i] = e.entryAt(cmd, value, now)
	}
	return e.writeMany(ctx, cmd, res, func(t *tier) error {
		err := t.setMany(ctx, p.keys, p.entries, p.errs)
		for i, at := range p.at {
			res.Items[at] = Item{Outcome: OutcomeStored, Tier: t.number}
			if failed := orElse(err, p.errs[i]); failed != nil {
				res.Items[at] = Item{Outcome: OutcomeError, Err: t.wrap(failed)}
				p.entries[i] = nil // the near copies are dropped
			}
		}
		return nil
	})
}

// deleteMany deletes many keys, far tiers first.
func (e *engine) deleteMany(ctx context.Context, cmd *Command, res *Result) error {
	p := e.unsettled(cmd, res)
	defer p.release()
	p.own(cmd)
	return e.writeMany(ctx, cmd, res, func(t *tier) error {
		err := t.deleteMany(ctx, p.keys, p.found)
		for i, at := range p.at {
			res.Items[at] = Item{Outcome: outcomeOf(p.found[i]), Tier: t.number}
		}
		return t.wrap(err)
	})
}

// writeMany runs far on the authority, with the turn of every key where there are nearer tiers, and then brings those
// in line: p.entries[i] is what is at p.keys[i] now, nil if that is not known.
func (e *engine) writeMany(ctx context.Context, cmd *Command, res *Result, far func(t *tier) error) error {
	p := &cmd.pending
	if len(p.keys) == 0 {
		return nil
	}
	if len(e.tiers) == 1 && e.loaders.active.Load() == 0 {
		return far(e.authority())
	}
	turns, err := e.beginWrites(ctx, p.keys)
	if err != nil {
		return err
	}
	defer func() {
		for _, k := range turns {
			e.keys.endWrite(k)
		}
	}()
	if cmd.marks != nil {
		e.dropOvertaken(cmd.marks, p, res)
		if len(p.keys) == 0 {
			return nil
		}
	}
	sweeps := e.keys.sweeps.Load()
	err = far(e.authority())
	for i, key := range p.keys {
		if nearErr := e.settle(context.WithoutCancel(ctx), key, p.entries[i], sweeps); nearErr != nil && err == nil {
			err = nearErr
		}
	}
	return err
}

// dropOvertaken takes from p the keys at which others have been since the load that writes them began.
func (e *engine) dropOvertaken(marks []*mark, p *pending, res *Result) {
	rest := 0
	for i, at := range p.at {
		if m := marks[at]; m != nil && m.key.key == p.keys[i] && !m.take(e.keys, m.key) {
			res.Items[at] = Item{Outcome: OutcomeNotStored}
			continue
		}
		p.at[rest], p.keys[rest], p.entries[rest] = at, p.keys[i], p.entries[i]
		rest++
	}
	p.at, p.keys, p.entries = p.at[:rest], p.keys[:rest], p.entries[:rest]
	p.errs, p.found = p.errs[:rest], p.found[:rest]
}

// beginWrites takes the turn of every key, in one order for all, so that two batches never wait for each other.
func (e *engine) beginWrites(ctx context.Context, keys []string) ([]*keyState, error) {
	ordered := slices.Clone(keys)
	slices.Sort(ordered)
	ordered = slices.Compact(ordered)
	turns := make([]*keyState, 0, len(ordered))
	for _, key := range ordered {
		k, err := e.keys.beginWrite(ctx, key)
		if err != nil {
			for _, k := range turns {
				e.keys.endWrite(k)
			}
			return nil, err
		}
		turns = append(turns, k)
	}
	return turns, nil
}
