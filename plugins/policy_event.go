package plugins

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/hostabi"
)

// eventPolicy asks a guest in the form of events: the host keeps track of who is resident, and of the room.
type eventPolicy struct {
	*guestPolicy
	calls int // since the fuel was looked at
}

// eventCalls is how many events a guest is told with the fuel of all of them: to look at the fuel takes a good part of the
// time of a call.
const eventCalls = 64

// tell calls the guest with what is in the stack, as part of the last request.
func (p *eventPolicy) tell(f api.Function, name string) bool {
	if t := &p.in.tank; t.kind == callHook && t.may.ticks == 0 && p.calls < eventCalls {
		p.calls++
		if err := f.CallWithStack(&p.in.ctx, p.stack[:]); err != nil {
			p.fail(p.asked, p.asked, name, p.in.failure(err, false))
		}
		return p.err == nil
	}
	p.calls = 0
	return p.call(callHook, f, name, 1)
}

// Replay asks for all requests, each on its own.
func (p *eventPolicy) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	clear(hits[:(len(ids)+63)>>6])
	for i, id := range ids {
		if p.Contains(id) {
			p.Hit(id)
			if p.err == nil {
				hits[i>>6] |= 1 << (i & 63)
				continue
			}
		}
		misses++
		size := uint32(1)
		if p.size != nil {
			size = sizes[i]
		}
		p.Insert(id, size)
	}
	return misses
}

// Hit says that a resident object was asked for.
func (p *eventPolicy) Hit(id uint32) {
	if p.err != nil {
		return
	}
	p.asked++
	p.stack[0] = uint64(id)
	if p.tell(p.hit, hostabi.ExportPolicyHit) {
		p.pause()
	}
}

// Insert makes room for an absent object, if the guest lets it in.
func (p *eventPolicy) Insert(id, size uint32) bool {
	if p.err != nil {
		return false
	}
	p.asked++
	in := p.fits(size) && p.admits(id, size) && p.makeRoom(size) && p.comesIn(id, size)
	if p.err == nil {
		p.pause()
	}
	return in && p.err == nil
}

// admits reports whether the guest wants the object.
func (p *eventPolicy) admits(id, size uint32) bool {
	if p.admit == nil {
		return true
	}
	p.stack[0], p.stack[1] = uint64(id), uint64(size)
	return p.tell(p.admit, hostabi.ExportPolicyAdmit) && uint32(p.stack[0]) != 0
}

// makeRoom has the guest throw objects out.
func (p *eventPolicy) makeRoom(size uint32) bool {
	for p.full(size) {
		if !p.tell(p.evict, hostabi.ExportPolicyEvict) {
			return false
		}
		id := uint32(p.stack[0])
		if err := p.leaves(id); err != nil {
			p.fail(p.asked, p.asked, hostabi.ExportPolicyEvict, err)
			return false
		}
	}
	return true
}

// comesIn tells the guest that an object is resident.
func (p *eventPolicy) comesIn(id, size uint32) bool {
	p.came(id, size)
	p.stack[0], p.stack[1] = uint64(id), uint64(size)
	return p.tell(p.insert, hostabi.ExportPolicyInsert)
}
