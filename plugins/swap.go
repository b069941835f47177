package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// Swap puts another version in the plugin's place, under traffic: the new one is loaded, set up, and called in the shadow
// for keys that the plugin was called for lately; then commands go to it, and the old one ends. If it does not load, or
// fails in the shadow, everything stays as it is. It must want the same hooks, operations and capabilities, since the
// cache has asked for them once: else it is ErrOtherWants, and has to be loaded as another plugin. A source equal to the one in place changes nothing.
//
// If the new version fails so often within a minute that its breaker opens, the old one comes back by itself.
//
// Statistics go on if their columns are the same, else they begin anew.
func (p *Plugin) Swap(ctx context.Context, src Source) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.current.Load()
	if old == nil {
		return p.wrap(errClosed)
	}
	if old.sum == src.sum() {
		return nil
	}
	if err := p.replace(ctx, old, &src, p.samples.list()); err != nil {
		return err
	}
	p.last = old.source
	p.log(slog.LevelInfo, "plugin replaced", slog.String("version", src.version()))
	return nil
}

// Rollback puts the version in place again that the last Swap has replaced; after that there is none to go back to. It
// is an error where there was no Swap.
func (p *Plugin) Rollback(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rollback(ctx, p.current.Load())
}

func (p *Plugin) rollback(ctx context.Context, old *version) error {
	switch {
	case old == nil:
		return p.wrap(errClosed)
	case p.last == nil:
		return p.wrap(errors.New("there is no version to go back to"))
	}
	if err := p.replace(ctx, old, p.last, nil); err != nil {
		return err
	}
	p.rollbacks.Add(1)
	p.log(slog.LevelWarn, "plugin rolled back", slog.String("version", p.last.version()))
	p.last = nil
	return nil
}

// probation is how long after a Swap failures bring the old version back.
const probation = time.Minute

// regret rolls a plugin back whose version v is new and fails too often.
func (p *Plugin) regret(v *version) {
	if !v.swapped || core.Clock()-v.begun > int64(probation) {
		return
	}
	p.regrets.Go(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if v != p.current.Load() || p.last == nil {
			return
		}
		if err := p.rollback(context.Background(), v); err != nil {
			p.log(slog.LevelError, "plugin can't be rolled back", slog.Any("error", err))
		}
	})
}

// replace loads a version and puts it in the place of old. Plugin.mu is held.
func (p *Plugin) replace(ctx context.Context, old *version, src *Source, shadow []sample) error {
	v, err := p.load(ctx, src)
	if err != nil {
		return p.wrap(err)
	}
	err = sameWants(old.manifest, v.manifest)
	if err == nil {
		err = v.rehearse(shadow)
	}
	if err != nil {
		return p.wrap(errors.Join(err, v.retire(hostabi.NewStatTable(v.manifest.Stats), &callTotals{})))
	}
	v.swapped, v.begun = true, core.Clock()
	p.put(v, src)
	err = old.retire(p.base, &p.gone)
	if !slices.EqualFunc(old.manifest.Stats, v.manifest.Stats, hostabi.Stat.Equal) {
		p.base = hostabi.NewStatTable(v.manifest.Stats)
	}
	p.swaps.Add(1)
	return err
}

// put makes v the version in place.
func (p *Plugin) put(v *version, src *Source) {
	p.failClosed.Store(src.failure(v.manifest) == hostabi.FailClosed)
	p.kv.limit(src.Grants)
	p.current.Store(v)
}

// sameWants reports what a new version wants otherwise than the old one.
func sameWants(old, v *hostabi.Manifest) error {
	for _, f := range []struct {
		field string
		a, b  []string
	}{{"hooks", old.Hooks, v.Hooks}, {"phases", old.Phases, v.Phases}, {"ops", old.Ops, v.Ops}, {"needs", old.Needs, v.Needs}} {
		a, b := slices.Sorted(slices.Values(f.a)), slices.Sorted(slices.Values(f.b))
		if !slices.Equal(a, b) {
			return fmt.Errorf("manifest: %s %q, and %q before: %w", f.field, b, a, ErrOtherWants)
		}
	}
	if old.Lossy != v.Lossy {
		return fmt.Errorf("manifest: lossy is %v, and was not before: %w", v.Lossy, ErrOtherWants)
	}
	return sameHTTP(old, v)
}

// sample is a key that hooks were called for; of hooks of HTTP, a frame in the key's place, and the phase in op's.
type sample struct {
	op        core.Op
	namespace *core.Namespace
	key       string
}

const (
	sampleCount = 16
	sampleKey   = 512 // longer keys are not sampled
)

// samples remembers the keys of some calls, the last ones, without allocating. Safe for concurrent use.
type samples struct {
	mu   sync.Mutex
	next int                  // guarded by mu
	all  [sampleCount]sampled // guarded by mu
}

type sampled struct {
	op        core.Op
	namespace *core.Namespace
	key       [sampleKey]byte
	size      int
}

// add keeps a copy of the key.
func (s *samples) add(op core.Op, namespace *core.Namespace, key string) {
	if len(key) > sampleKey || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	to := &s.all[s.next%sampleCount]
	to.op, to.namespace, to.size = op, namespace, copy(to.key[:], key)
	s.next++
}

// list returns what is remembered.
func (s *samples) list() []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []sample
	for i := range min(s.next, sampleCount) {
		from := &s.all[i]
		list = append(list, sample{from.op, from.namespace, string(from.key[:from.size])})
	}
	return list
}

// rehearse calls a version for samples, on an instance that serves nothing else. What comes of it goes nowhere, but that
// the version fails is an error.
func (v *version) rehearse(shadow []sample) error {
	if v.hooks == nil || len(shadow) == 0 {
		return nil
	}
	in, err := v.instantiate(roleShadow)
	if err != nil {
		return err
	}
	defer in.close()
	for _, s := range shadow {
		if call, err := in.rehearse(s); err != nil {
			return guestError(v.plugin.name, call+" in the shadow", err)
		}
	}
	return nil
}

// rehearse makes the calls of a command that misses. It returns the one that failed.
func (in *instance) rehearse(s sample) (call string, err error) {
	if in.version.manifest.ABI == hostabi.ABIHTTP {
		return hostabi.ExportHTTP, in.rehearseHTTP(uint8(s.op), s.key)
	}
	cmd := core.Command{Op: s.op, Namespace: s.namespace, Key: s.key, Cookies: make([]uint64, 1)}
	if s.op.Many() {
		cmd.Keys, cmd.Values = []string{s.key}, make([][]byte, 1)
	}
	if in.before != nil && in.version.manifest.Wants(hostabi.HookBefore) {
		done, err := in.callBefore(&cmd, 0, s.key)
		if err == nil {
			err = in.checkBefore(hostabi.DecodeAction(done))
		}
		if err != nil {
			return hostabi.ExportBefore, err
		}
	}
	if in.after != nil && in.version.manifest.Wants(hostabi.HookAfter) {
		res := core.Result{Item: core.Item{Outcome: core.OutcomeMiss}}
		done, err := in.callAfter(&cmd, &res, 0, &res.Item)
		if err == nil {
			err = hostabi.DecodeAction(done).CheckAfter()
		}
		return hostabi.ExportAfter, err
	}
	return "", nil
}

// checkBefore checks what ec_before returned as far as that is possible without a command.
func (in *instance) checkBefore(a hostabi.Action) error {
	if err := a.CheckBefore(); err != nil {
		return protocolError{err}
	}
	data, err := in.bytes(a)
	if err == nil && a.Code == hostabi.ActionExt {
		_, err = readPatches(data)
	}
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}
