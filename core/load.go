package core

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/edgecache/edgecache/core/codec"
)

// LoadOptions are the options of a read that loads what it misses. The zero value means the cache's defaults.
type LoadOptions struct {
	// EntryOptions are those of the loaded value's write. Codec and Decoded are the Typed's own.
	EntryOptions
	// NegativeTTL is how long it is remembered that a loader has returned ErrNotFound, and not asked again. Reads miss
	// such a key; Exists, TTL, Replace and Delete may take it for one that is there. 0 remembers nothing.
	NegativeTTL time.Duration
	// Timeout bounds a call of the loader, which then goes on for so long even if nobody waits for it any more, so that
	// the next caller finds the value. 0 is no bound: the loader's context ends with the last of those that wait.
	Timeout time.Duration
	// Lease, if positive, lets one process at a time call the loader of a key. The others wait for its value, for the
	// lease at most, and then load for themselves. It takes round trips to the farthest tier.
	Lease time.Duration
	// NoRead loads whatever the cache has, and NoWrite does not keep what was loaded.
	NoRead, NoWrite bool
	// Background hands the loaded value out before it is written. Close waits for the write.
	Background bool
}

// GetOrLoad returns the value of key, or what load makes of it, which it stores. The bytes are shared and must not be
// changed; load must not use those that it returned any more.
//
// All who miss a key meanwhile wait for one call of load, each under its own context, and get its value or its error. The
// call has a context of its own (LoadOptions.Timeout) with the values of the first caller's. A panic in it is a *PanicError
// for all of them. A value is not stored where the key was written or deleted since load was called.
//
// A cache that fails is no failure here: that is logged and counted (LoadStats), and load is called.
func (c *Cache) GetOrLoad(
	ctx context.Context, key string, load func(ctx context.Context, key string) ([]byte, error), o LoadOptions,
) ([]byte, error) {
	miss := errSlow
	if !o.NoRead {
		var e *Entry
		if e, miss = c.quickGet(ctx, key); miss == nil {
			return e.Value, nil
		}
	}
	return (&loader[[]byte]{Typed: c.plain(), key: key, load: load, o: o, missed: miss != errSlow}).get(ctx) //nolint:errorlint // a marker
}

// GetOrLoadMany returns the values of keys, of which load makes those that are missing, in one call for all that no one
// else is loading. It otherwise does as GetOrLoad does, but for the lease, which it does not take. Keys that load leaves
// out are absent from the result; those that nobody asked for are stored and returned with the others.
func (c *Cache) GetOrLoadMany(
	ctx context.Context, keys []string, load func(ctx context.Context, missing []string) (map[string][]byte, error), o LoadOptions,
) (map[string][]byte, error) {
	return c.plain().GetOrLoadMany(ctx, keys, load, o)
}

// plain is the cache's bytes as they are, shared.
func (c *Cache) plain() *Typed[[]byte] {
	return &Typed[[]byte]{cache: c, codec: shared{}, id: codec.IDBytes}
}

// shared is the codec of bytes that are neither copied nor told apart by codec.
type shared struct{ codec.Bytes }

func (shared) Accepts(uint8) bool { return true }

func (shared) Append(_ []byte, v any) ([]byte, error) { return *v.(*[]byte), nil }

