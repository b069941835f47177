// Package httpguest makes hooks of an HTTP cache of WebAssembly guests: see docs/PLUGINS-HTTP.md, and docs/ABI.md for what
// crosses the border. Instances, fuel, failures and replacing are those of package plugins.
package httpguest

import (
	"context"
	"encoding/binary"
	"net/textproto"
	"slices"
	"sync"
	"unsafe"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/plugins"
)

// Guest is a plugin as the hook of an HTTP cache. Its methods are safe for concurrent use.
type Guest struct {
	plugin *plugins.Plugin
	spec   httphook.Spec
	memo   *memo // nil unless the key is pure
	calls  sync.Pool
}

var (
	_ httphook.Hook     = (*Guest)(nil)
	_ httphook.Observer = (*Guest)(nil)
	_ core.Reporter     = (*Guest)(nil)
)

// Load loads a plugin with hooks of HTTP into a host. Its grants name "lengthen" if it may have responses kept that no-store,
// private or Authorization forbid to keep. The caller closes it with Plugin().Close, or the host.
func Load(ctx context.Context, host *plugins.Host, src plugins.Source) (*Guest, error) {
	p, err := host.LoadHTTP(ctx, src)
	if err != nil {
		return nil, err
	}
	m := p.Manifest()
	g := &Guest{plugin: p, spec: httphook.Spec{
		Name: p.Name(), Phases: phases(&m), RequestHeaders: canonical(m.Headers), ResponseHeaders: canonical(m.ResponseHeaders),
		PureKey: m.PureKey, Lengthen: m.Lengthen, FailClosed: p.FailsClosed(),
	}}
	if m.PureKey {
		g.memo = newMemo()
	}
	g.calls.New = func() any { return new(call) }
	return g, nil
}

// phases returns those of a manifest.
func phases(m *hostabi.Manifest) (all httphook.Phases) {
	for i, name := range hostabi.HTTPPhases() {
		if m.WantsPhase(name) {
			all |= 1 << i
		}
	}
	return all
}

// canonical returns names as net/http has them.
func canonical(names []string) []string {
	all := slices.Clone(names)
	for i, name := range all {
		all[i] = textproto.CanonicalMIMEHeaderKey(name)
	}
	return all
}

// Plugin returns what the hook is made of: to replace it under traffic by Swap, for its figures, and to close it.
func (g *Guest) Plugin() *plugins.Plugin { return g.plugin }

// Spec says what the guest wants. It stays the same when the plugin is replaced, but for the failure policy.
func (g *Guest) Spec() httphook.Spec { return g.spec }

// Report returns the guest's own statistics.
func (g *Guest) Report() (core.Report, error) { return g.plugin.Report() }

// begin returns a call of a phase about a request, to be given back by run or try.
func (g *Guest) begin(phase uint8, r *httphook.Request) *call {
	c := g.calls.Get().(*call)
	c.spec, c.request = &g.spec, r
	c.frame = hostabi.HTTPFrame{
		Phase: phase, MethodNumber: uint8(httphook.MethodOf(r.Method)), Method: r.Method, Host: r.Host, Target: r.Target,
		Request: c.frame.Request[:0], Response: c.frame.Response[:0], Body: -1,
	}
	if r.Scheme == "https" {
		c.frame.Scheme = 1
	}
	return c
}

// run calls the guest and ends the call.
func (g *Guest) run(ctx context.Context, c *call) error {
	_, err := g.try(ctx, c)
	return err
}

// try is run, and reports whether the guest did not fail.
func (g *Guest) try(ctx context.Context, c *call) (worked bool, err error) {
	worked, err = g.plugin.CallHTTP(ctx, c.frame.Phase, c)
	c.forget()
	g.calls.Put(c)
	return worked, err
}

// Request calls the guest in the phase "request".
func (g *Guest) Request(ctx context.Context, to *httphook.RequestCall) error {
	c := g.begin(hostabi.HTTPPhaseRequest, to.Request)
	c.aboutRequest()
	c.to = to
	return g.run(ctx, c)
}

