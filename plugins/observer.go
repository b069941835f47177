package plugins

import (
	"context"
	"encoding/binary"
	"errors"
	"unsafe"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// observer is a plugin as the cache tells it about commands.
type observer struct {
	plugin *Plugin
	spec   core.ObserverSpec
}

var (
	_ core.Observer = (*observer)(nil)
	_ core.Reporter = (*observer)(nil)
)

// Observer returns the plugin as an observer, or nil if it does not observe. All events go to one instance, one batch at a
// time, so that the guest's state is that of all of them. Where the guest fails on a batch, its events count as lost. So do
// those that a plugin whose manifest says lossy can't keep up with.
func (p *Plugin) Observer() core.Observer {
	v := p.current.Load()
	if v == nil || v.observers == nil || p.abi != hostabi.ABIHook {
		return nil
	}
	return &observer{plugin: p, spec: core.ObserverSpec{
		Name: p.name, Ops: opMask(v.manifest, core.AllOps),
		Clock: v.manifest.NeedsCapability("clock"), KeyHash: v.manifest.NeedsCapability("hash"),
	}}
}

func (o *observer) Spec() core.ObserverSpec { return o.spec }

func (o *observer) Report() (core.Report, error) { return o.plugin.Report() }

func (o *observer) Observe(events []core.Event) { o.plugin.tell(eventBytes(events)) }

// tell hands over events as guests have them, in batches: at once, or through the queue.
func (p *Plugin) tell(events []byte) {
	for len(events) > 0 {
		n := min(len(events), hostabi.EventBatch*hostabi.EventSize)
		if p.queue != nil {
			p.queue.put(events[:n])
		} else {
			p.observe(events[:n])
		}
		events = events[n:]
	}
}

// observe hands one batch over. If the guest does not take it, it is lost.
func (p *Plugin) observe(events []byte) {
	if !p.handOver(events) {
		p.lost.Add(uint64(len(events) / hostabi.EventSize))
	}
}

// handOver reports whether the guest took a batch.
func (p *Plugin) handOver(events []byte) bool {
	v, in := p.enter()
	if in == nil {
		return false
	}
	probe := !v.breaker.closed()
	err := in.take(events)
	if err == nil {
		err = in.rest()
	}
	if err != nil {
		v.observers.discard(in)
		p.failed(v, guestError(p.name, hostabi.ExportObserve, err), probe)
		return false
	}
	if probe {
		v.breaker.succeeded()
	}
	v.observers.release(in)
	return true
}

// enter returns the instance and its version, or nil where there is none to be called.
func (p *Plugin) enter() (*version, *instance) {
	for {
		v := p.current.Load()
		if v == nil {
			return nil, nil
		}
		probe := !v.breaker.closed()
		if probe && !v.breaker.probe(core.Clock()) {
			p.skipped.Add(1)
			return nil, nil
		}
		in, err := v.observers.acquire(context.Background())
		switch {
		case err == nil:
			return v, in
		case !errors.Is(err, errRetired):
			p.failed(v, guestError(p.name, "instance", err), probe)
			return nil, nil
		}
	}
}

// take copies events into the guest's buffer and calls it.
func (in *instance) take(events []byte) error {
	if !in.memory.Write(in.events, events) {
		return protocolf("the buffer of events is outside the memory")
	}
	in.stack[0] = uint64(len(events) / hostabi.EventSize)
	return in.call(callAside, in.observe, in.stack[:1])
}

// A core.Event is laid out as the ABI's: this does not compile otherwise.
var _ = [1]struct{}{}[unsafe.Sizeof(core.Event{})-hostabi.EventSize]

// eventBytes returns events as guests have them: a view, or a copy where the processor is not little-endian.
func eventBytes(events []core.Event) []byte {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(events))), len(events)*hostabi.EventSize)
	}
	var b []byte
	for _, e := range events {
		b = hostabi.Event{
			KeyHash: e.KeyHash, Time: e.Time, Elapsed: e.Elapsed, ValueSize: e.Size, TTL: e.TTL,
			Namespace: e.Namespace, Op: e.Op, Result: e.Result,
		}.Append(b)
	}
	return b
}
