package core

import (
	"context"
	"strings"
)

// GetFile is GetEntry for a caller that can send a file: where the nearest tier does not have the value in memory, but a tier
// on this machine has it in a file, it returns that file open, and an entry without the value. No copy is left in nearer
// tiers then: the system keeps in memory what is sent often. file is nil otherwise. The caller closes it.
func (c *Cache) GetFile(ctx context.Context, key string) (e *Entry, file *ValueFile, err error) {
	k := c.call(OpGet, key)
	defer c.free(k)
	k.cmd.Flags = FlagOpen
	switch err := c.Do(ctx, &k.cmd, &k.res); {
	case err != nil:
		return nil, nil, err
	case k.res.Outcome != OutcomeHit:
		return nil, nil, ErrNotFound
	default:
		return k.res.Entry, k.res.File, nil
	}
}

// open answers a read with a file, if there is one. What is wrong otherwise is for the way without to find out.
func (e *engine) open(ctx context.Context, key string, res *Result) bool {
	f, err := e.files.opener.OpenValue(ctx, key)
	if err != nil {
		return false
	}
	if f.Entry.absent() {
		_ = f.File.Close() // nothing was written
		return false
	}
	e.counters.local().tiers[e.files.number-1].hits.Add(1)
	res.Item = Item{Outcome: OutcomeHit, Tier: e.files.number, Entry: f.Entry, File: f}
	return true
}

// KeepDecoded leaves v, the decoded form of e, beside the copy of e in the nearest tier, which counts weight bytes for it from
// then on. e is what a read of key has returned; where the tier has another entry by now, or is not in memory, nothing
// happens. It is for readers of what came from a farther tier: writers have EntryOptions.Decoded.
func (c *Cache) KeepDecoded(key string, e *Entry, v any, weight uint32) {
	if s := c.engine.swapper; s != nil {
		s.Swap(strings.Join([]string{c.ns.prefix, key}, ""), e, e.with(v, weight))
	}
}