func (shared) Decode(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

// loader is a call of GetOrLoad.
type loader[T any] struct {
	*Typed[T]
	key  string
	load func(ctx context.Context, key string) (T, error)
	keep func(v T) bool // whether to store v; nil: always
	o    LoadOptions

	missed bool   // quickGet has looked, in the one tier that there is
	bad    *Entry // what it found there and could not be decoded
}

// GetOrLoad is Cache.GetOrLoad for a value of type T. Those who waited for one call of load share what it returned,
// unless TypedOptions.AutoClone is set.
func (t *Typed[T]) GetOrLoad(
	ctx context.Context, key string, load func(ctx context.Context, key string) (T, error), o LoadOptions,
) (T, error) {
	v, bad, miss := t.quick(ctx, key, o.NoRead)
	if miss == nil {
		return v, nil
	}
	return (&loader[T]{Typed: t, key: key, load: load, o: o, missed: miss != errSlow, bad: bad}).get(ctx) //nolint:errorlint // a marker
}

// quick reads what the nearest tier can answer alone. miss is nil for a hit, and errSlow where that must be asked anew.
func (t *Typed[T]) quick(ctx context.Context, key string, noRead bool) (v T, bad *Entry, miss error) {
	if noRead {
		return v, nil, errSlow
	}
	e, miss := t.cache.quickGet(ctx, key)
	if miss != nil {
		return v, nil, miss
	}
	if k := t.kept(e); k != nil {
		return k.value, nil, nil
	}
	v, miss = t.Decode(key, e)
	return v, e, miss
}

// first looks for the key before it is loaded.
func (l *loader[T]) first(ctx context.Context) sight[T] {
	if !l.missed {
		return l.look(ctx, l.key)
	}
	// Counted already. Another load may have ended since.
	if e, err := l.cache.engine.near.Get(ctx, l.key); err == nil && e != l.bad && !e.absent() {
		return l.sight(l.key, &Item{Outcome: OutcomeHit, Entry: e})
	}
	return sight[T]{stored: l.key}
}

func (l *loader[T]) get(ctx context.Context) (v T, err error) {
	e := l.cache.engine
	key := loadKey{(*T)(nil), l.cache.ns.prefix, l.key}
	landed := e.loaders.count(l.key).Load()
	var s sight[T]
	if !l.o.NoRead {
		if s = l.first(ctx); s.known {
			return s.value, s.err
		}
	}
	if err := ctx.Err(); err != nil {
		return v, err
	}
	run, t := l.depart(ctx)
	if l.o.NoRead {
		f := e.alone(key, t)
		l.start(ctx, func() { l.fly(run, f, false) })
		return l.await(ctx, f)
	}
	f, leads := e.join(key, s.stored, t)
	if !leads {
		t.cancel()
		e.counters.local().loads.joined.Add(1)
		return l.await(ctx, f)
	}
	again := e.loaders.count(l.key).Load() != landed
	l.start(ctx, func() { l.fly(run, f, again) })
	return l.await(ctx, f)
}

// start runs fly: on a goroutine of its own where the caller may go away before it ends.
func (l *loader[T]) start(ctx context.Context, fly func()) {
	if ctx.Done() == nil && !l.o.Background {
		fly()
		return
	}
	l.cache.engine.loads.Go(fly)
}

// depart returns the context of a call of the loader.
func (l *loader[T]) depart(ctx context.Context) (context.Context, *trip) {
	return departs(ctx, l.o.Timeout)
}

func departs(ctx context.Context, timeout time.Duration) (context.Context, *trip) {
	ctx = context.WithoutCancel(ctx)
	t := &trip{stays: timeout > 0}
	if t.stays {
		ctx, t.cancel = context.WithTimeout(ctx, timeout)
	} else {
		ctx, t.cancel = context.WithCancel(ctx)
	}
	return ctx, t
}

// await waits for the load and returns the caller's own view of what it brought.
func (t *Typed[T]) await(ctx context.Context, f *loading) (v T, err error) {
	if err := t.cache.engine.wait(ctx, f); err != nil {
		return v, err
	}
	if f.err != nil {
		return v, f.err
	}
	return t.own(f), nil
}

// own returns what a load brought: shared, or the caller's own where AutoClone asks for it and there are bytes to make it
// from.
func (t *Typed[T]) own(f *loading) T {
	v := *f.value.(*T)
	switch {
	case !t.clone:
	case t.cloner != nil:
		return t.cloner(v)
	case f.data != nil:
		var c T
		if codec.DecodeFor(t.codec, f.data, t.bound(f.key.key), &c) == nil {
			return c
		}
	}
	return v
}

// fly is the leader's part. again says that another load of the key may have ended since the leader has missed it.
func (l *loader[T]) fly(ctx context.Context, f *loading, again bool) {
	e := l.cache.engine
	defer f.trip.cancel()
	if again && l.found(ctx, f) {
		e.end(f)
		return
	}
	if l.o.Lease > 0 && !l.o.NoRead {
		release, found := l.lease(ctx, f)
		if found {
			e.end(f)
			return
		}
		defer release(context.WithoutCancel(ctx))
	}
	safely(func() (T, error) { return l.load(ctx, l.key) }, func(v T, err error) {
		e.countLoad(err)
		e.loaders.arrived(f.trip)
		l.bring(context.WithoutCancel(ctx), f, v, err)
	})
}

// found looks for the key once more, and reports whether the load is over with that.
func (l *loader[T]) found(ctx context.Context, f *loading) bool {
	s := l.look(ctx, l.key)
	f.value, f.err = &s.value, s.err
	if s.entry != nil {
		f.data = s.entry.Value
	}
	return s.known
}

// bring hands out what the loader returned and stores it.
func (l *loader[T]) bring(ctx context.Context, f *loading, v T, err error) {
	f.value, f.err = &v, err
	var write func()
	switch {
	case l.o.NoWrite:
	case err == nil && (l.keep == nil || l.keep(v)):
		write = l.storing(ctx, f, v)
	case errors.Is(err, ErrNotFound) && l.o.NegativeTTL > 0:
		write = func() { l.store(ctx, f, nil, l.o.absence()) }
	}
	if write == nil {
		l.cache.engine.end(f)
		return
	}
	l.cache.engine.writeBehind(l.o.Background, []*loading{f}, write)
}

// storing encodes v and returns what stores it, or nil where it has no bytes.
func (l *loader[T]) storing(ctx context.Context, f *loading, v T) func() {
	data, err := l.encode(l.key, &v)
	if err != nil {
		l.cache.engine.loadTrouble(ctx, OpSet, err)
		return nil
	}
	f.data = data
	return func() { l.store(ctx, f, data, l.entryOptions(l.o.EntryOptions)) }
}

func (l *loader[T]) store(ctx context.Context, f *loading, data []byte, o EntryOptions) {
	k := l.cache.call(OpSet, l.key).options(o)
	defer l.cache.free(k)
	k.cmd.Value = data
	if f.mark != nil {
		k.cmd.marks = []*mark{f.mark}
	}
	if err := l.cache.Do(ctx, &k.cmd, &k.res); err != nil {
		l.cache.engine.loadTrouble(ctx, OpSet, err)
	}
}

// absence are the options of an entry that remembers that there is no value.
func (o *LoadOptions) absence() EntryOptions {
	return EntryOptions{TTL: o.NegativeTTL, Jitter: o.Jitter, Codec: codec.IDAbsent}
}

// sight is what a look at a key has brought.
type sight[T any] struct {
	value  T
	err    error  // if known: nil where value is there, ErrNotFound where it is remembered that there is none
	entry  *Entry // of value
	known  bool   // there is no need to load
	stored string // the key as the tiers have it, "" where they were not asked
}

// look reads key through the pipeline.
func (t *Typed[T]) look(ctx context.Context, key string) sight[T] {
	k := t.cache.call(OpGet, key)
	defer t.cache.free(k)
	if err := t.cache.Do(ctx, &k.cmd, &k.res); err != nil {
		t.cache.engine.loadTrouble(ctx, OpGet, err)
	}
	s := t.sight(key, &k.res.Item)
	if k.cmd.reached != nil {
		s.stored = k.cmd.reached.prefix + k.cmd.Key
	}
	return s
}

// sight reads what a command has brought for key.
func (t *Typed[T]) sight(key string, item *Item) (s sight[T]) {
	switch {
	case item.Outcome == OutcomeHit:
		s.entry = item.Entry
		s.value, s.err = t.Decode(key, s.entry)
		s.known = s.err == nil
	case item.Outcome == OutcomeMiss && item.Tier != 0: // a tier has answered that there is none
		s.err, s.known = ErrNotFound, true
	}
	return s
}

// loadTrouble notes that the cache has failed a load, which goes on without it.
func (e *engine) loadTrouble(ctx context.Context, op Op, err error) {
	if ctx.Err() != nil {
		return // the caller has gone: nobody's failure
	}
	e.counters.local().loads.troubles.Add(1)
	cause := err
	if oe, ok := errors.AsType[*OpError](err); ok {
		cause = oe.Err // without the key
	}
	e.logger.LogAttrs(ctx, slog.LevelWarn, "cache failed, load goes on without it",
		slog.String("op", op.String()), slog.String("error", cause.Error()))
}

func (e *engine) countLoad(err error) {
	s := e.counters.local()
	s.loads.calls.Add(1)
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.loads.failures.Add(1)
	}
}

// unique returns keys without doubles.
func unique(keys []string) []string {
	seen := make(map[string]bool, len(keys))
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
		twice := seen[k]
		seen[k] = true
		return twice
	})
}
