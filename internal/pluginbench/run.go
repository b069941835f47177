package pluginbench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
)

// run is a measurement under way.
type run struct {
	options  Options
	manifest *hostabi.Manifest
	dir      string // for compiled code
	res      *Result
}

// loads times two loads, the second of which finds compiled code.
func (r *run) loads(ctx context.Context) (err error) {
	if r.res.LoadCold, err = r.loadOnce(ctx); err != nil {
		return err
	}
	r.res.LoadWarm, err = r.loadOnce(ctx)
	return err
}

func (r *run) loadOnce(ctx context.Context) (took time.Duration, err error) {
	err = r.with(ctx, plugins.HostOptions{CacheDir: r.dir}, r.options.Source, func(p *plugins.Plugin, loading time.Duration) error {
		took = loading
		if s := p.Stats(); s.Instances > 0 {
			r.res.InstanceBytes = s.MemoryBytes / uint64(s.Instances)
		}
		return nil
	})
	return took, err
}

// with calls fn with a plugin of a host of its own, and how long it took to load.
func (r *run) with(
	ctx context.Context, o plugins.HostOptions, src plugins.Source, fn func(*plugins.Plugin, time.Duration) error,
) (err error) {
	host, err := plugins.NewHost(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close(ctx)) }()
	begun := time.Now()
	p, err := host.Load(ctx, src)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	if err := fn(p, took); err != nil {
		return err
	}
	if failed := p.Stats().Failures; len(failed) > 0 {
		return fmt.Errorf("plugin %s fails: %v: run its scenario (edgecache plugin test) to see how", p.Name(), failed)
	}
	return nil
}

// metered measures the plugin as it would run.
func (r *run) metered(ctx context.Context) error {
	src, err := impure(r.options.Source, r.manifest)
	if err != nil {
		return err
	}
	o := plugins.HostOptions{CacheDir: r.dir}
	err = r.with(ctx, o, src, func(p *plugins.Plugin, _ time.Duration) error {
		return r.eachHook(p, func(name string, hook core.Hook) error {
			h, err := r.hook(ctx, p, name, hook)
			r.res.Hooks = append(r.res.Hooks, h)
			return err
		})
	})
	if err != nil || !r.manifest.Pure {
		return err
	}
	return r.with(ctx, o, r.options.Source, func(p *plugins.Plugin, _ time.Duration) error {
		h, err := r.hook(ctx, p, "remembered", only{p.Hook(), hostabi.HookBefore})
		r.res.Hooks = append(r.res.Hooks, h)
		return err
	})
}

// unmetered measures the plugin without fuel and watchdog. It has just been seen to come to its ends.
func (r *run) unmetered(ctx context.Context) error {
	src, err := impure(r.options.Source, r.manifest)
	if err != nil {
		return err
	}
	return r.with(ctx, plugins.HostOptions{CacheDir: r.dir, Unmetered: true}, src, func(p *plugins.Plugin, _ time.Duration) error {
		return r.eachHook(p, func(name string, hook core.Hook) error {
			for i := range r.res.Hooks {
				if r.res.Hooks[i].Hook == name {
					ns, err := r.pace(ctx, p, name, hook)
					r.res.Hooks[i].Unmetered = ns
					return err
				}
			}
			return nil
		})
	})
}

// eachHook calls fn with each hook of the plugin alone. That of an observer is nil.
func (r *run) eachHook(p *plugins.Plugin, fn func(name string, hook core.Hook) error) error {
	for _, name := range r.manifest.Hooks {
		var hook core.Hook
		if name != hostabi.HookObserve {
			hook = only{p.Hook(), name}
		}
		if err := fn(name, hook); err != nil {
			return err
		}
	}
	return nil
}

// only is one hook of a plugin that may have two.
type only struct {
	core.Hook
	name string
}

func (o only) Spec() core.HookSpec {
	s := o.Hook.Spec()
	if o.name == hostabi.HookBefore {
		s.After = 0
	} else {
		s.Before = 0
	}
	return s
}

// settle answers every command, so that what is measured is the hooks before it and their chain.
type settle struct{ entry *core.Entry }

func (settle) Spec() core.HookSpec {
	return core.HookSpec{Name: "(settle)", Before: core.AllOps}
}

func (s settle) Before(_ context.Context, cmd *core.Command, res *core.Result) error {
	res.Outcome = core.OutcomeStored
	if cmd.Op == core.OpGet {
		res.Outcome, res.Entry = core.OutcomeHit, s.entry
	}
	return nil
}

func (settle) After(context.Context, *core.Command, *core.Result) error { return nil }

// subject runs commands through hooks and no further. It is not safe for concurrent use.
type subject struct {
	cache   *core.Cache
	op      core.Op
	keys    []string
	value   []byte
	next    int
	done    int
	refused int
	cmd     core.Command
	res     core.Result
}

func (r *run) subject(hooks ...core.Hook) (*subject, error) {
	near, err := memory.New(memory.Options{})
	if err != nil {
		return nil, err
	}
	value := make([]byte, r.options.ValueSize)
	c, err := core.New(core.Options{
		Tiers: []core.Tier{{Name: "memory", Backend: near}},
		Hooks: append(hooks, settle{&core.Entry{Value: value}}),
	})
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	return &subject{cache: c, op: r.options.Op, keys: r.options.Keys, value: value}, nil
}

// do runs the next command.
func (s *subject) do(ctx context.Context) {
	s.cmd.Op, s.cmd.Key, s.cmd.Namespace, s.cmd.TTL = s.op, s.keys[s.next], nil, 0
	if s.cmd.Op != core.OpGet {
		s.cmd.Value = s.value
	}
	if s.next++; s.next == len(s.keys) {
		s.next = 0
	}
	s.done++
	if err := s.cache.Do(ctx, &s.cmd, &s.res); err != nil {
		s.refused++
	}
}
