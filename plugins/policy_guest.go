package plugins

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/hostabi"
)

// guestPolicy is what the two forms of a policy have in common. It is not safe for concurrent use.
type guestPolicy struct {
	books
	name string
	in   *instance // nil when closed
	err  *PolicyError

	frame              hostabi.PolicyFrame
	ask                api.Function // the batched form; nil for that of events
	hit, insert, evict api.Function // that of events
	admit              api.Function // nil without it
	removeOf, forgetOf api.Function // forgetOf is nil without it
	asked              uint64       // requests so far
	rested             uint64       // of these, when the guest last had time for itself
	stack              [2]uint64
}

// setUp makes the calls that come before all others. It returns the one that failed.
func (p *guestPolicy) setUp(spec *hostabi.PolicySpec, events bool) (call string, err error) {
	if err := p.in.instantiate(); err != nil {
		return "instantiate", err
	}
	if err := p.in.initialize(); err != nil {
		return hostabi.ExportInitialize, err
	}
	p.find(events)
	text := spec.Append(nil)
	if err := p.in.room(callSetup, max(len(text), hostabi.MinBuf)); err != nil {
		return hostabi.ExportBuf, err
	}
	p.in.memory.Write(p.in.bufAddr, text) // room has seen that it fits
	p.stack[0] = uint64(len(text))
	if err := p.in.call(callSetup, p.in.module.ExportedFunction(hostabi.ExportPolicyInit), p.stack[:1]); err != nil {
		return hostabi.ExportPolicyInit, err
	}
	return hostabi.ExportPolicyInit, p.findFrame(uint32(p.stack[0]), spec)
}

// find looks up the guest's exports. With events it is not asked in the batched form.
func (p *guestPolicy) find(events bool) {
	export := p.in.module.ExportedFunction
	p.removeOf, p.forgetOf, p.admit = export(hostabi.ExportPolicyRemove), export(hostabi.ExportPolicyForget), export(hostabi.ExportPolicyAdmit)
	p.hit, p.insert, p.evict = export(hostabi.ExportPolicyHit), export(hostabi.ExportPolicyInsert), export(hostabi.ExportPolicyEvict)
	if !events {
		p.ask = export(hostabi.ExportPolicyBatch)
	}
}

// findFrame looks at what ec_policy_init returned.
func (p *guestPolicy) findFrame(addr uint32, spec *hostabi.PolicySpec) error {
	if addr == 0 {
		return p.refusal()
	}
	if p.ask == nil {
		return nil // it has no use for one
	}
	memory, _ := p.in.memory.Read(0, p.in.memory.Size())
	frame, err := hostabi.DecodePolicyFrame(memory, addr, spec)
	if err != nil {
		return protocolError{err}
	}
	p.frame = frame
	return nil
}

// refusal is why the guest refuses its spec.
func (p *guestPolicy) refusal() error {
	b, ok := p.in.memory.Read(p.in.bufAddr, min(p.in.bufSize, hostabi.MaxPolicyText))
	n := bytes.IndexByte(b, 0)
	switch {
	case !ok || n < 0:
		return protocolf("refuses, with a text that does not end within %d bytes", hostabi.MaxPolicyText)
	case !utf8.Valid(b[:n]):
		return protocolf("refuses, with a text that is not UTF-8")
	}
	reason, err := text(b[:n])
	if err != nil {
		return err
	}
	return protocolf("refuses: %s", reason)
}

// call calls the guest with what is in the stack, as part of the last n of the requests asked.
func (p *guestPolicy) call(kind callKind, f api.Function, name string, n int) bool {
	err := p.in.call(kind, f, p.stack[:])
	if err != nil {
		p.fail(p.asked-uint64(n)+1, p.asked, name, err)
	}
	return err == nil
}

// fail keeps why the guest failed in these requests.
func (p *guestPolicy) fail(first, last uint64, call string, err error) {
	p.err = &PolicyError{Policy: p.name, First: first, Last: last, Guest: guestError(p.name, call, err)}
}

// Err returns how the guest failed.
func (p *guestPolicy) Err() error {
	if p.err == nil {
		return nil
	}
	return p.err
}

// MetadataBytes returns how large the guest's memory is.
func (p *guestPolicy) MetadataBytes() uint64 {
	if p.in == nil {
		return 0
	}
	return uint64(p.in.memory.Size())
}

// Close gives the guest's memory back.
func (p *guestPolicy) Close() error {
	p.release()
	return nil
}

func (p *guestPolicy) release() {
	if p.in != nil && p.in.module != nil {
		p.in.close()
	}
	p.in = nil
}

// Remove takes out a resident object.
func (p *guestPolicy) Remove(id uint32) {
	if p.err != nil || !p.Contains(id) {
		return
	}
	p.gone(id)
	p.stack[0] = uint64(id)
	if p.call(callAside, p.removeOf, hostabi.ExportPolicyRemove, 1) {
		p.forget(id)
	}
}

// forget has the guest forget an absent object.
func (p *guestPolicy) forget(id uint32) {
	if p.forgotten == nil {
		return
	}
	if p.forgetOf != nil {
		p.stack[0] = uint64(id)
		if !p.call(callAside, p.forgetOf, hostabi.ExportPolicyForget, 1) {
			return
		}
	}
	p.forgotten(id)
}

// knows prepares for a cache whose ids will stand for other objects, if it is one.
func (p *guestPolicy) knows(reused bool) {
	if reused && p.forgetOf != nil {
		p.past = newPast(p.objects)
	}
}

// pause comes after requests: the guest forgets what it may not remember any more, and gets time for itself.
func (p *guestPolicy) pause() {
	if p.past != nil && p.asked%forgetEvery == 0 {
		for p.err == nil && p.past.n > p.count {
			p.forget(p.past.pop())
		}
	}
	if p.in.idle != nil && p.asked-p.rested >= idleCalls && p.err == nil {
		p.rested = p.asked
		p.call(callAside, p.in.idle, hostabi.ExportIdle, 1)
	}
}

// forgetEvery is how many requests go by until a guest is told what to forget. Batches end there, so that it knows the same
// however the requests come.
const forgetEvery = 64

// setBits sets bits of hits from bit at on.
func setBits(hits []uint64, at int, word uint32) {
	hits[at>>6] |= uint64(word) << (at & 63)
	if over := uint64(word) >> (64 - at&63); over != 0 {
		hits[at>>6+1] |= over
	}
}

// word returns 32 bits from index i, a multiple of 32, of n.
func word(bits []byte, i, n int) uint32 {
	w := binary.LittleEndian.Uint32(bits[i/8:])
	if n-i < 32 {
		w &= 1<<(n-i) - 1
	}
	return w
}