// Key calls the guest in the phase "key", or does without it what a pure one did before.
func (g *Guest) Key(ctx context.Context, to *httphook.KeyCall) error {
	if g.memo == nil {
		c := g.beginKey(to)
		c.aboutRequest()
		return g.run(ctx, c)
	}
	generation := g.plugin.Generation()
	hash := g.memo.hash(to)
	if generation != 0 && g.memo.get(hash, generation, to) {
		return nil
	}
	before := *to
	c := g.beginKey(to)
	c.frame.Method, c.frame.MethodNumber = "", hostabi.HTTPMethodOther // what a pure key may not depend on
	worked, err := g.try(ctx, c)
	if worked {
		g.memo.put(hash, generation, &before, to)
	}
	return err
}

func (g *Guest) beginKey(to *httphook.KeyCall) *call {
	c := g.begin(hostabi.HTTPPhaseKey, to.Request)
	c.frame.Target = to.Target
	c.to = to
	return c
}

// Lookup calls the guest in the phase "lookup".
func (g *Guest) Lookup(ctx context.Context, to *httphook.LookupCall) error {
	c := g.begin(hostabi.HTTPPhaseLookup, to.Request)
	c.aboutRequest()
	c.aboutResponse(to.Status, to.Header)
	c.frame.Age, c.frame.TTL, c.frame.Body = to.Age.Milliseconds(), to.TTL.Milliseconds(), to.Size
	c.to = to
	return g.run(ctx, c)
}

// Response calls the guest in the phase "response".
func (g *Guest) Response(ctx context.Context, to *httphook.ResponseCall) error {
	c := g.begin(hostabi.HTTPPhaseResponse, to.Request)
	c.aboutRequest()
	c.aboutResponse(to.Status, to.Header)
	c.frame.TTL, c.frame.SWR, c.frame.SIE = to.TTL.Milliseconds(), to.SWR.Milliseconds(), to.SIE.Milliseconds()
	c.frame.Body = to.Size
	if to.Barred {
		c.frame.Flags |= hostabi.HTTPFlagBarred
	}
	if to.Store {
		c.frame.Flags |= hostabi.HTTPFlagStore
	}
	c.to = to
	before := to.Lifetime
	err := g.run(ctx, c)
	to.Settle(before, g.spec.Lengthen)
	return err
}

// Admit calls the guest in the phase "admit".
func (g *Guest) Admit(ctx context.Context, to *httphook.AdmitCall) error {
	c := g.begin(hostabi.HTTPPhaseAdmit, to.Request)
	c.aboutRequest()
	c.frame.Status, c.frame.TTL, c.frame.Body = uint16(to.Status), to.TTL.Milliseconds(), to.Size
	c.frame.KeyHash, c.frame.Frequency = to.KeyHash, to.Frequency
	c.to = to
	return g.run(ctx, c)
}

// Deliver calls the guest in the phase "deliver".
func (g *Guest) Deliver(ctx context.Context, to *httphook.DeliverCall) error {
	c := g.begin(hostabi.HTTPPhaseDeliver, to.Request)
	c.aboutRequest()
	c.aboutResponse(to.Status, to.Header)
	c.frame.Age, c.frame.TTL, c.frame.Body = to.Age.Milliseconds(), to.TTL.Milliseconds(), to.Size
	c.frame.Outcome = uint8(to.Outcome)
	c.to = to
	return g.run(ctx, c)
}

// Observe tells the guest about exchanges, if its manifest has the phase "event". All events reach one instance.
func (g *Guest) Observe(events []httphook.Event) {
	if g.spec.Phases.Has(httphook.OnEvent) && len(events) > 0 {
		g.plugin.TellHTTP(eventBytes(events))
	}
}

// An httphook.Event is laid out as the ABI's: this does not compile otherwise.
var _ = [1]struct{}{}[unsafe.Sizeof(httphook.Event{})-hostabi.EventSize]

// eventBytes returns events as guests have them: a view, or a copy where the processor is not little-endian.
func eventBytes(events []httphook.Event) []byte {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(events))), len(events)*hostabi.EventSize)
	}
	var b []byte
	for i := range events {
		b = appendEvent(b, &events[i])
	}
	return b
}

func appendEvent(b []byte, e *httphook.Event) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(le.AppendUint64(b, e.KeyHash), e.Time)
	b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, e.Elapsed), e.Size), e.Age)
	return append(le.AppendUint16(b, e.Status), uint8(e.Method), uint8(e.Outcome))
}
