package hostabi

import (
	"encoding/binary"
	"fmt"
)

// Names that an eviction policy exports, beside ExportMemory, ExportInitialize, ExportBuf and ExportIdle. It has the batched
// form, ExportPolicyBatch, or that of events, the three behind it.
const (
	ExportPolicyMarker = "edgecache_abi_policy_1" // () -> (): never called; says which ABI the guest was built for
	ExportPolicyInit   = "ec_policy_init"         // (spec_len i32) -> i32: address of the frame, 8-aligned; 0 refuses, with a text that ends with a 0 in the call buffer
	ExportPolicyBatch  = "ec_policy_batch"        // (n i32) -> i32: n requests are in the frame; how many victims are
	ExportPolicyHit    = "ec_policy_hit"          // (id i32) -> (): a resident object was asked for
	ExportPolicyInsert = "ec_policy_insert"       // (id i32, size i32) -> (): an absent one was, and is resident from here on
	ExportPolicyEvict  = "ec_policy_evict"        // () -> i32: the resident object that is not any more
	ExportPolicyAdmit  = "ec_policy_admit"        // (id i32, size i32) -> i32: 0 keeps an absent object out, before room is made for it
	ExportPolicyRemove = "ec_policy_remove"       // (id i32) -> (): a resident object is gone for another reason
	ExportPolicyForget = "ec_policy_forget"       // (id i32) -> (): the id, of an absent object, will stand for another
)

// The spec of the cache that ec_policy_init finds at the beginning of the call buffer.
const (
	SpecCapacity  = 0  // u64: how much fits: objects, or bytes with SpecBytes
	SpecSeed      = 8  // u64: of what the policy chooses at random
	SpecObjects   = 16 // u32: ids go from 0 to one below
	SpecMost      = 20 // u32: how many objects can be resident at once
	SpecBatch     = 24 // u32: how many requests a call of ec_policy_batch has at most
	SpecFlags     = 28 // u32: SpecBytes, or 0
	SpecParamsLen = 32 // u32: length of the parameters
	SpecParams    = 36 // the parameters: a JSON object of strings
)

// Flags of SpecFlags.
const (
	// SpecBytes says that sizes count. Else every object counts 1.
	SpecBytes = 1 << 0
)

// The frame, whose address ec_policy_init returns: addresses of buffers that stay where they are.
const (
	FrameIDs      = 0  // u32: of SpecBatch u32, the objects that are asked for
	FrameSizes    = 4  // u32: of SpecBatch u32, their sizes; used with SpecBytes alone
	FrameHits     = 8  // u32: of a bit for each of SpecBatch requests, in u32 from the lowest bit on
	FrameVictims  = 12 // u32: of SpecMost+SpecBatch victims
	FrameReserved = 16 // u32: 0
	FrameSize     = 20
)

// A victim, 8 bytes.
const (
	VictimAt   = 0 // u32: index of the request that it makes room for, from 0
	VictimID   = 4 // u32: the object
	VictimSize = 8
)

// MaxPolicyText is how long the text may be that says why ec_policy_init refuses, the 0 at its end included.
const MaxPolicyText = 1024

// PolicySignatures returns the types that the exports of a policy must have.
func PolicySignatures() map[string]Signature {
	return map[string]Signature{
		ExportPolicyMarker: {},
		ExportInitialize:   {},
		ExportBuf:          {Params: I32, Results: I32},
		ExportPolicyInit:   {Params: I32, Results: I32},
		ExportPolicyBatch:  {Params: I32, Results: I32},
		ExportPolicyHit:    {Params: I32},
		ExportPolicyInsert: {Params: I32 + I32},
		ExportPolicyEvict:  {Results: I32},
		ExportPolicyAdmit:  {Params: I32 + I32, Results: I32},
		ExportPolicyRemove: {Params: I32},
		ExportPolicyForget: {Params: I32},
		ExportIdle:         {},
	}
}

// PolicySpec is the cache that a policy works for.
type PolicySpec struct {
	Capacity, Seed       uint64
	Objects, Most, Batch uint32
	Bytes                bool
	Params               []byte // a JSON object of strings
}

