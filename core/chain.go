package core

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// table is what commands pass besides the tiers: an immutable snapshot, replaced as a whole. A command works with the one
// it found when it began.
type table struct {
	ops      OpMask            // operations that pass through Cache.full
	byOp     [opCount][]*bound // hooks that want the operation, in order
	disabled OpMask            // operations that end before the first hook
	after    OpMask            // operations that a hook's After waits for
	observed OpMask
	clocked  OpMask // observed operations for which the clock is read
	hashed   OpMask // observed operations whose key is hashed

	hooks     []Hook
	observers []boundObserver

	next *table // the one that took its place, kept in reach so that tables become unreachable in their order
}

// bound is a hook with its spec, read once.
type bound struct {
	hook       Hook
	spec       HookSpec
	beforeSpan string
	afterSpan  string
}

// additions are what a table has beside what SetHooks sets.
type additions struct {
	watchers  []Observer
	listeners []*Listening
	disabled  OpMask
	log       *commandLog
}

func (e *engine) additions() additions { return additions{e.watchers, e.listeners, e.disabled, e.log} }

func newTable(hooks []Hook, observers []Observer, more additions) (*table, error) {
	t := &table{hooks: hooks, ops: more.disabled, disabled: more.disabled}
	names := make(map[string]bool)
	for _, h := range more.around(hooks) {
		b := &bound{hook: h, spec: h.Spec()}
		b.beforeSpan, b.afterSpan = "plugin before "+b.spec.Name, "plugin after "+b.spec.Name
		if !ours(h) {
			if err := checkName("hook", b.spec.Name, names); err != nil {
				return nil, err
			}
		}
		ops := (b.spec.Before | b.spec.After) & AllOps
		t.ops |= ops
		t.after |= b.spec.After
		for op := OpGet; op < opCount; op++ {
			if ops.Has(op) {
				t.byOp[op] = append(t.byOp[op], b)
			}
		}
	}
	clear(names)
	for _, o := range slices.Concat(observers, more.watchers) {
		b := boundObserver{observer: o, spec: o.Spec()}
		if err := checkName("observer", b.spec.Name, names); err != nil {
			return nil, err
		}
		b.spec.Ops &= AllOps
		t.observed |= b.spec.Ops
		if b.spec.Clock {
			t.clocked |= b.spec.Ops
		}
		if b.spec.KeyHash {
			t.hashed |= b.spec.Ops
		}
		t.observers = append(t.observers, b)
	}
	t.ops |= t.observed
	return t, nil
}

// ours reports whether a hook is of this package, which has no name of its own.
func ours(h Hook) bool {
	switch h.(type) {
	case *Listening, *commandLog:
		return true
	default:
		return false
	}
}

// around returns the hooks with the log before them and the listeners behind them: these hear of what comes to the tiers.
func (a *additions) around(hooks []Hook) []Hook {
	var all []Hook
	if a.log != nil {
		all = append(all, a.log)
	}
	all = append(all, hooks...)
	for _, l := range a.listeners {
		all = append(all, l)
	}
	return all
}

func checkName(kind, name string, taken map[string]bool) error {
	switch {
	case name == "":
		return fmt.Errorf("core: a %s has no name", kind)
	case taken[name]:
		return fmt.Errorf("core: two %ss are called %q", kind, name)
	}
	taken[name] = true
	return nil
}

// SetHooks replaces all hooks and observers at once, but for those of Watch. Commands under way end with those that they began with; what those
// leave for the old observers before SetHooks returns still reaches them. Safe under traffic.
func (c *Cache) SetHooks(hooks []Hook, observers []Observer) error {
	return c.ReplaceHooks(hooks, observers, nil)
}

// ReplaceHooks is SetHooks, which calls drained when no command that began with hooks set before is under way any more, so
// that what they hold can be given back. Nothing counts commands for that: the garbage collector finds out, within two
// minutes at most where there is little garbage, and drained runs on a goroutine of the runtime's, which it must not hold up.
// It is not called if there is an error.
func (c *Cache) ReplaceHooks(hooks []Hook, observers []Observer, drained func()) error {
	e := c.engine
	e.tableMu.Lock()
	defer e.tableMu.Unlock()
	old, err := e.install(slices.Clone(hooks), slices.Clone(observers), e.additions())
	if err == nil && drained != nil {
		runtime.AddCleanup(old, func(f func()) { f() }, drained)
	}
	return err
}

