package edgecache

import (
	"encoding/binary"
	"unsafe"
)

// Call is one key of a command. It is valid until the function that got it returns.
type Call struct {
	buf   []byte // the call buffer, and behind it, to the end of room, what it shares it with
	patch Patch  // what Patch builds
	spill []byte // what of results the host can't reach elsewhere

	op               Op
	keyLen, valueLen int32
	ttl, elapsed     int64
	flags, result    int32
	cookie           Action // the bit that says that Before wrote one
}

// Op returns the operation.
func (c *Call) Op() Op { return c.op }

// Key returns the key: in After that which went to the tiers. The bytes may be overwritten in place, for Call.ReplaceKey.
func (c *Call) Key() []byte {
	end := BufKey + int(c.keyLen)
	return c.buf[BufKey:end:end]
}

// Namespace returns the path of the namespace, as shop/carts; empty is the root.
func (c *Call) Namespace() []byte {
	begin := BufKey + int(c.keyLen)
	end := begin + int(c.header(BufNamespaceLen))
	return c.buf[begin:end:end]
}

// NamespaceID returns the number of the namespace, the same while the host's process lives.
func (c *Call) NamespaceID() uint32 { return c.header(BufNamespaceID) }

// Position returns which key of how many of the command this is, from 0.
func (c *Call) Position() (i, n int) {
	return int(c.header(BufBatchIndex)), int(c.header(BufBatchLen))
}

func (c *Call) header(at int) uint32 { return binary.LittleEndian.Uint32(c.buf[at:]) }

// ValueLen returns the length in bytes of the value to write, in After of the value read; 0 where there is none.
func (c *Call) ValueLen() int { return int(c.valueLen) }

// TTL returns the time to live that a write asks for in milliseconds, or TTLDefault, TTLNone or TTLKeep. In Before only.
func (c *Call) TTL() int64 { return c.ttl }

// Many reports whether the command is on many keys, each of which has a call. In Before only.
func (c *Call) Many() bool { return c.flags&CallBatch != 0 }

// Outcome returns how the command ended. In After only.
func (c *Call) Outcome() Outcome { return Outcome(c.result & OutcomeMask) }

// Tier returns the tier that answered, 1 the nearest, 0 none. In After only.
func (c *Call) Tier() int { return int(c.result) >> TierShift }

// Elapsed returns how long the command took in nanoseconds, or 0 if nothing measures it. In After only.
func (c *Call) Elapsed() int64 { return c.elapsed }

// SetCookie keeps a number for the After of the same key and command, which may run in another instance. In Before only.
func (c *Call) SetCookie(cookie uint64) {
	binary.LittleEndian.PutUint64(c.buf[BufCookie:], cookie)
	c.cookie = ActionCookie
}

// Cookie returns what SetCookie kept, or 0. In After only.
func (c *Call) Cookie() uint64 { return binary.LittleEndian.Uint64(c.buf[BufCookie:]) }

// Out returns an empty slice with room for a result of up to 69,632 bytes, so longer than any key by 4,096. What is
// appended to it costs no allocation. Every Out of a call is the same room.
func (c *Call) Out() []byte { return room[outBegin:outBegin] }

// reserve sees to a call buffer of size bytes, and reports whether there is one.
func (c *Call) reserve(size int) bool {
	if size > firstFrame && size <= largeFrame {
		c.buf = room[firstFrame:]
	}
	return size <= largeFrame
}

// Action is what a hook decides. Its values are Continue, Miss and what the methods of Call return.
type Action uint64

const (
	// Continue goes on unchanged; in After it leaves the result as it is.
	Continue Action = ActionNone
	// Miss makes a read miss and a write do nothing; the tiers are not asked. In Before only.
	Miss Action = ActionMiss << ActionShift
)

// ReplaceKey goes on with another key. In Before only. The bytes must stay until the hook returns; they are best those of
// Key or Out.
func (c *Call) ReplaceKey(key []byte) Action { return c.action(ActionKey, key) }

// Respond makes value the answer: in Before to OpGet and OpGetMany, the tiers are not asked; in After instead of the value
// that was read. The bytes must stay until the hook returns.
func (c *Call) Respond(value []byte) Action { return c.action(ActionRespond, value) }

// Deny refuses the command. The reason is shown to the client as far as 1,024 bytes. In Before only.
func (c *Call) Deny(reason string) Action {
	reason = fit(reason)
	return c.action(ActionDeny, unsafe.Slice(unsafe.StringData(reason), len(reason)))
}

// action says where the bytes are. The host copies them before anything else runs here.
func (c *Call) action(code Action, b []byte) Action {
	offset := address(b) - address(c.buf)
	if offset > OffsetMask { // also what stands before the buffer
		offset = c.move(b)
	}
	return code<<ActionShift | Action(offset)<<OffsetShift | Action(len(b))
}

// move copies bytes that the host can't reach to where it can and returns their offset.
func (c *Call) move(b []byte) uintptr {
	to := room[outBegin:]
	if len(b) > len(to) {
		c.spill = append(c.spill[:0], b...)
		to = c.spill
	}
	copy(to, b)
	offset := address(to) - address(c.buf)
	if offset > OffsetMask {
		panic("a result stands beyond the first 8 MiB of memory, where the host can't reach it: build it in Call.Out")
	}
	return offset
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// Patch changes several things at once, and those that have no method of their own. Of several patches of one field the
// last counts.
type Patch struct {
	call  *Call
	bytes []byte
}

// Patch returns an empty patch, the same at each call of it. In Before only.
func (c *Call) Patch() *Patch {
	c.patch.call, c.patch.bytes = c, c.patch.bytes[:0]
	return &c.patch
}

// Key goes on with another key, which is copied.
func (p *Patch) Key(key []byte) *Patch { return p.add(FieldKey, key) }

// TTL sets the time to live in milliseconds, or TTLDefault, TTLNone or TTLKeep. It has no effect where the command writes
// none. A command on many keys has one for all: the shortest.
func (p *Patch) TTL(ms int64) *Patch {
	p.bytes = binary.LittleEndian.AppendUint64(p.begin(FieldTTL, 8), uint64(ms))
	return p
}

// Value replaces the value to write, which is copied.
func (p *Patch) Value(value []byte) *Patch { return p.add(FieldValue, value) }

// Namespace moves the key to the namespace of that path; empty is the root. All keys of a command must move to the same.
func (p *Patch) Namespace(path []byte) *Patch { return p.add(FieldNamespace, path) }

// Action goes on with what has been patched.
func (p *Patch) Action() Action { return p.call.action(ActionExt, p.bytes) }

func (p *Patch) begin(field byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(append(p.bytes, field), uint32(n))
}

func (p *Patch) add(field byte, b []byte) *Patch {
	p.bytes = append(p.begin(field, len(b)), b...)
	return p
}
