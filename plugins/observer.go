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
// time, so that the guest's state is that of all of them. Where the guest fails on a batch, its events count as lost.
func (p *Plugin) Observer() core.Observer {
	v := p.current.Load()
	if v == nil || v.observers == nil {
		return nil
	}
	return &observer{plugin: p, spec: core.ObserverSpec{
		Name: p.name, Ops: opMask(v.manifest, core.AllOps),
		Clock: v.manifest.NeedsCapability("clock"), KeyHash: v.manifest.NeedsCapability("hash"),
	}}
}

func (o *observer) Spec() core.ObserverSpec { return o.spec }

func (o *observer) Report() (core.Report, error) { return o.plugin.Report() }

func (o *observer) Observe(events []core.Event) {
	for len(events) > 0 {
		n := min(len(events), hostabi.EventBatch)
		if !o.observe(events[:n]) {
			o.plugin.lost.Add(uint64(n))
		}
		events = events[n:]
	}
}

// observe hands one batch over and reports whether the guest took it.
func (o *observer) observe(events []core.Event) bool {
	v, in := o.enter()
	if in == nil {
		return false
	}
	probe := !v.breaker.closed()
	err := in.handOver(events)
	if err == nil {
		err = in.rest()
	}
	if err != nil {
		v.observers.discard(in)
		o.plugin.failed(v, guestError(o.plugin.name, hostabi.ExportObserve, err), probe)
		return false
	}
	if probe {
		v.breaker.succeeded()
	}
	v.observers.release(in)
	return true
}

// enter returns the instance and its version, or nil where there is none to be called.
func (o *observer) enter() (*version, *instance) {
	for {
		v := o.plugin.current.Load()
		if v == nil {
			return nil, nil
		}
		probe := !v.breaker.closed()
		if probe && !v.breaker.probe(core.Clock()) {
			o.plugin.skipped.Add(1)
			return nil, nil
		}
		in, err := v.observers.acquire(context.Background())
		switch {
		case err == nil:
			return v, in
		case !errors.Is(err, errRetired):
			o.plugin.failed(v, guestError(o.plugin.name, "instance", err), probe)
			return nil, nil
		}
	}
}

// handOver copies events into the guest's buffer and calls it.
func (in *instance) handOver(events []core.Event) error {
	if !in.memory.Write(in.events, eventBytes(events)) {
		return protocolf("the buffer of events is outside the memory")
	}
	in.stack[0] = uint64(len(events))
	return in.call(in.observe, in.stack[:1])
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
