package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// walkFactor is how much longer than others a call may take that walks the whole store.
const walkFactor = 100

// tier is a Tier at work: its backend's abilities looked up once, and one way, call, for whatever leaves the process.
type tier struct {
	Tier
	number uint8 // from 1, the nearest
	guard  *guard

	updater     Updater
	counter     Counter
	conditional ConditionalSetter
	expirer     Expirer
	expiries    ExpiryReader
	batchGet    BatchGetter
	batchSet    BatchSetter
	batchDelete BatchDeleter
	scanner     Scanner
	clearer     Clearer
	ranges      RangeDeleter
	peeker      Peeker
	opener      ValueOpener // nil for a remote tier

	tracer    trace.Tracer // nil: no spans
	spanStart []trace.SpanStartOption
	duration  metric.Float64Histogram // nil: none
	durations [opCount]metric.MeasurementOption
}

func newTier(t Tier, number int) *tier {
	w := &tier{Tier: t, number: uint8(number)}
	if t.Remote {
		w.guard = newGuard(t.Limits)
	}
	w.updater, _ = t.Backend.(Updater)
	w.counter, _ = t.Backend.(Counter)
	w.conditional, _ = t.Backend.(ConditionalSetter)
	w.expirer, _ = t.Backend.(Expirer)
	w.expiries, _ = t.Backend.(ExpiryReader)
	w.batchGet, _ = t.Backend.(BatchGetter)
	w.batchSet, _ = t.Backend.(BatchSetter)
	w.batchDelete, _ = t.Backend.(BatchDeleter)
	w.scanner, _ = t.Backend.(Scanner)
	w.clearer, _ = t.Backend.(Clearer)
	w.ranges, _ = t.Backend.(RangeDeleter)
	w.peeker, _ = t.Backend.(Peeker)
	if !t.Remote {
		w.opener, _ = t.Backend.(ValueOpener)
	}
	return w
}

// call runs fn, which calls the backend once. A remote tier's runs under its guard, with a span where the command has
// one.
func (t *tier) call(ctx context.Context, op Op, fn func(context.Context) error) error {
	if t.guard == nil {
		return fn(ctx)
	}
	if t.tracer != nil {
		if parent := trace.SpanFromContext(ctx); parent.IsRecording() {
			return t.callTraced(ctx, op, fn)
		}
	}
	return t.callTimed(ctx, op, fn)
}

func (t *tier) callTimed(ctx context.Context, op Op, fn func(context.Context) error) error {
	timeout := t.guard.limits.Timeout
	if op == OpClear || op == OpKeys {
		timeout *= walkFactor
	}
	if t.duration == nil {
		return t.guard.do(ctx, timeout, fn)
	}
	start := Clock()
	err := t.guard.do(ctx, timeout, fn)
	t.duration.Record(ctx, time.Duration(Clock()-start).Seconds(), t.durations[op])
	return err
}

func (t *tier) callTraced(ctx context.Context, op Op, fn func(context.Context) error) error {
	ctx, span := t.tracer.Start(ctx, "tier "+t.Name, t.spanStart...)
	defer span.End()
	err := t.callTimed(ctx, op, fn)
	endTierSpan(span, op, err)
	return err
}

// wrap says which tier an error comes from. What is no failure stays as it is.
func (t *tier) wrap(err error) error {
	if err == nil || err == ErrNotFound || err == ErrExists { //nolint:errorlint // only the bare sentinels are spared
		return err
	}
	return &tierError{tier: t.Name, err: err}
}

// tierError carries the tier's name up to where the OpError is made.
type tierError struct {
	tier string
	err  error
}

func (e *tierError) Error() string { return "tier " + e.tier + ": " + e.err.Error() }
func (e *tierError) Unwrap() error { return e.err }

// get returns the entry, ErrNotFound, or what went wrong.
func (t *tier) get(ctx context.Context, key string) (*Entry, error) {
	if t.guard == nil {
		return t.Backend.Get(ctx, key)
	}
	var e *Entry
	err := t.call(ctx, OpGet, func(ctx context.Context) (err error) {
		e, err = t.Backend.Get(ctx, key)
		return err
	})
	return e, err
}

