package core

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Listener is told what happened to keys of a namespace, those of namespaces below it included. Keys are given as they are
// in that namespace: one of "shop/carts" heard in "shop" is no key of it, but one of all keys heard in the root. The
// functions run one at a time on a goroutine of the listener's own, after the commands, which never wait for them, and may
// call the cache. nil functions are not called.
type Listener struct {
	// OnGet is told of each key read by OpGet and OpGetMany, with nil for a miss.
	OnGet func(key string, e *Entry)
	// OnSet is told of each key written, with what is there now and what was there before, each nil if not known.
	OnSet func(key string, e, old *Entry)
	// OnDelete is told of each entry that is not there any more, nil if not known. What expires, or is evicted, it hears of
	// where the farthest tier can tell, which the memory tier can. Where that can't tell what Clear took, key is "" and e nil.
	OnDelete func(key string, e *Entry, cause Cause)
	// Old asks for what OnSet and OnDelete else do not get to know: the entry that was there before a write of one key, and
	// so also CauseReplaced. It makes such a write an atomic update, and where the farthest tier is remote a dearer one.
	Old bool
	// Queue is how many calls may wait: what comes while it is full is lost, and counted. 0 means 4096.
	Queue int
}

// Listening is a listener at work.
type Listening struct {
	listener Listener
	engine   *engine
	prefix   string // of the namespace
	spec     HookSpec
	queue    chan notice
	quit     chan struct{}
	ended    chan struct{}
	ending   sync.Once
	lost     atomic.Uint64
}

// notice is one call that waits.
type notice struct {
	kind   noticeKind
	cause  Cause
	key    string
	e, old *Entry
}

type noticeKind uint8

const (
	noticeGet noticeKind = iota
	noticeSet
	noticeDelete
)

const defaultQueue = 4096

var _ Hook = (*Listening)(nil)

