package hostabi

import (
	"encoding/binary"
	"fmt"
)

// Header is the fixed part of the call buffer, without the cookie.
type Header struct {
	NamespaceLen uint32
	NamespaceID  uint32
	BatchIndex   uint32
	BatchLen     uint32
}

// Put writes the header to the call buffer b, which holds BufKey bytes at least. The cookie stays as it is.
func (h Header) Put(b []byte) {
	_ = b[BufKey-1]
	binary.LittleEndian.PutUint64(b[BufNamespaceLen:], uint64(h.NamespaceLen)|uint64(h.NamespaceID)<<32)
	binary.LittleEndian.PutUint64(b[BufBatchIndex:], uint64(h.BatchIndex)|uint64(h.BatchLen)<<32)
}

// DecodeHeader reads the header of the call buffer b.
func DecodeHeader(b []byte) (Header, error) {
	if len(b) < BufKey {
		return Header{}, fmt.Errorf("call buffer of %d bytes is shorter than its header of %d", len(b), BufKey)
	}
	return Header{
		NamespaceLen: binary.LittleEndian.Uint32(b[BufNamespaceLen:]),
		NamespaceID:  binary.LittleEndian.Uint32(b[BufNamespaceID:]),
		BatchIndex:   binary.LittleEndian.Uint32(b[BufBatchIndex:]),
		BatchLen:     binary.LittleEndian.Uint32(b[BufBatchLen:]),
	}, nil
}

// Event is what an observing guest is told about one key of a command.
type Event struct {
	KeyHash   uint64
	Time      uint64
	Elapsed   uint32
	ValueSize uint32
	TTL       uint32
	Namespace uint16
	Op        uint8
	Result    uint8
}

// Append appends the event's EventSize bytes to b.
func (e Event) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, e.KeyHash)
	b = binary.LittleEndian.AppendUint64(b, e.Time)
	b = binary.LittleEndian.AppendUint32(b, e.Elapsed)
	b = binary.LittleEndian.AppendUint32(b, e.ValueSize)
	b = binary.LittleEndian.AppendUint32(b, e.TTL)
	b = binary.LittleEndian.AppendUint16(b, e.Namespace)
	return append(b, e.Op, e.Result)
}

// DecodeEvent reads the event at the front of b.
func DecodeEvent(b []byte) (Event, error) {
	if len(b) < EventSize {
		return Event{}, fmt.Errorf("event of %d bytes is shorter than %d", len(b), EventSize)
	}
	return Event{
		KeyHash:   binary.LittleEndian.Uint64(b[EventKeyHash:]),
		Time:      binary.LittleEndian.Uint64(b[EventTime:]),
		Elapsed:   binary.LittleEndian.Uint32(b[EventElapsed:]),
		ValueSize: binary.LittleEndian.Uint32(b[EventValueSize:]),
		TTL:       binary.LittleEndian.Uint32(b[EventTTL:]),
		Namespace: binary.LittleEndian.Uint16(b[EventNamespace:]),
		Op:        b[EventOp],
		Result:    b[EventResult],
	}, nil
}