// install puts a new table in the place of the one that it returns. tableMu is held; the slices belong to the engine.
func (e *engine) install(hooks []Hook, observers []Observer, more additions) (old *table, err error) {
	t, err := newTable(hooks, observers, more)
	if err != nil {
		return nil, err
	}
	e.observers, e.watchers, e.listeners, e.disabled = observers, more.watchers, more.listeners, more.disabled
	e.ring.replace(t.observers)
	old = e.table.Swap(t)
	old.next = t // nobody reads it
	return old, nil
}

// reinstall puts a table in place after less was asked for than before, or what can't be wrong. tableMu is held.
func (e *engine) reinstall() {
	_, _ = e.install(e.table.Load().hooks, e.observers, e.additions()) // no names are new
}

// Flush hands all events of commands that have ended to the observers, and returns when those are done with them.
func (c *Cache) Flush() {
	c.engine.ring.flush()
	c.engine.sampler.flush()
}

// full is Do for a command that hooks, observers or a trace wait for.
func (c *Cache) full(ctx context.Context, cmd *Command, res *Result, t *table, traced bool) {
	if t.disabled.Has(cmd.Op) {
		pretend(cmd, res)
		return
	}
	var span trace.Span
	if traced {
		ctx, span = c.engine.startCommand(ctx, cmd)
		cmd.span = span
	}
	clocked, given := t.clocked.Has(cmd.Op), cmd.Start
	if clocked && given == 0 {
		cmd.Start = Clock()
	}
	c.chain(ctx, cmd, res, t, traced)
	if clocked {
		res.End = Clock()
	}
	if t.observed.Has(cmd.Op) && cmd.Flags&FlagQuiet == 0 {
		c.engine.emit(cmd, res, t)
	}
	cmd.Start = given
	if traced {
		cmd.span = nil
		endCommand(span, res)
	}
	runtime.KeepAlive(t) // see ReplaceHooks
}

// chain takes the command through its hooks and, unless they settle it, the tiers.
func (c *Cache) chain(ctx context.Context, cmd *Command, res *Result, t *table, traced bool) {
	hooks := t.byOp[cmd.Op]
	if len(hooks) == 0 {
		c.engine.run(ctx, cmd, res)
		return
	}
	if t.after.Has(cmd.Op) {
		cmd.Flags &^= FlagOpen
	}
	size := cmd.Size()
	cmd.cookies = zeroed(cmd.cookies, len(hooks)*size)
	reached := 0
	for settled := false; reached < len(hooks) && !settled; reached++ {
		if b := hooks[reached]; b.spec.Before.Has(cmd.Op) {
			cmd.Cookies = cmd.cookies[reached*size : (reached+1)*size]
			settled = c.before(ctx, b, cmd, res, traced)
		}
	}
	if !settledAll(cmd, res) {
		c.engine.run(ctx, cmd, res)
	} else if res.Err == nil {
		sumUp(cmd, res)
	}
	for i := reached - 1; i >= 0; i-- {
		if b := hooks[i]; b.spec.After.Has(cmd.Op) {
			if res.End == 0 && t.clocked.Has(cmd.Op) {
				res.End = Clock() // for the hooks: how long it took to here
			}
			cmd.Cookies = cmd.cookies[i*size : (i+1)*size]
			c.after(ctx, b, cmd, res, traced)
		}
	}
	cmd.Cookies = nil
}

// before calls one hook and reports whether the command goes no further.
func (c *Cache) before(ctx context.Context, b *bound, cmd *Command, res *Result, traced bool) bool {
	var err error
	if traced {
		var span trace.Span
		ctx, span = c.engine.tracer.Start(ctx, b.beforeSpan)
		err = b.hook.Before(ctx, cmd, res)
		endSpan(span, err)
	} else {
		err = b.hook.Before(ctx, cmd, res)
	}
	if err == nil {
		return settledAll(cmd, res)
	}
	res.Outcome, res.Err = OutcomeError, c.opError(cmd, err)
	if errors.Is(err, ErrRejected) {
		res.Outcome = OutcomeDenied
	}
	return true
}

