package core

import (
	"context"
	"errors"
	"maps"
)

// loaderMany is a call of GetOrLoadMany.
type loaderMany[T any] struct {
	*Typed[T]
	load func(ctx context.Context, missing []string) (map[string]T, error)
	keep func(key string, v T) bool // whether to store v; nil: always
	o    LoadOptions
	more map[string]T // what load returned beyond what was asked for; written before any of the batch's loads is done
}

// GetOrLoadMany is Cache.GetOrLoadMany for values of type T.
func (t *Typed[T]) GetOrLoadMany(
	ctx context.Context, keys []string, load func(ctx context.Context, missing []string) (map[string]T, error), o LoadOptions,
) (map[string]T, error) {
	return (&loaderMany[T]{Typed: t, load: load, o: o}).get(ctx, keys)
}

func (b *loaderMany[T]) get(ctx context.Context, keys []string) (map[string]T, error) {
	values := make(map[string]T, len(keys))
	keys = unique(keys)
	missing := b.missing(ctx, keys, values)
	if len(missing) == 0 {
		return values, nil
	}
	if err := ctx.Err(); err != nil {
		return values, err
	}
	all, own := b.join(ctx, missing)
	return values, b.gather(ctx, all, own, values)
}

// miss is a key that was not found.
type miss struct {
	key, stored string
	landed      uint64
}

// missing puts what is found of keys into values and returns the others.
func (b *loaderMany[T]) missing(ctx context.Context, keys []string, values map[string]T) []miss {
	landed := make([]uint64, len(keys))
	for i, key := range keys {
		landed[i] = b.cache.engine.loaders.count(key).Load()
	}
	var seen []sight[T]
	if !b.o.NoRead {
		seen = b.lookMany(ctx, keys)
	}
	var all []miss
	for i, key := range keys {
		m := miss{key: key, landed: landed[i]}
		if seen != nil {
			if s := &seen[i]; s.known {
				if s.err == nil {
					values[key] = s.value
				}
				continue
			}
			m.stored = seen[i].stored
		}
		all = append(all, m)
	}
	return all
}

// lookMany reads keys through the pipeline.
func (t *Typed[T]) lookMany(ctx context.Context, keys []string) []sight[T] {
	seen := make([]sight[T], len(keys))
	if len(keys) == 0 {
		return seen
	}
	k := t.cache.call(OpGetMany, "")
	defer t.cache.free(k)
	k.cmd.Keys = append(k.cmd.Keys, keys...)
	if err := t.cache.Do(ctx, &k.cmd, &k.res); err != nil {
		t.cache.engine.loadTrouble(ctx, OpGetMany, err)
	}
	for i := range seen {
		seen[i] = t.sight(keys[i], &k.res.Items[i])
		if k.cmd.reached != nil {
			seen[i].stored = k.cmd.reached.prefix + k.cmd.Keys[i]
		}
	}
	return seen
}

// join joins the loads of all keys under way, and begins one for the others, which is own.
func (b *loaderMany[T]) join(ctx context.Context, missing []miss) (all, own []*loading) {
	e := b.cache.engine
	run, t := departs(ctx, b.o.Timeout)
	again := false
	for _, m := range missing {
		key := loadKey{(*T)(nil), b.cache.ns.prefix, m.key}
		if b.o.NoRead {
			own = append(own, e.alone(key, t))
			continue
		}
		f, leads := e.join(key, m.stored, t)
		if leads {
			own = append(own, f)
			again = again || e.loaders.count(m.key).Load() != m.landed
		} else {
			all = append(all, f)
			e.counters.local().loads.joined.Add(1)
		}
	}
	if len(own) == 0 {
		t.cancel()
		return all, nil
	}
	e.loads.Go(func() { b.fly(run, own, again) })
	return append(own, all...), own
}