// Listen begins to tell l what happens to the keys of this namespace and those below it, until Stop or Close. A cache
// without listeners pays nothing for them. Safe under traffic.
func (c *Cache) Listen(l Listener) *Listening {
	e := c.engine
	g := &Listening{
		listener: l, engine: e, prefix: c.ns.prefix,
		queue: make(chan notice, max(orElse(l.Queue, defaultQueue), 1)), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	g.spec = g.wants()
	go g.run()
	e.tableMu.Lock()
	defer e.tableMu.Unlock()
	e.listeners = append(slices.Clone(e.listeners), g)
	e.reinstall()
	e.notify()
	return g
}

// setters are the operations that OnSet hears of, singles those of one key that can tell what was there before.
const (
	setters = 1<<OpSet | 1<<OpSetMany | 1<<OpAdd | 1<<OpReplace | 1<<OpCompareAndSwap | 1<<OpAppend | 1<<OpPrepend |
		1<<OpIncrement | 1<<OpDecrement
	singles = 1<<OpSet | 1<<OpReplace | 1<<OpCompareAndSwap | 1<<OpDelete
)

// wants makes the spec.
func (g *Listening) wants() HookSpec {
	s := HookSpec{Name: "listener"}
	if g.listener.OnGet != nil {
		s.After |= Ops(OpGet, OpGetMany)
	}
	if g.listener.OnSet != nil {
		s.After |= setters
	}
	if g.listener.OnDelete != nil {
		s.After |= Ops(OpDelete, OpDeleteMany, OpClear)
	}
	if g.listener.Old {
		if g.listener.OnDelete != nil {
			s.After |= setters
		}
		s.Before = s.After & singles
	}
	return s
}

// Spec is the cache's to call, as are Before and After.
func (g *Listening) Spec() HookSpec { return g.spec }

// Before asks for what is there.
func (g *Listening) Before(_ context.Context, cmd *Command, _ *Result) error {
	if g.engine.authority().updater != nil {
		cmd.Flags |= FlagOld
	}
	return nil
}

// After queues what the command did.
func (g *Listening) After(_ context.Context, cmd *Command, res *Result) error {
	if cmd.Op == OpClear {
		if _, tells := g.engine.authority().Backend.(Notifier); !tells && res.Err == nil {
			g.put(notice{kind: noticeDelete, cause: CauseCleared})
		}
		return nil
	}
	for i := range cmd.Size() {
		n, ok := noticeOf(cmd, res, i)
		if !ok {
			continue
		}
		if n.key, ok = g.name(cmd.Namespace.prefix, *cmd.KeyAt(i)); ok {
			g.put(n)
		}
	}
	return nil
}

// name returns a key as it is called in the listener's namespace, in memory of its own, and whether it is there or below.
func (g *Listening) name(prefix, key string) (string, bool) {
	switch {
	case prefix == g.prefix:
		return strings.Clone(key), true
	case g.prefix == "":
		return prefix + key, true
	default:
		return "", false
	}
}

// noticeOf returns what there is to tell of the i-th key of a command, but for the key.
func noticeOf(cmd *Command, res *Result, i int) (n notice, ok bool) {
	item := res.At(cmd, i)
	switch cmd.Op {
	case OpGet, OpGetMany:
		n = notice{kind: noticeGet, e: item.Entry}
		return n, (item.Outcome == OutcomeHit || item.Outcome == OutcomeMiss) && cmd.Flags&FlagQuiet == 0
	case OpDelete, OpDeleteMany:
		n = notice{kind: noticeDelete, cause: orElse(cmd.cause, CauseDeleted), e: item.Entry}
		return n, item.Outcome == OutcomeHit
	case OpSetMany:
		n = notice{kind: noticeSet, e: written(cmd, cmd.Values[i])}
		return n, item.Outcome == OutcomeStored
	default:
		n = notice{kind: noticeSet, e: res.stored, old: item.Entry}
		if n.e == nil && (cmd.Op == OpIncrement || cmd.Op == OpDecrement) {
			n.e = counted(res.N)
		}
		return n, item.Outcome == OutcomeStored
	}
}

// written is what a write of many keys stored at one of them, as far as the command says.
func written(cmd *Command, value []byte) *Entry {
	if cmd.Flags&FlagBorrowed != 0 {
		value = bytes.Clone(value)
	}
	return &Entry{Value: value, Flags: cmd.EntryFlags, Codec: cmd.Codec}
}

// counted is what a counter's change left there, without its expiry.
func counted(n int64) *Entry { return &Entry{Value: strconv.AppendInt(nil, n, 10)} }

// put queues a notice for those functions that there are.
func (g *Listening) put(n notice) {
	if n.kind != noticeSet {
		g.send(n)
		return
	}
	if n.old != nil && g.listener.OnDelete != nil {
		g.send(notice{kind: noticeDelete, cause: CauseReplaced, key: n.key, e: n.old})
	}
	if g.listener.OnSet != nil {
		g.send(n)
	}
}

func (g *Listening) send(n notice) {
	select {
	case g.queue <- n:
	default:
		g.lost.Add(1)
	}
}

// removed queues what a store tells of itself. It is called below the store's locks.
func (g *Listening) removed(stored string, e *Entry, why Cause) {
	if key, ok := strings.CutPrefix(stored, g.prefix); ok && g.listener.OnDelete != nil {
		g.send(notice{kind: noticeDelete, cause: why, key: key, e: e})
	}
}

func (g *Listening) run() {
	defer close(g.ended)
	for {
		select {
		case n := <-g.queue:
			g.tell(n)
		case <-g.quit:
			for len(g.queue) > 0 {
				g.tell(<-g.queue)
			}
			return
		}
	}
}

func (g *Listening) tell(n notice) {
	switch n.kind {
	case noticeGet:
		g.listener.OnGet(n.key, n.e)
	case noticeSet:
		g.listener.OnSet(n.key, n.e, n.old)
	case noticeDelete:
		g.listener.OnDelete(n.key, n.e, n.cause)
	}
}

// Lost returns how many calls found the queue full.
func (g *Listening) Lost() uint64 { return g.lost.Load() }

// Stop returns when the listener has been told of all commands that ended before, and is not called again. It must not be
// called from the listener's functions. It is idempotent.
func (g *Listening) Stop() {
	e := g.engine
	e.tableMu.Lock()
	if i := slices.Index(e.listeners, g); i >= 0 {
		e.listeners = slices.Delete(slices.Clone(e.listeners), i, i+1)
		e.reinstall()
		e.notify()
	}
	e.tableMu.Unlock()
	g.end()
}

// end tells the listener what waits and returns when that is done.
func (g *Listening) end() {
	g.ending.Do(func() { close(g.quit) })
	<-g.ended
}

func (e *engine) endListeners() {
	e.tableMu.Lock()
	listeners := e.listeners
	e.tableMu.Unlock()
	for _, g := range listeners {
		g.end()
	}
}

// notify has the authority tell the listeners what it removes by itself, if there are any that want to know. tableMu is held.
func (e *engine) notify() {
	n, ok := e.authority().Backend.(Notifier)
	if !ok {
		return
	}
	var all []*Listening
	for _, g := range e.listeners {
		if g.listener.OnDelete != nil {
			all = append(all, g)
		}
	}
	if all == nil {
		n.Notify(nil)
		return
	}
	n.Notify(func(key string, old *Entry, why Cause) {
		for _, g := range all {
			g.removed(key, old, why)
		}
	})
}