func (c *Cache) after(ctx context.Context, b *bound, cmd *Command, res *Result, traced bool) {
	var err error
	if traced {
		var span trace.Span
		ctx, span = c.engine.tracer.Start(ctx, b.afterSpan)
		err = b.hook.After(ctx, cmd, res)
		endSpan(span, err)
	} else {
		err = b.hook.After(ctx, cmd, res)
	}
	if err != nil && res.Err == nil {
		res.Outcome, res.Err = OutcomeError, c.opError(cmd, err)
	}
}

// settledAll reports whether hooks have refused the command or answered for all of its keys.
func settledAll(cmd *Command, res *Result) bool {
	if res.Err != nil || !cmd.Op.Many() {
		return res.Outcome != OutcomeNone
	}
	for i := range res.Items {
		if res.Items[i].Outcome == OutcomeNone {
			return false
		}
	}
	return len(res.Items) > 0
}

// sumUp sets what a command on many keys says as a whole from its items: the best outcome, how many deletes found
// something, and the errors.
func sumUp(cmd *Command, res *Result) {
	if !cmd.Op.Many() {
		return
	}
	best, failed := OutcomeNone, 0
	for i := range res.Items {
		it := &res.Items[i]
		if it.Err != nil {
			failed++
		}
		if best == OutcomeNone || it.Outcome < best && it.Outcome != OutcomeNone {
			best = it.Outcome
		}
		if cmd.Op == OpDeleteMany && it.Outcome == OutcomeHit {
			res.N++
		}
	}
	res.Outcome = best
	if failed > 0 {
		res.Err = batchError(cmd, res, failed)
	}
}

func batchError(cmd *Command, res *Result, failed int) *BatchError {
	e := &BatchError{Op: cmd.Op, Wanted: len(cmd.Keys), Keys: make([]string, 0, failed), Errs: make([]error, 0, failed)}
	for i := range res.Items {
		if err := res.Items[i].Err; err != nil {
			e.Keys, e.Errs = append(e.Keys, string([]byte(cmd.Keys[i]))), append(e.Errs, err)
		}
	}
	return e
}

// emit leaves the command's events, one for each key.
func (e *engine) emit(cmd *Command, res *Result, t *table) {
	ev := Event{Op: uint8(cmd.Op), Namespace: cmd.Namespace.id}
	if res.End != 0 {
		ev.Time = unixAt(res.End)
		ev.Elapsed = uint32(min(max(res.End-cmd.Start, 0), math.MaxUint32))
	}
	if cmd.Op.writesTTL() {
		ev.TTL = eventTTL(cmd.TTL)
	}
	hashed := t.hashed.Has(cmd.Op)
	if !cmd.Op.Many() {
		e.emitKey(&ev, cmd.Namespace, cmd.Key, cmd.Value, &res.Item, hashed)
		return
	}
	for i := range res.Items {
		var value []byte
		if cmd.Op == OpSetMany {
			value = cmd.Values[i]
		}
		item := &res.Items[i]
		if item.Outcome == OutcomeNone { // refused as a whole
			item = &res.Item
		}
		e.emitKey(&ev, cmd.Namespace, cmd.Keys[i], value, item, hashed)
		ev.Op |= EventContinued
	}
}

func (e *engine) emitKey(ev *Event, ns *Namespace, key string, value []byte, item *Item, hashed bool) {
	if hashed {
		ev.KeyHash = e.hashKey(ns, key)
	}
	size := len(value)
	if item.Entry != nil {
		size = item.size()
	}
	ev.Size = uint32(min(size, math.MaxUint32))
	ev.Result = uint8(item.Outcome) | item.Tier<<4
	e.ring.put(ev)
}

// eventTTL is a written TTL in seconds as events have it.
func eventTTL(ttl time.Duration) uint32 {
	switch {
	case ttl < 0:
		return math.MaxUint32
	default:
		return uint32(min((ttl+time.Second-1)/time.Second, math.MaxUint32-1))
	}
}

// zeroed returns s with n zeros, grown if need be.
func zeroed(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	s = s[:n]
	clear(s)
	return s
}
