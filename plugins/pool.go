package plugins

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/hostabi"
)

// errRetired says that another version has taken a version's place.
var errRetired = errors.New("version is retired")

// pool holds the instances of a version, strongly: the runtime would not give back one that was dropped. It grows up to
// max as commands meet; beyond that they wait.
//
// Lock order: Plugin.mu, instance.mu, pool.mu.
type pool struct {
	version *version
	role    role // of its instances
	max     int

	// list is all instances that live; replaced as a whole under mu.
	list atomic.Pointer[[]*instance]
	// hints remembers, by processor, which instance to try first. What it forgets or gets wrong does no harm.
	hints sync.Pool
	// waiters counts who waits for freed, which holds a token for each release since.
	waiters atomic.Int32
	freed   chan struct{}
	gone    chan struct{} // closed when the pool is retired

	mu      sync.Mutex
	size    int  // guarded by mu: instances in list or being made
	retired bool // guarded by mu: nothing is added any more
	refills sync.WaitGroup
}

func newPool(v *version, is role, size int) *pool {
	p := &pool{version: v, role: is, max: size, freed: make(chan struct{}, size), gone: make(chan struct{})}
	p.list.Store(new([]*instance))
	return p
}

// acquire returns an instance that the caller has alone until release or discard. It waits, within ctx, while all are in
// use. The error is ctx's, errRetired, or a *GuestError where no instance can be made.
func (p *pool) acquire(ctx context.Context) (*instance, error) {
	if in, _ := p.hints.Get().(*instance); in != nil && in.mu.TryLock() {
		if !in.dead {
			return in, nil
		}
		in.mu.Unlock()
	}
	return p.acquireSlowly(ctx)
}

func (p *pool) acquireSlowly(ctx context.Context) (*instance, error) {
	for {
		if in := p.scan(); in != nil {
			return in, nil
		}
		if in, err := p.grow(); in != nil || err != nil {
			return in, err
		}
		if in, err := p.wait(ctx); in != nil || err != nil {
			return in, err
		}
	}
}

// scan returns an instance that is not in use, or nil.
func (p *pool) scan() *instance {
	for _, in := range *p.list.Load() {
		if !in.mu.TryLock() {
			continue
		}
		if !in.dead {
			return in
		}
		in.mu.Unlock()
	}
	return nil
}

// wait returns when it is worth looking again, or with an instance that it found itself.
func (p *pool) wait(ctx context.Context) (*instance, error) {
	p.waiters.Add(1)
	defer p.waiters.Add(-1)
	if in := p.scan(); in != nil { // released before anyone saw that we wait
		return in, nil
	}
	select {
	case <-p.freed:
		return nil, nil
	case <-p.gone:
		return nil, errRetired
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// release gives an instance back.
func (p *pool) release(in *instance) {
	in.mu.Unlock()
	p.hints.Put(in)
	p.wake()
}

func (p *pool) wake() {
	if p.waiters.Load() > 0 {
		select {
		case p.freed <- struct{}{}:
		default: // enough are awake
		}
	}
}

// grow makes an instance, which the caller has alone, or returns nil if there are enough.
func (p *pool) grow() (*instance, error) {
	p.mu.Lock()
	if p.retired {
		p.mu.Unlock()
		return nil, errRetired
	}
	if p.size >= p.max {
		p.mu.Unlock()
		return nil, nil
	}
	p.size++
	p.mu.Unlock()
	in, err := p.version.instantiate(p.role)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.retired {
		in.close()
		err = errRetired
	}
	if err != nil {
		p.size--
		p.wake()
		return nil, err
	}
	in.mu.Lock()
	grown := append(slices.Clip(*p.list.Load()), in)
	p.list.Store(&grown)
	return in, nil
}

// discard takes an instance that failed out of the pool and has another made meanwhile. The caller has it alone.
func (p *pool) discard(in *instance) {
	in.die()
	in.mu.Unlock()
	p.version.plugin.bury(p, in)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size--
	p.wake()
	if !p.retired {
		p.refills.Go(p.refill)
	}
}

// refill makes an instance in a lost one's place.
func (p *pool) refill() {
	in, err := p.grow()
	switch {
	case in != nil:
		p.release(in)
	case err != nil && !errors.Is(err, errRetired):
		p.version.plugin.log(slog.LevelError, "no new instance of the plugin could be made", slog.Any("error", err))
	}
}

// remove takes an instance from the list and reports whether it was there.
func (p *pool) remove(in *instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(*p.list.Load())
	i := slices.Index(list, in)
	if i < 0 {
		return false
	}
	list = slices.Delete(list, i, i+1)
	p.list.Store(&list)
	return true
}

// retire ends the pool: every instance is closed as soon as its user is done with it, and what they had counted is added
// to total. Plugin.mu is held, or the pool was never in use.
func (p *pool) retire(total *hostabi.StatTable, calls *callTotals) {
	p.mu.Lock()
	p.retired = true
	close(p.gone)
	p.mu.Unlock()
	for _, in := range *p.list.Load() {
		in.mu.Lock()
		in.die()
		total.MergeTable(in.final)
		calls.add(in)
		in.mu.Unlock()
		p.remove(in)
		in.close()
	}
}

// each calls f with every instance while nobody else uses it.
func (p *pool) each(f func(*instance)) {
	for _, in := range *p.list.Load() {
		in.mu.Lock()
		f(in)
		in.mu.Unlock()
		p.wake()
	}
}

// die marks an instance as not to be used and keeps what it has counted. The caller has it alone.
func (in *instance) die() {
	if in.dead {
		return
	}
	in.dead = true
	in.final = hostabi.NewStatTable(in.version.manifest.Stats)
	if err := in.readStats(in.final); err != nil {
		in.version.plugin.log(slog.LevelWarn, "statistics of a plugin's instance are lost", slog.Any("error", err))
	}
}