// getMany fills out[i] with the entry of keys[i].
func (t *tier) getMany(ctx context.Context, keys []string, out []*Entry) error {
	return t.call(ctx, OpGetMany, func(ctx context.Context) error {
		if t.batchGet != nil {
			return t.batchGet.GetMany(ctx, keys, out)
		}
		for i, key := range keys {
			e, err := t.Backend.Get(ctx, key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			out[i] = e
		}
		return nil
	})
}

// expiry returns when the key's entry ends, reading the value only if the store knows no other way.
func (t *tier) expiry(ctx context.Context, key string) (expires int64, err error) {
	err = t.call(ctx, OpTTL, func(ctx context.Context) error {
		if t.expiries != nil {
			expires, err = t.expiries.Expiry(ctx, key)
			return err
		}
		read := t.Backend.Get
		if t.peeker != nil {
			read = t.peeker.Peek
		}
		e, err := read(ctx, key)
		switch {
		case err != nil:
			return err
		case e.absent():
			return ErrNotFound
		}
		expires = e.Expires
		return nil
	})
	return expires, err
}

func (t *tier) set(ctx context.Context, key string, e *Entry) error {
	if t.guard == nil {
		return t.Backend.Set(ctx, key, e)
	}
	return t.call(ctx, OpSet, func(ctx context.Context) error { return t.Backend.Set(ctx, key, e) })
}

// setIf stores e if the condition holds, and returns its error if not.
func (t *tier) setIf(ctx context.Context, key string, e *Entry, cond Condition) error {
	if t.conditional != nil {
		return t.call(ctx, OpAdd, func(ctx context.Context) error { return t.conditional.SetIf(ctx, key, e, cond) })
	}
	_, err := t.update(ctx, OpAdd, key, func(old *Entry) (*Entry, error) {
		return e, cond.Check(old)
	})
	return err
}

// setMany stores entries[i] at keys[i] and leaves in errs[i] what went wrong with it.
func (t *tier) setMany(ctx context.Context, keys []string, entries []*Entry, errs []error) error {
	return t.call(ctx, OpSetMany, func(ctx context.Context) error {
		if t.batchSet != nil {
			return t.batchSet.SetMany(ctx, keys, entries, errs)
		}
		for i, key := range keys {
			errs[i] = t.Backend.Set(ctx, key, entries[i])
		}
		return nil
	})
}

// update changes one entry atomically.
func (t *tier) update(ctx context.Context, op Op, key string, fn func(*Entry) (*Entry, error)) (*Entry, error) {
	if t.updater == nil {
		return nil, fmt.Errorf("%s: %w", op, ErrUnsupported)
	}
	var e *Entry
	err := t.call(ctx, op, func(ctx context.Context) (err error) {
		e, err = t.updater.Update(ctx, key, fn)
		return err
	})
	return e, err
}

func (t *tier) delete(ctx context.Context, key string) (found bool, err error) {
	err = t.call(ctx, OpDelete, func(ctx context.Context) error {
		found, err = t.Backend.Delete(ctx, key)
		return err
	})
	return found, err
}

// deleteMany sets found[i] where keys[i] was there.
func (t *tier) deleteMany(ctx context.Context, keys []string, found []bool) error {
	return t.call(ctx, OpDeleteMany, func(ctx context.Context) (err error) {
		if t.batchDelete != nil {
			return t.batchDelete.DeleteMany(ctx, keys, found)
		}
		for i, key := range keys {
			if found[i], err = t.Backend.Delete(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// clear removes all keys with the prefix. Where the store can only do so key by key, each page is a call of its own.
func (t *tier) clear(ctx context.Context, prefix string) error {
	if t.clearer != nil {
		return t.call(ctx, OpClear, func(ctx context.Context) error { return t.clearer.Clear(ctx, prefix) })
	}
	if t.scanner == nil {
		return fmt.Errorf("clear: %w", ErrUnsupported)
	}
	for cursor := uint64(0); ; {
		keys, next, err := t.scan(ctx, cursor, prefix, "", 512)
		if err == nil {
			err = t.deleteMany(ctx, keys, make([]bool, len(keys)))
		}
		if err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

// deleteRange removes all keys with the prefix, by a store that can.
func (t *tier) deleteRange(ctx context.Context, prefix string) (n int64, err error) {
	from, to := PrefixRange(prefix)
	err = t.call(ctx, OpClear, func(ctx context.Context) error {
		n, err = t.ranges.DeleteRange(ctx, from, to)
		return err
	})
	return n, t.wrap(err)
}

func (t *tier) scan(ctx context.Context, cursor uint64, prefix, match string, count int) (keys []string, next uint64, err error) {
	if t.scanner == nil {
		return nil, 0, fmt.Errorf("keys: %w", ErrUnsupported)
	}
	err = t.call(ctx, OpKeys, func(ctx context.Context) error {
		keys, next, err = t.scanner.Scan(ctx, cursor, prefix, match, count)
		return err
	})
	return keys, next, err
}

// snapshot returns what the tier itself has counted; the engine adds the lookups.
func (t *tier) snapshot() TierStats {
	s := TierStats{Name: t.Name, Entries: -1, Bytes: -1}
	if t.guard != nil {
		s.Failures = t.guard.failures.Load()
		s.Breaker = t.guard.breaker.state(Clock())
	}
	if b, ok := t.Backend.(Sizer); ok {
		s.Entries, s.Bytes = b.Size()
	}
	if b, ok := t.Backend.(EvictionCounter); ok {
		s.Evictions = b.Evictions()
	}
	if b, ok := t.Backend.(PolicyNamer); ok {
		name, failure := b.EvictionPolicy()
		if s.Policy = name; failure != nil {
			s.PolicyError = failure.Error()
		}
	}
	if b, ok := t.Backend.(DecodeErrorCounter); ok {
		s.DecodeErrors = b.DecodeErrors()
	}
	return s
}
