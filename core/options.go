package core

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Options configures a Cache.
type Options struct {
	// Tiers are consulted in order, nearest first; the last is the authority: read-modify-write commands and key
	// listings happen there. At least one is required. The cache owns the backends and closes them.
	Tiers []Tier
	// Hooks and Observers are those to begin with; Cache.SetHooks replaces them later.
	Hooks     []Hook
	Observers []Observer
	// Sampler is an observer of a sample of the keys (ObserverSpec.Sample), which stays whatever SetHooks puts in place.
	// Commands on other keys are not slower for it than a hash takes, and still need no lock of ours. nil is none.
	Sampler Observer
	// Disabled are operations that are switched off to begin with; Cache.SetDisabled changes them later. AllOps makes a
	// cache that stores nothing.
	Disabled OpMask
	// TTL is what DefaultTTL means. 0 is no expiry.
	TTL time.Duration
	// Jitter is what Command.Jitter 0 means: the share, from 0 to 1, of a time to live that chance may take off.
	Jitter float32
	// KeyHash makes Event.KeyHash of a key and what the store has before it (Namespace.Prefix). It is called on the way of
	// commands, must be safe for concurrent use, and must not keep its arguments. nil is a hash that no other process has.
	KeyHash func(prefix, key string) uint64
	// MaxKey and MaxValue bound keys (with their namespace) and values in bytes; longer ones get ErrBadKey and
	// ErrTooLarge. 0 means 64 KiB and 512 MiB.
	MaxKey, MaxValue int
	// TracerProvider makes spans for commands whose context carries a recording span. nil is none.
	TracerProvider trace.TracerProvider
	// MeterProvider receives the metrics. nil is none; Cache.Stats counts all the same.
	MeterProvider metric.MeterProvider
	// LogCommands has Logger receive every command at level debug, with its key and how long it took. It costs nothing where
	// the logger is not enabled for that when the cache is made.
	LogCommands bool
	// Logger receives what goes wrong beside commands. nil discards it.
	Logger *slog.Logger
}

// Tier is a backend at a position, with its rules.
type Tier struct {
	// Name is unique among the tiers and stands in errors, spans and metrics.
	Name string
	// Backend is the store.
	Backend Backend
	// MaxTTL bounds how long a copy of a farther tier's entry may stay here. 0 is no bound. It does not apply to the
	// farthest tier.
	MaxTTL time.Duration
	// Remote says that calls leave the process: each then runs under Limits and has a span and a histogram.
	Remote bool
	// System is the store's name for telemetry's db.system.name ("redis", "memcached"). Only read if Remote.
	System string
	// Limits guard a remote tier. The zero value has defaults that suit a cache.
	Limits Limits
}

// Limits guard the calls to a remote tier.
type Limits struct {
	// Timeout bounds one call. 0 means 250 ms. One that may walk the whole store (Clear, Keys) has a hundred
	// times as long.
	Timeout time.Duration
	// MaxConcurrent bounds the calls under way; further ones wait within Timeout. 0 means 256.
	MaxConcurrent int
	// BreakerFailures is how many failures in a row, within BreakerWindow, open the breaker: calls then fail at once
	// with ErrUnavailable. 0 means 5.
	BreakerFailures int
	// BreakerWindow is how close together the failures must be. 0 means 10 s.
	BreakerWindow time.Duration
	// BreakerPause is how long the breaker first stays open before one call may probe; it doubles to 16 times that
	// with each failed probe. 0 means 500 ms.
	BreakerPause time.Duration
}

func (l Limits) withDefaults() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&l.Timeout, 250*time.Millisecond)
	def(&l.BreakerWindow, 10*time.Second)
	def(&l.BreakerPause, 500*time.Millisecond)
	if l.MaxConcurrent == 0 {
		l.MaxConcurrent = 256
	}
	if l.BreakerFailures == 0 {
		l.BreakerFailures = 5
	}
	return l
}

func (o *Options) validate() error {
	if len(o.Tiers) == 0 {
		return errors.New("core: no tiers: a cache needs at least one")
	}
	if len(o.Tiers) > maxTiers {
		return fmt.Errorf("core: %d tiers: at most %d are possible", len(o.Tiers), maxTiers)
	}
	names := make(map[string]bool)
	for i := range o.Tiers {
		t := &o.Tiers[i]
		switch {
		case t.Name == "":
			return fmt.Errorf("core: tier %d has no name", i+1)
		case names[t.Name]:
			return fmt.Errorf("core: two tiers are called %q", t.Name)
		case t.Backend == nil:
			return fmt.Errorf("core: tier %q has no backend", t.Name)
		case t.MaxTTL < 0:
			return fmt.Errorf("core: tier %q: MaxTTL %v is negative", t.Name, t.MaxTTL)
		}
		names[t.Name] = true
	}
	if o.TTL < 0 {
		return fmt.Errorf("core: TTL %v is negative: 0 is no expiry", o.TTL)
	}
	if o.Jitter < 0 || o.Jitter > 1 {
		return fmt.Errorf("core: Jitter %v is no share from 0 to 1", o.Jitter)
	}
	return nil
}

// maxTiers is what fits into Event.Result beside the outcome.
const maxTiers = 15