// Append appends the spec as ec_policy_init finds it to b.
func (s *PolicySpec) Append(b []byte) []byte {
	var flags uint32
	if s.Bytes {
		flags = SpecBytes
	}
	b = binary.LittleEndian.AppendUint64(b, s.Capacity)
	b = binary.LittleEndian.AppendUint64(b, s.Seed)
	for _, v := range []uint32{s.Objects, s.Most, s.Batch, flags, uint32(len(s.Params))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, s.Params...)
}

// DecodePolicySpec reads the spec at the front of b. Params is a view of b.
func DecodePolicySpec(b []byte) (PolicySpec, error) {
	if len(b) < SpecParams {
		return PolicySpec{}, fmt.Errorf("spec of %d bytes is shorter than %d", len(b), SpecParams)
	}
	s := PolicySpec{
		Capacity: binary.LittleEndian.Uint64(b[SpecCapacity:]),
		Seed:     binary.LittleEndian.Uint64(b[SpecSeed:]),
		Objects:  binary.LittleEndian.Uint32(b[SpecObjects:]),
		Most:     binary.LittleEndian.Uint32(b[SpecMost:]),
		Batch:    binary.LittleEndian.Uint32(b[SpecBatch:]),
		Bytes:    binary.LittleEndian.Uint32(b[SpecFlags:])&SpecBytes != 0,
	}
	params, rest := binary.LittleEndian.Uint32(b[SpecParamsLen:]), b[SpecParams:]
	if uint64(params) > uint64(len(rest)) {
		return PolicySpec{}, fmt.Errorf("spec has %d bytes of parameters of %d", len(rest), params)
	}
	s.Params = rest[:params:params]
	return s, nil
}

// PolicyFrame says where a policy's buffers are.
type PolicyFrame struct{ IDs, Sizes, Hits, Victims uint32 }

// DecodePolicyFrame reads the frame at addr of a guest's memory, for the cache of s. It reports buffers that are not within
// the memory, not aligned to what they hold, or not apart from each other and the frame.
func DecodePolicyFrame(memory []byte, addr uint32, s *PolicySpec) (PolicyFrame, error) {
	if addr%8 != 0 {
		return PolicyFrame{}, fmt.Errorf("frame at %d: its address must be a multiple of 8", addr)
	}
	if uint64(addr)+FrameSize > uint64(len(memory)) {
		return PolicyFrame{}, fmt.Errorf("frame at %d is outside the memory of %d bytes", addr, len(memory))
	}
	word := func(offset uint32) uint32 { return binary.LittleEndian.Uint32(memory[addr+offset:]) }
	f := PolicyFrame{word(FrameIDs), word(FrameSizes), word(FrameHits), word(FrameVictims)}
	if r := word(FrameReserved); r != 0 {
		return f, fmt.Errorf("frame at %d: offset %d is %d: it is reserved, and must be 0", addr, FrameReserved, r)
	}
	return f, checkBuffers(f.buffers(addr, s), uint64(len(memory)))
}

// buffer is a part of a guest's memory.
type buffer struct {
	name      string
	addr, end uint64
}

// buffers are those of the frame at addr, which is the first of them.
func (f PolicyFrame) buffers(addr uint32, s *PolicySpec) []buffer {
	part := func(name string, addr uint32, size uint64) buffer {
		return buffer{name, uint64(addr), uint64(addr) + size}
	}
	batch := uint64(s.Batch)
	all := []buffer{
		part("frame", addr, FrameSize),
		part("ids", f.IDs, 4*batch),
		part("hits", f.Hits, (batch+31)/32*4),
		part("victims", f.Victims, VictimSize*(uint64(s.Most)+batch)),
	}
	if s.Bytes {
		all = append(all, part("sizes", f.Sizes, 4*batch))
	}
	return all
}

func checkBuffers(all []buffer, memory uint64) error {
	for i, b := range all {
		if b.addr%4 != 0 {
			return fmt.Errorf("%s at %d: the address must be a multiple of 4", b.name, b.addr)
		}
		if b.addr == 0 && i > 0 || b.end > memory {
			return fmt.Errorf("%s at %d: %d bytes there are outside the memory of %d", b.name, b.addr, b.end-b.addr, memory)
		}
		for _, o := range all[:i] {
			if b.addr < o.end && o.addr < b.end {
				return fmt.Errorf("%s at %d and %s at %d overlap: they have %d and %d bytes",
					o.name, o.addr, b.name, b.addr, o.end-o.addr, b.end-b.addr)
			}
		}
	}
	return nil
}
