package store

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// The frame of a segment says, behind its head, what its bytes are, so that a value under a wrong key is none.
//
//	16     16  the body's id
//	32      4  the segment's number
//	36      4  where in the segment the bytes begin
//	40      4  how many they are
//	44      4  0
//	48         the bytes
const (
	offID       = 16
	offNumber   = 32
	offBegin    = 36
	offLength   = 40
	offRest     = 44
	segmentHead = 48
)

// segmentKey appends the key of a segment.
func segmentKey(dst []byte, id bodyID, n int64) []byte {
	dst = hex.AppendEncode(dst, id[:])
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], uint32(n))
	return hex.AppendEncode(append(dst, '/'), number[:])
}

// sealSegment completes a frame whose first segmentHead bytes are free.
func sealSegment(frame []byte, id bodyID, n, begin int64) {
	beginFrame(frame[:0], kindSegment)
	copy(frame[offID:], id[:])
	binary.LittleEndian.PutUint32(frame[offNumber:], uint32(n))
	binary.LittleEndian.PutUint32(frame[offBegin:], uint32(begin))
	binary.LittleEndian.PutUint32(frame[offLength:], uint32(len(frame)-segmentHead))
	binary.LittleEndian.PutUint32(frame[offRest:], 0)
	endFrame(frame)
}

// checkSegment reads the head of a segment, of a frame that is size bytes long, and returns where in the segment its bytes
// begin. The checksum is another matter.
func checkSegment(head []byte, size int64, id bodyID, n int64) (begin int64, err error) {
	k, err := frameKind(head)
	switch {
	case err != nil:
		return 0, err
	case k != kindSegment || len(head) < segmentHead:
		return 0, fmt.Errorf("%w: no segment", errFrame)
	case bodyID(head[offID:]) != id || int64(binary.LittleEndian.Uint32(head[offNumber:])) != n:
		return 0, fmt.Errorf("%w: another segment", errFrame)
	case int64(binary.LittleEndian.Uint32(head[offLength:])) != size-segmentHead || binary.LittleEndian.Uint32(head[offRest:]) != 0:
		return 0, fmt.Errorf("%w: segment of %d bytes", errFrame, size)
	}
	begin = int64(binary.LittleEndian.Uint32(head[offBegin:]))
	if begin+size-segmentHead > SegmentSize {
		return 0, fmt.Errorf("%w: segment of %d bytes from %d on", errFrame, size, begin)
	}
	return begin, nil
}

// decodeSegment returns the bytes of a proven segment, a view, and where in it they begin.
func decodeSegment(frame []byte, id bodyID, n int64) (data []byte, begin int64, err error) {
	if begin, err = checkSegment(frame, int64(len(frame)), id, n); err != nil {
		return nil, 0, err
	}
	if _, _, err = openFrame(frame); err != nil {
		return nil, 0, err
	}
	return frame[segmentHead:len(frame):len(frame)], begin, nil
}