// gather waits for all loads.
func (b *loaderMany[T]) gather(ctx context.Context, all, own []*loading, values map[string]T) (first error) {
	for i, f := range all {
		v, err := b.await(ctx, f)
		switch {
		case err == nil:
			values[f.key.key] = v
		case !errors.Is(err, ErrNotFound) && first == nil:
			first = err
		}
		if i == len(own)-1 && ctx.Err() == nil {
			maps.Copy(values, b.more)
		}
	}
	return first
}

// fly calls the loader for the loads that are its own.
func (b *loaderMany[T]) fly(ctx context.Context, own []*loading, again bool) {
	e := b.cache.engine
	defer own[0].trip.cancel()
	rest := own
	if again {
		rest = b.found(ctx, own)
	}
	if len(rest) == 0 {
		return
	}
	keys := make([]string, len(rest))
	for i, f := range rest {
		keys[i] = f.key.key
	}
	safely(func() (map[string]T, error) { return b.load(ctx, keys) }, func(values map[string]T, err error) {
		e.countLoad(err)
		e.loaders.arrived(own[0].trip)
		b.bring(context.WithoutCancel(ctx), rest, values, err)
	})
}

// found looks for the keys once more, and returns the loads that are not over with that.
func (b *loaderMany[T]) found(ctx context.Context, own []*loading) (rest []*loading) {
	keys := make([]string, len(own))
	for i, f := range own {
		keys[i] = f.key.key
	}
	for i, s := range b.lookMany(ctx, keys) {
		if !s.known {
			rest = append(rest, own[i])
			continue
		}
		own[i].value, own[i].err = &s.value, s.err
		b.cache.engine.end(own[i])
	}
	return rest
}

// bring hands out what the loader returned and stores it.
func (b *loaderMany[T]) bring(ctx context.Context, own []*loading, values map[string]T, err error) {
	var present, absent writes
	asked := make(map[string]bool, len(own))
	for _, f := range own {
		asked[f.key.key] = true
		v, ok := values[f.key.key]
		switch f.value = &v; {
		case err != nil:
			f.err = err
		case ok:
			f.data = b.add(ctx, &present, f.key.key, f.mark, v)
		default:
			f.err = ErrNotFound
			absent.add(f.key.key, nil, f.mark)
		}
	}
	for key, v := range values {
		if err == nil && !asked[key] {
			if b.more == nil {
				b.more = make(map[string]T)
			}
			b.more[key] = v
			b.add(ctx, &present, key, nil, v)
		}
	}
	b.cache.engine.writeBehind(b.o.Background, own, func() {
		b.store(ctx, &present, b.entryOptions(b.o.EntryOptions))
		if b.o.NegativeTTL > 0 {
			b.store(ctx, &absent, b.o.absence())
		}
	})
}

// writes are the keys of a load that are to be stored together.
type writes struct {
	keys  []string
	data  [][]byte
	marks []*mark
}

func (w *writes) add(key string, data []byte, m *mark) {
	w.keys, w.data, w.marks = append(w.keys, key), append(w.data, data), append(w.marks, m)
}

// add puts v among the writes, if it is to be stored, and returns its bytes.
func (b *loaderMany[T]) add(ctx context.Context, w *writes, key string, m *mark, v T) []byte {
	if b.o.NoWrite || b.keep != nil && !b.keep(key, v) {
		return nil
	}
	data, err := b.encode(key, &v)
	if err != nil {
		b.cache.engine.loadTrouble(ctx, OpSetMany, err)
		return nil
	}
	w.add(key, data, m)
	return data
}

func (b *loaderMany[T]) store(ctx context.Context, w *writes, o EntryOptions) {
	if len(w.keys) == 0 || b.o.NoWrite {
		return
	}
	k := b.cache.call(OpSetMany, "").options(o)
	defer b.cache.free(k)
	k.cmd.Keys, k.cmd.Values = append(k.cmd.Keys, w.keys...), append(k.cmd.Values, w.data...)
	k.cmd.marks = w.marks
	if err := b.cache.Do(ctx, &k.cmd, &k.res); err != nil {
		b.cache.engine.loadTrouble(ctx, OpSetMany, err)
	}
}
