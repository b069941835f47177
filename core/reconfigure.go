package core

import (
	"context"
	"fmt"
	"time"
)

// Change is what Cache.Reconfigure changes. The zero value changes nothing.
type Change struct {
	// TTL is what DefaultTTL means from now on: a positive duration, or NoExpiry. 0 leaves it. Entries that are there keep
	// the expiry they have.
	TTL time.Duration
	// Jitter is what Command.Jitter 0 means from now on: a share from 0 to 1, or a negative one for none. 0 leaves it.
	Jitter float32
	// MaxBytes is the new bound of the nearest store that can change its own (Bounder). 0 leaves it.
	MaxBytes int64
	// Policy is what that store evicts by from now on, by name. "" leaves it.
	Policy string
}

// Bounder is a store whose bounds change while it works.
type Bounder interface {
	// SetBounds sets the bound in bytes, unless it is 0, and the policy of eviction, unless it is "". What no longer fits is
	// evicted, nothing else is lost. It changes both or, with an error, none: ErrUnsupported where the store has no choice of
	// policies.
	SetBounds(ctx context.Context, maxBytes int64, policy string) error
}

// defaults is what commands get that don't say otherwise.
type defaults struct {
	ttl    time.Duration // positive, or NoExpiry
	jitter float32
}

// Reconfigure changes the cache at work, for all its namespaces. It is safe under traffic; changes come one after the
// other. With an error nothing has changed.
func (c *Cache) Reconfigure(ctx context.Context, ch Change) error {
	if err := ch.validate(); err != nil {
		return err
	}
	e := c.engine
	e.changing.Lock()
	defer e.changing.Unlock()
	if ch.MaxBytes != 0 || ch.Policy != "" {
		if err := e.reconfigureStore(ctx, ch); err != nil {
			return err
		}
	}
	d := *e.defaults.Load()
	d.ttl, d.jitter = orElse(ch.TTL, d.ttl), orElse(ch.Jitter, d.jitter)
	e.defaults.Store(&d)
	return nil
}

func (ch *Change) validate() error {
	switch {
	case ch.TTL < 0 && ch.TTL != NoExpiry:
		return fmt.Errorf("core: reconfigure: %w: TTL %v is negative: NoExpiry is none", ErrBadTTL, ch.TTL)
	case ch.Jitter > 1:
		return fmt.Errorf("core: reconfigure: Jitter %v is no share from 0 to 1", ch.Jitter)
	case ch.MaxBytes < 0:
		return fmt.Errorf("core: reconfigure: MaxBytes %d is negative", ch.MaxBytes)
	}
	return nil
}

// reconfigureStore hands the change to the nearest store that takes it.
func (e *engine) reconfigureStore(ctx context.Context, ch Change) error {
	for _, t := range e.tiers {
		if b, ok := t.Backend.(Bounder); ok {
			return t.wrap(t.call(ctx, OpNone, func(ctx context.Context) error {
				return b.SetBounds(ctx, ch.MaxBytes, ch.Policy)
			}))
		}
	}
	return fmt.Errorf("core: reconfigure: %w: no tier can change its size or policy", ErrUnsupported)
}
