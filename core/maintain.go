package core

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// What follows looks after the stores and not after keys: it is the same from every namespace, and no hook sees it.

// DeleteExpired gives back at once what entries that have expired still take in the tiers that can, and returns how many
// went, a copy for itself. The others see to it themselves. Nothing that could be read changes.
func (c *Cache) DeleteExpired(ctx context.Context) (n int64, err error) {
	return eachTier(ctx, c, func(ctx context.Context, d ExpiredDeleter) (int64, error) { return d.DeleteExpired(ctx) })
}

// Evict brings the tiers that can back within their bounds at once, and returns how many entries went, expired ones counted.
func (c *Cache) Evict(ctx context.Context) (n int64, err error) {
	return eachTier(ctx, c, func(ctx context.Context, e Evictor) (int64, error) { return e.Evict(ctx) })
}

// Commit returns once everything that the tiers hold back is durable, as far as they are.
func (c *Cache) Commit(ctx context.Context) error {
	_, err := eachTier(ctx, c, func(ctx context.Context, f Flusher) (int64, error) { return 0, f.Flush(ctx) })
	return err
}

// eachTier adds up what f returns for the tiers that are an A.
func eachTier[A any](ctx context.Context, c *Cache, f func(context.Context, A) (int64, error)) (sum int64, err error) {
	var errs []error
	for _, t := range c.engine.tiers {
		a, ok := t.Backend.(A)
		if !ok {
			continue
		}
		err := t.call(ctx, OpClear, func(ctx context.Context) error {
			n, err := f(ctx, a)
			sum += n
			return err
		})
		errs = append(errs, t.wrap(err))
	}
	return sum, errors.Join(errs...)
}

// TierInfo is what a tier tells of itself.
type TierInfo struct {
	// Tier is the tier's name.
	Tier string
	Info
	// Err is why the figures are not known, nil where they are as good as the store has them.
	Err error
}

// Inspect asks every tier what it holds. It may take a while: Stats has the figures that cost nothing.
func (c *Cache) Inspect(ctx context.Context) []TierInfo {
	infos := make([]TierInfo, len(c.engine.tiers))
	for i, t := range c.engine.tiers {
		infos[i].Tier = t.Name
		err := t.call(ctx, OpKeys, func(ctx context.Context) (err error) {
			infos[i].Info, err = t.inspect(ctx)
			return err
		})
		infos[i].Err = t.wrap(err)
	}
	return infos
}

// inspect asks the store in the best way that it has.
func (t *tier) inspect(ctx context.Context) (Info, error) {
	info := Info{Name: orElse(t.System, t.Name), Entries: -1, Bytes: -1}
	switch b := t.Backend.(type) {
	case Inspector:
		return b.Inspect(ctx)
	case Sizer:
		info.Approximate = true
		info.Entries, info.Bytes = b.Size()
	case KeyCounter:
		n, err := b.CountKeys(ctx)
		if err != nil {
			return info, err
		}
		info.Entries, info.Approximate = n, true
	}
	return info, nil
}

// mostPops bounds how often Pop tries where others take what it has chosen.
const mostPops = 1 << 16

// Pop deletes and returns the entry of this namespace that the policy of the farthest tier would evict next. It returns
// ErrNotFound if there is none, and ErrUnsupported where the store or its policy can't tell. No entry is popped twice. Hooks
// see an OpDelete of the key.
func (c *Cache) Pop(ctx context.Context) (key string, e *Entry, err error) {
	if c.engine.table.Load().disabled.Has(OpDelete) {
		return "", nil, ErrNotFound
	}
	t := c.engine.authority()
	p, ok := t.Backend.(Popper)
	if !ok {
		return "", nil, t.wrap(fmt.Errorf("pop: %w", ErrUnsupported))
	}
	for range mostPops {
		err = t.call(ctx, OpKeys, func(ctx context.Context) (err error) { key, err = p.Victim(ctx, c.ns.prefix); return err })
		if err != nil {
			return "", nil, t.wrap(err)
		}
		key = key[len(c.ns.prefix):]
		if e, err = c.take(ctx, key, CausePopped); !errors.Is(err, ErrNotFound) {
			return key, e, err
		}
	}
	return "", nil, fmt.Errorf("pop: %w: others took %d entries first", ErrConflict, mostPops)
}

// GetDelete deletes key and returns the value that was there, or ErrNotFound. It is one atomic step, and an OpDelete to
// hooks. The bytes are shared and must not be changed.
func (c *Cache) GetDelete(ctx context.Context, key string) ([]byte, error) {
	e, err := c.take(ctx, key, CauseDeleted)
	if err != nil {
		return nil, err
	}
	return e.Value, nil
}

// take deletes key and returns the entry that was there.
func (c *Cache) take(ctx context.Context, key string, why Cause) (*Entry, error) {
	k := c.call(OpDelete, key)
	defer c.free(k)
	k.cmd.Flags, k.cmd.cause = FlagOld, why
	if err := c.Do(ctx, &k.cmd, &k.res); err != nil {
		return nil, err
	}
	if k.res.Outcome != OutcomeHit || k.res.Entry == nil {
		return nil, ErrNotFound
	}
	return k.res.Entry, nil
}

// Peek returns the entry of key, or ErrNotFound, and leaves no trace: the statistics, the observers and, in tiers that can
// read so, the policies learn nothing, and no nearer tier gets a copy. Hooks see an OpGet with FlagQuiet.
func (c *Cache) Peek(ctx context.Context, key string) (*Entry, error) {
	return c.entry(ctx, key, FlagQuiet, 0)
}

// peek reads the tiers one after the other without a trace.
func (e *engine) peek(ctx context.Context, cmd *Command, res *Result) error {
	key, err := e.stored(cmd, cmd.Key)
	if err != nil {
		return err
	}
	res.Outcome = OutcomeMiss
	for _, t := range e.tiers {
		entry, err := t.peek(ctx, key)
		switch {
		case err == nil:
			res.Item = found(entry, t.number)
			return nil
		case !errors.Is(err, ErrNotFound) && (len(e.tiers) == 1 || !tierFailed(err)):
			return t.wrap(err)
		}
	}
	return nil
}

func (t *tier) peek(ctx context.Context, key string) (e *Entry, err error) {
	if t.peeker == nil {
		return t.get(ctx, key)
	}
	err = t.call(ctx, OpGet, func(ctx context.Context) (err error) { e, err = t.peeker.Peek(ctx, key); return err })
	return e, err
}

// Persist writes the entries of a cache that lives in memory to w, for Restore, and returns how many. It is ErrUnsupported
// unless the farthest tier is one that loses everything with the process: what nearer tiers hold are copies.
func (c *Cache) Persist(ctx context.Context, w io.Writer) (int64, error) {
	t := c.engine.authority()
	p, ok := t.Backend.(Persister)
	if !ok {
		return 0, t.wrap(fmt.Errorf("persist: %w", ErrUnsupported))
	}
	n, err := p.Persist(ctx, w)
	return n, t.wrap(err)
}

// Restore adds what Persist wrote, without what has expired or whose key is there, and returns how many entries came. The
// error of a damaged stream is ErrDecode and says where; what came whole before it is kept. It is ErrUnsupported as Persist is.
func (c *Cache) Restore(ctx context.Context, r io.Reader) (int64, error) {
	t := c.engine.authority()
	p, ok := t.Backend.(Persister)
	if !ok {
		return 0, t.wrap(fmt.Errorf("restore: %w", ErrUnsupported))
	}
	n, err := p.Restore(ctx, r)
	return n, t.wrap(err)
}
